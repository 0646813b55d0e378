"""Files of tables too large for memory: .parquet and .csv files as polars LazyFrames, checked in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaekit.data.csvtext import (
    LONG,
    MISSING,
    check_lines,
    check_strays,
    check_text,
    codes,
    commas,
    header,
    how_cut,
    kept_as_text,
    numbers_but_codes,
    numerals,
    timed,
    unreadable,
)
from vaekit.data.files import GZIP_MAGIC, check_file, quoted, reading
from vaekit.data.tables import has_holes, plain_types
from vaekit.errors import DataError
from vaekit.schema import Dataset

if TYPE_CHECKING:
    import polars as pl

LARGE = {".parquet": 256 * 2**20, ".csv": 2**30}  # bytes from which a file is read a batch at a time
BATCH = 100_000  # rows read at a time
_BLOCK = 2**20  # bytes


def is_large(source: str) -> bool:
    """Whether this is a .parquet or .csv file, not compressed as a whole, of more bytes than `LARGE` says."""
    path = Path(source)
    limit = LARGE.get(path.suffix.lower())
    if limit is None or not path.is_file() or path.stat().st_size <= limit:
        return False
    with reading(path), path.open("rb") as file:
        return file.read(2) != GZIP_MAGIC


def read_large(source: str, kind: str | None = None) -> Dataset | None:
    """Read a table as a polars LazyFrame, by the rules of `read_csv` and `read_parquet`.

    Args:
        source: path of a .parquet or .csv file.
        kind: "table", or None to give the table only where a column is not numeric or a cell is missing.

    Returns:
        The table, or None where it holds nothing but numbers and kind is None.

    Raises:
        DataError: the file is missing, damaged, or has no rows; of a .csv file, as for `read_csv`.
        DataTypeError: a column is neither numbers, true/false, text nor times.
    """
    path = Path(source)
    check_file(path)
    lazy, (how, kept) = _scan_csv(path) if path.suffix.lower() == ".csv" else (_scan_parquet(path), ("", ""))
    lazy = plain_types(lazy, quoted(path))
    rows, holes = _counted(lazy, path)
    if rows == 0:
        raise DataError(f"{quoted(path)} has no rows.")
    kinds = lazy.collect_schema()
    if kind is None and not holes and all(dtype.is_numeric() for dtype in kinds.values()):
        return None
    note = f"{rows:,} rows of {len(kinds):,} columns from {quoted(path)}{how}, read a batch at a time{kept}"
    return Dataset(source, lazy, kind="table", note=note)


def _scan_parquet(path: Path) -> pl.LazyFrame:
    import polars as pl

    lazy = pl.scan_parquet(path, glob=False)
    try:
        lazy.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{quoted(path)} is not a .parquet file, or it is damaged.") from error
    return lazy


def _scan_csv(path: Path) -> tuple[pl.LazyFrame, tuple[str, str]]:
    """The rows of a .csv file with the types of its columns told from all of them, and what to say."""
    import polars as pl

    check_text(blocks(path), path)
    with reading(path), path.open("rb") as file:
        text = file.read(_BLOCK).decode("utf-8-sig", errors="ignore")
    if "\r" in text and "\n" not in text:
        ends = "the lines of a file as large end in LF or CR LF"
        raise DataError(f"{quoted(path)} has lines that end in CR, as on old Macs: {ends}; save it so.")
    columns, separator = header(text, path)
    width = len(columns)
    quotes = any(b'"' in block for block in blocks(path))
    if quotes:  # as of `read_csv`
        _check_lines(path, width, separator)
    try:
        scan = partial(pl.scan_csv, path, separator=separator, null_values=list(MISSING), glob=False)
        raw, kinds = scan(infer_schema=False), scan(infer_schema_length=None).collect_schema()
        if len(kinds) != width:
            raise DataError(f"{quoted(path)} line 1 cannot be split into the names of the columns.")
        kept = codes(raw, kinds)
        as_text = dict.fromkeys([*kept, *unreadable(raw, kinds)], pl.String)
        lazy = scan(infer_schema_length=None, schema_overrides=as_text)
        lazy = lazy.rename(dict(zip(kinds, columns, strict=True)))
        found, short = _text_types(lazy, separator)
    except pl.exceptions.PolarsError as error:
        _check_lines(path, width, separator)
        if quotes:
            with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
                check_strays(file, path, separator)
        raise DataError(f"{quoted(path)} is damaged: {str(error).strip().splitlines()[0]}.") from error
    if short and width > 1:  # polars fills up a short line with missing values
        _check_lines(path, width, separator)
    return lazy.with_columns(_typed(name, dtype, separator) for name, dtype in found.items()), (
        how_cut(separator),
        kept_as_text(kept),
    )


def _text_types(lazy: pl.LazyFrame, separator: str) -> tuple[dict[str, pl.DataType], bool]:
    """The types of the columns of text that hold numbers or times; and whether the last has missing cells."""
    import polars as pl

    seen: dict[str, set[pl.DataType]] = {c: set() for c, dtype in lazy.collect_schema().items() if dtype == pl.String}
    short, long, kept = False, set(), {name: set[str]() for name in seen}
    for batch in lazy.collect_batches(chunk_size=BATCH, maintain_order=True):
        short = short or batch[:, -1].null_count() > 0
        for name, kinds in seen.items():
            column = batch[name]
            if pl.String in kinds or column.null_count() == len(column):
                continue
            kept[name] |= commas(column, separator)
            found = numbers_but_codes(column, separator)
            if found is not None and column.str.contains(LONG).any():
                long.add(name)
            kinds.add((timed(column) if found is None else found).dtype)
    types = {}
    for name, kinds in seen.items():
        if kinds == {pl.Float64(), pl.Int64()}:  # of batches
            kinds = {pl.String()} if name in long else {pl.Float64()}
        elif kinds == {pl.Date(), pl.Datetime("us")}:
            kinds = {pl.Datetime("us")}
        if kept[name] == {"thousands"}:
            continue
        dtype = next(iter(kinds), None)
        if dtype is not None and len(kinds) == 1 and dtype != pl.String:
            types[name] = dtype
    return types, short


def _typed(name: str, dtype: pl.DataType, separator: str) -> pl.Expr:
    """A column of text as the numbers or times that it holds."""
    import polars as pl

    change = partial(_as_numbers, separator=separator) if dtype.is_numeric() else _as_times
    change = partial(change, dtype=dtype)
    return pl.col(name).map_batches(change, return_dtype=dtype, is_elementwise=True)


def _as_numbers(column: pl.Series, dtype: pl.DataType, separator: str) -> pl.Series:
    return numerals(column, separator).cast(dtype)


def _as_times(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    import polars as pl

    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype)
    return timed(column).cast(dtype)


def _counted(lazy: pl.LazyFrame, path: Path) -> tuple[int, bool]:
    """The number of rows and whether a cell is missing; every cell is read, so that damage is told here."""
    import polars as pl

    rows, holes = 0, False
    try:
        for batch in lazy.collect_batches(chunk_size=BATCH, maintain_order=True):
            rows += batch.height
            holes = holes or has_holes(batch)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{quoted(path)} is damaged: its columns cannot be read.") from error
    return rows, holes


def blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file in order, some at a time."""
    with reading(path), path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _check_lines(path: Path, width: int, separator: str) -> None:
    with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        check_lines(file, width, path, separator)


def row_numbers(lazy: pl.LazyFrame, keep: Any) -> pl.LazyFrame:
    """The rows whose number is kept, in order.

    Args:
        lazy: a table.
        keep: from the expression of the row's number to whether the row is kept.
    """
    import polars as pl

    number = "row"
    while number in lazy.collect_schema():
        number += "_"
    return lazy.with_row_index(number).filter(keep(pl.col(number))).drop(number)
