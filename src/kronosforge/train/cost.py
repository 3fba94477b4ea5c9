"""What a run will cost, said before it starts: windows, steps, parameters, memory, and time from measured steps."""

import math
import sys
import time
from pathlib import Path
from typing import Any

import torch

from kronosforge.config import ModelConfig, TrainConfig
from kronosforge.dataset.loader import Windows
from kronosforge.dataset.manifest import finished_manifest
from kronosforge.model import PRESETS, KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import CONFIG
from kronosforge.model.presets import Preset
from kronosforge.train.devices import Place, open_place
from kronosforge.train.loop import Training
from kronosforge.train.objectives import PredictorObjective, TokenizerObjective
from kronosforge.train.stages import StageName, Start, assemble
from kronosforge.train.state import StageProgress
from kronosforge.workspace.paths import ModelFolders

STEPS = 3  # measured, after one that warms up
BYTES = 16  # a trained parameter: weight, gradient and two moments, float32


def cost(config: ModelConfig, folders: ModelFolders, stages: tuple[StageName, ...]) -> dict[str, Any]:
    """Stage → windows, steps, parameters, memory (MB) and seconds of training `config`. Reads the dataset, writes nothing.

    Steps are measured on random weights of the same shape, so that nothing is downloaded.
    """
    finished_manifest(folders.dataset, config)
    with open_place(config.train.device, config.train.precision) as place:
        return {name: _stage(config, folders, name, place) for name in stages}


def _stage(config: ModelConfig, folders: ModelFolders, name: StageName, place: Place) -> dict[str, Any]:
    start = _random(config, name)
    before = _memory(place)
    stage = assemble(config, folders, name, start, {}, place)
    training = Training(stage, StageProgress(), place)
    batches = stage.train.epoch(1)
    step_s, val_s = math.inf, math.inf
    stage.objective.train()
    for _, batch in zip(range(STEPS + 1), batches, strict=False):
        began = time.perf_counter()
        training.step(batch)
        step_s = min(step_s, time.perf_counter() - began)
    stage.objective.eval()
    with torch.no_grad():
        for _, batch in zip(range(2), stage.val.every(), strict=False):
            began = time.perf_counter()
            stage.objective.measure(batch._replace(x=batch.x.to(place.device), stamp=batch.stamp.to(place.device)), 1)
            val_s = min(val_s, time.perf_counter() - began)
    epochs, steps = stage.settings.epochs, stage.train.steps()
    val_steps = math.ceil(len(Windows.open(folders.dataset, "val", config.dataset)) / stage.settings.batch_size)
    parameters = sum(p.numel() for p in stage.objective.network.parameters())
    return {
        "windows": len(stage.windows),
        "steps_per_epoch": steps,
        "steps": steps * epochs,
        "parameters": parameters,
        "weights_mb": round(parameters * BYTES / 1e6, 1),
        "memory_mb": round((_memory(place) - before) / 1e6, 1),
        "step_s": round(step_s, 4),
        "seconds": round(epochs * (steps * step_s + val_steps * val_s) + val_steps * val_s, 1),
    }


def _random(config: ModelConfig, name: StageName) -> Start:
    """Random weights of the shape that the run would have."""
    preset = _preset(config.train)
    tokenizer = KronosTokenizer(preset.tokenizer)
    if name == "tokenizer":
        return Start(TokenizerObjective(tokenizer, config.dataset.clip), lambda: tokenizer)
    predictor = KronosPredictor(preset.predictor)
    return Start(PredictorObjective(predictor, tokenizer), lambda: predictor)


def _preset(settings: TrainConfig) -> Preset:
    if settings.init == "scratch":
        return PRESETS[settings.size]
    published = [preset for preset in PRESETS.values() if preset.hub and preset.hub[1] == settings.predictor]
    preset = published[0] if published else PRESETS[settings.size]
    if Path(settings.predictor).is_dir():
        preset = preset._replace(predictor=KronosPredictor.arguments_of(Path(settings.predictor) / CONFIG))
    if Path(settings.tokenizer).is_dir():
        preset = preset._replace(tokenizer=KronosTokenizer.arguments_of(Path(settings.tokenizer) / CONFIG))
    return preset


def _memory(place: Place) -> float:
    """Peak bytes so far: of the GPU, or of this process; 0 on Windows, which does not tell."""
    if place.device.type == "cuda":
        return torch.cuda.max_memory_allocated(place.device)
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 - not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
