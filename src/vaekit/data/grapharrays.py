"""A graph as the arrays of a .npz file, and back with every array checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError
from vaekit.schema import Graph

_CSR = ("data", "indices", "indptr", "shape")
GRAPH_KEYS = frozenset(f"adj_{part}" for part in _CSR)


def graph_from_arrays(arrays: Mapping[str, np.ndarray], where: str) -> Graph:
    """The graph of the arrays of a .npz file.

    Args:
        arrays: `adj_data`, `adj_indices`, `adj_indptr`, `adj_shape` (a matrix in CSR form) and, where there are any,
            features as `attr_*` in the same form or as one array `attr` (`attr_names`: of their columns), `labels`,
            and `names`, or `numbered` where nodes are called 0, 1, ...
        where: how messages name the source.

    Raises:
        DataError: an array is missing or does not fit the others.
    """
    adjacency, features = _csr(arrays, "adj", where), arrays.get("attr")
    if features is None and any(f"attr_{part}" in arrays for part in _CSR):
        features = _csr(arrays, "attr", where)
    names = None if "names" not in arrays else np.atleast_1d(arrays["names"]).tolist()
    with naming(where):
        graph = Graph(adjacency, features, arrays.get("labels"), names)
    columns = arrays.get("attr_names")
    if columns is not None and columns.shape == (graph.n_features,):
        graph.feature_names = tuple(map(str, columns.tolist()))
    graph.numbered = "numbered" in arrays and names is None
    return graph


def graph_arrays(graph: Graph) -> dict[str, np.ndarray]:
    """The inverse of `graph_from_arrays`.

    >>> sorted(graph_arrays(Graph.from_edges([[0, 1]])))
    ['adj_data', 'adj_indices', 'adj_indptr', 'adj_shape']
    """
    arrays = _parts(graph.adjacency, "adj")
    if isinstance(graph.features, np.ndarray):
        arrays["attr"] = graph.features
    elif graph.features is not None:
        arrays |= _parts(graph.features, "attr")
    if graph.feature_names is not None:
        arrays["attr_names"] = np.array(graph.feature_names)
    if graph.labels is not None:
        arrays["labels"] = graph.labels
    if graph.names is not None:
        arrays["names"] = np.array(graph.names)
    if graph.numbered:
        arrays["numbered"] = np.ones(1, np.uint8)
    return arrays


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Let what is wrong with a graph name its source."""
    try:
        yield
    except DataError as error:
        kind = DataTypeError if isinstance(error, DataTypeError) else DataError
        raise kind(f"{where} cannot be used as a graph. {error}") from error


def _parts(matrix: Any, name: str) -> dict[str, np.ndarray]:
    index = _index_type(matrix.nnz, matrix.shape[1])
    parts = matrix.data, matrix.indices.astype(index), matrix.indptr.astype(index), np.array(matrix.shape, np.int64)
    return {f"{name}_{part}": array for part, array in zip(_CSR, parts, strict=True)}


def _index_type(entries: int, columns: int) -> type[np.integer]:
    return np.int32 if max(entries, columns) < 2**31 else np.int64


def _csr(arrays: Mapping[str, np.ndarray], name: str, where: str) -> Any:
    """A csr_array whose parts are checked, as an index out of range would be read from foreign memory."""
    import scipy.sparse

    missing = [f"{name}_{part}" for part in _CSR if f"{name}_{part}" not in arrays]
    if missing:
        raise DataError(f"{where} has no array {missing[0]!r}.")
    data, indices, indptr, shape = (arrays[f"{name}_{part}"] for part in _CSR)
    if not _fit(data, indices, indptr, shape):
        raise DataError(f"{where} is damaged: {name}_data, {name}_indices, {name}_indptr and {name}_shape do not fit.")
    index = _index_type(len(indices), shape[1])
    parts = (data.astype(np.float64), indices.astype(index), indptr.astype(index))
    return scipy.sparse.csr_array(parts, shape=(int(shape[0]), int(shape[1])))


def _fit(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: np.ndarray) -> bool:
    if data.dtype.kind not in "biuf" or any(part.dtype.kind not in "iu" for part in (indices, indptr, shape)):
        return False
    if indices.ndim != 1 or data.shape != indices.shape or shape.shape != (2,):
        return False
    rows, columns = int(shape[0]), int(shape[1])
    if indptr.shape != (rows + 1,) or not 0 <= columns < 2**62 or indptr[0] != 0 or indptr[-1] != len(indices):
        return False
    inside = indices.size == 0 or bool(indices.min() >= 0 and indices.max() < columns)
    return inside and bool((indptr[1:] >= indptr[:-1]).all())
