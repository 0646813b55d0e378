"""The graph auto-encoders of Kipf and Welling (2016): one graph is the example, its edges are the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.distributions import DiagonalNormal
from vaekit.models.base import LatentVariableModel, diagonal_normal
from vaekit.nn.graph import Adjacency, Features
from vaekit.pairs import BernoulliPoissonGraph, InnerProductGraph, RandomGraph
from vaekit.priors import StandardNormal

DECODERS = ("inner_product", "bernoulli_poisson")


@dataclass(frozen=True, eq=False)
class GraphTensors:
    """A graph as the models take it: a batch of one example.

    Attributes:
        features: X, or X = I.
        adjacency: A, and the normalised adjacency of the graph convolutions.
    """

    features: Features
    adjacency: Adjacency

    def __len__(self) -> int:
        return 1

    @property
    def work(self) -> int:
        """N: vectors that meet every weight."""
        return self.adjacency.n_nodes

    @property
    def pixels(self) -> int:
        """None: 1."""
        return 1

    def take(self, index: Tensor) -> GraphTensors:
        """The graph, the only example of training."""
        return self


class PairDecoder(nn.Module):
    """From codes of nodes to p(A|Z).

    Args:
        kind: "inner_product" or "bernoulli_poisson".
        bias: learn a number that is added to every inner product, or to every unit under the softplus.
        start: that number at the start.

    >>> PairDecoder()(torch.zeros(3, 2)).logits(torch.tensor([[0, 1]]))
    tensor([0.])
    """

    def __init__(self, kind: str = "inner_product", bias: bool = False, start: float = 0.0) -> None:
        super().__init__()
        self.kind = kind
        self.bias = nn.Parameter(torch.tensor(start)) if bias else None

    def forward(self, z: Tensor) -> RandomGraph:
        """(..., N, L) to p(A|Z) with batch shape (...)."""
        if self.kind == "bernoulli_poisson":
            return BernoulliPoissonGraph(z, self.bias)
        return InnerProductGraph(z, self.bias)


class Sphere(nn.Module):
    """Scale every row to one length, which is learned (the idea of Ahn and Kim 2021, who fix it).

    Args:
        length: at the start.
    """

    def __init__(self, length: float = 1.5) -> None:
        super().__init__()
        self.length = nn.Parameter(torch.tensor(length))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L) to rows of that length; a row of zeros stays."""
        return self.length * nn.functional.normalize(x, dim=1)


class GraphEncoder(nn.Module):
    """Any module from (features, adjacency) to (N, F), with a linear head to the width that is needed.

    The module is called with dense features (N, F), or None where there are none, and an `Adjacency`, which offers
    ``adjacency @ x``, `edge_index` and `edge_weight`.

    Args:
        body: the module.
        features: F, the width of its output.
        out_features: width of the head's output.
    """

    def __init__(self, body: nn.Module, features: int, out_features: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, out_features)

    def forward(self, features: Features, adjacency: Adjacency) -> Tensor:
        """The features and edges of a graph to (N, out_features)."""
        return self.head(self.body(features.dense(), adjacency))


class GraphVAE(LatentVariableModel):
    r"""p(Z) = N(0, I) a node, p(A|Z) with independent edges, q(Z|X, A) by a graph network.

    Kipf and Welling (2016). The graph is one example with N L latent units, so that `terms` gives log p(A|Z) of shape
    (K, 1) and the KL of every unit as (1, N L).

    Args:
        encoder: module from (features, adjacency) to (N, 2L): means, then log standard deviations.
        decoder: module from (..., N, L) to p(A|Z).
        latent_dim: L.
        means: module that the means (N, L) pass through; by default nothing is done.

    >>> from vaekit.nn.graph import GCN
    >>> from vaekit.schema import Graph
    >>> graph = Graph.from_edges([[0, 1], [1, 2]])
    >>> model = GraphVAE(GCN(3, (8,), 4, blocks=2), PairDecoder(), latent_dim=2)
    >>> terms = model.terms(GraphTensors(Features(graph), Adjacency(graph)), num_samples=5)
    >>> terms.log_px.shape, terms.kl.shape
    (torch.Size([5, 1]), torch.Size([1, 6]))
    """

    def __init__(
        self, encoder: nn.Module, decoder: PairDecoder, latent_dim: int, means: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.means = means if means is not None else nn.Identity()
        self.prior = StandardNormal(1)  # of each unit: graphs differ in how many they have

    def node_posterior(self, x: GraphTensors) -> DiagonalNormal:
        """q(z_i|X, A) of each node: batch shape (N,), event shape (L,)."""
        q = diagonal_normal(self.encoder(x.features, x.adjacency), bounded=not self.training)
        return DiagonalNormal(self.means(q.mu), q.log_sigma)

    def posterior(self, x: GraphTensors) -> DiagonalNormal:
        """q(Z|X, A): batch shape (1,), event shape (N L,)."""
        nodes = self.node_posterior(x)
        return DiagonalNormal(nodes.mu.reshape(1, -1), nodes.log_sigma.reshape(1, -1))

    def decode(self, z: Tensor) -> RandomGraph:
        """p(A|Z) for z of shape (..., N L)."""
        return self.decoder(z.unflatten(-1, (-1, self.latent_dim)))

    def target(self, x: GraphTensors) -> Adjacency:
        """A."""
        return x.adjacency

    def dream(self, n: int) -> tuple[Any, Tensor]:
        """Graphs are not drawn: p(Z) is that of a given number of nodes.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "A graph model has no distribution over the number of nodes: choose it, and give codes from N(0, I) of "
            "that many nodes to decode, for p(A|Z)."
        )


class GraphAutoencoder(nn.Module):
    """The deterministic twin: codes Z by a graph network, edges by the same decoders, no prior.

    Args:
        encoder: module from (features, adjacency) to (N, L).
        decoder: module from (N, L) to p(A|Z).
        latent_dim: L.
        means: module that the codes pass through; by default nothing is done.
    """

    def __init__(
        self, encoder: nn.Module, decoder: PairDecoder, latent_dim: int, means: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.means = means if means is not None else nn.Identity()

    def encode(self, x: GraphTensors) -> Tensor:
        """(N, L) codes."""
        return self.means(self.encoder(x.features, x.adjacency))

    def decode(self, z: Tensor) -> RandomGraph:
        """p(A|Z) for codes (..., N, L)."""
        return self.decoder(z)
