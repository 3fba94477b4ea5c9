"""A plain HTTP client: what the exchange answers, byte by byte."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from kronosforge.core.bars import instant

NOW = instant("2026-01-01T00:30:30Z")  # 30 seconds into a minute, half an hour into the day


class Answer(NamedTuple):
    status: int
    text: str
    kind: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> Any:
        return self.body["code"]

    @property
    def times(self) -> list[int]:
        return [int(row[0]) for row in self.body["data"]]


def get(url: str, path: str, headers: Mapping[str, str] | None = None, **query: object) -> Answer:
    """One GET on a connection of its own; `path` without /api/v5."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", f"/api/v5{path}" + (f"?{urlencode(query)}" if query else ""), headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(), response.headers.get_content_type())
    finally:
        connection.close()
