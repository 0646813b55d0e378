"""What a model says of missing cells, against models whose conditionals are known: by linear algebra, or by quadrature."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from vaekit.data.rows import Rows
from vaekit.evaluation import imputation
from vaekit.evaluation.imputation import cell_scores, conditionals, draws_given
from vaekit.evaluation.likelihood import score_rows
from vaekit.likelihoods.base import SOFTPLUS_ONE
from vaekit.likelihoods.table import TableColumns
from vaekit.models.building import Architecture
from vaekit.models.tabular import build_tabular
from vaekit.models.vae import VAE
from vaekit.nn.warp import TableFeatures
from vaekit.randomness import isolated_rng
from vaekit.schema import Column

SIGMAS = 5.0
NAN = math.nan


# -- a linear model of numbers -----------------------------------------------------------------------------------------


class LinearTable:
    """Real columns with p(x) = N(0, W W^T + Psi), and a q(z|x_o) that is only roughly the posterior."""

    def __init__(self, dim: int = 4, latent_dim: int = 2, n: int = 40) -> None:
        rng = np.random.default_rng(3)
        self.W = rng.normal(size=(dim, latent_dim))
        self.sigma = rng.uniform(0.4, 0.9, size=dim)
        self.cov = self.W @ self.W.T + np.diag(self.sigma**2)
        self.x = rng.multivariate_normal(np.zeros(dim), self.cov, size=n)
        self.x[rng.random(self.x.shape) < 0.4] = NAN
        self.x[0] = NAN
        self.x[1] = rng.multivariate_normal(np.zeros(dim), self.cov)
        self.rows = Rows(self.x.astype(np.float32))
        self.model = self._model()

    def _model(self) -> VAE:
        dim, latent = self.W.shape
        columns = [Column(f"x{j}", "real", "Float64") for j in range(dim)]
        likelihood, features = TableColumns(columns, mixture=1), TableFeatures(columns)
        encoder, decoder = nn.Linear(3 * dim, 2 * latent), nn.Linear(latent, 3 * dim)
        precision = np.linalg.inv(np.eye(latent) + (self.W / self.sigma[:, None] ** 2).T @ self.W)
        raw = np.log(np.expm1(self.sigma - likelihood.floor)) - SOFTPLUS_ONE
        with torch.no_grad():
            for parameter in (*encoder.parameters(), *decoder.parameters()):
                parameter.zero_()
            encoder.weight[:latent, :dim] = torch.tensor(precision @ (self.W / self.sigma[:, None] ** 2).T)
            encoder.bias[latent:] = math.log(0.9)
            decoder.weight[dim : 2 * dim] = torch.tensor(self.W, dtype=torch.float32)
            decoder.bias[2 * dim :] = torch.tensor(raw, dtype=torch.float32)
        return VAE(encoder, decoder, likelihood, latent, scaling=features).eval()

    def conditional(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of all cells given the observed ones."""
        seen = ~np.isnan(row)
        gain = self.cov[:, seen] @ np.linalg.inv(self.cov[np.ix_(seen, seen)])
        return gain @ row[seen], self.cov - gain @ self.cov[seen]

    def log_evidence(self, row: np.ndarray) -> float:
        seen = ~np.isnan(row)
        if not seen.any():
            return 0.0
        return float(
            scipy.stats.multivariate_normal(np.zeros(seen.sum()), self.cov[np.ix_(seen, seen)]).logpdf(row[seen])
        )


@pytest.fixture(scope="module")
def linear():
    return LinearTable()


def all_of(model, rows, num_samples, seed=0):
    """The conditionals of all rows at once."""
    (known,) = conditionals(model, rows, num_samples, seed)
    return known


def test_scores_are_the_evidence_of_the_observed_cells(linear):
    exact = np.array([linear.log_evidence(row) for row in linear.x])
    scores = score_rows(linear.model, linear.rows, 40_000)
    np.testing.assert_allclose(scores.log_likelihood, exact, atol=0.1)
    assert abs((scores.log_likelihood - exact).mean()) < 0.02
    bounds = [score_rows(linear.model, linear.rows, k).log_likelihood.mean() for k in (1, 10, 100, 1000)]
    assert scores.elbo.mean() < bounds[1] < bounds[2] < bounds[3] < exact.mean() + 0.02


def test_a_row_without_a_cell_counts_nothing(linear):
    """p(z) and q(z|nothing) differ here, so this holds only as the samples become many."""
    assert abs(score_rows(linear.model, linear.rows, 20_000).log_likelihood[0]) < 0.02


def test_imputed_means_are_conditional_expectations(linear):
    estimates = np.stack([all_of(linear.model, linear.rows, 500, seed).points().numpy() for seed in range(40)])
    each = [linear.conditional(row)[0] for row in linear.x]
    missing = np.isnan(linear.x)
    mean, se = estimates.mean(0), estimates.std(0, ddof=1) / len(estimates) ** 0.5
    exact = np.array(each)
    assert bool((np.abs(mean - exact)[missing] <= SIGMAS * se[missing] + 0.01).all())


def test_draws_have_the_conditional_mean_and_covariance(linear):
    row = linear.x[np.isnan(linear.x).sum(1) == 2][0]
    hidden = np.isnan(row)
    known = all_of(linear.model, Rows(row[None].astype(np.float32)), 15_000)
    with isolated_rng(0):
        drawn = known.draws(15_000)[:, 0, torch.from_numpy(hidden)].numpy().astype(np.float64)
    mean, cov = linear.conditional(row)
    cov = cov[np.ix_(hidden, hidden)]
    spread = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(drawn.mean(0), mean[hidden], atol=0.06 * spread.max())
    np.testing.assert_allclose(np.cov(drawn.T), cov, atol=0.06 * spread.max() ** 2)


def test_medians_of_normal_cells_are_their_means(linear):
    some = torch.tensor([0, 3, 4, 5, 6])
    known = all_of(linear.model, linear.rows.subset(some), 4000)
    medians, means = known.points("median"), known.points()
    missing = torch.from_numpy(np.isnan(linear.x))[some]
    assert float((medians - means)[missing].abs().max()) < 0.1
    assert float((medians - means)[missing].mean().abs()) < 0.03


def test_scores_of_cells_are_conditional_log_densities(linear):
    scores = cell_scores(linear.model, linear.rows, 40_000).numpy()
    assert np.array_equal(np.isnan(scores), np.isnan(linear.x))
    errors = []
    for row, found in zip(linear.x, scores, strict=True):
        for d in np.flatnonzero(~np.isnan(row)):
            rest = row.copy()
            rest[d] = NAN
            mean, cov = linear.conditional(rest)
            exact = scipy.stats.norm(mean[d], cov[d, d] ** 0.5).logpdf(row[d])
            errors.append(found[d] - exact)
    assert np.abs(errors).max() < 0.3 and abs(np.mean(errors)) < 0.01


def test_a_rows_result_does_not_depend_on_its_neighbours(linear):
    whole = all_of(linear.model, linear.rows, 300).points()
    some = all_of(linear.model, linear.rows.subset(torch.tensor([30, 7, 12])), 300).points()
    torch.testing.assert_close(some, whole[[30, 7, 12]], rtol=1e-4, atol=1e-5)
    scores = cell_scores(linear.model, linear.rows, 100)
    torch.testing.assert_close(
        cell_scores(linear.model, linear.rows.subset(torch.tensor([30, 7])), 100),
        scores[[30, 7]],
        equal_nan=True,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.usefixtures("generators_untouched")
def test_wide_rows_go_few_at_a_time(linear, monkeypatch):
    whole = all_of(linear.model, linear.rows, 50).points()
    width = linear.model.likelihood.num_values
    monkeypatch.setattr(imputation, "_VALUES", 3 * 50 * width)
    parts = list(conditionals(linear.model, linear.rows, 50))
    assert {known.log_weights.numel() for known in parts[:-1]} == {3 * 50}
    torch.testing.assert_close(torch.cat([known.points() for known in parts]), whole, rtol=1e-4, atol=1e-5)


def test_levels_count_as_they_are_padded():
    """One column of many levels widens the others."""
    towns = Column("town", "categorical", "String", levels=tuple(range(2000)), shares=(1 / 2000,) * 2000)
    answers = [Column(f"q{j}", "binary", "Boolean", levels=(False, True), shares=(0.5, 0.5)) for j in range(49)]
    model = build_tabular([towns, *answers], Architecture(latent_dim=1, hidden=(8,)), 2)
    assert imputation._codes(model) == imputation._VALUES // (2000 + 2 * 49 + 50 * 2000)


# -- a model of levels -------------------------------------------------------------------------------------------------


def shares(*weights):
    return tuple(weight / sum(weights) for weight in weights)


LEVELS = [
    Column("smokes", "binary", "Boolean", levels=(False, True), shares=shares(2, 1)),
    Column("town", "categorical", "String", levels=tuple("abcde"), shares=shares(4, 3, 3, 2, 1), pool=3),
    Column("grade", "ordinal", "String", levels=("low", "mid", "high"), shares=shares(2, 3, 1)),
]
SIZES = [len(column.levels) for column in LEVELS]
CODES = np.array(list(itertools.product(*map(range, SIZES))), dtype=np.float32)  # every row of the table


class LevelTable:
    """A model of levels with random weights, and its joint probabilities by quadrature over one latent unit."""

    def __init__(self) -> None:
        with isolated_rng(1):
            self.model = build_tabular(LEVELS, Architecture(latent_dim=1, hidden=(8,)), 2).eval()
            for parameter in self.model.decoder.parameters():
                parameter.data += 0.4 * torch.randn_like(parameter)
            for parameter in self.model.encoder.parameters():
                parameter.data *= 0.3
            self.model.encoder.mlp.output.bias.data = torch.tensor([0.2, 0.1])  # wider than any posterior
        z = torch.linspace(-8, 8, 4001)
        weights = torch.distributions.Normal(0.0, 1.0).log_prob(z) + math.log(float(z[1] - z[0]))
        with torch.no_grad():
            logs = self.model.decode(z[:, None, None]).log_prob(torch.from_numpy(CODES))  # (z, rows)
        self.joint = torch.logsumexp(logs.double() + weights.double()[:, None], 0).exp().numpy().reshape(SIZES)

    def log_evidence(self, row: np.ndarray) -> float:
        """log p of the observed cells."""
        return math.log(self.given(row).sum())

    def given(self, row: np.ndarray) -> np.ndarray:
        """Joint probabilities of all rows that agree with the observed cells."""
        place = tuple(slice(None) if np.isnan(code) else slice(int(code), int(code) + 1) for code in row)
        return self.joint[place]


@pytest.fixture(scope="module")
def levels():
    return LevelTable()


def holed() -> np.ndarray:
    """Every row, with every pattern of missing cells."""
    return np.array(list(itertools.product(*([*range(size), NAN] for size in SIZES))), dtype=np.float32)


def test_probabilities_of_all_tables_sum_to_one(levels):
    assert levels.joint.sum() == pytest.approx(1, abs=2e-4)
    marginals = [levels.joint.sum(tuple(j for j in range(3) if j != k)) for k in range(3)]
    apart = np.einsum("a,b,c->abc", *marginals)
    assert np.abs(levels.joint - apart).max() > 0.02  # the columns depend on each other


def test_scores_are_sums_over_the_missing_cells(levels):
    rows = holed()
    exact = np.array([levels.log_evidence(row) for row in rows])
    np.testing.assert_allclose(score_rows(levels.model, Rows(rows), 4000).log_likelihood, exact, atol=0.15)
    whole = score_rows(levels.model, Rows(CODES), 4000).log_likelihood
    assert np.exp(whole).sum() == pytest.approx(1, abs=0.02)


def test_scores_of_cells_are_differences_of_evidence(levels):
    found = cell_scores(levels.model, Rows(CODES), 4000).numpy()
    exact = np.empty_like(found)
    for i, row in enumerate(CODES):
        for d in range(len(LEVELS)):
            rest = row.copy()
            rest[d] = NAN
            exact[i, d] = levels.log_evidence(row) - levels.log_evidence(rest)
    np.testing.assert_allclose(found, exact, atol=0.15)


def test_points_are_conditional_probabilities(levels):
    rows = holed()
    points = torch.cat([known.points() for known in conditionals(levels.model, Rows(rows), 4000)]).numpy()
    binary, town, grade = (levels.model.likelihood.cut_points(points)[j] for j in range(3))
    for i, row in enumerate(rows):
        joint = levels.given(row) / levels.given(row).sum()
        if np.isnan(row[0]):
            np.testing.assert_allclose(binary[i], joint.sum((1, 2)), atol=0.03)
        if np.isnan(row[1]):
            each = joint.sum((0, 2))
            np.testing.assert_allclose(town[i], [*each[:2], each[2:].sum()], atol=0.03)
        if np.isnan(row[2]):
            assert grade[i] == pytest.approx((joint.sum((0, 1)) * np.arange(3)).sum(), abs=0.06)


def test_draws_are_of_all_missing_cells_together(levels):
    row, n = np.array([NAN, NAN, 2.0], np.float32), 20_000
    known = all_of(levels.model, Rows(row[None]), 20_000)
    with isolated_rng(0):
        drawn = known.draws(n)[:, 0].long().numpy()
    exact = levels.given(row)[:, :, 0]
    exact /= exact.sum()
    found = np.zeros_like(exact)
    np.add.at(found, (drawn[:, 0], drawn[:, 1]), 1 / n)
    assert bool((np.abs(found - exact) <= SIGMAS * np.sqrt(2 * exact * (1 - exact) / n) + 1e-3).all())


def test_the_generator_of_the_caller_is_its_own_between_batches(linear):
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        for _ in conditionals(linear.model, linear.rows, 5):
            found.append(float(torch.rand(1)))
    torch.manual_seed(1)
    assert found[0] == float(torch.rand(1)) and found[0] != found[len(found) // 2]


def test_draws_given_some_cells_are_a_function_of_the_seed(linear):
    row = torch.tensor(linear.x[1], dtype=torch.float32)
    row[0] = NAN
    one, again, other = (draws_given(linear.model, row, 5, seed) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
