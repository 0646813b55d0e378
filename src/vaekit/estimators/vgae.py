"""`GAE` and `VGAE`: the graph auto-encoders of Kipf and Welling with scikit-learn's conventions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.distributions import DiagonalNormal
from vaekit.errors import check_choice
from vaekit.estimators.graph import GraphEstimator
from vaekit.estimators.options import check_draws
from vaekit.models.graph import GraphAutoencoder, GraphTensors, GraphVAE, PairDecoder
from vaekit.objectives import elbo, reweighted
from vaekit.pairs import sampled_pairs
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import Graph

_LINEAR: dict[str, Any] = {"hidden": (), "unit_features": True, "edge_bias": True, "epochs": 150, "patience": 40}
PRESETS: dict[str, dict[str, Any]] = {
    "one_length": {**_LINEAR, "latent_dim": 256, "unit_length": True, "dropout": 0.5, "learning_rate": 0.01},
    "free_length": {**_LINEAR, "latent_dim": 128, "unit_length": False, "dropout": 0.5, "learning_rate": 0.02},
}


class GAE(GraphEstimator):
    r"""Graph auto-encoder: a code for every node, from which the edges can be rebuilt.

    .. math:: Z = \mathrm{GCN}(X, A), \qquad p_{ij} = \sigma(z_i \cdot z_j)

    The deterministic twin of `VGAE` (Kipf and Welling 2016, section 2).

    Args:
        latent_dim: L, numbers in a code.
        hidden: width of each hidden graph convolution; () makes the encoder linear.
        use_features: whether X is used; else X = I.
        objective: "reweighted", the paper's, or "log_likelihood": log p(A|Z) over all pairs i < j, divided by N^2.
        decoder: "inner_product" or "bernoulli_poisson".
        activation, encoder, dropout, unit_features, unit_length, edge_bias: as in `VGAE`.
        epochs, learning_rate, schedule, optimizer, epsilon, weight_decay, clip_norm, average: as in `VGAE`.
        patience, device, callbacks, random_state, verbose: as in `VGAE`.

    Attributes:
        model_: the trained `vaekit.models.graph.GraphAutoencoder`.
        graph_: the graph of fit.
        history_, n_iter_, best_epoch_: as in `VGAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> import networkx as nx
    >>> gae = GAE(latent_dim=2, hidden=(8,), epochs=20, random_state=0, verbose=0).fit(nx.karate_club_graph())
    >>> gae.transform().shape, gae.predict_edges([[0, 1], [0, 2]]).shape
    ((34, 2), (2,))
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden: Sequence[int] = (32,),
        *,
        use_features: bool = True,
        objective: str = "reweighted",
        decoder: str = "inner_product",
        activation: str = "relu",
        encoder: nn.Module | None = None,
        dropout: float = 0.0,
        unit_features: bool = False,
        unit_length: bool = False,
        edge_bias: bool | None = None,
        epochs: int = 200,
        learning_rate: float = 0.01,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = None,
        patience: int | None = None,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.use_features = use_features
        self.objective = objective
        self.decoder = decoder
        self.activation = activation
        self.encoder = encoder
        self.dropout = dropout
        self.unit_features = unit_features
        self.unit_length = unit_length
        self.edge_bias = edge_bias
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.patience = patience
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def _model(self, encoder: nn.Module, decoder: PairDecoder, means: nn.Module | None) -> GraphAutoencoder:
        return GraphAutoencoder(encoder, decoder, self.latent_dim, means)

    def _value(self, model: GraphAutoencoder) -> Callable[[GraphTensors, float], Tensor]:
        def value(x: GraphTensors, factor: float) -> Tensor:
            graph = model.decode(model.encode(x))
            if self.objective == "reweighted":
                return graph.reweighted_log_prob(x.adjacency)
            return graph.log_prob(x.adjacency) / graph.n_nodes**2

        return value

    def _codes(self, model: GraphAutoencoder, x: GraphTensors) -> Tensor:
        return model.encode(x)


class VGAE(GraphEstimator):
    r"""Variational graph auto-encoder (Kipf and Welling 2016), trained on all pairs of nodes, none sampled.

    .. math:: p(Z) = \prod_i N(z_i; 0, I), \quad p(A|Z) = \prod_{i<j} \mathrm{Bernoulli}(A_{ij}; p_{ij}), \quad
              p_{ij} = \sigma(z_i \cdot z_j), \quad q(Z|X,A) = \prod_i N(z_i; \mu_i, \mathrm{diag}\,\sigma_i^2)

    with mu and log sigma two graph convolutions on a shared hidden one.

    Args:
        latent_dim: L, latent units of a node.
        hidden: width of each hidden graph convolution; () makes the encoder linear.
        use_features: whether X is used. False, or a graph without features: X = I, and nodes not seen in training are
            refused.
        objective: "reweighted", the paper's: all N^2 ordered pairs with target A + I, the edges weighted by
            (N^2 - 2E) / 2E, the KL divided by N^2; its numbers are no likelihood. "elbo": the normalised bound on log
            p(A), in nats a graph (in training divided by N^2).
        decoder: "inner_product", or "bernoulli_poisson": p = 1 - exp(-softplus(z_i) . softplus(z_j)), whose cost grows
            with edges and nodes, not with pairs.
        beta: weight of the KL term.
        samples: samples of q a step.
        kl_warmup: epochs over which beta rises from 0.
        activation: of the hidden layers.
        encoder: own module from (features, adjacency) to (N, F) in place of the graph convolutions: features are (N,
            F) dense or None, the adjacency offers ``adjacency @ x``, `edge_index` and `edge_weight`. A linear head to
            q's parameters is added. `fit` works on a copy.
        dropout: rate on the input of each graph convolution.
        unit_features: scale each node's features to unit length. Otherwise columns of dense features that do not lie
            from 0 to 1 are standardised, those of other graphs by the means and deviations of fit; an own `encoder`
            gets them as they are.
        unit_length: scale all means to one length, which is learned.
        edge_bias: learn a number that is added to every inner product (of the Bernoulli-Poisson decoder, to every unit
            under the softplus). None: only under ``objective="elbo"``, where it starts so that codes of zero give the
            share of pairs that have an edge. Without it a graph drawn from N(0, I) has half of all edges.
        epochs: steps, each over the whole graph.
        learning_rate: of Adam, at the start of the schedule.
        schedule, optimizer, epsilon, weight_decay, clip_norm, average: as in `VAE`.
        patience: epochs without a better validation score before training stops; needs ``fit(validation=)``.
        device: "auto", "cpu", "cuda", ...
        callbacks: functions of an epoch's record.
        random_state: seed, RandomState or None.
        verbose: 0 is silent.

    Attributes:
        model_: the trained `vaekit.models.graph.GraphVAE`.
        graph_: the graph of fit.
        history_: a dict an epoch: epoch, train (the objective), validation, beta_factor, learning_rate, seconds.
        n_iter_: epochs trained.
        best_epoch_: the epoch that was kept.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> import networkx as nx
    >>> vgae = VGAE(latent_dim=2, hidden=(8,), epochs=20, random_state=0, verbose=0).fit(nx.karate_club_graph())
    >>> vgae.transform().shape
    (34, 2)
    >>> vgae.predict_links(3).shape
    (3, 2)
    """

    _heads = 2

    def __init__(
        self,
        latent_dim: int = 16,
        hidden: Sequence[int] = (32,),
        *,
        use_features: bool = True,
        objective: str = "reweighted",
        decoder: str = "inner_product",
        beta: float = 1.0,
        samples: int = 1,
        kl_warmup: float = 0.0,
        activation: str = "relu",
        encoder: nn.Module | None = None,
        dropout: float = 0.0,
        unit_features: bool = False,
        unit_length: bool = False,
        edge_bias: bool | None = None,
        epochs: int = 200,
        learning_rate: float = 0.01,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = None,
        patience: int | None = None,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.use_features = use_features
        self.objective = objective
        self.decoder = decoder
        self.beta = beta
        self.samples = samples
        self.kl_warmup = kl_warmup
        self.activation = activation
        self.encoder = encoder
        self.dropout = dropout
        self.unit_features = unit_features
        self.unit_length = unit_length
        self.edge_bias = edge_bias
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.patience = patience
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def preset(cls, name: str = "one_length", **changes: Any) -> VGAE:
        """A VGAE with settings that rank links better than the paper's, chosen on validation edges.

        Both are linear in the features, which are scaled to unit length, with many latent units, a learned bias and
        dropout on the features; fit them with ``validation=``, which chooses the epoch.

        Args:
            name: "one_length": all means have one learned length; the better one on Citeseer.
                "free_length": the lengths are free, the better one on Cora and Pubmed.
            changes: parameters that are to be otherwise.

        Raises:
            OptionError: there is no such preset.

        >>> VGAE.preset("free_length", random_state=0).latent_dim
        128
        """
        check_choice("name", name, PRESETS)
        return cls(**{**PRESETS[name], **changes})

    def _model(self, encoder: nn.Module, decoder: PairDecoder, means: nn.Module | None) -> GraphVAE:
        return GraphVAE(encoder, decoder, self.latent_dim, means)

    def _value(self, model: GraphVAE) -> Callable[[GraphTensors, float], Tensor]:
        def value(x: GraphTensors, factor: float) -> Tensor:
            terms = model.terms(x, self.samples)
            if self.objective == "reweighted":
                return reweighted(terms, beta=factor * self.beta)
            return elbo(terms, beta=factor * self.beta) / x.adjacency.n_nodes**2

        return value

    def _codes(self, model: GraphVAE, x: GraphTensors) -> Tensor:
        return model.node_posterior(x).mean

    @torch.no_grad()
    def posterior(self, graph: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of q(z_i|X, A), each (N, L) float32; the graph and errors as in `transform`."""
        x = self._tensors_of(self._checked(graph), next(self.model_.parameters()).device)
        q = self.model_.node_posterior(x)
        return q.mean.cpu().numpy(), q.stddev.cpu().numpy()

    @torch.no_grad()
    def elbo(self, graph: Any = None, num_samples: int = 10, random_state: Any = 0) -> float:
        """The bound on log p(A) in nats a graph: unordered pairs, no diagonal, KL weight 1, in float64.

        Args:
            graph: as in `transform`.
            num_samples: samples of q that the data term is averaged over.
            random_state: seed of the samples.

        Raises:
            OptionError: a number out of range.
        """
        check_draws("num_samples", num_samples, random_state)
        x = self._tensors_of(self._checked(graph), next(self.model_.parameters()).device)
        q = self.model_.posterior(x)  # of any precision: the bound holds for every q
        q = DiagonalNormal(q.mu.double(), q.log_sigma.double())
        model = copy.deepcopy(self.model_).double()
        with isolated_rng(resolve_seed(random_state)):
            values = [float(elbo(model.terms(x, posterior=q))) for _ in range(num_samples)]
        return float(np.mean(values))

    def score(self, graph: Any = None, y: Any = None) -> float:
        """`elbo` of the graph by 10 samples, in nats a graph: higher is better; y is ignored."""
        return self.elbo(graph)

    def _bound(self, graph: Graph, num_samples: int) -> float:
        return self.elbo(graph, num_samples)

    def sample(self, n: int | None = None, random_state: Any = None) -> Graph:
        """A new graph from the model: codes from N(0, I), then every pair by its probability; O(n^2 L) time.

        Train with ``objective="elbo"`` for this, and for long: the reweighted objective counts edges many times over,
        so that graphs have far too many. Graphs of the bound come near the data's number of edges as training goes on,
        mostly from above, as codes drawn from N(0, I) lie less in order than those of the nodes.

        Args:
            n: nodes; by default as many as the graph of fit has.
            random_state: seed, RandomState or None.

        Raises:
            OptionError: `n` or `random_state` cannot be used.
        """
        check_is_fitted(self, "model_")
        n = self.graph_.n_nodes if n is None else n
        check_draws("n", n, random_state)
        device = next(self.model_.parameters()).device
        with isolated_rng(resolve_seed(random_state)), torch.no_grad():
            pairs = sampled_pairs(self.model_.decoder(torch.randn(n, self.model_.latent_dim).to(device)))
        return Graph.from_edges(pairs, n_nodes=n)
