"""Which candles the store of a workspace holds."""

from pathlib import Path
from typing import Any

from kronosforge.core.bars import iso
from kronosforge.store import Store
from kronosforge.workspace.paths import candles

COLUMNS = ("venue", "series", "from", "to", "candles", "gaps", "bytes")


def inventory(root: Path) -> list[dict[str, Any]]:
    """A row per series of the store: COLUMNS, with times in ISO 8601 and counts as integers."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    held.venue,
                    str(held.series),
                    iso(held.span.start),
                    iso(held.span.stop),
                    held.rows,
                    len(held.gaps),
                    held.bytes,
                ),
                strict=True,
            )
        )
        for held in Store(candles(root)).inventory()
    ]
