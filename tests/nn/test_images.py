"""Convolutional networks of any size, and masked ones that see the past alone."""

import pytest
import torch

from vaekit.nn import ConvDecoder, ConvEncoder, MaskedNetwork
from vaekit.nn.masked import GatedLayer, gate


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 7, 5), (2, 1, 9), (1, 3, 2)])
@pytest.mark.parametrize("channels", [(4,), (4, 6), (3, 4, 5)])
def test_any_size_there_and_back(shape, channels):
    code = ConvEncoder(shape, channels, 5)(torch.randn(3, *shape))
    assert code.shape == (3, 5)
    assert ConvDecoder(5, channels, shape)(code).shape == (3, *shape)


@pytest.mark.parametrize("shape", [(7, 6), (3, 4, 5)])
def test_every_pixel_counts(shape):
    """No pixel is cut off on the way in, and none is out of reach of the code."""
    x = torch.randn(1, *shape, requires_grad=True)
    ConvEncoder(shape, (4, 4), 8)(x).sum().backward()
    assert bool((x.grad != 0).all())
    maps = shape if len(shape) == 3 else (1, *shape)
    z = torch.randn(1, 4, requires_grad=True)
    out = ConvDecoder(4, (4, 4), maps)(z)
    reached = torch.stack([torch.autograd.grad(value, z, retain_graph=True)[0].abs().sum() for value in out.flatten()])
    assert bool((reached > 0).all())


def test_the_gate_by_differences_and_by_hand():
    x = torch.randn(2, 6, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gate, x)
    expected = torch.tanh(x[:, :3]) * torch.sigmoid(x[:, 3:])
    torch.testing.assert_close(gate(x), expected)
    torch.testing.assert_close(gate(x.detach()), expected.detach())


def dependence(of, x):
    """(outputs, inputs) booleans of places: whether a place's output moves with an input, by its gradient."""
    x = x.clone().requires_grad_()
    out, rows = of(x).sum((0, 1)), []
    for value in out.flatten():
        (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
        rows.append(gradient.abs().sum((0, 1)).flatten() > 0)
    return torch.stack(rows)


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_layers_look_up_and_left_alone(kernel_size):
    torch.manual_seed(0)
    layer, x = GatedLayer(3, kernel_size).double(), torch.randn(1, 3, 5, 6, dtype=torch.float64)
    places = torch.arange(30)
    rows = places // 6
    down = dependence(lambda v: layer(v, x)[0], x)
    assert not bool((down & (rows[None] > rows[:, None])).any())
    right = dependence(lambda h: layer(x, h)[1], x)
    assert not bool((right & (places[None] > places[:, None])).any())
    assert not bool((right & (rows[None] != rows[:, None])).any())
    assert bool(right.diagonal().all()) and bool(down.diagonal().all())


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("features", [0, 2])
def test_a_pixel_sees_all_before_it_and_nothing_else(kernel_size, features):
    """No blind spot: with enough layers every pixel before is seen; and none from itself on."""
    torch.manual_seed(0)
    network = MaskedNetwork(2, 3, features=features, layers=5, channels=4, kernel_size=kernel_size).double()
    maps = torch.randn(1, features, 4, 5, dtype=torch.float64) if features else None
    seen = dependence(lambda x: network(x, maps), torch.randn(1, 2, 4, 5, dtype=torch.float64))
    assert torch.equal(seen, torch.ones(20, 20).tril(-1).bool())


@pytest.mark.parametrize("features", [0, 2])
def test_drawing_row_by_row_equals_the_whole_pass(features):
    torch.manual_seed(0)
    network = MaskedNetwork(2, 3, features=features, layers=3, channels=4, kernel_size=5).double()
    maps = torch.randn(4, features, 6, 7, dtype=torch.float64) if features else None
    given = {}

    def draw(raw, i, j):
        given[i, j] = raw
        return torch.tanh(raw[:, :2] + torch.randn(4, 2))

    x = network.generate(torch.zeros(4, 2, 6, 7, dtype=torch.float64), draw, maps)
    whole = network(x, maps)
    for (i, j), raw in given.items():
        torch.testing.assert_close(raw, whole[:, :, i, j])
    assert len(given) == 42
