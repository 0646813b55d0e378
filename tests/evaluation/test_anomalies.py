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
from vaekit.evaluation.anomalies import anomaly_scores, cell_numbers, reference_numbers
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
    return vae.model_, vae.independent_, reference_numbers(vae.model_, vae.independent_, rows)


def odd_cells(reference, numbers):
    """Of each cell the three numbers, by counting."""
    out = -numbers.copy()
    for i, d in np.ndindex(len(out), out.shape[2]):
        column = reference[:, 0, d][~np.isnan(reference[:, 0, d])]
        if not np.isnan(out[i, 0, d]):
            no_likelier = (column <= numbers[i, 0, d] + EQUAL).sum()
            out[i, 0, d] = -math.log((1 + no_likelier) / (len(column) + 2))
    for d in range(out.shape[2]):
        own = np.sort(reference[:, 2, d][~np.isnan(reference[:, 2, d])])
        median = own[(len(own) - 1) // 2]
        spread = np.abs(own - median).mean()
        out[:, 2, d] = np.abs(numbers[:, 2, d] - median) / spread if spread else out[:, 1, d]
    return out


def oddities(reference, numbers):
    centred = odd_cells(reference, numbers) - np.nanmean(odd_cells(reference, reference), 0)
    return np.nansum(centred, 2) / np.sqrt((~np.isnan(centred)).sum(2))


def minus_log_share(value, known):
    """By counting, and by the exponential tail in the oddest tenth."""
    most = max(len(known) // 10, 10)
    start = np.sort(known)[-most - 1]
    beyond = known[known > start + EQUAL] - start
    if value > start + EQUAL:
        return -math.log((1 + len(beyond)) / (1 + len(known))) + (value - start) / beyond.mean()
    return -math.log((1 + (known >= value - EQUAL).sum()) / (1 + len(known)))


def by_hand(reference, numbers):
    known, found = oddities(reference, reference), oddities(reference, numbers)
    each = np.array([[minus_log_share(row[i], known[:, i]) for i in range(3)] for row in found])
    return np.sqrt((each**2).mean(1))


def numbers_of(parts, rows):
    return torch.cat(list(cell_numbers(*parts[:2], rows)))


def three_scores(parts, rows):
    """(n, 3) the parts of the score: together, rare, far."""
    reference = parts[2]
    centre = anomalies._odd_cells(reference, reference).nanmean(0)
    known = anomalies._oddities(reference, centre, reference)
    odd = anomalies._oddities(reference, centre, numbers_of(parts, rows))
    return np.stack([anomalies._minus_log_share(odd[:, i], known[:, i]).numpy() for i in range(3)], 1)


def test_scores_are_what_counting_gives(parts, rows):
    expected = by_hand(parts[2].numpy(), numbers_of(parts, rows).numpy())
    np.testing.assert_allclose(anomaly_scores(*parts, rows), expected, rtol=1e-4)


def test_numbers_of_cells_alone_add_up_to_those_of_independent_columns(vae, parts, rows):
    alone = numbers_of(parts, rows)[:, 1]
    np.testing.assert_allclose(alone.nansum(1).numpy(), score_independent(vae.independent_, rows), rtol=1e-4)


def test_numbers_are_those_of_the_table_up_to_a_shift_and_a_factor(parts, rows, table):
    own = numbers_of(parts, rows)[:, 2].double().numpy()
    for j, name in enumerate("abc"):
        there = table[name].notna().to_numpy()
        assert np.isnan(own[~there, j]).all()
        assert np.corrcoef(own[there, j], table[name][there])[0, 1] > 1 - 1e-9
    assert (own[:, 3] == 0).all()  # levels without order


def test_training_rows_score_one_in_the_mean_of_each_part(vae, parts, rows, table):
    np.testing.assert_allclose(three_scores(parts, rows).mean(0), 1, atol=0.05)
    scores = vae.anomaly_scores(table)
    assert scores.dtype == np.float32
    assert 1 < scores.mean() < math.sqrt(2)


def test_cells_that_do_not_go_together_stand_out(vae, parts, table):
    odd = table.iloc[[1]].assign(a=1.0, b=-1.0, d="low", c=1000.0)
    found = three_scores(parts, vae._read(odd))[0]
    usual = three_scores(parts, vae._read(table))
    assert found[0] > np.quantile(usual[:, 0], 0.99)
    assert (found[1:] < np.quantile(usual[:, 1:], 0.8, axis=0)).all()
    assert vae.anomaly_scores(odd)[0] == pytest.approx(np.sqrt(np.mean(found**2)))


def test_one_absurd_cell_stands_out_and_the_more_the_further_out_it_lies(vae, parts, table):
    odd = pd.concat([table.iloc[[1]].assign(a=value, b=np.nan) for value in (5.0, 10.0, 50.0)])
    alone, usual = (three_scores(parts, vae._read(frame))[:, 1:] for frame in (odd, table))
    assert (np.diff(alone, axis=0) > 1).all() and (alone[1:] > usual.max(0)).all() and alone[0, 0] > usual[:, 0].max()
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
    numbers = numbers_of(parts, Rows(x)).numpy()
    assert np.isnan(numbers[0]).sum() == 9
    np.testing.assert_allclose(anomaly_scores(*parts, Rows(x)), by_hand(parts[2].numpy(), numbers), rtol=1e-4)
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
    numbers = numbers_of(parts, Rows(x))
    numbers[:, :, 2] = math.nan
    (found,) = anomaly_scores(model, independent, without, Rows(x))
    assert float(found) == pytest.approx(
        by_hand(without[:, :, [0, 1, 3]].numpy(), numbers[:, :, [0, 1, 3]].numpy())[0], rel=1e-4
    )
    bare[0] = math.nan
    bare[0, 2] = x[0, 2]
    assert torch.isnan(anomaly_scores(model, independent, without, Rows(bare))).all()


@pytest.mark.parametrize("reference", [None, torch.zeros(N, 2, 4)], ids=["none", "of an earlier version"])
def test_a_model_saved_without_its_reference_says_so(parts, rows, reference):
    with pytest.raises(RunError, match="fit it again"):
        anomaly_scores(*parts[:2], reference, rows)
