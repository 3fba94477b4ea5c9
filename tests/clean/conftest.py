"""Messages are matched in English, whatever the machine speaks."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def english() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRONOS_LANG", "en")
        yield
