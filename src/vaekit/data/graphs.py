"""Graphs in files: edge lists, GraphML, and the arrays of a .npz file; read, and written whole."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from vaekit.data.csvtext import check_utf8
from vaekit.data.edgelists import parse_edges
from vaekit.data.files import opened, quoted
from vaekit.data.grapharrays import GRAPH_KEYS, graph_arrays, graph_from_arrays, naming
from vaekit.errors import DataError, OptionError, count
from vaekit.files import written_whole
from vaekit.schema import Dataset, Graph

WRITTEN_GRAPHS = (".csv", ".tsv", ".txt", ".graphml", ".npz")

# A name with such signs, or blanks at its ends, would not be read back from text as it is.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff\ufffe\uffff]|^\s|\s$|^$")


def read_edges(path: Path, kind: str | None = None) -> Dataset:
    """Read an edge list: a line for each edge, with its two nodes and a weight if any.

    Commas, tabs or blanks stand between the cells: the first line that holds an edge has a tab (then tabs), else a
    comma (then commas), else blanks; or semicolons, where these cut all lines alike and the other sign does not. Empty
    lines and those that start with # or % are passed over. Text is UTF-8, cells with such signs inside may stand in
    double quotes, and gzip is undone.

    The first line is a header where it names columns source and target (or src and dst, from and to), which then may
    stand among others and besides a column named weight; where its third cell is not a number; or where it names no
    number and all lines below have numbers for nodes.

    Nodes are numbers where all are whole and every number from 0 to the largest occurs. Otherwise the cells are names:
    whole numbers in their order, else text in the order in which the lines name them. `note` says what was taken.

    Raises:
        DataError: the file is missing, damaged, not UTF-8 or without edges; or a line has too few or too many cells,
            an empty node, or a weight that is no finite number of at least 0 (the message says which line).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "friends.txt"
    ...     _ = path.write_text("# who knows whom\\nann bob\\nbob eve\\n")
    ...     graph = read_edges(path).X
    >>> graph, graph.names
    (Graph(3 nodes, 2 edges), ('ann', 'bob', 'eve'))
    """
    _check_kind(path, kind)
    with opened(path) as file:
        text = check_utf8(file.read(), path)
    graph, said = parse_edges(text, path)
    return graph_dataset(str(path), graph, quoted(path), said)


def read_graphml(path: Path, kind: str | None = None) -> Dataset:
    """Read a GraphML file (gzip too): names from the ids of nodes, weights from `weight`, labels from `label`.

    Nodes are numbers where their ids are 0, 1, ... in this order. A node without `label` has the key's default, or
    none, and an edge without `weight` the default, or 1. Other attributes are passed over.

    Raises:
        DataError: the file is missing, damaged, not UTF-8, declares a DOCTYPE (whose entities can grow without
            bound) or has an edge to no node; or a weight is no finite number of at least 0.
    """
    import networkx

    _check_kind(path, kind)
    with opened(path) as file:
        data = file.read()
    if "<!DOCTYPE" in check_utf8(data, path):
        raise DataError(f"{quoted(path)} declares a DOCTYPE, which is not read as its entities can grow without bound.")
    try:
        root = ElementTree.fromstring(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # networkx warns of a key without a type, which it reads as text
            found: Any = networkx.read_graphml(io.BytesIO(data))
    except (ElementTree.ParseError, networkx.NetworkXException, LookupError, ValueError, TypeError) as error:
        raise DataError(f"{quoted(path)} is not a GraphML file, or it is damaged.") from error
    ids = {node.get("id") for node in root.iterfind(".//{*}node")}
    for end in (edge.get(end) for edge in root.iterfind(".//{*}edge") for end in ("source", "target")):
        if end not in ids:
            raise DataError(f"{quoted(path)} is damaged: an edge ends at {end!r}, which is no node.")
    keys = [key for key in root.iterfind("{*}key") if key.findtext("{*}default", "").strip()]
    given = {(key.get("for"), key.get("attr.name")) for key in keys}  # networkx makes "None" of an empty default
    for part, name, items in (("node", "label", found.nodes(data=True)), ("edge", "weight", found.edges(data=True))):
        defaults = found.graph.get(f"{part}_default")
        if isinstance(defaults, dict) and name in defaults and given & {(part, name), ("all", name)}:
            for *_, known in items:
                known.setdefault(name, defaults[name])
    labels = [label for _, label in found.nodes(data="label")]
    with naming(quoted(path)):
        graph = Graph(found, labels=labels if any(label is not None for label in labels) else None)
    if graph.names == tuple(map(str, range(graph.n_nodes))):
        graph.names, graph.numbered = None, True
    return graph_dataset(str(path), graph, quoted(path))


def read_graph_arrays(path: Path, arrays: Mapping[str, np.ndarray], kind: str | None) -> Dataset:
    """The graph of a .npz file's arrays; an array `class_names` names the labels 0, 1, ..."""
    if kind not in (None, "graph"):
        raise DataError(f"{quoted(path)} holds a graph, which is read with --kind graph only.")
    if not arrays.keys() >= GRAPH_KEYS:
        raise DataError(f"{quoted(path)} holds no graph: it has no adj_data, adj_indices, adj_indptr and adj_shape.")
    graph = graph_from_arrays(arrays, quoted(path))
    names, labels = arrays.get("class_names"), graph.labels
    label_names = None
    if names is not None and labels is not None and names.ndim == 1 and names.dtype.kind == "U":
        fits = labels.dtype.kind in "iu" and labels.max() < len(names)
        label_names = names.tolist() if fits else None
    return graph_dataset(str(path), graph, quoted(path), label_names=label_names)


def graph_dataset(
    name: str, graph: Graph, where: str, said: Sequence[str] = (), label_names: Sequence[str] | None = None
) -> Dataset:
    """A Dataset of a graph, whose note ends in what was told from the file and what the graph's rules changed."""
    features = f" with {count(graph.n_features, 'feature')}" if graph.n_features else ""
    note = f"{count(graph.n_nodes, 'node')}{features} and {count(graph.n_edges, 'edge')} from {where}"
    more = " ".join([*said, *graph.notes])
    return Dataset(
        name,
        graph,
        y=graph.labels,
        kind="graph",
        note=f"{note}. {more}" if more else note,
        label_names=None if label_names is None else tuple(label_names),
    )


def write_graph(graph: Any, path: str | Path) -> None:
    """Write a graph to a file whose ending says how; it is written whole or not at all.

    .npz holds all of it. An edge list (.csv; .tsv and .txt with tabs; columns source, target, and weight where one
    differs from 1) holds neither features, labels nor nodes without edges; .graphml holds no features.

    Args:
        graph: a `Graph`, or what one is made of.
        path: the file to write; a file of that name is replaced.

    Raises:
        OptionError: the ending is another, or the file cannot hold the name of a node.
        WriteError: the folder is missing or cannot be written to, or the disk is full.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "friends.csv"
    ...     write_graph(Graph.from_edges([[0, 1]], names=["ann", "bob"]), path)
    ...     path.read_text()
    'source,target\\nann,bob\\n'
    """
    path, graph = Path(path), Graph(graph)
    ending = path.suffix.lower()
    if ending not in WRITTEN_GRAPHS:
        raise OptionError(f"{quoted(path)} does not say how to write a graph: end it in {' '.join(WRITTEN_GRAPHS)}.")
    names = graph.names or [str(node) for node in range(graph.n_nodes)]
    bad = None if ending == ".npz" else next((name for name in names if _UNWRITABLE.search(name)), None)
    if bad is not None:
        raise OptionError(f"The node name {bad!r} cannot be written to {quoted(path)}: end it in .npz.")
    if ending == ".npz":
        with written_whole(path) as file:
            np.savez_compressed(file, allow_pickle=False, **graph_arrays(graph))  # type: ignore[arg-type]
        return
    content = _graphml(graph, names) if ending == ".graphml" else _edge_list(graph, names, ending)
    with written_whole(path) as file:
        file.write(content)


def _edge_list(graph: Graph, names: Sequence[str], ending: str) -> bytes:
    import polars as pl

    edges, column = graph.edges, pl.Series(names, dtype=pl.String)
    frame = pl.DataFrame({"source": column.gather(edges[:, 0]), "target": column.gather(edges[:, 1])})
    if graph.is_weighted:
        frame = frame.with_columns(weight=np.asarray(graph.adjacency[edges[:, 0], edges[:, 1]]))
    looks_like_comment = any(name[0] in "#%" for name in names)
    return frame.write_csv(
        separator="," if ending == ".csv" else "\t", quote_style="non_numeric" if looks_like_comment else "necessary"
    ).encode()


def _graphml(graph: Graph, names: Sequence[str]) -> bytes:
    import networkx

    made: Any = networkx.Graph()
    made.add_nodes_from(names)
    if graph.labels is not None:
        networkx.set_node_attributes(made, dict(zip(names, graph.labels.tolist(), strict=True)), "label")
    edges = graph.edges
    made.add_edges_from((names[a], names[b]) for a, b in edges.tolist())
    if graph.is_weighted:
        weights = np.asarray(graph.adjacency[edges[:, 0], edges[:, 1]]).tolist()
        for (a, b), weight in zip(edges.tolist(), weights, strict=True):
            made.edges[names[a], names[b]]["weight"] = weight
    buffer = io.BytesIO()
    networkx.write_graphml_xml(made, buffer)
    return buffer.getvalue()


def _check_kind(path: Path, kind: str | None) -> None:
    if kind not in (None, "graph"):
        raise DataError(f"{quoted(path)} is read as a graph only: save {kind} data as .csv, .parquet, .npy or .npz.")
