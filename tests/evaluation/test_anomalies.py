"""Anomaly scores: against counting by hand, and what they are in the mean of the rows they refer to."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import vaekit
from vaekit.data.rows import Rows
from vaekit.errors import RunError
from vaekit.evaluation.anomalies import anomaly_scores, cell_likelihoods, reference_rows

N = 200


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=N)
    frame = pd.DataFrame({"a": a, "b": a + 0.1 * rng.normal(size=N), "c": 1000 * rng.lognormal(size=N)})
    frame["d"] = np.where(a > 0, "high", "low")
    frame.loc[::7, "b"] = np.nan
    return frame


@pytest.fixture(scope="module")
def vae(table):
    return vaekit.TabularVAE(2, (16,), epochs=60, validation_fraction=None, random_state=0, verbose=0).fit(table)


@pytest.fixture(scope="module")
def rows(vae, table) -> Rows:
    return vae._read(table)


@pytest.fixture(scope="module")
def parts(vae, rows):
    return vae.model_, vae.independent_, reference_rows(vae.model_, vae.independent_, rows)


def oddities(known, likelihoods):
    """Both numbers of each row by counting, in float32 where that decides what counts as equal."""
    (known, known_alone), (given, alone) = np.split(known, 2, axis=1), np.split(likelihoods, 2, axis=1)
    together = np.full(given.shape, np.nan)
    for i, d in zip(*np.nonzero(~np.isnan(given)), strict=True):
        column = known[:, d][~np.isnan(known[:, d])]
        together[i, d] = -math.log((1 + (column <= given[i, d] + np.float32(1e-3)).sum()) / (len(column) + 2))
    return np.nanmean(together, 1), -np.nanmean(alone - np.nanmean(known_alone, 0), 1)


def minus_log_share(value, known):
    """By counting, and beyond the highest tenth by an exponential tail."""
    start = np.quantile(known, 0.9)
    if value > start:
        return -math.log(0.1) + (value - start) / (known[known >= start] - start).mean()
    return min(-math.log((1 + (known >= value - 1e-6).sum()) / (1 + len(known))), -math.log(0.1))


def by_hand(reference, likelihoods):
    known, found = oddities(reference, reference), oddities(reference, likelihoods)
    return np.mean([[minus_log_share(v, k) for v in values] for values, k in zip(found, known, strict=True)], 0)


def test_scores_are_what_counting_gives(parts, rows):
    model, alone, reference = parts
    found = anomaly_scores(*parts, rows).numpy()
    expected = by_hand(reference.numpy(), cell_likelihoods(model, alone, rows).numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_likelihoods_of_cells_alone_add_up_to_those_of_independent_columns(vae, rows):
    from vaekit.evaluation.likelihood import score_independent

    alone = cell_likelihoods(vae.model_, vae.independent_, rows)[:, rows.shape[0] :]
    np.testing.assert_allclose(alone.nansum(1).numpy(), score_independent(vae.independent_, rows), rtol=1e-4)


def test_rows_of_the_fit_score_one_in_the_mean(vae, table):
    numbers = vae.anomaly_scores(table)
    assert numbers.dtype == np.float32
    assert numbers.mean() == pytest.approx(1, abs=0.05)


def test_a_row_that_breaks_the_rule_of_the_others_stands_out(vae, table):
    odd = table.iloc[[1]].assign(a=2.5, b=-2.5, d="low", c=9e4)
    assert vae.anomaly_scores(odd)[0] > np.quantile(vae.anomaly_scores(table), 0.99)


def test_one_absurd_cell_stands_out(vae, table):
    odd = table.iloc[[1]].assign(a=50.0)
    assert vae.anomaly_scores(odd)[0] > vae.anomaly_scores(table).max()


def test_missing_cells_do_not_count_and_a_row_without_cells_has_no_score(parts, rows):
    x = rows.raw(slice(0, 1)).clone()
    x[0, 1:] = math.nan
    model, alone, reference = parts
    likelihoods = cell_likelihoods(model, alone, Rows(x)).numpy()
    assert np.isnan(likelihoods[0]).sum() == 6
    np.testing.assert_allclose(anomaly_scores(*parts, Rows(x)), by_hand(reference.numpy(), likelihoods), rtol=1e-4)
    assert torch.isnan(anomaly_scores(*parts, Rows(torch.full_like(x, math.nan)))).all()


def test_scores_do_not_depend_on_the_rows_beside_nor_on_saving(vae, table, tmp_path):
    scores = vae.anomaly_scores(table)
    np.testing.assert_allclose(vae.anomaly_scores(table[10:13]), scores[10:13], rtol=1e-5)
    vae.save(tmp_path / "vae")
    np.testing.assert_array_equal(vaekit.load(tmp_path / "vae").anomaly_scores(table), scores)


@pytest.mark.parametrize("reference", [None, torch.zeros(N, 4)], ids=["none", "of an earlier version"])
def test_a_model_saved_without_its_reference_says_so(parts, rows, reference):
    with pytest.raises(RunError, match="fit it again"):
        anomaly_scores(*parts[:2], reference, rows)
