"""From logits to ids, and the random numbers that decide.

Source of the rules: shiyu-coder/Kronos, model/kronos.py, `sample_from_logits` (67b630e).
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kronosforge.config import SamplingConfig
from kronosforge.forecast.arguments import check_number, check_whole
from kronosforge.model.predictor import draw

DEFAULTS = SamplingConfig()
"""What every signature and every config section begins with."""

COLDEST, HOTTEST = 1e-6, 1e6  # temperature: logits divided by it stay finite in float32, and differ
MOST_IDS = 2**31 - 1  # of top_k; every vocabulary is smaller


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How an id is chosen: upstream's temperature, top-k and top-p, with the config's defaults."""

    temperature: float = DEFAULTS.temperature
    """Below 1 the likely ids become likelier; above 1 the rest does."""

    top_k: int = DEFAULTS.top_k
    """Keep the k likeliest ids, and ignore top_p; 0 keeps all, 1 is greedy."""

    top_p: float = DEFAULTS.top_p
    """Keep the likeliest ids until their probabilities exceed this, and what is as likely as the last of them. Below 1 the
    fan is narrower than the model's."""

    def __post_init__(self) -> None:
        check_number(COLDEST, HOTTEST, temperature=self.temperature)
        check_number(0, 1, top_p=self.top_p)
        check_whole(0, MOST_IDS, top_k=self.top_k)

    def choose(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Ids (…) from `logits` (…, V), each by inversion of its `uniform` (…) float64 in [0, 1)."""
        if self.top_k == 1:
            return logits.argmax(dim=-1)
        # Inverted in float64: the sum's own rounding would otherwise decide between neighbouring ids.
        return draw(torch.softmax(self.keep(logits / float(self.temperature)).double(), dim=-1), uniform)

    def keep(self, logits: Tensor) -> Tensor:
        """`logits` (…, V), minus infinity where an id is out. Of equally likely ids all are in or all are out."""
        if self.top_k > 0:
            least = logits.topk(min(self.top_k, logits.shape[-1]), dim=-1).values[..., -1:]
        elif self.top_p < 1:
            ordered = _descending(logits)
            # What came before it is over the line: so the id that crosses the line stays, and the likeliest always.
            over = ordered.softmax(dim=-1).cumsum(dim=-1)[..., :-1] > float(self.top_p)
            least = ordered.gather(-1, (~over).sum(dim=-1, keepdim=True))
        else:
            return logits
        return logits.masked_fill(logits < least, -torch.inf)


def _descending(values: Tensor) -> Tensor:
    """`values` (…, V) in order. On CPU by numpy, whose sort is vectorised and seven times as fast as torch's."""
    if values.device.type != "cpu":
        return values.sort(dim=-1, descending=True).values
    return torch.from_numpy(np.sort(values.neg().numpy(), axis=-1)).neg_()


def uniforms(key: str, origin: int, seed: int, paths: range, horizon: int) -> npt.NDArray[np.float64]:
    """What the draws of a series' `paths` are made with: (paths, horizon, 2) in [0, 1), for s1 and for s2.

    A path's numbers depend on `key`, `origin` (ms UTC of the last bar known), `seed` and its own number alone, and those
    of a longer horizon begin with those of a shorter one. Philox counts rather than remembers: the same on any machine.
    """
    digest = blake2b(f"{seed}\n{origin}\n{key}".encode(), digest_size=16).digest()
    stream = np.frombuffer(digest, "<u8").astype(np.uint64)
    return np.stack(
        [np.random.Generator(np.random.Philox(key=stream, counter=[0, 0, p, 0])).random((horizon, 2)) for p in paths]
    )
