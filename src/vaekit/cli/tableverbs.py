"""What the verbs do with a model of tables alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from vaekit.cli.output import check_output, kept_from, write_lazily, write_rows
from vaekit.cli.split import read_data
from vaekit.data.csvtext import MISSING, is_numeral
from vaekit.data.frames import as_frame, dtype_of, missing_in
from vaekit.data.streams import is_lazy, lazily, typed, without_values
from vaekit.errors import OptionError, a_kind, check_choice
from vaekit.estimators import TabularVAE, load
from vaekit.runs import read_config
from vaekit.schema import Column, TableSchema

TABLES = (".csv", ".parquet")


def impute_data(
    run: Path,
    source: str,
    output: Path,
    *,
    draws: int | None,
    statistic: str | None,
    seed: int,
    kind: str | None,
    device: str,
) -> None:
    """Fill the missing cells of a table; see `vaekit impute --help`."""
    if statistic is not None and draws is not None:
        raise OptionError("--statistic has no use beside --draws, which fills in draws: leave one of them out.")
    check_choice("statistic", statistic or "mean", ["mean", "median"])
    check_output(output, [source, *kept_from(run)], TABLES)
    estimator = load(run, device=device)
    if not isinstance(estimator, TabularVAE):
        raise OptionError(
            f"{run} holds {a_kind(estimator)}, which does not fill missing cells; fit a tabular model: --model tabular."
        )
    data = read_data(source, kind or (read_config(run).get("data") or {}).get("asked_kind"), tabular=True)
    if data.kind in ("graph", "images"):
        raise OptionError(f"{source!r} was read as {data.kind} data, but the model is one of tables.")
    options: dict[str, Any] = {"random_state": seed, "statistic": statistic or "mean"}
    if is_lazy(data.X):
        if draws is not None:
            raise OptionError(
                f"--draws needs a table in memory, but {source!r} is read a batch at a time: leave it out."
            )
        before, left = _impute_lazily(estimator, data.X, output, options)
    else:
        before, left = _impute(estimator, data.X, source, output, draws, options)
    rest = f"; {left:,} stay missing, in columns that are no part of the model" if left else ""
    print(f"{before - left:,} missing cells filled{rest}", file=sys.stderr)


def _impute(
    estimator: TabularVAE, X: Any, source: str, output: Path, draws: int | None, options: dict[str, Any]
) -> tuple[int, int]:
    """Fill a table in memory; the numbers of cells missing before and after."""
    frame = as_frame(as_fitted(X, estimator.schema_))[0]
    if draws is not None and "draw" in frame.columns:
        raise OptionError(f"{source!r} has a column 'draw', which is what --draws calls its own: rename it.")
    before = _missing(frame)
    filled = estimator.impute(frame, draws, **options)
    tables = [nw.from_native(table, eager_only=True) for table in (filled if draws else [filled])]
    left = _missing(tables[0])
    if draws is not None:
        numbered = [
            (nw.new_series("draw", np.full(len(table), m + 1), nw.Int64, backend="polars"), table)
            for m, table in enumerate(tables)
        ]
        tables = [nw.concat([nw.concat([m.to_frame(), table], how="horizontal") for m, table in numbered])]
    write_rows(tables[0].to_native(), output)
    return before, left


def _impute_lazily(estimator: TabularVAE, X: Any, output: Path, options: dict[str, Any]) -> tuple[int, int]:
    """Fill a table too large for memory; the numbers of cells missing before and after."""
    before = left = 0

    def fill(batch: Any) -> Any:
        nonlocal before, left
        filled = estimator.impute(batch, **options)
        before += _missing(as_frame(batch)[0])
        left += _missing(as_frame(filled)[0])
        return filled

    write_lazily(lazily(typed(as_fitted(X, estimator.schema_), estimator.schema_), fill), output)
    return before, left


def as_fitted(X: Any, schema: TableSchema) -> Any:
    """A table from a file with the types of the fit where its own, told from its few rows, are narrower.

    A column without values, or of whole numbers where the fit had others or text such as 02134, gets the type of the
    fit.

    Args:
        X: a polars DataFrame or LazyFrame; an array stays as it is.
        schema: of the fit.
    """
    if not (nw.dependencies.is_polars_dataframe(X) or nw.dependencies.is_polars_lazyframe(X)):
        return X
    frame: Any = nw.from_native(X)
    kinds = frame.collect_schema()
    fitted = {column.name: column for column in schema.all_columns}
    others = [name for name in kinds if name in fitted and kinds[name] != dtype_of(fitted[name].dtype)]
    empty = without_values(frame, others)
    casts = []
    for name in others:
        dtype = dtype_of(fitted[name].dtype)
        if name in empty:
            casts.append(nw.lit(None).cast(dtype).alias(name))
        elif kinds[name].is_integer() and (dtype.is_float() or _reads_numerals(fitted[name])):
            casts.append(nw.col(name).cast(dtype))
    return frame.with_columns(*casts).to_native() if casts else X


def _reads_numerals(column: Column) -> bool:
    """Whether a column was text at fit of which some numerals are, or may be."""
    return column.dtype == "String" and (not column.levels or any(map(is_numeral, column.levels)))


def _missing(frame: nw.DataFrame[Any]) -> int:
    return sum(int(missing_in(frame[name]).sum()) for name in frame.columns)


def given_values(items: list[str], schema: TableSchema) -> dict[str, Any]:
    """What --given says: values by column.

    Args:
        items: texts of the form column=value.
        schema: of the fit; says which columns hold text.
    """
    given: dict[str, Any] = {}
    for item in items:
        if "=" not in item:
            raise OptionError(f"--given {item} must have the form column=value.")
        known = [name for name in schema.columns if item.startswith(f"{name}=")]  # a name may hold a = itself
        name = max(known, key=len, default=item.partition("=")[0])
        if name in given:
            raise OptionError(f"--given names the column {name!r} twice.")
        text = item[len(name) + 1 :]
        if text.strip() in ("", *MISSING):
            raise OptionError(f"--given {item} gives no value.")
        levels = next((column.levels for column in schema.all_columns if column.name == name and not column.timed), ())
        given[name] = text if not levels or isinstance(levels[0], str) else _value(text)
    return given


def _value(text: str) -> Any:
    """A number, true or false; else text, which the model refuses."""
    try:
        return json.loads(text.lower())
    except (ValueError, RecursionError):  # no JSON; thousands of digits; thousands of brackets
        return text


def write_cell_scores(run: Path, estimator: Any, parts: list[Any], samples: int, output: Path) -> None:
    """Write log p(x_d | x_-d) of each cell of a table; nothing where there is none."""
    if not isinstance(estimator, TabularVAE):
        raise OptionError(f"--cells is for a tabular model; {run} holds {a_kind(estimator)}.")

    def score(X: Any) -> Any:
        return as_frame(estimator.cell_scores(X, samples))[0].to_polars().fill_nan(None)

    if not is_lazy(parts[0]):
        write_rows(nw.concat([as_frame(score(X))[0] for X in parts]).to_polars(), output)
    else:
        kinds = score(parts[0].head(1).collect()).schema
        write_lazily(lazily(parts[0], score, kinds), output)
