"""Names in the files of a model that every stage reads: the two models that are evaluated, the metric of each stage."""

TUNED = "fine-tuned"
START = "start"  # the checkpoint that training began with, published or random weights
FORMER_START = "pretrained"  # what START was called before 2026-11-27: files, flags and calls may still use it
CURRENT = "current"  # the one of the two that the last evaluation chose

# Stage → the metric that chooses its best epoch; lower is better.
HEADLINES = {"tokenizer": "reconstruction", "predictor": "loss"}


def model_name(name: str) -> str:
    """One of the models that are evaluated, by its name of today."""
    return START if name == FORMER_START else name
