#!/usr/bin/env python3
"""The configs of this folder: `ConfigManager().load_config("model_a_4h")`, or as a program with --list-configs."""

import sys

try:
    from kronosforge.cli import run
    from kronosforge.workspace import ConfigManager
except ModuleNotFoundError as error:
    sys.exit(f"Error: this Python has no module {error.name!r}; run `make demo` once, then `. .venv/bin/activate`")

__all__ = ["ConfigManager"]

if __name__ == "__main__":
    sys.exit(run(script=__file__, command="configs"))
