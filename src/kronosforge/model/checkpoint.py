"""Weights in the published format: a folder with config.json (the constructor's arguments) and model.safetensors."""

import hashlib
import json
import os
import re
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kronosforge.core.addresses import is_http, is_proxy
from kronosforge.core.digests import json_bytes
from kronosforge.core.errors import ConfigError, ModelError
from kronosforge.core.files import publishing
from kronosforge.core.i18n import _
from kronosforge.core.records import reason
from kronosforge.model.devices import LABELS, choose
from kronosforge.model.hub import download
from kronosforge.model.presets import PredictorArguments, TokenizerArguments

CONFIG, WEIGHTS = "config.json", "model.safetensors"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB = "https://huggingface.co"
PROXIES = [name for plain in ("https_proxy", "http_proxy", "all_proxy") for name in (plain.upper(), plain)]


class Checkpoint(nn.Module):
    """A network that can be saved and loaded; `arguments` is what its config.json holds."""

    ROLE: ClassVar[str]
    VARIABLE: ClassVar[str]  # the environment variable that may name a folder to load from
    ARGUMENTS: ClassVar[type[TokenizerArguments] | type[PredictorArguments]]

    def __init__(self, arguments: TokenizerArguments | PredictorArguments) -> None:
        super().__init__()
        self.arguments = arguments

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        revision: str | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """The network saved in the folder `source`, or published on the Hugging Face hub under that id; in eval mode.

        `revision` is a branch, a tag or a commit of the hub; HF_ENDPOINT names a mirror, and HF_HUB_OFFLINE=1 takes what is
        in the hub's cache. `device` is a name that `kronosforge.model.devices.choose` takes, `auto` among them.
        Raises ModelError where the checkpoint cannot be loaded, is broken, or is of another class; UsageError where the
        device is unknown or not available.
        """
        place = choose(device)
        folder = locate(source, cls.ROLE, cls.VARIABLE, revision)
        network = cls(cls.arguments_of(folder / CONFIG))
        network.load_state_dict(_checked(_weights(folder / WEIGHTS), network, folder / WEIGHTS))
        return network.to(place).eval()  # huggingface_hub's own loader leaves networks in training mode: its issue 3981

    def to(self, *arguments: Any, **options: Any) -> Self:
        """`torch.nn.Module.to`, where a device may also be called `auto`.

        Raises UsageError where the name is unknown or this machine has no such device.
        """
        if "device" in options:
            options["device"] = _device(options["device"])
        return super().to(*map(_device, arguments), **options)

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
        (folder / CONFIG).write_bytes(json_bytes(asdict(self.arguments)))

    @classmethod
    def arguments_of(cls, path: Path) -> Any:
        """The arguments in the config.json at `path`. Raises ModelError where they are not this class's."""
        try:
            text = path.read_text("utf-8")
            keys = json.loads(text).keys()
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise _broken(path, str(reason(error))) from None
        names = {field.name for field in fields(cls.ARGUMENTS)}
        required = {field.name for field in fields(cls.ARGUMENTS) if field.default is MISSING}
        unknown, missing = sorted(keys - names), sorted(required - keys)
        if unknown or missing:
            raise ModelError(
                _(
                    "{path} is not that of a Kronos {role}: unknown {unknown}, missing {missing}; are "
                    "tokenizer and predictor mixed up?",
                    path=path,
                    role=cls.ROLE,
                    unknown=unknown,
                    missing=missing,
                )
            )
        try:
            arguments = TypeAdapter(cls.ARGUMENTS).validate_json(text, strict=True)
        except ValueError as error:
            raise _broken(path, str(reason(error))) from None
        if arguments.d_model % arguments.n_heads:
            raise _broken(path, f"d_model {arguments.d_model} is not a multiple of n_heads {arguments.n_heads}")
        return arguments


def digest(network: nn.Module) -> str:
    """Hex SHA-256 of a network's weights."""
    sha256 = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        sha256.update(key.encode() + value.cpu().contiguous().numpy().tobytes())
    return sha256.hexdigest()


def _device(argument: Any) -> Any:
    """A device of this machine where `argument` names one; anything else, such as a dtype, as it is."""
    is_device = isinstance(argument, str) or (isinstance(argument, torch.device) and argument.type in LABELS)
    return choose(argument) if is_device else argument


def locate(source: str | Path, role: str, variable: str, revision: str | None) -> Path:
    """The folder that holds `source`: itself, or where the hub's files of that id were downloaded to."""
    if not source:
        raise ModelError(
            _("no {role} was named; give a folder or a hub id, or set {variable}", role=role, variable=variable)
        )
    if Path(source).is_dir():
        return Path(source)
    if Path(source).is_absolute() or not HUB_ID.fullmatch(str(source)):
        raise ModelError(
            _(
                "there is no checkpoint at {source}; a {role} is a folder with {config} and {weights}, or a hub id",
                source=source,
                role=role,
                config=CONFIG,
                weights=WEIGHTS,
            )
        )
    endpoint = _endpoint()
    _check_proxies()
    try:
        return download(str(source), CONFIG, WEIGHTS, revision, endpoint)
    except ImportError as error:
        if "SOCKS" not in str(error):
            raise
        raise _no_socks() from None
    except (OSError, ValueError) as error:  # the hub's own errors are subclasses of these
        raise _unreachable(str(source), role, variable, error) from None


def _endpoint() -> str:
    """The address of the hub. Raises ConfigError for an HF_ENDPOINT that is not an address."""
    endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or HUB
    if not is_http(endpoint):
        raise ConfigError(
            _("HF_ENDPOINT: {endpoint!r} is not an address; write one such as https://hf-mirror.com", endpoint=endpoint)
        )
    return endpoint


def _check_proxies() -> None:
    """Raise ConfigError for a proxy that is not an address; httpx would fail on it with an error of its own."""
    for variable in PROXIES:
        proxy = os.environ.get(variable, "").strip()
        if proxy and not is_proxy(proxy):
            raise ConfigError(
                _(
                    "{variable} is not the address of a proxy; write one such as http://127.0.0.1:7890, or unset it",
                    variable=variable,
                )
            )


def _no_socks() -> ConfigError:
    return ConfigError(
        _(
            "ALL_PROXY or HTTPS_PROXY names a SOCKS proxy, and the support for it is not installed; "
            "write an HTTP proxy such as http://127.0.0.1:7890, or run pip install 'httpx[socks]' "
            "'httpx2[socks]'"
        )
    )


def _unreachable(source: str, role: str, variable: str, error: BaseException) -> ModelError:
    while error.__cause__ is not None:  # the hub's own error says that something happened, its cause says what
        error = error.__cause__
    reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return ModelError(
        _(
            "Could not download the {role} {source} from the Hugging Face hub ({reason}). Options: "
            "(1) name a local folder ({variable}=DIR), (2) name a mirror "
            "(HF_ENDPOINT=https://hf-mirror.com), (3) train from scratch (--init scratch)",
            role=role,
            source=source,
            reason=reason,
            variable=variable,
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
    for problem, keys in {
        "missing": missing,
        "unknown": unknown,
        "wrong shape": shapes,
        "not finite": not_finite,
    }.items():
        if keys:
            raise _broken(path, f"{problem}: {', '.join(keys[:3])}" + f" (+ {len(keys) - 3})" * (len(keys) > 3))
    return weights


def _broken(path: Path, problem: str) -> ModelError:
    return ModelError(
        _(
            "{path} cannot be used ({value}); download or copy the checkpoint again",
            path=path,
            value=problem,
        )
    )
