"""The pictures of a run: curves, samples, reconstructions, codes and links, as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vaekit.data.edges import EdgeSplit
from vaekit.estimators import ConditionalVAE, TabularVAE
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.graph import GraphEstimator
from vaekit.files import make_folder
from vaekit.plots.completions import draw_completions
from vaekit.plots.conditional import draw_classes
from vaekit.plots.curves import draw_curves, draw_graph_curves
from vaekit.plots.interpolations import draw_interpolations, draw_layers
from vaekit.plots.latent import draw_latent, draw_manifold
from vaekit.plots.links import draw_scores
from vaekit.plots.nodes import draw_nodes
from vaekit.plots.rows import draw_reconstructions, draw_samples
from vaekit.plots.tables import draw_associations, draw_codes, draw_marginals, draw_neighbours
from vaekit.plots.traversals import draw_traversals
from vaekit.plots.view import View

__all__ = ["draw_all", "draw_conditional", "draw_graph", "draw_table"]


def draw_all(
    estimator: RowEstimator,
    X_train: Any,
    X_test: Any,
    y_test: Any,
    folder: str | Path,
    label_names: tuple[str, ...] | None = None,
) -> list[tuple[str, str]]:
    """Draw every picture that has a meaning for the model, each written whole.

    Args:
        estimator: a fitted `vaekit.VAE`, `vaekit.Autoencoder` or `vaekit.PixelCNN`.
        X_train, X_test: rows as `fit` takes them, at least one of each; up to 1000 of each are looked at.
        y_test: (n,) labels of the test rows, or None.
        folder: where the files go; it is made if need be.
        label_names: name of each label 0, 1, ..., or None.

    Returns:
        File name and one-line caption of each picture, in the order in which to show them.

    Raises:
        WriteError: the folder cannot be made or written.
    """
    folder, view = make_folder(folder), View.of(estimator, X_train, X_test)
    drawn = [
        ("curves.png", lambda path: draw_curves(estimator, path)),
        ("samples.png", lambda path: draw_samples(view, path) if view.draws else None),
    ]
    if not view.encodes:
        return _draw(folder, [*drawn, ("completions.png", lambda path: draw_completions(view, path))])
    drawn += [
        ("reconstructions.png", lambda path: draw_reconstructions(view, path)),
        ("latent.png", lambda path: draw_latent(view, y_test, label_names, path)),
        ("manifold.png", lambda path: draw_manifold(view, path) if view.codes.shape[1] == 2 else None),
        ("traversals.png", lambda path: draw_traversals(view, path)),
        ("interpolations.png", lambda path: draw_interpolations(view, path) if view.paths else None),
        ("layers.png", lambda path: draw_layers(view, path) if view.layered else None),
    ]
    return _draw(folder, drawn)


def draw_conditional(
    estimator: ConditionalVAE,
    X_train: Any,
    y_train: Any,
    folder: str | Path,
    label_names: Sequence[str] | None = None,
) -> list[tuple[str, str]]:
    """Draw every picture that has a meaning for a model of rows given labels, each written whole.

    Args:
        estimator: a fitted `vaekit.ConditionalVAE`.
        X_train, y_train: rows and labels as `fit` takes them.
        folder: where the files go; it is made if need be.
        label_names: name of each label 0, 1, ..., or None.

    Returns:
        File name and one-line caption of each picture, in the order in which to show them.

    Raises:
        WriteError: the folder cannot be made or written.
    """
    drawn = [
        ("curves.png", lambda path: draw_curves(estimator, path)),
        ("samples.png", lambda path: draw_classes(estimator, X_train, y_train, label_names, path)),
    ]
    return _draw(make_folder(folder), drawn)


def draw_graph(
    estimator: GraphEstimator, split: EdgeSplit, folder: str | Path, label_names: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Draw every picture that has a meaning for a model of a graph, each written whole.

    Args:
        estimator: a fitted `vaekit.GAE` or `vaekit.VGAE`.
        split: whose `train` it was fitted on; its labels, if any, colour the nodes, of which up to 2000 are drawn.
        folder: where the files go; it is made if need be.
        label_names: name of each label 0, 1, ..., or None.

    Returns:
        File name and one-line caption of each picture, in the order in which to show them.

    Raises:
        WriteError: the folder cannot be made or written.
    """
    drawn = [
        ("curves.png", lambda path: draw_graph_curves(estimator, len(split.val_edges), path)),
        ("latent.png", lambda path: draw_nodes(estimator, split.train, label_names, path)),
        ("scores.png", lambda path: draw_scores(estimator, split, path)),
    ]
    return _draw(make_folder(folder), drawn)


def draw_table(estimator: TabularVAE, X_train: Any, X_test: Any, folder: str | Path) -> list[tuple[str, str]]:
    """Draw every picture that has a meaning for a model of a table, each written whole.

    Args:
        estimator: a fitted `vaekit.TabularVAE`.
        X_train, X_test: rows as `fit` takes them, at least one of each.
        folder: where the files go; it is made if need be.

    Returns:
        File name and one-line caption of each picture, in the order in which to show them.

    Raises:
        WriteError: the folder cannot be made or written.
    """
    drawn = [
        ("curves.png", lambda path: draw_curves(estimator, path)),
        ("marginals.png", lambda path: draw_marginals(estimator, X_train, path)),
        ("associations.png", lambda path: draw_associations(estimator, X_train, path)),
        ("neighbours.png", lambda path: draw_neighbours(estimator, X_train, X_test, path)),
        ("latent.png", lambda path: draw_codes(estimator, X_train, X_test, path)),
    ]
    return _draw(make_folder(folder), drawn)


def _draw(folder: Path, drawn: Sequence[tuple[str, Callable[[Path], str | None]]]) -> list[tuple[str, str]]:
    captions = [(name, draw(folder / name)) for name, draw in drawn]
    return [(name, caption) for name, caption in captions if caption is not None]
