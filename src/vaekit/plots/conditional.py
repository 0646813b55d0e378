"""Pictures of a model of rows given their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.estimators import ConditionalVAE
from vaekit.estimators.inputs import read_array
from vaekit.plots.canvas import BLUE, INK, MUTED, WIDTH, figure, grid, quiet, save, short, show, ticks, tile
from vaekit.plots.view import View

_CLASSES, _REAL, _DRAWN, _COLUMNS = 20, 4, 8, 12  # most that are shown


def draw_classes(
    estimator: ConditionalVAE, X_train: Any, y_train: Any, label_names: Sequence[str] | None, path: Path
) -> str:
    """Draw rows sampled given each label beside training rows of that label; give the caption."""
    view = View.of(estimator, X_train, X_train)
    y = np.asarray(y_train)[view.index]
    shown = [label for label in estimator.classes_.tolist() if (y == label).any()][:_CLASSES]
    names = [short(_name(label, label_names)) for label in shown]
    draw = _images if view.is_image else _columns
    return draw(view, y, shown, names, path)


def _name(label: Any, label_names: Sequence[str] | None) -> str:
    known = label_names is not None and isinstance(label, int) and 0 <= label < len(label_names)
    return str(label_names[label]) if known and label_names is not None else str(label)


def _drawn(view: View, label: Any, n: int) -> np.ndarray:
    """(n, *shape) rows given a label."""
    values = read_array(view.estimator, view.estimator.sample(n, 0, y=label), reset=False)[0]
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return dense.reshape(n, *view.estimator.schema_.shape).astype(np.float64)


def _images(view: View, y: np.ndarray, shown: list[Any], names: list[str], path: Path) -> str:
    rows = []
    for label in shown:
        real = view.train[y == label]
        real = real[np.arange(_REAL) % len(real)]
        rows.append(view.pixels(np.concatenate([real, _drawn(view, label, _DRAWN)])))
    across = _REAL + _DRAWN
    sheet = tile(np.concatenate(rows), across)
    width = min(WIDTH, 1.0 + 0.75 * across)
    fig = figure(width, (width - 1.0) * sheet.shape[0] / sheet.shape[1] + 0.3)
    ax = fig.subplots()
    show(ax, sheet, f"{_REAL} training rows, then {_DRAWN} samples")
    for i, name in enumerate(names):
        place = 1 - (i + 0.5) / len(names)
        ax.text(-0.01, place, name, transform=ax.transAxes, ha="right", va="center", fontsize=9, color=INK)
    save(fig, path)
    return "Rows drawn from the model given each label, beside training rows of that label."


def _columns(view: View, y: np.ndarray, shown: list[Any], names: list[str], path: Path) -> str:
    chosen, how = view.choose(_COLUMNS)
    real = [view.columns[y == label][:, chosen] for label in shown]
    drawn = [_drawn(view, label, 500).reshape(500, -1)[:, chosen] for label in shown]
    across = min(4, len(chosen))
    fig = figure(WIDTH if across > 1 else 5.0, 0.5 + 2.2 * -(-len(chosen) // across))
    axes = grid(fig, len(chosen), across)
    places = np.arange(len(shown))
    for j, (ax, column) in enumerate(zip(axes, chosen, strict=True)):
        for shift, colour, rows, name in ((-0.12, MUTED, real, "training rows"), (0.12, BLUE, drawn, "samples")):
            means, spreads = [part[:, j].mean() for part in rows], [part[:, j].std() for part in rows]
            ax.errorbar(places + shift, means, spreads, fmt="o", ms=4, lw=1.2, color=colour, label=name)
        quiet(ax, short(view.name(column)))
        ax.set_xticks(places, names, rotation=45, ha="right")
        ticks(ax.yaxis)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    save(fig, path)
    return f"Mean and standard deviation of each column given each label, in training and in 500 rows drawn{how}."
