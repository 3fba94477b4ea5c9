"""`kronosforge inspect`: which candles the store holds."""

from argparse import Namespace
from pathlib import Path

from kronosforge.cli.console import print_json, print_table
from kronosforge.core.bars import iso
from kronosforge.core.i18n import tr
from kronosforge.store import Store
from kronosforge.workspace.discovery import find_root
from kronosforge.workspace.paths import candles


def run(arguments: Namespace) -> int:
    """Print a row per series: venue, span, candles, holes, size."""
    root = Path(find_root(script=arguments.script))
    held = Store(candles(root)).inventory()
    rows = [
        [
            item.venue,
            str(item.series),
            iso(item.span.start),
            iso(item.span.stop),
            item.rows,
            len(item.holes),
            item.bytes,
        ]
        for item in held
    ]
    keys = ("venue", "series", "from", "to", "candles", "holes", "bytes")
    if arguments.json:
        print_json({"series": [dict(zip(keys, row, strict=True)) for row in rows]})
    elif not rows:
        print(tr("The store is empty; prepare a model first.", "本地还没有K线;请先准备一个模型。"))
    else:
        names = ("交易所", "序列", "起", "止", "K线", "空洞", "字节")
        print_table([tr(*pair) for pair in zip(keys, names, strict=True)], rows)
    return 0
