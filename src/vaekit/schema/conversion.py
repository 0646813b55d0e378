"""What a graph can be given as, brought into one symmetric adjacency; and the checks of what comes with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, check_unmasked, count, join


def comes_from(value: Any, package: str) -> bool:
    """Whether a value's class, or a base of it, comes from a package (which then is imported already)."""
    return package in sys.modules and any(t.__module__.split(".")[0] == package for t in type(value).__mro__)


def from_networkx(graph: Any, notes: list[str]) -> tuple[Any, list[str] | None]:
    """The matrix of a networkx graph, and the names of its nodes unless they are 0, 1, ..."""
    nodes = list(graph.nodes)
    place = {node: number for number, node in enumerate(nodes)}
    listed = [(place[a], place[b], 1 if w is None else w) for a, b, w in graph.edges(data="weight")]
    edges = np.array([(a, b) for a, b, _ in listed], np.int64).reshape(-1, 2)
    try:
        weights = np.array([weight for _, _, weight in listed], np.float64)
    except (TypeError, ValueError) as error:
        raise DataTypeError("The edge attribute 'weight' of the networkx graph must hold numbers.") from error
    names = None if nodes == list(range(len(nodes))) else [str(node) for node in nodes]
    return from_list(edges, weights, len(nodes), notes, directed=graph.is_directed()), names


def from_geometric(data: Any, notes: list[str]) -> tuple[Any, Any, Any]:
    """The matrix, features and labels of a torch_geometric Data."""
    if not hasattr(data.edge_index, "detach"):
        given = type(data.edge_index).__name__
        raise DataTypeError(f"edge_index must be a tensor (2, m) of edges, not of type {given}.")
    edges = data.edge_index.detach().cpu().numpy().T
    weights = getattr(data, "edge_weight", None)
    attributes = getattr(data, "edge_attr", None)
    if weights is None and attributes is not None and attributes.numel() == len(edges):
        weights = attributes.reshape(-1)
    features: Any = getattr(data, "x", None)
    labels: Any = getattr(data, "y", None)
    matrix = from_list(
        checked_pairs(edges, int(data.num_nodes), "edge_index"),
        None if weights is None else weights.detach().cpu().numpy(),
        int(data.num_nodes),
        notes,
        directed=True,
    )
    features = None if features is None else features.detach().cpu().to_dense()
    labels = labels.detach().cpu() if labels is not None and labels.numel() == matrix.shape[0] else None
    return (
        matrix,
        None if features is None else features.numpy(),
        None if labels is None else labels.numpy().reshape(-1),
    )


def from_matrix(adjacency: Any) -> tuple[Any, list[str] | None]:
    """The csr_array of a scipy.sparse matrix, an array or a pandas table, and the names that a table has."""
    import scipy.sparse

    given, names = adjacency, None
    if comes_from(adjacency, "pandas") and adjacency.ndim == 2:
        adjacency, names = _named(adjacency)
    if not scipy.sparse.issparse(adjacency):
        array = as_array(adjacency, "The adjacency")
        if array.dtype.kind not in "biuf":
            what = f"a {type(given).__name__}" if array.dtype.kind == "O" else f"values of type {array.dtype}"
            listed = array.ndim == 2 and array.shape[1] in (2, 3) and array.dtype.kind in "OU"
            hint = "; networkx.Graph takes a list of pairs, networkx.from_pandas_edgelist a table" if listed else ""
            raise DataTypeError(
                "A graph is given by a scipy.sparse or numpy adjacency, a networkx graph, a torch_geometric Data or a "
                f"vaekit.Graph, not by {what}{hint}."
            )
        scarce = array.dtype == np.float16 or not array.dtype.isnative  # types that scipy.sparse does not take
        adjacency = array.astype(np.float64) if scarce else array
    if adjacency.ndim != 2:
        raise DataError(f"The adjacency has the shape {adjacency.shape}, but (N, N) is needed.")
    if adjacency.dtype.kind not in "biuf":
        raise DataTypeError(f"The adjacency holds values of type {adjacency.dtype} where weights belong.")
    if scipy.sparse.issparse(adjacency) and adjacency.dtype.kind in "iu" and adjacency.dtype.itemsize < 8:
        adjacency = adjacency.astype(np.int64)  # entries of one place add up
    return scipy.sparse.csr_array(adjacency), names


def _named(table: Any) -> tuple[Any, list[str] | None]:
    """The values of a pandas adjacency, columns in the order of the rows, and the names of its nodes."""
    values = table.to_numpy()
    if values.dtype.kind == "O" and all(str(dtype)[:3] in ("Int", "UIn", "Flo", "boo") for dtype in table.dtypes):
        table = table.astype(np.float64)  # types of pandas with missing values
    if values.shape[0] != values.shape[1]:
        return values, None
    both = (table.index, table.columns)
    rows, columns = (None if _is_default(index) else [str(name) for name in index] for index in both)
    plain, named = (table.columns, rows) if columns is None else (table.index, columns)
    listed = type(plain).__name__ != "RangeIndex"  # 0, 1, ... that were given, not those that pandas makes
    if listed and named is not None and all(map(str.isdecimal, named)):
        rows, columns = ([str(name) for name in index] for index in both)
    if rows is not None and columns is not None:
        if sorted(rows) != sorted(columns):
            raise DataError("The index and the columns of the adjacency name different nodes.")
        place = {name: number for number, name in enumerate(columns)}
        table = table.iloc[:, [place[name] for name in rows]]
    return table.to_numpy(), columns if rows is None else rows


def _is_default(index: Any) -> bool:
    """Whether an index of pandas is 0, 1, ..., as where nobody gave one."""
    return list(index) == list(range(len(index)))


def in_order(values: Any, names: tuple[str, ...], *, named: bool) -> Any:
    """The values; rows of pandas that have an index of their own in the order of the nodes' names.

    Args:
        values: features, labels or None.
        names: of the nodes.
        named: whether they came with the graph, and not in a list in the order of the nodes.

    Raises:
        DataError: the index holds other names, or is 0, 1, ... where these came with the graph in another order.
    """
    if not comes_from(values, "pandas") or not hasattr(values, "iloc"):
        return values
    if _is_default(values.index):
        plain = list(map(str, range(len(names))))
        if named and list(names) != plain and sorted(names) == sorted(plain):
            raise DataError(
                f"The nodes are named 0 to {len(names) - 1} in another order, and the index of a pandas table is 0, 1, "
                "...: give table.loc[list_of_nodes] where that index holds their names, or table.to_numpy() where its "
                "rows are in the order of the nodes."
            )
        return values
    index = [str(name) for name in values.index]
    if sorted(index) != sorted(names):
        other = next(iter(set(index) ^ set(names)), index[0])
        raise DataError(
            f"The index of a pandas table must hold the name of each node once, unlike here {other!r}: take "
            "table.loc[list_of_nodes], or table.to_numpy() where its rows are in the order of the nodes."
        )
    place = {name: number for number, name in enumerate(index)}
    return values.iloc[[place[name] for name in names]]


def as_array(values: Any, what: str) -> np.ndarray:
    """The values as an array, those of an iterator too; DataError if they cannot be one, or are masked."""
    check_unmasked(values, what)
    values = list(values) if isinstance(values, Iterator) else values
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} is no array: its rows have several lengths.") from error
    except (TypeError, RuntimeError) as error:  # of torch
        raise DataError(f"{what} is no array that numpy can read: {error}") from error


def from_list(edges: np.ndarray, weights: Any, n: int, notes: list[str], directed: bool = False) -> Any:
    """The matrix of a list of edges, each kept once with its largest weight (of either direction, if undirected)."""
    import scipy.sparse

    values = np.ones(len(edges)) if weights is None else as_array(weights, "weights").reshape(-1)
    if values.dtype.kind not in "biuf":
        raise DataTypeError(f"weights hold values of type {values.dtype} where numbers belong.")
    values = values.astype(np.float64)
    if len(values) != len(edges):
        raise DataError(f"There are {len(values)} weights for {len(edges)} edges.")
    _check_weights(values)
    loops = edges[:, 0] == edges[:, 1]
    if loops.any():
        notes.append(f"{count(int(loops.sum()), 'self-loop')} dropped.")
        edges, values = edges[~loops], values[~loops]
    if not directed:
        edges = np.sort(edges, 1)
    key = edges[:, 0] * n + edges[:, 1]
    order = np.lexsort((-values, key))
    first = np.ones(len(order), bool)
    first[1:] = key[order][1:] != key[order][:-1]
    twice = len(np.unique(key[order][~first]))
    if twice:
        were, counts = ("was", "counts") if twice == 1 else ("were", "count")
        notes.append(f"{count(twice, 'edge')} {were} listed more than once and {counts} once.")
    edges, values = edges[order[first]], values[order[first]]
    matrix = scipy.sparse.csr_array((values, (edges[:, 0], edges[:, 1])), shape=(n, n))
    return matrix if directed else matrix.maximum(matrix.T)


def symmetric(matrix: Any, notes: list[str]) -> Any:
    """Apply the rules to a matrix."""
    import scipy.sparse

    if matrix.shape[0] != matrix.shape[1]:
        hint = "; Graph.from_edges takes a list of edges" if matrix.shape[1] == 2 else ""
        raise DataError(f"The adjacency has the shape {matrix.shape}, but it must be square, (N, N){hint}.")
    if matrix.shape[0] == 0:
        raise DataError("The graph has no nodes.")
    _check_weights(matrix.data)
    matrix = matrix.copy()
    matrix.sum_duplicates()
    zeros = int((matrix.data == 0).sum())
    if zeros:
        entries = (
            "stored entry of weight zero is no edge" if zeros == 1 else "stored entries of weight zero are no edges"
        )
        notes.append(f"{zeros:,} {entries}.")
    least = np.finfo(np.float32).tiny
    positive = (matrix.data > 0) & (matrix.data < least) if matrix.dtype.kind == "f" else np.zeros(matrix.nnz, bool)
    matrix = matrix.astype(np.float32)
    matrix.data[positive] = least
    matrix.eliminate_zeros()
    loops = int((matrix.diagonal() != 0).sum())
    if loops:
        notes.append(f"{count(loops, 'self-loop')} dropped.")
        matrix.setdiag(0)
        matrix.eliminate_zeros()
    both = scipy.sparse.csr_array(matrix.maximum(matrix.T))
    added = both.nnz - matrix.nnz
    raised = int((both != matrix).sum()) - added
    if raised:
        notes.append(f"{count(raised, 'edge')} had two weights, of which the larger counts.")
    if added:
        pointed = "edge pointed" if added == 1 else "edges pointed"
        notes.append(f"{added:,} {pointed} one way; an edge counts in both directions.")
    both.sort_indices()
    return both


def _check_weights(values: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    for bad, what in ((~np.isfinite(values), "NaN or infinite"), (values < 0, "below 0")):
        if bad.any():
            was = "is" if bad.sum() == 1 else "are"
            raise DataError(
                f"{count(int(bad.sum()), 'edge weight')} {was} {what}: weights must be finite and at least 0."
            )


def checked_pairs(pairs: np.ndarray, n: int, what: str) -> np.ndarray:
    """Pairs of numbers as (m, 2) int64; DataError unless all are 0 to n - 1."""
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise DataError(f"{what} has the shape {pairs.shape}, but (m, 2) is needed: two nodes a row.")
    if pairs.dtype.kind not in "iu":
        raise DataTypeError(f"{what} holds values of type {pairs.dtype} where numbers of nodes belong.")
    outside = (pairs < 0) | (pairs >= n)
    if outside.any():
        row = int(outside.any(1).argmax())
        raise DataError(f"{what} row {row} is {tuple(pairs[row].tolist())}, but the nodes are 0 to {n - 1}.")
    return pairs.astype(np.int64)


def _is_number(dtype: Any) -> bool:
    from pandas.api.types import is_complex_dtype, is_numeric_dtype

    return is_numeric_dtype(dtype) and not is_complex_dtype(dtype)


def checked_features(features: Any, n: int) -> Any:
    """Features as float32, (n, F) array or csr_array; DataError unless all are finite."""
    import scipy.sparse

    sparse, names = scipy.sparse.issparse(features), column_names(features)
    if comes_from(features, "pandas") and getattr(features, "ndim", 0) == 2 and all(map(_is_number, features.dtypes)):
        features = features.to_numpy(np.float64, na_value=np.nan)  # of several types, else Python objects
    values: Any = scipy.sparse.csr_array(features) if sparse else as_array(features, "features")
    if values.dtype.kind not in "biuf":
        hint = "; pandas.get_dummies makes columns of numbers" if comes_from(features, "pandas") else ""
        raise DataTypeError(f"features hold values of type {values.dtype} where numbers belong{hint}.")
    if values.ndim != 2:
        raise DataError(f"features has the shape {values.shape}, but (N, F) is needed: a row for each node.")
    if values.shape[0] != n:
        raise DataError(f"features has {values.shape[0]} rows, but the graph has {n} nodes.")
    if values.shape[1] == 0:
        raise DataError("features has no columns; leave features out where there are none.")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if sparse:
        values.sort_indices()
        columns = values.indices[~np.isfinite(values.data)]
    else:
        columns = np.nonzero(~np.isfinite(values))[1]
    if len(columns):
        bad = np.unique(columns).tolist()
        raise DataError(f"features hold NaN or infinity in column {join([names[i] for i in bad] if names else bad)}.")
    return values


def column_names(features: Any) -> tuple[str, ...] | None:
    """Names of the columns of a table, as text; None for arrays, and for tables whose columns are all numbers."""
    columns = getattr(features, "column_names" if comes_from(features, "pyarrow") else "columns", None)
    if columns is None or all(isinstance(name, int | np.integer) for name in columns):
        return None
    return tuple(str(name) for name in columns)


_MISSING = ("None", "nan", "<NA>", "NaT")  # of pandas, as text


def checked_labels(labels: Any, n: int) -> np.ndarray:
    """Labels as an array (n,)."""
    values = as_array(labels, "labels")
    if values.dtype.kind == "O":
        texts = np.array([str(label) for label in values.reshape(-1)])
        missing = [not isinstance(label, str) and str(label) in _MISSING for label in values.reshape(-1)]
        values = np.where(missing, "", texts)
    if values.dtype.kind not in "biufU":
        raise DataTypeError(f"labels hold values of type {values.dtype}; give numbers or text.")
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)  # no file has longer ones
    values = np.array(values, dtype=values.dtype.newbyteorder("="))
    if values.shape != (n,):
        raise DataError(f"labels has the shape {values.shape}, but ({n},) is needed: one for each node.")
    return values


def checked_names(names: Sequence[Any], n: int) -> tuple[str, ...]:
    """Names as n different strings."""
    if not hasattr(names, "__iter__"):
        raise DataTypeError(f"names must be a list of names, one a node, not {names!r}.")
    listed = tuple(str(name) for name in names)
    if len(listed) != n:
        raise DataError(f"There are {len(listed)} names for {n} nodes.")
    if len(set(listed)) < n:
        seen: set[str] = set()
        twice = next(name for name in listed if name in seen or seen.add(name))
        raise DataError(f"Two nodes are named {twice!r}.")
    return listed
