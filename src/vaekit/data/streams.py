"""Tables larger than memory: polars LazyFrames, read a batch at a time."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import torch
from torch import Tensor

from vaekit.data.coding import check_columns, code_table
from vaekit.data.columns import Asked, check_frame, infer_column, infer_schema, scattered
from vaekit.data.frames import dtype_of, family, with_listed
from vaekit.data.identifiers import looks_running
from vaekit.data.largetables import BATCH, read_large, row_numbers
from vaekit.data.remarks import notes_on
from vaekit.data.rows import Rows
from vaekit.errors import DataError, WriteError
from vaekit.schema import LEVELLED, ColumnStats, TableSchema

if TYPE_CHECKING:
    import polars as pl

_LOOKED_AT = 200_000  # rows from which kinds of columns are told


def as_lazy(table: Any) -> pl.LazyFrame | None:
    """The table as a LazyFrame where it is one, or the path of a .parquet or .csv file; else None.

    A file is read by the rules of the command: see `vaekit.data.largetables.read_large`.
    """
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        if not path.is_file():
            raise DataError(f"There is no file {str(path)!r}.")
        if path.suffix.lower() not in (".parquet", ".csv"):
            raise DataError(f"{str(path)!r} is read a batch at a time only where it is a .parquet or .csv file.")
        data = read_large(str(path), "table")
        return None if data is None else data.X
    return table if is_lazy(table) else None


def height(lazy: pl.LazyFrame) -> int:
    """Number of rows."""
    import polars as pl

    return int(lazy.select(pl.len()).collect(engine="streaming").item())


def is_lazy(table: Any) -> bool:
    """Whether a table is a polars LazyFrame."""
    return type(table).__module__.startswith("polars") and type(table).__name__ == "LazyFrame"


def batches(lazy: pl.LazyFrame) -> Iterator[nw.DataFrame[Any]]:
    """The rows in order, some at a time."""
    for batch in lazy.collect_batches(chunk_size=BATCH, maintain_order=True):
        yield nw.from_native(batch, eager_only=True)


def infer_lazy(lazy: pl.LazyFrame, asked: Asked | None) -> tuple[TableSchema, list[str]]:
    """The schema, told from up to 200,000 rows from all over the table and the extremes of each column.

    Levels, and observed cells, are counted over all rows. See `vaekit.data.columns.infer_schema`.
    """
    import polars as pl

    rows = height(lazy)
    looked_at = pl.Series(scattered(rows, _LOOKED_AT)).cast(pl.UInt32).implode()
    some = lazy if rows <= _LOOKED_AT else row_numbers(lazy, lambda number: number.is_in(looked_at))
    few = some.collect(engine="streaming")
    if len(few) == rows:
        return infer_schema(nw.from_native(few, eager_only=True), "polars", asked)
    asked = {name: "identifier" for name in _running(lazy, few)} | dict(asked or {})
    few = pl.concat([few, _extremes(lazy, few)])
    frame = nw.from_native(few, eager_only=True)
    check_frame(frame, asked)
    observed = [
        (pl.col(name).fill_nan(None) if few.schema[name].is_float() else pl.col(name)).count() for name in few.columns
    ]
    counts = lazy.select(observed).collect(engine="streaming").row(0, named=True)
    columns = []
    for name in few.columns:
        column = infer_column(frame[name], asked.get(name))
        if column.kind in LEVELLED:
            every = lazy.group_by(name).agg(pl.len().alias(f"{name} times")).collect(engine="streaming")
            values = nw.from_native(every[name], series_only=True)
            column = infer_column(values, asked.get(name, column.kind), every[f"{name} times"].to_numpy())
        columns.append(dataclasses.replace(column, n_observed=counts[name]))
    return TableSchema(tuple(columns), "polars"), notes_on(columns, frame, asked)


def _extremes(lazy: pl.LazyFrame, few: pl.DataFrame) -> pl.DataFrame:
    """Rows with values that are not in `few`, by which a column's kind can be told as by all rows.

    Of numbers, times and text the smallest and the largest and, of a column that seems to hold two values at most, a
    third; of floating-point numbers one that is not whole; of categories each.
    """
    import polars as pl

    wanted: dict[str, list[pl.Expr]] = {}
    for name, dtype in few.schema.items():
        column, seen = pl.col(name), few[name].drop_nulls()
        if isinstance(dtype, (pl.Categorical, pl.Enum)):
            wanted[name] = [column.filter(column.is_not_null()).unique().cast(pl.String).implode()]
        elif dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.String, pl.Boolean):
            wanted[name] = [column.min(), column.max()]
            if dtype.is_float():
                wanted[name].append(column.filter(column != column.round()).first())
            if seen.n_unique() <= 2:
                wanted[name].append(column.filter(column.is_in(seen.unique().implode()).not_()).first())
    aliased = [value.alias(f"{i} {name}") for name, values in wanted.items() for i, value in enumerate(values)]
    row = lazy.select(aliased).collect(engine="streaming").row(0, named=True)
    found: dict[str, list[Any]] = {name: [] for name in few.columns}
    for name, values in wanted.items():
        each = [row[f"{i} {name}"] for i in range(len(values))]
        each = each[0] if isinstance(each[0], list) else each
        there = (
            set(few[name].cast(pl.String).to_list()) if isinstance(few.schema[name], (pl.Categorical, pl.Enum)) else ()
        )
        found[name] = [
            value
            for value in dict.fromkeys(each)
            if value is not None and value not in there and (there or not few[name].eq(value).any())
        ]
    most = max(map(len, found.values()))
    return pl.DataFrame({name: [*v, *[None] * (most - len(v))] for name, v in found.items()}, schema=few.schema)


def _running(lazy: pl.LazyFrame, few: pl.DataFrame) -> list[str]:
    """Columns of whole numbers that are identifiers by all rows, which some rows, spaced out, do not show."""
    import polars as pl

    def select(names: list[str], **wanted: Callable[[pl.Expr], pl.Expr]) -> dict[str, dict[str, int]]:
        exprs = [
            value(pl.col(name).drop_nulls()).alias(f"{what} {name}") for name in names for what, value in wanted.items()
        ]
        row = lazy.select(exprs).collect(engine="streaming").row(0, named=True)
        return {name: {what: row[f"{what} {name}"] for what in wanted} for name in names}

    whole = [name for name, dtype in few.schema.items() if dtype.is_integer()]
    names = [name for name in whole if few[name].drop_nulls().n_unique() == few[name].count() > 0]
    ends = select(names, n=pl.Expr.count, low=pl.Expr.min, high=pl.Expr.max) if names else {}
    names = [name for name, each in ends.items() if looks_running(each["n"], **each)]  # if no two were alike
    counted = select(names, different=pl.Expr.n_unique) if names else {}
    return [name for name in names if looks_running(**counted[name], **ends[name])]


class TableRows(Rows):
    """Coded rows of a table, (n, D) float32, in memory or in a file that is mapped into it.

    Args:
        values: (n, D) codes.
        chosen: numbers of the rows that count, where not all do; the others stay where they are.
    """

    def __init__(self, values: Tensor, chosen: Tensor | None = None) -> None:
        self.sparse, self.grey_max = None, None
        self.dense = values
        self.chosen = chosen
        self.shape = tuple(values.shape[1:])
        self.n = len(values) if chosen is None else len(chosen)
        self.device = values.device

    def raw(self, index: Tensor | slice) -> Tensor:
        """Coded rows, (B, D)."""
        assert self.dense is not None
        if self.chosen is not None:
            index = self.chosen[index.cpu() if isinstance(index, Tensor) else index]
        rows = self.dense.index_select(0, index.cpu()) if isinstance(index, Tensor) else self.dense[index]
        return rows.to(self.device)

    def to(self, device: torch.device) -> TableRows:
        """The same rows, given on a device a batch at a time."""
        self.device = device
        return self

    def subset(self, index: Any) -> TableRows:
        """Some of the rows, which stay where they are."""
        assert self.dense is not None
        index = torch.as_tensor(index)
        return TableRows(self.dense, index if self.chosen is None else self.chosen[index])

    def stats(self) -> ColumnStats:
        """Nothing of the rows: what a likelihood must know of a column stands in its schema."""
        return ColumnStats.placeholder(self.shape)


def code_lazy(lazy: pl.LazyFrame, schema: TableSchema) -> TableRows:
    """Code a table batch by batch into a file of the temporary folder, which ends with the rows that read it."""

    n = height(lazy)
    if n == 0:
        raise DataError("The table has no rows.")
    with tempfile.NamedTemporaryFile(prefix="vaekit-", suffix=".codes") as file:
        size = 4 * n * math.prod(schema.shape)
        try:
            if hasattr(os, "posix_fallocate"):  # a full disk under a map would end the process
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # not every file system can do it
                place = f"{size / 2**30:.1f} GiB in {tempfile.gettempdir()}"
                raise WriteError(
                    f"The codes of the table take {place}: {error.strerror}; set TMPDIR to a larger disk."
                ) from error
        codes = np.memmap(file.name, np.float32, "r+", shape=(n, *schema.shape))
        start = 0
        for batch in batches(lazy):
            codes[start : start + len(batch)] = code_table(batch, schema)
            start += len(batch)
        return TableRows(torch.from_numpy(codes))  # the file has no name from here on, but stays while it is mapped


def typed(lazy: pl.LazyFrame, schema: TableSchema) -> pl.LazyFrame:
    """The table with types that hold what is filled in: that of the fit for columns without values, all its levels.

    Raises:
        DataError: columns are missing or too many.
    """
    frame: Any = nw.from_native(lazy)
    kinds = frame.collect_schema()
    check_columns(kinds.names(), schema)
    columns = {column.name: column for column in schema.all_columns}
    fitted = {name: dtype_of(column.dtype) for name, column in columns.items()}
    others = [name for name in fitted if family(kinds[name]) != family(fitted[name])]
    casts = [nw.lit(None).cast(fitted[name]).alias(name) for name in without_values(frame, others)]
    for name, column in columns.items():
        given, dtype = kinds[name], fitted[name]
        if isinstance(given, nw.Enum) and name not in others:
            other = dtype.categories if isinstance(dtype, nw.Enum) else ()
            wider = with_listed(list(given.categories), other, [str(level) for level in column.levels])
            casts.append(nw.col(name).cast(nw.Enum(wider)))
    return frame.with_columns(*casts).to_native() if casts else lazy


def without_values(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], names: list[str]) -> list[str]:
    """Those of some columns of a polars table whose cells are all missing."""
    if not names:
        return []
    kinds = frame.collect_schema()
    cells = [nw.col(name).fill_nan(None) if kinds[name].is_float() else nw.col(name) for name in names]
    empty = frame.lazy().select(*(each.is_null().all() for each in cells)).collect().row(0)
    return [name for name, none in zip(names, empty, strict=True) if none]


def lazily(lazy: pl.LazyFrame, change: Callable[[Any], Any], kinds: Any = None) -> pl.LazyFrame:
    """A LazyFrame of the same columns whose batches are changed when it is read, so `sink_parquet` needs no memory.

    Args:
        lazy: a table.
        change: from a DataFrame of some rows to one of as many.
        kinds: the polars schema of what it gives, where that is another.
    """
    from polars.io.plugins import register_io_source

    def source(columns: list[str] | None, predicate: Any, n_rows: int | None, size: int | None) -> Iterator[Any]:
        left = n_rows
        for batch in map(nw.to_native, batches(lazy)):
            made = change(batch if left is None else batch.head(left))
            left = None if left is None else left - len(made)
            made = made if predicate is None else made.filter(predicate)
            yield made if columns is None else made.select(columns)
            if left == 0:
                return

    return register_io_source(source, schema=kinds or lazy.collect_schema())
