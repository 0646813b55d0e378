"""What kind of values each column of a table holds: told from the values, or as the user says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from scipy.optimize import minimize

from vaekit.data.frames import (
    ARROW,
    codes_of,
    dtype_of,
    is_number,
    is_time,
    levels_of,
    missing_in,
    numbers_of,
    pandas_type,
    plain,
)
from vaekit.data.identifiers import FEW, beyond_floats, looks_running
from vaekit.data.listed import is_ordered, listed_levels, native_type
from vaekit.data.remarks import notes_on
from vaekit.data.times import is_named, to_local, type_name
from vaekit.errors import DataError, DataTypeError, OptionError, did_you_mean, join
from vaekit.schema import LEVELLED, Column, TableSchema, Warp
from vaekit.schema.table import ASIDE, KINDS

MOST_LEVELS = 64  # codes of a categorical column; rarer levels share one
FITTED = 20_000  # values from which a column's warp is learned
_SKEW = 1.0  # skewness from which positive numbers are taken by their logarithms
_LARGEST = 1e150  # number that can be squared and added up
_LARGEST_COUNT = 2**24  # whole numbers that float32 holds

Asked = Mapping[str, str | Sequence[Any]]


def infer_schema(frame: nw.DataFrame[Any], container: str, asked: Asked | None = None) -> tuple[TableSchema, list[str]]:
    """Tell the kind of each column, and learn what turns its values into numbers and back.

    The rules, in order: no value or one: constant. True and false, or two different values: binary. An ordered
    categorical type: ordinal. Other categories and text: categorical; but text that is mostly different from row to
    row is set aside, as an identifier where no value comes twice, else as free text, and so are whole numbers that
    run, a fifth of them left out at most, or go beyond 2**53. Times: date-time. Whole numbers from 0 to 2**24: count.
    Other numbers: positive where none is below 0 and they are skewed to the right or hold zeros, else real.

    Args:
        frame: n rows.
        container: what held them.
        asked: kinds of columns that are to be other than these rules say: a name from `KINDS`, or the list of the
            levels of an ordinal column in order.

    Returns:
        The schema, and a line on each column that was set aside or is constant.

    Raises:
        OptionError: `asked` names an unknown column or kind.
        DataError: no column can be used; a column holds infinity, a number without a square (beyond 1e150), values of
            several types, or others than asked for.
    """
    asked = asked or {}
    check_frame(frame, asked)
    columns = [infer_column(frame[name], asked.get(name)) for name in frame.columns]
    return TableSchema(tuple(columns), container), notes_on(columns, frame, asked)


def check_frame(frame: nw.DataFrame[Any], asked: Asked) -> None:
    """Raise what `infer_schema` does before it looks at columns."""
    _check_asked(asked, frame.columns)
    if len(frame) == 0:
        raise DataError("The table has no rows.")
    if not frame.columns:
        raise DataError(f"The table has 0 feature(s) (shape=({len(frame)}, 0)) while a minimum of 1 is required.")
    if len(frame) == 1:
        raise DataError("The table has 1 sample, but there is nothing to learn from fewer than 2.")


def _check_asked(asked: Asked, columns: Sequence[str]) -> None:
    """Raise OptionError unless the kinds are kinds of columns."""
    for name, kind in asked.items():
        if name not in columns:
            raise OptionError(f"schema names a column {name!r} that is not there{did_you_mean(name, columns)}.")
        if isinstance(kind, str):
            if kind not in KINDS:
                raise OptionError(
                    f"schema gives column {name!r} the kind {kind!r}, which is not one of {join(KINDS, 10)}"
                    f"{did_you_mean(kind, KINDS)}."
                )
        elif not (isinstance(kind, (list, tuple)) and all(map(_can_be_level, kind)) and 2 <= len(kind) == len({*kind})):
            raise OptionError(
                f"schema gives column {name!r} {kind!r}: give a kind, or a list of two levels at least, numbers or "
                "text, each once."
            )


def _can_be_level(value: Any) -> bool:
    return isinstance(plain(value), (str, int, float)) and value == value


def infer_column(
    series: nw.Series[Any], asked: str | Sequence[Any] | None = None, times: np.ndarray | None = None
) -> Column:
    """The column of one series; see `infer_schema`.

    Args:
        series: n values.
        asked: its kind, or its levels.
        times: (n,) of a column of levels, how many rows have each value; None: one.
    """
    name, dtype, native = series.name, type_name(series), native_type(series)
    if dtype == "Categorical" and is_ordered(series):
        dtype = f"Enum(categories={listed_levels(series)})"
    base = Column(name, "constant", dtype, native)
    beyond = isinstance(series.dtype, (nw.Int128, nw.UInt128)) or (native.endswith(ARROW) and not _named(native))
    beyond = beyond or not is_named(series)
    if beyond or not (is_number(series) or is_time(series) or isinstance(series.dtype, (*_TEXT, nw.Object))):
        if bool(series.is_null().all()):
            return base
        known = native if native and (beyond or dtype == "Unknown") else dtype
        raise DataTypeError(
            f"Column {name!r} is of type {known}, which has no place in a table: "
            "numbers, true and false, text, categories and times do; drop it or turn it into one of these."
        )
    missing = missing_in(series)
    n = int((~missing).sum())
    if n == 0:
        return base
    base = dataclasses.replace(base, n_observed=n)
    listed = None if isinstance(asked, str) or asked is None else tuple(map(plain, asked))
    kind = "ordinal" if listed else asked or _kind(series, n)
    if kind in (*LEVELLED, "constant") and beyond_floats(series):
        raise DataError(
            f"Column {name!r} holds whole numbers above 2**53, not all of which are told apart here: make it text to "
            "have levels."
        )
    if kind == "constant":
        return dataclasses.replace(base, levels=(_only_value(series),))
    if kind in ASIDE:
        return dataclasses.replace(base, kind=kind)
    if kind in LEVELLED:
        return _levelled(base, series, kind, listed, times)
    return _numeric(base, series, kind)


def _named(native: str) -> bool:
    """Whether pandas finds a type by its name, as it does not where that has parameters in brackets."""
    try:
        pandas_type(native)
    except (NotImplementedError, TypeError):
        return False
    return True


_TEXT = (nw.String, nw.Categorical, nw.Enum)


def _only_value(series: nw.Series[Any]) -> Any:
    """The value of a constant column; of a time, its days since 1970."""
    if is_time(series):
        different: list[Any] = np.unique(numbers_of(series)[~missing_in(series)]).tolist()
    else:
        levels = levels_of(series)
        different = [level for level, seen in zip(levels, _seen(series, levels), strict=True) if seen]
    if len(different) > 1:
        raise _other_number(series.name, len(different), "constant")
    return different[0]


def _other_number(name: str, different: int, kind: str) -> DataError:
    what = "a single value" if different == 1 else f"{different} different values"
    return DataError(f"Column {name!r} holds {what}, so it is not {kind}.")


def _seen(series: nw.Series[Any], levels: Sequence[Any]) -> np.ndarray:
    codes = codes_of(series, levels)
    return np.bincount(codes[codes >= 0].astype(int), minlength=len(levels)) > 0


def _kind(series: nw.Series[Any], n: int) -> str:
    """The kind by the rules."""
    if is_ordered(series):
        different = _seen(series, levels_of(series)).sum()
        return "ordinal" if different > 2 else "binary" if different == 2 else "constant"
    if isinstance(series.dtype, nw.Boolean):
        return "binary" if _seen(series, (False, True)).all() else "constant"
    if not isinstance(series.dtype, nw.Categorical) and beyond_floats(series):
        return "identifier"
    if is_time(series) or is_number(series):
        values = numbers_of(series)
        values = values[~np.isnan(values)]
        _check_finite(series.name, values)
        different = np.unique(values)
        if len(different) == 1:
            return "constant"
        if is_time(series):
            return "datetime"
        if len(different) == 2:
            return "binary"
        if (different == np.round(different)).all() and different[0] >= 0 and different[-1] <= _LARGEST_COUNT:
            return "identifier" if looks_running(len(different), n, different[0], different[-1]) else "count"
        _check_size(series.name, values)
        return "positive" if different[0] >= 0 and (different[0] == 0 or _skewness(values) > _SKEW) else "real"
    different = int(series.drop_nulls().n_unique())
    if different <= 2:
        return "constant" if different == 1 else "binary"
    if isinstance(series.dtype, (nw.String, nw.Object)) and different > max(FEW, n / 2):
        return "identifier" if different == n else "text"
    return "categorical"


def _check_finite(name: str, values: np.ndarray) -> None:
    if np.isinf(values).any():
        raise DataError(f"Column {name!r} holds infinity: replace it, or make it missing.")


def _check_size(name: str, values: np.ndarray) -> None:
    largest = values[np.abs(values).argmax()]
    if abs(largest) > _LARGEST:
        raise DataError(
            f"Column {name!r} holds {largest:g}, whose square is no number: make it missing, or divide the column by a "
            "constant."
        )


def _skewness(values: np.ndarray) -> float:
    centred = values - values.mean()
    spread = centred.std()
    return float(((centred / spread) ** 3).mean()) if spread > 0 else 0.0


def _levelled(
    base: Column, series: nw.Series[Any], kind: Any, given: tuple[Any, ...] | None, times: np.ndarray | None
) -> Column:
    if is_time(series):
        raise DataError(f"Column {base.name!r} holds times, so it cannot be {kind}.")
    levels = levels_of(series) if given is None else given
    if len({isinstance(level, str) for level in levels}) > 1 or not isinstance(levels[0], (str, int, float)):
        raise DataTypeError(f"Column {base.name!r} has levels {join(levels)}: make them all text, or all numbers.")
    codes = codes_of(series, levels)
    if (codes == -1).any():
        value = series[int((codes == -1).argmax())]
        value = value.item() if isinstance(value, np.generic) else value
        raise DataError(f"Column {base.name!r} holds {value!r}, which is not one of its levels {join(levels)}.")
    there = ~np.isnan(codes)
    weights = None if times is None else times[there]
    counts = np.bincount(codes[there].astype(int), weights, minlength=len(levels)).astype(float)
    base = dataclasses.replace(base, n_observed=int(counts.sum()))
    if kind == "binary" and len(levels) > 2:
        levels = tuple(level for level, count in zip(levels, counts, strict=True) if count)
        counts = counts[counts > 0]
    if len(levels) < 2 or (kind == "binary" and len(levels) > 2):
        raise _other_number(base.name, len(levels), kind)
    return _with_levels(base, kind, levels, counts)


def _with_levels(base: Column, kind: Any, levels: tuple[Any, ...], counts: np.ndarray) -> Column:
    """A binary, ordinal or categorical column with levels that were counted; the rarest of very many share a code."""
    pool = 0
    if kind == "categorical" and len(levels) > MOST_LEVELS:
        order = np.argsort(-counts, kind="stable")
        levels, counts = tuple(levels[i] for i in order), counts[order]
        pool = len(levels) - MOST_LEVELS + 1
    shares = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return dataclasses.replace(base, kind=kind, levels=levels, shares=tuple(shares.tolist()), pool=pool)


def _numeric(base: Column, series: nw.Series[Any], kind: Any) -> Column:
    name = base.name
    if not (is_number(series) or is_time(series)):
        what = "text" if isinstance(series.dtype, nw.String) else f"of type {type_name(series)}"
        wanted = "times" if kind == "datetime" else "numbers"
        raise DataError(
            f"Column {name!r} is {what}, so it cannot be {kind}: make its cells {wanted}, and empty where these are "
            "missing."
        )
    if is_time(series) != (kind == "datetime"):
        what = "times" if is_time(series) else "no times"
        raise DataError(f"Column {name!r} holds {what}, so it cannot be {kind}.")
    values = numbers_of(series)
    values = values[~np.isnan(values)]
    _check_finite(name, values)
    _check_size(name, values)
    if kind in ("positive", "count") and values.min() < 0:
        raise DataError(f"Column {name!r} holds {values.min():g}, so it cannot be {kind}.")
    if kind == "count" and ((values != np.round(values)).any() or values.max() > _LARGEST_COUNT):
        raise DataError(f"Column {name!r} holds other values than whole numbers up to 2**24, so it cannot be a count.")
    if kind == "positive" and values.max() == 0:
        raise DataError(f"Column {name!r} holds no number above 0, so it cannot be positive.")
    n, smallest = len(values), float(values.min())
    if kind == "positive":
        values = values[values > 0]
    zeros = (n - len(values) + 0.5) / (n + 1) if kind == "positive" else 0.0
    few = values[scattered(len(values), FITTED)]
    based = few if kind in ("real", "datetime") else np.log1p(few) if kind == "count" else np.log(few)
    return dataclasses.replace(
        base,
        kind=kind,
        warp=fit_warp(based),
        zeros=zeros,
        decimals=0 if kind == "count" else _decimals(values) if kind != "datetime" else None,
        step=_step(to_local(values, dtype_of(base.dtype))) if kind == "datetime" else 0.0,
        low=smallest,
        high=float(values.max()),
    )


def scattered(n: int, most: int) -> np.ndarray:
    """Indices of up to `most` of n rows, in order: one of each stretch, at random but the same each time.

    Evenly spaced ones of rows that alternate would all be of one sort.
    """
    if n <= most:
        return np.arange(n)
    ends = np.linspace(0, n, most + 1).astype(int)
    return ends[:-1] + np.random.default_rng(0).integers(np.diff(ends))


def _decimals(values: np.ndarray) -> int | None:
    """Decimal places that all values keep to, but for what computing lost, if they are six at most."""
    size = np.abs(values)
    lost = 1e-12 * min(1.0, np.median(size)) + 1e-15 * size
    for places in range(7):
        if (np.abs(values - np.round(values, places)) <= lost).all():
            return places
    return None


def _step(days: np.ndarray) -> float:
    """Seconds of which all times are multiples: of a day, an hour, a minute, a second or less."""
    seconds = days * 86400
    for step in (86400.0, 3600.0, 60.0, 1.0, 1e-3):
        if np.abs(seconds - step * np.round(seconds / step)).max() <= 1e-5:
            return step
    return 1e-6


def fit_warp(values: np.ndarray) -> Warp:
    """The warp under which values are most nearly standard normal, by maximum likelihood.

    Args:
        values: (n,) numbers, after their logarithm where they are positive or counts.
    """
    quarter, centre, three = np.quantile(values, [0.25, 0.5, 0.75])
    scale = (three - quarter) / 1.349
    deviation = float(values.std())
    if scale < 0.1 * deviation:  # most values are the same
        scale = deviation
    if not scale > 0:
        return Warp(centre=float(centre))
    sinh_of = np.arcsinh((values - centre) / scale)
    slope = -0.5 * np.log1p(np.sinh(sinh_of) ** 2)

    def loss(shape: np.ndarray) -> float:
        inner = np.exp(shape[1]) * sinh_of - shape[0]
        t = np.sinh(inner)
        spread = t.std() + 1e-12
        logs = np.log(np.cosh(inner)) + shape[1] + slope - np.log(spread)
        return float(0.5 - logs.mean() + 0.02 * (shape[0] ** 2 + shape[1] ** 2))  # a little towards no warp

    best = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-1.5, 1.5), (np.log(0.3), np.log(1.5))])
    skew, tail = (float(best.x[0]), float(np.exp(best.x[1]))) if np.isfinite(best.fun) else (0.0, 1.0)
    t = np.sinh(tail * sinh_of - skew)
    return Warp(float(centre), float(scale), skew, tail, float(t.mean()), max(float(t.std()), 1e-6))
