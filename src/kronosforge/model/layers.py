"""The transformer block that tokenizer and predictor share.

Source of every formula: shiyu-coder/Kronos, model/module.py (67b630e); the state dict's keys are upstream's.
B batch, T bars, d model width, H heads, D = d / H.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.model.kernels import attention, dropout, rms_norm, rotate
from kronosforge.model.presets import PredictorArguments, TokenizerArguments

ROPE_BASE = 10_000


class Rotation(NamedTuple):
    """cos and sin of each position's angles."""

    cos: Tensor  # (T, D / 2)
    sin: Tensor  # (T, D / 2)


class Rotary(nn.Module):
    """Rotary position embedding in the rotate-half layout."""

    inv_freq: Tensor  # (D / 2,)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / ROPE_BASE ** (torch.arange(0, width, 2).float() / width))

    def forward(self, positions: Tensor) -> Rotation:
        """The rotation at `positions` (T,)."""
        angles = positions.type_as(self.inv_freq)[:, None] * self.inv_freq  # (T, D / 2)
        return Rotation(angles.cos(), angles.sin())


class RMSNorm(nn.Module):
    """x / rms(x) × weight, the statistics in float32."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) ⊙ w3 x)."""

    def __init__(self, width: int, hidden: int, p: float) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, hidden, bias=False)
        self.w3 = nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(self.w2(F.silu(self.w1(x)) * self.w3(x)), self.p, self.training)


class Attention(nn.Module):
    """Projections, rotation and softmax attention; `SelfAttention` and the predictor's dependency layer use it."""

    def __init__(self, width: int, heads: int, attn_dropout: float, resid_dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attn_dropout, self.resid_dropout = attn_dropout, resid_dropout
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.rotary = Rotary(width // heads)

    def split(self, x: Tensor) -> Tensor:
        """(B, T, d) → (B, H, T, D)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def merge(self, x: Tensor) -> Tensor:
        """(B, H, T, D) → (B, T, d), through the output projection."""
        return dropout(self.out_proj(x.transpose(1, 2).flatten(2)), self.resid_dropout, self.training)

    def forward(self, query: Tensor, memory: Tensor, rotation: Rotation | None, causal: bool) -> Tensor:
        """`query` (B, Tq, d) attends to `memory` (B, T, d); (B, Tq, d)."""
        q, k, v = self.split(self.q_proj(query)), self.split(self.k_proj(memory)), self.split(self.v_proj(memory))
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
        return self.merge(attention(q, k, v, self.attn_dropout if self.training else 0.0, causal))


class Block(nn.Module):
    """Pre-norm transformer block: x + attn(norm1(x)), then x + ffn(norm2(x))."""

    def __init__(self, arguments: TokenizerArguments | PredictorArguments) -> None:
        super().__init__()
        a = arguments
        self.norm1 = RMSNorm(a.d_model)
        self.self_attn = Attention(a.d_model, a.n_heads, a.attn_dropout_p, a.resid_dropout_p)
        self.norm2 = RMSNorm(a.d_model)
        self.ffn = FeedForward(a.d_model, a.ff_dim, a.ffn_dropout_p)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        past = self.norm1(x)
        x = x + self.self_attn(past, past, rotation, causal=True)
        return x + self.ffn(self.norm2(x))


def run(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    """`x` (B, T, d) through `blocks`, positions from 0."""
    if not blocks:
        return x
    first: Block = blocks[0]  # type: ignore[assignment]  # all of one width: they share the rotation
    rotation = first.self_attn.rotary(torch.arange(x.shape[1], device=x.device))
    for block in blocks:
        x = block(x, rotation)
    return x
