"""How like a table another is: how its columns hang together, and how near its rows lie to rows that were there before.

Both see a table as numbers and levels, and use ranks of numbers only, so that no unit and no far value matters.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from scipy.stats import rankdata

from vaekit.data.frames import as_frame, codes_of, numbers_of
from vaekit.data.rows import spaced
from vaekit.schema import Column, TableSchema

_CELLS = 2**22  # distances in memory at a time


def is_levelled(column: Column) -> bool:
    """Whether a column's values have no order: yes or no, and categories."""
    return column.kind in ("binary", "categorical")


def table_values(table: Any, schema: TableSchema) -> np.ndarray:
    """A table as numbers.

    Args:
        table: DataFrame of n rows with the columns of the schema.
        schema: of a fitted `vaekit.TabularVAE`, as `schema_`.

    Returns:
        (n, D) float64 of the modelled columns: numbers in their own units, times in days, of a binary or categorical
        column, and of an ordinal one whose levels are no numbers, the number of the level; rare levels that share a
        code share a number. NaN for what is missing, or no level of the fit.
    """
    frame, _ = as_frame(table)
    out = np.empty((len(frame), len(schema.modelled)))
    for j, column in enumerate(schema.modelled):
        series = frame[column.name]
        if bool(series.is_null().all()):
            out[:, j] = np.nan
        elif is_levelled(column) or (column.levels and isinstance(column.levels[0], str)):
            codes = codes_of(series, column.levels)
            codes[codes == -1] = np.nan
            out[:, j] = np.minimum(codes, column.codes - 1)
        else:
            out[:, j] = numbers_of(series)
    return out


def some_columns(schema: TableSchema, most: int) -> TableSchema:
    """A schema of up to `most` evenly spaced ones of the modelled columns."""
    columns = schema.modelled
    return TableSchema(tuple(columns[j] for j in spaced(len(columns), most)), schema.container)


def some_rows(table: Any, most: int) -> nw.DataFrame[Any]:
    """Up to `most` evenly spaced rows of a DataFrame."""
    frame = as_frame(table)[0]
    return frame if len(frame) <= most else frame[spaced(len(frame), most).tolist()]


# -- associations ------------------------------------------------------------------------------------------------------


def associations(table: Any, schema: TableSchema) -> np.ndarray:
    r"""How closely each two columns hang together, from 0 to 1.

    Of two columns of numbers |Spearman's rank correlation|; of two with levels Cramér's V; of one of each the
    correlation ratio of the ranks, the root of the share of their variance that lies between the levels. The last two
    without the bias that makes independent columns of a small table look dependent (Bergsma 2013; Kelley 1935).

    Args:
        table: DataFrame of n rows with the columns of the schema.
        schema: of a fitted `vaekit.TabularVAE`, as `schema_`.

    Returns:
        (D, D) of the modelled columns, symmetric, 1 on the diagonal; from rows where both cells are there; NaN where
        these are fewer than 3 or one column does not vary in them.

    >>> import pandas as pd
    >>> from vaekit.data.columns import infer_schema
    >>> table = pd.DataFrame({"a": [1.5, 2.5, 3.5, 4.5], "b": [-1.5, -2.5, -7.5, -9.5], "c": ["x", "x", "y", "y"]})
    >>> schema, _ = infer_schema(as_frame(table)[0], "pandas")
    >>> associations(table, schema).round(2).tolist()
    [[1.0, 1.0, 0.84], [1.0, 1.0, 0.84], [0.84, 0.84, 1.0]]
    """
    values, columns = table_values(table, schema), schema.modelled
    seen: np.ndarray = ~np.isnan(values)
    whole: np.ndarray = np.asarray(seen.all(0))
    ranks = [None if is_levelled(c) or not whole[j] else rankdata(values[:, j]) for j, c in enumerate(columns)]
    out = np.eye(len(columns))
    for i, first in enumerate(columns):
        for j in range(i):
            both = seen[:, i] & seen[:, j]
            x, y = values[both, i], values[both, j]
            kinds = is_levelled(first), is_levelled(columns[j])
            if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
                out[i, j] = np.nan
            elif all(kinds):
                out[i, j] = _cramer(x, y)
            elif any(kinds):
                levels, numbers = (x, y) if kinds[0] else (y, x)
                out[i, j] = _correlation_ratio(levels, rankdata(numbers))
            else:
                a, b = ranks[i], ranks[j]
                if a is None or b is None:
                    a, b = rankdata(x), rankdata(y)
                out[i, j] = abs(np.corrcoef(a, b)[0, 1])
            out[j, i] = out[i, j]
    return out


def _cramer(x: np.ndarray, y: np.ndarray) -> float:
    """Cramér's V of two columns of levels, corrected for its bias."""
    (_, x), (_, y) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    n, r, c = len(x), int(x.max()) + 1, int(y.max()) + 1
    counts = np.bincount(x * c + y, minlength=r * c).reshape(r, c)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / n
    phi = ((counts - expected) ** 2 / expected).sum() / n - (r - 1) * (c - 1) / (n - 1)
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(np.clip(phi / least, 0, 1))) if least > 0 else 0.0


def _correlation_ratio(levels: np.ndarray, numbers: np.ndarray) -> float:
    """The root of the share of the variance of numbers that lies between levels, corrected for its bias."""
    _, place = np.unique(levels, return_inverse=True)
    counts = np.bincount(place)
    n, k = len(numbers), len(counts)
    if n <= k:
        return 0.0
    means = np.bincount(place, numbers) / counts
    within = ((numbers - means[place]) ** 2).sum() / (n - k)
    return float(np.sqrt(np.clip(1 - within / numbers.var(ddof=1), 0, 1)))


# -- nearest neighbours ------------------------------------------------------------------------------------------------


def neighbour_distances(table: Any, others: Any, schema: TableSchema) -> np.ndarray:
    """The distance of each row of a table to the nearest row of another.

    The distance is a mean over the cells that the row has (after Gower 1971): of numbers the difference of their shares
    of smaller values among `others`, of levels 0 where they are alike and 1 where not. A cell that the other row lacks
    counts with the mean distance of two values of its column. So a row at distance 0 is there with all of its cells.

    Args:
        table: DataFrame of n rows with the columns of the schema.
        others: DataFrame of m rows.
        schema: of a fitted `vaekit.TabularVAE`, as `schema_`.

    Returns:
        (n,) distances from 0 to 1; NaN for a row without a cell.
    """
    x, y = table_values(table, schema), table_values(others, schema)
    levelled = [is_levelled(column) for column in schema.modelled]
    lacking = np.zeros(len(levelled), np.float32)
    for j, levels in enumerate(levelled):
        known = np.sort(y[~np.isnan(y[:, j]), j])
        if levels:
            lacking[j] = 1 - np.square(np.unique(known, return_counts=True)[1] / max(1, len(known))).sum()
        else:
            x[:, j], y[:, j] = _shares(x[:, j], known), _shares(y[:, j], known)
            lacking[j] = _mean_gap(_shares(known, known))
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    out, step = np.full(len(x), np.nan), max(1, _CELLS // max(1, len(y)))
    for start in range(0, len(x), step):
        part = x32[start : start + step]
        total = np.zeros((len(part), len(y)), np.float32)
        for j, levels in enumerate(levelled):
            has = np.flatnonzero(~np.isnan(part[:, j]))
            gap = np.abs(part[has, j, None] - y32[:, j])
            gap = np.where(np.isnan(gap), lacking[j], gap > 0 if levels else gap)
            total[has] += gap
        cells = (~np.isnan(part)).sum(1)
        some = cells > 0
        out[start : start + step][some] = total[some].min(1) / cells[some]
    return out


def _mean_gap(values: np.ndarray) -> float:
    """Mean absolute difference of two of the values, which are sorted."""
    n = len(values)
    return float(2 * ((2 * np.arange(1, n + 1) - n - 1) @ values) / n**2) if n else 0.0


def _shares(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The middle share of `known`, sorted, below each value."""
    low, high = np.searchsorted(known, values, "left"), np.searchsorted(known, values, "right")
    return np.where(np.isnan(values), np.nan, (low + high) / 2 / max(1, len(known)))
