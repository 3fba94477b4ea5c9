"""What differs between tokenizer and predictor: the loss of a batch, and what is measured on the validation windows.

Validation counts the bars after the lookback only. The scale of a window comes from its whole lookback, so that a score
on an earlier bar knows something of later ones; on the horizon nothing does.
"""

from abc import abstractmethod
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.core.candles import FEATURES
from kronosforge.core.names import HEADLINES
from kronosforge.dataset.loader import Batch
from kronosforge.model import KronosPredictor, KronosTokenizer
from kronosforge.model.checkpoint import digest

Metrics = Mapping[str, float]


class Objective(nn.Module):
    """A network with its loss. `HEADLINE` names the metric that chooses the best epoch: lower is better."""

    HEADLINE: str
    network: KronosTokenizer | KronosPredictor
    ids_of: str = ""  # digest of the tokenizer whose ids are learned
    tokenizer: KronosTokenizer | None = None  # that tokenizer

    def move(self, device: torch.device) -> None:
        """Bring all that is computed with to `device`."""
        self.to(device)

    @abstractmethod
    def forward(self, x: Tensor, stamp: Tensor) -> dict[str, Tensor]:
        """Mean losses () of a batch; `loss` is what is minimised."""

    @abstractmethod
    def measure(self, batch: Batch, lookback: int) -> Tensor:
        """Sums over a validation batch that add up over batches and processes: (K,) float64, on CPU."""

    @abstractmethod
    def metrics(self, sums: Tensor) -> dict[str, float]:
        """What the added sums of all validation windows say; `HEADLINE` is among them."""


class TokenizerObjective(Objective):
    """Reconstruction from the coarse and from all bits, and the quantiser's loss.

    The sum is often negative: the entropy of the code book, which ought to be high, counts against it. The headline is
    therefore the reconstruction error alone.
    """

    HEADLINE = HEADLINES["tokenizer"]
    network: KronosTokenizer

    def __init__(self, network: KronosTokenizer, clip: float) -> None:
        super().__init__()
        self.network, self._clip = network, clip

    def forward(self, x: Tensor, stamp: Tensor) -> dict[str, Tensor]:
        """Source: upstream's finetune/train_tokenizer.py."""
        output = self.network(x)
        coarse, full = F.mse_loss(output.from_s1.float(), x), F.mse_loss(output.full.float(), x)
        loss = (coarse + full + output.quantizer_loss) / 2
        return {"loss": loss, "reconstruction": full, "coarse": coarse, "quantizer": output.quantizer_loss}

    def measure(self, batch: Batch, lookback: int) -> Tensor:
        output = self.network(batch.x)
        later = batch.x[:, lookback:]
        full = (output.full[:, lookback:].float() - later).square().sum(dim=(0, 1))  # (6,)
        coarse = (output.from_s1[:, lookback:].float() - later).square().sum()
        clipped = (later.abs() >= self._clip).sum(dim=(0, 1))  # (6,)
        codes = [
            torch.bincount(ids.flatten(), minlength=2**n)
            for ids, n in zip(self.network.split(output.ids), self.network.bits, strict=True)
        ]
        counts = torch.tensor([len(later), later[..., 0].numel()])
        return _doubles(full, clipped, coarse, output.quantizer_loss * len(later), counts, *codes)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        n = len(FEATURES)
        full, clipped, (coarse, quantizer, windows, bars), codes = sums.split([n, n, 4, len(sums) - 2 * n - 4])
        s1, s2 = codes.split([2**bits for bits in self.network.bits])
        return {
            "reconstruction": float(full.sum() / bars / n),
            "coarse": float(coarse / bars / n),
            "quantizer": float(quantizer / windows),
            **{f"reconstruction_{name}": float(e / bars) for name, e in zip(FEATURES, full, strict=True)},
            "clipped": float(clipped.sum() / bars / n),
            **{f"clipped_{name}": float(c / bars) for name, c in zip(FEATURES, clipped, strict=True)},
            "s1_codes_used": float((s1 > 0).double().mean()),
            "s2_codes_used": float((s2 > 0).double().mean()),
        }


class PredictorObjective(Objective):
    """Cross entropy of the next bar's ids, in nats. The tokenizer is looked at and never trained."""

    HEADLINE = HEADLINES["predictor"]
    network: KronosPredictor

    def __init__(self, network: KronosPredictor, tokenizer: KronosTokenizer) -> None:
        super().__init__()
        self.network = network
        # In a list, so that it is neither trained, nor saved, nor switched to training mode with the network.
        self._tokenizer = [tokenizer.eval().requires_grad_(False)]
        self.ids_of = digest(tokenizer)

    @property
    def tokenizer(self) -> KronosTokenizer:  # type: ignore[override]
        return self._tokenizer[0]

    def move(self, device: torch.device) -> None:
        self._tokenizer[0].to(device)
        super().move(device)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):  # a sign near 0 needs all its digits
            return self._tokenizer[0].encode(x)

    def forward(self, x: Tensor, stamp: Tensor) -> dict[str, Tensor]:
        """s2 completes an s1 that is drawn, as in upstream's finetune/train_predictor.py."""
        s1, s2 = self._encode(x)
        logits = self.network(s1[:, :-1], s2[:, :-1], stamp[:, :-1])
        e1, e2 = (_cross_entropy(each, ids[:, 1:]).mean() for each, ids in zip(logits, (s1, s2), strict=True))
        return {"loss": (e1 + e2) / 2, "s1": e1, "s2": e2}

    def measure(self, batch: Batch, lookback: int) -> Tensor:
        """s2 completes the true s1, so that nothing is drawn and s1 + s2 is the likelihood of the bar."""
        s1, s2 = self._encode(batch.x)
        logits = self.network(s1[:, :-1], s2[:, :-1], batch.stamp[:, :-1], s1[:, 1:])
        losses = [_cross_entropy(each, ids[:, 1:]) for each, ids in zip(logits, (s1, s2), strict=True)]
        later = [e[:, lookback - 1 :] for e in losses]  # position t tells of bar t + 1
        counts = torch.tensor([later[0].numel(), losses[0].numel()])
        return _doubles(*(e.sum() for e in (*later, *losses)), counts)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        s1, s2, all_s1, all_s2, bars, all_bars = sums.tolist()
        return {
            "loss": (s1 + s2) / bars / 2,
            "s1": s1 / bars,
            "s2": s2 / bars,
            "loss_with_lookback": (all_s1 + all_s2) / all_bars / 2,
        }


def _doubles(*sums: Tensor) -> Tensor:
    """All of `sums` in one row (K,), float64, on CPU: not every device has float64."""
    return torch.cat([each.detach().cpu().double().flatten() for each in sums])


def _cross_entropy(logits: Tensor, ids: Tensor) -> Tensor:
    """(B, T, n) and (B, T) → (B, T), in float32."""
    return F.cross_entropy(logits.float().flatten(0, 1), ids.flatten(), reduction="none").view_as(ids)
