"""Transformer blocks with a memory: the samples of a series share the keys and values of the bars that are known.

The formulas are those of model/layers.py; here the weights are joined so that a step takes few products.
n series, S samples, P bars known, t bars at once, d model width, H heads, D = d / H.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.model.layers import Block, RMSNorm


class Memory:
    """Keys and values of one attention: once for the bars that all samples share, and each sample's own."""

    def __init__(self, keys: Tensor, values: Tensor, samples: int, room: int) -> None:
        """`keys` and `values` (n, H, P, D) are shared; room is made for `room` bars of each sample."""
        n, heads, _, width = values.shape
        self.keys = keys.transpose(-1, -2).contiguous()  # (n, H, D, P): half the time of a product with (P, D)
        self.values = values.contiguous()
        self.own_keys = values.new_empty(n, samples, heads, room, width)
        self.own_values = torch.empty_like(self.own_keys)
        self.own = 0  # bars of each sample

    def append(self, keys: Tensor, values: Tensor) -> None:
        """Add each sample's next bars (n, S, H, t, D)."""
        begin, self.own = self.own, self.own + keys.shape[3]
        self.own_keys[:, :, :, begin : self.own] = keys
        self.own_values[:, :, :, begin : self.own] = values

    def attend(self, query: Tensor, skip: int = 0) -> Tensor:
        """What `query` (n, S, H, t, D), scaled, finds: (n, S, H, t, D). Several queries are those of the newest bars,
        and each sees up to its own; the oldest `skip` bars are forgotten."""
        n, samples, heads, t, width = query.shape
        own = query @ self.own_keys[:, :, :, : self.own].transpose(-1, -2)  # (n, S, H, t, own)
        if t > 1:
            own += torch.full_like(own[0, 0, 0], -torch.inf).triu(1 + self.own - t)
        shared = _rows(query.transpose(1, 2).reshape(n, heads, -1, width), self.keys[..., skip:])  # (n, H, S t, P)
        weights = torch.cat((shared, own.transpose(1, 2).flatten(2, 3)), dim=-1).softmax(dim=-1)
        past, recent = weights.split((shared.shape[-1], self.own), dim=-1)
        found = _rows(past, self.values[:, :, skip:]).unflatten(2, (samples, t)).transpose(1, 2)
        return found + recent.unflatten(2, (samples, t)).transpose(1, 2) @ self.own_values[:, :, :, : self.own]


class Product(NamedTuple):
    """Linear layers on the same input as one product, with a copy of their weights: x W + b."""

    weight: Tensor  # (in, out): read along the rows, a few rows of x cost little more than one
    bias: Tensor | None

    @classmethod
    def of(cls, *linears: nn.Linear) -> "Product":
        """The outputs of `linears`, one after the other."""
        weight = torch.cat([one.weight for one in linears]).detach()
        biases: list[Tensor] = [one.bias for one in linears if one.bias is not None]
        return cls(weight.t().contiguous(), torch.cat(biases).detach() if biases else None)

    def __call__(self, x: Tensor) -> Tensor:
        found = x @ self.weight
        return found if self.bias is None else found.add_(self.bias)

    def columns(self, order: Tensor) -> "Product":
        """The same with the outputs in another order."""
        return Product(self.weight[:, order], None if self.bias is None else self.bias[order])

    def scaled(self, outputs: int, factor: float) -> "Product":
        """The same with the first `outputs` outputs times `factor`."""
        factors = self.weight.new_ones(self.weight.shape[1])
        factors[:outputs] = factor
        return Product(self.weight * factors, None if self.bias is None else self.bias * factors)


class Layer(NamedTuple):
    """One block, its products joined."""

    heads: int
    norm1: RMSNorm
    qkv: Product  # queries scaled by 1 / √D
    out: Product
    norm2: RMSNorm
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
        qkv = Product.of(a.q_proj, a.k_proj, a.v_proj).scaled(d, width**-0.5).columns(order)
        up, down = Product.of(ffn.w1, ffn.w3), Product.of(ffn.w2)
        return cls(a.heads, block.norm1, qkv, Product.of(a.out_proj), block.norm2, up, down)

    def project(self, x: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of `x` (…, t, d), turned by `rotation` (t, 1, D / 2) complex: each (…, H, t, D)."""
        qkv = self.qkv(norm(x, self.norm1))
        both, values = qkv.unflatten(-1, (3 * self.heads, -1)).split((2 * self.heads, self.heads), dim=-2)
        turned = torch.view_as_real(torch.view_as_complex(both.unflatten(-1, (-1, 2))) * rotation).flatten(-2)
        queries, keys = turned.chunk(2, dim=-2)
        return queries.transpose(-2, -3), keys.transpose(-2, -3), values.transpose(-2, -3)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """The block's output, given what attention found (…, H, t, D)."""
        x = x + self.out(attended.transpose(-2, -3).flatten(-2))
        gate, value = self.up(norm(x, self.norm2)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate).mul_(value))


class Trunk:
    """A stack of blocks. Holds a copy of their joined weights: build it after the weights are loaded."""

    def __init__(self, blocks: nn.ModuleList, positions: int) -> None:
        """Positions 0 … `positions` − 1 can be turned."""
        self.layers = [Layer.of(block) for block in blocks]  # type: ignore[arg-type]
        if blocks:
            first: Block = blocks[0]  # type: ignore[assignment]  # all of one width: they share the rotation
            cos, sin = first.self_attn.rotary(torch.arange(positions, device=first.norm1.weight.device))
            self.rotation = torch.complex(cos, sin).unsqueeze(1)  # (positions, 1, D / 2)

    def read(self, x: Tensor, samples: int, room: int) -> tuple[Tensor, list[Memory]]:
        """`x` (n, P, d), the bars that all samples share, from position 0: the output (n, P, d), and each layer's
        memory with room for `room` bars of each of `samples`."""
        memories = []
        for layer in self.layers:
            queries, keys, values = layer.project(x, self.rotation[: x.shape[-2]])
            memories.append(Memory(keys, values, samples, room))
            x = layer.finish(x, F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=1.0))
        return x, memories

    def extend(self, x: Tensor, memories: list[Memory], position: int, skip: int = 0) -> Tensor:
        """The output (n, S, t, d) of each sample's next bars `x` (n, S, t, d), which stand from `position` on."""
        for layer, memory in zip(self.layers, memories, strict=True):
            queries, keys, values = layer.project(x, self.rotation[position : position + x.shape[-2]])
            memory.append(keys, values)
            x = layer.finish(x, memory.attend(queries, skip))
        return x


def _rows(x: Tensor, y: Tensor) -> Tensor:
    """x y, of at least two rows: batches of a single row are summed in another order, whatever Intel's library is told."""
    return x @ y if x.shape[-2] > 1 else (x.expand(*x.shape[:-2], 2, -1) @ y)[..., :1, :]


def norm(x: Tensor, by: RMSNorm) -> Tensor:
    """`by(x)` in one call."""
    return F.rms_norm(x, by.weight.shape, by.weight, by.eps)
