"""The graph auto-encoders as models: the bound against the evidence by quadrature, objectives by hand."""

import functools
import itertools
import math

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F
from torch import nn

from vaekit.distributions import DiagonalNormal
from vaekit.errors import OptionError
from vaekit.models.graph import GraphAutoencoder, GraphEncoder, GraphTensors, GraphVAE, PairDecoder, Sphere
from vaekit.nn.graph import GCN, Adjacency, Features
from vaekit.objectives import elbo, importance_weighted, reweighted
from vaekit.pairs import BernoulliPoissonGraph, InnerProductGraph
from vaekit.schema import Graph

DECODERS = {
    "inner product": ("inner_product", False),
    "bias": ("inner_product", True),
    "BP": ("bernoulli_poisson", False),
}
EVERY = pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)

PATH = ((0, 1), (1, 2), (2, 3))
GRAPH = Graph.from_edges([[0, 1], [1, 2], [0, 2], [2, 3]], n_nodes=5)  # node 4 stands alone


def tensors(graph, dtype=torch.float64):
    return GraphTensors(Features(graph, dtype=dtype), Adjacency(graph, dtype=dtype))


def model(graph, decoder=("inner_product", False), latent_dim=2, means=None):
    made = GraphVAE(
        GCN(graph.n_nodes, (4,), 2 * latent_dim, blocks=2), PairDecoder(*decoder), latent_dim=latent_dim, means=means
    ).double()
    if made.decoder.bias is not None:
        made.decoder.bias.data.fill_(-0.7)
    return made.eval()


@EVERY
def test_terms_have_their_shapes(decoder):
    x = tensors(GRAPH)
    assert len(x) == 1
    t = model(GRAPH, decoder, 3).terms(x, num_samples=7)
    assert {t.log_px.shape, t.log_pz.shape, t.log_qz.shape} == {(7, 1)}
    assert t.z.shape == (7, 1, 15) and t.kl is not None and t.kl.shape == (1, 15)
    for value in (elbo(t), elbo(t, analytic=False), importance_weighted(t), reweighted(t)):
        assert value.shape == (1,) and bool(torch.isfinite(value).all())


def test_the_units_of_a_graph_are_those_of_its_nodes_in_order():
    x, vae = tensors(GRAPH), model(GRAPH)
    nodes, whole = vae.node_posterior(x), vae.posterior(x)
    assert nodes.batch_shape == (5,) and whole.batch_shape == (1,)
    torch.testing.assert_close(whole.mu.view(5, 2), nodes.mu)
    torch.testing.assert_close(whole.log_sigma.view(5, 2), nodes.log_sigma)
    z = torch.randn(3, 1, 10, dtype=torch.float64)
    p = vae.decode(z)
    assert isinstance(p, InnerProductGraph)
    torch.testing.assert_close(p.z, z.view(3, 1, 5, 2))
    assert vae.target(x) is x.adjacency


@EVERY
def test_every_weight_gets_a_gradient(decoder):
    vae = model(GRAPH, decoder, means=Sphere()).train()
    for objective in (elbo, reweighted):
        vae.zero_grad()
        objective(vae.terms(tensors(GRAPH), 2)).mean().backward()
        for parameter in vae.parameters():
            assert parameter.grad is not None and bool(parameter.grad.any())
            assert bool(torch.isfinite(parameter.grad).all())


def test_the_prior_is_that_of_every_unit_and_draws_no_graphs():
    vae = model(GRAPH, latent_dim=3)
    t = vae.terms(tensors(GRAPH), 2)
    torch.testing.assert_close(t.log_pz, torch.distributions.Normal(0.0, 1.0).log_prob(t.z).sum(-1))
    with pytest.raises(NotImplementedError) as error:
        vae.dream(4)
    assert str(error.value) == (
        "A graph model has no distribution over the number of nodes: choose it, and give codes from N(0, I) of "
        "that many nodes to decode, for p(A|Z)."
    )


@functools.cache
def log_evidence(edges, decoder, points=32, n=4):
    """log p(A) for L = 1, by a Gauss-Hermite grid of `points` in each of the N codes; all with dense matrices."""
    x, w = np.polynomial.hermite_e.hermegauss(points)
    log_w = np.log(w / w.sum())
    total = sum(np.meshgrid(*[log_w] * n, indexing="ij"))
    axes = np.meshgrid(*[x] * n, indexing="ij")
    kind, bias = decoder
    for i, j in itertools.combinations(range(n), 2):
        if kind == "inner_product":
            s = axes[i] * axes[j] + (-0.7 if bias else 0.0)
            total += -np.logaddexp(0, -s if (i, j) in edges else s)
        else:
            rate = np.logaddexp(0, axes[i]) * np.logaddexp(0, axes[j])
            total += np.log(-np.expm1(-rate)) if (i, j) in edges else -rate
    return scipy.special.logsumexp(total)


@EVERY
@pytest.mark.parametrize("edges", [PATH, ((0, 1), (0, 2), (1, 2))], ids=["path", "triangle"])
def test_the_bound_lies_below_the_evidence_and_nears_it_with_samples(decoder, edges):
    graph = Graph.from_edges(edges, n_nodes=4)
    evidence = log_evidence(edges, decoder)
    assert abs(evidence - log_evidence(edges, decoder, 24)) < 1e-3  # the grid is fine enough
    vae, x, draws = model(graph, decoder, latent_dim=1), tensors(graph), 1500
    with torch.no_grad():
        t = vae.terms(x, draws)
        each = t.log_px + t.log_pz - t.log_qz
        se = float(each.std()) / draws**0.5
        a, b, tight = float(elbo(t, analytic=False)), float(elbo(t)), float(importance_weighted(t))
        weights = torch.softmax(each[:, 0], 0)
    assert b < evidence and a < evidence
    assert abs(a - b) <= 5 * se
    ratio_se = math.sqrt(max(float(weights.square().sum()) - 1 / draws, 0))  # of the mean weight, relative
    assert ratio_se < 0.1 and abs(tight - evidence) <= 5 * ratio_se + 1e-3


@EVERY
def test_the_prior_itself_as_posterior_gives_the_evidence_by_sampling(decoder):
    graph, evidence = Graph.from_edges(PATH, n_nodes=4), log_evidence(PATH, decoder)
    vae, draws = model(graph, decoder, latent_dim=1), 1500
    q = DiagonalNormal(torch.zeros(1, 4, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64))
    with torch.no_grad():
        t = vae.terms(tensors(graph), draws, posterior=q)
        likelihood = t.log_px.exp()
    error = 5 * float(likelihood.std()) / draws**0.5
    assert abs(float(likelihood.mean()) - math.exp(evidence)) <= error
    assert float(t.kl.sum()) == 0 and float(elbo(t)) < evidence


@pytest.mark.parametrize("beta", [1.0, 0.3])
@EVERY
def test_reweighted_by_hand(decoder, beta):
    """norm * mean cross-entropy of A + I plus (beta / N) * mean over nodes of the KL, as the authors' code has it."""
    x, vae, n = tensors(GRAPH), model(GRAPH, decoder), 5
    t = vae.terms(x, 3)
    dense = torch.from_numpy(GRAPH.adjacency.toarray()).double()
    total = float(dense.sum())
    costs = []
    for z in t.z.view(3, n, 2):
        s = z @ z.T + (-0.7 if decoder[1] else 0.0)
        if decoder[0] == "bernoulli_poisson":
            u = F.softplus(z)
            s = torch.log(torch.expm1(u @ u.T))
        weight = torch.tensor((n * n - total) / total, dtype=torch.float64)
        target = dense + torch.eye(n, dtype=torch.float64)
        cost = F.binary_cross_entropy_with_logits(s, target, pos_weight=weight)
        costs.append(n * n / ((n * n - total) * 2) * cost)
    q = vae.node_posterior(x)
    mu, log_std = q.mu, q.log_sigma
    kl = (0.5 / n) * (1 + 2 * log_std - mu.square() - log_std.exp().square()).sum(1).mean()  # their sign: minus KL
    expected = -torch.stack(costs).mean() + beta * kl
    torch.testing.assert_close(reweighted(t, beta=beta), expected[None], rtol=1e-12, atol=0)


def test_reweighted_is_of_graphs():
    from contracts import LIKELIHOOD_CASES, mlp_vae

    case = LIKELIHOOD_CASES[0]
    with pytest.raises(OptionError) as error:
        reweighted(mlp_vae(case).terms(case.rows(3, torch.float32)))
    assert str(error.value) == "objective='reweighted' needs a graph model whose KL has a closed form."


def test_decoders_by_name():
    z = torch.randn(5, 2)
    assert isinstance(PairDecoder()(z), InnerProductGraph) and PairDecoder()(z).bias is None
    assert isinstance(PairDecoder("bernoulli_poisson")(z), BernoulliPoissonGraph)
    biased = PairDecoder(bias=True)
    biased.bias.data.fill_(2.0)
    torch.testing.assert_close(biased(z).logits(torch.tensor([[0, 1]])), (z[0] @ z[1] + 2)[None])


def test_rows_on_a_sphere():
    sphere, x = Sphere(2.5), torch.randn(6, 3)
    x[2] = 0
    x.requires_grad_()
    out = sphere(x)
    lengths = torch.full((6,), 2.5)
    lengths[2] = 0
    torch.testing.assert_close(out.norm(dim=1), lengths)
    out.sum().backward()
    assert bool(torch.isfinite(x.grad).all()) and bool(torch.isfinite(sphere.length.grad))


class Own(nn.Module):
    """One graph convolution of dense features."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 6)

    def forward(self, features, adjacency):
        return adjacency @ self.linear(features)


def test_an_own_body_gets_a_head():
    graph = Graph(GRAPH, np.random.default_rng(0).normal(size=(5, 3)))
    x = tensors(graph, torch.float32)
    encoder = GraphEncoder(Own(), 6, 4)
    assert encoder(x.features, x.adjacency).shape == (5, 4)
    body = encoder.body(x.features.matrix, x.adjacency)
    torch.testing.assert_close(encoder(x.features, x.adjacency), encoder.head(body))


def test_log_sigma_has_its_range_when_scoring_alone():
    vae = model(GRAPH)
    vae.encoder.layers[-1].weight.data[:, 2:] = 1e6
    vae.encoder.layers[0].weight.data.abs_()
    x = tensors(GRAPH)
    assert float(vae.node_posterior(x).log_sigma.detach().max()) < 1e3
    assert float(vae.train().node_posterior(x).log_sigma.detach().max()) > 1e4


@EVERY
def test_the_autoencoder(decoder):
    x = tensors(GRAPH, torch.float32)
    auto = GraphAutoencoder(GCN(5, (4,), 2), PairDecoder(*decoder), 2)
    z = auto.encode(x)
    assert z.shape == (5, 2) and auto.decode(z).log_prob(x.adjacency).shape == ()
    on_sphere = GraphAutoencoder(auto.encoder, auto.decoder, 2, Sphere(2.0))
    torch.testing.assert_close(on_sphere.encode(x).norm(dim=1), torch.full((5,), 2.0))
