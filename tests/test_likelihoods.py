"""Every likelihood against the laws in contracts.py, against scipy, and at the edges of its support."""

import math

import contracts as c
import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.data.rows import Rows
from vaekit.errors import DataError
from vaekit.likelihoods import LIKELIHOODS, choose_likelihood
from vaekit.likelihoods.base import SOFTPLUS_ONE
from vaekit.models.building import input_scaling
from vaekit.schema import ColumnStats


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def test_the_catalogue_holds_every_likelihood():
    assert {case.kind for case in c.LIKELIHOOD_CASES} == set(LIKELIHOODS)


@every(c.DISCRETE)
def test_probabilities_sum_to_one(case):
    c.probabilities_sum_to_one(case)


@every(c.CONTINUOUS)
def test_density_integrates_to_one(case):
    c.density_integrates_to_one(case)


@every(c.CONTINUOUS)
def test_density_is_per_unit_of_the_data(case):
    c.density_is_per_unit(case)


@every(c.LIKELIHOOD_CASES)
@pytest.mark.parametrize(
    "law",
    [
        c.samples_follow_log_prob,
        c.gradients_agree_with_differences,
        c.rows_and_samples_broadcast,
        c.stays_finite,
        c.single_precision_is_enough,
        c.rebuilt_from_settings,
        c.marginal_has_the_columns_means,
        c.unlinked_values_are_independent,
    ],
    ids=lambda law: law.__name__,
)
def test_law(law, case):
    law(case)


# -- against scipy -----------------------------------------------------------------------------------------------------


def distribution(kind: str, data: np.ndarray, raw: list[float]):
    likelihood = LIKELIHOODS[kind].from_stats(Rows(data).stats()).double()
    return likelihood, likelihood(torch.tensor(raw, dtype=torch.float64)[:, None])


def log_prob(p, values: np.ndarray) -> np.ndarray:
    return p.log_prob(torch.as_tensor(values, dtype=torch.float64)[:, None]).detach().numpy()


def test_bernoulli_equals_scipy():
    _, p = distribution("bernoulli", np.array([[0], [1]]), [0.8])
    expected = scipy.stats.bernoulli(scipy.special.expit(0.8)).logpmf([0, 1])
    np.testing.assert_allclose(log_prob(p, np.array([0, 1])), expected)


def test_binomial_equals_scipy():
    likelihood, p = distribution("binomial", np.array([[0], [30]]), [-0.4])
    assert likelihood.settings == {"trials": 30}
    x = np.arange(31)
    np.testing.assert_allclose(log_prob(p, x), scipy.stats.binom(30, scipy.special.expit(-0.4)).logpmf(x))


def test_poisson_equals_scipy():
    _, p = distribution("poisson", np.array([[2], [9]]), [0.3])
    rate = (11 + 0.5) / 3 * math.log1p(math.exp(0.3 + SOFTPLUS_ONE)) + 1e-8
    x = np.arange(40)
    np.testing.assert_allclose(log_prob(p, x), scipy.stats.poisson(rate).logpmf(x), rtol=1e-6)


def test_negative_binomial_equals_scipy():
    _, p = distribution("negative_binomial", np.array([[2], [9]]), [0.3, -0.5])
    mean = (11 + 0.5) / 3 * math.log1p(math.exp(0.3 + SOFTPLUS_ONE)) + 1e-8
    r = math.log1p(math.exp(-0.5)) + 1e-4
    x = np.arange(80)
    np.testing.assert_allclose(log_prob(p, x), scipy.stats.nbinom(r, r / (r + mean)).logpmf(x), rtol=1e-6)
    np.testing.assert_allclose(float(p.variance), mean + mean**2 / r, rtol=1e-6)


def test_negative_binomials_start_with_the_spread_of_their_column():
    """Where the variance is above the mean: r = mean^2 / (variance - mean), from 0.05 to 50."""
    x = np.array([[0, 0, 3, 0], [1, 0, 4, 0], [4, 0, 5, 0], [11, 900, 4, 7]])
    likelihood = LIKELIHOODS["negative_binomial"].from_stats(Rows(x).stats())
    r = torch.nn.functional.softplus(likelihood.marginal(Rows(x).stats())[1])
    expected = [4**2 / (18.5 - 4), 225**2 / (151_875 - 225), 50, 1.75**2 / (9.1875 - 1.75)]
    np.testing.assert_allclose(r, expected, rtol=1e-5)


def test_gaussian_equals_scipy():
    data = np.random.default_rng(0).normal(40, 7, (50, 1))
    _, p = distribution("gaussian", data, [0.6])
    x = np.linspace(0, 90, 30)
    loc, scale = data.mean() + 0.6 * data.std(), data.std() * 1.001
    np.testing.assert_allclose(log_prob(p, x), scipy.stats.norm(loc, scale).logpdf(x), rtol=1e-5)


def test_isotropic_equals_scipy():
    """One sigma, in the root of the mean variance, about the means of the columns, however far apart those are."""
    data = np.random.default_rng(0).normal([40, 600], [7, 0.1], (50, 2))
    likelihood = LIKELIHOODS["isotropic"].from_stats(Rows(data).stats()).double()
    p = likelihood(torch.tensor([[0.6, -1.0]], dtype=torch.float64))
    assert likelihood.raw_sigma.shape == ()
    x, spread = np.linspace(0, 90, 30), data.var(0).mean() ** 0.5
    loc, scale = data.mean(0) + np.array([0.6, -1.0]) * spread, spread * 1.001
    rows = torch.from_numpy(np.stack([x, x], 1))
    expected = scipy.stats.norm(loc, scale).logpdf(rows).sum(1)
    np.testing.assert_allclose(p.log_prob(rows).detach(), expected, rtol=1e-5)


def test_a_pixel_that_hardly_ever_varies_weighs_no_more_than_others_under_isotropic():
    """One spot in 10,000 images costs a Gaussian with a sigma a pixel thousands of nats, and this one half a square."""
    data = np.random.default_rng(0).uniform(size=(10_000, 2))
    data[:, 1] = 0
    data[7, 1] = 1.0
    stats = Rows(data).stats()
    lost = {}
    for kind in ("gaussian", "isotropic"):
        likelihood = LIKELIHOODS[kind].from_stats(stats)
        values = likelihood(likelihood.marginal(stats)).log_prob(torch.tensor([[0.5, 0.0], [0.5, 1.0]]))
        lost[kind] = (values[0] - values[1]).item()
    assert lost["gaussian"] > 4000
    np.testing.assert_allclose(lost["isotropic"], 0.5 / data.var(0).mean(), rtol=0.01)
    scaling = input_scaling(LIKELIHOODS["isotropic"].from_stats(stats), stats)
    np.testing.assert_allclose(scaling(torch.tensor([[0.5, 1.0]]))[0, 1].item(), data.var(0).mean() ** -0.5, rtol=1e-3)


def test_heteroscedastic_equals_scipy():
    data = np.random.default_rng(0).normal(40, 7, (50, 1))
    _, p = distribution("heteroscedastic", data, [0.6, -2.0])
    x = np.linspace(0, 90, 30)
    scale = data.std() * (0.001 + math.log1p(math.exp(-2.0 + SOFTPLUS_ONE)))
    np.testing.assert_allclose(
        log_prob(p, x), scipy.stats.norm(data.mean() + 0.6 * data.std(), scale).logpdf(x), rtol=1e-5
    )


def test_categorical_equals_its_softmax():
    _, p = distribution("categorical", np.array([[0], [3]]), [0.1, -1.0, 2.0, 0.5])
    np.testing.assert_allclose(log_prob(p, np.arange(4)), scipy.special.log_softmax([0.1, -1.0, 2.0, 0.5]))


def test_discretised_logistic_is_a_difference_of_logistic_cdfs():
    data = np.array([[0], [63]])
    likelihood, p = distribution("discretised_logistic", data, [0.2, -0.3])
    spread = float(likelihood.spread)
    mu, s = 31.5 + 0.2 * spread, 0.05 + spread * math.log1p(math.exp(-0.3))
    edges = np.concatenate([[-np.inf], np.arange(63) + 0.5, [np.inf]])
    expected = np.log(np.diff(scipy.stats.logistic(mu, s).cdf(edges)))
    np.testing.assert_allclose(log_prob(p, np.arange(64)), expected, rtol=1e-6)


@pytest.mark.parametrize("count", [1_000, 100_000, 1_000_000])
def test_large_counts_keep_their_precision_in_float32(count):
    """The terms of the log-probability are of size n log n, their sum is a few nats."""
    stats = ColumnStats(10**9, *(torch.full((1,), float(count), dtype=torch.float64) for _ in range(4)), torch.ones(1))
    x = torch.tensor([[count - count**0.5], [count], [count + 2 * count**0.5]]).round()
    values = x[:, 0].double().numpy()
    poisson = LIKELIHOODS["poisson"].from_stats(stats)
    np.testing.assert_allclose(
        poisson(torch.zeros(1, 1)).log_prob(x), scipy.stats.poisson(count).logpmf(values), atol=2e-4
    )
    binomial = LIKELIHOODS["binomial"]((1,), trials=2 * count)
    np.testing.assert_allclose(
        binomial(torch.zeros(1, 1)).log_prob(x), scipy.stats.binom(2 * count, 0.5).logpmf(values), atol=2e-4
    )
    negative = LIKELIHOODS["negative_binomial"].from_stats(stats)(torch.tensor([[0.0], [500.0]]))
    np.testing.assert_allclose(
        negative.log_prob(x), scipy.stats.nbinom(500, 500 / (500 + count)).logpmf(values), atol=2e-3
    )


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1e12, 1e30])
def test_real_data_may_have_any_unit(unit):
    """The square of 1e-30 is no number of float32, but the density is: masses of electrons are data too."""
    data = (np.random.default_rng(0).normal(size=(100, 2)) * unit).astype(np.float32)
    for kind in ("gaussian", "isotropic", "heteroscedastic"):
        likelihood = LIKELIHOODS[kind].from_stats(Rows(data).stats())
        values = likelihood(likelihood.marginal(Rows(data).stats())).log_prob(torch.from_numpy(data))
        wide = data.astype(np.float64)
        scale = wide.std(0) if kind != "isotropic" else ((wide / unit).var(0).mean()) ** 0.5 * unit
        expected = scipy.stats.norm(wide.mean(0), scale * 1.001).logpdf(wide).sum(1)
        np.testing.assert_allclose(values.detach(), expected, rtol=1e-5, atol=1e-4)


# -- edges -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "isotropic", "heteroscedastic"])
@pytest.mark.parametrize("other", [0.0, 7.5, 1e30])
def test_a_constant_column_counts_nothing(kind, other):
    """Whatever stands in it later, and its samples are the constant itself."""
    data = np.array([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]])
    both = LIKELIHOODS[kind].from_stats(Rows(data).stats())
    alone = LIKELIHOODS[kind].from_stats(Rows(data[:, :1]).stats())
    raw = torch.randn(5, both.num_params, 2).requires_grad_()
    x = torch.tensor([[3.0, other]])
    values = both(raw).log_prob(x)
    torch.testing.assert_close(values, alone(raw[..., :1]).log_prob(x[:, :1]))
    values.sum().backward()
    assert bool(torch.isfinite(raw.grad).all()) and bool((raw.grad[..., 1] == 0).all())
    p = both(raw)
    assert bool((p.sample((4,))[..., 1] == np.float32(0.1)).all())
    assert bool((p.mean[..., 1] == np.float32(0.1)).all()) and bool((p.variance[..., 1] == 0).all())


@pytest.mark.parametrize("kind", [case for case in LIKELIHOODS if case not in ("bernoulli", "gaussian")])
def test_a_single_row_and_columns_of_zeros_calibrate(kind):
    likelihood = LIKELIHOODS[kind].from_stats(Rows(np.zeros((1, 3))).stats())
    marginal = likelihood.marginal(Rows(np.zeros((1, 3))).stats())
    assert bool(torch.isfinite(marginal).all())
    value = likelihood(marginal).log_prob(torch.zeros(2, 3))
    assert bool(torch.isfinite(value).all())
    likelihood.check(Rows(np.zeros((1, 3))).stats())


def test_codes_above_the_largest_of_a_column_have_no_probability():
    likelihood = LIKELIHOODS["categorical"].from_stats(Rows(np.array([[0, 0], [4, 2]])).stats())
    p = likelihood(torch.zeros(5, 2))
    assert float(p.log_prob(torch.tensor([0.0, 3.0])).exp()) == 0
    for code in (1.0, 2.0):  # skipped, and held
        torch.testing.assert_close(p.log_prob(torch.tensor([0.0, code])).exp(), torch.tensor(1 / 15))
    assert float(p.sample((500,))[:, 1].max()) == 2


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("at", [-1e6, -3.0, 0.0, 127.5, 255.0, 1e6])
def test_discretised_logistic_is_stable(at, size):
    from vaekit.distributions import DiscretisedLogistic

    mu = torch.tensor(at, requires_grad=True)
    scale = torch.tensor(size, requires_grad=True)
    values = DiscretisedLogistic(mu, scale, 256).log_prob(torch.arange(256.0))
    assert bool(torch.isfinite(values).all())
    for gradient in torch.autograd.grad(values.sum(), (mu, scale)):
        assert bool(torch.isfinite(gradient))
    wide = DiscretisedLogistic(mu.detach().double(), scale.detach().double(), 256)
    total = wide.log_prob(torch.arange(256, dtype=torch.float64)).exp().sum()
    assert abs(float(total) - 1) < 1e-9
    mean = (wide.log_prob(torch.arange(256, dtype=torch.float64)).exp() * torch.arange(256)).sum()
    torch.testing.assert_close(wide.mean, mean, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "train", "bad", "message"),
    [
        (
            "bernoulli",
            [[0, 1], [1, 0]],
            [[0, 1], [1, 3]],
            "likelihood='bernoulli' holds for the values 0 and 1, but column 'b' holds other values (from 1 to 3); "
            "choose a likelihood that allows them and fit again.",
        ),
        (
            "binomial",
            [[0, 1], [5, 0]],
            [[6, 1], [1, -2]],
            "likelihood='binomial' holds for whole numbers from 0 to 5, but columns 'a', 'b' hold other values "
            "(from -2 to 6); choose a likelihood that allows them and fit again.",
        ),
        (
            "poisson",
            [[0, 1], [5, 0]],
            [[0.5, 1], [1, 1]],
            "likelihood='poisson' holds for whole numbers from 0 up, but column 'a' holds other values "
            "(from 0.5 to 1); choose a likelihood that allows them and fit again.",
        ),
        (
            "negative_binomial",
            [[0, 1], [5, 0]],
            [[-1, 1], [1, 1]],
            "likelihood='negative_binomial' holds for whole numbers from 0 up, but column 'a' holds other values "
            "(from -1 to 1); choose a likelihood that allows them and fit again.",
        ),
        (
            "categorical",
            [[0, 1], [5, 0]],
            [[0, 2], [5, 1]],
            "likelihood='categorical' holds for codes from 0 to 5, or less where training had fewer in a column, but "
            "column 'b' holds other values (from 1 to 2); choose a likelihood that allows them and fit again.",
        ),
        (
            "categorical",
            [[-3, -1], [-4, -2]],
            [[-3, 0], [-4, 0]],
            "likelihood='categorical' holds for codes from 0 to 0, or less where training had fewer in a column, but "
            "columns 'a', 'b' hold other values (from -4 to 0); choose a likelihood that allows them and fit again.",
        ),
        (
            "discretised_logistic",
            [[0, 1], [255, 0]],
            [[256, 2], [5, 1]],
            "likelihood='discretised_logistic' holds for whole numbers from 0 to 255, but column 'a' holds other "
            "values (from 5 to 256); choose a likelihood that allows them and fit again.",
        ),
    ],
)
def test_values_outside_the_support_are_named(kind, train, bad, message):
    likelihood = LIKELIHOODS[kind].from_stats(Rows(np.array(train)).stats())
    if min(map(min, train)) >= 0:
        likelihood.check(Rows(np.array(train)).stats(), ("a", "b"))
    with pytest.raises(DataError) as error:
        likelihood.check(Rows(np.array(bad)).stats(), ("a", "b"))
    assert str(error.value) == message


def test_columns_without_names_are_numbered():
    likelihood = LIKELIHOODS["bernoulli"]((10,))
    with pytest.raises(DataError, match=r"but columns 0, 1, 2, 3, 4 and 5 more hold other values \(from 2 to 2\)"):
        likelihood.check(Rows(np.full((3, 10), 2)).stats())


@pytest.mark.parametrize(
    ("data", "is_image", "dtype", "name", "why"),
    [
        ([[0, 1]], False, "int64", "bernoulli", "likelihood: Bernoulli, since every value is 0 or 1"),
        ([[0.0, 0.0]], False, "float64", "bernoulli", "likelihood: Bernoulli, since every value is 0 or 1"),
        ([[0, 255], [255, 0]], False, "uint8", "bernoulli", "likelihood: Bernoulli, since every value is 0 or 255"),
        (
            [[0, 255], [7, 0]],
            False,
            "uint8",
            "discretised_logistic",
            "likelihood: discretised logistic with 256 levels, since the values are uint8",
        ),
        (
            [[0, 16], [7, 0]],
            True,
            "int64",
            "discretised_logistic",
            "likelihood: discretised logistic with 17 levels, since the rows are images of whole numbers",
        ),
        (
            [[0, 16], [7, 0]],
            False,
            "int64",
            "negative_binomial",
            "likelihood: negative binomial, since the values are counts",
        ),
        (
            [[0, -1]],
            False,
            "int64",
            "gaussian",
            "likelihood: Gaussian with a learned scale per feature, since the values are real numbers",
        ),
        (
            [[0.5, 1]],
            True,
            "float32",
            "gaussian",
            "likelihood: Gaussian with a learned scale per feature, since the values are real numbers"
            "; for images try 'isotropic', one scale for all pixels",
        ),
    ],
)
def test_choice_from_the_data(data, is_image, dtype, name, why):
    assert choose_likelihood(Rows(np.array(data)).stats(), is_image=is_image, dtype=dtype) == (name, why)
