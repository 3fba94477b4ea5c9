"""Kronos itself: tokenizer and predictor in plain PyTorch, compatible with upstream's checkpoints."""

from kronosforge.model.cpu import settle

settle()  # before torch is loaded

from kronosforge.model.predictor import KronosPredictor as KronosPredictor  # noqa: E402
from kronosforge.model.presets import PRESETS as PRESETS  # noqa: E402
from kronosforge.model.presets import Size as Size  # noqa: E402
from kronosforge.model.tokenizer import KronosTokenizer as KronosTokenizer  # noqa: E402
