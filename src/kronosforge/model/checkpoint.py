"""Weights in the published format: a folder with config.json (the constructor's arguments) and model.safetensors."""

import json
import os
import re
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import logging
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kronosforge.core.errors import ModelError
from kronosforge.core.files import publishing
from kronosforge.core.i18n import tr
from kronosforge.model.presets import PredictorArguments, TokenizerArguments

CONFIG, WEIGHTS = "config.json", "model.safetensors"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Checkpoint(nn.Module):
    """A network that can be saved and loaded; `arguments` is what its config.json holds."""

    ROLE: ClassVar[str]
    VARIABLE: ClassVar[str]  # the environment variable that may name a folder to load from
    ARGUMENTS: ClassVar[type[TokenizerArguments] | type[PredictorArguments]]

    def __init__(self, arguments: TokenizerArguments | PredictorArguments) -> None:
        super().__init__()
        self.arguments = arguments

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None, *, revision: str | None = None) -> Self:
        """The network saved in the folder `source`, or published on the Hugging Face hub under that id; in eval mode.

        Without `source`, the folder that KRONOS_TOKENIZER_PATH or KRONOS_PREDICTOR_PATH names. `revision` is a branch, a
        tag or a commit of the hub; HF_ENDPOINT names a mirror, and HF_HUB_OFFLINE=1 takes what is in the hub's cache.
        Raises ModelError where the checkpoint cannot be had, is broken, or is of another class.
        """
        folder = locate(source or os.environ.get(cls.VARIABLE) or "", cls.ROLE, cls.VARIABLE, revision)
        network = cls(cls.arguments_of(folder / CONFIG))
        network.load_state_dict(_checked(_weights(folder / WEIGHTS), network, folder / WEIGHTS))
        return network.eval()  # huggingface_hub's own loader leaves networks in training mode: its issue 3981

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write config.json and model.safetensors into `folder`, replacing a checkpoint that stands there.

        The new files are whole on disk before the old ones go. Returns `folder`. Raises DiskError.
        """
        with publishing(Path(folder), CONFIG, (WEIGHTS,)) as staging:
            self.write(staging)
        return Path(folder)

    def write(self, folder: Path) -> None:
        """Write the two files into `folder`, which is nobody else's yet."""
        weights = {key: tensor.detach().cpu().contiguous() for key, tensor in self.state_dict().items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        (folder / CONFIG).write_text(json.dumps(asdict(self.arguments), indent=2) + "\n", "utf-8")

    @classmethod
    def arguments_of(cls, path: Path) -> Any:
        """The arguments in the config.json at `path`. Raises ModelError where they are not this class's."""
        try:
            found = json.loads(path.read_text("utf-8"))
            names = {field.name for field in fields(cls.ARGUMENTS)}
            required = {field.name for field in fields(cls.ARGUMENTS) if field.default is MISSING}
            unknown, missing = sorted(found.keys() - names), sorted(required - found.keys())
        except (OSError, ValueError, AttributeError) as error:
            raise _broken(path, str(error)) from None
        if unknown or missing:
            raise ModelError(
                tr(
                    f"{path} is not that of a Kronos {cls.ROLE}: unknown {unknown}, missing {missing}; "
                    "are tokenizer and predictor mixed up?",
                    f"{path} 不是 Kronos {cls.ROLE} 的配置:未知 {unknown},缺少 {missing};是否把 tokenizer 与 predictor 弄混了?",
                )
            )
        return cls.ARGUMENTS(**found)


def locate(source: str | Path, role: str, variable: str, revision: str | None) -> Path:
    """The folder that holds `source`: itself, or where the hub's files of that id were downloaded to."""
    if not source:
        raise ModelError(
            tr(
                f"no {role} was named; give a folder or a hub id, or set {variable}",
                f"没有指定 {role};请给出目录或 hub id,或设置 {variable}",
            )
        )
    if Path(source).is_dir():
        return Path(source)
    if Path(source).is_absolute() or not HUB_ID.fullmatch(str(source)):
        raise ModelError(
            tr(
                f"there is no checkpoint at {source}; a {role} is a folder with {CONFIG} and {WEIGHTS}, or a hub id",
                f"{source} 处没有检查点;{role} 应为含 {CONFIG} 与 {WEIGHTS} 的目录,或 hub id",
            )
        )
    logging.set_verbosity_error()  # its retries are not news; the error says all
    try:
        files = [Path(hf_hub_download(str(source), name, revision=revision)) for name in (CONFIG, WEIGHTS)]
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, ValueError) as error:
        raise _unreachable(str(source), role, variable, error) from None
    return files[0].parent


def _unreachable(source: str, role: str, variable: str, error: Exception) -> ModelError:
    found = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return ModelError(
        tr(
            f"the {role} {source} cannot be had from the Hugging Face hub ({found}); three ways on: "
            f"name a local folder ({variable}=DIR), name a mirror (HF_ENDPOINT=https://hf-mirror.com), "
            "or train from scratch (--init scratch)",
            f"无法从 Hugging Face hub 取得 {role} {source}({found});三种办法:"
            f"指定本地目录({variable}=DIR),指定镜像(HF_ENDPOINT=https://hf-mirror.com),或从零训练(--init scratch)",
        )
    )


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise _broken(path, str(error)) from None


def _checked(weights: dict[str, Tensor], network: nn.Module, path: Path) -> dict[str, Tensor]:
    """`weights`, if they are exactly `network`'s: the same keys and shapes, and finite."""
    wanted = network.state_dict()
    missing, unknown = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    shapes = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted.keys() & weights.keys()
        if weights[key].shape != wanted[key].shape
    ]
    not_finite = [key for key, tensor in weights.items() if not torch.isfinite(tensor).all()]
    for words, keys in {
        "missing": missing,
        "unknown": unknown,
        "wrong shape": shapes,
        "not finite": not_finite,
    }.items():
        if keys:
            raise _broken(path, f"{words}: {', '.join(keys[:3])}" + f" (+ {len(keys) - 3})" * (len(keys) > 3))
    return weights


def _broken(path: Path, found: str) -> ModelError:
    return ModelError(
        tr(
            f"{path} cannot be used ({found}); take the checkpoint from where it came from again",
            f"{path} 无法使用({found});请重新获取该检查点",
        )
    )
