"""Graphs as tensors, and graph convolutions: sparse products forward, the same sparse products backward."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaekit.errors import OptionError
from vaekit.nn.mlp import ACTIVATIONS
from vaekit.schema import Graph

_NOTE = threading.Lock()  # two threads within catch_warnings may leave the filter of one behind


def csr_tensor(indptr: Tensor, indices: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse CSR tensor from its parts, unchecked, without torch's note that such tensors are in beta."""
    _take_note()
    return torch.sparse_csr_tensor(indptr, indices, values, shape, check_invariants=False)


@cache
def _take_note() -> None:
    """Let torch give its note, which it does once a process, where nobody sees it: the filters are every thread's."""
    with _NOTE, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


class _Product(torch.autograd.Function):
    """A @ x for a constant sparse A, whose transpose is given: the backward pass is A^T @ g, with no scatter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.matrix, ctx.transposed = matrix, transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Product.apply(grads[0], ctx.transposed, ctx.matrix), None, None  # type: ignore[return-value]


def sparse_product(matrix: Tensor, transposed: Tensor, x: Tensor) -> Tensor:
    """The product (n, m) @ (m, c) of a constant sparse matrix, differentiable in x.

    Args:
        matrix: (n, m) sparse CSR.
        transposed: (m, n) sparse CSR, its transpose; of a symmetric matrix itself.
        x: (m, c).
    """
    return _Product.apply(x, matrix, transposed)  # type: ignore[return-value]


class Adjacency:
    r"""The edges of a graph as tensors.

    ``adjacency @ x`` is the graph convolution's product with

    .. math:: \tilde A = \tilde D^{-1/2} (A + I) \tilde D^{-1/2}, \qquad \tilde D = \mathrm{diag}((A + I) 1)

    of Kipf and Welling (2017), eq. 2; edge weights count in it. Modules that want the edges themselves find them in
    `edge_index` and `edge_weight`, as torch_geometric's layers take them.

    Args:
        graph: the graph.
        device: where the tensors lie.
        dtype: of the normalised weights.

    Attributes:
        n_nodes: N.
        normalised: (N, N) sparse CSR.
        edge_weight: (2E,) weights of the edges in `edge_index`.
    """

    def __init__(self, graph: Graph, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        import scipy.sparse

        matrix = graph.adjacency
        looped = scipy.sparse.csr_array(matrix.astype(np.float64) + scipy.sparse.eye_array(graph.n_nodes, format="csr"))
        looped.sort_indices()
        root = 1 / np.sqrt(looped.sum(1))
        looped.data *= np.repeat(root, np.diff(looped.indptr)) * root[looped.indices]
        self.n_nodes = graph.n_nodes
        self.device = torch.device(device)
        self.normalised = csr_of(looped, device, dtype)
        self._indptr = torch.from_numpy(matrix.indptr.astype(np.int32)).to(device)
        self._indices = torch.from_numpy(matrix.indices.astype(np.int32)).to(device)
        self.edge_weight = torch.from_numpy(matrix.data).to(device, dtype)

    def __matmul__(self, x: Tensor) -> Tensor:
        return sparse_product(self.normalised, self.normalised, x)

    @cached_property
    def edge_index(self) -> Tensor:
        """(2, 2E) int64: each edge in both directions."""
        counts = torch.diff(self._indptr.long())
        rows = torch.repeat_interleave(torch.arange(self.n_nodes, device=self.device), counts)
        return torch.stack([rows, self._indices.long()])

    @cached_property
    def edges(self) -> Tensor:
        """(E, 2) int64 edges i < j."""
        rows, columns = self.edge_index
        return self.edge_index[:, rows < columns].T.contiguous()

    @cached_property
    def _edge_of(self) -> Tensor:
        """(2E,) number of the edge that each stored entry stands for."""
        rows, columns = self.edge_index
        upper = rows < columns
        number = torch.empty(len(rows), dtype=torch.int64, device=self.device)
        count = int(upper.sum())
        number[upper] = torch.arange(count, device=self.device)
        key = columns[~upper] * self.n_nodes + rows[~upper]  # the mirror images, in the order of the edges
        places = torch.empty(count, dtype=torch.int64, device=self.device)
        places[torch.argsort(key)] = torch.arange(count, device=self.device)
        number[~upper] = places
        return number

    def symmetric(self, values: Tensor) -> Tensor:
        """(N, N) sparse CSR with `values` (E,), one an edge, in both directions."""
        return csr_tensor(self._indptr, self._indices, values[self._edge_of], (self.n_nodes, self.n_nodes))


class Features:
    """Node features X as a matrix to multiply by: dense, sparse (a bag of words stays sparse), or X = I unbuilt.

    Args:
        graph: the graph whose features they are.
        use: whether to use them; False, or a graph without features, is X = I.
        unit_rows: scale each node's features to unit length; rows of zeros stay.
        scaling: (F,) location and scale, by which features are standardised; sparse ones become dense then.
        device, dtype: of the tensors.

    Attributes:
        shape: (N, F), with F = N for X = I.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        use: bool = True,
        unit_rows: bool = False,
        scaling: tuple[np.ndarray, np.ndarray] | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        import scipy.sparse

        values = graph.features if use else None
        self.shape = (graph.n_nodes, graph.n_nodes if values is None else values.shape[1])
        self.matrix: Tensor | None = None
        self._transposed: Tensor | None = None
        if values is None:
            return
        if scaling is not None:
            dense = values.toarray() if scipy.sparse.issparse(values) else values
            values = (dense - scaling[0]) / scaling[1]
        sparse = scipy.sparse.issparse(values)
        if unit_rows:
            squares: Any = values.astype(np.float64) ** 2
            length = np.sqrt(np.asarray(squares.sum(1)).reshape(-1))
            scale = 1 / np.where(length > 0, length, 1)
            values = scipy.sparse.diags_array(scale).tocsr() @ values if sparse else values * scale[:, None]
        if sparse:
            self.matrix = csr_of(values, device, dtype)
            self._transposed = csr_of(scipy.sparse.csr_array(values.T), device, dtype)
        else:
            self.matrix = torch.from_numpy(np.ascontiguousarray(values)).to(device, dtype)

    def product(self, weight: Tensor, dropout: float = 0.0) -> Tensor:
        """X @ weight, (N, F) @ (F, c), with dropout on X: on its stored values, or for X = I on nodes."""
        if self.matrix is None:
            return weight * F.dropout(weight.new_ones(len(weight), 1), dropout) if dropout else weight
        if self._transposed is None:
            return (F.dropout(self.matrix, dropout) if dropout else self.matrix) @ weight
        if not dropout:
            return sparse_product(self.matrix, self._transposed, weight)
        values = F.dropout(self.matrix.values(), dropout)
        return sparse_product(_revalued(self.matrix, values), _revalued(self._transposed, values[self._order]), weight)

    @cached_property
    def _order(self) -> Tensor:
        """Where each stored value of the transpose stands in the matrix."""
        assert self.matrix is not None
        rows = torch.repeat_interleave(
            torch.arange(self.shape[0], device=self.matrix.device), torch.diff(self.matrix.crow_indices().long())
        )
        return torch.argsort(self.matrix.col_indices().long() * self.shape[0] + rows)

    def dense(self) -> Tensor | None:
        """(N, F) dense, as own modules take them; None for X = I."""
        if self.matrix is None or self._transposed is None:
            return self.matrix
        return self.matrix.to_dense()


def csr_of(matrix: Any, device: torch.device | str, dtype: torch.dtype) -> Tensor:
    """A scipy.sparse csr_array as a sparse CSR tensor; 32-bit places, which the fast products take."""
    parts = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
    indptr, indices, values = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in parts)
    return csr_tensor(indptr, indices, values.to(dtype), matrix.shape)


def _revalued(matrix: Tensor, values: Tensor) -> Tensor:
    shape = (matrix.shape[0], matrix.shape[1])
    return csr_tensor(matrix.crow_indices(), matrix.col_indices(), values, shape)


class GraphConvolution(nn.Module):
    r"""H <- A~ (H W), for X the features or another layer's output (Kipf and Welling 2017, eq. 2, without bias).

    Args:
        in_features: F.
        out_features: width of the output.
        blocks: number of parts of the output, each with the Glorot start of a layer of its own.

    """

    def __init__(self, in_features: int, out_features: int, blocks: int = 1) -> None:
        super().__init__()
        if out_features % blocks:
            raise OptionError(f"out_features={out_features} must be a multiple of blocks={blocks}.")
        parts = [torch.empty(in_features, out_features // blocks) for _ in range(blocks)]
        for part in parts:
            nn.init.xavier_uniform_(part)
        self.weight = nn.Parameter(torch.cat(parts, 1))

    def forward(self, x: Features | Tensor, adjacency: Adjacency, dropout: float = 0.0) -> Tensor:
        """(N, F) features or tensor to (N, out_features)."""
        if isinstance(x, Features):
            return adjacency @ x.product(self.weight, dropout)
        return adjacency @ (F.dropout(x, dropout) @ self.weight if dropout else x @ self.weight)


class GCN(nn.Module):
    r"""Graph convolutional network: an activation after each hidden layer, none after the last.

    No hidden layer makes it linear in X. Kipf and Welling (2016) have one of 32 units and two heads, for the means
    and the logarithms of the standard deviations: ``blocks=2``.

    Args:
        in_features: F, or N for X = I.
        hidden: width of each hidden layer.
        out_features: width of the output.
        activation: a name from `ACTIVATIONS`.
        dropout: rate of dropout on the input of each layer, in training.
        blocks: as in `GraphConvolution`, of the last layer.

    >>> graph = Graph.from_edges([[0, 1], [1, 2]], features=np.eye(3))
    >>> GCN(3, (4,), 2)(Features(graph), Adjacency(graph)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        out_features: int,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden, out_features]
        last = len(widths) - 2
        self.layers = nn.ModuleList(
            GraphConvolution(*pair, blocks=blocks if place == last else 1)
            for place, pair in enumerate(itertools.pairwise(widths))
        )
        self.activation = ACTIVATIONS[activation]
        self.dropout = dropout

    def forward(self, features: Features, adjacency: Adjacency) -> Tensor:
        """The features and edges of a graph to (N, out_features)."""
        rate = self.dropout if self.training else 0.0
        x: Features | Tensor = features
        for place, layer in enumerate(self.layers):
            x = layer(self.activation(x) if place and isinstance(x, Tensor) else x, adjacency, rate)
        return x  # type: ignore[return-value]
