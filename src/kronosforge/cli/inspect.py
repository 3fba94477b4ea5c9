"""`kronosforge inspect`: which candles the store holds."""

from argparse import Namespace
from pathlib import Path

from kronosforge.cli.console import print_json, print_table
from kronosforge.core.i18n import Message, _
from kronosforge.workflows.inspect import COLUMNS, inventory
from kronosforge.workspace.discovery import find_root

HEADS = {
    "venue": Message("venue"),
    "series": Message("series"),
    "from": Message("from"),
    "to": Message("to"),
    "candles": Message("candles"),
    "gaps": Message("gaps"),
    "bytes": Message("bytes"),
}


def run(arguments: Namespace) -> int:
    """Print a row per series: venue, span, candles, gaps, size."""
    rows = inventory(Path(find_root(script=arguments.script)))
    if arguments.json:
        print_json({"series": rows})
    elif not rows:
        print(_("The store holds no readable candles; prepare a model first."))
    else:
        heads = [str(HEADS[column]) for column in COLUMNS]
        print_table(heads, [list(row.values()) for row in rows])
    return 0
