#!/usr/bin/env python3
"""Prepare, train, evaluate and forecast every model: `python full_pipeline.py` = `kronosforge pipeline …`."""

import sys

try:
    from kronosforge.cli import run
except ModuleNotFoundError as error:
    sys.exit(f"Error: this Python has no module {error.name!r}; run `make demo` once, then `. .venv/bin/activate`")

if __name__ == "__main__":
    sys.exit(run(script=__file__, command="pipeline"))
