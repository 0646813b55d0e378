"""The distributions against torch's, Monte Carlo and finite differences."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vaekit import distributions
from vaekit.distributions import (
    DiagonalMixture,
    DiagonalNormal,
    DiscretisedLogistic,
    Factorised,
    FactorisedBernoulli,
    summed,
)


@pytest.fixture
def normal():
    return DiagonalNormal(torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64))


def torchs(q):
    return Independent(Normal(q.mean, q.stddev), 1)


def test_normal_log_prob_and_entropy_equal_torchs(normal):
    z = 3 * torch.randn(7, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(normal.log_prob(z), torchs(normal).log_prob(z))
    torch.testing.assert_close(normal.entropy(), torchs(normal).entropy())
    torch.testing.assert_close(normal.variance, normal.stddev**2)
    assert normal.log_prob(z).shape == (7, 4)


def test_normal_kl_equals_torchs_and_monte_carlo(normal):
    standard = Normal(torch.zeros((), dtype=torch.float64), 1.0)
    exact = normal.kl_units()
    torch.testing.assert_close(exact, kl_divergence(Normal(normal.mean, normal.stddev), standard))
    z = normal.rsample((20_000,))
    each = normal.log_prob(z) - standard.log_prob(z).sum(-1)
    assert bool(((each.mean(0) - exact.sum(-1)).abs() <= 5 * each.std(0) / 20_000**0.5).all())


def test_draws_without_a_gradient_leave_those_of_later_draws_alone(normal):
    q = DiagonalNormal(normal.mean.clone().requires_grad_(), normal.stddev.log().requires_grad_())
    q.sample()
    for _ in range(2):
        q.rsample().square().sum().backward()
    assert bool((q.mu.grad != 0).all()) and bool((q.log_sigma.grad != 0).all())


def test_normal_kl_has_second_derivatives(normal):
    parameters = normal.mean.clone().requires_grad_(), normal.stddev.log().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda *p: DiagonalNormal(*p).kl_units(), parameters)


def test_normal_kl_keeps_its_digits_near_the_prior():
    """There sigma^2 - 1 - 2 log sigma is the difference of nearly equal numbers: in float32 all digits would go."""
    log_sigma = torch.tensor([[1e-3, -1e-3, 1e-2]])
    exact = DiagonalNormal(torch.zeros(1, 3).double(), log_sigma.double()).kl_units()
    values = DiagonalNormal(torch.zeros(1, 3), log_sigma).kl_units()
    assert bool((values >= 0).all())
    torch.testing.assert_close(values.double(), exact, rtol=1e-3, atol=1e-9)


def test_normal_samples_are_mean_plus_scaled_noise(normal):
    noise = torch.randn(5, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(normal.rsample((5,), noise=noise), normal.mean + normal.stddev * noise)
    assert normal.rsample().shape == (4, 3)
    assert not normal.sample((2,)).requires_grad


@pytest.mark.parametrize("lead", [(), (1,), (2,), (3, 1)])
def test_one_sample_and_many_have_the_shape_that_is_asked_for(lead):
    mu, log_sigma = torch.randn(5, 2), torch.randn(5, 2)
    noise = torch.randn(*lead, 5, 2)
    z = DiagonalNormal(mu, log_sigma).rsample(lead, noise=noise)
    torch.testing.assert_close(z, mu + log_sigma.exp() * noise)
    assert z.shape == (*lead, 5, 2)


def test_normal_gradients():
    mu, log_sigma = (torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    noise = torch.randn(4, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m, s: DiagonalNormal(m, s).kl_units(), (mu, log_sigma))
    assert torch.autograd.gradcheck(
        lambda m, s: DiagonalNormal(m, s).log_prob(DiagonalNormal(m * 2, s).rsample((4,), noise=noise)), (mu, log_sigma)
    )


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_bernoulli_equals_torchs(shape):
    logits = 4 * torch.randn(5, 1, *shape, dtype=torch.float64)
    x = torch.bernoulli(torch.full((7, *shape), 0.4, dtype=torch.float64))
    p = FactorisedBernoulli(logits, len(shape))
    torch.testing.assert_close(p.log_prob(x), Independent(Bernoulli(logits=logits), len(shape)).log_prob(x))
    torch.testing.assert_close(p.mean, torch.sigmoid(logits))
    torch.testing.assert_close(p.variance, Bernoulli(logits=logits).variance)
    assert p.sample((3,)).shape == (3, 5, 1, *shape)


@pytest.mark.parametrize("lead", [(), (4, 1), (4, 3)])
def test_bernoulli_gradients_by_logits_and_by_value(lead):
    logits = torch.randn(*lead, 5, dtype=torch.float64, requires_grad=True)
    value = torch.rand(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, x: FactorisedBernoulli(a, 1).log_prob(x), (logits, value))
    fixed = logits.detach()
    assert torch.autograd.gradcheck(lambda x: FactorisedBernoulli(fixed, 1).log_prob(x), (value,))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32, torch.float64])
def test_bernoulli_takes_values_of_any_type_and_keeps_that_of_its_logits(dtype):
    logits = torch.linspace(-3, 3, 12, dtype=torch.float64).view(3, 4)
    x = torch.arange(4).remainder(2).to(dtype)
    p = FactorisedBernoulli(logits, 1)
    assert torch.equal(p.log_prob(x), p.log_prob(x.double())) and p.log_prob(x).dtype == torch.float64


def test_bernoulli_at_saturated_logits():
    p = FactorisedBernoulli(torch.tensor([1e4, -1e4]), 1)
    assert float(p.log_prob(torch.tensor([1.0, 0.0]))) == 0
    assert float(p.log_prob(torch.tensor([0.0, 1.0]))) == -2e4
    assert float(p.variance.sum()) == 0


def test_bernoulli_sums_in_full_precision_under_autocast():
    logits, x = torch.randn(3, 784), torch.bernoulli(torch.full((3, 784), 0.5))
    plain = FactorisedBernoulli(logits, 1).log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = FactorisedBernoulli(logits, 1).log_prob(x)
    assert torch.equal(inside, plain)


def test_discretised_logistic_samples_follow_its_probabilities():
    p = DiscretisedLogistic(torch.tensor([2.2, -3.0, 9.0]), torch.tensor([1.5, 0.7, 0.3]), 8)
    n = 20_000
    x = p.sample((n,))
    assert bool(((x >= 0) & (x <= 7) & (x == x.round())).all())
    for level in range(8):
        prob = p.log_prob(torch.full((3,), float(level))).exp()
        error = (x == level).float().mean(0) - prob
        assert bool((error.abs() <= 5 * (prob * (1 - prob) / n).sqrt() + 1e-4).all())


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 4)])
def test_a_mixture_gives_as_many_samples_as_are_asked_for(shape):
    p = DiagonalMixture(torch.zeros(2), torch.randn(2, 3), torch.zeros(2, 3))
    assert p.sample(shape).shape == (*shape, 3)


def test_factorised_sums_what_counts():
    base = Normal(torch.zeros(2, 3), torch.ones(2, 3))
    counted = torch.tensor([True, False, True])
    x = torch.tensor([[1.0, torch.inf, 2.0], [0.0, 3.0, 0.0]])
    p = Factorised(base, 1, counted)
    expected = torch.tensor([-2.5, 0.0]) - math.log(2 * math.pi)
    torch.testing.assert_close(p.log_prob(x), expected)
    assert (p.batch_shape, p.event_shape) == ((2,), (3,))
    torch.testing.assert_close(p.variance, torch.tensor([1.0, 0.0, 1.0]).expand(2, 3))
    assert bool((p.sample((5,))[..., 1] == 0).all())
    torch.testing.assert_close(Factorised(base, 2).log_prob(x[:, ::2].repeat(1, 2)[:, :3]).shape, torch.Size([]))


@pytest.mark.parametrize("together", [1, 100, 10_000])
def test_sums_over_nodes_are_those_of_all_at_once(together, monkeypatch):
    t = torch.randn(4, 5, dtype=torch.float64)
    nodes, shares = torch.linspace(-2, 2, 7, dtype=torch.float64)[:, None], torch.rand(7, 5, dtype=torch.float64)
    expected = (torch.sinh(t.unsqueeze(-2) * nodes) * shares).sum(-2)
    monkeypatch.setattr(distributions, "_TOGETHER", together)
    found = summed(lambda node, share: torch.sinh(t.unsqueeze(-2) * node) * share, t, nodes, shares)
    torch.testing.assert_close(found, expected)
