"""Judging a model as a sceptic would: walk-forward, beside what is naive, with intervals and a verdict."""

import kronosforge.model  # noqa: F401 - first, so that torch is configured before it is loaded
from kronosforge.evaluate.evaluation import MODELS as MODELS
from kronosforge.evaluate.evaluation import evaluate as evaluate
