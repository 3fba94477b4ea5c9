"""The dataset that already stands where one is to be written: keep it, or say why it may not be replaced."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from kronosforge.config import FORMER_NAMES, ModelConfig
from kronosforge.core.errors import DataError, ExistsError, UsageError
from kronosforge.core.i18n import _
from kronosforge.dataset.manifest import Manifest, damage, read_manifest, recorded_settings
from kronosforge.workspace.paths import MANIFEST, PICKLES

# The settings that decide what a dataset holds; others decide how it is made.
DECISIVE = (
    "target_symbols", "timeframe", "records_per_timeframe", "since", "until", "source", "clean", "split", "dataset",
)  # fmt: skip
INDIFFERENT = {"source.proxy", "source.credentials_required", "source.timeout_s", "source.retries"}
SHOWN = 4  # differences in a message


def existing(folder: Path, config: ModelConfig) -> Manifest | None:
    """The manifest of the dataset in `folder` where it was made with the settings of `config`; None where there is none.

    Raises ExistsError where the model's dataset was made with other settings, UsageError where the folder is another
    model's, DataError where files of the dataset are missing or damaged.
    """
    if not (folder / MANIFEST).exists():
        _refuse_foreign(folder)
        return None
    manifest = read_manifest(folder, config.name)
    _refuse_other_model(folder, manifest, config)
    if different := list(differences(manifest.config, config)):
        raise ExistsError(_other_settings(folder, different, manifest))
    if problem := damage(folder, manifest):
        raise DataError(
            _("{folder} is damaged: {problem}; use --force to prepare it again", folder=folder, problem=problem)
        )
    return manifest


def refuse_other_model(folder: Path, config: ModelConfig) -> None:
    """Raise UsageError where `folder` holds the dataset of another model: not even --force replaces that.

    A manifest that cannot be read is nobody's, and is replaced.
    """
    if (folder / MANIFEST).exists():
        with suppress(DataError):
            _refuse_other_model(folder, read_manifest(folder, config.name), config)


def differences(recorded_config: Mapping[str, Any], config: ModelConfig) -> Iterator[tuple[str, Any, Any]]:
    """(setting, recorded value, requested value) of each setting that affects the dataset and differs.

    A setting that the manifest does not record was added to kronosforge later, and had its default.
    """
    requested = recorded_settings(config)
    for key in DECISIVE:
        recorded = _by_name(key, recorded_config.get(key, _default(key)))
        values = _by_name(key, _default(key)) | {
            FORMER_NAMES.get(name, name): value for name, value in recorded.items()
        }
        for setting, value in _by_name(key, requested[key]).items():
            if values[setting] != value and setting not in INDIFFERENT:
                yield setting, values[setting], value


def _default(key: str) -> Any:
    """The default of a decisive setting, as JSON; None for one that every config gives."""
    default = ModelConfig.model_fields[key].default
    return default.model_dump(mode="json") if isinstance(default, BaseModel) else default


def _by_name(key: str, value: Any) -> dict[str, Any]:
    """Dotted name → value of one setting, or of each setting of a section."""
    return {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}


def _refuse_foreign(folder: Path) -> None:
    if present := [name for name in PICKLES if (folder / name).exists()]:
        raise UsageError(
            _(
                "{folder} holds {present} without {manifest}, so it is not a dataset of kronosforge; "
                "--force replaces them, --output-dir writes elsewhere",
                folder=folder,
                present=", ".join(present),
                manifest=MANIFEST,
            )
        )


def _refuse_other_model(folder: Path, manifest: Manifest, config: ModelConfig) -> None:
    if not manifest.belongs_to(config):
        raise UsageError(
            _(
                "{folder} holds the dataset of {owner}, not of {name}; choose another --output-dir",
                folder=folder,
                owner=manifest.owner or _("an unknown model"),
                name=config.name,
            )
        )


def _other_settings(folder: Path, different: list[tuple[str, Any, Any]], manifest: Manifest) -> str:
    listed = ", ".join(f"{key} {recorded!r} → {requested!r}" for key, recorded, requested in different[:SHOWN])
    others = f" (+ {len(different) - SHOWN})" * (len(different) > SHOWN)
    created = manifest.created_at
    counts = ", ".join(f"{split} {count}" for split, count in manifest.windows.items())
    return _(
        "{folder} already holds a dataset made with other settings: {listed}{value}; --force "
        "replaces it (made {created}; windows: {counts}), --output-dir writes elsewhere",
        folder=folder,
        listed=listed,
        value=others,
        created=created,
        counts=counts,
    )
