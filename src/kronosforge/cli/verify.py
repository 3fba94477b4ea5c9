"""`kronosforge verify DATASET`: prove that a finished dataset is whole, readable, counted right and leaks nothing."""

from argparse import Namespace

from kronosforge.cli.console import print_json
from kronosforge.workflows.verify import verify_dataset


def run(arguments: Namespace) -> int:
    """Print a line per check. Raises DataError where one does not hold."""
    verification = verify_dataset(arguments.dataset, arguments.script)
    if arguments.json:
        print_json(verification.as_json())
    else:
        for check in verification.checks:
            print("✅" if check.ok else "❌", f"{check.name}: {check.detail}")
    verification.refuse_failures()
    return 0
