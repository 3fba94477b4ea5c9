"""Four operations that PyTorch's eager mode computes in more passes over memory than they need.

Each equals the plain formula in its docstring; tests/model/test_kernels.py compares value and gradient. What they save is
in benchmarks/README.md; the rest of a training step is matrix products.
"""

from math import prod, sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        full = x.float()
        norm = torch.linalg.vector_norm(full, dim=-1, keepdim=True)
        scale = (norm.square_() / x.shape[-1] + eps).rsqrt_()  # (…, 1)
        ctx.save_for_backward(x, weight, scale)
        return (full * scale).type_as(x) * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        rows, slopes, scales = x.float().flatten(0, -2), grad.float().flatten(0, -2), scale.flatten()
        product = rows * slopes  # (N, d)
        along = (product @ weight).mul_(scales.square()).div_(x.shape[-1])  # (N,)
        down = (slopes * weight).addcmul_(rows, along[:, None], value=-1).mul_(scales[:, None])
        return down.type_as(x).view_as(x), scales @ product, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x · (mean(x²) + eps)^−½ over the last axis, the statistics in float32, cast back, times `weight`."""
    return _RMSNorm.apply(x, weight, eps)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grad, cos, -sin), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)  # contiguous, whatever x is
    (left, right), (out_left, out_right) = x.chunk(2, dim=-1), out.chunk(2, dim=-1)
    torch.mul(left, cos, out=out_left).addcmul_(right, sin, value=-1)
    torch.mul(right, cos, out=out_right).addcmul_(left, sin)
    return out


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair (x[i], x[i + D / 2]) of `x` (…, T, D) turned by its angle; cos and sin (T, D / 2). Contiguous."""
    return _Rotate.apply(x, cos.to(x.dtype), sin.to(x.dtype))


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Dropout as in torch, with masks drawn ten times faster on CPU: four 16-bit numbers from each 64-bit draw."""
    if not training or p == 0:
        return x
    return x * _mask(x.shape, p) if x.device.type == "cpu" else F.dropout(x, p)


def _mask(shape: torch.Size, p: float) -> Tensor:
    """0 with probability `p` (to 1 / 65536), else 1 / (1 − p)."""
    n = prod(shape)
    draws = torch.empty((n + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    kept = torch.empty(shape)
    torch.ge(draws.view(torch.int16)[:n].view(shape), round(p * 2**16) - 2**15, out=kept)
    return kept.mul_(1 / (1 - p))


def attention(q: Tensor, k: Tensor, v: Tensor, p: float, causal: bool) -> Tensor:
    """Softmax attention of `q` (B, H, Tq, D) over `k`, `v` (B, H, T, D), with dropout `p` on the weights.

    On CPU written out: torch's own kernel draws its dropout mask one by one there, and without dropout is not faster at
    the few hundred bars of a window.
    """
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=causal)
    rows, bars = q.shape[-2], k.shape[-2]
    later = torch.full((rows, bars), -torch.inf, dtype=q.dtype).triu_(1) if causal else q.new_zeros(1)
    scores = torch.baddbmm(later, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=1 / sqrt(q.shape[-1]))
    weights = dropout(scores.softmax(dim=-1), p, training=True)
    return torch.bmm(weights, v.flatten(0, 1)).unflatten(0, q.shape[:2])
