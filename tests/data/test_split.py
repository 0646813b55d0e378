"""Rows set aside: a partition, the same for the same seed."""

import numpy as np
import pytest

from vaekit.data.split import split_rows
from vaekit.errors import DataError, OptionError


@pytest.mark.parametrize(("n", "fraction", "held"), [(2, 0.1, 1), (2, 0.9, 1), (10, 0.25, 2), (1000, 0.1, 100)])
def test_a_partition_with_a_row_on_each_side(n: int, fraction: float, held: int) -> None:
    rest, aside = split_rows(n, fraction, seed=3)
    assert len(aside) == held
    assert np.array_equal(np.sort(np.concatenate([rest, aside])), np.arange(n))
    assert (np.diff(rest) > 0).all()
    assert (np.diff(aside) > 0).all()
    assert rest.dtype == aside.dtype == np.int64


def test_the_rows_are_those_of_the_seed() -> None:
    assert split_rows(20, 0.2, seed=0)[1].tolist() == [1, 2, 10, 12]
    assert split_rows(20, 0.2, seed=1)[1].tolist() != [1, 2, 10, 12]


def test_every_row_is_equally_likely_to_be_set_aside() -> None:
    counts = np.zeros(10)
    for seed in range(2000):
        counts[split_rows(10, 0.3, seed)[1]] += 1
    assert np.abs(counts / 2000 - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 2000)


def test_what_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"^1 row cannot be split in two parts: at least 2 are needed.$"):
        split_rows(1, 0.5, 0)
    message = r"^fraction=1 must be a number above 0 and below 1. seed=-1 must be a whole number of at least 0.$"
    with pytest.raises(OptionError, match=message):
        split_rows(5, 1, -1)
