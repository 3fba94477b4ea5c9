"""A product is the layers it stands for, by whichever routine it is computed."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kronosforge.forecast.trunk import FEW, Product
from kronosforge.model.layers import RMSNorm

WIDTH, OUT = 64, (96, 40)


@pytest.fixture(params=[True, False], ids=["with oneDNN", "without"])
def layers(request, monkeypatch):
    """Two layers with biases after a norm, all with weights that no factor of one could hide."""
    if not request.param:
        monkeypatch.setattr("torch.backends.mkldnn.is_available", lambda: False)
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)  # a lone row is computed in as many parts as go into OUT
    torch.manual_seed(0)
    norm = RMSNorm(WIDTH)
    nn.init.uniform_(norm.weight, 0.5, 2)
    return norm, [nn.Linear(WIDTH, out) for out in OUT]


@pytest.mark.parametrize("rows", [1, 2, FEW, FEW + 1])
@torch.inference_mode()
def test_a_product_is_the_norm_and_the_layers(layers, rows):
    norm, linears = layers
    x = torch.randn(1, rows, WIDTH)
    expected = torch.cat([linear(norm(x)) for linear in linears], dim=-1)
    torch.testing.assert_close(Product.of(*linears, norm=norm)(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, FEW, FEW + 1])
@torch.inference_mode()
def test_a_product_is_added_in_place(layers, rows):
    linear = layers[1][0]
    x, sums = torch.randn(1, rows, WIDTH), torch.randn(1, rows, OUT[0])
    expected = sums + linear(x)
    Product.of(linear).add_to(sums, x)
    torch.testing.assert_close(sums, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, FEW + 1])
@torch.inference_mode()
def test_rearranging_scales_and_then_orders_the_outputs(layers, rows):
    linear = layers[1][0]
    x, order, scale = torch.randn(1, rows, WIDTH), torch.randperm(OUT[0]), torch.rand(OUT[0])
    product = Product.of(linear).rearranged(order, scale)(x)
    torch.testing.assert_close(
        product, (F.linear(x, linear.weight, linear.bias) * scale)[..., order], rtol=0, atol=1e-5
    )
