"""Rows in memory: the type they lie in, their statistics, and binary draws from grey levels."""

import numpy as np
import pytest
import scipy.sparse
import torch

from vaekit.data import rows as module
from vaekit.data.rows import Rows, narrowest, spaced


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([[0, 255]], np.int64), torch.uint8),
        (np.array([[0, 256]], np.int64), torch.int16),
        (np.array([[-1, 3]], np.int8), torch.int16),
        (np.array([[-(2**15), 2**15 - 1]], np.int32), torch.int16),
        (np.array([[0, 2**15]], np.uint16), torch.float32),
        (np.array([[True, False]]), torch.uint8),
        (np.array([[0.5, 1.0]], np.float64), torch.float32),
        (np.array([[0.5, 1.0]], np.float16), torch.float32),
        (np.zeros((0, 3), np.int64), torch.float32),
        (torch.zeros(1, 2, dtype=torch.int64), torch.float32),
        (torch.zeros(1, 2, dtype=torch.uint8), torch.uint8),
    ],
)
def test_narrowest_type(values, dtype):
    out = narrowest(values)
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.double().numpy(), np.asarray(values).astype(np.float64))


def test_what_is_given_is_neither_shared_nor_changed():
    values = np.ones((3, 2), np.float32)
    rows = Rows(values)
    rows.raw(slice(None))[:] = 5
    assert (values == 1).all()


CONTAINERS = {
    "float64": lambda x: x.astype(np.float64),
    "uint8": lambda x: x.astype(np.uint8),
    "fortran": lambda x: np.asfortranarray(x),
    "csr": scipy.sparse.csr_matrix,
    "csc": scipy.sparse.csc_array,
    "tensor": lambda x: torch.from_numpy(x).float().T.contiguous().T,
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_rows_by_slice_index_and_subset(container, shape):
    x = np.random.default_rng(0).integers(0, 9, (50, 6))
    rows = Rows(container(x), shape)
    assert len(rows) == 50 and rows.shape == shape
    wanted = torch.from_numpy(x).float().view(-1, *shape)
    index = torch.tensor([7, 3, 3, 49])
    assert torch.equal(rows.take(slice(4, 9)), wanted[4:9])
    assert torch.equal(rows.take(index), wanted[index])
    assert torch.equal(rows.subset(index.numpy()).take(slice(None)), wanted[index])
    assert torch.equal(rows.raw(index).float(), wanted[index])
    assert rows.take(slice(0, 2)).dtype == torch.float32
    assert torch.cat([rows.take(part) for part in rows.chunks(7)]).equal(wanted)
    assert torch.equal(rows.keys(slice(4, 9)), Rows(x).keys(slice(4, 9)))


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("values", [module._VALUES, 20], ids=["whole", "in pieces"])
def test_statistics_equal_numpy(container, values, monkeypatch):
    monkeypatch.setattr(module, "_VALUES", values)
    x = np.random.default_rng(0).integers(0, 9, (50, 6)) * [1, 1, 1, 1, 1, 0] + [0, 0, 0, 0, 200, 7]
    stats = Rows(container(x)).stats()
    assert stats.n == 50 and stats.shape == (6,)
    np.testing.assert_allclose(stats.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(stats.std, x.std(0), rtol=1e-9)
    np.testing.assert_array_equal(stats.low, x.min(0))
    np.testing.assert_array_equal(stats.high, x.max(0))
    assert bool(stats.whole.all()) and float(stats.std[5]) == 0


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_spread_far_from_zero_keeps_its_digits(offset):
    x = (np.random.default_rng(0).normal(size=(9000, 2)) + offset).astype(np.float32)
    np.testing.assert_allclose(Rows(x).stats().std, x.astype(np.float64).std(0), rtol=1e-7)


def test_a_constant_column_has_no_spread():
    """Not even that of rounding: a scale of 1e-17 would blow up whatever is divided by it."""
    x = np.random.default_rng(0).normal(size=(5001, 1)) * 0 + np.array([0.1, 1 / 3, 1e-20, 12345.678])
    assert Rows(x).stats().std.tolist() == [0, 0, 0, 0]


def test_whole_numbers_and_fractions_are_told_apart():
    stats = Rows(np.array([[1.0, 0.5, -3.0], [2.0, 1.0, 4.0]])).stats()
    assert stats.whole.tolist() == [True, False, True]


def test_wide_rows_are_read_a_few_at_a_time():
    rows = Rows(np.zeros((5, module._VALUES // 2), np.uint8))
    assert [part.stop - part.start for part in rows.chunks()] == [2, 2, 1]


# -- binary draws ------------------------------------------------------------------------------------------------------


def within_five_sigma(draws, probs, n):
    error = draws.double().mean(0) - probs
    return bool((error.abs() <= 5 * (probs * (1 - probs) / n).sqrt() + 2**-15).all())


GREYS = {
    "uint8, 255": (np.array([[0, 1, 64, 127, 128, 254, 255]], np.uint8), 255.0),
    "uint8, 16": (np.array([[0, 1, 4, 8, 9, 15, 16]], np.uint8), 16.0),
    "float": (np.array([[0.0, 0.01, 0.25, 0.5, 0.51, 0.99, 1.0]]), 1.0),
    "sparse": (scipy.sparse.csr_array(np.array([[0, 1, 64, 127, 128, 254, 255]])), 255.0),
}


@pytest.mark.parametrize(("values", "high"), GREYS.values(), ids=GREYS)
def test_each_visit_draws_anew_with_the_right_frequencies(values, high):
    rows = Rows(values, grey_max=high)
    index = torch.zeros(40_000, dtype=torch.int64)
    draws = rows.take(index)
    probs = rows.raw(slice(None))[0].double() / high
    assert set(draws.unique().tolist()) == {0.0, 1.0} and draws.dtype == torch.float32
    assert within_five_sigma(draws, probs, len(index))
    assert not draws[:, 0].any()
    assert not torch.equal(draws, rows.take(index))
    correlation = np.corrcoef(draws[:, 1:6].T)
    assert np.abs(correlation - np.eye(5)).max() < 5 / 200


def test_statistics_of_grey_rows_are_those_of_their_draws():
    x = np.random.default_rng(0).integers(0, 256, (300, 4)).astype(np.uint8)
    stats = Rows(x, grey_max=255).stats()
    probs = x.mean(0) / 255
    np.testing.assert_allclose(stats.mean, probs, rtol=1e-12)
    np.testing.assert_allclose(stats.std, np.sqrt(probs * (1 - probs)), rtol=1e-9)
    assert stats.low.tolist() == [0] * 4 and stats.high.tolist() == [1] * 4 and bool(stats.whole.all())


@pytest.mark.usefixtures("generators_untouched")
def test_fixed_draws_belong_to_row_and_seed():
    x = np.random.default_rng(0).integers(0, 256, (6000, 9)).astype(np.uint8)
    rows = Rows(x, grey_max=255)
    fixed = rows.fixed(seed=1)
    assert fixed.grey_max is None and fixed.dense is not None and fixed.dense.dtype == torch.uint8
    assert torch.equal(fixed.dense, rows.fixed(seed=1).dense)
    assert not torch.equal(fixed.dense, rows.fixed(seed=2).dense)
    few = np.array([5000, 17, 3])
    assert torch.equal(rows.subset(few).fixed(seed=1).dense, fixed.dense[few])
    assert torch.equal(Rows(x.astype(np.float64), grey_max=255).fixed(seed=1).dense, fixed.dense)
    assert torch.equal(Rows(scipy.sparse.csr_array(x), grey_max=255).fixed(seed=1).dense, fixed.dense)
    probs = torch.from_numpy(x).double() / 255
    standard = (fixed.dense.double() - probs).sum(0) / (probs * (1 - probs)).sum(0).sqrt()
    assert float(standard.abs().max()) < 5


def test_threshold_cuts_above_half():
    fixed = Rows(np.array([[0, 127, 128, 255]], np.uint8), grey_max=255).fixed("threshold")
    assert fixed.take(slice(None)).tolist() == [[0, 0, 1, 1]]
    fixed = Rows(np.array([[7, 8, 9]], np.uint8), grey_max=16).fixed("threshold")
    assert fixed.take(slice(None)).tolist() == [[0, 0, 1]]


def test_rows_that_are_not_grey_are_fixed_already():
    rows = Rows(np.eye(3))
    assert rows.fixed() is rows


@pytest.mark.parametrize("n", [1, 5, 1000, 20_000_000, 123_456_789])
def test_spaced_rows_are_there_and_go_from_end_to_end(n):
    index = spaced(n, 1000)
    assert len(index) == min(n, 1000) and index[0] == 0 and index[-1] == n - 1
    assert len(index) == 1 or 0 <= np.ptp(np.diff(index)) <= 1
