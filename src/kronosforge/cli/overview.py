"""`kronosforge` without a command: the stages in their order, and how to begin."""

from __future__ import annotations

from kronosforge.cli.commands import COMMANDS
from kronosforge.core.i18n import Message, _

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

STAGES = ("prepare", "verify", "train", "forecast", "evaluate")
BEGIN = (
    ("kronosforge init my-models", Message("create a workspace")),
    ("cd my-models && kronosforge check", Message("check the machine, the exchange and the configs")),
    (
        "kronosforge pipeline --source sandbox --init scratch --size tiny",
        Message("try every stage without a network"),
    ),
)


def run(arguments: Namespace) -> int:
    """Print the stages and the three commands to begin with."""
    print(_("From exchange candles to a judged Kronos model, in this order:"))
    for number, name in enumerate(STAGES, 1):
        print(f"  {number}. {name:<9} {COMMANDS[name].help}")
    print(_("Begin with:"))
    for command, purpose in BEGIN:
        print(f"  {command:<65}  # {purpose}")
    print(_("Every command: kronosforge --help"))
    return 0
