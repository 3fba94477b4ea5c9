"""Whether this installation can train: said in one line before a command begins."""

import importlib.util

from kronosforge.core.errors import TrainingError
from kronosforge.core.i18n import _


def require_torch(purpose: str) -> None:
    """Raise TrainingError where the libraries that `purpose` needs are missing."""
    missing = [name for name in ("torch", "safetensors", "huggingface_hub") if importlib.util.find_spec(name) is None]
    if missing:
        raise TrainingError(
            _(
                "{purpose} needs {missing}; pip install -e '.[train]' (or 'kronosforge[train]')",
                purpose=purpose,
                missing=", ".join(missing),
            )
        )
