"""What the estimators on graphs share: one graph in, codes of its nodes, probabilities of its edges."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.edges import EdgeSplit
from vaekit.errors import DataError, Faults, OptionError, check_number, count
from vaekit.estimators.graphparts import (
    check_feature_names,
    check_split,
    check_validation,
    encoder_width,
    excluded_pairs,
    feature_hint,
    feature_scaling,
    graph_from_tensors,
    graph_tensors,
    one_node,
)
from vaekit.estimators.trained import TrainedEstimator, fitting
from vaekit.evaluation.links import LINK_SCORES, link_scores
from vaekit.models.graph import GraphEncoder, GraphTensors, PairDecoder, Sphere
from vaekit.nn.graph import GCN, Adjacency, Features
from vaekit.pairs import RandomGraph, likeliest_pairs
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import Graph
from vaekit.training.checkpoint import Checkpoint

_GROWN = 0.9  # share of a graph's edges that are in one of other size which it became


class GraphEstimator(ClassNamePrefixFeaturesOutMixin, TrainedEstimator):
    """Base of `GAE` and `VGAE`; see there.

    They follow scikit-learn's conventions (clone, get_params, repr, fitted attributes), but take a graph where its
    estimators take rows of X: its `check_estimator`, which fits arrays, does not apply to them.
    """

    latent_dim: int
    hidden: Sequence[int]
    use_features: bool
    objective: str
    decoder: str
    activation: str
    encoder: nn.Module | None
    dropout: float
    unit_features: bool
    unit_length: bool
    edge_bias: bool | None
    graph_: Graph

    _heads = 1  # parts of the encoder's output

    @abstractmethod
    def _model(self, encoder: nn.Module, decoder: PairDecoder, means: nn.Module | None) -> nn.Module:
        """The model of its parts."""

    @abstractmethod
    def _value(self, model: Any) -> Callable[[GraphTensors, float], Tensor]:
        """What training maximises."""

    @abstractmethod
    def _codes(self, model: Any, x: GraphTensors) -> Tensor:
        """(N, L) codes; of a probabilistic model the means."""

    # -- fitting ---------------------------------------------------------------------------------------------------

    def fit(self, graph: Any, y: Any = None, *, features: Any = None, validation: EdgeSplit | None = None) -> Self:
        """Train on the edges of a graph.

        Args:
            graph: a `vaekit.Graph`, or what it takes: a scipy.sparse or numpy adjacency, a networkx graph, a
                torch_geometric Data. Of a split, the graph `split.train`.
            y: ignored; there for scikit-learn's conventions.
            features: (N, F) array or scipy.sparse matrix in place of the graph's own. Other verbs, and splits, take
                graphs that have them: ``vaekit.Graph(graph, features)``.
            validation: a split whose validation edges choose the epoch; the graph must not hold them.

        Returns:
            self.

        Raises:
            OptionError: a parameter has a value that cannot be used; all such faults are named together; or a split is
                given as y.
            DataError: the graph cannot be used as it is, has no edges, holds validation edges, or has its nodes by name
                and not those of the split in their order.
            TrainingError: the objective turned NaN; the last good weights are kept and the estimator can be used.
            KeyboardInterrupt, and what a callback raises: as in `VAE.fit`, the best weights so far are kept.
        """
        if isinstance(y, EdgeSplit):
            raise OptionError("A split goes by its name: fit(split.train, validation=split).")
        return self._fit(graph, features, validation)

    def _fit(
        self,
        graph: Any,
        features: Any = None,
        validation: EdgeSplit | None = None,
        *,
        checkpoint: Checkpoint | None = None,
        before_training: Callable[[], object] | None = None,
    ) -> Self:
        with fitting(self) as outcome:
            graph = Graph(graph, features)
            if graph.n_edges == 0:
                raise DataError(
                    f"The graph has {count(graph.n_nodes, 'node')} but no edges: there is nothing to learn from."
                )
            if validation is not None:
                check_validation(graph, validation)
            if self.patience is not None and (validation is None or not len(validation.val_edges)):
                raise OptionError(f"patience={self.patience!r} needs validation edges: fit(graph, validation=split).")
            for note in graph.notes:
                self._say(note)
            seed, device = resolve_seed(self.random_state), self._device()
            self.graph_ = graph
            self.n_features_in_ = graph.n_features if self.use_features else 0
            self.fitted_ = {"seed": seed, "standardised": False}
            if self.n_features_in_ and not self.unit_features and self.encoder is None:
                scaling = feature_scaling(graph)
                self.fitted_["standardised"] = scaling is not None
                if scaling is not None:
                    some = int(((scaling[0] != 0) | (scaling[1] != 1)).sum())
                    self._say(
                        f"features: {some} of {graph.n_features} columns rescaled, as they do not lie from 0 to 1"
                    )
            self.history_ = []
            x = self._tensors_of(graph, device)
            with isolated_rng(seed):
                self.model_ = self._build(x).to(device)
            validate = None if validation is None or not len(validation.val_edges) else self._validation(x, validation)
            unit = "(reweighted)" if self.objective == "reweighted" else "nats a squared node"
            unit += "" if validate is None else "; held-out: mean of AUC and AP"
            value = self._value(self.model_)
            self._train(x, value, seed, validate, checkpoint, before_training, unit, outcome=outcome)
        return self

    def _build(self, x: GraphTensors) -> nn.Module:
        width = self._heads * self.latent_dim
        if self.encoder is None:
            encoder = GCN(
                x.features.shape[1],
                self.hidden,
                width,
                activation=self.activation,
                dropout=self.dropout,
                blocks=self._heads,
            )
        else:
            body = copy.deepcopy(self.encoder).to(x.adjacency.device)
            encoder = GraphEncoder(body, encoder_width(body, x), width)
        means = Sphere() if self.unit_length else None
        return self._model(encoder, self._decoder(x), means)

    def _decoder(self, x: GraphTensors) -> PairDecoder:
        """The decoder; under the bound its bias starts where codes of zero give the share of edges."""
        bound, n = self.objective != "reweighted", x.adjacency.n_nodes
        odds = (len(x.adjacency.edges) + 0.5) / (n * (n - 1) / 2 - len(x.adjacency.edges) + 0.5)
        start = math.log(odds)
        if self.decoder == "bernoulli_poisson":  # L softplus(b)^2 = -log(1 - p)
            start = math.log(math.expm1(math.sqrt(math.log1p(odds) / self.latent_dim)))
        return PairDecoder(self.decoder, bound if self.edge_bias is None else self.edge_bias, start if bound else 0.0)

    def _validation(self, x: GraphTensors, split: EdgeSplit) -> Callable[[Any], float]:
        pairs = torch.from_numpy(np.concatenate([split.val_edges, split.val_negatives])).to(x.adjacency.device)
        cut = len(split.val_edges)

        @torch.no_grad()
        def score(model: Any) -> float:
            odds = model.decoder(self._codes(model, x)).logits(pairs).cpu().numpy()
            if not np.isfinite(odds).all():
                return float("nan")
            scores: dict[str, Any] = link_scores(odds[:cut], odds[cut:])
            return (scores["auc"] + scores["ap"]) / 2

        return score

    # -- using -----------------------------------------------------------------------------------------------------

    def _tensors_of(self, graph: Graph, device: torch.device) -> GraphTensors:
        own, unit = self.n_features_in_ > 0, self._params["unit_features"]
        scaling = feature_scaling(self.graph_) if self.fitted_.get("standardised") else None
        features = Features(graph, use=own, unit_rows=unit, scaling=scaling, device=device)
        return GraphTensors(features, Adjacency(graph, device))

    def _checked(self, graph: Any) -> Graph:
        """A graph that the encoder can take; None is that of fit."""
        check_is_fitted(self, "model_")
        if graph is None:
            return self.graph_
        graph = Graph(graph)
        if not self.n_features_in_:
            same = not graph.known_by_name(self.graph_) or list(graph.places) == list(self.graph_.places)
            if graph.n_nodes != self.graph_.n_nodes or not same:
                raise DataError(
                    f"This {type(self).__name__} was fitted without features, so it knows only the "
                    f"{self.graph_.n_nodes} nodes it was fitted on; the graph given has {graph.n_nodes}"
                    f"{'' if same else ' under other names, or in another order'}. Fit with features to embed "
                    "nodes not seen in training."
                )
        elif graph.n_features != self.n_features_in_:
            hint = (
                feature_hint(graph, self.graph_) if graph.n_features else " Give them as vaekit.Graph(graph, features)."
            )
            raise DataError(
                f"The graph has {graph.n_features} features, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}.{hint}"
            )
        else:
            check_feature_names(graph, self.graph_)
        return graph

    @torch.no_grad()
    def _code_tensor(self, graph: Graph) -> Tensor:
        return self._codes(self.model_, self._tensors_of(graph, next(self.model_.parameters()).device))

    def _random_graph(self, graph: Graph) -> RandomGraph:
        return self.model_.decoder(self._code_tensor(graph))

    def transform(self, graph: Any = None) -> np.ndarray:
        """Codes of the nodes, (N, L) float32: of a `VGAE` the posterior means.

        Args:
            graph: any graph with the same features; None: the graph of fit.

        Raises:
            DataError: the graph has other features, or the model was fitted without any and these are other nodes.
        """
        return self._code_tensor(self._checked(graph)).cpu().numpy()

    def fit_transform(self, graph: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """`fit`, with its arguments and errors, then the codes of the graph's nodes, (N, L)."""
        return self.fit(graph, y, **fit_params).transform()

    def score_edges(self, pairs: Any, graph: Any = None) -> np.ndarray:
        """Log-odds of an edge for each pair, (m,) float32, at the nodes' codes.

        Args:
            pairs: (m, 2) nodes by number, or by name where the graph has names. Numbers are places in the order of the
                nodes, with a warning where such a number is the name of another node.
            graph: as in `transform`.

        Raises:
            DataError: there is no such node, or the graph is as in `transform`.
        """
        graph = self._checked(graph)
        return self._log_odds(graph.pairs(pairs), graph)

    @torch.no_grad()
    def _log_odds(self, pairs: np.ndarray, graph: Graph) -> np.ndarray:
        index = torch.from_numpy(pairs).to(next(self.model_.parameters()).device)
        return self._random_graph(graph).logits(index).cpu().numpy()

    def predict_edges(self, pairs: Any, graph: Any = None) -> np.ndarray:
        """Probability of an edge for each pair, (m,) float32; arguments and errors as in `score_edges`.

        Under ``objective="reweighted"`` edges count many times over in training, so that the probabilities rank the
        pairs but lie far above the share of pairs that have an edge.
        """
        graph = self._checked(graph)
        odds = self._log_odds(graph.pairs(pairs), graph)
        return torch.sigmoid(torch.from_numpy(odds)).numpy()

    def predict_links(self, k: int, node: Any = None, graph: Any = None, exclude: Any = None) -> np.ndarray:
        """The k likeliest pairs that are no edges yet, in O(N + k) memory and O(N^2 L) time (O(N L) for one node).

        Args:
            k: how many; fewer come back where there are fewer.
            node: only pairs with this node, by number or name; it then stands first in each pair.
            graph: as in `transform`; its edges are left out.
            exclude: more pairs to leave out: (m, 2) pairs, or a graph, whose edges they are.

        Returns:
            (k, 2) int64 places of nodes, i < j unless `node` is given, the likeliest first; their names are
            ``np.array(graph.names)[links]``.

        Raises:
            OptionError: k is below 1.
            DataError: there is no such node, `exclude` has other nodes, or the graph is as in `transform`.
        """
        graph = self._checked(graph)
        check_number("k", k, low=1, integer=True)
        number = None if node is None else one_node(graph, node)
        forbidden = graph.adjacency
        if exclude is not None:
            more = excluded_pairs(graph, exclude)
            forbidden = scipy.sparse.csr_array(forbidden + more)
        return likeliest_pairs(self._random_graph(graph), int(k), forbidden, number)

    def evaluate(self, split: EdgeSplit, part: str = "test", num_samples: int = 10) -> dict[str, Any]:
        """Scores of held-out edges against as many absent pairs; the encoder sees `split.train` alone.

        Args:
            split: the split whose `train` was fitted.
            part: "test" or "val".
            num_samples: samples of q behind the bound.

        Returns:
            auc, ap, mrr and hits of `vaekit.evaluation.link_scores`; elbo, the normalised bound of the training graph
            in nats (null for a model without one); n_nodes, n_edges of the whole graph.

        Raises:
            OptionError: `part` or `num_samples` cannot be used.
            DataError: the model was fitted on edges to be scored, or the graph is as in `transform`.
        """
        check_is_fitted(self, "model_")
        check_split("split", split)
        faults = Faults()
        faults.choice("part", part, ["test", "val"])
        faults.number("num_samples", num_samples, low=1, integer=True)
        faults.raise_if_any()
        positive, negative = getattr(split, f"{part}_edges"), getattr(split, f"{part}_negatives")
        graph = self._checked(split.train)
        self._check_unseen(graph, split, positive)
        scores: dict[str, Any] = dict.fromkeys(LINK_SCORES)
        if len(positive):
            odds = self._log_odds(np.concatenate([positive, negative]), graph)
            scores = link_scores(odds[: len(positive)], odds[len(positive) :])
        return {
            **scores,
            "elbo": self._bound(graph, num_samples),
            "n_nodes": graph.n_nodes,
            "n_edges": graph.n_edges + len(split.val_edges) + len(split.test_edges),
            "n_scored_edges": len(positive),
        }

    def _check_unseen(self, train: Graph, split: EdgeSplit, held: np.ndarray) -> None:
        """Raise DataError where the graph of fit is about that of the split and holds edges to be scored."""
        fitted, numbers = self.graph_, np.arange(train.n_nodes)
        if train.known_by_name(fitted):
            numbers = np.array([fitted.places.get(name, fitted.n_nodes) for name in train.places])

        def shared(edges: np.ndarray) -> int:
            ends = numbers[edges]
            ends = ends[(ends < fitted.n_nodes).all(1)]
            return int((fitted.adjacency[ends[:, 0], ends[:, 1]] > 0).sum())

        seen = shared(held)
        alike = shared(train.edges) > train.n_edges / 2  # another graph of as many nodes shares edges by chance only
        if train.n_nodes != fitted.n_nodes:  # but a path lies in every longer one
            whole = np.concatenate([train.edges, split.val_edges, split.test_edges])
            alike = alike and shared(whole) > _GROWN * fitted.n_edges
        if seen and alike:
            raise DataError(
                f"{seen:,} of the {len(held):,} edges to be scored are in the graph that the model was fitted on: "
                "fit split.train."
            )

    def _bound(self, graph: Graph, num_samples: int) -> float | None:
        """The normalised bound of a graph in nats, where the model has one."""
        return None

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim

    # -- saving ----------------------------------------------------------------------------------------------------

    def _described(self) -> dict[str, Any]:
        graph = self.graph_
        return {"n_nodes": graph.n_nodes, "n_edges": graph.n_edges, "n_features_in": self.n_features_in_}

    def _tensors(self) -> dict[str, Tensor]:
        return {**super()._tensors(), **graph_tensors(self.graph_)}

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
        fitted = dict(config["fitted"])
        self.best_epoch_ = fitted.pop("best_epoch")
        self.n_features_in_ = fitted.pop("n_features_in")
        self.graph_ = graph_from_tensors(tensors)
        del fitted["n_nodes"], fitted["n_edges"]
        self.fitted_, self.history_, self.n_iter_ = fitted, history, len(history)
        device = self._device()
        with isolated_rng(0):
            self.model_ = self._build(self._tensors_of(self.graph_, device)).to(device)
        self._load_tensors(tensors)
        self.model_.eval()
