"""The predictor: the distribution of the next bar's ids, given the bars so far.

Source of every formula: shiyu-coder/Kronos, model/kronos.py and model/module.py (67b630e).
B batch, T bars, d model width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.model.checkpoint import Checkpoint
from kronosforge.model.kernels import dropout
from kronosforge.model.layers import Attention, Block, RMSNorm, run
from kronosforge.model.presets import PredictorArguments

DEPENDENCY_HEADS = 4  # upstream's constant, whatever n_heads is
CALENDAR = {"minute": 60, "hour": 24, "weekday": 7, "day": 32, "month": 13}  # rows of each table, in the stamps' order


class FixedTable(nn.Module):
    """Sinusoids that are stored with the weights and never trained."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        angles = torch.arange(rows).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
        table = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # sin and cos alternate
        self.emb = nn.Embedding(rows, width)
        self.emb.weight = nn.Parameter(table[:, :width], requires_grad=False)

    def forward(self, index: Tensor) -> Tensor:
        return self.emb(index)


class CalendarEmbedding(nn.Module):
    """Sum of one embedding per part of a bar's open time."""

    def __init__(self, width: int, learned: bool) -> None:
        super().__init__()
        table = nn.Embedding if learned else FixedTable
        for part, rows in CALENDAR.items():
            self.add_module(f"{part}_embed", table(rows, width))

    def forward(self, stamp: Tensor) -> Tensor:
        """`stamp` (B, T, 5): minute, hour, weekday (Monday 0), day, month → (B, T, d)."""
        parts = stamp.long().unbind(dim=-1)
        return torch.stack([table(part) for table, part in zip(self.children(), parts, strict=True)]).sum(dim=0)


class TokenEmbedding(nn.Module):
    """s1 and s2 ids to one vector."""

    def __init__(self, s1_bits: int, s2_bits: int, width: int) -> None:
        super().__init__()
        self.emb_s1 = nn.Embedding(2**s1_bits, width)
        self.emb_s2 = nn.Embedding(2**s2_bits, width)
        self.fusion_proj = nn.Linear(2 * width, width)

    def forward(self, s1: Tensor, s2: Tensor) -> Tensor:
        """(B, T) and (B, T) → (B, T, d)."""
        both = torch.cat((self.emb_s1(s1), self.emb_s2(s2)), dim=-1)
        return self.fusion_proj(both * math.sqrt(self.emb_s1.embedding_dim))


class DependencyLayer(nn.Module):
    """Completes the hidden state with the s1 id that was chosen, so that s2 depends on it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cross_attn = Attention(width, DEPENDENCY_HEADS, attn_dropout=0.0, resid_dropout=0.0)
        self.norm = RMSNorm(width)

    def forward(self, hidden: Tensor, sibling: Tensor) -> Tensor:
        """`hidden` (B, T, d), `sibling` (B, T, d) or (B, 1, d) → (B, T, d).

        One query a bar: causal, as in training, also in eval mode, where upstream lets each bar see the later ones. One
        query in all: no mask and no rotation, because upstream takes the rotary table of the query's length (position 0
        for every key), and published weights expect it.
        """
        rotation = None
        if sibling.shape[1] > 1:
            rotation = self.cross_attn.rotary(torch.arange(hidden.shape[1], device=hidden.device))
        return self.norm(hidden + self.cross_attn(sibling, hidden, rotation, causal=rotation is not None))


class Heads(nn.Module):
    """The two output projections."""

    def __init__(self, s1_bits: int, s2_bits: int, width: int) -> None:
        super().__init__()
        self.proj_s1 = nn.Linear(width, 2**s1_bits)
        self.proj_s2 = nn.Linear(width, 2**s2_bits)


class KronosPredictor(Checkpoint):
    """Ids and open times of bars to logits of the next bar's ids."""

    ROLE, VARIABLE, ARGUMENTS = "predictor", "KRONOS_PREDICTOR_PATH", PredictorArguments
    arguments: PredictorArguments

    def __init__(self, arguments: PredictorArguments) -> None:
        super().__init__(arguments)
        a = arguments
        self.bits = a.s1_bits, a.s2_bits
        self.token_dropout = a.token_dropout_p
        self.embedding = TokenEmbedding(a.s1_bits, a.s2_bits, a.d_model)
        self.time_emb = CalendarEmbedding(a.d_model, learned=a.learn_te)
        self.transformer = nn.ModuleList(Block(a) for _ in range(a.n_layers))
        self.norm = RMSNorm(a.d_model)
        self.dep_layer = DependencyLayer(a.d_model)
        self.head = Heads(a.s1_bits, a.s2_bits, a.d_model)
        self.apply(_initialize)

    def forward(self, s1: Tensor, s2: Tensor, stamp: Tensor, s1_next: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits of each next bar's ids: (B, T, 2^s1_bits) and (B, T, 2^s2_bits), causal in every layer.

        `s1_next` (B, T): the s1 ids that s2 completes (teacher forcing). Without it they are drawn from the s1 logits.
        """
        s1_logits, hidden = self.decode_s1(s1, s2, stamp)
        chosen = draw(F.softmax(s1_logits.detach().float(), dim=-1)) if s1_next is None else s1_next
        return s1_logits, self.decode_s2(hidden, chosen)

    def decode_s1(self, s1: Tensor, s2: Tensor, stamp: Tensor) -> tuple[Tensor, Tensor]:
        """s1 logits (B, T, 2^s1_bits) and the hidden state (B, T, d) after `s1`, `s2` (B, T), `stamp` (B, T, 5)."""
        x = dropout(self.embedding(s1, s2) + self.time_emb(stamp), self.token_dropout, self.training)
        hidden = self.norm(run(self.transformer, x))
        return self.head.proj_s1(hidden), hidden

    def decode_s2(self, hidden: Tensor, s1: Tensor) -> Tensor:
        """s2 logits (B, T, 2^s2_bits), given `s1` (B, T), or (B, 1) at inference, where only the last bar's count."""
        return self.head.proj_s2(self.dep_layer(hidden, self.embedding.emb_s1(s1)))


def draw(probabilities: Tensor, uniform: Tensor | None = None) -> Tensor:
    """An index (…) from each distribution of `probabilities` (…, n), by inversion of `uniform` (…) in [0, 1)."""
    total = probabilities.cumsum(dim=-1)
    if uniform is None:
        uniform = torch.rand(total.shape[:-1], device=total.device)
    # Scaled by the sum, and never past the last index, so that rounding cannot leave the distribution.
    mark = uniform.unsqueeze(-1) * total[..., -1:]
    return torch.searchsorted(total, mark, right=True).squeeze(-1).clamp_(max=total.shape[-1] - 1)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding) and module.weight.requires_grad:
        nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
