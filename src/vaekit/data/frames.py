"""DataFrames of any kind, through narwhals: their columns as numbers, and columns made of numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse

from vaekit.data.listed import dictionary, listed_codes, listed_levels
from vaekit.data.times import DAY, in_utc
from vaekit.errors import DataError, DataTypeError, be, join
from vaekit.schema import Column

NUMBERED = "numbered"  # a pandas DataFrame whose columns are named by whole numbers, as one of an array is
ARROW = "[pyarrow]"  # how pandas ends the name of a type of Arrow


def as_frame(table: Any) -> tuple[nw.DataFrame[Any], str]:
    """A DataFrame as narwhals sees it, and what it is: "pandas", "numbered", "polars", "pyarrow", or "numpy".

    Args:
        table: pandas or polars DataFrame, pyarrow Table, or (n, D) array or lists of numbers, whose columns become x0,
            x1, ... Columns of pandas that are named by whole numbers ("numbered") are here named by their text.

    Raises:
        DataTypeError: the table is none of these.
        DataError: names of columns are not text, or two are alike.
    """
    if isinstance(table, nw.DataFrame):
        return table, str(table.implementation).lower()
    if scipy.sparse.issparse(table):
        raise DataTypeError("A table is not given as a sparse matrix: X.toarray() makes it dense.")
    framed = hasattr(table, "__dataframe__") or type(table).__module__.startswith(("pandas", "polars", "pyarrow"))
    if isinstance(table, (list, tuple)) or (hasattr(table, "__array__") and not framed):
        return _of_array(table), "numpy"
    numbers = numbered(table)
    if numbers:
        table = table.rename(columns=str)
    if nw.dependencies.is_pandas_dataframe(table):
        other = [name for name in table.columns if not isinstance(name, str)]
        if other:
            raise DataError(
                f"Names of columns must be text, or whole numbers alone, but {join(other)} {be(other)} not: rename "
                "them first."
            )
        check_names(list(table.columns))
    if nw.dependencies.is_pyarrow_table(table):  # which may hold two columns of one name
        check_names(list(table.column_names))
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        raise DataTypeError(
            "A table is a pandas or polars DataFrame, a pyarrow Table or an (n, D) array, not a "
            f"{type(table).__name__}."
        )
    return frame, NUMBERED if numbers else str(frame.implementation).lower()


def numbered(table: Any) -> bool:
    """Whether a table is a pandas DataFrame whose columns are named by whole numbers."""
    return nw.dependencies.is_pandas_dataframe(table) and all(
        isinstance(name, (int, np.integer)) and not isinstance(name, bool) for name in table.columns
    )


def backend_of(container: str) -> Any:
    """The library that makes the DataFrame which `finish` gives back in that container."""
    return {"numpy": "polars", NUMBERED: "pandas"}.get(container, container)


def _of_array(table: Any) -> nw.DataFrame[Any]:
    """The columns x0, x1, ... of an array; what is masked is missing."""
    if isinstance(table, np.ma.MaskedArray) and np.ma.is_masked(table) and table.dtype.kind in "biuf":
        table = np.ma.filled(table.astype(np.float64), np.nan)
    try:
        array = np.asarray(table)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError) as error:
        what = f"A {type(table).__name__} is no table of numbers"
        raise DataTypeError(f"{what}: {error}; give the table that it came from.") from error
    if array.dtype.kind == "c":
        raise DataTypeError("Complex data not supported: the numbers of a table are real.")
    if array.dtype.kind not in "biuf":
        raise DataTypeError(f"An array of shape {array.shape} and type {array.dtype} is no table of numbers.")
    if array.ndim != 2:
        raise DataTypeError(
            f"An array of shape {array.shape} is no table. Reshape your data, with X.reshape(-1, 1) where they are a "
            "single column."
        )
    names = [f"x{j}" for j in range(array.shape[1])]
    return nw.from_numpy(np.ascontiguousarray(array), schema=names, backend="polars")


def check_names(names: list[Any]) -> None:
    """Raise DataError where two columns have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"Two columns are named {join(twice)}: give each its own name.")


def is_time(series: nw.Series[Any]) -> bool:
    """Whether a column holds dates or times of a day."""
    return isinstance(in_utc(series).dtype, (nw.Datetime, nw.Date))


def is_number(series: nw.Series[Any]) -> bool:
    """Whether a column holds numbers, or true and false, be it as Python objects.

    Raises:
        DataTypeError: Python objects of other or several types stand in the column.
    """
    if not isinstance(series.dtype, nw.Object):
        return series.dtype.is_numeric() or isinstance(series.dtype, nw.Boolean)
    kinds = {type(plain(value)).__name__ for value in series.drop_nulls().to_list()}
    if not (kinds <= {"int", "float"} or kinds in ({"bool"}, {"str"})):
        remedy = "give it one type of numbers, text, categories or times"
        if kinds <= {"date", "datetime"}:
            remedy = "make times of them, as pandas.to_datetime does"
        raise DataTypeError(
            f"Column {series.name!r} holds Python objects of type {' and '.join(sorted(kinds))}: {remedy}."
        )
    return kinds != {"str"}


def plain(value: Any) -> Any:
    """A number, text, or true or false of numpy as Python has it."""
    ours = isinstance(value, (np.bool_, np.integer, np.floating, np.str_)) and not isinstance(value, np.timedelta64)
    return value.item() if ours else value


def numbers_of(series: nw.Series[Any]) -> np.ndarray:
    """(n,) float64 with NaN for what is missing: of numbers, true and false, or times, in days since 1970."""
    series = in_utc(series)
    if isinstance(series.dtype, (nw.Datetime, nw.Date)):
        stamps = series.dt.timestamp("us").cast(nw.Float64)
        return _floats(stamps) / DAY
    return _floats(series)


def _floats(series: nw.Series[Any]) -> np.ndarray:
    missing = series.is_null().to_numpy()
    values = series.fill_null(0) if missing.any() and not isinstance(series.dtype, nw.Boolean) else series
    if isinstance(series.dtype, nw.Boolean):
        values = series.fill_null(False)
    out = np.array(values.to_numpy(), dtype=np.float64)
    out[missing] = np.nan
    return out


def missing_in(series: nw.Series[Any]) -> np.ndarray:
    """(n,) booleans: null or NaN."""
    missing = np.asarray(series.is_null().to_numpy(), bool)
    return missing | np.isnan(numbers_of(series)) if series.dtype.is_float() else missing


def codes_of(series: nw.Series[Any], levels: Sequence[Any]) -> np.ndarray:
    """(n,) float64: each value's place in `levels`; NaN for what is missing, -1 for a value that is not there."""
    missing = missing_in(series)
    if (listed := listed_levels(series)) is not None:
        place = {level: i for i, level in enumerate(levels)}
        codes = np.array([place.get(level, -1) for level in listed] + [-1], np.float64)[listed_codes(series)]
    elif is_number(series):
        known = np.array([np.nan if isinstance(level, str) else float(level) for level in levels])
        order = np.argsort(known)
        values = numbers_of(series)
        spot = np.searchsorted(known[order], values).clip(0, len(known) - 1)
        codes = np.where(known[order][spot] == values, order[spot], -1).astype(np.float64)
    else:
        text = series.cast(nw.String) if isinstance(series.dtype, (nw.Categorical, nw.Enum)) else series
        places = [i for i, level in enumerate(levels) if isinstance(level, str)]
        codes = np.full(len(series), -1.0)
        if places:
            known = [levels[i] for i in places]
            found = text.replace_strict(known, places, default=-1, return_dtype=nw.Float64)
            codes = np.array(found.to_numpy(), dtype=np.float64)
    codes[missing] = np.nan
    return codes


def widened(series: nw.Series[Any], values: nw.Series[Any]) -> nw.Series[Any]:
    """A column whose type lists its levels, with the given values among them."""
    if not (isinstance(series.dtype, nw.Enum) or series.implementation.is_pandas()):
        return series  # a type that takes any
    typed = isinstance(values.dtype, (nw.Categorical, nw.Enum))
    listed = list(levels_of(series))
    wider = with_listed(listed, levels_of(values) if typed else (), values.unique(maintain_order=True).to_list())
    if wider == listed:
        return series
    if series.implementation.is_pandas():
        return nw.from_native(series.to_native().cat.set_categories(wider), series_only=True)
    return series.cast(nw.Enum(wider))


def with_listed(listed: list[Any], other: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Levels with the values among them: those listed, else another list that has them all, else new ones at the end.

    >>> with_listed(["b"], ["a", "b", "c"], ["c"]), with_listed(["b"], [], ["b", "c"])
    (['a', 'b', 'c'], ['b', 'c'])
    """
    new = [value for value in values if value not in listed]
    if new and set(listed) <= set(other):
        return list(other)
    return [*listed, *new]


def family(dtype: Any) -> str:
    """What a type holds: "text", "times", "truth", "numbers", or "none" of these."""
    families = {"text": (nw.String, nw.Categorical, nw.Enum), "times": (nw.Datetime, nw.Date), "truth": (nw.Boolean,)}
    found = next((name for name, types in families.items() if isinstance(dtype, types)), None)
    return found or ("numbers" if dtype.is_numeric() else "none")


def exchangeable(one: Any, other: Any) -> bool:
    """Whether values of one type can be cast to another: of the same family, and times both with or without a zone."""
    zones = [getattr(dtype, "time_zone", None) is None for dtype in (one, other)]
    return family(one) == family(other) and (zones[0] == zones[1] or family(one) != "times")


def cast_like(values: nw.Series[Any], series: nw.Series[Any]) -> nw.Series[Any]:
    """Values in the type of a column of the same family."""
    if values.dtype == series.dtype or isinstance(series.dtype, nw.Object):
        return values
    if isinstance(series.dtype, nw.Unknown):  # of pandas, times of a zone
        return nw.from_native(values.to_native().dt.tz_convert(series.to_native().dt.tz), series_only=True)
    whole = series.dtype.is_integer() and values.dtype.is_float()
    return (values.round() if whole else values).cast(series.dtype)


def levels_of(series: nw.Series[Any]) -> tuple[Any, ...]:
    """The different values of a column in order: those that its type lists, or those that it holds."""
    if (listed := listed_levels(series)) is not None:
        return tuple(listed)
    if isinstance(series.dtype, nw.Enum):
        return tuple(series.dtype.categories)
    if isinstance(series.dtype, nw.Boolean):
        return (False, True)
    if series.dtype.is_numeric():
        values = np.unique(numbers_of(series)).tolist()
        values = [value for value in values if value == value]
        return tuple(int(v) if series.dtype.is_integer() else v for v in values)
    text = series.cast(nw.String) if isinstance(series.dtype, nw.Categorical) else series
    return tuple(sorted(map(plain, text.drop_nulls().unique().to_list())))


def series_of(column: Column, values: Any, backend: Any) -> nw.Series[Any]:
    """A column of the table's own kind and type.

    Args:
        column: says what it was in the table.
        values: (n,) float64 numbers, whole ones for whole columns, days of a time, or a list of levels; None or NaN
            for what is missing.
        backend: pandas, polars or pyarrow, by name or as narwhals knows it.
    """
    dtype = dtype_of(column.dtype)
    if isinstance(dtype, (nw.Datetime, nw.Date)):
        unit = "day" if isinstance(dtype, nw.Date) else dtype.time_unit
        step = {"day": DAY, "s": 1_000_000, "ms": 1_000}.get(unit, 1)  # microseconds
        days = np.asarray(values, np.float64)
        there = ~np.isnan(days)
        stamps = np.round(np.where(there, days, 0.0) * (DAY / step)).astype(np.int64) * step
        made = nw.new_series(column.name, stamps, nw.Int64, backend=backend).cast(nw.Datetime("us"))
        made = made if there.all() else _without(made, ~there)
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
            made = made.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
        if backend == "pandas" and column.native.endswith(ARROW):
            return nw.from_native(made.to_native().astype(pandas_type(column.native)), series_only=True)
        if isinstance(dtype, nw.Date):
            return made if backend == "pandas" else made.dt.date()  # which has no type of days
        return made.cast(dtype)
    arrow = column.native.startswith("dictionary<") and not column.native.endswith(ARROW)
    if backend == "pyarrow" and arrow:
        listed, ordered = _categories(column)
        made = dictionary(list(values), listed, column.native, ordered=ordered)
        return nw.from_native(made, series_only=True).alias(column.name)
    if backend == "pandas" and column.native and not arrow:
        return nw.from_native(_pandas(column, values), series_only=True)
    if isinstance(values, np.ndarray) and (dtype.is_integer() or isinstance(dtype, nw.Boolean)):
        values = whole(values, column.dtype)
    if isinstance(dtype, nw.Unknown):  # of a column without values
        return nw.new_series(column.name, values, backend=backend)
    if isinstance(dtype, nw.Enum | nw.Categorical) and isinstance(values, np.ndarray):  # levels that are numbers
        return nw.new_series(column.name, values, nw.Float64, backend=backend)
    # pyarrow has no Enum, and its older versions make no dictionary of a list
    if isinstance(dtype, nw.Enum | nw.Categorical) and backend == "pyarrow":
        return nw.new_series(column.name, values, nw.String, backend=backend).cast(nw.Categorical)
    if isinstance(dtype, nw.Decimal):
        return nw.new_series(column.name, values, nw.Float64, backend=backend).cast(dtype)
    return nw.new_series(column.name, values, dtype, backend=backend)


def _without(series: nw.Series[Any], gone: np.ndarray) -> nw.Series[Any]:
    """The column with some of its cells missing."""
    mask = nw.new_series("gone", gone, nw.Boolean, backend=series.implementation)
    beside = nw.concat([series.alias("values").to_frame(), mask.to_frame()], how="horizontal")
    return beside.select(nw.when(~nw.col("gone")).then(nw.col("values")).alias(series.name))[series.name]


def _pandas(column: Column, values: Any) -> Any:
    import pandas as pd

    if column.native == "category":
        listed, ordered = _categories(column)
        if isinstance(values, np.ndarray):  # categories may be true and false, or whole numbers
            known = {float(level): level for level in listed}
            values = [known[value] for value in values.tolist()]
        return pd.Series(pd.Categorical(values, categories=listed, ordered=ordered), name=column.name)
    dtype = dtype_of(column.dtype)
    if isinstance(values, np.ndarray) and (dtype.is_integer() or isinstance(dtype, nw.Boolean)):
        values = whole(values, column.dtype)
    elif isinstance(values, np.ndarray) and column.native == "object" and column.levels:
        values = [type(column.levels[0])(value) for value in values]
    return pd.Series(values, name=column.name, dtype=pandas_type(column.native))


def _categories(column: Column) -> tuple[list[Any], bool]:
    """The levels that the type of a column lists, and whether they have an order."""
    ordered = column.dtype.startswith("Enum")
    if ordered:
        listed = _listed(column.dtype)
        return [*listed, *(level for level in column.levels if level not in listed)], True
    return sorted(column.levels) if column.pool else list(column.levels), False


def pandas_type(native: str) -> Any:
    """The type of a pandas column by its name; TypeError or NotImplementedError where pandas knows none.

    By this name of an Arrow type alone pandas finds another.
    """
    import pandas as pd

    if native == f"string{ARROW}":
        import pyarrow as pa

        return pd.ArrowDtype(pa.string())
    return pd.api.types.pandas_dtype(native)


def as_floats(column: Column) -> Column:
    """The column with a type of real numbers: of pandas' nullable and Arrow types one of their kind, else of 32 bits.

    >>> [as_floats(Column("x", "real", "Int64", native)).native for native in ("int64", "Int64", "int64[pyarrow]")]
    ['float32', 'Float64', 'double[pyarrow]']
    """
    native = column.native
    if not (native.endswith(ARROW) or native == "boolean" or native[:1].isupper()):
        return replace(column, dtype="Float32", native="float32" if native else "")
    if column.dtype.startswith("Float"):
        return column
    return replace(column, dtype="Float64", native=f"double{ARROW}" if native.endswith(ARROW) else "Float64")


def whole(values: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers as a type of whole numbers or truth values; the nearest end of what it holds where they lie beyond it.

    >>> whole(np.float32([2.6, -3, 2**33]), "uint8"), whole(np.float32([2**31]), "int32"), whole([0.2, 0.8], "Boolean")
    (array([  3,   0, 255], dtype=uint8), array([2147483647], dtype=int32), array([False,  True]))
    """
    if dtype in ("Boolean", "bool"):
        return np.asarray(values) > 0.5
    limits = np.iinfo(dtype.lower())
    top = np.nextafter(float(limits.max), 0) if limits.max > 2**53 else float(limits.max)
    return np.clip(np.round(np.asarray(values, np.float64)), float(limits.min), top).astype(dtype.lower())


def dtype_of(name: str) -> Any:
    """The narwhals type of a name as `Column` keeps it."""
    if name.startswith("Datetime"):
        unit = re.search(r"time_unit='(\w+)'", name)
        zone = re.search(r"time_zone='([^']+)'", name)
        return nw.Datetime(unit.group(1) if unit else "us", zone.group(1) if zone else None)  # type: ignore[arg-type]
    if name.startswith("Enum"):
        return nw.Enum([str(level) for level in _listed(name)])
    if name.startswith("Decimal"):
        return nw.Decimal(*map(int, re.findall(r"\d+", name)))
    kind = getattr(nw, name, None)
    return nw.String() if kind is None else kind()


def _listed(name: str) -> list[Any]:
    """The categories in the name of an ordered type."""
    return ast.literal_eval(name.removeprefix("Enum(categories=").removesuffix(")"))


def finish(frame: nw.DataFrame[Any], container: str) -> Any:
    """The table as its user knows it."""
    if container == "numpy":
        return frame.to_numpy()
    native = frame.to_native()
    return native.rename(columns=int) if container == NUMBERED else native
