"""Flags that set a model's settings: their type, choices, default and help come from `ModelConfig`."""

from __future__ import annotations

from kronosforge.core.i18n import language, tr
from kronosforge.workspace.settings import SET, SETTINGS, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _ActionsContainer
    from typing import Any

    from kronosforge.workspace.settings import Field

TYPES = {"int": int, "float": float}
METAVARS = {"int": "N", "float": "X"}

# What the flag's value is called, where it is not a plain number.
VALUES = {
    "since": "TIME",
    "until": "TIME",
    "dataset_path": "DIR",
    "source.name": "SOURCE",
    "train.tokenizer": "DIR|ID",
    "train.predictor": "DIR|ID",
    "train.device": "DEVICE",
    "train.lora": "R",
    "forecast.temperature": "T",
    "forecast.top_p": "P",
    "forecast.top_k": "K",
    "forecast.quantiles": "Q",
}

# The help in Chinese; the English is the docstring of the field.
CHINESE = {
    "records_per_timeframe": "每个序列最新的 N 根K线,除非给出 --since",
    "since": "起始时间,例如 2025-01-31 或 2025-01-31T16:00+08:00,代替最新 N 根",
    "until": "结束时间(不含),例如 2025-01-31T16:00Z;不给出或写 now 时为最新一根已收盘K线",
    "dataset_path": "数据集目录;默认 data/kronos_datasets/<名称>",
    "source.name": "数据源:okx、sandbox、binance、bybit 或 files:目录",
    "train.init": "从预训练权重(pretrained)或随机权重(scratch)开始",
    "train.size": "scratch 的模型规模;tiny 用于测试与演示",
    "train.tokenizer": "预训练 tokenizer:目录或 hub id",
    "train.predictor": "预训练 predictor:目录或 hub id",
    "train.freeze_tokenizer": "只测量 tokenizer,不训练",
    "train.lora": "只训练 predictor 的低秩更新(LoRA),秩为 R;0 为关闭",
    "train.epochs": "最多轮数;patience 可使训练提前结束",
    "train.batch_size": "每步、每进程的窗口数",
    "train.device": "auto(依次选 cuda、mps、cpu)、cpu、mps、cuda 或 cuda:N",
    "train.precision": "auto:GPU 支持时用 bf16,否则 float32;在带 AMX 的 CPU 上 bf16 也很快",
    "train.seed": "初始权重、窗口顺序与 dropout 的随机种子",
    "dataset.predict": "预测多少根K线",
    "forecast.samples": "每个序列的路径数",
    "forecast.temperature": "logits 除以该值;1 为模型学到的分布",
    "forecast.top_p": "只从累计概率达到该值的最小集合中采样;上游的 0.9 会截掉尾部,使预测区间偏窄",
    "forecast.top_k": "只从概率最大的 K 个中采样;0 为不限,1 为贪心,所有路径相同",
    "forecast.seed": "路径的随机种子",
    "forecast.quantiles": "表格与图中的分位数",
    "evaluate.stride": "相邻两次预测间隔的K线数;1 为每个可用起点都预测",
    "evaluate.samples": "每次预测的路径数",
}


def add_setting(parser: _ActionsContainer, key: str) -> None:
    """Add the flag of a setting, as `ModelConfig` declares it."""
    flag = next(setting.flag for setting in SETTINGS if setting.key == key)
    parser.add_argument(flag, **_options(key, fields()[key]))


def add_set(parser: _ActionsContainer) -> None:
    """Add `--set`, which reaches every setting."""
    parser.add_argument(
        SET,
        metavar="SECTION.FIELD=VALUE",
        action="append",
        help=tr(
            "set any setting of the config, such as train.patience=5; may be repeated",
            "设置配置中的任意参数,例如 train.patience=5;可重复使用",
        ),
    )


def _options(key: str, field: Field) -> dict[str, Any]:
    options: dict[str, Any] = {"help": _help(key, field)}
    if field.type == "bool":
        return options | {"action": "store_const", "const": True}
    if field.many:
        options["nargs"] = "+"
    if field.choices:
        return options | {"choices": field.choices}
    return options | {"metavar": VALUES.get(key) or METAVARS[field.type], "type": TYPES.get(field.type, str)}


def _help(key: str, field: Field) -> str:
    text = CHINESE[key] if language() == "zh" else field.help.rstrip(".").replace("`", "")
    if field.default and field.type != "bool":
        text += tr(f" (default: {field.default})", f"(默认 {field.default})")
    return text.replace("%", "%%")
