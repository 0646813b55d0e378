"""Every prior is a normalised density that agrees with its samples and with its KL."""

import pickle
import sys

import contracts as c
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.distributions import DiagonalMixture, DiagonalNormal
from vaekit.errors import MissingDependencyError
from vaekit.priors import FlowPrior, StandardNormal, VampPrior

EVERY = pytest.mark.parametrize("make", c.PRIORS.values(), ids=c.PRIORS)


@EVERY
def test_density_integrates_to_one(make):
    p, grid = make().requires_grad_(False)(), torch.linspace(-9, 9, 301)
    points = torch.cartesian_prod(*[grid] * p.event_shape[0]).view(-1, p.event_shape[0])
    step = 18 / 300
    assert abs(float(p.log_prob(points).exp().sum()) * step ** p.event_shape[0] - 1) < 1e-3


@EVERY
def test_samples_follow_the_density(make):
    """The mean of log p over samples is minus the entropy, which a sum over a grid gives."""
    prior = make().requires_grad_(False)
    p, dim = prior(), prior.latent_dim
    grid = torch.linspace(-12, 12, 601)
    points = torch.cartesian_prod(*[grid] * dim).view(-1, dim)
    log = p.log_prob(points).double()
    expected = float((log.exp() * log).sum()) * (24 / 600) ** dim
    sampled = p.log_prob(p.sample((20_000,)))
    assert abs(float(sampled.mean()) - expected) <= 5 * float(sampled.std()) / 20_000**0.5 + 1e-3


@EVERY
def test_closed_form_kl_equals_monte_carlo(make):
    prior = make()
    q = DiagonalNormal(torch.randn(6, prior.latent_dim), 0.5 * torch.randn(6, prior.latent_dim))
    kl = prior.kl_units(q)
    if not isinstance(prior, StandardNormal):
        assert kl is None
        return
    assert kl is not None and kl.shape == (6, prior.latent_dim)
    z = q.sample((20_000,))
    each = q.log_prob(z) - prior().log_prob(z)
    assert bool(((each.mean(0) - kl.sum(1)).abs() <= 5 * each.std(0) / 20_000**0.5).all())


def test_standard_normal_equals_scipy():
    z = torch.randn(5, 3)
    expected = scipy.stats.norm.logpdf(z.numpy()).sum(1)
    torch.testing.assert_close(StandardNormal(3)().log_prob(z).numpy(), expected, check_dtype=False)


def test_standard_normal_has_nothing_to_save():
    assert not StandardNormal(3).state_dict()


def test_no_closed_form_for_another_posterior():
    assert StandardNormal(2).kl_units(torch.distributions.Cauchy(torch.zeros(2), 1.0)) is None


def test_a_flow_without_zuko_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    with pytest.raises(MissingDependencyError) as error:
        FlowPrior(2)
    assert str(error.value) == "prior='flow' needs zuko: pip install zuko (it comes with the extra 'flows')."


def test_a_vampprior_needs_an_encoder_of_diagonal_normals():
    prior = VampPrior(2, torch.zeros(3, 4))
    with pytest.raises(TypeError, match="with the model's encoder"):
        prior()
    with pytest.raises(TypeError, match="diagonal normal posteriors"):
        prior(lambda x: torch.distributions.Cauchy(torch.zeros(len(x), 2), 1.0))


def test_the_mixture_is_exact_where_components_are_narrow():
    """Against scipy, at scales where a difference of squares in float32 would lose whole nats."""
    for centre, log_sigma in ((0.0, torch.full((5, 3), -6.0)), (1000.0, torch.full((5, 3), -10.0))):
        mu = centre + torch.randn(5, 3) * 4
        z = mu[2] + 0.5 * log_sigma[2].exp()
        expected = scipy.stats.norm.logpdf(z.double(), mu[2].double(), log_sigma[2].double().exp()).sum() - np.log(5)
        assert abs(float(DiagonalMixture(torch.zeros(5), mu, log_sigma).log_prob(z)) - expected) < 0.02


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # of torch.compile itself
def test_compilers_leave_the_splines_of_a_flow_alone_within_a_block():
    prior, seen = FlowPrior(3, transforms=1, hidden=(4,)), []
    z = torch.randn(5, 3)
    expected = prior().log_prob(z.sin()).cos()

    def backend(graph, inputs):
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    with prior.uncompiled():
        found = torch.compile(lambda z: prior().log_prob(z.sin()).cos(), backend=backend)(z)
    torch.testing.assert_close(found, expected)
    assert any("sin" in target for target in seen) and not any("gather" in target for target in seen)
    copy = pickle.loads(pickle.dumps(prior))  # which takes no function that the compiler has wrapped
    torch.testing.assert_close(copy().log_prob(z.sin()).cos(), expected)
