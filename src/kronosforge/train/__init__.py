"""Tokenizer and predictor on a dataset: one loop, resumable at every step."""

import kronosforge.model  # noqa: F401 - first, so that torch is configured before it is loaded
from kronosforge.train.stages import STAGES as STAGES
from kronosforge.train.stages import StageName as StageName
from kronosforge.train.stages import TrainedStage as TrainedStage
from kronosforge.train.stages import train as train
