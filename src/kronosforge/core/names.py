"""Names in the files of a model that every stage reads: the two models that are evaluated, the metric of each stage."""

TUNED = "fine-tuned"
START = "pretrained"  # the start checkpoint, also where it holds random weights
CURRENT = "current"  # the one of the two that the last evaluation chose

# Stage → the metric that chooses its best epoch; lower is better.
HEADLINES = {"tokenizer": "reconstruction", "predictor": "loss"}
