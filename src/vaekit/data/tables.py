"""Tables: .csv and .parquet files in, and results out to .csv, .parquet, .npy or .npz."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit.data.csvtext import (
    MISSING,
    check_lines,
    check_utf8,
    codes,
    header,
    how_cut,
    kept_as_text,
    strays_quoted,
    timed,
    unpadded,
    unreadable,
)
from vaekit.data.files import check_file, opened, quoted, reading
from vaekit.errors import DataError, DataTypeError, OptionError, join
from vaekit.files import written_whole
from vaekit.schema import Dataset

if TYPE_CHECKING:
    import polars as pl

WRITTEN = (".csv", ".parquet", ".npy", ".npz")


def read_csv(path: Path, kind: str | None = None) -> Dataset:
    """Read a .csv file (UTF-8, a header; gzip too) as a polars DataFrame.

    Cells are separated by commas or, where these and not commas cut the first two lines alike, by semicolons, tabs or
    bars; 0,5 is then a number.

    The types of the columns are told from all rows: numbers, true/false, but for kind="array" ISO 8601 dates and times,
    else text; but for kind="array" numbers of which a whole one has leading zeros are text too. Empty cells, NA, N/A,
    n/a, #N/A, <NA>, NaN, nan, NULL, null and None are missing values. The kind is "table" where a column is not numeric
    or a cell is missing, else "array".

    Raises:
        DataError: the file is missing, empty, damaged, not UTF-8, without header or rows, or a line has too few or
            too many cells (the message says which line).
        DataTypeError: kind="array" and a column holds text.
    """
    import polars as pl

    with opened(path) as file:
        data = file.read()
    text = check_utf8(data, path)
    if "\r" in text and "\n" not in text:  # as old Macs end lines
        text = text.replace("\r", "\n")
    columns, separator = header(text, path)
    if len(columns) > 1:  # in a table of one column an empty line is a missing value
        text = text.rstrip("\r\n")
    frame, data = _parsed(text.encode(), len(columns), path, separator)
    if frame.height == 0:
        raise DataError(f"{quoted(path)} has a header but no rows.")
    if frame.width != len(columns):
        raise DataError(f"{quoted(path)} line 1 cannot be split into the names of the columns.")
    frame.columns = columns
    frame = frame.with_columns([unpadded(column, separator) for column in frame.get_columns()])
    kept: list[str] = []
    if kind != "array":
        raw = pl.scan_csv(data, separator=separator, infer_schema=False, null_values=list(MISSING))
        raw = raw.rename(dict(zip(raw.collect_schema(), columns, strict=True)))
        kept = codes(raw, frame.schema)
        frame = frame.with_columns(raw.select(kept).collect().get_columns())
        frame = frame.with_columns([timed(column) for column in frame.get_columns()])
    table = table_dataset(frame, str(path), kind, quoted(path))
    return dataclasses.replace(table, note=table.note + how_cut(separator) + kept_as_text(kept))


def _parsed(data: bytes, width: int, path: Path, separator: str) -> tuple[pl.DataFrame, bytes]:
    """The rows of a .csv file, each line of which has `width` cells, and the text as polars takes it."""
    import polars as pl

    def check() -> int:
        return check_lines(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""), width, path, separator)

    parse = partial(pl.read_csv, separator=separator, infer_schema_length=None, null_values=list(MISSING))
    scan = partial(pl.scan_csv, separator=separator, null_values=list(MISSING))
    rows = check() if b'"' in data else None  # of badly quoted cells polars may make one of many rows, and say nothing
    try:
        frame = parse(data)
    except pl.exceptions.PolarsError as error:
        if rows is None:
            check()
        data = strays_quoted(data.decode(), separator).encode()
        try:
            kinds = scan(data, infer_schema_length=None).collect_schema()
            text = unreadable(scan(data, infer_schema=False), kinds)
            frame = parse(data, schema_overrides=dict.fromkeys(text, pl.String))
        except pl.exceptions.PolarsError:
            raise DataError(f"{quoted(path)} is damaged: {str(error).strip().splitlines()[0]}.") from error
    if rows is None and width > 1 and frame[:, -1].null_count():  # polars fills up a short line with missing values
        check()
    if rows not in (None, frame.height):
        raise DataError(f"{quoted(path)} is damaged: it has {rows:,} rows, of which {frame.height:,} can be read.")
    return frame, data


def read_parquet(path: Path, kind: str | None = None) -> Dataset:
    """Read a .parquet file as a polars DataFrame; the kind is as for `read_csv`.

    Raises:
        DataError: the file is missing, damaged, or has no rows.
        DataTypeError: a column is neither numbers, true/false, text nor times, or kind="array" and a column holds no
            numbers.
    """
    import polars as pl

    check_file(path)
    with reading(path):
        data = path.read_bytes()
    if len(data) < 12 or data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise DataError(f"{quoted(path)} is not a .parquet file, or it is damaged.")
    try:
        frame = pl.read_parquet(data)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{quoted(path)} is damaged: its columns cannot be read.") from error
    if frame.height == 0:
        raise DataError(f"{quoted(path)} has no rows.")
    return table_dataset(frame, str(path), kind, quoted(path))


def table_dataset(frame: pl.DataFrame, name: str, kind: str | None, where: str) -> Dataset:
    """Make a Dataset of a polars DataFrame: "table" where a column is not numeric or a cell missing, else "array".

    Args:
        frame: n rows; decimals and 128-bit integers become float64.
        name: what the user asked for.
        kind: "array" or "table" as asked for, or None.
        where: how messages name the source.
    """
    import polars as pl

    if kind == "images":
        raise DataError(f"{where} is a table, whose rows have no shape of an image: save images as .npy or .npz.")
    frame = plain_types(frame, where)
    text = [c for c, dtype in frame.schema.items() if not (dtype.is_numeric() or isinstance(dtype, pl.Boolean))]
    if kind == "array" and text:
        raise DataTypeError(f"{where} has columns that are not numbers ({join(text)}): read it with --kind table.")
    numeric = all(dtype.is_numeric() for dtype in frame.schema.values()) and not has_holes(frame)
    note = f"{frame.height:,} rows of {frame.width:,} columns from {where}"
    return Dataset(name, frame, kind=kind or ("array" if numeric else "table"), note=note)


def plain_types(frame: Any, where: str) -> Any:
    """A polars DataFrame or LazyFrame with decimals and 128-bit integers as float64.

    Args:
        frame: a table.
        where: how messages name it.

    Raises:
        DataTypeError: a column is neither numbers, true/false, text nor times.
    """
    import polars as pl

    kinds = frame.collect_schema()
    fine = (pl.Boolean, pl.String, pl.Categorical, pl.Enum, pl.Null, pl.Date, pl.Datetime)
    for column, dtype in kinds.items():
        if not (dtype.is_numeric() or isinstance(dtype, fine)):
            fit = "only numbers, true/false, text and dates fit"
            raise DataTypeError(f"{where} has a column {column!r} of type {dtype}: {fit}.")
    wide = [c for c, dtype in kinds.items() if dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128)]
    return frame.with_columns(pl.col(wide).cast(pl.Float64))


def has_holes(frame: pl.DataFrame) -> bool:
    """Whether a cell is missing: null or NaN."""
    import polars.selectors as cs

    nan = frame.select(cs.float().is_nan().any())
    return any(frame.null_count().row(0)) or any(nan.row(0) if nan.width else ())


def write_table(table: Any, path: str | Path, columns: Sequence[str] | None = None) -> None:
    """Write rows to a file whose ending says how: .csv, .parquet, .npy, or .npz (the array is named "X").

    The file is written whole or not at all: what stood there stays until the new content is on disk.

    Args:
        table: DataFrame, (n,) or (n, ...) array, or (for .npz) scipy.sparse matrix.
        path: the file to write; a file of that name is replaced.
        columns: names for the columns of an array in .csv and .parquet; None: x0, x1, ...

    Raises:
        OptionError: the ending is another, or cannot hold such a table.
        WriteError: the folder is missing or cannot be written to, or the disk is full.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "codes.csv"
    ...     write_table(np.array([[1.5, 2.0]]), path, columns=["a", "b"])
    ...     path.read_text()
    'a,b\\n1.5,2.0\\n'
    """
    import scipy.sparse

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in WRITTEN:
        raise OptionError(f"{quoted(path)} does not say how to write it: end it in {' '.join(WRITTEN)}.")
    if scipy.sparse.issparse(table):
        if ending != ".npz":
            raise OptionError(f"A sparse matrix cannot be written to {quoted(path)}: end it in .npz.")
        with written_whole(path) as file:
            scipy.sparse.save_npz(file, table)
    elif ending in (".npy", ".npz"):
        array = table if isinstance(table, np.ndarray) else _frame_array(_frame(table), path)
        if array.dtype.hasobject:
            raise OptionError(f"Python objects cannot be written to {quoted(path)}: give numbers or text.")
        with written_whole(path) as file:
            np.save(file, array) if ending == ".npy" else np.savez(file, X=array)
    else:
        frame = _array_frame(table, path, columns) if isinstance(table, np.ndarray) else _frame(table)
        if ending == ".csv" and (nested := [c for c, dtype in frame.schema.items() if dtype.is_nested()]):
            dtype = frame.schema[nested[0]]
            use = f"({join(nested)}) cannot be written to {quoted(path)}: use .parquet"
            raise OptionError(f"Columns of type {dtype} {use}.")
        buffer = io.BytesIO()  # so that a full disk is met by Python's own write, with the system's error number
        frame.write_csv(buffer) if ending == ".csv" else frame.write_parquet(buffer)
        with written_whole(path) as file:
            file.write(buffer.getbuffer())


def _frame(table: Any) -> pl.DataFrame:
    import narwhals as nw

    try:
        return nw.from_native(table, eager_only=True).to_polars()
    except TypeError as error:
        needed = "give a DataFrame, an array or a sparse matrix"
        raise DataTypeError(f"A {type(table).__name__} cannot be written as a table: {needed}.") from error


def _array_frame(array: np.ndarray, path: Path, columns: Sequence[str] | None) -> pl.DataFrame:
    import polars as pl

    array = array.reshape(-1, 1) if array.ndim == 1 else array
    if array.ndim != 2:
        raise OptionError(f"The shape {array.shape} is no table to write to {quoted(path)}: use .npy or .npz.")
    return pl.DataFrame(array, schema=list(columns or (f"x{j}" for j in range(array.shape[1]))), orient="row")


def _frame_array(frame: pl.DataFrame, path: Path) -> np.ndarray:
    """Array (n, D) of a DataFrame whose columns are all numbers or true/false."""
    import polars as pl

    text = [name for name, dtype in frame.schema.items() if not (dtype.is_numeric() or dtype == pl.Boolean)]
    if text:
        raise OptionError(f"Columns of text ({join(text)}) cannot be written to {quoted(path)}: use .csv or .parquet.")
    array = frame.to_numpy()
    return array.astype(np.float64) if array.dtype.hasobject else array  # true, false and missing in one column
