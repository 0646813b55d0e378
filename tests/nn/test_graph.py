"""Graphs as tensors, and graph convolutions, against the same written out with dense matrices."""

import warnings

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn

from vaekit.nn.graph import GCN, Adjacency, Features, GraphConvolution, csr_of, sparse_product
from vaekit.schema import Graph

# A triangle with a tail and weights; node 4 stands alone.
WEIGHTED = Graph.from_edges([[0, 1], [1, 2], [0, 2], [2, 3]], [1.0, 2.0, 0.5, 4.0], n_nodes=5)


def float64(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bag_of_words(n=12, words=7, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 4, (n, words)) * (rng.random((n, words)) < 0.3)
    x[3] = 0
    return x.astype(float)


def featured(kind, n=12):
    """The same features dense and sparse; or none, which are X = I."""
    rng = np.random.default_rng(5)
    x = bag_of_words(n)
    given = {"dense": x, "sparse": scipy.sparse.csr_array(x), "identity": None}[kind]
    return Graph(np.triu(rng.random((n, n)) < 0.3, 1), given), torch.eye(n) if kind == "identity" else torch.tensor(x)


KINDS = pytest.mark.parametrize("kind", ["dense", "sparse", "identity"])


def test_sparse_tensors_leave_alone_what_python_has_warned_of():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")  # once a place, unless the filters change in between
        for _ in range(3):
            csr_of(scipy.sparse.eye_array(3, format="csr"), "cpu", torch.float32)
            warnings.warn("Said.", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["Said."]


# -- adjacency ---------------------------------------------------------------------------------------------------------


def test_the_normalised_adjacency_by_hand():
    weights = np.zeros((5, 5))
    for (i, j), w in zip([(0, 1), (1, 2), (0, 2), (2, 3)], [1.0, 2.0, 0.5, 4.0], strict=True):
        weights[i, j] = weights[j, i] = w
    looped = weights + np.eye(5)
    degree = np.array([2.5, 4.0, 7.5, 5.0, 1.0])  # the isolated node has its own loop alone
    np.testing.assert_array_equal(looped.sum(1), degree)
    expected = looped / np.sqrt(np.outer(degree, degree))
    adjacency = Adjacency(WEIGHTED, dtype=torch.float64)
    np.testing.assert_allclose(adjacency.normalised.to_dense(), expected, rtol=1e-15)
    assert adjacency.normalised.to_dense()[4].tolist() == [0, 0, 0, 0, 1]
    x = float64(5, 3)
    torch.testing.assert_close(adjacency @ x, torch.from_numpy(expected) @ x, rtol=1e-14, atol=1e-15)


def test_edges_in_one_and_in_both_directions():
    adjacency = Adjacency(WEIGHTED)
    assert adjacency.n_nodes == 5 and adjacency.edges.tolist() == [[0, 1], [0, 2], [1, 2], [2, 3]]
    assert adjacency.edge_index.tolist() == [[0, 0, 1, 1, 2, 2, 2, 3], [1, 2, 0, 2, 0, 1, 3, 2]]
    assert adjacency.edge_weight.tolist() == [1, 0.5, 1, 2, 0.5, 2, 4, 4]
    assert {adjacency.edges.dtype, adjacency.edge_index.dtype} == {torch.int64}
    assert adjacency.edge_weight.dtype == torch.float32


def test_a_graph_without_edges():
    adjacency = Adjacency(Graph.from_edges([], n_nodes=3), dtype=torch.float64)
    assert adjacency.edges.shape == (0, 2) and adjacency.edge_index.shape == (2, 0)
    x = float64(3, 2)
    assert torch.equal(adjacency @ x, x)
    assert not adjacency.symmetric(torch.zeros(0)).to_dense().any()


def test_values_of_edges_as_a_symmetric_matrix():
    rng = np.random.default_rng(0)
    graph = Graph(np.triu(rng.random((30, 30)) < 0.3, 1))
    adjacency, values = Adjacency(graph), torch.randn(graph.n_edges)
    expected = torch.zeros(30, 30)
    for (i, j), value in zip(graph.edges, values, strict=True):
        expected[i, j] = expected[j, i] = value
    assert torch.equal(adjacency.symmetric(values).to_dense(), expected)


def test_sparse_products_agree_with_differences():
    matrix = scipy.sparse.random_array((6, 4), density=0.5, rng=np.random.default_rng(0), format="csr")
    a = csr_of(matrix, "cpu", torch.float64)
    at = csr_of(scipy.sparse.csr_array(matrix.T), "cpu", torch.float64)
    x = float64(4, 3).requires_grad_()
    torch.testing.assert_close(sparse_product(a, at, x), torch.from_numpy(matrix.toarray()) @ x)
    assert torch.autograd.gradcheck(lambda x: sparse_product(a, at, x), (x,))
    assert torch.autograd.gradgradcheck(lambda x: sparse_product(a, at, x).pow(3), (x,))
    adjacency = Adjacency(WEIGHTED, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: adjacency @ x, (float64(5, 2).requires_grad_(),))


# -- features ----------------------------------------------------------------------------------------------------------


@KINDS
def test_features_multiply_as_the_dense_matrix(kind):
    graph, x = featured(kind)
    features, x = Features(graph, dtype=torch.float64), x.double()
    weight, upstream = float64(x.shape[1], 4).requires_grad_(), float64(12, 4, seed=1)
    assert features.shape == tuple(x.shape)
    torch.testing.assert_close(features.product(weight), x @ weight)
    torch.testing.assert_close(torch.autograd.grad(features.product(weight), weight, upstream)[0], x.T @ upstream)
    assert torch.autograd.gradcheck(lambda w: features.product(w), (weight,))
    dense = features.dense()
    assert dense is None if kind == "identity" else torch.equal(dense, x)


def test_features_that_are_not_used_are_the_identity():
    features = Features(featured("dense")[0], use=False)
    assert features.shape == (12, 12) and features.matrix is None and features.dense() is None
    weight = torch.randn(12, 3)
    assert torch.equal(features.product(weight), weight)


@KINDS
def test_dropout_has_one_mask_forward_and_backward(kind):
    """The product is linear in W, so that its gradient shows the matrix that backward used."""
    graph, x = featured(kind)
    features, x = Features(graph, dtype=torch.float64), x.double()
    weight = torch.eye(x.shape[1], dtype=torch.float64, requires_grad=True)
    dropped = features.product(weight, dropout=0.4)  # W = I: the product is the dropped matrix
    upstream = float64(*dropped.shape, seed=1)
    (slope,) = torch.autograd.grad(dropped, weight, upstream)
    torch.testing.assert_close(slope, dropped.detach().T @ upstream)
    ratio = dropped.detach()[x != 0] / x[x != 0]
    assert set(ratio.unique().round(decimals=12).tolist()) == {0.0, round(1 / 0.6, 12)}
    assert not dropped.detach()[x == 0].any()


@KINDS
def test_dropout_keeps_the_mean(kind):
    """Over 4,000 masks, each entry within five standard errors."""
    graph, x = featured(kind)
    features, weight, draws = Features(graph), torch.eye(x.shape[1]), 4000
    total = sum((features.product(weight, 0.25) for _ in range(draws)), torch.zeros(x.shape))
    error = 5 * (0.25 / 0.75 / draws) ** 0.5 * x.abs()  # the standard deviation of x m / 0.75
    assert bool(((total / draws - x).abs() <= error + 1e-5).all())


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_unit_rows(kind, scale):
    x = bag_of_words() * scale
    given = Graph(np.eye(12, k=1), scipy.sparse.csr_array(x) if kind == "sparse" else x)
    matrix = Features(given, unit_rows=True).dense()
    length = np.sqrt((bag_of_words() ** 2).sum(1))
    length[length == 0] = 1
    np.testing.assert_allclose(matrix, bag_of_words() / length[:, None], rtol=1e-6)
    assert not matrix[3].any()
    np.testing.assert_allclose(Features(given).dense(), x, rtol=1e-6)  # the graph's own are left as they were


# -- networks ----------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
def test_gcn_equals_dense_products(kind, hidden):
    graph, x = featured(kind)
    features, adjacency = Features(graph, dtype=torch.float64), Adjacency(graph, dtype=torch.float64)
    net = GCN(features.shape[1], hidden, 3, activation="tanh").double()
    h, normalised = x.double(), adjacency.normalised.to_dense()
    for place, layer in enumerate(net.layers):
        h = normalised @ (torch.tanh(h) if place else h) @ layer.weight
    out = net(features, adjacency)
    torch.testing.assert_close(out, h)
    upstream = float64(12, 3, seed=1)
    weights = list(net.parameters())
    for ours, dense in zip(*(torch.autograd.grad(y, weights, upstream) for y in (out, h)), strict=True):
        torch.testing.assert_close(ours, dense)


def test_gcn_drops_in_training_alone():
    graph, _ = featured("sparse")
    features, adjacency = Features(graph), Adjacency(graph)
    net = GCN(7, (6,), 3, dropout=0.5)
    assert not torch.equal(net(features, adjacency), net(features, adjacency))
    net.eval()
    assert torch.equal(net(features, adjacency), net(features, adjacency))


def test_blocks_start_as_layers_of_their_own():
    """Glorot's bound is that of one head's width, not of both side by side."""
    layer = GraphConvolution(400, 8, blocks=2)
    bound = (6 / (400 + 4)) ** 0.5
    assert layer.weight.shape == (400, 8)
    for part in layer.weight.detach().chunk(2, 1):
        assert 0.98 * bound < float(part.abs().max()) <= bound
    single = nn.init.xavier_uniform_(torch.empty(400, 8))
    assert float(single.abs().max()) < 0.999 * bound
    assert [tuple(p.shape) for p in GCN(5, (4,), 6, blocks=2).parameters()] == [(5, 4), (4, 6)]


def test_permuted_nodes_have_permuted_outputs():
    graph, x = featured("dense")
    order = np.random.default_rng(0).permutation(12)
    moved = Graph(graph.adjacency[order][:, order], x.numpy()[order])
    net = GCN(7, (6,), 3)
    out = net(Features(graph), Adjacency(graph))
    torch.testing.assert_close(net(Features(moved), Adjacency(moved)), out[order])
