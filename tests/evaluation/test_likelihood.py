"""Scores against evidence in closed form, naive sums and maximum-likelihood fits by other means."""

import math

import contracts as c
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import scipy.special
import scipy.stats
import torch
from torch import nn

from vaekit.data import rows as data_rows
from vaekit.data.rows import Rows
from vaekit.distributions import DiagonalNormal
from vaekit.errors import DataError, OptionError
from vaekit.evaluation import annealed_scores, marginal_likelihood
from vaekit.evaluation import likelihood as module
from vaekit.evaluation.likelihood import (
    active_units,
    bits_per_dim,
    codes_that_fit,
    fit_independent,
    independent_features,
    mean_and_se,
    score_density,
    score_independent,
    score_rows,
    summarise,
)
from vaekit.likelihoods import LIKELIHOODS, Autoregressive, Bernoulli, CategoricalCodes
from vaekit.models import PixelCNN
from vaekit.objectives import elbo
from vaekit.priors import Prior
from vaekit.randomness import row_keys, row_noise

EVERY = pytest.mark.parametrize("case", c.LIKELIHOOD_CASES, ids=[case.id for case in c.LIKELIHOOD_CASES])


# -- the bound ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("generators_untouched")
def test_with_the_exact_posterior_every_bound_is_the_evidence():
    exact = c.LinearGaussian()
    for samples in (1, 7, 120):
        scores = score_rows(exact.model, Rows(exact.x), samples)
        np.testing.assert_allclose(scores.log_likelihood, exact.log_evidence(), atol=1e-4)
    np.testing.assert_allclose(scores.elbo.mean(), exact.log_evidence().mean(), atol=0.02)


def test_bounds_rise_to_the_evidence():
    """A bound that weighs its worst samples most would fall with K."""
    exact = c.LinearGaussian(off=0.5, n=1000)
    evidence = exact.log_evidence()
    gaps = []
    for k in (1, 5, 50, 500):
        scores = score_rows(exact.model, Rows(exact.x), k, seed=2)
        gaps.append(evidence - scores.log_likelihood)
    tight = exact.exact_elbo(torch.from_numpy(exact.x)).detach().double().numpy()
    for k, gap in zip((5, 50, 500), gaps[1:], strict=True):
        assert gap.mean() < (evidence - tight).mean(), k
    means = [gap.mean() for gap in gaps]
    assert means[0] > 2 * means[1] > 4 * means[2] > 0
    error = gaps[3]
    assert abs(error.mean()) < 3 * error.std() / len(error) ** 0.5 + 2e-3
    assert abs(gaps[0].mean() - (evidence - tight).mean()) < 5 * gaps[0].std() / len(evidence) ** 0.5


def test_evidence_of_a_row_within_its_standard_error():
    exact = c.LinearGaussian(off=0.3, n=4)
    draws = np.stack([score_rows(exact.model, Rows(exact.x), 2000, seed=s).log_likelihood for s in range(20)])
    weights = np.exp(draws - exact.log_evidence())  # unbiased, unlike their logarithms
    assert (np.abs(weights.mean(0) - 1) < 4 * weights.std(0, ddof=1) / 20**0.5).all()


def test_streamed_chunks_equal_the_naive_sum():
    """130 samples are two chunks and a rest; each row's noise is that of its key."""
    model, rows = c.mlp_vae(c.DISCRETE[0]), Rows(c.DISCRETE[0].data[:30])
    scores = score_rows(model, rows, 130, seed=4)
    noise = row_noise(row_keys(rows.raw(slice(None))), 4, 0, 130 * 3).view(30, 130, 3).transpose(0, 1)
    with torch.no_grad():
        t = model.terms(rows.take(slice(None)), 130, noise=lambda *_: noise)
    weights = (t.log_px + t.log_pz - t.log_qz).double().numpy()
    np.testing.assert_allclose(scores.log_likelihood, scipy.special.logsumexp(weights, 0) - math.log(130), atol=1e-4)
    np.testing.assert_allclose(scores.reconstruction, t.log_px.double().mean(0), atol=1e-4)
    np.testing.assert_allclose(scores.elbo, elbo(t).double(), atol=1e-4)
    np.testing.assert_allclose(scores.kl_units, t.kl, atol=1e-6)
    np.testing.assert_allclose(scores.means, t.posterior.mean, atol=1e-6)
    assert scores.samples == 130


def test_fewer_codes_at_a_time_where_there_are_many_channels():
    plain, images = nn.Linear(64, 2), nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 3))
    assert codes_that_fit(plain, (3, 8, 8)) == module._VALUES // 192
    plain.likelihood = images.likelihood = Bernoulli((3, 8, 8))
    assert codes_that_fit(plain, (3, 8, 8)) == module._VALUES // 192
    plain.likelihood = CategoricalCodes((3, 8, 8), 256)
    assert codes_that_fit(plain, (3, 8, 8)) == module._VALUES // (256 * 192)
    assert codes_that_fit(images, (3, 8, 8)) == module._MAPS // (16 * 64)
    assert codes_that_fit(images, (3, 2000, 2000)) == 1


def test_how_many_go_at_a_time_does_not_change_values(monkeypatch):
    exact = c.LinearGaussian()
    whole = score_rows(exact.model, Rows(exact.x), 30)
    monkeypatch.setattr(module, "_VALUES", 7 * exact.x.shape[1])
    few = score_rows(exact.model, Rows(exact.x), 30)
    for name in ("log_likelihood", "elbo", "kl"):
        np.testing.assert_allclose(getattr(few, name), getattr(whole, name), rtol=1e-5, atol=1e-5)


def test_a_prior_that_all_rows_share_is_made_once(monkeypatch):
    case, made = next(case for case in c.MODEL_CASES if case.id == "vamp prior"), []
    model, rows = case.make(), Rows(case.data)
    whole = score_rows(model, rows, 30)
    model.prior.register_forward_hook(lambda *_: made.append(1))
    monkeypatch.setattr(module, "_VALUES", 7 * case.data.shape[1])
    few = score_rows(model, rows, 30)
    np.testing.assert_allclose(few.log_likelihood, whole.log_likelihood, rtol=1e-5, atol=1e-5)
    assert len(made) == 1


def test_the_seed_decides():
    model, rows = c.mlp_vae(c.DISCRETE[0]), Rows(c.DISCRETE[0].data[:30])
    one, again, other = (score_rows(model, rows, 3, seed=s).log_likelihood for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_rows_may_be_sparse_or_narrow():
    model, x = c.mlp_vae(c.DISCRETE[0]), c.DISCRETE[0].data
    expected = score_rows(model, Rows(x.astype(np.float64)), 5).log_likelihood
    np.testing.assert_allclose(score_rows(model, Rows(x), 5).log_likelihood, expected, rtol=1e-6)
    sparse = scipy.sparse.csr_matrix(x)
    np.testing.assert_allclose(score_rows(model, Rows(sparse), 5).log_likelihood, expected, rtol=1e-6)


def test_a_row_no_model_could_give_scores_minus_infinity():
    exact = c.LinearGaussian(n=3)
    x = exact.x.copy()
    x[1, 0] = 1e25
    scores = score_rows(exact.model, Rows(x), 60)
    assert scores.log_likelihood[1] == -np.inf
    np.testing.assert_allclose(scores.log_likelihood[::2], exact.log_evidence()[::2], atol=1e-4)


class NoClosedForm(Prior):
    """N(0, I) that does not know its KL."""

    def __init__(self):
        super().__init__()
        self.latent_dim = 2

    def forward(self, encoder=None):
        return DiagonalNormal(torch.zeros(2), torch.zeros(2))


def test_without_a_closed_form_the_kl_is_a_mean_over_the_samples():
    exact = c.LinearGaussian(off=0.3, n=50)
    known = score_rows(exact.model, Rows(exact.x), 2000)
    exact.model.prior = NoClosedForm()
    scores = score_rows(exact.model, Rows(exact.x), 2000)
    assert scores.kl_units is None
    np.testing.assert_array_equal(scores.log_likelihood, known.log_likelihood)
    np.testing.assert_allclose(scores.kl, known.kl, atol=0.2)
    np.testing.assert_allclose(scores.elbo, scores.reconstruction - scores.kl)


# -- summaries ---------------------------------------------------------------------------------------------------------


def test_mean_and_standard_error_equal_scipy():
    values = np.random.default_rng(0).normal(size=57)
    mean, se = mean_and_se(values)
    assert mean == pytest.approx(values.mean()) and se == pytest.approx(scipy.stats.sem(values))
    assert mean_and_se(np.array([3.0])) == (3.0, None)


def test_bits_per_dim():
    assert bits_per_dim(-16 * math.log(256), 16) == pytest.approx(8.0)


def test_active_units():
    means = np.random.default_rng(0).normal(size=(1000, 3)) * [1.0, 0.2, 0.05]
    assert active_units(means).tolist() == [True, True, False]
    assert active_units(means, threshold=0.1).tolist() == [True, False, False]
    assert active_units(means[:1]).tolist() == [False] * 3


@pytest.mark.parametrize("n", [40, 1])
def test_summary_has_the_means_and_their_errors(n):
    case = c.DISCRETE[0]
    model, rows = c.mlp_vae(case), Rows(case.data[:n])
    scores = score_rows(model, rows, 20)
    independent = score_independent(independent_features(model.likelihood, case.stats), rows)
    summary = summarise(scores, model.likelihood, independent)
    assert summary["n"] == n and summary["samples"] == 20
    assert summary["elbo"] == pytest.approx(summary["reconstruction"] - summary["kl"])
    assert summary["bits_per_dim"] == pytest.approx(-summary["log_likelihood"] / 4 / math.log(2))
    gain = scores.log_likelihood - independent
    assert summary["gain_over_independent"] == pytest.approx(gain.mean())
    expected = pytest.approx(scipy.stats.sem(gain)) if n > 1 else None
    assert summary["gain_over_independent_se"] == expected


def test_bits_have_no_meaning_for_real_numbers():
    case = c.CONTINUOUS[0]
    model, rows = c.mlp_vae(case), Rows(case.data)
    assert summarise(score_rows(model, rows, 2), model.likelihood, np.zeros(len(rows)))["bits_per_dim"] is None


# -- independent features ----------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.usefixtures("generators_untouched")
def test_the_fit_is_at_least_the_moments(case):
    rows, likelihood = Rows(case.data), case.make(torch.float32)
    start = score_independent(independent_features(likelihood, rows.stats()), rows).mean()
    assert score_independent(fit_independent(likelihood, rows), rows).mean() >= start - 1e-6


def fitted(kind: str, data: np.ndarray) -> np.ndarray:
    rows = Rows(data)
    return score_independent(fit_independent(LIKELIHOODS[kind].from_stats(rows.stats()), rows), rows)


def test_bernoulli_fit_is_the_smoothed_frequency():
    x = c._whole([1, 1, 1])
    p = (x.sum(0) + 0.5) / (len(x) + 1)
    np.testing.assert_allclose(fitted("bernoulli", x), scipy.stats.bernoulli(p).logpmf(x).sum(1), rtol=1e-5)


def test_poisson_fit_is_the_smoothed_mean():
    x = np.random.default_rng(0).poisson([3.0, 50.0, 0.0], (300, 3))
    rate = (x.sum(0) + 0.5) / (len(x) + 1)
    np.testing.assert_allclose(fitted("poisson", x), scipy.stats.poisson(rate).logpmf(x).sum(1), rtol=1e-5)


def test_gaussian_fit_is_the_sample_mean_and_deviation():
    x = np.random.default_rng(0).normal([3.0, -50.0], [2.0, 0.1], (300, 2))
    expected = scipy.stats.norm(x.mean(0), x.std(0)).logpdf(x).sum(1)
    for kind in ("gaussian", "heteroscedastic"):
        np.testing.assert_allclose(fitted(kind, x).mean(), expected.mean(), atol=1e-4)
    one = scipy.stats.norm(x.mean(0), x.var(0).mean() ** 0.5).logpdf(x).sum(1)
    np.testing.assert_allclose(fitted("isotropic", x).mean(), one.mean(), atol=1e-4)


def test_categorical_fit_finds_the_frequencies():
    rng = np.random.default_rng(0)
    x = np.stack([rng.choice(4, 1500, p=[0.1, 0.2, 0.3, 0.4]), rng.choice(2, 1500, p=[0.97, 0.03])], 1)
    best = sum(-scipy.stats.entropy(np.bincount(column)) for column in x.T)
    assert best - 2e-3 < fitted("categorical", x).mean() <= best + 1e-6


def test_categorical_fit_counts_the_codes_of_all_rows(monkeypatch):
    monkeypatch.setattr(data_rows, "_CHUNK", 7)
    x = np.random.default_rng(0).integers(0, [[2, 5, 3], [5, 1, 4]], (50, 2, 3))
    found = fit_independent(LIKELIHOODS["categorical"].from_stats(Rows(x).stats()), Rows(x)).bias.detach()
    counts = np.stack([(x == code).sum(0) for code in range(5)])
    torch.testing.assert_close(found, torch.log(torch.tensor(counts + 0.5)).float())


def test_negative_binomial_fit_finds_the_maximum():
    x = np.random.default_rng(0).negative_binomial(2.0, 0.2, 1500)[:, None]

    def loss(raw):
        r, mean = np.exp(raw)
        return -scipy.stats.nbinom(r, r / (r + mean)).logpmf(x).mean()

    best = -scipy.optimize.minimize(loss, [0.5, np.log(x.mean())]).fun
    assert best - 2e-3 < fitted("negative_binomial", x).mean() <= best + 1e-5


def test_half_an_observation_pulls_towards_the_moments():
    """At the maximum the log-likelihood's slope, of few rows, is that of the pull."""
    rows = Rows(np.array([[0], [1], [1], [6], [9]]))
    likelihood = LIKELIHOODS["negative_binomial"].from_stats(rows.stats())
    own, start = fit_independent(likelihood, rows), independent_features(likelihood, rows.stats()).bias
    own().log_prob(rows.take(slice(None)).float()).sum().backward()
    torch.testing.assert_close(own.bias.grad, 0.5 * (own.bias - start).detach(), rtol=0, atol=2e-3)
    assert float((own.bias - start).detach().abs().max()) > 0.1


def test_discretised_logistic_fit_finds_the_maximum():
    rng = np.random.default_rng(0)
    x = np.clip(rng.logistic(150, 30, 1500).round(), 0, 255).astype(np.uint8)[:, None]
    edges = np.concatenate([[-np.inf], np.arange(255) + 0.5, [np.inf]])

    def loss(raw):
        probs = np.diff(scipy.stats.logistic(raw[0], np.exp(raw[1])).cdf(edges))
        return -np.log(probs[x[:, 0]]).mean()

    best = -scipy.optimize.minimize(loss, [140.0, 3.0]).fun
    assert best - 2e-3 < fitted("discretised_logistic", x).mean() <= best + 1e-4


def test_independent_features_of_colours_are_independent():
    """Three equal channels: what one knows of another is no part of it."""
    grey = np.random.default_rng(0).integers(0, 16, (800, 1, 2, 2))
    grey[:2] = [[[[0]]], [[[15]]]]
    values = fitted("logistic_mixture", np.repeat(grey, 3, 1).astype("uint8"))
    np.testing.assert_allclose(values.mean(), -12 * np.log(16), rtol=0.01)


@pytest.mark.parametrize("kind", ["bernoulli", "logistic_mixture"])
def test_independent_features_of_masked_layers_are_those_of_their_pixels(kind):
    rows = Rows(np.random.default_rng(0).integers(0, 2 if kind == "bernoulli" else 5, (60, 3, 4)))
    base = LIKELIHOODS[kind].from_stats(rows.stats())
    masked = fit_independent(Autoregressive(base, layers=1, channels=4), rows)
    np.testing.assert_array_equal(score_independent(masked, rows), fitted(kind, rows.raw(slice(None)).numpy()))


def test_independent_features_have_the_support_of_the_likelihood():
    """Codes, and spread of a column, that only rows have which the fit is not told of: those held out."""
    codes = np.repeat([[0, 1], [1, 0], [2, 1]], [50, 49, 1], axis=0)
    likelihood = LIKELIHOODS["categorical"].from_stats(Rows(codes).stats())
    independent = fit_independent(likelihood, Rows(codes[:-1]))
    exact = np.log([0.5, 50.5]) - np.log([50.5 + 49.5 + 0.5, 99 + 1])  # half a count more of each code
    np.testing.assert_allclose(score_independent(independent, Rows(codes[-1:])), exact.sum(), rtol=1e-5)
    x = np.random.default_rng(0).normal(size=(60, 2)) * [1.0, 3.0] + [0.0, 5.0]
    x[:50, 1] = 4.0
    for kind in ("gaussian", "heteroscedastic"):
        likelihood = LIKELIHOODS[kind].from_stats(Rows(x).stats())
        independent = fit_independent(likelihood, Rows(x[:50]))
        expected = scipy.stats.norm([x[:50, 0].mean(), x[:, 1].mean()], [x[:50, 0].std(), x[:, 1].std()])
        np.testing.assert_allclose(
            score_independent(independent, Rows(x)), expected.logpdf(x).sum(1), rtol=3e-3
        )  # sigma has a floor


def test_no_rows_and_no_samples():
    exact = c.LinearGaussian(0.3, n=4)
    with pytest.raises(OptionError, match="num_samples=0 must be a whole number of at least 1"):
        score_rows(exact.model, Rows(exact.x), 0)
    none = Rows(exact.x[:0])
    for score in (lambda model, rows: score_rows(model, rows, 5), annealed_scores, marginal_likelihood):
        with pytest.raises(DataError, match="There are no rows to score"):
            score(exact.model, none)
    pixels = PixelCNN(Autoregressive(Bernoulli((2, 2)), features=0, layers=1, channels=4))
    with pytest.raises(DataError, match="There are no rows to score"):
        score_density(pixels, Rows(np.zeros((0, 2, 2), np.uint8)))
    with pytest.raises(DataError, match="There are no rows to score"):
        score_independent(independent_features(exact.model.likelihood, Rows(exact.x).stats()), none)


def test_independent_features_leave_the_likelihood_alone():
    case = next(case for case in c.DISCRETE if case.kind == "negative_binomial")
    likelihood = case.make(torch.float32)
    before = {name: tensor.clone() for name, tensor in likelihood.state_dict().items()}
    independent = fit_independent(likelihood, Rows(case.data))
    assert all(torch.equal(before[name], tensor) for name, tensor in likelihood.state_dict().items())
    assert isinstance(independent.bias, nn.Parameter) and independent.bias.shape == (2, 2)
    again = independent_features(likelihood, case.stats)
    again.load_state_dict(independent.state_dict())
    rows = Rows(case.data)
    np.testing.assert_array_equal(score_independent(again, rows), score_independent(independent, rows))
