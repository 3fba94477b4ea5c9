"""Low-rank updates of the predictor's matrices, by peft; merged on saving, so that the result is an ordinary checkpoint."""

import importlib.util
from copy import deepcopy

from torch import nn

from kronosforge.core.errors import UsageError
from kronosforge.core.i18n import _
from kronosforge.model import KronosPredictor

TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "w1", "w2", "w3"]


def inject(network: KronosPredictor, rank: int) -> None:
    """Freeze `network` and lay trainable matrices of `rank` beside those of attention and feed-forward."""
    if importlib.util.find_spec("peft") is None:
        raise UsageError(_("--lora needs peft; pip install 'kronosforge[lora]'"))
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415 - an extra

    network.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=TARGETS), network)


def merged(network: KronosPredictor) -> KronosPredictor:
    """A copy of `network` whose matrices hold their updates, with an ordinary state dict."""
    from peft.tuners.lora import LoraLayer  # noqa: PLC0415 - an extra

    copy = deepcopy(network)
    for parent in list(copy.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LoraLayer):
                child.merge()
                base = child.get_base_layer()
                assert isinstance(base, nn.Linear)
                setattr(parent, name, base)
    return copy
