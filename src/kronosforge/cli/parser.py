"""The parsers of all commands. Imports nothing heavy: `--help` is answered from here alone."""

from __future__ import annotations

import argparse
import os

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In the data's order. Each command is `run(arguments) -> exit code` in kronosforge.cli.<name>.
COMMANDS = {
    "init": ("lay a workspace in a folder", "在一个目录里建立工作区"),
    "configs": ("list the models of this workspace", "列出本工作区的模型配置"),
    "check": ("look at this machine, the exchange and the workspace", "检查本机、交易所与工作区"),
    "prepare": ("fetch candles and make a model's dataset", "下载K线并生成模型数据集"),
    "verify": ("prove that a finished dataset is whole and leaks nothing", "验证数据集完整且无未来泄漏"),
    "inspect": ("show which candles the store holds", "查看本地已存的K线"),
    "train": ("train the models' tokenizers and predictors", "训练各模型的 tokenizer 与 predictor"),
    "forecast": ("sample the next bars of a model's series", "采样预测模型各序列的后续K线"),
    "evaluate": (
        "judge a model on its test split, and say whether it has an edge",
        "在 test 切分上评估模型,给出是否有优势的结论",
    ),
    "pipeline": (
        "prepare, train, forecast and evaluate, resuming what is finished",
        "准备、训练、预测并评估,跳过已完成的部分",
    ),
    "sandbox": ("serve an exchange on this machine that speaks OKX's protocol", "在本机启动一个OKX协议的模拟交易所"),
}

# Scripts that are no commands of `kronosforge`.
SCRIPTS = {"quick_start": ("check, ask, and train", "检查环境、询问并开始训练")}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Knows its width: left to itself, argparse imports shutil (and with it every compressor) to ask for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=_columns())


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaint is one line, like every other error here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message}; " + tr(f"see {self.prog} --help", f"参见 {self.prog} --help"))


def build_parser(program: str = "kronosforge") -> Parser:
    """The parser of every command."""
    parser = Parser(
        prog=program,
        description=tr(
            "From exchange candles to fine-tuned, honestly judged Kronos models.",
            "从交易所K线到微调、并经诚实评估的 Kronos 模型。",
        ),
        epilog=_exit_codes(),
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help=tr("versions of kronosforge, Python and torch, and the device", "kronosforge、Python、torch 的版本与设备"),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (english, chinese) in COMMANDS.items():
        text = tr(english, chinese)
        command = commands.add_parser(name, help=text, description=text)
        globals()[f"_{name}"](command)
    return parser


def script_parser(program: str, command: str) -> Parser:
    """The parser of one command alone, under the name of the script that the guide's users type."""
    text = tr(*(COMMANDS | SCRIPTS)[command])
    parser = Parser(prog=program, description=text, epilog=_exit_codes())
    globals()[f"_{command}"](parser)
    return parser


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS", "0")) or min(os.get_terminal_size().columns, 120)
    except (OSError, ValueError):
        return 100


def _exit_codes() -> str:
    return tr(
        "exit codes: 0 done, 2 usage or config, 3 source, 4 data, 5 training, 130 interrupted",
        "退出码:0 完成,2 用法或配置,3 数据源,4 数据,5 训练,130 中断",
    )


def _init(parser: Parser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        help=tr("where to lay it; nothing that is there is overwritten", "目标目录;已有文件不会被覆盖"),
    )


def _configs(parser: Parser) -> None:
    parser.add_argument("--list-configs", action="store_true", help=tr("the same", "同上"))
    _json(parser)


def _json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--json", action="store_true", help=tr("one JSON object on stdout", "在标准输出打印一个 JSON 对象")
    )


def _check(parser: Parser) -> None:
    parser.add_argument("--source", metavar="SOURCE", help=tr("check another source than OKX", "检查 OKX 以外的数据源"))
    _json(parser)


def _prepare(parser: Parser) -> None:
    what = parser.add_argument_group(tr("what", "准备什么"))
    what.add_argument(
        "--config",
        metavar="NAME|PATH",
        help=tr("the model: a name of --list-configs, or a file", "模型:--list-configs 中的名称,或配置文件路径"),
    )
    what.add_argument("--list-configs", action="store_true", help=tr("list the models and stop", "列出模型后退出"))
    what.add_argument(
        "--timeframes",
        metavar="TF",
        nargs="+",
        help=tr("bars, such as 4H 1D: every instrument at each of them", "K线周期,如 4H 1D:每个合约都取这些周期"),
    )
    what.add_argument(
        "--records-per-timeframe",
        metavar="N",
        type=int,
        help=tr("the newest N bars of each series", "每个序列最新的 N 根"),
    )
    what.add_argument(
        "--symbols", metavar="INST", nargs="+", help=tr("instruments instead of the config's", "代替配置中的合约")
    )
    what.add_argument(
        "--since", metavar="ISO", help=tr("first instant, instead of the newest N bars", "起始时间,代替最新 N 根")
    )
    what.add_argument("--until", metavar="ISO", help=tr("last instant, exclusive", "结束时间(不含)"))
    what.add_argument("--source", metavar="SOURCE", help="okx | sandbox | files:DIR | binance | bybit")
    where = parser.add_argument_group(tr("where", "放到哪里"))
    where.add_argument("--output-dir", metavar="DIR", help=tr("folder of the dataset", "数据集目录"))
    where.add_argument(
        "--kronos-dir",
        metavar="DIR",
        help=tr("Kronos checkout whose finetune/data gets a copy", "Kronos 项目目录,其 finetune/data 会得到一份副本"),
    )
    where.add_argument("--no-copy", action="store_true", help=tr("no copy for Kronos", "不复制到 Kronos"))
    where.add_argument("--force", action="store_true", help=tr("replace an existing dataset", "覆盖已有数据集"))
    how = parser.add_argument_group(tr("how", "如何运行"))
    how.add_argument(
        "--dry-run",
        action="store_true",
        help=tr("show the plan: no network, nothing written", "只显示计划:不联网,不写文件"),
    )
    how.add_argument(
        "--explain", action="store_true", help=tr("show each value and where it comes from", "显示每个参数的值与来源")
    )
    _strict(how)
    _json(how)


def _strict(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--strict",
        action="store_true",
        help=tr("any warning is an error (exit code 4)", "任何警告都视为错误(退出码 4)"),
    )


def _verify(parser: Parser) -> None:
    parser.add_argument(
        "dataset", metavar="DATASET", help=tr("a dataset's folder, or a config's name", "数据集目录,或配置名称")
    )
    _json(parser)


def _inspect(parser: Parser) -> None:
    _json(parser)


def _train(parser: Parser) -> None:
    what = parser.add_argument_group(tr("what", "训练什么"))
    what.add_argument("--models", "--config", metavar="NAME", nargs="+", help=tr("models to train", "要训练的模型"))
    what.add_argument("--list-configs", action="store_true", help=tr("list the models and stop", "列出模型后退出"))
    what.add_argument(
        "--stage", choices=("tokenizer", "predictor", "both"), default="both", help=tr("default: both", "默认 both")
    )
    _training(parser)
    how = parser.add_argument_group(tr("how", "如何运行"))
    how.add_argument(
        "--mode",
        choices=("sequential", "parallel"),
        default="sequential",
        help=tr("one model after the other, or at once", "依次训练,或同时训练"),
    )
    how.add_argument("--max-workers", metavar="N", type=int, help=tr("models at once, at most", "最多同时训练几个模型"))
    how.add_argument("--resume", action="store_true", help=tr("go on where a run was stopped", "从中断处继续"))
    how.add_argument("--force", action="store_true", help=tr("train anew", "重新训练"))
    how.add_argument(
        "--accept-new-data", action="store_true", help=tr("resume on another dataset", "允许用新的数据集继续")
    )
    how.add_argument(
        "--in-process",
        action="store_true",
        help=tr("train in this process, one model after the other", "在本进程内训练"),
    )
    how.add_argument(
        "--dry-run", action="store_true", help=tr("show what it will cost, and write nothing", "只显示开销,不写文件")
    )
    how.add_argument(
        "--explain", action="store_true", help=tr("show each value and where it comes from", "显示每个参数的值与来源")
    )
    _json(how)


def _training(parser: Parser) -> None:
    knobs = parser.add_argument_group(tr("training", "训练参数"))
    knobs.add_argument(
        "--init",
        choices=("pretrained", "scratch"),
        help=tr("published weights, or random ones", "预训练权重或随机权重"),
    )
    knobs.add_argument("--size", choices=("tiny", "mini", "small", "base"), help=tr("of scratch", "scratch 的规模"))
    knobs.add_argument("--tokenizer", metavar="DIR|ID", help=tr("pretrained tokenizer", "预训练 tokenizer"))
    knobs.add_argument("--predictor", metavar="DIR|ID", help=tr("pretrained predictor", "预训练 predictor"))
    knobs.add_argument(
        "--freeze-tokenizer",
        action="store_const",
        const=True,
        help=tr("measure the tokenizer and keep it", "只测量 tokenizer,不训练"),
    )
    knobs.add_argument("--lora", metavar="R", type=int, help=tr("low-rank updates of rank R", "秩为 R 的 LoRA"))
    knobs.add_argument("--epochs", metavar="N", type=int, help=tr("most epochs", "最多轮数"))
    knobs.add_argument("--batch-size", metavar="N", type=int, help=tr("windows per step", "每步窗口数"))
    knobs.add_argument("--device", metavar="DEVICE", help="auto | cpu | mps | cuda | cuda:N")
    knobs.add_argument("--precision", choices=("auto", "float32", "bf16"))
    knobs.add_argument("--seed", metavar="N", type=int)


def _forecast(parser: Parser) -> None:
    parser.add_argument("--config", metavar="NAME|PATH", required=True, help=tr("the model", "模型"))
    parser.add_argument("--series", metavar="KEY", nargs="+", help=tr("default: all of the config's", "默认全部"))
    parser.add_argument("--at", metavar="ISO", help=tr("forecast from this instant; default: now", "预测起点,默认现在"))
    parser.add_argument("--horizon", metavar="N", type=int, help=tr("bars ahead", "预测多少根"))
    parser.add_argument(
        "--weights",
        choices=("current", "fine-tuned", "pretrained"),
        help=tr(
            "default: what was promoted, else fine-tuned, else pretrained", "默认:已晋级的,否则微调的,否则预训练的"
        ),
    )
    parser.add_argument("--samples", metavar="N", type=int, help=tr("paths a series", "每个序列的路径数"))
    parser.add_argument("--temperature", metavar="T", type=float)
    parser.add_argument("--top-p", metavar="P", type=float)
    parser.add_argument("--top-k", metavar="K", type=int)
    parser.add_argument("--quantiles", metavar="Q", type=float, nargs="+", help="0.05 … 0.95")
    parser.add_argument(
        "--sliding",
        choices=("exact", "approximate"),
        default="exact",
        help=tr("beyond the context: recompute, or keep the cache", "超出上下文时:重算,或沿用缓存"),
    )
    parser.add_argument(
        "--raw", action="store_true", help=tr("leave impossible candles as they are", "不修复不可能的K线")
    )
    parser.add_argument("--source", metavar="SOURCE", help="okx | sandbox | files:DIR | binance | bybit")
    parser.add_argument("--out", metavar="DIR", help=tr("default: outputs/forecasts/…", "默认 outputs/forecasts/…"))
    parser.add_argument("--device", metavar="DEVICE", help="auto | cpu | mps | cuda | cuda:N")
    parser.add_argument("--seed", metavar="N", type=int, help=tr("of the paths", "路径的随机种子"))
    _json(parser)


def _evaluate(parser: Parser) -> None:
    parser.add_argument("--config", metavar="NAME|PATH", required=True, help=tr("the model", "模型"))
    parser.add_argument(
        "--models",
        choices=("fine-tuned", "pretrained"),
        nargs="+",
        default=["fine-tuned", "pretrained"],
        help=tr("default: both, which it takes for a verdict", "默认两者;得出结论需要两者"),
    )
    parser.add_argument("--stride", metavar="N", type=int, help=tr("bars between forecasts", "相邻预测间隔的K线数"))
    parser.add_argument("--samples", metavar="N", type=int, help=tr("paths per forecast", "每次预测的路径数"))
    parser.add_argument(
        "--folds",
        metavar="K",
        type=int,
        help=tr(
            "walk forward instead: train anew for each of K test windows, and judge them together",
            "改为滚动评估:为 K 个依次后移的测试窗口各自重新训练,并合并评估",
        ),
    )
    parser.add_argument("--device", metavar="DEVICE", help="auto | cpu | cuda | cuda:N")
    parser.add_argument("--force", action="store_true", help=tr("do again what is finished", "重新执行已完成的部分"))
    _json(parser)


def _pipeline(parser: Parser) -> None:
    parser.add_argument(
        "--models", metavar="NAME", nargs="+", help=tr("default: all but `default`", "默认:除 default 外的全部")
    )
    parser.add_argument("--source", metavar="SOURCE", help="okx | sandbox | files:DIR | binance | bybit")
    _training(parser)
    parser.add_argument("--mode", choices=("sequential", "parallel"), default="sequential")
    parser.add_argument("--max-workers", metavar="N", type=int)
    parser.add_argument("--force", action="store_true", help=tr("do again what is finished", "重新执行已完成的部分"))
    _strict(parser)
    _json(parser)


def _quick_start(parser: Parser) -> None:
    parser.add_argument("--yes", action="store_true", help=tr("take the defaults, ask nothing", "使用默认值,不询问"))
    _training(parser)
    parser.set_defaults(resume=True, force=False, accept_new_data=False, max_workers=None, json=False)


def _sandbox(parser: Parser) -> None:
    parser.add_argument("--port", type=int, default=0, help=tr("0 takes a free one", "0 表示自动选择"))
    parser.add_argument(
        "--replay",
        metavar="DIR",
        help=tr("serve the INST_BAR.csv files of a folder", "回放目录中的 合约_周期.csv 文件"),
    )
    parser.add_argument("--seed", type=int, default=0, help=tr("seed of the synthetic market", "合成行情的随机种子"))
    parser.add_argument(
        "--edge",
        metavar="S",
        type=float,
        help=tr(
            "a market of known truth: weekdays tell this share of each day", "已知真相的行情:星期几决定每日涨跌的该比例"
        ),
    )
    parser.add_argument("--clock", metavar="ISO", help=tr("a clock that stands still there", "固定在该时刻的时钟"))
    parser.add_argument(
        "--faults",
        metavar="SPEC",
        default="",
        help=tr("such as 429=0.2,reset=0.1,seed=3", "例如 429=0.2,reset=0.1,seed=3"),
    )
