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
    monkeypatch.setattr(module, "_SMALL", 0)
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


@pytest.mark.parametrize("kind", ["strided", "column", "expanded"])
def test_a_bias_may_lie_anyhow(library, kind):
    x, weight, _ = (t.detach() for t in inputs())
    bias = {
        "strided": torch.arange(2.0 * OUT)[::2],
        "column": torch.arange(4.0 * OUT).view(OUT, 4)[:, 1],
        "expanded": torch.full((1,), 2.0).expand(OUT),
    }[kind]
    expected = F.linear(x.double(), weight.double(), bias.double())
    torch.testing.assert_close(module.linear(x, weight, bias).double(), expected, rtol=1e-5, atol=1e-5)


def test_faults_are_told_as_pytorch_tells_them(library):
    x, weight, bias = inputs()
    for parts in ((x[:, 1:], weight, bias), (x, weight, bias[1:])):
        with pytest.raises(RuntimeError) as error:
            F.linear(*parts)
        with pytest.raises(RuntimeError) as ours:
            module.linear(*parts)
        assert str(ours.value) == str(error.value)


def test_a_frozen_layer_keeps_nothing_that_its_gradient_does_not_need(library):
    """The input may be written over where the weight is frozen, the weight where the input needs no gradient."""
    x, weight, bias = inputs()
    h = x * 1
    out = module.linear(h, weight.detach(), bias.detach())
    h.zero_()
    out.sum().backward()
    torch.testing.assert_close(x.grad, weight.detach().sum(0).expand(ROWS, -1))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_transforms_traces_and_exports_work(library):
    layer = Linear(IN, OUT)
    x = inputs()[0].detach()
    expected = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(torch.func.vmap(lambda row: layer(row[None])[0])(x), expected)
    jacobian = torch.func.jacrev(layer)(x[:2])
    torch.testing.assert_close(jacobian[0, :, 0], layer.weight)
    torch.testing.assert_close(torch.jit.trace(layer, x)(x), expected)
    rows = torch.export.Dim("rows", min=2, max=1000)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: rows},)).module()
    torch.testing.assert_close(program(x[:3]), expected[:3])


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
    monkeypatch.setattr(module, "_SMALL", 0)
    monkeypatch.setattr(module, "_LARGE", ROWS * IN * OUT)
    monkeypatch.setattr(module._OneDNNLinear, "apply", lambda *args: seen.append(args) or F.linear(*args))
    x, weight, bias = inputs()
    module.linear(x, weight, bias)
    assert len(seen) == 1
    module.linear(x[1:], weight, bias)  # smaller
    module.linear(x.double(), weight.double(), bias.double())
    with monkeypatch.context() as patch:
        patch.setattr(module, "_SMALL", IN * OUT + 1)
        module.linear(x, weight, bias)
    module.linear(x.expand(2, -1, -1), weight, bias)
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.mkldnn, "enabled", False)
        module.linear(x, weight, bias)
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
