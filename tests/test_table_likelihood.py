"""The likelihood of a table's row: normalised in the columns' own units, and its samples, means and codes agree."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.data.coding import code_numbers, point_values, values_of
from vaekit.data.columns import fit_warp
from vaekit.likelihoods.table import TableColumns
from vaekit.nn.warp import Warps
from vaekit.schema import Column, Warp

SIGMAS = 5.0  # a Monte Carlo mean further than this many standard errors from the exact value is wrong


def shares(*weights: float) -> tuple[float, ...]:
    return tuple(weight / sum(weights) for weight in weights)


WARPED = Warp(centre=3.0, scale=2.0, skew=0.4, tail=0.7, mean=-0.3, spread=1.2)
REAL = Column("real", "real", "Float64", warp=WARPED)
TIME = Column("time", "datetime", "Datetime(time_unit='us', time_zone=None)", warp=Warp(19_000.0, 40.0), step=1e-6)
POSITIVE = Column("price", "positive", "Float64", warp=Warp(1.0, 0.6, -0.2, 0.9, 0.1, 1.1))
ZEROS = Column("rain", "positive", "Float64", warp=Warp(0.5, 0.8, 0.3, 1.2, 0.0, 0.9), zeros=0.3)
COUNT = Column("visits", "count", "Int64", warp=Warp(1.2, 0.5, 0.1, 0.9, 0.05, 1.1))
BINARY = Column("smokes", "binary", "Boolean", levels=(False, True), shares=shares(3, 1))
ORDINAL = Column("grade", "ordinal", "String", levels=("low", "mid", "high", "top"), shares=shares(5, 2, 2, 1))
COLOUR = Column("colour", "categorical", "String", levels=("red", "green", "blue"), shares=shares(4, 3, 1))
TOWNS = tuple("abcdefg")
POOLED = Column("town", "categorical", "String", levels=TOWNS, shares=shares(30, 20, 10, 4, 3, 2, 1), pool=4)
EVERY = (REAL, BINARY, COUNT, POSITIVE, COLOUR, ZEROS, ORDINAL, TIME, POOLED)
DENSE = [column for column in EVERY if column.kind in ("real", "positive", "datetime")]
DISCRETE = [column for column in EVERY if column not in DENSE]


def by_name(columns):
    return pytest.mark.parametrize("column", columns, ids=[column.name for column in columns])


def table(*columns: Column, mixture: int = 3, dtype: torch.dtype = torch.float64) -> TableColumns:
    return TableColumns(columns, mixture).to(dtype)


def params(likelihood: TableColumns, *batch: int, seed: int = 0, spread: float = 0.8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(*batch, likelihood.num_values, generator=generator, dtype=torch.float64)


def support(column: Column, counts: int = 20_000) -> torch.Tensor:
    """Every code of a discrete column, counts up to where their tail holds nothing."""
    return torch.arange(counts if column.kind == "count" else len(column.levels), dtype=torch.float64)


def rows_of(columns, seed: int = 0, n: int = 5) -> torch.Tensor:
    """Some coded rows."""
    likelihood = table(*columns)
    torch.manual_seed(seed)
    return likelihood(params(likelihood, n, seed=seed)).sample()


# -- normalised --------------------------------------------------------------------------------------------------------


@by_name(DISCRETE)
@pytest.mark.parametrize("mixture", [1, 3])
def test_probabilities_of_a_columns_values_sum_to_one(column, mixture):
    likelihood = table(column, mixture=mixture)
    p = likelihood(params(likelihood, 7, 1))
    total = p.log_prob(support(column)[:, None]).exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=2e-6 if column.kind == "count" else 1e-7)


def test_probabilities_of_all_rows_sum_to_one():
    likelihood = table(BINARY, COUNT, ORDINAL, COLOUR)
    rows = torch.tensor(list(itertools.product(range(2), range(2000), range(4), range(3))), dtype=torch.float64)
    total = float(likelihood(params(likelihood, 1)).log_prob(rows).exp().sum())
    assert total == pytest.approx(1, abs=1e-5)


@by_name(DENSE)
@pytest.mark.parametrize("seed", [0, 1])
def test_densities_integrate_to_one_in_the_columns_own_units(column, seed):
    likelihood = table(column).requires_grad_(False)
    p = likelihood(params(likelihood, seed=seed))

    def density(x: float) -> float:
        return float(p.log_prob(torch.from_numpy(code_numbers(np.array([x]), column))).exp())

    middle, above = column.warp.centre, column.kind == "positive"
    cuts = [math.exp(middle + column.warp.scale * k) if above else middle + column.warp.scale * k for k in range(-3, 4)]
    ends = [0.0 if above else -math.inf, *cuts, math.inf]
    total = sum(scipy.integrate.quad(density, a, b, epsabs=1e-9)[0] for a, b in itertools.pairwise(ends))
    at_zero = float(p.log_prob(torch.tensor([-math.inf], dtype=torch.float64)).exp())
    if column.zeros:
        assert at_zero == pytest.approx(torch.sigmoid(p.zero).item(), rel=1e-12) and at_zero > 0.05
        total += at_zero
    assert total == pytest.approx(1, abs=1e-6)


@by_name(DENSE)
def test_the_same_column_in_other_units_has_the_density_of_these_units(column):
    """In eighths a number is 8 times as large and its density an eighth."""
    warp = column.warp
    if column.kind == "positive":
        eighths = Warp(warp.centre + math.log(8), warp.scale, warp.skew, warp.tail, warp.mean, warp.spread)
    else:
        eighths = Warp(8 * warp.centre, 8 * warp.scale, warp.skew, warp.tail, warp.mean, warp.spread)
    scaled = Column(column.name, column.kind, column.dtype, warp=eighths, zeros=column.zeros)
    likelihood, other = table(column), table(scaled)
    raw, x = params(likelihood), np.array([0.3, 1.0, 2.9, 7.0]) + (19_000 if column.kind == "datetime" else 0)
    p = likelihood(raw).log_prob(torch.from_numpy(code_numbers(x, column))[:, None])
    q = other(raw).log_prob(torch.from_numpy(code_numbers(8 * x, scaled))[:, None])
    torch.testing.assert_close(p - q, torch.full_like(p, math.log(8)), rtol=1e-7, atol=1e-7)


def test_a_rows_density_is_the_product_of_its_cells():
    likelihood = table(*EVERY)
    raw, x = params(likelihood, 6, 5), rows_of(EVERY)
    p = likelihood(raw)
    cells = p.cell_log_prob(x)
    assert cells.shape == (6, 5, len(EVERY))
    torch.testing.assert_close(p.log_prob(x), cells.sum(-1))
    for j in range(len(EVERY)):
        alone = torch.full_like(x, math.nan)
        alone[:, j] = x[:, j]
        torch.testing.assert_close(p.log_prob(alone), cells[..., j], rtol=1e-12, atol=1e-12)


def test_missing_cells_count_exactly_nothing():
    likelihood = table(*EVERY, dtype=torch.float32)
    raw = params(likelihood, 4).float().requires_grad_()
    values = likelihood(raw).log_prob(torch.full((4, len(EVERY)), math.nan))
    assert torch.equal(values, torch.zeros(4))
    (gradient,) = torch.autograd.grad(values.sum(), raw)
    assert torch.equal(gradient, torch.zeros_like(raw))


# -- against scipy -----------------------------------------------------------------------------------------------------


def cdf(p, column: Column, t: np.ndarray) -> np.ndarray:
    """Distribution function of a numeric column's mixture in warped units, by scipy."""
    weights, mu, sigma = (part.numpy()[..., :, 0] for part in (p.log_weights.exp(), p.mu, p.sigma))
    return (weights * scipy.stats.norm(mu, sigma).cdf(np.asarray(t)[:, None])).sum(-1)


def test_counts_are_differences_of_a_distribution_function():
    likelihood = table(COUNT)
    p = likelihood(params(likelihood))
    edges = likelihood.count_warps(torch.arange(40, dtype=torch.float64)[:, None] + 0.5)[:, 0].numpy()
    expected = np.diff(cdf(p, COUNT, np.concatenate([[-np.inf], edges])))
    found = p.log_prob(torch.arange(40, dtype=torch.float64)[:, None]).exp()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_ordinal_levels_are_cut_at_the_normal_scores_of_their_shares():
    likelihood = table(ORDINAL)
    p = likelihood(params(likelihood))
    cuts = scipy.stats.norm.ppf(np.cumsum(ORDINAL.shares)[:-1])
    expected = np.diff(cdf(p, ORDINAL, np.concatenate([[-np.inf], cuts, [np.inf]])))
    np.testing.assert_allclose(p.log_prob(support(ORDINAL)[:, None]).exp(), expected, rtol=1e-6)


@pytest.mark.parametrize("count", [300, 30_000, 3_000_000])
def test_large_counts_keep_their_precision_in_float32(count):
    """The ends of a large count's interval agree to seven digits."""
    column = Column("n", "count", "Int64", warp=Warp(math.log(count), 0.8, 0.3, 0.8, 0.1, 1.3))
    x = torch.tensor([[0.5 * count], [count], [1.2 * count]]).round()
    raw = params(table(column), spread=0.5)
    exact = table(column)(raw).log_prob(x.double())
    torch.testing.assert_close(
        table(column, dtype=torch.float32)(raw.float()).log_prob(x).double(), exact, rtol=0, atol=2e-4
    )


# -- levels that share a code ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 10**5, 10**7])
def test_counts_far_from_zero_are_as_those_near_it(offset):
    """By the distribution function of the same warp in double precision; a count of 10**7 has 24 bits."""
    x = offset + np.random.default_rng(0).poisson(3, 2000)
    warp = fit_warp(np.log1p(x))
    likelihood = TableColumns((Column("n", "count", "Int64", warp=warp, low=float(x.min()), high=float(x.max())),), 1)
    p = likelihood(torch.zeros(1, likelihood.num_values))
    warps = Warps(likelihood.columns, torch.float64)
    ends = warps(torch.from_numpy(offset + np.arange(1, 12) - 0.5)[:, None])[:, 0]
    mu, sigma = p.mu.ravel().double(), p.sigma.ravel().double()
    exact = torch.diff(torch.special.ndtr((ends - mu) / sigma))
    found = p.log_prob(torch.from_numpy(offset + np.arange(1.0, 11.0)).float()[:, None]).exp()
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-6)
    torch.manual_seed(0)
    drawn = p.sample((4000,)).double().ravel() - offset
    assert abs(float(drawn.std()) - x.std()) < 0.1 and abs(float(drawn.mean()) - (x.mean() - offset)) < 0.1


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 2.5])
def test_means_of_skewed_counts_reach_into_their_tails(spread):
    x = np.floor(5 * np.exp(spread * np.random.default_rng(0).normal(size=4000)))
    high = float(x.max())
    column = Column("n", "count", "Int64", warp=fit_warp(np.log1p(x)), low=0.0, high=high)
    likelihood = TableColumns((column,), 1)
    p = likelihood(torch.zeros(1, likelihood.num_values))
    values = torch.arange(0, 200_000.0)[:, None]
    exact = (p.log_prob(values).exp().double() * values[:, 0].clamp(max=high)).sum()
    assert abs(float(p.points()) / float(exact) - 1) < 0.03


@pytest.mark.parametrize("middle", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_means_of_skewed_numbers_are_exact_to_a_fiftieth(spread, middle):
    column = Column("x", "positive", "Float64", warp=Warp(0.0, spread), low=0.0, high=math.exp(2.5 * spread))
    likelihood = table(column, mixture=1)
    raw = torch.zeros(1, likelihood.num_values, dtype=torch.float64)
    raw[0, 1] = middle
    p = likelihood(raw)
    t = torch.linspace(-9, 9, 100_001, dtype=torch.float64)[:, None]
    values = likelihood.warps.expected(p.mu.ravel() + p.sigma.ravel() * t).clamp(*likelihood.dense_range)
    exact = (values * torch.softmax(-0.5 * t.square(), 0)).sum()
    assert abs(float(p.mu.detach()) - middle) < 1e-6 and float(p.sigma) > 0.9
    assert abs(float(p.points()) / float(exact) - 1) < 0.02


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: r.poisson(200, 4000) * r.integers(0, 2, 4000),
        lambda r: r.integers(60, 64, 4000),
        lambda r: r.geometric(0.02, 4000),
    ],
)
def test_means_of_counts_by_any_component(draw):
    x = draw(np.random.default_rng(0)).astype(float)
    high = float(x.max())
    column = Column("n", "count", "Int64", warp=fit_warp(np.log1p(x)), low=float(x.min()), high=high)
    likelihood = table(column, mixture=1)
    p = likelihood(params(likelihood, 30))
    values = torch.arange(0, high + 1, dtype=torch.float64)
    share = p.log_prob(values[:, None, None]).exp()  # (values, rows)
    exact = (share * values.clamp(min=column.low)[:, None]).sum(0) + (1 - share.sum(0)) * high
    assert float((p.points()[:, 0] - exact).abs().max()) < 0.1 * x.std()


def test_rare_levels_split_the_probability_of_their_code_by_their_shares():
    likelihood = table(POOLED)
    raw = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=torch.float64)
    found = likelihood(raw).log_prob(support(POOLED)[:, None]).exp().numpy()
    codes = scipy.special.softmax(raw.numpy())
    np.testing.assert_allclose(found, [*codes[:3], *(codes[3] * np.array([4, 3, 2, 1]) / 10)], rtol=1e-6)


def test_at_the_start_every_level_has_its_share():
    likelihood = table(BINARY, COLOUR, POOLED, ORDINAL, mixture=1)
    p = likelihood(likelihood.marginal().double())
    for j, column in enumerate((BINARY, COLOUR, POOLED, ORDINAL)):
        rows = torch.full((len(column.levels), 4), math.nan, dtype=torch.float64)
        rows[:, j] = support(column)
        slack = 0.03 if column is ORDINAL else 1e-5  # a spread of 1 and the floor
        np.testing.assert_allclose(p.log_prob(rows).exp(), column.shares, rtol=slack)


# -- samples -----------------------------------------------------------------------------------------------------------


@by_name(DISCRETE)
def test_samples_have_the_frequencies_of_their_probabilities(column):
    n, likelihood = 20_000, table(column)
    p = likelihood(params(likelihood))
    torch.manual_seed(0)
    x = p.sample((n,))[:, 0]
    values = support(column, 12)
    prob = p.log_prob(values[:, None]).exp()
    error = (x[:, None] == values).double().mean(0) - prob
    assert bool((error.abs() <= SIGMAS * (prob * (1 - prob) / n).sqrt() + 1e-9).all())
    if column.kind != "count":
        assert float(x.max()) < len(column.levels)


@by_name(DENSE)
def test_samples_have_the_distribution_function_of_their_density(column):
    """By Kolmogorov and Smirnov, against the density summed over a fine grid."""
    n, likelihood = 4_000, table(column)
    p = likelihood(params(likelihood))
    torch.manual_seed(0)
    t = p.sample((n,))[:, 0]
    if column.zeros:
        share = torch.isinf(t).double().mean().item()
        expected = torch.sigmoid(p.zero).item()
        assert abs(share - expected) <= SIGMAS * math.sqrt(expected * (1 - expected) / n)
        t = t[torch.isfinite(t)]
    x = np.sort(values_of(t.numpy(), column))
    if column.kind == "datetime":
        x = np.sort(likelihood.warps.inverse(t[:, None])[:, 0].numpy())
    grid = np.linspace(x[0], x[-1], 200_001)
    each = p.log_prob(torch.from_numpy(code_numbers(grid, column))[:, None]).exp().numpy()
    each /= 1 - (torch.sigmoid(p.zero).item() if column.zeros else 0)
    summed = scipy.integrate.cumulative_trapezoid(each, grid, initial=0)
    below = (1 - summed[-1]) / 2  # what lies beyond the extremes
    assert scipy.stats.kstest(x, lambda at: np.interp(at, grid, below + summed)).pvalue > 1e-3


def test_points_are_means_of_samples():
    n, likelihood = 40_000, table(*EVERY)
    p = likelihood(params(likelihood, 3, spread=0.4))
    torch.manual_seed(0)
    x = p.sample((n,))  # (n, 3, D)
    points = likelihood.cut_points(p.points())
    for j, column in enumerate(EVERY):
        if column.kind in ("binary", "categorical"):
            level = x[..., j : j + 1].clamp_max(column.codes - 1)
            drawn = (level == torch.arange(column.codes)).double()
        elif column in DENSE:
            place = [c.name for c in DENSE].index(column.name)
            values = likelihood.warps.expected(
                torch.where(torch.isinf(x[..., j]), 0.0, x[..., j])[..., None].expand(-1, -1, len(DENSE))
            )
            drawn = torch.where(torch.isinf(x[..., j]), 0.0, values[..., place])
        else:
            drawn = x[..., j]
        error = (drawn.mean(0) - points[j]).abs()
        slack = 0.03 * drawn.std(0) if column in (*DENSE, COUNT) else 0.0  # sixteen quantiles stand for a normal one
        assert bool((error <= SIGMAS * drawn.std(0) / n**0.5 + slack).all()), column.name


def test_medians_halve_the_samples_of_a_mixture():
    n, likelihood, numeric = 20_000, table(*EVERY), [c for c in EVERY if c.kind not in ("binary", "categorical")]
    raw = params(likelihood, 4, 3)
    zero = 3 * likelihood.mixture * likelihood.numbers  # the place of its logit
    raw[:, :2, zero], raw[:, 2, zero] = -1.0, 2.0  # mostly zeros in the last row
    p, weights = likelihood(raw), torch.softmax(torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3), 0)
    torch.manual_seed(0)
    x, medians = p.sample((n,)), likelihood.cut_points(p.medians(weights.log()))
    for column in numeric:
        j = EVERY.index(column)
        values = x[..., j]
        if column in DENSE:
            each = values[..., None].expand(*values.shape, len(DENSE))
            values = likelihood.warps.expected(each)[..., DENSE.index(column)].where(values > -math.inf, 0.0)
        below, upto = ((weights * part.double().mean(0)).sum(0) for part in (values < medians[j], values <= medians[j]))
        slack = SIGMAS * 0.5 / n**0.5
        assert bool((below - slack < 0.5).all()) and bool((upto + slack > 0.5).all()), column.name
        assert bool((values == medians[j]).any()) or column.kind in ("real", "datetime", "positive")
    assert float(medians[EVERY.index(ZEROS)][2]) == 0 < float(medians[EVERY.index(ZEROS)][:2].min())


def test_the_median_of_one_normal_is_its_mean_mapped():
    likelihood = table(REAL, ZEROS, mixture=1)
    raw = params(likelihood, 1, 5)
    raw[..., -1] = -40.0
    found = likelihood(raw).medians(torch.zeros(1, 5, dtype=torch.float64))
    torch.testing.assert_close(found, likelihood.warps.expected(likelihood(raw).mu[0, :, 0]))


def test_variances_of_few_rows_are_inflated_up_to_those_of_the_column():
    columns = [
        dataclasses.replace(ORDINAL, n_observed=20),
        dataclasses.replace(COUNT, n_observed=8),
        BINARY,
        dataclasses.replace(ZEROS, n_observed=50),
        dataclasses.replace(REAL, n_observed=800),
        dataclasses.replace(REAL, name="of an older folder"),
    ]
    likelihood = table(*columns, mixture=2)
    p = likelihood(params(likelihood, 300, spread=1.5))
    wider = p.inflated(4)
    place = {columns[j].name: i for i, j in enumerate(likelihood.numeric.tolist())}
    assert [*place] == ["rain", "real", "of an older folder", "visits", "grade"]
    factors = {"grade": 1 + 8 / 20, "visits": 1 + 8 / 8, "rain": 1 + 8 / (0.7 * 50), "real": 1 + 8 / 800}

    def variance(q):
        shares = q.log_weights.exp()
        mean = (shares * q.mu).sum(-2, keepdim=True)
        return (shares * (q.sigma.square() + (q.mu - mean).square())).sum(-2)

    v = variance(p)
    assert ((v < 0.4).any(0) & (v > 1.1).any(0)).all()
    for name, i in place.items():
        expected = torch.maximum(v[:, i], (factors.get(name, 1) * v[:, i]).clamp_max(1))
        torch.testing.assert_close(variance(wider)[:, i], expected, rtol=1e-6, atol=1e-6)
    more = wider.sigma.square() - p.sigma.square()
    torch.testing.assert_close(more[:, 0], more[:, 1], rtol=1e-6, atol=1e-6)
    for same in ("mu", "log_weights", "log_shares", "zero"):
        torch.testing.assert_close(getattr(wider, same), getattr(p, same))
    torch.testing.assert_close(p.inflated(1000).sigma, p.inflated(len(columns)).sigma)
    assert likelihood(params(likelihood, 3)).inflated(4).log_prob(rows_of(columns, n=3)).isfinite().all()


def test_a_table_without_numbers_has_nothing_to_inflate():
    likelihood = table(BINARY, COLOUR)
    p = likelihood(params(likelihood, 5))
    torch.testing.assert_close(p.inflated(4).log_prob(rows_of([BINARY, COLOUR])), p.log_prob(rows_of([BINARY, COLOUR])))


def test_taken_samples_are_those_of_their_codes():
    likelihood = table(*EVERY)
    p, x = likelihood(params(likelihood, 4, 5)), rows_of(EVERY)
    chosen = torch.tensor([[0, 1, 2, 3, 0], [3, 3, 3, 3, 3]])
    expected = torch.stack([p.log_prob(x)[row, torch.arange(5)] for row in chosen])
    torch.testing.assert_close(p.take(chosen).log_prob(x), expected)


# -- numerics ----------------------------------------------------------------------------------------------------------


def test_gradients_agree_with_differences():
    likelihood, x = table(*EVERY, mixture=2), rows_of(EVERY, n=3)
    x[0, 3], x[1, 5], x[2, 2] = math.nan, -math.inf, 500.0
    assert torch.autograd.gradcheck(lambda a: likelihood(a).log_prob(x), params(likelihood, 2, 3).requires_grad_())


def test_single_precision_is_enough():
    likelihood, raw, x = table(*EVERY), params(table(*EVERY), 50, 5), rows_of(EVERY)
    exact = likelihood(raw).log_prob(x)
    found = table(*EVERY, dtype=torch.float32)(raw.float()).log_prob(x.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=2e-3)


@pytest.mark.parametrize("size", [30.0, 200.0, 1e4])
@pytest.mark.parametrize("signs", list(itertools.product((-1.0, 1.0), repeat=3)))
def test_stays_finite_at_parameters_beyond_those_of_any_network(signs, size):
    likelihood, x = table(*EVERY, dtype=torch.float32), rows_of(EVERY, n=8).float()
    x[0, 5], x[1, 2], x[2, 2] = -math.inf, 0.0, 2.0**24
    raw = torch.zeros(8, likelihood.num_values)
    cut = 3 * likelihood.mixture * likelihood.numbers
    numbers = raw[:, :cut].view(8, likelihood.numbers, 3, likelihood.mixture)
    for i, sign in enumerate(signs):
        numbers[:, :, i] = sign * size
        numbers[:, :, 0, 0] *= -1
    raw[:, cut:] = signs[0] * size * torch.tensor([1.0, -1.0]).repeat(99)[: raw.shape[1] - cut]
    raw.requires_grad_()
    p = likelihood(raw)
    values = p.log_prob(x)
    (gradient,) = torch.autograd.grad(values.sum(), raw)
    assert bool(torch.isfinite(values).all()) and bool(torch.isfinite(gradient).all())
    assert not bool(torch.isnan(p.sample()).any()) and not bool(torch.isnan(p.points()).any())


@pytest.mark.parametrize("kind", ["positive", "count"])
def test_a_heavy_tail_does_not_lead_the_mean(kind):
    warp = Warp(1.0, 1.5, 0.0, 0.4)  # its tails are so heavy that the plain mean is astronomical
    column = Column("x", kind, "Float64", warp=warp, low=0.0, high=50.0, zeros=0.1 if kind == "positive" else 0.0)
    free = Column("x", kind, "Float64", warp=warp, zeros=column.zeros)
    raw = torch.zeros(1, table(column).num_values, dtype=torch.float64)
    kept, plain = (float(point_values(table(c)(raw).points()[:, 0].numpy(), column)[0]) for c in (column, free))
    assert 1 < kept < 25 < 50 == plain
