"""Linear maps: each library of matrix products against float64, and which of them is taken."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vaekit.nn import Linear
from vaekit.nn import linear as module

ROWS, IN, OUT = 7, 5, 3
onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this PyTorch was built without oneDNN",
)


@pytest.fixture(params=["PyTorch's choice", pytest.param("oneDNN", marks=onednn)])
def library(request, monkeypatch):
    """Either library, whatever this processor would take and however small the product."""
    monkeypatch.setattr(module, "_WIDE", request.param == "oneDNN")
    monkeypatch.setattr(module, "_LARGE", 0)
    return request.param


def inputs(dtype=torch.float32, bias=True):
    torch.manual_seed(0)
    shapes = [(ROWS, IN), (OUT, IN), (OUT,)][: 2 + bias]
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("bias", [True, False])
def test_value_and_gradients_equal_those_in_float64(library, bias):
    x = inputs(bias=bias)
    exact = [t.detach().double().requires_grad_() for t in x]
    upstream = torch.randn(ROWS, OUT)
    out, expected = module.linear(*x), F.linear(*exact)
    torch.testing.assert_close(out.double(), expected, rtol=1e-5, atol=1e-5)
    ours = torch.autograd.grad(out, x, upstream)
    theirs = torch.autograd.grad(expected, exact, upstream.double())
    for mine, right in zip(ours, theirs, strict=True):
        assert mine.is_contiguous()
        torch.testing.assert_close(mine.double(), right, rtol=1e-5, atol=1e-5)


def test_second_derivatives_equal_those_in_float64(library):
    def twice(x, weight, bias, linear):
        out = linear(x, weight, bias).pow(3).sum()
        (slope,) = torch.autograd.grad(out, x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), (weight, bias))

    ours, theirs = (
        twice(*inputs(), module.linear),
        twice(*[t.detach().double().requires_grad_() for t in inputs()], F.linear),
    )
    for mine, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.double(), right, rtol=1e-4, atol=1e-4)


def test_no_gradient_is_computed_that_nobody_asks_for(library):
    x, weight, bias = inputs()
    module.linear(x.detach(), weight, bias.detach()).sum().backward()
    assert weight.grad is not None and x.grad is None and bias.grad is None


@onednn
def test_only_large_products_of_float32_matrices_go_through_onednn(monkeypatch):
    seen = []
    monkeypatch.setattr(module, "_WIDE", True)
    monkeypatch.setattr(module, "_LARGE", ROWS * IN * OUT)
    monkeypatch.setattr(module._OneDNNLinear, "apply", lambda *args: seen.append(args) or F.linear(*args))
    x, weight, bias = inputs()
    module.linear(x, weight, bias)
    assert len(seen) == 1
    module.linear(x[1:], weight, bias)  # smaller
    module.linear(x.double(), weight.double(), bias.double())
    module.linear(x.expand(2, -1, -1), weight, bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module.linear(x, weight, bias).dtype == torch.bfloat16
    assert len(seen) == 1


def test_layer_is_a_linear_layer_of_pytorch():
    layer, torchs = Linear(IN, OUT), nn.Linear(IN, OUT)
    layer.load_state_dict(torchs.state_dict())
    x = inputs()[0]
    assert isinstance(layer, nn.Linear)
    assert torch.equal(layer(x), torchs(x))


def test_compiled_graphs_take_pytorchs_own(library):
    layer = Linear(IN, OUT)
    graphs = []

    def backend(graph, _):
        graphs.append(graph.code)
        return graph.forward

    x = inputs()[0]
    torch.testing.assert_close(torch.compile(layer, backend=backend)(x), F.linear(x, layer.weight, layer.bias))
    assert len(graphs) == 1 and "linear_pointwise" not in graphs[0]
