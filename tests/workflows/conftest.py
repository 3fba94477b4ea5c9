"""The prepared workspace that evaluations are tested on serves walk-forwards, too."""

from tests.evaluate.conftest import config, prepared_root, root, settings

__all__ = ["config", "prepared_root", "root", "settings"]
