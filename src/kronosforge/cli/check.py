"""`kronosforge check`: a line for everything that a run depends on."""

from argparse import Namespace

from kronosforge.cli.console import print_json
from kronosforge.workflows.check import checks

MARKS = {"ok": "✅", "warn": "⚠️ ", "fail": "❌"}


def run(arguments: Namespace) -> int:
    """Print every check as it is made; the first that fails decides the exit code."""
    made = []
    for check in checks(arguments.script, arguments.source):
        made.append(check)
        if not arguments.json:
            print(f"{MARKS[check.state]} {check.name}: {check.detail}", flush=True)
    if arguments.json:
        print_json({"checks": [check._asdict() for check in made]})
    return next((check.exit_code for check in made if check.state == "fail"), 0)
