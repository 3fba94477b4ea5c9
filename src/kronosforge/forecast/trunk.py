"""Transformer blocks with a memory: the samples of a series share the keys and values of the bars that are known.

The formulas are those of model/layers.py; here weights are joined, and each norm is part of the product after it, so that
a step takes few calls. A row is one sample's bar; rows go bar after bar, and within a bar sample after sample.
N groups of s samples that share a memory, t bars at once, P bars known, d model width, H heads, D = d / H.
"""

import math
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.model.layers import Block, RMSNorm

MOST = 16
"""Samples in a group, at most: they pass over each other's bars behind a mask, and each group holds a copy of the known
bars."""

FEW = 64
"""Rows for which oneDNN's packed weights are faster than plain ones, at most."""


def grouping(samples: int) -> tuple[int, int]:
    """Groups of a series, and the samples in each; some places of the last groups may stay empty."""
    groups = -(-samples // MOST)
    return groups, -(-samples // groups)


class Memory:
    """Keys and values of one attention: of the bars that the samples of a group share, then of each sample's own."""

    def __init__(self, keys: Tensor, values: Tensor, samples: int, room: int) -> None:
        """`keys` and `values` (n, H, P, D) are those of each series' known bars; room is made for `room` bars of each of
        its `samples`."""
        groups, self.size = grouping(samples)
        self.shared = self.end = keys.shape[2]
        self.keys, self.values = (_roomy(shared, groups, room * self.size) for shared in (keys, values))
        others = torch.eye(self.size).log().repeat(1, room)  # 0 at a sample's own bars, −∞ at others'
        self._row = F.pad(others, (self.shared, 0)).to(keys)  # (s, P + room s)

    def append(self, keys: Tensor, values: Tensor) -> None:
        """Add each sample's next bars (N, H, t s, D)."""
        begin, self.end = self.end, self.end + keys.shape[2]
        self.keys[:, :, begin : self.end] = keys
        self.values[:, :, begin : self.end] = values

    def attend(self, query: Tensor, skip: int = 0) -> Tensor:
        """What `query` (N, H, t s, D), scaled, finds: (N, H, t s, D). The queries are those of the newest bars, and each
        sees up to its own; the oldest `skip` bars are forgotten."""
        keys, values = self.keys[:, :, skip : self.end], self.values[:, :, skip : self.end]
        return F.scaled_dot_product_attention(query, keys, values, self._mask(query.shape[2], skip), scale=1.0)

    def _mask(self, rows: int, skip: int) -> Tensor | None:
        """What is added to the scores (rows, bars) of the newest `rows`."""
        if rows == self.size:
            return self._row[:, skip : self.end] if rows > 1 else None
        bars = (self.end - self.shared) // self.size
        own = torch.kron(torch.ones(bars, bars).tril(), torch.eye(self.size)).log()
        return F.pad(own[-rows:], (self.shared - skip, 0)).to(self.keys)


def _roomy(shared: Tensor, groups: int, room: int) -> Tensor:
    """`shared` (n, H, P, D) for each of a series' groups, with room behind it: (n groups, H, P + room, D)."""
    n, heads, bars, width = shared.shape
    out = shared.new_empty(n, groups, heads, bars + room, width)
    out[:, :, :, :bars] = shared.unsqueeze(1)
    return out.flatten(0, 1)


class Product:
    """Linear layers on the same input as one product, after an RMS norm if there is one. Holds a copy of the weights.

    A step on CPU waits for weights, and which routine fetches them fastest depends on the rows of the input: figures in
    benchmarks/README.md.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, floor: Tensor | None) -> None:
        """`weight` (out, in), `bias` (out,); `floor` is √(in · eps) of the norm, whose own weights are in `weight`."""
        self.weight, self.bias, self.floor = weight.contiguous(), bias, floor

    @cached_property
    def _parts(self) -> Tensor:
        """The weights in as many parts as there are threads (parts, out / parts, in); each thread takes one."""
        parts = next(n for n in range(torch.get_num_threads(), 0, -1) if len(self.weight) % n == 0)
        return self.weight.view(parts, -1, self.weight.shape[1])

    @cached_property
    def _packed(self) -> Tensor:
        """Another copy of the weights, in the order in which oneDNN reads them."""
        return torch.ops.mkldnn._reorder_linear_weight(self.weight, MOST)

    @classmethod
    def of(cls, *linears: nn.Linear, norm: RMSNorm | None = None) -> "Product":
        """The outputs of `linears`, one after the other, of the normed input."""
        weight = torch.cat([linear.weight for linear in linears]).detach()
        biases: list[Tensor] = [linear.bias for linear in linears if linear.bias is not None]
        floor, width = None, weight.shape[1]
        if norm is not None:
            weight = weight * (norm.weight.detach() * math.sqrt(width))
            floor = weight.new_tensor(math.sqrt(width * norm.eps))
        return cls(weight, torch.cat(biases).detach() if biases else None, floor)

    def __call__(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        if self.floor is not None:  # x / √(|x|² + in · eps); the root of `in` is in the weights
            x = x / torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self.floor)
        rows = x.shape[:-1].numel()
        few = rows <= FEW and x.device.type == "cpu"
        if few and rows == 1:
            out = torch.bmm(x.view(1, 1, -1).expand(len(self._parts), -1, -1), self._parts.mT).view(*x.shape[:-1], -1)
            return out if self.bias is None else out.add_(self.bias)
        if few and torch.backends.mkldnn.is_available():
            return torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return F.linear(x, self.weight, self.bias)

    def add_to(self, sums: Tensor, x: Tensor) -> None:
        """`sums` (…, out), contiguous, plus the product of `x` (…, in), in place."""
        if x.shape[:-1].numel() <= FEW:
            sums.add_(self(x))
            return
        outputs = sums.flatten(0, -2).addmm_(x.flatten(0, -2), self.weight.t())
        if self.bias is not None:
            outputs.add_(self.bias)

    def rearranged(self, order: Tensor, scale: Tensor) -> "Product":
        """The same with the outputs times `scale` (out,), and then in another order."""
        bias = None if self.bias is None else (self.bias * scale)[order]
        return Product((self.weight * scale.unsqueeze(1))[order], bias, self.floor)


class Layer(NamedTuple):
    """One block."""

    heads: int
    qkv: Product  # queries scaled by 1 / √D
    out: Product
    up: Product  # w1, then w3
    down: Product

    @classmethod
    def of(cls, block: Block) -> "Layer":
        """`block`'s weights. The pairs that a rotation turns are put side by side, in q and k alike, which leaves their
        products as they were: so a rotation is one complex product."""
        a, ffn = block.self_attn, block.ffn
        d, width = a.q_proj.out_features, a.q_proj.out_features // a.heads
        pairs = torch.arange(width).view(2, -1).t().flatten()  # 0, D / 2, 1, D / 2 + 1, …
        turned = torch.arange(2 * d).view(-1, width)[:, pairs].flatten()
        order = torch.cat((turned, torch.arange(2 * d, 3 * d))).to(a.q_proj.weight.device)
        scale = a.q_proj.weight.new_ones(3 * d)
        scale[:d] = width**-0.5
        qkv = Product.of(a.q_proj, a.k_proj, a.v_proj, norm=block.norm1).rearranged(order, scale)
        up, down = Product.of(ffn.w1, ffn.w3, norm=block.norm2), Product.of(ffn.w2)
        return cls(a.heads, qkv, Product.of(a.out_proj), up, down)

    def project(self, x: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of `x` (N, rows, d), turned by `rotation` (rows, 1, D / 2) complex: each
        (N, H, rows, D)."""
        heads = self.qkv(x).unflatten(-1, (3 * self.heads, -1))
        turned = heads[:, :, : 2 * self.heads].unflatten(-1, (-1, 2))
        torch.view_as_complex(turned).mul_(rotation)
        queries, keys, values = heads.transpose(1, 2).chunk(3, dim=1)
        return queries, keys, values

    def finish(self, x: Tensor, attended: Tensor) -> None:
        """Make `x` (N, rows, d) the block's output, given what attention found (N, H, rows, D)."""
        self.out.add_to(x, attended.transpose(1, 2).flatten(2))
        gate, value = self.up(x).chunk(2, dim=-1)
        self.down.add_to(x, F.silu(gate).mul_(value))


class Trunk:
    """A stack of blocks. Holds a copy of their joined weights: build it after the weights are loaded."""

    def __init__(self, blocks: nn.ModuleList, positions: int) -> None:
        """Positions 0 … `positions` − 1 can be turned."""
        self.layers = [Layer.of(block) for block in blocks]  # type: ignore[arg-type]
        if blocks:
            first: Block = blocks[0]  # type: ignore[assignment]  # all of one width: they share the rotation
            cos, sin = first.self_attn.rotary(torch.arange(positions, device=first.norm1.weight.device))
            self.rotation = torch.complex(cos, sin).unsqueeze(1)  # (positions, 1, D / 2)

    def read(self, x: Tensor, samples: int, room: int, *, whole: bool = True) -> list[Memory]:
        """Each layer's memory of `x` (n, P, d), the bars that all samples share, from position 0, with room for `room`
        bars of each of `samples`. `x` becomes the output, unless nobody needs it (`whole` is false)."""
        memories = []
        for number, layer in enumerate(self.layers, start=1):
            queries, keys, values = layer.project(x, self.rotation[: x.shape[1]])
            memories.append(Memory(keys, values, samples, room))
            if whole or number < len(self.layers):
                layer.finish(x, F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=1.0))
        return memories

    def extend(self, x: Tensor, memories: list[Memory], position: int, skip: int = 0) -> None:
        """Make `x` (N, t s, d), each sample's next bars, which stand from `position` on, the output."""
        if not memories:
            return
        samples = memories[0].size
        rotation = self.rotation[position : position + x.shape[1] // samples].repeat_interleave(samples, dim=0)
        for layer, memory in zip(self.layers, memories, strict=True):
            queries, keys, values = layer.project(x, rotation)
            memory.append(keys, values)
            layer.finish(x, memory.attend(queries, skip))
