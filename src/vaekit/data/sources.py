"""DATA as the user writes it: the name of a data set, or a path, read by what it is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from vaekit.data.files import check_file, opened, quoted
from vaekit.data.kinds import as_kind, check_kind
from vaekit.errors import DataError, did_you_mean
from vaekit.schema import Dataset

Reader = Callable[[Path, str | None], Dataset]

# How a file of each ending is read: module and function of this package, imported when used.
_ENDINGS = {
    ".npy": "arrays.read_npy",
    ".npz": "arrays.read_npz",
    ".csv": "tables.read_csv",
    ".csv.gz": "tables.read_csv",
    ".parquet": "tables.read_parquet",
    ".idx": "images.read_idx",
    ".idx.gz": "images.read_idx",
    "-ubyte": "images.read_idx",
    "-ubyte.gz": "images.read_idx",
    ".txt": "graphs.read_edges",
    ".txt.gz": "graphs.read_edges",
    ".tsv": "graphs.read_edges",
    ".tsv.gz": "graphs.read_edges",
    ".graphml": "graphs.read_graphml",
    ".graphml.gz": "graphs.read_graphml",
}


def read(source: str | os.PathLike[str], kind: str | None = None) -> Dataset:
    """Read a data set by its name, or a file or folder by its path.

    A name wins over a file of that name, unless a path is meant: with a separator (``./digits``) or a known ending.

    Args:
        source: a name (see `dataset_names`), or a path: .csv (.gz), .parquet, .npy, .npz, IDX (.gz), a folder of
            images, .graphml, an edge list (.tsv, .txt; .csv and other text with kind="graph"), or a folder with
            edges.csv and nodes.csv.
        kind: "array", "table", "images" or "graph", where the data do not say or are to be read otherwise:
            "array" flattens images.

    Returns:
        The data with their kind and a line on what was read.

    Raises:
        OptionError: there is no such kind.
        DataError: there is no such data set or file, or it cannot be read as the kind; the message says why.

    >>> data = read("digits")
    >>> data.X.shape, data.kind
    ((1797, 8, 8), 'images')
    >>> read("digits", kind="array").X.shape
    (1797, 64)
    """
    from vaekit.data.datasets import load_dataset

    check_kind(kind)
    check_there(source)
    text = os.fspath(source)
    path = Path(text)
    if is_name(source):
        return _as(load_dataset(text), kind)
    if os.path.isdir(path):
        return _reader(_of_folder(path, kind))(path, kind)
    reader = _of_graphs(path) if kind == "graph" else _by_ending(path) or _by_content(path)
    return _reader(reader)(path, kind)


def check_there(source: str | os.PathLike[str]) -> None:
    """Raise a DataError unless there is such a data set, folder or file; nothing of it is read."""
    from vaekit.data.datasets import dataset_names

    text = os.fspath(source)
    if is_name(source) or (text and os.path.isdir(text)):
        return
    if _means_path(source):
        check_file(Path(text))
    elif not text or not os.path.exists(text):
        hint = did_you_mean(text, dataset_names()) or f"; the data sets are {', '.join(dataset_names())}"
        raise DataError(f"There is neither a data set nor a file named {text!r}{hint}.")


def is_name(source: str | os.PathLike[str]) -> bool:
    """Whether `read` takes a source as the name of a data set.

    >>> is_name("digits"), is_name("table.csv")
    (True, False)
    """
    from vaekit.data.datasets import dataset_names

    return os.fspath(source) in dataset_names() and not (_means_path(source) and os.path.exists(source))


def _means_path(source: str | os.PathLike[str]) -> bool:
    text = os.fspath(source)
    return not isinstance(source, str) or _by_ending(Path(text)) is not None or any(c in text for c in "/" + os.sep)


def _as(data: Dataset, kind: str | None) -> Dataset:
    """A named data set of arrays as the kind asked for."""
    if kind in (None, data.kind):
        return data
    if kind == "graph":
        raise DataError(f"The data set {data.name!r} is no graph.")
    if data.kind == "graph":
        raise DataError(f"The data set {data.name!r} is a graph, which is read with --kind graph only.")
    X, kind = as_kind(data.X, kind, f"The data set {data.name!r}")
    X_test = None if data.X_test is None else data.X_test.reshape(-1, *X.shape[1:])
    return dataclasses.replace(data, X=X, X_test=X_test, kind=kind)


def _reader(where: str) -> Reader:
    module, function = where.split(".")
    return getattr(import_module(f"vaekit.data.{module}"), function)


def _by_ending(path: Path) -> str | None:
    name = path.name.lower()
    return next((reader for ending, reader in _ENDINGS.items() if name.endswith(ending)), None)


def _of_folder(folder: Path, kind: str | None) -> str:
    from vaekit.data.nodes import holds_graph

    graph = kind == "graph" or (kind != "images" and holds_graph(folder))
    if graph and kind not in (None, "graph"):
        raise DataError(f"The folder {quoted(folder)} holds a graph, which is read with --kind graph only.")
    return "nodes.read_graph_folder" if graph else "images.read_folder"


def _by_content(path: Path) -> str:
    from vaekit.data.images import IMAGE_ENDINGS, is_idx

    if path.suffix.lower() in IMAGE_ENDINGS:
        raise DataError(f"{quoted(path)} is a single image: give the folder that holds the images.")
    with opened(path) as file:
        if is_idx(file.read(4)):
            return "images.read_idx"
    raise DataError(
        f"{quoted(path)} does not say what it is: .csv, .parquet, .npy, .npz, IDX files, folders of images, .graphml "
        "and edge lists (.tsv, .txt) are read."
    )


def _of_graphs(path: Path) -> str:
    """The reader of a file that is to be a graph: text without an ending of its own is an edge list."""
    reader = _by_ending(path)
    if reader in ("arrays.read_npz", "graphs.read_graphml"):
        return reader
    if reader in ("arrays.read_npy", "tables.read_parquet", "images.read_idx"):
        raise DataError(f"{quoted(path)} is no graph: edge lists (.csv, .tsv, .txt), .graphml and .npz are.")
    return "graphs.read_edges"
