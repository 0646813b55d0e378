"""Anomaly scores: against counting by hand, and what they are in the mean of the rows they refer to."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import vaekit
from vaekit.data.rows import Rows
from vaekit.errors import RunError
from vaekit.evaluation.anomalies import anomaly_scores, predictive_scores, reference_scores

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


def test_scores_are_what_counting_gives(vae, rows):
    reference = reference_scores(vae.model_, rows)
    found = anomaly_scores(vae.model_, reference, rows)
    scores, known = predictive_scores(vae.model_, rows).numpy(), reference.numpy()
    for row, expected in zip(scores[:20], found[:20].tolist(), strict=True):
        logs = []
        for d in range(len(row)):
            column = known[:, d][~np.isnan(known[:, d])]
            if not math.isnan(row[d]):
                logs.append(math.log((1 + (column <= row[d] + np.float32(1e-3)).sum()) / (len(column) + 2)))
        assert expected == pytest.approx(-np.mean(logs), rel=1e-5)


def test_rows_of_the_fit_score_one_in_the_mean(vae, table):
    numbers = vae.anomaly_scores(table)
    assert numbers.dtype == np.float32
    assert numbers.mean() == pytest.approx(1, abs=0.05)


def test_a_row_that_breaks_the_rule_of_the_others_stands_out(vae, table):
    odd = table.iloc[[1]].assign(a=2.5, b=-2.5, d="low", c=9e4)
    assert vae.anomaly_scores(odd)[0] > np.quantile(vae.anomaly_scores(table), 0.99)


def test_missing_cells_do_not_count_and_a_row_without_cells_has_no_score(vae, rows):
    x = rows.raw(slice(0, 1)).clone()
    x[0, 1:] = math.nan
    reference = reference_scores(vae.model_, rows)
    (alone,) = anomaly_scores(vae.model_, reference, Rows(x))
    share = (1 + int((reference[:, 0] <= predictive_scores(vae.model_, Rows(x))[0, 0] + 1e-3).sum())) / (N + 2)
    assert float(alone) == pytest.approx(-math.log(share), rel=1e-5)
    assert torch.isnan(anomaly_scores(vae.model_, reference, Rows(torch.full_like(x, math.nan)))).all()


def test_scores_do_not_depend_on_the_rows_beside_nor_on_saving(vae, table, tmp_path):
    scores = vae.anomaly_scores(table)
    np.testing.assert_allclose(vae.anomaly_scores(table[10:13]), scores[10:13], rtol=1e-5)
    vae.save(tmp_path / "vae")
    np.testing.assert_array_equal(vaekit.load(tmp_path / "vae").anomaly_scores(table), scores)


def test_a_model_saved_without_its_reference_says_so(vae, rows):
    with pytest.raises(RunError, match="fit it again"):
        anomaly_scores(vae.model_, None, rows)
