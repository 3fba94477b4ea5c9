"""Where everything lies in a workspace: the only module that spells its folders and files.

    data/candles/                          the store
    data/kronos_datasets/<model>/          a dataset: three pickles, native/, data_summary.json, report.html
    Kronos/finetune/                       config files; data/ holds the copy for upstream's trainer
    outputs/models/<model>/<stage>/        best_model/ and last/ of the tokenizer and the predictor, metrics.jsonl
    outputs/models/<model>/                evaluation.json, CURRENT, folds/
    outputs/forecasts/<model>/<origin>/    forecast.json, paths.parquet, quantiles.*, pictures
    outputs/reports/                       the models' pages
    logs/multi_model_training/<run>/       a log per model, summary.json

Every path is absolute. Relative folders of a config mean the workspace's root, so that each command gives the same
result from any current folder.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from kronosforge.config import ModelConfig
from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.workspace.discovery import FINETUNE, find_root

# Files that a stage leaves, in the data's order.
MANIFEST = "data_summary.json"
NATIVE = "native"
REPORT = "report.html"
PICKLES = ("train_data.pkl", "val_data.pkl", "test_data.pkl")
DATASET_FILES = (*PICKLES, NATIVE, REPORT)  # what a dataset's folder holds beside its manifest
TRAINING = "training.json"
METRICS = "metrics.jsonl"
BEST, LAST, CANDIDATE = "best_model", "last", "candidate"  # candidate: the best so far of a run that is not finished
TOKENIZER = "tokenizer"  # inside a predictor's best_model: the tokenizer whose ids it reads
FORECAST = "forecast.json"
EVALUATION = "evaluation.json"
SCORES = "scores.npz"
SUMMARY = "summary.json"  # of a run that trained several models
CURRENT = "CURRENT"  # JSON: which pair of networks to use

_FOLDS = "folds"
_DATASET = "dataset"


class ModelFolders(NamedTuple):
    """Where the training of one model reads and writes."""

    dataset: Path
    models: Path  # outputs/models/<model>

    def stage(self, name: str) -> Path:
        """The folder of the stage `tokenizer` or `predictor`."""
        return self.models / name

    @property
    def folds(self) -> Path:
        """The folder of the walk-forward."""
        return self.models / _FOLDS

    def fold(self, number: int) -> "ModelFolders":
        """The folders of fold `number`: an ordinary model with a dataset of its own."""
        folder = self.folds / str(number)
        return ModelFolders(folder / _DATASET, folder)


class DatasetFolders(NamedTuple):
    """Where `prepare` reads and writes."""

    root: Path
    dataset: Path
    copy: Path | None  # upstream's data folder; None with --no-copy

    @property
    def candles(self) -> Path:
        """The store's root."""
        return candles(self.root)

    @property
    def shown(self) -> str:
        """The dataset's folder as people write it: relative to the workspace where it lies inside."""
        inside = self.dataset.is_relative_to(self.root)
        return self.dataset.relative_to(self.root).as_posix() if inside else str(self.dataset)


def workspace_root() -> Path:
    """The workspace around the current folder. Raises UsageError where there is none."""
    return Path(find_root())


def candles(root: Path) -> Path:
    """The store's root."""
    return root / "data" / "candles"


def dataset_folder(config: ModelConfig, root: Path) -> Path:
    """The folder of the model's dataset. Raises UsageError for what is not a ModelConfig, such as a model's name."""
    if not isinstance(config, ModelConfig):
        raise UsageError(_("{config!r} is not a ModelConfig; load one with: load_config({config!r})", config=config))
    return (root / config.dataset_path).resolve()


def kronos_checkout(root: Path, environ: Mapping[str, str], kronos_dir: str | None = None) -> Path | None:
    """The Kronos checkout that the user names: `kronos_dir`, which is `--kronos-dir`, else KRONOS_HOME, else None.

    A relative path means the workspace `root`.
    """
    named = kronos_dir or environ.get("KRONOS_HOME")
    return root / named if named else None


def dataset_folders(
    config: ModelConfig,
    root: Path,
    environ: Mapping[str, str] = MappingProxyType({}),
    *,
    kronos_dir: str | None = None,
    copy: bool = True,
) -> DatasetFolders:
    """Where `prepare` reads and writes. Unless `copy` is False, the copy for Kronos goes to `finetune/data` of the
    `kronos_checkout`, or of the workspace's own Kronos where the user names none."""
    checkout = kronos_checkout(root, environ, kronos_dir)
    finetune = checkout / "finetune" if checkout else root / FINETUNE
    return DatasetFolders(root, dataset_folder(config, root), finetune / "data" if copy else None)


def pickle_name(split: str) -> str:
    """The pickle of `train`, `val` or `test`."""
    return f"{split}_data.pkl"


def datasets_folder(root: Path) -> Path:
    """Where datasets lie, each in a folder named after its model, unless a config says otherwise."""
    return root / "data" / "kronos_datasets"


def model_folders(config: ModelConfig, root: Path) -> ModelFolders:
    """Where the training of the model reads and writes."""
    return ModelFolders(dataset_folder(config, root), model_folder(root, config.name).resolve())


def models_folder(root: Path) -> Path:
    """The folder that holds a folder for each trained model."""
    return root / "outputs" / "models"


def model_folder(root: Path, name: str) -> Path:
    """What training and evaluation of the model `name` leave."""
    return models_folder(root) / name


def forecast_folder(root: Path, name: str, origin: str) -> Path:
    """The forecast of the model `name` whose newest known bar opens at `origin` (ISO 8601)."""
    return root / "outputs" / "forecasts" / name / re.sub("[:-]", "", origin)


def fleet_page(root: Path) -> Path:
    """The page of all models."""
    return root / "outputs" / "reports" / "index.html"


def model_page(root: Path, name: str) -> Path:
    """The page of one model."""
    return fleet_page(root).parent / name / REPORT


def training_logs(root: Path, run: str) -> Path:
    """The logs of one run that trained several models."""
    return root / "logs" / "multi_model_training" / run


def training_report(logs: Path) -> Path:
    """The summary of such a run as text."""
    return logs / f"training_report_{logs.name}.txt"
