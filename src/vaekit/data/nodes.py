"""A graph in a folder: an edge list, and a table with a row of what is known for each node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vaekit.data.csvtext import check_utf8
from vaekit.data.edgelists import parse_edges
from vaekit.data.files import opened, quoted, reading
from vaekit.data.graphs import graph_dataset
from vaekit.data.tables import read_csv, read_parquet
from vaekit.errors import DataError, count, join
from vaekit.schema import Dataset, Graph

if TYPE_CHECKING:
    import polars as pl

_EDGES = tuple(f"edges{ending}{packed}" for ending in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
_NODES = ("nodes.csv", "nodes.csv.gz", "nodes.parquet")
_KEYS = ("node", "id", "name")  # of the column that names the nodes
_MOST_LEVELS = 50  # of a column of text that is one-hot coded


def holds_graph(folder: Path) -> bool:
    """Whether there are edges and a table of nodes, so that no one need say that the folder is a graph."""
    with reading(folder):
        return any((folder / name).is_file() for name in _EDGES) and any(folder.glob("nodes.*"))


def read_graph_folder(folder: Path, kind: str | None = None) -> Dataset:
    """Read the graph of `edges.csv` (.tsv, .txt; see `read_edges`) and `nodes.csv` (.parquet); text also with .gz.

    Every row of `nodes` is a node, also those without edges, in this order. Its name stands in the column `node`, `id`
    or `name`, else in the first. A column `label` holds labels, unless each node has its own. The others are features:
    numbers as they are, true and false as 1 and 0, and text of up to 50 levels one-hot, as `column=level`, of zeros
    where it is missing. Times and other text are set aside. Without `nodes` the graph is that of the edges alone.

    Args:
        folder: of the files.
        kind: "graph" or None.

    Raises:
        DataError: there are no edges, or two files of them; a node has no name or another's; an edge ends at no node
            of the table; a number is missing; or a file cannot be read.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = pathlib.Path(name)
    ...     _ = (folder / "edges.csv").write_text("ann,bob\\n")
    ...     _ = (folder / "nodes.csv").write_text("node,age,town\\nann,31,X\\nbob,40,Y\\neve,25,X\\n")
    ...     graph = read_graph_folder(folder).X
    >>> graph, graph.feature_names
    (Graph(3 nodes, 1 edge, 3 features), ('age', 'town=X', 'town=Y'))
    >>> graph.features.tolist()
    [[31.0, 1.0, 0.0], [40.0, 0.0, 1.0], [25.0, 1.0, 0.0]]
    """
    with reading(folder):
        path, table = _one_of(folder, _EDGES), _one_of(folder, _NODES)
        other = next((found.name for found in sorted(folder.glob("nodes.*")) if found != table), None)
    if path is None:
        raise DataError(f"The folder {quoted(folder)} holds no edges.csv (or edges.tsv, edges.txt), so it is no graph.")
    if other is not None:
        raise DataError(f"{other} in {quoted(folder)} is not read: nodes stand in nodes.csv or nodes.parquet.")
    with opened(path) as file:
        known, said = parse_edges(check_utf8(file.read(), path), path)
    if table is None:
        return graph_dataset(str(folder), known, quoted(path), said)
    frame = _plain((read_parquet if table.suffix == ".parquet" else read_csv)(table, "table").X)
    key = next((c for key in _KEYS for c in frame.columns if c.lower() == key), frame.columns[0])
    names = _names(frame[key], table)
    label = next((c for c in frame.columns if c.lower() == "label" and c != key), None)
    labels = None if label is None else _labels(frame[label])
    features, columns, aside = _features(frame.drop([key] if label is None else [key, label]), table)
    aside = aside if label is None or labels is not None else [label, *aside]
    edges = known.edges
    graph = Graph.from_edges(
        _placed(known, names, f"{quoted(path)} holds the node", f"column {key!r} of {quoted(table)}", said),
        np.asarray(known.adjacency[edges[:, 0], edges[:, 1]]).reshape(-1) if len(edges) else None,
        n_nodes=len(names),
        features=features,
        labels=labels,
        names=names,
    )
    if names == list(map(str, range(len(names)))):
        graph.names, graph.numbered = None, True
    graph.feature_names = columns
    told = [*said[1:], *known.notes, f"Column {key!r} names the nodes."]
    if aside:
        told.append(f"Set aside: {join(aside)} (empty, times, or text with a level for each node or over 50).")
    return graph_dataset(str(folder), graph, f"{quoted(path)} and {table.name}", told)


def _one_of(folder: Path, names: Sequence[str]) -> Path | None:
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise DataError(f"The folder {quoted(folder)} holds {join([path.name for path in found])}: leave one of them.")
    return found[0] if found else None


def _names(column: pl.Series, table: Path) -> list[str]:
    import polars as pl

    where = f"Column {column.name!r} of {quoted(table)}"
    if not (column.dtype.is_integer() or column.dtype == pl.String):
        raise DataError(f"{where} must name the nodes by text or whole numbers; it holds {column.dtype}.")
    if column.null_count():
        raise DataError(
            f"{where} must name every node, but {column.null_count()} of its rows have no value there (an empty cell, "
            "NA, null, ...)."
        )
    names = column.cast(pl.String)
    twice = names.filter(names.is_duplicated())
    if len(twice):
        raise DataError(f"{where} names the node {twice[0]!r} more than once.")
    return names.to_list()


def _placed(known: Graph, names: list[str], holds: str, where: str, said: Sequence[str]) -> np.ndarray:
    """The edges by the places of their nodes in the table."""
    place = {name: number for number, name in enumerate(names)}
    called = known.names or tuple(map(str, range(known.n_nodes)))
    missing = [name for name in called if name not in place]
    if missing:
        more = f", nor {count(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
        header = "".join(f" {sentence}" for sentence in said if "if it is a header" in sentence)
        raise DataError(f"{holds} {missing[0]!r}, which {where} does not name{more}.{header}")
    return np.array([place[name] for name in called], np.int64)[known.edges]


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with categories as text, and text without blanks around it."""
    import polars as pl

    text = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    return frame.with_columns(pl.col(text).cast(pl.String).str.strip_chars()) if text else frame


def _labels(column: pl.Series) -> np.ndarray | None:
    """The labels, empty where they are missing; None where each node has its own, as it then is another name."""
    import polars as pl

    if column.n_unique() == len(column) > 2:
        return None
    if column.dtype.is_integer() and not column.null_count():
        return column.to_numpy()
    return np.array(column.cast(pl.String).fill_null("").to_list())


def _features(frame: pl.DataFrame, table: Path) -> tuple[np.ndarray | None, tuple[str, ...] | None, list[str]]:
    """(N, F) features, the names of their columns, and the columns of the table that give none."""
    import polars as pl

    made: list[tuple[str, np.ndarray]] = []
    aside: list[str] = []
    for column in frame.get_columns():
        name = column.name
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            values = column.cast(pl.Float64).to_numpy()
            bad = int((~np.isfinite(values)).sum())
            if bad:
                raise DataError(
                    f"Column {name!r} of {quoted(table)} is missing or infinite for {bad} of {len(values)} nodes: fill "
                    "it (`vaekit fit` and `vaekit impute` on the table do), or leave the column out."
                )
            made.append((name, values))
            continue
        levels = column.drop_nulls().unique().sort().to_list() if column.dtype == pl.String else []
        if not 0 < len(levels) <= _MOST_LEVELS or len(levels) == len(column):
            aside.append(name)
            continue
        made += [(f"{name}={level}", (column == level).fill_null(False).to_numpy()) for level in levels]
    if not made:
        return None, None, aside
    names, columns = zip(*made, strict=True)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{quoted(table)} gives two features the name {twice!r}: rename a column.")
    return np.stack(columns, 1).astype(np.float64), names, aside
