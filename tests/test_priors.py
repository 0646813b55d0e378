"""Every prior is a normalised density that agrees with its samples and with its KL."""

import contracts as c
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.distributions import DiagonalNormal
from vaekit.priors import StandardNormal

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
