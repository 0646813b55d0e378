"""Columns whose type lists their levels: categories of pandas, dictionaries of pyarrow."""

from __future__ import annotations

import re
from typing import Any

import narwhals as nw
import numpy as np

_PLAIN = r"(large_)?string(_view)?|u?int\d+|bool|halffloat|float|double"  # what levels may be, by pyarrow's names


def listed_levels(series: nw.Series[Any]) -> list[Any] | None:
    """The levels that the type of a column of pandas or pyarrow lists, in order; None where it lists none."""
    if not isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        return None
    native = series.to_native()
    if hasattr(native, "cat") and hasattr(native.cat, "codes"):
        return native.cat.categories.tolist()
    if not series.implementation.is_pyarrow():
        return None
    if not re.fullmatch(_PLAIN, str(native.type.value_type)):
        return None
    levels = _whole(native).dictionary.to_pylist()
    whole = len(set(levels)) == len(levels) and all(level == level and level is not None for level in levels)
    return levels if whole else None


def listed_codes(series: nw.Series[Any]) -> np.ndarray:
    """(n,) places among these levels, -1 for what is missing."""
    native = series.to_native()
    if hasattr(native, "cat"):
        return native.cat.codes.to_numpy()
    return _whole(native).indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)


def native_type(series: nw.Series[Any]) -> str:
    """The name of a type that narwhals does not tell whole: of a column of pandas, and of a dictionary of pyarrow."""
    if series.implementation.is_pandas():
        return str(series.to_native().dtype)
    dictionary = series.implementation.is_pyarrow() and listed_levels(series) is not None
    return str(series.to_native().type) if dictionary else ""


def is_ordered(series: nw.Series[Any]) -> bool:
    """Whether the levels that a column's type lists have an order."""
    return isinstance(series.dtype, nw.Enum) or "ordered=1" in native_type(series)


def _whole(native: Any) -> Any:
    """A column of pyarrow with one dictionary for all its chunks."""
    return native.unify_dictionaries().combine_chunks()
