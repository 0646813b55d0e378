"""Anomaly scores: against counting by hand, what they are in the mean, and which rows stand out."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import vaekit
from vaekit.data.rows import Rows
from vaekit.errors import RunError
from vaekit.evaluation import anomalies
from vaekit.evaluation.anomalies import anomaly_scores, cell_likelihoods, reference_likelihoods
from vaekit.evaluation.likelihood import score_independent

N = 200
EQUAL = np.float32(1e-3)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=N)
    frame = pd.DataFrame({"a": a, "b": a + 0.1 * rng.normal(size=N), "c": 1000 * rng.lognormal(size=N)})
    frame["d"] = np.where(a > 0, "high", "low")
    frame.loc[::7, "b"] = np.nan
    return frame


def fit(table: pd.DataFrame, epochs: int = 60) -> vaekit.TabularVAE:
    return vaekit.TabularVAE(2, (16,), epochs=epochs, validation_fraction=None, random_state=0, verbose=0).fit(table)


@pytest.fixture(scope="module")
def vae(table):
    return fit(table)


@pytest.fixture(scope="module")
def rows(vae, table) -> Rows:
    return vae._read(table)


@pytest.fixture(scope="module")
def parts(vae, rows):
    return vae.model_, vae.independent_, reference_likelihoods(vae.model_, vae.independent_, rows)


def odd_cells(reference, likelihoods):
    """Of each cell both numbers, by counting."""
    out = -likelihoods.copy()
    for i, d in np.ndindex(len(out), out.shape[2]):
        column = reference[:, 0, d][~np.isnan(reference[:, 0, d])]
        if not np.isnan(out[i, 0, d]):
            no_likelier = (column <= likelihoods[i, 0, d] + EQUAL).sum()
            out[i, 0, d] = -math.log((1 + no_likelier) / (len(column) + 2))
    return out


def oddities(reference, likelihoods):
    centred = odd_cells(reference, likelihoods) - np.nanmean(odd_cells(reference, reference), 0)
    return np.nansum(centred, 2) / np.sqrt((~np.isnan(centred)).sum(2))


def minus_log_share(value, known):
    """By counting, and by the exponential tail in the oddest tenth."""
    most = max(len(known) // 10, 10)
    start = np.sort(known)[-most - 1]
    beyond = known[known > start + EQUAL] - start
    if value > start + EQUAL:
        return -math.log((1 + len(beyond)) / (1 + len(known))) + (value - start) / beyond.mean()
    return -math.log((1 + (known >= value - EQUAL).sum()) / (1 + len(known)))


def by_hand(reference, likelihoods):
    known, found = oddities(reference, reference), oddities(reference, likelihoods)
    return np.array([np.mean([minus_log_share(row[i], known[:, i]) for i in range(2)]) for row in found])


def likelihoods_of(parts, rows):
    return torch.cat(list(cell_likelihoods(*parts[:2], rows)))


def two_scores(parts, rows):
    """(n, 2) the two parts of the score."""
    reference = parts[2]
    centre = anomalies._odd_cells(reference, reference).nanmean(0)
    known = anomalies._oddities(reference, centre, reference)
    odd = anomalies._oddities(reference, centre, likelihoods_of(parts, rows))
    return np.stack([anomalies._minus_log_share(odd[:, i], known[:, i]).numpy() for i in range(2)], 1)


def test_scores_are_what_counting_gives(parts, rows):
    expected = by_hand(parts[2].numpy(), likelihoods_of(parts, rows).numpy())
    np.testing.assert_allclose(anomaly_scores(*parts, rows), expected, rtol=1e-4)


def test_likelihoods_of_cells_alone_add_up_to_those_of_independent_columns(vae, parts, rows):
    alone = likelihoods_of(parts, rows)[:, 1]
    np.testing.assert_allclose(alone.nansum(1).numpy(), score_independent(vae.independent_, rows), rtol=1e-4)


def test_training_rows_score_one_in_the_mean(vae, table):
    numbers = vae.anomaly_scores(table)
    assert numbers.dtype == np.float32
    assert numbers.mean() == pytest.approx(1, abs=0.05)


def test_cells_that_do_not_go_together_stand_out(vae, parts, table):
    odd = table.iloc[[1]].assign(a=1.0, b=-1.0, d="low", c=1000.0)
    together, alone = two_scores(parts, vae._read(odd))[0]
    usual = two_scores(parts, vae._read(table))
    assert together > np.quantile(usual[:, 0], 0.99) and alone < np.quantile(usual[:, 1], 0.8)
    assert vae.anomaly_scores(odd)[0] == pytest.approx((together + alone) / 2)


def test_one_absurd_cell_stands_out_and_the_more_the_further_out_it_lies(vae, parts, table):
    odd = pd.concat([table.iloc[[1]].assign(a=value, b=np.nan) for value in (5.0, 10.0, 50.0)])
    alone = two_scores(parts, vae._read(odd))[:, 1]
    assert (np.diff(alone) > 1).all() and alone[0] > two_scores(parts, vae._read(table))[:, 1].max()
    assert (vae.anomaly_scores(odd) > vae.anomaly_scores(table).max()).all()


def test_rare_levels_score_as_rarely_as_they_are_seen():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: np.where(rng.random(1000) < 0.02, "rare", "usual") for name in "ab"})
    vae = fit(frame, epochs=10)
    for a, b in [("rare", "usual"), ("usual", "rare")]:
        assert 2 < vae.anomaly_scores(pd.DataFrame({"a": [a], "b": [b]}))[0] < 6  # -log 0.02 is 3.9


def test_missing_cells_do_not_count_and_a_row_without_cells_has_no_score(parts, rows):
    x = rows.raw(slice(0, 1)).clone()
    x[0, 1:] = math.nan
    likelihoods = likelihoods_of(parts, Rows(x)).numpy()
    assert np.isnan(likelihoods[0]).sum() == 6
    np.testing.assert_allclose(anomaly_scores(*parts, Rows(x)), by_hand(parts[2].numpy(), likelihoods), rtol=1e-4)
    assert torch.isnan(anomaly_scores(*parts, Rows(torch.full_like(x, math.nan)))).all()


def test_rows_with_few_cells_are_not_odd_for_that():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(600, 10)) + rng.normal(size=(600, 1))
    frame = pd.DataFrame(values, columns=list("abcdefghij"))
    vae = fit(frame, epochs=20)
    few = frame.mask(rng.random(values.shape) < 0.8)
    few = few[few.notna().any(axis=1)]
    assert np.quantile(vae.anomaly_scores(few), 0.99) < 1.3 * np.quantile(vae.anomaly_scores(frame), 0.99)


@pytest.mark.parametrize("kind", ["mixed", "levels"])
def test_scores_do_not_depend_on_the_rows_beside(kind, vae, table):
    if kind == "levels":
        rng = np.random.default_rng(0)
        table = pd.DataFrame(
            rng.choice(list("vwxyz"), (300, 12), p=(0.9, 0.04, 0.03, 0.02, 0.01)), columns=list("abcdefghijkl")
        )
        vae = fit(table, epochs=10)
    scores = vae.anomaly_scores(table)
    singly = np.concatenate([vae.anomaly_scores(table[i : i + 1]) for i in range(40)])
    np.testing.assert_allclose(singly, scores[:40], rtol=1e-3)


def test_saving_keeps_the_scores(vae, table, tmp_path):
    vae.save(tmp_path / "vae")
    np.testing.assert_array_equal(vaekit.load(tmp_path / "vae").anomaly_scores(table), vae.anomaly_scores(table))


@pytest.mark.parametrize("n", [1, 3, 10, 11, 20])
def test_a_handful_of_training_rows_count_without_a_tail(n):
    known = torch.linspace(0, 1, n)
    (far,) = anomalies._minus_log_share(torch.tensor([5.0]), known)
    if n <= 10:
        assert float(far) == pytest.approx(math.log(n + 1))
    else:
        assert far > math.log(n + 1)
    assert float(anomalies._minus_log_share(torch.tensor([-1.0]), known)[0]) == pytest.approx(0)


def test_a_column_that_no_training_row_had_values_in_counts_nothing(parts, rows):
    model, independent, reference = parts
    without = reference.clone()
    without[:, :, 2] = math.nan
    x = rows.raw(slice(0, 1)).clone()
    bare = x.clone()
    bare[0, 2] = math.nan
    likelihoods = likelihoods_of(parts, Rows(x))
    likelihoods[:, :, 2] = math.nan
    (found,) = anomaly_scores(model, independent, without, Rows(x))
    assert float(found) == pytest.approx(
        by_hand(without[:, :, [0, 1, 3]].numpy(), likelihoods[:, :, [0, 1, 3]].numpy())[0], rel=1e-4
    )
    bare[0] = math.nan
    bare[0, 2] = x[0, 2]
    assert torch.isnan(anomaly_scores(model, independent, without, Rows(bare))).all()


@pytest.mark.parametrize("reference", [None, torch.zeros(N, 4)], ids=["none", "of an earlier version"])
def test_a_model_saved_without_its_reference_says_so(parts, rows, reference):
    with pytest.raises(RunError, match="fit it again"):
        anomaly_scores(*parts[:2], reference, rows)
