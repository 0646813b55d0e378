"""A graph in a folder: an edge list, and a table with a row of what is known for each node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vaekit.data.csvtext import check_utf8
from vaekit.data.edgelists import parse_edges
from vaekit.data.files import opened, quoted
from vaekit.data.graphs import graph_dataset
from vaekit.data.tables import read_csv, read_parquet
from vaekit.errors import DataError, join
from vaekit.schema import Dataset, Graph
from vaekit.schema.conversion import count

if TYPE_CHECKING:
    import polars as pl

_EDGES = tuple(f"edges{ending}{packed}" for ending in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
_NODES = ("nodes.csv", "nodes.csv.gz", "nodes.parquet")
_KEYS = ("node", "id", "name")  # of the column that names the nodes
_MOST_LEVELS = 50  # of a column of text that is one-hot coded


def holds_graph(folder: Path) -> bool:
    """Whether there are files of both kinds, so that no one need say that the folder is a graph."""
    return all(any((folder / name).is_file() for name in names) for names in (_EDGES, _NODES))


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
    path, table = _one_of(folder, _EDGES), _one_of(folder, _NODES)
    if path is None:
        raise DataError(f"The folder {quoted(folder)} holds no edges.csv (or edges.tsv, edges.txt), so it is no graph.")
    with opened(path) as file:
        known, said = parse_edges(check_utf8(file.read(), path), path)
    if table is None:
        return graph_dataset(str(folder), known, quoted(path), said)
    frame = (read_parquet if table.suffix == ".parquet" else read_csv)(table, "table").X
    key = next((c for key in _KEYS for c in frame.columns if c.lower() == key), frame.columns[0])
    names = _names(frame[key], table)
    label = next((c for c in frame.columns if c.lower() == "label" and c != key), None)
    labels = None if label is None else _labels(frame[label])
    features, columns, remarks = _features(frame.drop([key] if labels is None else [key, label]), table)
    graph = Graph.from_edges(
        _placed(known, names, path, table),
        np.asarray(known.adjacency[known.edges[:, 0], known.edges[:, 1]]).reshape(-1),
        n_nodes=len(names),
        features=features,
        labels=labels,
        names=names,
    )
    if names == list(map(str, range(len(names)))):
        graph.names, graph.numbered = None, True
    graph.feature_names = columns
    told = [*said[1:], *known.notes, f"Column {key!r} names the nodes.", *remarks]
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
        empty = column.null_count()
        raise DataError(
            f"{where} must name every node, but {empty} of its cells {'is' if empty == 1 else 'are'} empty."
        )
    names = column.cast(pl.String)
    twice = names.filter(names.is_duplicated())
    if len(twice):
        raise DataError(f"{where} names the node {twice[0]!r} more than once.")
    return names.to_list()


def _placed(known: Graph, names: list[str], path: Path, table: Path) -> np.ndarray:
    """The edges by the places of their nodes in the table."""
    place = {name: number for number, name in enumerate(names)}
    called = known.names or tuple(map(str, range(known.n_nodes)))
    missing = [name for name in called if name not in place]
    if missing:
        more = f", nor {count(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
        raise DataError(f"{quoted(path)} holds the node {missing[0]!r}, which {quoted(table)} does not name{more}.")
    return np.array([place[name] for name in called])[known.edges]


def _labels(column: pl.Series) -> np.ndarray | None:
    """The labels, empty where they are missing; None where each node has its own, as it then is another name."""
    import polars as pl

    if column.n_unique() == len(column) > 2:
        return None
    if column.dtype.is_integer() and not column.null_count():
        return column.to_numpy()
    return np.array(column.cast(pl.String).fill_null("").to_list())


def _features(frame: pl.DataFrame, table: Path) -> tuple[np.ndarray | None, tuple[str, ...] | None, list[str]]:
    """(N, F) features, the names of their columns, and what there is to say."""
    import polars as pl

    made: list[tuple[str, np.ndarray]] = []
    aside: list[str] = []
    for column in frame.get_columns():
        name, is_text = column.name, column.dtype in (pl.String, pl.Categorical, pl.Enum)
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            values = column.cast(pl.Float64).to_numpy()
            if np.isnan(values).any():
                empty = int(np.isnan(values).sum())
                raise DataError(
                    f"Column {name!r} of {quoted(table)} is missing for {empty} of {len(values)} nodes: "
                    "fill it (`vaekit fit` and `vaekit impute` on the table do), or leave the column out."
                )
            made.append((name, values))
            continue
        levels = column.cast(pl.String).drop_nulls().unique().sort().to_list() if is_text else []
        if not 0 < len(levels) <= _MOST_LEVELS or len(levels) == len(column):
            aside.append(name)
            continue
        text = column.cast(pl.String)
        made += [(f"{name}={level}", (text == level).fill_null(False).to_numpy()) for level in levels]
    remarks = [f"Set aside: {join(aside)} (times, or text with a level for each node or over 50)."] if aside else []
    if not made:
        return None, None, remarks
    names, columns = zip(*made, strict=True)
    return np.stack(columns, 1).astype(np.float64), names, remarks
