"""Objectives against hand computations, the evidence of a linear-Gaussian model and its analytic gradient."""

import math

import contracts as c
import numpy as np
import pytest
import torch
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.errors import OptionError
from vaekit.models.base import Terms
from vaekit.objectives import (
    FactorObjective,
    doubly_reparameterised,
    elbo,
    importance_weighted,
    sticking_the_landing,
    total_correlation,
)
from vaekit.priors import Prior, StandardNormal

EVERY = pytest.mark.parametrize("case", c.OBJECTIVES, ids=[case.id for case in c.OBJECTIVES])

BOUNDS = [case for case in c.OBJECTIVES if case.bounds_evidence]


class NoClosedForm(Prior):
    """N(0, I) that does not know its KL."""

    latent_dim = 2

    def forward(self, encoder=None):
        return DiagonalNormal(torch.zeros(2), torch.zeros(2))


class Given(Distribution):
    """A likelihood whose log-probabilities are known."""

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, log_px):
        self.log_px = log_px
        super().__init__(log_px.shape, validate_args=False)

    def log_prob(self, value):
        return self.log_px


def given(log_px, *rest):
    return Terms(Given(log_px), None, *rest)


def terms(K=3, B=4, prior=None):
    q = DiagonalNormal(torch.randn(B, 2), 0.3 * torch.randn(B, 2))
    return given(torch.randn(K, B), q.rsample((K,)), q, prior or StandardNormal(2), lambda x: q)


@EVERY
def test_one_finite_value_per_example_with_gradients_for_all_weights(case):
    model = c.mlp_vae(c.LIKELIHOOD_CASES[0])
    x = c.LIKELIHOOD_CASES[0].rows(6, torch.float32)
    for samples in (1, 4):
        value = case.call(model.terms(x, samples))
        assert value.shape == (6,)
        value.mean().backward()
        for parameter in model.parameters():
            assert parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())


@pytest.mark.parametrize("case", BOUNDS, ids=[case.id for case in BOUNDS])
@pytest.mark.parametrize("off", [0.0, 0.3])
def test_bounds_lie_below_the_evidence(case, off):
    exact = c.LinearGaussian(off)
    with torch.no_grad():
        values = case.call(exact.model.terms(torch.from_numpy(exact.x), 5)).double().numpy()
    gap = exact.log_evidence() - values
    assert gap.mean() >= -3 * gap.std() / len(gap) ** 0.5 - 1e-4


def test_elbo_by_hand():
    t = terms()
    mu, sigma = t.posterior.mean, t.posterior.stddev
    kl = 0.5 * (mu**2 + sigma**2 - 1 - (sigma**2).log())
    torch.testing.assert_close(elbo(t), t.log_px.mean(0) - kl.sum(1))
    torch.testing.assert_close(elbo(t, beta=2.5), t.log_px.mean(0) - 2.5 * kl.sum(1))
    torch.testing.assert_close(elbo(t, beta=0.0), t.log_px.mean(0))
    torch.testing.assert_close(elbo(t, beta=0.0, analytic=False), t.log_px.mean(0))
    ratio = (t.log_pz - t.log_qz).mean(0)
    torch.testing.assert_close(elbo(t, beta=2.5, analytic=False), t.log_px.mean(0) + 2.5 * ratio)


@pytest.mark.parametrize("free_bits", [0.0, 0.5])
def test_a_kl_without_weight_may_overflow(free_bits):
    log_sigma = torch.full((4, 2), 50.0, requires_grad=True)
    q = DiagonalNormal(torch.zeros(4, 2), log_sigma)
    t = given(q.rsample((3,)).sum(-1), q.mean[None], q, StandardNormal(2), lambda x: q)
    value = elbo(t, beta=0.0, free_bits=free_bits)
    assert bool(t.kl.isinf().all()) and torch.equal(value, t.log_px.mean(0))
    value.sum().backward()
    assert bool(log_sigma.grad.isfinite().all())


def test_free_bits_by_hand():
    """The floor is on a unit's KL averaged over the batch: rows below it may lie beside rows above it."""
    q = DiagonalNormal(torch.tensor([[2.0, 0.1], [0.0, 0.3]]), torch.zeros(2, 2))
    t = given(torch.tensor([[-1.0, -2.0]]), q.rsample((1,)), q, StandardNormal(2), lambda x: q)
    kept = (2.0 + 0.0) / 2 + 0.5  # unit 0: mean KL 1; unit 1: (0.005 + 0.045) / 2, lifted to the floor
    torch.testing.assert_close(elbo(t, free_bits=0.5), torch.tensor([-1.0 - kept, -2.0 - kept]))
    torch.testing.assert_close(elbo(t, free_bits=0.5, beta=2.0), torch.tensor([-1.0 - 2 * kept, -2.0 - 2 * kept]))


def test_free_bits_do_not_push_units_below_the_floor():
    mu = torch.tensor([[2.0, 0.1], [1.0, 0.3]], requires_grad=True)
    q = DiagonalNormal(mu, torch.zeros(2, 2))
    elbo(
        given(torch.zeros(1, 2), q.mean[None].detach(), q, StandardNormal(2), lambda x: q), free_bits=0.5
    ).mean().backward()
    torch.testing.assert_close(mu.grad, torch.tensor([[-1.0, 0.0], [-0.5, 0.0]]))


def test_importance_weighted_by_hand():
    t = terms(K=5)
    weights = (t.log_px + t.log_pz - t.log_qz).exp()
    torch.testing.assert_close(importance_weighted(t), weights.mean(0).log())
    powered = (t.log_px + 0.3 * (t.log_pz - t.log_qz)).exp()
    torch.testing.assert_close(importance_weighted(t, beta=0.3), powered.mean(0).log())


def test_importance_weighted_gives_its_largest_weight_to_the_best_sample():
    t = terms(K=5, B=1)
    log_px = t.log_px.clone().requires_grad_()
    value = importance_weighted(given(log_px, t.z, t.posterior, t.prior, t.encoder))
    (weights,) = torch.autograd.grad(value.sum(), log_px)
    total = (t.log_px + t.log_pz - t.log_qz)[:, 0]
    torch.testing.assert_close(weights[:, 0], torch.softmax(total, 0))
    assert int(weights[:, 0].argmax()) == int(total.argmax())


def test_importance_weighted_with_one_sample_is_estimator_a():
    t = terms(K=1)
    torch.testing.assert_close(importance_weighted(t), elbo(t, analytic=False))


def test_importance_weighted_survives_log_weights_far_from_zero():
    t = terms()
    far = given(t.log_px - 1e5, t.z, t.posterior, t.prior, t.encoder)
    torch.testing.assert_close(importance_weighted(far), importance_weighted(t) - 1e5, rtol=0, atol=0.02)


def test_estimators_agree_in_expectation():
    t = terms(K=1, B=3)
    q = t.posterior
    draws = 20_000
    many = given(torch.zeros(draws, 3), q.rsample((draws,)), q, t.prior, t.encoder)
    each = many.log_pz - many.log_qz
    error = elbo(many, analytic=False) - elbo(many)
    assert bool((error.abs() <= 5 * each.std(0) / draws**0.5).all())


@pytest.mark.parametrize("analytic", [True, False], ids=["B", "A"])
@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_gradients_agree_with_the_analytic_gradient(analytic, beta):
    exact = c.LinearGaussian(off=0.2, n=10)
    x = torch.from_numpy(exact.x)
    weights = [p for p in exact.model.parameters() if p.requires_grad]
    expected = torch.autograd.grad(exact.exact_elbo(x, beta).mean(), weights)
    draws = [
        torch.autograd.grad(elbo(exact.model.terms(x, 500), beta=beta, analytic=analytic).mean(), weights)
        for _ in range(60)
    ]
    for i, gradient in enumerate(expected):
        each = torch.stack([draw[i] for draw in draws])
        tolerance = 5 * each.std(0) / len(draws) ** 0.5 + 2e-5 * (1 + gradient.abs())
        assert bool(((each.mean(0) - gradient).abs() <= tolerance).all())


def test_free_bits_need_the_closed_form():
    with pytest.raises(OptionError) as error:
        elbo(terms(), free_bits=0.5, analytic=False)
    assert str(error.value) == "free_bits=0.5 needs the KL in closed form, kl='analytic'."


def test_a_prior_without_closed_form_needs_monte_carlo():
    t = terms(prior=NoClosedForm())
    with pytest.raises(OptionError) as error:
        elbo(t)
    assert str(error.value) == "This prior has no KL in closed form; use kl='monte_carlo'."
    assert np.isfinite(elbo(t, analytic=False).numpy()).all()
    assert math.isfinite(float(importance_weighted(t).sum()))


# -- gradients of the recognition network, against long Monte Carlo runs ---------------------------------------------


MANY = {"copies": 50, "draws": 40}  # for what is done row by row: as good as 2,000 draws


def gradients(call, samples, *, off=0.4, copies=1, draws=400, seed=0):
    """(draws, P) gradients with respect to the encoder's weights, for five rows of the linear-Gaussian model."""
    exact = c.LinearGaussian(off, n=5)
    x, weights = torch.from_numpy(exact.x).repeat(copies, 1), list(exact.model.encoder.parameters())
    torch.manual_seed(seed)
    rows = []
    for _ in range(draws):
        value = call(exact.model.terms(x, samples)).mean()
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, weights)]))
    return torch.stack(rows).double()


def agree(a, b, sigmas=5.0):
    """Whether the means of two sets of draws agree within their standard errors."""
    error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
    return bool(((a.mean(0) - b.mean(0)).abs() <= sigmas * error + 1e-6).all())


def gradient_of(value, exact):
    """(P,) gradient of one value with respect to the encoder's weights."""
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(exact.model.encoder.parameters()))]).double()


def equals(draws, exact, sigmas=5.0):
    """Whether the mean of the draws is the exact gradient, within its standard error."""
    return agree(draws, exact.expand(2, -1), sigmas)


def pair_bound(exact):
    """The mean over the rows of the bound with two samples, by Gauss-Hermite cubature over both."""
    x, q = torch.from_numpy(exact.x), exact.model.posterior(torch.from_numpy(exact.x))
    nodes, mass = np.polynomial.hermite_e.hermegauss(12)
    eps = torch.tensor([(a, b) for a in nodes for b in nodes], dtype=torch.float32)  # (N, L)
    mass = torch.tensor(np.outer(mass, mass).ravel() / mass.sum() ** 2)
    z = q.mean + q.stddev * eps[:, None]  # (N, B, L)
    normal = torch.distributions.Normal
    log_w = exact.model.decode(z).log_prob(x) + (
        normal(0.0, 1.0).log_prob(z) - normal(q.mean, q.stddev).log_prob(z)
    ).sum(-1)
    pairs = torch.logaddexp(log_w[:, None], log_w[None]).double() - math.log(2)
    return torch.einsum("i,j,ijb->b", mass, mass, pairs).mean()


def grid_total_correlation(q):
    """KL(q(z) || q(z_1) q(z_2)) of the mixture of the rows' posteriors, by a sum over a grid."""
    line = torch.linspace(-6, 6, 241, dtype=torch.float64)
    units = (
        torch.distributions.Normal(q.mean.double(), q.stddev.double()).log_prob(line[:, None, None]).exp()
    )  # (G, B, L)
    joint, (first, second) = torch.einsum("gb,hb->gh", units[..., 0], units[..., 1]) / len(q.mean), units.mean(1).T
    inside = joint * (joint.log() - first.log()[:, None] - second.log())
    return inside.sum() * (line[1] - line[0]) ** 2


@pytest.mark.parametrize("call", [importance_weighted, doubly_reparameterised])
def test_two_samples_have_the_gradient_that_cubature_gives(call):
    exact = c.LinearGaussian(0.4, n=5)
    bound = pair_bound(exact)
    with torch.no_grad():
        values = call(exact.model.terms(torch.from_numpy(exact.x).repeat(2000, 1), 2)).view(2000, 5).mean(1)
    assert abs(values.mean() - bound.item()) < 5 * values.std() / 2000**0.5
    assert equals(gradients(call, 2, **MANY), gradient_of(bound, exact))


@pytest.mark.parametrize("beta", [0.0, 4.0])
def test_the_whole_data_as_a_batch_give_the_gradient_of_the_total_correlation(beta):
    exact = c.LinearGaussian(0.4, n=5)
    x = torch.from_numpy(exact.x)
    value = exact.exact_elbo(x).mean() - (beta - 1) * grid_total_correlation(exact.model.posterior(x))
    assert equals(gradients(lambda t: total_correlation(t, 5, beta=beta), 4), gradient_of(value, exact))


@pytest.mark.parametrize(("beta", "floor"), [(1.0, 0.3), (0.4, 0.1), (0.4, 1.0)])
def test_free_bits_have_the_gradient_of_the_floored_bound(beta, floor):
    exact = c.LinearGaussian(0.4, n=5)
    x = torch.from_numpy(exact.x)
    kl = exact.model.posterior(x).kl_units().mean(0)  # 0.46 and 0.24: one, both and none above the floor
    value = exact.exact_elbo(x, 0.0).mean() - beta * kl.clamp_min(floor).sum()
    assert equals(gradients(lambda t: elbo(t, beta=beta, free_bits=floor), 3), gradient_of(value, exact))


@pytest.mark.parametrize(
    "call", [lambda t, beta: elbo(t, beta=beta, analytic=False), lambda t, beta: total_correlation(t, 5, beta=beta)]
)
def test_weight_on_a_sampled_divergence_adds_variance(call):
    low, high = (gradients(lambda t, b=beta: call(t, b), 1, draws=200).var(0).sum() for beta in (1.0, 32.0))
    assert float(high) > 4 * float(low)


@EVERY
def test_more_samples_mean_less_variance(case):
    one, many = (float(gradients(case.call, samples, draws=100).var(0).sum()) for samples in (1, 8))
    assert many < 0.5 * one


@pytest.mark.parametrize(("samples", "beta"), [(1, 1.0), (5, 1.0), (5, 0.3)])
def test_dreg_has_the_gradient_of_the_bound_with_less_variance(samples, beta):
    usual, doubly = (
        gradients(lambda terms, call=call: call(terms, beta=beta), samples, **MANY)
        for call in (importance_weighted, doubly_reparameterised)
    )
    assert agree(usual, doubly)
    assert float(doubly.var(0).sum()) < float(usual.var(0).sum())


def test_stl_is_unbiased_for_one_sample_and_biased_for_more():
    assert agree(gradients(importance_weighted, 1, **MANY), gradients(sticking_the_landing, 1, **MANY))
    assert not agree(gradients(importance_weighted, 10, **MANY), gradients(sticking_the_landing, 10, **MANY))


def test_path_gradients_vanish_at_the_posterior():
    """Where q is exact their variance is zero; that of estimator A is not."""
    noisy = gradients(importance_weighted, 1, off=0.0, draws=50)
    for call in (sticking_the_landing, doubly_reparameterised):
        path = gradients(call, 1, off=0.0, draws=50)
        assert float(path.abs().max()) < 1e-3 < float(noisy.abs().max())


def test_the_variance_of_the_elbo_orders():
    """Summed over the weights: the path derivative is below estimators A and B where q is nearly the posterior."""
    a = gradients(lambda t: elbo(t, analytic=False), 1, off=0.05).var(0).sum()
    b = gradients(elbo, 1, off=0.05).var(0).sum()
    stl = gradients(sticking_the_landing, 1, off=0.05).var(0).sum()
    assert float(stl) < 0.5 * min(float(a), float(b))


@pytest.mark.parametrize("call", [doubly_reparameterised, sticking_the_landing])
def test_path_objectives_keep_the_value_and_the_model_s_gradient(call):
    """Same value as the bound, and the same gradient for the decoder, sample by sample."""
    exact = c.LinearGaussian(0.3, n=6)
    x, found = torch.from_numpy(exact.x), []
    for objective in (importance_weighted, call):
        torch.manual_seed(1)
        value = objective(exact.model.terms(x, 4))
        decoder = torch.autograd.grad(value.sum(), list(exact.model.decoder.parameters()))
        found.append((value.detach(), *decoder))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("call", [doubly_reparameterised, sticking_the_landing, lambda t: total_correlation(t, 10)])
def test_a_hierarchy_has_no_path_objective(call):
    case = next(case for case in c.MODEL_CASES if case.id == "ladder")
    with pytest.raises(OptionError, match="one normal a row; a ladder has none"):
        call(case.make().terms(torch.from_numpy(case.data[:3]).float(), 2))


def test_total_correlation_by_hand():
    """Mutual information, total correlation and the units' own divergence, from the definition."""
    t, n, beta = terms(K=1, B=4), 10, 3.0
    q = torch.distributions.Normal(t.posterior.mean, t.posterior.stddev)
    log_q = q.log_prob(t.z[0][:, None])  # (B, B, L)
    scale = math.log(n * 4)
    joint = log_q.sum(-1).exp().sum(1).log() - scale
    units = (log_q.exp().sum(1).log() - scale).sum(-1)
    own = q.log_prob(t.z[0]).sum(-1)
    expected = t.log_px[0] - (own - joint) - beta * (joint - units) - (units - t.log_pz[0])
    torch.testing.assert_close(total_correlation(t, n, beta=beta), expected)
    torch.testing.assert_close(total_correlation(t, n), elbo(t, analytic=False))
    torch.testing.assert_close(total_correlation(t, n, beta=beta, weight=0.0), t.log_px[0])


def test_the_minibatch_estimate_is_exact_on_the_whole_data():
    """With the whole data set as the batch, log q(z) is that of the mixture of all posteriors, but for log n."""
    exact = c.LinearGaussian(n=30)
    t = exact.model.terms(torch.from_numpy(exact.x), 1)
    q = t.posterior
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(30)),
        torch.distributions.Independent(torch.distributions.Normal(q.mean, q.stddev), 1),
    ).log_prob(t.z[0])
    units = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(2, 30)), torch.distributions.Normal(q.mean.T, q.stddev.T)
    ).log_prob(t.z[0])
    gained = total_correlation(t, 30, beta=2.0) - total_correlation(t, 30)
    torch.testing.assert_close(-gained, mixture - units.sum(1) + (1 - 2) * -math.log(30), rtol=1e-4, atol=1e-4)


# -- the discriminator of the FactorVAE --------------------------------------------------------------------------------


def correlated(rho, n):
    """Terms of n rows whose codes are nearly points, correlated as the two units of a normal distribution are."""
    mu = torch.randn(n, 2) @ torch.tensor([[1.0, rho], [0.0, (1 - rho**2) ** 0.5]])
    q = DiagonalNormal(mu, torch.full((n, 2), -6.0))
    return given(torch.zeros(1, n), q.rsample((1,)), q, StandardNormal(2), lambda x: q)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_the_discriminator_finds_the_total_correlation(rho):
    """Of a normal distribution it is -log(1 - rho^2) / 2 nats."""
    objective = FactorObjective(2, gamma=1.0, hidden=(32, 32), beta=0.0)
    optimizer = torch.optim.Adam(objective.parameters(), lr=5e-3)
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / 600)
        (-objective(correlated(rho, 256)).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    found = -float(objective(correlated(rho, 20_000)).mean().detach())
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.06)


def test_it_turns_a_square_until_its_sides_are_the_units():
    """Of all rotations of a uniform square those by quarter turns have no total correlation."""
    objective, angle = FactorObjective(2, gamma=1.0, hidden=(32, 32), beta=0.0), torch.tensor(0.4, requires_grad=True)
    discriminator, rotation = torch.optim.Adam(objective.parameters(), lr=3e-3), torch.optim.Adam([angle], lr=3e-3)
    for _ in range(500):
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
        q = DiagonalNormal(3 * (torch.rand(256, 2) - 0.5) @ turn, torch.full((256, 2), -4.0))
        t = given(torch.zeros(1, 256), q.rsample((1,)), q, StandardNormal(2), lambda x, q=q: q)
        (-objective(t).mean()).backward()
        for optimizer in (discriminator, rotation):
            optimizer.step()
            optimizer.zero_grad()
    assert float(angle.detach()) == pytest.approx(0, abs=0.1)


def test_one_backward_pass_gives_both_gradients():
    """The model's is that of the ELBO less gamma logit D(z), D's that of its log-likelihood, and the value the former."""
    exact = c.LinearGaussian(0.3, n=6)
    x, objective = torch.from_numpy(exact.x), FactorObjective(2, gamma=5.0, hidden=(8,), beta=2.0)
    weights, own = list(exact.model.parameters()), list(objective.parameters())
    torch.manual_seed(1)
    value = objective(exact.model.terms(x, 3), 0.5)
    value.sum().backward()
    torch.manual_seed(1)
    t = exact.model.terms(x, 3)
    expected = elbo(t, beta=1.0) - 2.5 * objective.discriminator(t.z.flatten(0, 1)).view(3, 6).mean(0)
    torch.testing.assert_close(value, expected)
    for weight, gradient in zip(weights, torch.autograd.grad(expected.sum(), weights, allow_unused=True), strict=True):
        torch.testing.assert_close(weight.grad, gradient)
    permuted = t.z.detach().clone()
    torch.manual_seed(1)
    exact.model.terms(x, 3)  # as many numbers as before the permutation
    order = torch.rand_like(permuted).argsort(-2)
    for k in range(3):
        for unit in range(2):
            permuted[k, :, unit] = permuted[k, order[k, :, unit], unit]
    p, p_permuted = (objective.discriminator(z.flatten(0, 1)).sigmoid() for z in (t.z.detach(), permuted))
    right = 0.5 * (p.log() + (1 - p_permuted).log()).sum() / 3
    for weight, gradient in zip(own, torch.autograd.grad(right, own), strict=True):
        torch.testing.assert_close(weight.grad, gradient)


def test_without_gamma_it_is_the_elbo():
    t = terms()
    for analytic in (True, False):
        objective = FactorObjective(2, gamma=0.0, beta=3.0, analytic=analytic)
        torch.testing.assert_close(objective(t), elbo(t, beta=3.0, analytic=analytic))
    assert FactorObjective(2)(terms(prior=NoClosedForm())).shape == (4,)
