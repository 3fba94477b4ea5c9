"""What already stands where a dataset is to be written, and whether it may be replaced."""

import json
from pathlib import Path

from kronosforge.config import ModelConfig
from kronosforge.core.errors import ExistsError, UsageError
from kronosforge.core.i18n import tr


def guard(folder: Path, config: ModelConfig, *, force: bool) -> None:
    """Raise UsageError where `folder` must not be replaced: another model's dataset ever, the model's own without `force`."""
    summary = folder / "data_summary.json"
    if not summary.exists():
        foreign = [name for name in ("train_data.pkl", "val_data.pkl", "test_data.pkl") if (folder / name).exists()]
        if foreign and not force:
            raise UsageError(
                tr(
                    f"{folder} holds {', '.join(foreign)} without a summary; --force replaces, --output-dir goes elsewhere",
                    f"{folder} 中有 {', '.join(foreign)} 但没有摘要;--force 覆盖,--output-dir 换目录",
                )
            )
        return
    owner = _owner(summary)
    if owner not in (config.name, config.model_name):
        raise UsageError(
            tr(
                f"{folder} holds the dataset of {owner or 'an unknown model'}, not of {config.name}; "
                "choose another --output-dir",
                f"{folder} 是 {owner or '未知模型'} 的数据集,不属于 {config.name};请换一个 --output-dir",
            )
        )
    if not force:
        raise ExistsError(
            tr(
                f"{folder} already holds a dataset of {config.name}; --force replaces it, --output-dir goes elsewhere",
                f"{folder} 已有 {config.name} 的数据集;--force 覆盖,--output-dir 换目录",
            )
        )


def _owner(summary: Path) -> str:
    try:
        content = json.loads(summary.read_text("utf-8"))
        return str(content.get("config", {}).get("name") or content["model_name"])
    except (OSError, ValueError, KeyError, AttributeError):
        return ""
