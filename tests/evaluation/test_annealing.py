"""Annealed importance sampling against the evidence of a linear-Gaussian model, and the sandwich around it."""

import copy

import contracts as c
import numpy as np
import pytest
import torch

from vaekit.data.rows import Rows
from vaekit.distributions import DiagonalNormal
from vaekit.errors import OptionError
from vaekit.evaluation.annealing import Annealing, annealed_scores, bidirectional_scores, sigmoid_schedule
from vaekit.evaluation.likelihood import score_rows
from vaekit.priors import Prior


@pytest.fixture(scope="module")
def exact():
    return c.LinearGaussian(0.7, n=60)


@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_bounds_meet_at_the_evidence(exact, start):
    """Within three standard errors and a hundredth of a nat a row, from either end."""
    how = Annealing(chains=8, temperatures=150, leapfrog=3, start=start)
    error = annealed_scores(exact.model, Rows(exact.x), how) - exact.log_evidence()
    assert abs(error.mean()) < 3 * error.std() / len(error) ** 0.5 + 0.01
    lower, upper = bidirectional_scores(exact.model, 60, how)
    gap = upper - lower
    assert -3 * gap.std() / 60**0.5 < gap.mean() < 0.05


def test_more_temperatures_come_closer(exact):
    rows, truth = Rows(exact.x), exact.log_evidence()
    errors = [
        truth - annealed_scores(exact.model, rows, Annealing(2, steps, 3, "prior", seed))
        for steps in (2, 60)
        for seed in range(3)
    ]
    assert np.mean(errors[:3]) > 3 * abs(np.mean(errors[3:]))


def test_one_temperature_is_importance_sampling(exact):
    """From q(z|x) in one step: the importance-weighted bound with C samples, in distribution."""
    rows = Rows(exact.x)
    annealed = [annealed_scores(exact.model, rows, Annealing(5, 1, seed=seed)).mean() for seed in range(20)]
    weighted = [score_rows(exact.model, rows, 5, seed=100 + seed).log_likelihood.mean() for seed in range(20)]
    spread = (np.var(annealed, ddof=1) / 20 + np.var(weighted, ddof=1) / 20) ** 0.5
    assert abs(np.mean(annealed) - np.mean(weighted)) < 4 * spread


def test_an_exact_posterior_leaves_nothing_to_anneal():
    exact = c.LinearGaussian(0.0, n=20)
    for how in (Annealing(2, 1), Annealing(2, 10)):
        np.testing.assert_allclose(
            annealed_scores(exact.model, Rows(exact.x), how), exact.log_evidence(), rtol=0, atol=2e-3
        )


def test_a_score_belongs_to_its_row(exact):
    rows, how = Rows(exact.x), Annealing(3, 10, 2)
    whole = annealed_scores(exact.model, rows, how)
    some = annealed_scores(exact.model, rows.subset(np.arange(50, 0, -7)), how, batch_size=3)
    np.testing.assert_allclose(some, whole[50:0:-7], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "case",
    [case for case in c.MODEL_CASES if case.id in ("ladder", "vamp prior", "masked layers", "flow prior")],
    ids=lambda case: case.id,
)
@pytest.mark.parametrize("start", ["posterior", "prior"])
def test_other_models_are_sandwiched(case, start):
    """Random networks are near their prior: few temperatures bring both bounds together."""
    model, how = case.make(), Annealing(4, 10, 3, start)
    lower, upper = bidirectional_scores(model, 30, how)
    gap = upper - lower
    assert -4 * gap.std() / 30**0.5 - 1e-3 < gap.mean() < 0.3
    rows = Rows(case.data[:30])
    scores, bound = annealed_scores(model, rows, how), score_rows(model, rows, 300).log_likelihood
    assert abs((scores - bound).mean()) < 0.1
    assert all(parameter.requires_grad for parameter in model.parameters())


class Plain(Prior):
    """N(0, I) that is not known to be that."""

    latent_dim = 2

    def forward(self, encoder=None):
        return DiagonalNormal(torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("steps", [1, 5])
def test_chains_from_any_prior_start_apart_from_the_codes_they_look_for(exact, steps):
    """The same density, once known to be N(0, I) and once not: the same bounds on average, row for row of few."""
    known, unknown = exact.model, copy.deepcopy(exact.model)
    unknown.prior = Plain()
    bounds = [
        [bidirectional_scores(model, 8, Annealing(16, steps, 3, "prior", seed))[0].mean() for seed in range(25)]
        for model in (known, unknown)
    ]
    error = np.std(np.subtract(*bounds), ddof=1) / 5
    assert abs(np.mean(bounds[0]) - np.mean(bounds[1])) < 4 * error


def test_the_schedule_rises_from_0_to_1():
    betas = sigmoid_schedule(100)
    assert betas[0] == 0 and betas[-1] == 1 and len(betas) == 101 and (np.diff(betas) > 0).all()
    np.testing.assert_allclose(betas + betas[::-1], 1)


def test_bad_numbers_are_named():
    with pytest.raises(OptionError) as error:
        annealed_scores(c.LinearGaussian(n=2).model, Rows(np.zeros((2, 5))), Annealing(0, -1, start="q", seed=None))
    assert str(error.value) == (
        "chains=0 must be a whole number of at least 1. temperatures=-1 must be a whole number of at least 1. "
        "start='q' is not one of 'posterior', 'prior'. seed=None must be a whole number of at least 0."
    )
    with pytest.raises(OptionError) as error:
        bidirectional_scores(c.LinearGaussian(n=2).model, 0)
    assert str(error.value) == "simulated=0 must be a whole number of at least 1."
