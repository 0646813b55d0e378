"""Whole numbers that name rows and measure nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from vaekit.data.frames import levels_of, numbers_of

if TYPE_CHECKING:
    import polars as pl

FEW = 20  # rows, or different values, below which a column is not taken for an identifier
_GAPS = 1.25  # numbers of an identifier for each row: rows set aside or deleted leave gaps


def looks_running(different: int, n: int, low: float, high: float) -> bool:
    """Whether n whole numbers from `low` to `high` number the rows: no two alike, and few left out."""
    return low >= 0 and different == n >= FEW and high - low < _GAPS * n


def nearly_running(series: nw.Series[Any]) -> bool:
    """Whether a column numbers the rows, some of which stand in it twice."""
    different, n = np.unique(numbers_of(series.drop_nulls())), len(series)
    return len(different) > 0.9 * n and looks_running(len(different), len(different), different[0], different[-1])


def numbers_rows(frame: pl.DataFrame) -> bool:
    """Whether the first column, without a name, numbers the rows, as where pandas wrote its index."""
    first = frame[:, 0]
    if first.name or not first.dtype.is_integer() or first.null_count():
        return False
    low: Any = first.min()
    high: Any = first.max()
    return looks_running(first.n_unique(), len(first), low, high)


def beyond_floats(series: nw.Series[Any]) -> bool:
    """Whether a column holds whole numbers so large that float64 takes some that differ for one."""
    if series.is_null().all():
        return False
    if isinstance(series.dtype, (nw.Int64, nw.UInt64)):
        return max(-int(series.min()), int(series.max())) > 2**53
    if isinstance(series.dtype, (nw.Object, nw.Categorical, nw.Enum)):
        return any(isinstance(value, (int, np.integer)) and abs(int(value)) > 2**53 for value in levels_of(series))
    return False
