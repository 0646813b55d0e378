"""Columns whose type lists their levels: categories of pandas, dictionaries of pyarrow."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Any

import narwhals as nw
import numpy as np

_PLAIN = r"(large_)?string(_view)?|u?int\d+|bool|float|double"  # what levels may be, by pyarrow's names
_LARGEST = 2**53  # whole numbers that float64 tells apart


def listed_levels(series: nw.Series[Any]) -> list[Any] | None:
    """The levels that the type of a column of pandas or pyarrow lists, in order; None where it lists none.

    Dictionaries of other than text, numbers or truth, or with a level twice, count as listing none.
    """
    if not isinstance(series.dtype, (nw.Categorical, nw.Enum)):
        return None
    native = series.to_native()
    if hasattr(native, "cat") and hasattr(native.cat, "codes"):
        return native.cat.categories.tolist()
    if not series.implementation.is_pyarrow() or not re.fullmatch(_PLAIN, str(native.type.value_type)):
        return None
    if any(chunk.dictionary.null_count for chunk in native.chunks):
        return None
    levels = _whole(native).dictionary.to_pylist()
    known = all(isinstance(level, str) or (math.isfinite(level) and abs(level) <= _LARGEST) for level in levels)
    return levels if known and len(set(levels)) == len(levels) else None


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
    listed = series.implementation.is_pyarrow() and listed_levels(series) is not None
    return str(series.to_native().type) if listed else ""


def is_ordered(series: nw.Series[Any]) -> bool:
    """Whether the levels that a column's type lists have an order."""
    listed = listed_levels(series) is not None
    return isinstance(series.dtype, nw.Enum) or (listed and "ordered=1" in native_type(series))


def dictionary(values: list[Any], levels: list[Any], like: str, *, ordered: bool) -> Any:
    """A column of pyarrow with a dictionary.

    Args:
        values: levels, or None.
        levels: of the dictionary, in order.
        like: the name of the type that it gets, or of one that holds its levels where that does not.
        ordered: whether the levels have an order.
    """
    import pyarrow as pa

    value, index = map(pa.type_for_alias, re.findall(r"=(\w+),", like))
    place = {level: i for i, level in enumerate(levels)}
    known = pa.array(levels)
    with suppress(pa.ArrowInvalid):  # 2.5 among whole numbers
        known = known.cast(value)
    places = np.array([place.get(value, -1) for value in values], np.int64)
    index = index if len(levels) <= 2 ** (index.bit_width - 1) else pa.int32()
    codes = pa.array(places, mask=places < 0).cast(index)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, known, ordered=ordered)])


def _whole(native: Any) -> Any:
    """A column of pyarrow with one dictionary for all its chunks."""
    import pyarrow as pa

    if native.num_chunks == 1:
        return native.chunk(0)
    wide = pa.dictionary(pa.int32(), native.type.value_type, native.type.ordered)  # holds all levels of all chunks
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int32()), chunk.dictionary, ordered=native.type.ordered)
        for chunk in native.chunks
    ]
    return pa.chunked_array(chunks, wide).unify_dictionaries().combine_chunks()
