"""Cells that come from the rows given: a table filled, the others as they are; columns set aside, carried over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np

from vaekit.data.coding import level_values, point_values, values_of
from vaekit.data.frames import as_frame, cast_like, exchangeable, missing_in, series_of, widened
from vaekit.data.listed import native_type
from vaekit.data.streams import as_lazy
from vaekit.schema import LEVELLED, Column, TableSchema


def filling(
    columns: Sequence[Column], parts: Sequence[np.ndarray], rows: np.ndarray, missing: np.ndarray, *, drawn: bool
) -> dict[str, tuple[np.ndarray, Any]]:
    """What `fill_table` takes, of points or drawn codes.

    Args:
        columns: the modelled columns.
        parts: of each, codes (m,) where `drawn`, else points as `point_values` takes them.
        rows: (m,) the numbers of the rows.
        missing: (m, D) which of their cells are to be filled.
        drawn: whether `parts` are codes.
    """
    values = values_of if drawn else point_values
    return {
        column.name: (rows[hidden], values(part[hidden], column))
        for column, part, hidden in zip(columns, parts, missing.T, strict=True)
        if hidden.any()
    }


def fill_table(
    frame: nw.DataFrame[Any], schema: TableSchema, filled: dict[str, tuple[np.ndarray, Any]]
) -> nw.DataFrame[Any]:
    """A new table with some of its missing cells filled, and all of constant columns; others are left as they are.

    Args:
        frame: the table.
        schema: its columns.
        filled: for a column the numbers of the rows and their values, as `values_of` gives them.
    """
    backend: Any = frame.implementation
    new = []
    for column in schema.all_columns:
        series = frame[column.name]
        if column.kind == "constant" and column.levels:
            rows = np.flatnonzero(missing_in(series))
            values = level_values(np.zeros(len(rows), int), column)
        elif column.name in filled:
            rows, values = filled[column.name]
        else:
            continue
        if column.kind in LEVELLED:  # a level that the fit has not seen counts as missing, but stays
            gone = missing_in(series)[rows]
            rows, values = rows[gone], np.array(values, dtype=object)[gone].tolist()
            values = values if isinstance(column.levels[0], str) else np.array(values, dtype=np.float64)
        own, empty = column, len(rows) == len(series)
        if backend.is_pyarrow() and not empty:  # a dictionary of its own type, of no more levels than are needed
            own = replace(column, native=native_type(series))
            if own.native and column.levels:
                own = replace(own, dtype="Categorical", levels=tuple(dict.fromkeys(values)), pool=0)
        piece = series_of(own, values, str(backend).lower())
        if empty and not (exchangeable(series.dtype, piece.dtype) and _alike(series, piece)):
            new.append(piece)  # a column without values may be of any type, as where all cells are NaN
            continue
        if isinstance(series.dtype, (nw.Categorical, nw.Enum)):
            series = widened(series, piece)
        else:
            piece = cast_like(piece, series)
        new.append(_scatter(series, rows, piece))
    return frame.with_columns(*new) if new else frame.clone()


def _alike(one: nw.Series[Any], other: nw.Series[Any]) -> bool:
    """False for two dictionaries of pyarrow whose levels are of different types."""
    types = [native_type(series).partition(",")[0] for series in (one, other)]
    return types[0] == types[1] or not all(name.startswith("dictionary<") for name in types)


def with_own(X: Any, made: Any, schema: TableSchema) -> nw.DataFrame[Any]:
    """The table `made` of the rows of X, one of each, with their values in the columns that are set aside."""
    lazy, table = as_lazy(X), as_frame(made)[0]
    names = [column.name for column in schema.all_columns if not (column.modelled or column.levels)]
    if not names:
        return table
    rows = as_frame(X if lazy is None else lazy.select(names).collect())[0]
    return table.with_columns(*(_moved(rows[name], table.implementation) for name in names))


def _moved(series: nw.Series[Any], library: Any) -> nw.Series[Any]:
    """A column as one of another library, its values as they are."""
    if series.implementation == library:
        return series
    values = [None if gone else value for value, gone in zip(series.to_list(), missing_in(series), strict=True)]
    if library.is_pandas():
        import pandas as pd

        return nw.from_native(pd.Series(values, name=series.name, dtype=object).infer_objects(), series_only=True)
    import polars as pl

    made = nw.from_native(pl.Series(series.name, values, strict=False).to_frame())
    return (made if library.is_polars() else nw.from_arrow(made, backend=library))[series.name]


def _scatter(series: nw.Series[Any], rows: np.ndarray, values: nw.Series[Any]) -> nw.Series[Any]:
    native = series.to_native()
    if series.implementation.is_pandas():
        out = native.copy()
        if hasattr(native, "cat"):
            levels = {level: level for level in native.cat.categories}  # true and false, for 1.0 and 0.0
            out.iloc[rows] = [levels.get(value, value) for value in values.to_list()]
        else:
            out.iloc[rows] = values.to_native().to_numpy()
        return nw.from_native(out, series_only=True)
    return series.scatter(rows.tolist(), values)
