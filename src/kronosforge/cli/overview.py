"""`kronosforge` without a command: the stages in their order, and how to begin."""

from __future__ import annotations

from kronosforge.cli.commands import COMMANDS
from kronosforge.core.i18n import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

STAGES = ("prepare", "verify", "train", "forecast", "evaluate")
BEGIN = (
    ("kronosforge init my-models", "create a workspace", "建立工作区"),
    ("cd my-models && kronosforge check", "check the machine, the exchange and the configs", "检查本机、交易所与配置"),
    (
        "kronosforge pipeline --source sandbox --init scratch --size tiny",
        "try every stage without a network",
        "不联网试运行全部步骤",
    ),
)


def run(_: Namespace) -> int:
    """Print the stages and the three commands to begin with."""
    print(
        tr(
            "From exchange candles to a judged Kronos model, in this order:",
            "从交易所K线到经评估的 Kronos 模型,依次为:",
        )
    )
    for number, name in enumerate(STAGES, 1):
        print(f"  {number}. {name:<9} {COMMANDS[name].help}")
    print(tr("Begin with:", "从这里开始:"))
    for command, english, chinese in BEGIN:
        print(f"  {command:<65}  # {tr(english, chinese)}")
    print(tr("Every command: kronosforge --help", "全部命令:kronosforge --help"))
    return 0
