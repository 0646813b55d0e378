"""A graph: symmetric adjacency, node features, labels and names, brought into one form by stated rules."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, check_number, did_you_mean, warn
from vaekit.schema.conversion import (
    as_array,
    checked_features,
    checked_labels,
    checked_names,
    checked_pairs,
    column_names,
    comes_from,
    count,
    from_geometric,
    from_list,
    from_matrix,
    from_networkx,
    in_order,
    symmetric,
)


class Graph:
    r"""An undirected graph of N nodes, with what is known of each node.

    Four rules bring what is given into one form; each that changes something leaves a sentence in `notes`:

    1. direction is dropped: an edge in either direction is an edge, with the larger of the two weights;
    2. self-loops are dropped (the graph convolution adds its own);
    3. an edge that a list holds more than once counts once, with the largest weight;
    4. entries of the adjacency that are zero are no edges.

    Args:
        adjacency: (N, N) scipy.sparse matrix or array of weights, all finite and at least 0; a networkx graph (weights
            from the edge attribute ``weight``, names from the nodes); a pandas table (names from its index or
            columns); or a torch_geometric ``Data`` (features from ``x``, labels from ``y``, weights from
            ``edge_weight``, or ``edge_attr`` where it has one column).
        features: (N, F) array or scipy.sparse matrix of node features; None: there are none. Rows are those of the
            nodes in their order; of a pandas table with an index of its own, those of the nodes of that name, where
            nodes have names or are `numbered`. The columns of a table keep their names.
        labels: (N,) labels, numbers or strings, in order as features; -1 or an empty string: none. Used for pictures
            and scores only.
        names: (N,) names of the nodes, all different; None: nodes are known by number.

    Attributes:
        adjacency: (N, N) csr_array float32, symmetric, zero on the diagonal, sorted.
        features: (N, F) float32 array or csr_array, or None.
        feature_names: (F,) tuple of str where the features came as a table, or None.
        labels: (N,) array, or None.
        names: (N,) tuple of str, or None.
        numbered: whether nodes without names are called 0, 1, ..., as those of networkx or of a file, and do not only
            stand in some order, as the rows of a matrix.
        notes: what the rules changed, a sentence each.

    Raises:
        DataError: the adjacency is rectangular, empty or has weights below 0 or NaN; features, labels or names are not
            one a node; features hold NaN or infinity; two nodes have one name.
        DataTypeError: the adjacency is none of these, or holds no numbers.

    >>> import numpy as np
    >>> graph = Graph(np.array([[0, 1, 0], [0, 0, 2], [0, 0, 0]]), names=["a", "b", "c"])
    >>> graph
    Graph(3 nodes, 2 edges)
    >>> graph.edges.tolist(), graph.notes
    ([[0, 1], [1, 2]], ('2 edges pointed one way; an edge counts in both directions.',))
    """

    def __init__(self, adjacency: Any, features: Any = None, labels: Any = None, names: Any = None) -> None:
        notes: list[str] = []
        self.numbered, own_names, named = False, None, names is None
        self.feature_names = column_names(features)
        if isinstance(adjacency, Graph):
            given = adjacency
            self.numbered = given.numbered and names is None
            self.feature_names = given.feature_names if features is None else self.feature_names
            features = given.features if features is None else features
            labels = given.labels if labels is None else labels
            names = given.names if names is None else names
            notes = list(given.notes)
            matrix = given.adjacency
        elif comes_from(adjacency, "networkx") and hasattr(adjacency, "nodes"):
            matrix, own_names = from_networkx(adjacency, notes)
            self.numbered = own_names is None and names is None
            names = own_names if names is None else names
        elif hasattr(adjacency, "edge_index"):
            matrix, own_features, own_labels = from_geometric(adjacency, notes)
            features = own_features if features is None else features
            labels = own_labels if labels is None else labels
        else:
            matrix, own_names = from_matrix(adjacency)
            names = own_names if names is None else names
        self.adjacency = symmetric(matrix, notes)
        self.names = None if names is None else checked_names(names, self.n_nodes)
        self._places: dict[str, int] | None = None
        if self.numbered or self.names is not None:
            called = tuple(own_names or self.places)
            features, labels = (in_order(known, called, named=named) for known in (features, labels))
        self.features = None if features is None else checked_features(features, self.n_nodes)
        self.labels = None if labels is None else checked_labels(labels, self.n_nodes)
        self.notes = tuple(notes)

    @classmethod
    def from_edges(
        cls,
        edges: Any,
        weights: Any = None,
        *,
        n_nodes: int | None = None,
        features: Any = None,
        labels: Any = None,
        names: Any = None,
    ) -> Graph:
        """A graph from a list of edges.

        Args:
            edges: (m, 2) numbers of nodes, from 0.
            weights: (m,) weights, finite and at least 0; 1 by default.
            n_nodes: N; the number of features, labels or names, else the largest number in `edges` plus one.
            features, labels, names: as in `Graph`.

        Raises:
            DataError: a number is below 0 or not below N; or as in `Graph`.
            OptionError: `n_nodes` is no whole number from 0.

        >>> Graph.from_edges([[0, 1], [1, 0], [2, 2], [1, 2]]).notes
        ('1 self-loop dropped.', '1 edge was listed more than once and counts once.')
        """
        check_number("n_nodes", n_nodes, low=0, integer=True, optional=True)
        edges = as_array(list(edges) if isinstance(edges, Set) else edges, "edges")
        names = list(names) if isinstance(names, Iterator) else names
        if edges.size == 0:
            edges = edges.reshape(0, 2).astype(np.int64)
        for known in (features, labels, names):
            if n_nodes is None and known is not None:
                n_nodes = known.shape[0] if hasattr(known, "shape") else len(known)
        if n_nodes is None:
            n_nodes = int(edges.max()) + 1 if len(edges) and edges.dtype.kind in "iu" else 0
        edges = checked_pairs(edges, n_nodes, "edges")
        notes: list[str] = []
        graph = cls(from_list(edges, weights, n_nodes, notes), features, labels, names)
        graph.notes = (*notes, *graph.notes)
        return graph

    @property
    def n_nodes(self) -> int:
        """N."""
        return self.adjacency.shape[0]

    @property
    def n_edges(self) -> int:
        """Number of undirected edges E."""
        return self.adjacency.nnz // 2

    @property
    def n_features(self) -> int:
        """Number of features F of a node; 0 where there are none."""
        return 0 if self.features is None else self.features.shape[1]

    @property
    def is_weighted(self) -> bool:
        """Whether a weight differs from 1."""
        return bool((self.adjacency.data != 1).any())

    @property
    def edges(self) -> np.ndarray:
        """(E, 2) int64 edges i < j, in order."""
        rows = np.repeat(np.arange(self.n_nodes), np.diff(self.adjacency.indptr))
        upper = rows < self.adjacency.indices
        return np.stack([rows[upper], self.adjacency.indices[upper].astype(np.int64)], 1)

    def index(self, nodes: Any) -> np.ndarray:
        """Numbers of nodes given by name or by number, int64, in the shape in which they are given.

        Whole numbers are places in the order of the nodes, with a warning where such a number is the name of another
        node. Names are text.

        Raises:
            DataError: there is no such node.

        >>> Graph.from_edges([[0, 1]], names=["a", "b"]).index(["b", "a"])
        array([1, 0])
        """
        nodes = as_array(nodes, "nodes")
        if nodes.dtype.kind in "iu":
            bad = nodes[(nodes < 0) | (nodes >= self.n_nodes)]
            if bad.size:
                raise DataError(
                    f"There is no node {bad.flat[0]}: the nodes are 0 to {self.n_nodes - 1}{self._hint(bad.flat[0])}."
                )
            self._warn_of_numbers(nodes)
            return nodes.astype(np.int64)
        if nodes.dtype.kind not in "UO":
            raise DataTypeError(f"Nodes are given by number or name, not by values of type {nodes.dtype}.")
        if self.names is None:
            raise DataError(f"The nodes of this graph have no names: give numbers from 0 to {self.n_nodes - 1}.")
        places = self.places
        for name in nodes.flat:
            if str(name) not in places:
                raise DataError(f"There is no node named {str(name)!r}{did_you_mean(str(name), self.names)}.")
        return np.array([places[str(name)] for name in nodes.flat], np.int64).reshape(nodes.shape)

    def pairs(self, pairs: Any, what: str = "pairs") -> np.ndarray:
        """Pairs of nodes, (m, 2) by number or name, as (m, 2) int64 numbers.

        Raises:
            DataError: the shape is another, or there is no such node.
        """
        array = as_array(pairs, what)
        if array.size == 0:
            return np.zeros((0, 2), np.int64)
        if array.ndim == 0 and array.dtype.kind == "O":
            raise DataTypeError(f"{what} must be an array or list of pairs, not a {type(pairs).__name__}.")
        text = array.dtype.kind not in "iu"
        if array.shape[1:] == (2,) and (text or (array.max() >= self.n_nodes and self._hint(array.max()))):
            return self.index(array)
        array = checked_pairs(array, self.n_nodes, what)
        self._warn_of_numbers(array)
        return array

    @property
    def places(self) -> dict[str, int]:
        """The number of each node by its name; nodes without names have their numbers for names."""
        if self._places is None:
            names = map(str, range(self.n_nodes)) if self.names is None else self.names
            self._places = {name: place for place, name in enumerate(names)}
        return self._places

    def _hint(self, number: int) -> str:
        """What to do where a number is the name of another node."""
        other = self.names is not None and self.places.get(str(number), number) != number
        return f"; give names as text, {str(number)!r}" if other else ""

    def _warn_of_numbers(self, nodes: np.ndarray) -> None:
        """Warn where nodes are given by numbers that are names of other nodes."""
        if self.names is None or not nodes.size or not any(name.isdecimal() for name in self.names):
            return
        for number in np.unique(nodes).tolist():
            if hint := self._hint(number):
                warn(
                    f"The nodes have numbers for names, and whole numbers are places in their order: {number} is the "
                    f"node named {self.names[number]!r}{hint}."
                )
                return

    def with_edges(self, edges: np.ndarray) -> Graph:
        """The same nodes with some of the edges: (m, 2) rows of `edges`, whose weights are kept."""
        weights = self.adjacency[edges[:, 0], edges[:, 1]] if len(edges) else None
        kept = from_list(edges, weights, self.n_nodes, [])
        graph = Graph(kept, self.features, self.labels, self.names)
        graph.notes, graph.numbered, graph.feature_names = self.notes, self.numbered, self.feature_names
        return graph

    def known_by_name(self, other: Graph) -> bool:
        """Whether nodes of both graphs are told by `places`: both have names, or one has and the other is numbered."""
        if self.names is None and other.names is None:
            return False
        return all(graph.names is not None or graph.numbered for graph in (self, other))

    def __repr__(self) -> str:
        nodes, edges = count(self.n_nodes, "node"), count(self.n_edges, "edge")
        return f"Graph({nodes}, {edges}{f', {self.n_features:,} features' if self.n_features else ''})"
