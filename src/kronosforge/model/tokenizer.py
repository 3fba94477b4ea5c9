"""The tokenizer: bars to binary codes and back (binary spherical quantisation, arXiv:2406.07548).

Source of every formula: shiyu-coder/Kronos, model/kronos.py and model/module.py (67b630e).
B batch, T bars, d model width, D = s1_bits + s2_bits.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kronosforge.model.checkpoint import Checkpoint
from kronosforge.model.layers import Block, run
from kronosforge.model.presets import TokenizerArguments


class Reconstruction(NamedTuple):
    """What the tokenizer makes of a window."""

    from_s1: Tensor  # (B, T, 6), from the first s1_bits alone
    full: Tensor  # (B, T, 6), from all bits
    quantizer_loss: Tensor  # ()
    quantized: Tensor  # (B, T, D), ± 1 / √D
    ids: Tensor  # (B, T), of all D bits


class Powers(nn.Module):
    """The two constant buffers of a published state dict; nothing is computed from them."""

    def __init__(self, bits: int, group_size: int) -> None:
        super().__init__()
        self.register_buffer("basis", 2 ** torch.arange(bits - 1, -1, -1))
        self.register_buffer("group_basis", 2 ** torch.arange(group_size - 1, -1, -1))


class Quantizer(nn.Module):
    """Binary spherical quantisation with upstream's loss.

    Upstream computes the paper's grouped codebook entropy and overwrites it with the one per dimension, so that
    `group_size` does not reach the loss. The published weights were trained so; the dead work is left out here.
    """

    def __init__(self, arguments: TokenizerArguments) -> None:
        super().__init__()
        self.weights = arguments  # of the loss's terms: beta, gamma0, gamma, zeta
        self.bits = arguments.s1_bits + arguments.s2_bits
        self.scale = self.bits**-0.5
        self.bsq = Powers(self.bits, arguments.group_size)

    def forward(self, z: Tensor) -> Tensor:
        """`z` (B, T, D) on the unit sphere → ± 1 / √D; the gradient passes straight through."""
        sign = torch.where(z > 0, 1.0, -1.0).to(z.dtype)
        return (z + (sign - z).detach()) * self.scale

    def loss(self, z: Tensor, quantized: Tensor) -> Tensor:
        """Commitment and entropy of `z` (B, T, D) on the unit sphere; () and often negative: codebook entropy counts
        against it."""
        commitment = (quantized.detach() - z).square().sum(dim=-1).mean()
        p = torch.sigmoid(-4 * z * self.scale)  # (B, T, D): how likely each bit is 0
        per_sample = binary_entropy(p).sum(dim=-1).mean()
        codebook = binary_entropy(p.flatten(0, -2).mean(dim=0)).sum()
        w = self.weights
        return w.beta * commitment + w.zeta * (w.gamma0 * per_sample - w.gamma * codebook)


def binary_entropy(p: Tensor) -> Tensor:
    """Entropy of (p, 1 − p) in nats, with the 1e-8 inside the logarithms that upstream puts there."""
    return -(p * torch.log(p + 1e-8) + (1 - p) * torch.log(1 - p + 1e-8))


class KronosTokenizer(Checkpoint):
    """Bars (B, T, 6), normalised, to ids (s1, s2) and back."""

    ROLE, VARIABLE, ARGUMENTS = "tokenizer", "KRONOS_TOKENIZER_PATH", TokenizerArguments
    arguments: TokenizerArguments

    def __init__(self, arguments: TokenizerArguments) -> None:
        super().__init__(arguments)
        a, n = arguments, arguments.s1_bits + arguments.s2_bits
        self.bits = a.s1_bits, a.s2_bits
        self.embed = nn.Linear(a.d_in, a.d_model)
        self.head = nn.Linear(a.d_model, a.d_in)
        self.encoder = nn.ModuleList(Block(a) for _ in range(a.n_enc_layers - 1))
        self.decoder = nn.ModuleList(Block(a) for _ in range(a.n_dec_layers - 1))
        self.quant_embed = nn.Linear(a.d_model, n)
        self.post_quant_embed_pre = nn.Linear(a.s1_bits, a.d_model)
        self.post_quant_embed = nn.Linear(n, a.d_model)
        self.tokenizer = Quantizer(a)

    def forward(self, x: Tensor) -> Reconstruction:
        """Reconstruct `x` (B, T, 6) from its codes."""
        z = self._sphere(x)
        quantized = self.tokenizer(z)
        s1 = self.post_quant_embed_pre(quantized[..., : self.bits[0]])
        both = torch.cat((s1, self.post_quant_embed(quantized)))  # one pass through the decoder for both
        from_s1, full = self.head(run(self.decoder, both)).chunk(2)
        return Reconstruction(from_s1, full, self.tokenizer.loss(z, quantized), quantized, ids(quantized))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Ids (s1, s2) of `x` (B, T, 6), each (B, T) int64."""
        quantized = self.tokenizer(self._sphere(x))
        return ids(quantized[..., : self.bits[0]]), ids(quantized[..., self.bits[0] :])

    def decode(self, s1: Tensor, s2: Tensor) -> Tensor:
        """Bars (B, T, 6), normalised, of ids `s1` and `s2` (B, T)."""
        codes = torch.cat((bits(s1, self.bits[0]), bits(s2, self.bits[1])), dim=-1)
        return self.head(run(self.decoder, self.post_quant_embed(codes * self.tokenizer.scale)))

    def split(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """(s1, s2) of the ids of all bits."""
        return ids % 2 ** self.bits[0], ids >> self.bits[0]

    def _sphere(self, x: Tensor) -> Tensor:
        return F.normalize(self.quant_embed(run(self.encoder, self.embed(x))), dim=-1)  # (B, T, D)


def ids(codes: Tensor) -> Tensor:
    """The number that the signs of `codes` (…, n) spell, little-endian: bit i weighs 2^i. (…) int64."""
    weights = 2 ** torch.arange(codes.shape[-1], device=codes.device)
    return ((codes >= 0) * weights).sum(dim=-1)


def bits(ids: Tensor, n: int) -> Tensor:
    """The signs ± 1.0 that `ids` (…) spell, the inverse of `ids()`: (…, n) float32."""
    weights = 2 ** torch.arange(n, device=ids.device)
    return ((ids.unsqueeze(-1) & weights) != 0).float() * 2 - 1
