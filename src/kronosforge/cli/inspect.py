"""`kronosforge inspect`: which candles the store holds."""

from argparse import Namespace
from pathlib import Path

from kronosforge.cli.console import print_json, print_table
from kronosforge.core.i18n import tr
from kronosforge.workflows.inspect import COLUMNS, inventory
from kronosforge.workspace.discovery import find_root

HEADS = ("交易所", "序列", "起", "止", "K线", "空洞", "字节")


def run(arguments: Namespace) -> int:
    """Print a row per series: venue, span, candles, holes, size."""
    rows = inventory(Path(find_root(script=arguments.script)))
    if arguments.json:
        print_json({"series": rows})
    elif not rows:
        print(tr("The store is empty; prepare a model first.", "本地还没有K线;请先准备一个模型。"))
    else:
        heads = [tr(*pair) for pair in zip(COLUMNS, HEADS, strict=True)]
        print_table(heads, [list(row.values()) for row in rows])
    return 0
