"""Each kernel against the plain formula that it stands for, value and gradient."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kronosforge.model import kernels
from kronosforge.model.layers import Rotary


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def test_rms_norm_equals_its_formula() -> None:
    x, weight, slope = (t.detach().float().requires_grad_() for t in tensors((2, 5, 8), (8,), (2, 5, 8)))
    plain = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight
    expected = [plain, *torch.autograd.grad(plain, (x, weight), slope)]
    ours = kernels.rms_norm(x, weight, 1e-5)
    for actual, wanted in zip([ours, *torch.autograd.grad(ours, (x, weight), slope)], expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-6)


def test_rotation_equals_its_formula() -> None:
    (x,) = tensors((2, 3, 7, 8))
    cos, sin = Rotary(8).double()(torch.arange(7))
    half = torch.cat((-x[..., 4:], x[..., :4]), dim=-1)
    plain = x * torch.cat((cos, cos), -1) + half * torch.cat((sin, sin), -1)
    torch.testing.assert_close(kernels.rotate(x, cos, sin), plain)
    assert torch.autograd.gradcheck(lambda t: kernels.rotate(t, cos, sin), x)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_equals_torchs(causal: bool) -> None:
    q, k, v, slope = tensors(*[(2, 3, 6, 4)] * 4)
    plain = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    ours = kernels.attention(q, k, v, p=0.0, causal=causal)
    torch.testing.assert_close(ours, plain)
    for actual, wanted in zip(
        torch.autograd.grad(ours, (q, k, v), slope), torch.autograd.grad(plain, (q, k, v), slope), strict=True
    ):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(3)
    n = 400_000
    kept = kernels.dropout(torch.ones(n), p, training=True)
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p)).item()}
    deviation = math.sqrt(p * (1 - p) / n)
    assert abs(float((kept == 0).float().mean()) - p) < 4 * deviation
    for lane in range(4):  # four masks come from one draw: none of them may lean
        assert abs(float((kept[lane::4] == 0).float().mean()) - p) < 8 * deviation
    pairs = ((kept[:-1] == 0) & (kept[1:] == 0)).float().mean()
    assert abs(float(pairs) - p * p) < 5 * deviation


def test_dropout_follows_torchs_seed_and_is_off_in_eval() -> None:
    x = torch.randn(5, 3)
    torch.manual_seed(1)
    first = kernels.dropout(x, 0.5, training=True)
    torch.manual_seed(1)
    assert torch.equal(kernels.dropout(x, 0.5, training=True), first)
    assert kernels.dropout(x, 0.5, training=False) is x
