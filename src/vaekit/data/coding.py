"""Tables as the model takes them, (n, D) float32 with NaN for what is missing, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
import torch

from vaekit.data.frames import (
    backend_of,
    codes_of,
    dtype_of,
    family,
    is_number,
    is_time,
    levels_of,
    numbers_of,
    series_of,
)
from vaekit.data.times import DAY, from_local, in_utc, to_local, type_name
from vaekit.errors import DataError, DataTypeError, OptionError, be, did_you_mean, join, warn
from vaekit.nn.warp import Warps
from vaekit.schema import DENSE, LEVELLED, Column, TableSchema

_ZONELESS = "time without a zone"
_FARTHEST = 1e9  # warped numbers further out count as these, whose density float32 still holds


def check_columns(names: list[str], schema: TableSchema) -> None:
    """Raise DataError where columns are missing or there are others than at fit; their order does not matter."""
    wanted = [column.name for column in schema.all_columns]
    lost = [name for name in wanted if name not in names]
    if lost:
        hint = did_you_mean(lost[0], [name for name in names if name not in wanted])
        add = hint or f": add {_it(lost)}, with empty cells if nothing else is known"
        raise DataError(f"Column{_s(lost)} {join(lost)} of the fit {be(lost)} missing{add}.")
    others = [name for name in names if name not in wanted]
    if others:
        raise DataError(
            f"Column{_s(others)} {join(others)} {be(others)} not among those of the fit: drop {_it(others)}."
        )


def _s(items: list[str]) -> str:
    return "s" if len(items) > 1 else ""


def _it(items: list[str]) -> str:
    return "them" if len(items) > 1 else "it"


def code_table(frame: nw.DataFrame[Any], schema: TableSchema) -> np.ndarray:
    r"""Code a table.

    Real and positive numbers and times become warped numbers (zeros of a positive column minus infinity), counts stay
    as they are, levels become 0, 1, ... . A level that was not there at fit counts as missing, with a warning; other
    values of a column that had a single one are passed over, with a warning.

    Args:
        frame: n rows with the columns of the schema, in any order.
        schema: learned at fit.

    Returns:
        (n, D) float32, of the modelled columns in order.

    Raises:
        DataError: columns are missing or too many; values are infinite, or below 0 in a column that never was.
        DataTypeError: a column is of another type than at fit.
    """
    check_columns(frame.columns, schema)
    if len(frame) == 0:
        raise DataError("The table has no rows.")
    out = np.empty((len(frame), len(schema.modelled)), np.float32)
    for j, column in enumerate(schema.modelled):
        out[:, j] = code_column(frame[column.name], column)
    for column in schema.all_columns:
        if column.kind == "constant" and column.levels:
            _check_constant(frame[column.name], column)
    return out


def _check_constant(series: nw.Series[Any], column: Column) -> None:
    """Refuse text, times and numbers for each other in a column that was constant at fit; warn of other values."""
    if _is_empty(series):
        return
    holds, held, numbered = family(series.dtype), family(dtype_of(column.dtype)), _has_numbers(series)
    text = holds == "text" and not numbered
    if holds != "none" and (text, holds == "times") != (isinstance(column.levels[0], str), held == "times"):
        _refuse(series, column)
    if holds != held or holds not in ("text", "numbers") or numbered:
        return
    levels: Any = column.levels
    if holds == "numbers":  # perhaps of another precision
        values = numbers_of(series)
        with np.errstate(over="ignore"):
            other = bool((~np.isnan(values) & (np.float32(values) != np.float32(levels[0]))).any())
    else:
        other = bool((codes_of(series, levels) == -1).any())
    if other:
        warn(
            f"Column {column.name!r} holds other values than {levels[0]!r}, its only one at fit: it is no part of the "
            "model, so they are passed over."
        )


def code_column(series: nw.Series[Any], column: Column) -> np.ndarray:
    """(n,) float64 codes of one column; see `code_table`."""
    if _is_empty(series):
        return np.full(len(series), np.nan)
    number, time = is_number(series), is_time(series)
    if column.kind in LEVELLED:
        numbered = number or _has_numbers(series)
        if time or isinstance(column.levels[0], str) == numbered:
            _refuse(series, column)
        codes = codes_of(series, column.levels)
        if (codes == -1).any():
            unseen = series.filter((codes == -1).tolist()).unique(maintain_order=True).to_list()
            warn(
                f"Column {column.name!r} holds {join(unseen, 3)}, which no training row did: the model takes such "
                "cells for missing."
            )
            codes[codes == -1] = np.nan
        return codes
    if time != (column.kind == "datetime") or not (time or number) or (time and _other_clocks(series, column)):
        _refuse(series, column)
    return code_numbers(numbers_of(series), column)


def _is_empty(series: nw.Series[Any]) -> bool:
    """Whether all cells are missing."""
    return bool((series.fill_nan(None) if series.dtype.is_float() else series).is_null().all())


def _other_clocks(series: nw.Series[Any], column: Column) -> bool:
    """Whether times have a zone and those of the fit had none, or the reverse."""
    zones = [getattr(dtype, "time_zone", None) for dtype in (in_utc(series).dtype, dtype_of(column.dtype))]
    return (zones[0] is None) != (zones[1] is None)


def _has_numbers(series: nw.Series[Any]) -> bool:
    """Whether the levels of a categorical type are numbers."""
    return isinstance(series.dtype, (nw.Categorical, nw.Enum)) and not isinstance(levels_of(series)[0], str)


def code_numbers(values: np.ndarray, column: Column) -> np.ndarray:
    """(n,) float64 codes of numbers, counts, or times in days, NaN where they are missing."""
    if np.isinf(values).any():
        raise DataError(f"Column {column.name!r} holds infinity: replace it, or make it missing.")
    if column.kind in ("positive", "count") and np.nanmin(values, initial=0.0) < 0:
        raise DataError(f"Column {column.name!r} holds {np.nanmin(values):g}, but was never below 0 at fit.")
    if column.kind == "count":
        seen = values[~np.isnan(values)]
        if (seen != np.round(seen)).any():
            raise DataError(
                f"Column {column.name!r} holds values that are no counts, but it held only counts at fit (if impute "
                "filled in means: a draw, or the median, is a count)."
            )
        if seen.max(initial=0) > 2**24:
            raise DataError(f"Column {column.name!r} holds {seen.max():g}, but a count goes up to 2**24.")
        return values
    zero = values == 0
    if column.kind == "positive":
        values = np.where(zero, 1.0, values)
    with torch.no_grad():
        coded = Warps([column], torch.float64)(torch.from_numpy(values)[:, None])[:, 0].numpy()
    coded = np.clip(coded, -_FARTHEST, _FARTHEST)
    return np.where(zero, -np.inf, coded) if column.kind == "positive" else coded


def _refuse(series: nw.Series[Any], column: Column) -> None:
    if is_time(series) and column.kind == "datetime":  # other clocks
        zone = getattr(dtype_of(column.dtype), "time_zone", None)
        has, wanted = ("no time zone", f"times in {zone}") if zone else ("a time zone", "times without one")
        raise DataTypeError(f"Column {column.name!r} has {has}, but had {wanted} at fit: convert it.")
    wanted = "times" if family(dtype_of(column.dtype)) == "times" else "numbers"
    if column.levels and not isinstance(column.levels[0], (int, float)):
        wanted = "text"
    elif column.dtype == "Boolean":
        wanted = "true or false"
    raise DataTypeError(
        f"Column {column.name!r} is of type {type_name(series)}, but was {column.dtype} ({column.kind}) at fit: make "
        f"its cells {wanted}."
    )


def values_of(codes: np.ndarray, column: Column) -> Any:
    """Values in their own units from the codes of one column, as float64 numbers or a list of levels.

    Args:
        codes: (n,) without missing ones.
        column: says what they stand for.
    """
    if column.kind in LEVELLED:
        return level_values(codes.astype(int), column)
    if column.kind == "count":
        return codes.astype(np.float64) + 0.0  # no -0
    t = torch.from_numpy(np.where(np.isinf(codes), 0.0, codes).astype(np.float64))
    with torch.no_grad():
        values = Warps([column], torch.float64).inverse(t[:, None])[:, 0].numpy()
    if column.kind == "datetime":
        dtype = dtype_of(column.dtype)
        local = np.round(to_local(values, dtype) * 86400 / column.step) * column.step / 86400
        return from_local(local, dtype)
    if column.decimals is not None:
        values = np.round(values, column.decimals)
        if column.kind == "positive" and column.low > 0:  # there was no zero, so none comes of rounding
            values = np.maximum(values, 10.0**-column.decimals)
    return np.where(np.isneginf(codes), 0.0, values)


def level_values(place: np.ndarray, column: Column) -> Any:
    """Levels by their number: numbers as an array, others as a list."""
    if isinstance(column.levels[0], str):
        return [column.levels[i] for i in place]
    return np.array(column.levels, dtype=np.float64)[place]


def point_values(points: np.ndarray, column: Column) -> Any:
    """Values in their own units from points of one column, as `TableDistribution.points` gives them.

    Args:
        points: (n,) means, or (n, C) probabilities of codes, of whose levels the likeliest is taken. Where an
            ordinal column holds numbers, its mean code stands between its levels, else it is the nearest of them.
        column: says what they stand for, and between which numbers, those at fit, a mean is kept: a mean of a heavy
            tail can be anywhere.
    """
    if points.ndim == 2:
        shares = np.ones(points.shape[1])
        if column.pool:  # the last code stands for several levels, of which the first is the most frequent
            rare = column.shares[-column.pool :]
            shares[-1] = rare[0] / sum(rare)
        return level_values((points * shares).argmax(1), column)
    means = points.astype(np.float64)
    if column.kind in (*DENSE, "count"):
        if column.kind == "positive":
            means = means * np.exp(column.warp.centre)
        elif column.kind != "count":
            means = column.warp.centre + column.warp.scale * means
        return means.clip(column.low, column.high)
    if isinstance(column.levels[0], str) or column.dtype.startswith(("Enum", "Categorical")):
        return level_values(np.round(means).astype(int).clip(0, len(column.levels) - 1), column)
    return np.interp(means, np.arange(len(column.levels)), np.array(column.levels, np.float64))


def _place(value: Any, levels: tuple[Any, ...]) -> int | None:
    """A value's place among levels, None where it is none of them, be it missing or an array."""
    try:
        return None if np.ndim(value) else levels.index(value)
    except (TypeError, ValueError):
        return None


def code_given(given: Mapping[str, Any], schema: TableSchema) -> np.ndarray:
    """(D,) float32 codes of a row of which some cells are given, NaN for the others.

    Raises:
        OptionError: a column is not there, or no part of the model.
        DataError: a value is none of the column's.
    """
    if not isinstance(given, Mapping):
        raise OptionError(f"given must map names of columns to a value each, but is a {type(given).__name__}.")
    out = np.full(len(schema.modelled), np.nan, np.float32)
    places = {column.name: j for j, column in enumerate(schema.modelled)}
    for name, value in given.items():
        if name not in schema.columns:
            raise OptionError(f"given names a column {name!r} that is not there{did_you_mean(name, schema.columns)}.")
        column = next(column for column in schema.all_columns if column.name == name)
        if column.kind == "constant" and column.levels:
            if _place(_number(value, column) if column.timed else value, column.levels) is None:
                only = repr(column.levels[0])
                if column.timed:
                    only = str(series_of(column, np.array(column.levels), "polars")[0])
                raise DataError(f"Column {name!r} has no level {value!r}: it held only {only} at fit.")
            continue
        if name not in places:
            raise OptionError(f"given names the column {name!r}, which is no part of the model.")
        if column.kind in LEVELLED:
            place = _place(value, column.levels)
            if place is None:
                raise DataError(f"Column {name!r} has no level {value!r}: {join(column.levels, 10)} were there at fit.")
            out[places[name]] = place
            continue
        out[places[name]] = code_numbers(np.array([_number(value, column)]), column)[0]
    return out


def _number(value: Any, column: Column) -> float:
    """A value as a number, a time in days since 1970; one without a zone is taken in that of its column."""
    try:
        if not column.timed:
            number = float(value)
            if number != number:
                raise ValueError("not a number")
            dtype = dtype_of(column.dtype)
            if dtype.is_integer() and np.isfinite(number) and not _fits(number, dtype):
                raise ValueError("not a number of the column's type")
            return number
        return float(np.datetime64(_in_utc(value, dtype_of(column.dtype)), "us").astype(np.int64)) / DAY
    except (TypeError, ValueError) as error:
        whole = dtype_of(column.dtype).is_integer()
        time = _ZONELESS if str(error) == _ZONELESS else "time"
        kind = time if column.timed else f"whole number that {column.dtype} holds" if whole else "number"
        raise DataError(f"Column {column.name!r} holds no value {value!r}: give a {kind}.") from error


def _fits(number: float, dtype: Any) -> bool:
    """Whether an integer type holds a number."""
    limits = np.iinfo(str(dtype).lower())
    return number.is_integer() and limits.min <= number <= limits.max


def _in_utc(value: Any, dtype: Any) -> Any:
    """A date or time without its zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if value is None or isinstance(value, int) or value != value:
        raise ValueError("not a time")
    if not isinstance(value, datetime):
        return value
    zone = getattr(dtype, "time_zone", None)
    if zone is None and value.tzinfo is not None:
        raise ValueError(_ZONELESS)
    if value.tzinfo is None and zone is not None:
        value = value.replace(tzinfo=ZoneInfo(zone))
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def make_table(
    schema: TableSchema, n: int, values: Sequence[Any], given: Mapping[str, Any] | None = None
) -> nw.DataFrame[Any]:
    """A table like that of the fit.

    Constant columns have their value, free text is missing and identifiers of whole numbers count from 0.

    Args:
        schema: its columns.
        n: number of rows.
        values: of each modelled column, as `values_of` gives them.
        given: a value that a column has throughout.
    """
    backend = backend_of(schema.container)
    made, left = [], iter(values)
    for column in schema.all_columns:
        whole = "Int" in column.dtype
        if column.modelled:
            each = next(left)
        elif column.levels:
            each = level_values(np.zeros(n, int), column)
        elif column.kind == "identifier" and whole:
            each = np.arange(n, dtype=np.float64)
        else:
            each = np.full(n, np.nan) if column.dtype.startswith("Float") else [None] * n
        if given and column.name in given and column.modelled:
            value = given[column.name]
            each = (
                [value] * n
                if isinstance(value, str) and column.kind in LEVELLED
                else np.full(n, _number(value, column))
            )
        made.append(series_of(column, each, backend).to_frame())
    return nw.concat(made, how="horizontal")


def score_table(frame: nw.DataFrame[Any], schema: TableSchema, scores: np.ndarray) -> nw.DataFrame[Any]:
    """A table of the frame's kind with its columns in its order: (n, D) numbers of the modelled ones, NaN elsewhere."""
    places = {column.name: j for j, column in enumerate(schema.modelled)}
    empty = np.full(len(frame), np.nan)
    parts = {name: scores[:, places[name]] if name in places else empty for name in frame.columns}
    made = nw.from_dict(parts, backend=frame.implementation)
    native = frame.to_native()
    if frame.implementation.is_pandas():
        made = nw.from_native(made.to_native().set_axis(native.index, axis=0))
    return made
