"""What the verbs do with a model of tables alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from vaekit.cli.output import check_output, write_rows
from vaekit.data.csvtext import MISSING
from vaekit.data.frames import as_frame, dtype_of, missing_in
from vaekit.data.sources import read
from vaekit.errors import OptionError
from vaekit.estimators import TabularVAE, load
from vaekit.estimators.options import check_choice
from vaekit.runs import read_config
from vaekit.schema import TableSchema

TABLES = (".csv", ".parquet")


def impute_data(
    run: Path,
    source: str,
    output: Path,
    *,
    draws: int | None,
    statistic: str,
    seed: int,
    kind: str | None,
    device: str,
) -> None:
    """Fill the missing cells of a table; see `vaekit impute --help`."""
    check_choice("statistic", statistic, ["mean", "median"])
    check_output(output, source, TABLES)
    estimator = load(run, device=device)
    if not isinstance(estimator, TabularVAE):
        raise OptionError(
            f"{run} holds a {type(estimator).__name__}, which does not fill missing cells; fit a tabular model: "
            "--model tabular."
        )
    data = read(source, kind or (read_config(run).get("data") or {}).get("asked_kind"))
    if data.kind in ("graph", "images"):
        raise OptionError(f"{source!r} was read as {data.kind} data, but the model is one of tables.")
    frame = as_fitted(as_frame(data.X)[0], estimator.schema_)
    if draws is not None and "draw" in frame.columns:
        raise OptionError(f"{source!r} has a column 'draw', which is what --draws calls its own: rename it.")
    before = _missing(frame)
    options: dict[str, Any] = {"random_state": seed, "statistic": statistic}
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
    rest = f"; {left:,} stay missing, in columns that are no part of the model" if left else ""
    print(f"{before - left:,} missing cells filled{rest}", file=sys.stderr)


def as_fitted(frame: nw.DataFrame[Any], schema: TableSchema) -> nw.DataFrame[Any]:
    """The table with the types of the fit where its own, told from its few rows, are narrower.

    A column without values, or of whole numbers where the fit had others, gets the type of the fit, so that what is
    filled in fits in.
    """
    casts = []
    for column in schema.all_columns:
        if column.name in frame.columns:
            series, dtype = frame[column.name], dtype_of(column.dtype)
            if series.is_null().all():
                casts.append(nw.lit(None).cast(dtype).alias(column.name))
            elif series.dtype.is_integer() and dtype.is_float():
                casts.append(nw.col(column.name).cast(dtype))
    return frame.with_columns(*casts) if casts else frame


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
        levels = next((column.levels for column in schema.modelled if column.name == name), ())
        given[name] = text if not levels or isinstance(levels[0], str) else _value(text)
    return given


def _value(text: str) -> Any:
    """A number, true or false; else text, which the model refuses."""
    try:
        return json.loads(text.lower())
    except json.JSONDecodeError:
        return text


def cell_scores(run: Path, estimator: Any, parts: list[Any], samples: int) -> Any:
    """log p(x_d | x_-d) of each cell of a table; nothing where there is none."""
    if not isinstance(estimator, TabularVAE):
        raise OptionError(f"--cells is for a tabular model; {run} holds a {type(estimator).__name__}.")
    scored = [as_frame(estimator.cell_scores(X, samples))[0] for X in parts]
    return nw.concat(scored).to_polars().fill_nan(None)
