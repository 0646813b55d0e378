"""Networks against the same written out in numpy."""

import numpy as np
import pytest
import scipy.special
import torch

from vaekit.nn import ACTIVATIONS, MLP, GreyLevels, OneHot, Standardise

FORMULAS = {
    "elu": lambda a: np.where(a > 0, a, np.expm1(a)),
    "gelu": lambda a: a * scipy.special.ndtr(a),
    "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": scipy.special.expit,
    "silu": lambda a: a * scipy.special.expit(a),
    "softplus": lambda a: np.logaddexp(a, 0),
    "tanh": np.tanh,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (7,), (7, 3)])
def test_mlp_equals_numpy(activation, hidden):
    net = MLP(5, hidden, 2, activation).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    h = x.numpy()
    for i, layer in enumerate(net.layers):
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = FORMULAS[activation](h) if i < len(hidden) else h
    np.testing.assert_allclose(net(x).detach(), h, rtol=1e-10, atol=1e-12)
    assert net.output is net.layers[-1]


def test_mlp_flattens_rows():
    net = MLP(6, (4,), 2)
    x = torch.randn(3, 2, 3)
    assert torch.equal(net(x), net(x.flatten(1)))


def test_standardise():
    layer = Standardise((2,))
    layer.loc.copy_(torch.tensor([1.0, 2.0]))
    layer.scale.copy_(torch.tensor([2.0, 4.0]))
    torch.testing.assert_close(layer(torch.tensor([[3.0, 10.0]])), torch.tensor([[1.0, 2.0]]))
    assert set(layer.state_dict()) == {"loc", "scale"}


def test_standardise_counts_by_their_logarithm():
    x = torch.tensor([[0.0, 5.0, -1.0]])
    torch.testing.assert_close(Standardise((3,), log1p=True)(x), torch.tensor([[0.0, np.log(6.0), 0.0]]).float())


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_one_hot(shape):
    codes = torch.randint(0, 4, (5, *shape))
    out = OneHot(4)(codes.float())
    assert out.shape == (5, 4, *shape) and bool((out.sum(1) == 1).all())
    assert torch.equal(out.argmax(1), codes)


def test_grey_levels():
    x = torch.tensor([[255, 128, 127, 51]], dtype=torch.uint8)
    torch.testing.assert_close(GreyLevels(255)(x), x / 255)
    assert GreyLevels(255, cut=True)(x).tolist() == [[1.0, 1.0, 0.0, 0.0]]
