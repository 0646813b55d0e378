"""Files that the verbs write."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.data.sources import is_name
from vaekit.data.tables import WRITTEN, write_table
from vaekit.errors import OptionError, WriteError
from vaekit.files import check_plain, written_whole
from vaekit.runs import read_config


def check_output(path: Path, sources: Sequence[str] = (), endings: Sequence[str] = WRITTEN) -> None:
    """Refuse before the work what could not be written after it, or would replace the data."""
    if not path.name.lower().endswith(tuple(endings)):
        raise OptionError(f"{str(path)!r} does not say how to write it: end it in {' '.join(endings)}.")
    if not path.parent.is_dir():
        raise WriteError(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.")
    check_plain(path, path)
    if path.exists() and any(_is_part(path, Path(source)) for source in sources):
        raise OptionError(f"{str(path)!r} holds the data; write to another file.")


def check_shape(path: Path, shape: Sequence[int]) -> None:
    """Refuse before the work what has no columns, such as images, in a file of columns."""
    if len(shape) > 1 and path.suffix.lower() not in (".npy", ".npz"):
        raise OptionError(f"Rows of shape {tuple(shape)} are no table to write to {str(path)!r}: use .npy or .npz.")


def _is_part(path: Path, source: Path) -> bool:
    """Whether a file is what a source names, or lies, by any name, in a folder that is the source."""
    if not source.is_dir():
        return source.exists() and path.samefile(source)
    inside = path.resolve().is_relative_to(source.resolve())
    return inside or any(path.samefile(each) for each in source.rglob("*") if each.exists())


def named(source: str) -> dict[str, str | None]:
    """How a RUN notes its data: as they were named and, of a path, where that is, whatever folder one is in later."""
    path = None if is_name(source) else os.path.abspath(source)
    if path is not None and any("\ud800" <= letter <= "\udfff" for letter in path):  # which JSON has no room for
        path = None
    return {"source": source, "path": path}


def sources_of(run: Path) -> list[str]:
    """What a RUN was fitted to: as it was named and, of a path, where that was; nothing of a saved model."""
    record = read_config(run).get("data") or {}
    return [record[name] for name in ("source", "path") if isinstance(record.get(name), str)]


def kept_from(run: Path) -> list[str]:
    """The data of a RUN that no output may replace: where they were or, if they are gone from there, as named."""
    places = sources_of(run)[::-1]
    there = [place for place in places if os.path.exists(place) and not is_name(place)]
    return there[:1]


def write_rows(table: Any, path: Path, columns: list[str] | None = None) -> None:
    """Write a table and say so."""
    write_table(table, path, columns)
    print(f"{path}: {table.shape[0]} rows", file=sys.stderr)


def write_lazily(table: Any, path: Path) -> None:
    """Write a polars LazyFrame to a .csv or .parquet file as it is read, whole or not at all."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise OptionError(f"A table read a batch at a time cannot be written to {str(path)!r}: use .csv or .parquet.")
    with written_whole(path) as file:
        table.sink_csv(file) if path.suffix.lower() == ".csv" else table.sink_parquet(file)
    print(f"{path}: written a batch at a time", file=sys.stderr)
