"""Generation: known bars to sampled ids to bars, each future bar computed once.

Equal to computing everything again at every bar, as upstream does (shiyu-coder/Kronos, model/kronos.py,
`auto_regressive_inference`, 67b630e), but the bars that the samples of a series share are computed once for all of them.
n series, S samples, L bars known, T bars to come, d model width; N groups of s samples, t bars (see trunk.py).
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from kronosforge.forecast.sampling import Sampler
from kronosforge.forecast.trunk import Memory, Product, Trunk, grouping
from kronosforge.model import KronosPredictor, KronosTokenizer
from kronosforge.model.predictor import DEPENDENCY_HEADS
from kronosforge.model.tokenizer import bits

Sliding: TypeAlias = Literal["exact", "approximate"]
"""What happens once more than max_context bars stand in a row. `exact`: the newest max_context bars are computed again, as
upstream does. `approximate`: the oldest bar is forgotten, but what later bars saw of it stays; much faster."""


class Ids(NamedTuple):
    """The codes of bars (…, bars)."""

    s1: Tensor
    s2: Tensor

    def bars(self, which: slice) -> "Ids":
        """Those of some bars."""
        return Ids(self.s1[..., which], self.s2[..., which])


@dataclass
class Context:
    """What the next bar's ids depend on."""

    last: Tensor  # (n, S or 1, d), the hidden state after the newest bar
    memories: list[Memory]  # of the predictor's layers
    dependency: Memory  # of the layer that completes s1 to s2: neither turned nor masked, as in upstream's generation
    skip: int = 0  # bars forgotten


class Engine:
    """Tokenizer and predictor, prepared for generation. Holds copies of weights: build a new one when they change."""

    def __init__(self, tokenizer: KronosTokenizer, predictor: KronosPredictor, max_context: int) -> None:
        self.tokenizer, self.predictor, self.max_context = tokenizer.eval(), predictor.eval(), max_context
        with torch.inference_mode():
            self._trunk = Trunk(predictor.transformer, 2 * max_context)  # the approximation counts on
            self._decoder = Trunk(tokenizer.decoder, max_context)
            self._tables = _id_tables(predictor)
            cross = predictor.dep_layer.cross_attn
            scale = (cross.q_proj.out_features // DEPENDENCY_HEADS) ** -0.5
            self._queries = cross.q_proj(predictor.embedding.emb_s1.weight) * scale  # (2^s1_bits, d)
            self._kv, self._out = Product.of(cross.k_proj, cross.v_proj), Product.of(cross.out_proj)
            self._head_s1 = Product.of(predictor.head.proj_s1)
            self._head_s2 = Product.of(predictor.head.proj_s2, norm=predictor.dep_layer.norm)

    def memory(self, bars: int, horizon: int, samples: int) -> int:
        """Bytes of all layers' keys and values of a series of `bars` known bars."""
        groups, size = grouping(samples)
        width, layers = self.predictor.head.proj_s1.in_features, len(self.predictor.transformer)
        return 2 * 4 * width * (layers + 1) * groups * (min(bars, self.max_context) + size * horizon)

    @torch.inference_mode()
    def forecast(
        self, x: Tensor, stamps: Tensor, uniforms: Tensor, sampler: Sampler, sliding: Sliding = "exact"
    ) -> Tensor:
        """Normalised bars to come (n, S, T, 6), after `x` (n, L, 6), normalised and clipped; `stamps` and `uniforms` as
        in `generate`."""
        past = Ids(*self.tokenizer.encode(x))
        return self.decode(past, self.generate(past, stamps, uniforms, sampler, sliding))

    @torch.inference_mode()
    def generate(
        self, past: Ids, stamps: Tensor, uniforms: Tensor, sampler: Sampler, sliding: Sliding = "exact"
    ) -> Ids:
        """Ids to come, each (n, S, T), after `past` (n, L), drawn with `uniforms` (n, S, T, 2) float64.

        `stamps` (n, L + T, 5) are the known bars' calendar and then that of the bars to come. T < max_context.
        """
        n, samples, horizon, _ = uniforms.shape
        dice = uniforms.permute(2, 3, 0, 1).contiguous()  # (T, 2, n, S)
        first = max(0, past.s1.shape[-1] - self.max_context)
        past = past.bars(slice(first, None))  # (n, P)
        times = self.predictor.time_emb(stamps[:, first:])  # (n, P + T, d)
        made = Ids(*past.s1.new_empty(2, n, samples, horizon))
        context = self._read(past, times, samples, horizon)
        for step in range(horizon):
            if step:
                context = self._next(context, past, made.bars(slice(step)), times, sliding)
            made.s1[..., step] = sampler.choose(self._s1(context).expand(n, samples, -1), dice[step, 0])
            made.s2[..., step] = sampler.choose(self._s2(context, made.s1[..., step]), dice[step, 1])
        return made

    @torch.inference_mode()
    def decode(self, past: Ids, made: Ids) -> Tensor:
        """Bars (n, S, T, 6), normalised, of the ids `made` (n, S, T) after `past` (n, L): the newest max_context are
        decoded together."""
        samples, horizon = made.s1.shape[1:]
        past = past.bars(slice(max(0, past.s1.shape[-1] + horizon - self.max_context), None))
        memories = self._decoder.read(self._codes(past), samples, horizon, whole=False)
        x = _rows(self._codes(made))
        self._decoder.extend(x, memories, past.s1.shape[-1])
        return self.tokenizer.head(_bars(x, samples, horizon))

    def _next(self, context: Context, past: Ids, made: Ids, times: Tensor, sliding: Sliding) -> Context:
        """The context after the bars `made` (n, S, t) so far; `context` is the one before the newest of them."""
        shared, t = past.s1.shape[-1], made.s1.shape[-1]
        over = max(0, shared + t - self.max_context)
        if not over or sliding == "approximate":
            newest = slice(t - 1, t)
            return self._extend(context, made.bars(newest), times[:, shared:][:, newest], shared + t - 1, over)
        # Positions restart at 0. The samples still share the known bars of the window: computed once for all of them.
        recomputed = self._read(past.bars(slice(over, None)), times[:, over:], made.s1.shape[1], t)
        return self._extend(recomputed, made, times[:, shared : shared + t], shared - over)

    def _read(self, past: Ids, times: Tensor, samples: int, room: int) -> Context:
        """The context after the bars that all samples share, at positions from 0."""
        x = self._embed(past) + times[:, : past.s1.shape[-1]]
        memories = self._trunk.read(x, samples, room)
        hidden = self._norm(x)
        return Context(hidden[:, -1:], memories, Memory(*self._keys_values(hidden), samples, room))

    def _extend(self, context: Context, ids: Ids, times: Tensor, position: int, skip: int = 0) -> Context:
        """`context` with each sample's next bars."""
        samples, bars = ids.s1.shape[1:]
        x = _rows(self._embed(ids) + times.unsqueeze(1))
        self._trunk.extend(x, context.memories, position, skip)
        hidden = self._norm(x)
        context.dependency.append(*self._keys_values(hidden))
        return Context(_bars(hidden, samples, bars)[:, :, -1], context.memories, context.dependency, skip)

    def _norm(self, x: Tensor) -> Tensor:
        by = self.predictor.norm
        return F.rms_norm(x, by.weight.shape, by.weight, by.eps)

    def _embed(self, ids: Ids) -> Tensor:
        return F.embedding(ids.s1, self._tables[0]) + F.embedding(ids.s2, self._tables[1])

    def _codes(self, ids: Ids) -> Tensor:
        t = self.tokenizer
        codes = torch.cat((bits(ids.s1, t.bits[0]), bits(ids.s2, t.bits[1])), dim=-1)
        return t.post_quant_embed(codes * t.tokenizer.scale)

    def _keys_values(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The dependency layer's keys and values of `hidden` (N, rows, d), each (N, H, rows, D)."""
        keys, values = self._kv(hidden).unflatten(-1, (2 * DEPENDENCY_HEADS, -1)).transpose(1, 2).chunk(2, dim=1)
        return keys, values

    def _s1(self, context: Context) -> Tensor:
        return self._head_s1(context.last)

    def _s2(self, context: Context, s1: Tensor) -> Tensor:
        """s2 logits (n, S, 2^s2_bits), given `s1` (n, S)."""
        query = _rows(F.embedding(s1, self._queries).unsqueeze(2))  # (N, s, d)
        attention = context.dependency.attend(query.unflatten(-1, (DEPENDENCY_HEADS, -1)).transpose(1, 2), context.skip)
        attended = _bars(attention.transpose(1, 2).flatten(2), s1.shape[1], 1)[:, :, 0]
        return self._head_s2(context.last + self._out(attended))


def _rows(x: Tensor) -> Tensor:
    """Bars of samples (n, S, t, d) as the rows of groups (N, t s, d), contiguous; empty places hold zeros."""
    groups, size = grouping(x.shape[1])
    full = F.pad(x, (0, 0, 0, 0, 0, groups * size - x.shape[1]))
    return full.unflatten(1, (groups, size)).transpose(2, 3).reshape(-1, x.shape[2] * size, x.shape[3])


def _bars(rows: Tensor, samples: int, bars: int) -> Tensor:
    """The inverse of `_rows`: (N, t s, d) as (n, S, t, d)."""
    groups, size = grouping(samples)
    return rows.view(-1, groups, bars, size, rows.shape[-1]).transpose(2, 3).flatten(1, 2)[:, :samples]


def _id_tables(predictor: KronosPredictor) -> tuple[Tensor, Tensor]:
    """What an s1 id and an s2 id add to the embedding, each (2^bits, d): the fusion layer applied to the whole tables
    once, instead of to every bar."""
    embedding = predictor.embedding
    s1, s2 = embedding.emb_s1.weight, embedding.emb_s2.weight
    for_s1, for_s2 = (embedding.fusion_proj.weight * math.sqrt(s1.shape[1])).chunk(2, dim=1)
    return F.linear(s1, for_s1, embedding.fusion_proj.bias), F.linear(s2, for_s2)
