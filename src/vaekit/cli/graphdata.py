"""DATA that are a graph, as the verbs use them: edges split, fitted, scored, drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.cli.output import named
from vaekit.data.edges import EdgeSplit, split_edges
from vaekit.data.grapharrays import graph_arrays
from vaekit.errors import OptionError
from vaekit.estimators.graph import GraphEstimator
from vaekit.evaluation import classification_scores, cluster_scores, spectral_scores
from vaekit.schema import Dataset, Graph
from vaekit.training.checkpoint import Checkpoint

TEST_FRACTION, VALIDATION_FRACTION = 0.10, 0.05
_ENOUGH = 20  # edges, of which a tenth and a twentieth are whole; and validation edges that can choose an epoch
_BOUND_SAMPLES = 10
_MOST_SPECTRAL, _MOST_LABELLED = 50_000, 200_000  # nodes up to which the baseline, and scores of labels, take a minute


@dataclass(frozen=True, eq=False)
class GraphData:
    """A graph with test and validation edges set aside, and the record of how."""

    graph: Graph
    split: EdgeSplit
    label_names: tuple[str, ...] | None
    record: dict[str, Any]

    default_model = "vgae"

    @classmethod
    def of(cls, data: Dataset, source: str, asked: str | None, seed: int) -> GraphData:
        """Set a tenth of the edges aside for the test and a twentieth for validation, by the seed."""
        graph: Graph = data.X
        record = {**named(source), "kind": "graph", "asked_kind": asked, "note": data.note}
        record |= {"fingerprint": graph_fingerprint(graph), "n_nodes": graph.n_nodes, "n_edges": graph.n_edges}
        if graph.n_edges < _ENOUGH:
            none = np.zeros((0, 2), np.int64)
            split = EdgeSplit(graph, none, none, none, none)
            how = {"test": f"no edges: {graph.n_edges} are too few to set some aside", "split_seed": None}
        else:
            split = split_edges(graph, VALIDATION_FRACTION, TEST_FRACTION, random_state=seed)
            how = {"test": f"{TEST_FRACTION:.0%} of the edges", "split_seed": seed}
        counts = {
            "n_train_edges": split.train.n_edges,
            "n_validation_edges": len(split.val_edges),
            "n_test_edges": len(split.test_edges),
            "epoch_chosen": len(split.val_edges) >= _ENOUGH,
        }
        return cls(graph, split, data.label_names, record | counts | how)

    def check_model(self, estimator: Any) -> None:
        """Raise OptionError where the model is not one of graphs."""
        if not isinstance(estimator, GraphEstimator):
            raise OptionError(
                f"{self.record['source']!r} is a graph, which a {type(estimator).__name__} cannot take; use "
                "--model vgae."
            )

    def check_test(self, estimator: GraphEstimator) -> None:
        """The test edges are pairs of the nodes that are trained on: nothing can be wrong with them."""

    def fit(self, estimator: GraphEstimator, checkpoint: Checkpoint, place: Callable[[], object]) -> None:
        """Train on the training edges; the validation edges choose the epoch, if they are enough for it."""
        validation = self.split if self.record["epoch_chosen"] else None
        if validation is None and estimator.patience is not None:
            few = self.record["n_validation_edges"]
            raise OptionError(f"patience={estimator.patience!r} needs {_ENOUGH} validation edges, but there are {few}.")
        estimator._fit(self.split.train, validation=validation, checkpoint=checkpoint, before_training=place)

    def evaluate(self, estimator: GraphEstimator, samples: int | None) -> dict[str, Any]:
        """Scores of the test edges, the spectral baseline's beside them, and of the codes against the labels."""
        summary = estimator.evaluate(self.split, num_samples=samples or _BOUND_SAMPLES)
        spectral: dict[str, Any] = dict.fromkeys(("auc", "ap"))
        if len(self.split.test_edges) and self.graph.n_nodes <= _MOST_SPECTRAL:
            spectral = spectral_scores(self.split.train, self.split.test_edges, self.split.test_negatives)
        summary |= {"spectral_auc": spectral["auc"], "spectral_ap": spectral["ap"]}
        nodes = dict.fromkeys(("nmi", "ari", "accuracy", "accuracy_se", "majority"))
        if self.graph.labels is not None and self.graph.n_nodes <= _MOST_LABELLED:
            codes = estimator.transform(self.split.train)
            found = cluster_scores(codes, self.graph.labels) | classification_scores(codes, self.graph.labels)
            nodes |= {name: found[name] for name in nodes if name in found}
        return summary | nodes

    def draw(self, estimator: GraphEstimator, folder: Path) -> list[tuple[str, str]]:
        """Draw the pictures; file name and caption of each."""
        from vaekit.plots import draw_graph  # loads matplotlib

        return draw_graph(estimator, self.split, folder, label_names=self.label_names)

    def write_report(self, folder: Path, **parts: Any) -> None:
        """Write report.md."""
        from vaekit.report import write_graph_report

        write_graph_report(folder, **parts)


def graph_fingerprint(graph: Graph) -> str:
    """sha256 of a graph's edges, weights, features, labels and names."""
    digest = hashlib.sha256()
    for name, array in sorted(graph_arrays(graph).items()):
        if name == "numbered":  # is told from the others
            continue
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
