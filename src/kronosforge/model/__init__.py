"""Kronos itself: tokenizer and predictor in plain PyTorch, compatible with upstream's checkpoints."""

from kronosforge.model.predictor import KronosPredictor as KronosPredictor
from kronosforge.model.presets import PRESETS as PRESETS
from kronosforge.model.presets import Size as Size
from kronosforge.model.tokenizer import KronosTokenizer as KronosTokenizer
