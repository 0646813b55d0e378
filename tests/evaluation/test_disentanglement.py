"""Scores of codes by known factors: 1 for the factors themselves, low for mixtures and noise, and by brute force."""

import itertools
import math

import numpy as np
import pytest

from vaekit.data import factor_images
from vaekit.errors import DataError, DataTypeError, OptionError
from vaekit.evaluation import (
    dci,
    disentanglement_scores,
    factor_vae_score,
    mig,
    mutual_information,
    sap,
)

GRID = np.indices((3, 4, 5, 6)).reshape(4, -1).T  # 360 rows, every combination once
FACTORS = np.repeat(GRID, 5, axis=0)
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=FACTORS.shape)
MIXED = FACTORS / FACTORS.std(0) + 0.3 * RNG.normal(size=FACTORS.shape)
TURNED = FACTORS / FACTORS.std(0) @ (np.kron(np.eye(2), [[1, -1], [1, 1]]) / 2**0.5)  # two by two, by 45 degrees


# -- the factors themselves, mixtures, noise ---------------------------------------------------------------------------


def test_the_factors_score_one():
    codes = np.hstack([FACTORS[:, [2, 0, 3, 1]] * [1.0, -2, 0.5, 1], np.zeros((len(FACTORS), 2))])
    scores = disentanglement_scores(codes, FACTORS)
    assert list(scores.values()) == pytest.approx([1.0] * 6, abs=1e-12)


def test_a_category_is_read_by_thresholds():
    """One unit tells it, any other has chance: 1 - 1/3; and the unit need not know it in order."""
    codes = FACTORS.astype(float)
    codes[:, 0] = np.array([0.0, 2.0, 1.0])[FACTORS[:, 0]]
    assert sap(codes, FACTORS, [0]) == pytest.approx(1 - 1 / 3 / 4, abs=0.02)
    assert sap(codes, FACTORS) < 0.85
    assert dci(codes, FACTORS, [0])["informativeness"] == 1


@pytest.mark.parametrize(("codes", "most"), [(TURNED, 0.02), (NOISE, 0.02)], ids=["turned", "noise"])
def test_mixtures_and_noise_have_no_gap(codes, most):
    assert abs(mig(codes, FACTORS)) < most and abs(sap(codes, FACTORS)) < most


def test_noise_has_nothing_at_all():
    scores = disentanglement_scores(NOISE, FACTORS, [0])
    assert scores["factor_vae_score"] == pytest.approx(1 / 4, abs=0.04)
    assert scores["disentanglement"] < 0.02 and scores["completeness"] < 0.02 and scores["informativeness"] < 0.15


def test_a_rotation_mixes_what_a_forest_can_still_read():
    scores = dci(TURNED, FACTORS)
    assert 0.4 < scores["disentanglement"] < 0.6  # a unit matters to two of the four factors: 1 - log 2 / log 4
    assert 0.4 < scores["completeness"] < 0.6 and scores["informativeness"] > 0.9
    assert factor_vae_score(TURNED, FACTORS) == pytest.approx(0.5, abs=0.06)  # right among two


def test_one_unit_for_two_factors_is_complete_but_not_disentangled():
    both = FACTORS[:, :1] * 4.0 + FACTORS[:, 1:2]  # tells the first two
    codes = np.hstack([both, FACTORS[:, 2:]])
    scores = dci(codes, FACTORS)
    assert scores["completeness"] == pytest.approx(1, abs=1e-6) and scores["disentanglement"] == pytest.approx(
        0.25 * 2 + 0.25 * 2 * (1 - math.log(2) / math.log(4)), abs=1e-6
    )


def test_scores_belong_to_the_pairs_not_to_their_order():
    order = RNG.permutation(len(FACTORS))
    assert mig(MIXED[order], FACTORS[order]) == pytest.approx(mig(MIXED, FACTORS), rel=1e-12)
    assert mig(MIXED[:, ::-1], FACTORS) == pytest.approx(mig(MIXED, FACTORS), rel=1e-12)
    assert sap(3 * MIXED + 1, 2 * FACTORS - 7) == pytest.approx(sap(MIXED, FACTORS), rel=1e-9)
    assert factor_vae_score(MIXED * [1, 2, 3, 4], FACTORS) == factor_vae_score(MIXED, FACTORS)


@pytest.mark.usefixtures("generators_untouched")
def test_they_are_functions_of_the_seed():
    assert disentanglement_scores(MIXED, FACTORS, [0]) == disentanglement_scores(MIXED, FACTORS, [0])
    assert factor_vae_score(TURNED, FACTORS) != factor_vae_score(TURNED, FACTORS, seed=1)


@pytest.mark.parametrize("score", [sap, dci, factor_vae_score, disentanglement_scores])
def test_what_is_no_seed(score):
    with pytest.raises(OptionError, match=r"seed=0\.5 must be a whole number"):
        score(MIXED, FACTORS, seed=0.5)


# -- by brute force ----------------------------------------------------------------------------------------------------


def test_mutual_information_by_counting_pairs():
    codes, factors, bins = MIXED[:200, :2], FACTORS[:200, 2:], 7
    edges = [np.linspace(code.min(), code.max(), bins + 1) for code in codes.T]
    for unit, factor in itertools.product(range(2), range(2)):
        total = 0.0
        for b, v in itertools.product(range(bins), np.unique(factors[:, factor])):
            above, below = codes[:, unit] >= edges[unit][b], codes[:, unit] < edges[unit][b + 1]
            in_bin = above & (below if b < bins - 1 else True)
            at_level = factors[:, factor] == v
            both = (in_bin & at_level).mean()
            total += both * math.log(both / in_bin.mean() / at_level.mean()) if both else 0.0
        assert mutual_information(codes, factors, bins)[unit, factor] == pytest.approx(total, rel=1e-9)


def test_mig_from_the_table_of_information():
    table = mutual_information(MIXED, FACTORS)
    gaps = []
    for factor, levels in enumerate((3, 4, 5, 6)):
        best, next_best = sorted(table[:, factor])[::-1][:2]
        gaps.append((best - next_best) / math.log(levels))
    assert mig(MIXED, FACTORS) == pytest.approx(np.mean(gaps), rel=1e-9)


def test_sap_by_regression():
    gaps = []
    for factor in range(4):
        explained = []
        for unit in range(4):
            X = np.column_stack([np.ones(len(MIXED)), MIXED[:, unit]])
            rest = np.linalg.lstsq(X, FACTORS[:, factor], rcond=None)[1][0] / len(MIXED)
            explained.append(1 - rest / FACTORS[:, factor].var())
        best, next_best = sorted(explained)[::-1][:2]
        gaps.append(best - next_best)
    assert sap(MIXED, FACTORS) == pytest.approx(np.mean(gaps), rel=1e-6)


def test_votes_one_by_one():
    """The FactorVAE score, drawn again from its definition with other random numbers."""
    codes = np.hstack([TURNED[:, :2], MIXED[:, 2:], 0.05 * NOISE[:, :1]])  # the last unit is not active
    rng, named, right = np.random.default_rng(1), {}, []
    for vote in range(3000):
        factor = int(rng.integers(4))
        level = rng.choice(FACTORS[:, factor])
        rows = rng.choice(np.flatnonzero(FACTORS[:, factor] == level), 100)
        unit = int((codes[rows, :4].var(0) / codes[:, :4].var(0)).argmin())
        if vote < 1500:
            named.setdefault(unit, []).append(factor)
        else:
            right.append(max(set(named[unit]), key=named[unit].count) == factor)
    assert factor_vae_score(codes, FACTORS) == pytest.approx(np.mean(right), abs=0.05)
    assert factor_vae_score(0.05 * NOISE, FACTORS) == 0


def test_the_images_are_a_test_bed():
    made = factor_images(12, scales=2, rotations=2, positions=3)
    centres = np.stack(
        [(made.images * np.arange(12)).sum((1, 2)), (made.images * np.arange(12)[:, None]).sum((1, 2))], 1
    )
    codes = centres / made.images.sum((1, 2))[:, None]
    assert mig(codes, made.factors[:, 3:]) > 0.9 and mig(codes, made.factors[:, :3]) < 0.1


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "codes", "factors", "message"),
    [
        (DataError, np.zeros(4), FACTORS, "The codes have the shape (4,), but (N, L) is needed."),
        (DataError, MIXED, FACTORS[:, 0], "The factors have the shape (1800,), but (N, K) is needed."),
        (DataError, MIXED[:10], FACTORS, "There are 1,800 rows of factors for 10 codes."),
        (DataError, MIXED + np.nan, FACTORS, "The codes hold NaN or infinity."),
        (DataTypeError, MIXED, [["a"]] * 1800, "The factors are of type <U1 where numbers belong."),
        (DataError, MIXED, 0 * FACTORS, "Factor 0 does not vary, so no code can be scored by it."),
        (DataError, MIXED, NOISE, "Factor 0 has 1,800 levels in 1,800 rows; cut it into fewer."),
    ],
)
def test_what_cannot_be_scored(error, codes, factors, message):
    for score in (mig, sap, factor_vae_score, dci):
        with pytest.raises(error) as caught:
            score(codes, factors)
        assert str(caught.value) == message


def test_options_that_cannot_be_used():
    with pytest.raises(DataError) as caught:
        sap(MIXED, FACTORS, categorical=[4])
    assert str(caught.value) == "categorical names the column 4, but the factors are 0 to 3."
    with pytest.raises(OptionError) as error:
        mig(MIXED, FACTORS, bins=1)
    assert str(error.value) == "bins=1 must be a whole number of at least 2."


@pytest.mark.parametrize("categorical", [[True, False], 0, ["shape"]])
def test_what_is_no_list_of_columns_is_refused(categorical):
    levels = np.repeat(np.indices((4, 4)).reshape(2, -1).T, 20, axis=0)
    with pytest.raises(DataError, match="categorical must hold numbers of columns"):
        sap(levels, levels, categorical)
