#!/usr/bin/env python3
"""Train one predictor in this process, under python or torchrun: `--config NAME`."""

import sys

try:
    from kronosforge.cli import run
except ModuleNotFoundError as error:
    sys.exit(f"Error: this Python has no module {error.name!r}; run `make demo` once, then `. .venv/bin/activate`")

if __name__ == "__main__":
    sys.exit(run([*sys.argv[1:], "--stage", "predictor", "--in-process"], script=__file__, command="train"))
