"""The commands: what each does, and the arguments that it takes. Imports nothing heavy."""

from __future__ import annotations

import argparse

from kronosforge.cli.flags import add_set, add_setting
from kronosforge.core.i18n import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        help=tr("folder of the workspace; existing files are not overwritten", "目标目录;已有文件不会被覆盖"),
    )


def _configs(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "--list-configs", tr("the same", "同上"))
    _json(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="SOURCE", help=tr("check another source than OKX", "检查 OKX 以外的数据源"))
    _json(parser)


def _prepare(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group(tr("what", "准备什么"))
    what.add_argument(
        "--config",
        metavar="NAME|PATH",
        help=tr("the model: a name of --list-configs, or a file", "模型:--list-configs 中的名称,或配置文件路径"),
    )
    _list_configs(what)
    what.add_argument(
        "--timeframes",
        metavar="TF",
        nargs="+",
        help=tr("bars, such as 4H 1D: every instrument at each of them", "K线周期,如 4H 1D:每个合约都取这些周期"),
    )
    add_setting(what, "records_per_timeframe")
    what.add_argument(
        "--symbols", metavar="INST", nargs="+", help=tr("instruments instead of the config's", "代替配置中的合约")
    )
    _add_settings(what, "since", "until", "source.name")
    add_set(what)
    where = parser.add_argument_group(tr("where", "放到哪里"))
    add_setting(where, "dataset_path")
    where.add_argument(
        "--kronos-dir",
        metavar="DIR",
        help=tr("Kronos checkout whose finetune/data gets a copy", "Kronos 项目目录,其 finetune/data 会得到一份副本"),
    )
    _flag(where, "--no-copy", tr("no copy for Kronos", "不复制到 Kronos"))
    _flag(where, "--force", tr("replace an existing dataset", "覆盖已有数据集"))
    how = parser.add_argument_group(tr("how", "如何运行"))
    _flag(how, "--dry-run", tr("show the plan: no network, nothing written", "只显示计划:不联网,不写文件"))
    _explain(how)
    _strict(how)
    _json(how)


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", metavar="DATASET", help=tr("a dataset's folder, or a config's name", "数据集目录,或配置名称")
    )
    add_set(parser)
    _json(parser)


def _inspect(parser: argparse.ArgumentParser) -> None:
    _json(parser)


def _train(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group(tr("what", "训练什么"))
    what.add_argument("--models", "--config", metavar="NAME", nargs="+", help=tr("models to train", "要训练的模型"))
    _list_configs(what)
    what.add_argument(
        "--stage", choices=("tokenizer", "predictor", "both"), default="both", help=tr("default: both", "默认 both")
    )
    _training(parser)
    how = parser.add_argument_group(tr("how", "如何运行"))
    _mode(how)
    _flag(how, "--resume", tr("go on where a run was stopped", "从中断处继续"))
    _flag(how, "--force", tr("train anew", "重新训练"))
    _flag(how, "--accept-new-data", tr("resume on another dataset", "允许用新的数据集继续"))
    _flag(how, "--in-process", tr("train in this process, one model after the other", "在本进程内训练"))
    _flag(how, "--dry-run", tr("show what it will cost, and write nothing", "只显示开销,不写文件"))
    _explain(how)
    _json(how)


def _training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(tr("training", "训练参数"))
    _add_settings(group, "train.init", "train.size", "train.tokenizer", "train.predictor", "train.freeze_tokenizer")
    _add_settings(group, "train.lora", "train.epochs", "train.batch_size")
    _add_settings(group, "train.device", "train.precision", "train.seed")
    add_set(group)


def _forecast(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--series", metavar="KEY", nargs="+", help=tr("default: all of the config's", "默认全部"))
    parser.add_argument(
        "--at",
        metavar="TIME",
        help=tr(
            "forecast from this time, such as '2025-01-31 16:00'; default: now",
            "预测起点,例如 '2025-01-31 16:00';默认 now(现在)",
        ),
    )
    add_setting(parser, "dataset.predict")
    parser.add_argument(
        "--weights",
        choices=("current", "fine-tuned", "pretrained"),
        help=tr(
            "default: what was promoted, else fine-tuned, else pretrained", "默认:已晋级的,否则微调的,否则预训练的"
        ),
    )
    _add_settings(parser, "forecast.samples", "forecast.temperature", "forecast.top_p", "forecast.top_k")
    add_setting(parser, "forecast.quantiles")
    parser.add_argument(
        "--sliding",
        choices=("exact", "approximate"),
        default="exact",
        help=tr("beyond the context: recompute, or keep the cache", "超出上下文时:重算,或沿用缓存"),
    )
    _flag(parser, "--raw", tr("leave impossible candles as they are", "不修复不可能的K线"))
    add_setting(parser, "source.name")
    parser.add_argument("--out", metavar="DIR", help=tr("default: outputs/forecasts/…", "默认 outputs/forecasts/…"))
    _add_settings(parser, "train.device", "forecast.seed")
    add_set(parser)
    _json(parser)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument(
        "--models",
        choices=("fine-tuned", "pretrained"),
        nargs="+",
        default=["fine-tuned", "pretrained"],
        help=tr("default: both, which it takes for a verdict", "默认两者;得出结论需要两者"),
    )
    _add_settings(parser, "evaluate.stride", "evaluate.samples")
    parser.add_argument(
        "--folds",
        metavar="K",
        type=int,
        help=tr(
            "walk forward instead: train anew for each of K test windows, and judge them together",
            "改为滚动评估:为 K 个依次后移的测试窗口各自重新训练,并合并评估",
        ),
    )
    add_setting(parser, "train.device")
    add_set(parser)
    _again(parser)
    _json(parser)


def _pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", metavar="NAME", nargs="+", help=tr("default: all but `default`", "默认:除 default 外的全部")
    )
    add_setting(parser, "source.name")
    _training(parser)
    _mode(parser)
    _again(parser)
    _strict(parser)
    _json(parser)


def _quick_start(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "--yes", tr("take the defaults, ask nothing", "使用默认值,不询问"))
    _training(parser)
    parser.set_defaults(resume=True, force=False, accept_new_data=False, max_workers=None, json=False)


def _sandbox(parser: argparse.ArgumentParser) -> None:
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


def _add_settings(parser: argparse._ActionsContainer, *keys: str) -> None:
    for key in keys:
        add_setting(parser, key)


def _flag(parser: argparse._ActionsContainer, name: str, text: str) -> None:
    parser.add_argument(name, action="store_true", help=text)


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="NAME|PATH", required=True, help=tr("the model", "模型"))


def _list_configs(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--list-configs", tr("list the models and stop", "列出模型后退出"))


def _mode(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--mode",
        choices=("sequential", "parallel"),
        default="sequential",
        help=tr("one model after the other, or at once", "依次训练,或同时训练"),
    )
    parser.add_argument(
        "--max-workers", metavar="N", type=int, help=tr("models at once, at most", "最多同时训练几个模型")
    )


def _again(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--force", tr("do again what is finished", "重新执行已完成的部分"))


def _explain(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--explain", tr("show each value and where it comes from", "显示每个参数的值与来源"))


def _strict(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--strict", tr("any warning is an error (exit code 4)", "任何警告都视为错误(退出码 4)"))


def _json(parser: argparse._ActionsContainer) -> None:
    _flag(parser, "--json", tr("one JSON object on stdout", "在标准输出打印一个 JSON 对象"))


class Command:
    """A command: what it does, and the arguments that it takes. It runs as `kronosforge.cli.<name>.run(arguments)`."""

    def __init__(self, declare: Callable[[argparse.ArgumentParser], None], english: str, chinese: str) -> None:
        self.declare = declare
        self._texts = english, chinese

    @property
    def help(self) -> str:
        """One line about it, in the user's language."""
        return tr(*self._texts)


COMMANDS = {  # in the data's order
    "init": Command(_init, "create a workspace in a folder", "在一个目录里建立工作区"),
    "configs": Command(_configs, "list the models of this workspace", "列出本工作区的模型配置"),
    "check": Command(
        _check, "check the environment, the exchange connection and the workspace", "检查本机、交易所与工作区"
    ),
    "prepare": Command(_prepare, "fetch candles and make a model's dataset", "下载K线并生成模型数据集"),
    "verify": Command(
        _verify, "prove that a finished dataset is whole and leaks nothing", "验证数据集完整且无未来泄漏"
    ),
    "inspect": Command(_inspect, "show which candles the store holds", "查看本地已存的K线"),
    "train": Command(_train, "train the models' tokenizers and predictors", "训练各模型的 tokenizer 与 predictor"),
    "forecast": Command(_forecast, "sample the next bars of a model's series", "采样预测模型各序列的后续K线"),
    "evaluate": Command(
        _evaluate,
        "judge a model on its test split, and say whether it has an edge",
        "在 test 切分上评估模型,给出是否有优势的结论",
    ),
    "pipeline": Command(
        _pipeline,
        "prepare, train, forecast and evaluate, resuming what is finished",
        "准备、训练、预测并评估,跳过已完成的部分",
    ),
    "sandbox": Command(
        _sandbox, "serve an exchange on this machine that speaks OKX's protocol", "在本机启动一个OKX协议的模拟交易所"
    ),
}

# Scripts that are not commands of `kronosforge`.
SCRIPTS = {"quick_start": Command(_quick_start, "check, ask, and train", "检查环境、询问并开始训练")}
