"""Training curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaekit.estimators import PixelCNN
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.graph import GraphEstimator
from vaekit.plots.canvas import BLUE, INK, MUTED, ORANGE, figure, quiet, save

_LINES = {"train": (BLUE, "training"), "validation": (ORANGE, "held-out")}


def draw_curves(estimator: RowEstimator, path: Path) -> str | None:
    """Draw the objective on training and held-out rows by epoch, the best epoch marked; give the caption.

    Nothing is drawn, and None given, where training ended before its first epoch did.
    """
    if not estimator.history_:
        return None
    lines, best = _lines(estimator), estimator.best_epoch_
    fig = figure(7.5, 4.0)
    ax = quiet(fig.subplots())
    for name, values in lines.items():
        _draw(ax, name, values)
    _mark([(ax, lines.get("validation", lines.get("train")))], best)
    _limit(ax, list(lines.values()))
    ax.set_ylabel(_objective(estimator))
    _finish(fig, [ax], path)
    held = "held-out" if "validation" in lines else "no held-out"
    return f"Objective by epoch on training and {held} rows, higher is better; {_kept(estimator, best)}."


def draw_graph_curves(estimator: GraphEstimator, n_validation: int, path: Path) -> str | None:
    """Draw the training objective by epoch and below it the score of the validation edges; give the caption.

    Nothing is drawn, and None given, where training ended before its first epoch did.
    """
    if not estimator.history_:
        return None
    lines, best = _lines(estimator), estimator.best_epoch_
    names = {"train": _graph_objective(estimator), "validation": "mean of AUC and AP"}
    shown = [name for name in names if name in lines]
    fig = figure(7.5, 5.6 if len(shown) == 2 else 4.0)
    axes = [quiet(ax) for ax in fig.subplots(max(1, len(shown)), 1, sharex=True, squeeze=False).ravel()]
    for ax, name in zip(axes, shown, strict=False):
        _draw(ax, name, lines[name])
        _limit(ax, [lines[name]], whole=name == "validation")
        ax.set_ylabel(names[name])
    _mark([(ax, lines[name]) for ax, name in zip(axes, shown, strict=False)], best)
    _finish(fig, axes, path)
    unit = "reweighted, in no unit" if estimator.objective == "reweighted" else "divided by the N² pairs"
    what = f"Training objective by epoch ({unit})"
    if "validation" in lines:
        edges = f"{n_validation:,} validation edge{'' if n_validation == 1 else 's'}"
        what += f" and, below, the mean of AUC and AP of the {edges}, both higher is better"
    else:
        what += ", higher is better; no edges were held out"
    return f"{what}; {_kept(estimator, best)}."


# -- what both share ---------------------------------------------------------------------------------------------------


def _lines(estimator: Any) -> dict[str, np.ndarray]:
    """The values of each epoch, NaN where there is none, of what has any."""
    lines = {}
    for name in _LINES:
        values = [record[name] for record in estimator.history_]
        values = np.array([np.nan if value is None else value for value in values], dtype=float)
        if np.isfinite(values).any():
            lines[name] = values
    return lines


def _draw(ax: Axes, name: str, values: np.ndarray) -> None:
    colour, label = _LINES[name]
    marker = "o" if len(values) < 4 else ""
    ax.plot(np.arange(1, len(values) + 1), values, color=colour, label=label, lw=1.6, marker=marker, ms=4)


def _mark(judged: Sequence[tuple[Axes, np.ndarray | None]], best: int) -> None:
    """Mark the epoch that was kept; its name stands in the legend once."""
    label = f"kept: epoch {best}"
    for ax, values in judged:
        if best and values is not None:
            ax.axvline(best, color=MUTED, lw=0.9, ls=(0, (4, 3)))
            ax.plot(best, values[best - 1], "o", color=INK, ms=5, label=label, zorder=5)
            label = "_" + label  # which legends pass over


def _limit(ax: Axes, lines: Sequence[np.ndarray], whole: bool = False) -> None:
    """Unless the whole is asked for, leave the first few epochs, far below the rest, out of the range."""
    if not lines:
        return
    every = np.concatenate([values[np.isfinite(values)] for values in lines])
    low, high = np.quantile(every, 0.0 if whole or len(lines[0]) <= 20 else 0.04), every.max()
    pad = 0.06 * (high - low) or 1.0
    ax.set_ylim(low - pad, high + pad)


def _finish(fig: Figure, axes: Sequence[Axes], path: Path) -> None:
    named = [pair for ax in axes for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
    if named:
        named.sort(key=lambda pair: pair[1].startswith("kept"))
        fig.legend(*zip(*named, strict=True), loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for ax in axes:
        quiet(ax)
        ax.grid(axis="y", color="#e8e8e8", lw=0.7)
        ax.set_axisbelow(True)
    fig.align_ylabels()
    save(fig, path)


def _kept(estimator: Any, best: int) -> str:
    kept = f"the weights of epoch {best} were kept" if best else "no epoch's weights were kept"
    warm = estimator.get_params(deep=False).get("kl_warmup")
    return f"{kept}; up to epoch {warm:g} the training objective has a smaller KL weight" if warm else kept


def _objective(estimator: RowEstimator) -> str:
    params = estimator.get_params(deep=False)
    if isinstance(estimator, PixelCNN):
        return "log p(x), nats a row"
    if "beta" not in params:
        return "minus the squared error, standardised"
    many = params["objective"] in ("iwae", "dreg", "stl")
    bound = "importance-weighted bound" if many else "bound (ELBO)"
    if params["beta"] != 1 and params["objective"] != "tc":
        bound += f", KL weighted {params['beta']:g}"
    if params["objective"] in ("tc", "factor"):
        return f"training: the objective; held-out: {bound}; nats a row"
    return f"{bound}, nats a row"


def _graph_objective(estimator: GraphEstimator) -> str:
    beta = estimator.get_params(deep=False).get("beta")
    weighted = f", KL weighted {beta:g}" if beta not in (None, 1) else ""
    if estimator.objective == "reweighted":
        return f"reweighted objective{weighted}"
    return f"{'log p(A|Z)' if beta is None else 'bound (ELBO)'} / N²{weighted}, nats"
