"""Training curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from vaekit.estimators.base import LatentEstimator
from vaekit.plots.canvas import BLUE, INK, MUTED, ORANGE, figure, quiet, save


def draw_curves(estimator: LatentEstimator, path: Path) -> str | None:
    """Draw the objective on training and held-out rows by epoch, the best epoch marked; give the caption.

    Nothing is drawn, and None given, where training ended before its first epoch did.
    """
    history = estimator.history_
    if not history:
        return None
    fig = figure(7.5, 4.0)
    ax = quiet(fig.subplots())
    epochs = np.arange(1, len(history) + 1)
    lines = {}
    for name, colour, label in (("train", BLUE, "training"), ("validation", ORANGE, "held-out")):
        values = np.array([np.nan if record[name] is None else record[name] for record in history], dtype=float)
        if np.isfinite(values).any():
            marker = "o" if len(values) < 4 else ""
            ax.plot(epochs, values, color=colour, label=label, lw=1.6, marker=marker, ms=4)
            lines[name] = values
    best = len(history) - history[-1]["epoch"] + estimator.best_epoch_  # a warm start counts epochs from 1 again
    judged = lines.get("validation", lines.get("train"))
    if estimator.best_epoch_ and judged is not None:
        ax.axvline(best, color=MUTED, lw=0.9, ls=(0, (4, 3)))
        ax.plot(best, judged[best - 1], "o", color=INK, ms=5, label=f"kept: epoch {best}", zorder=5)
    if lines:
        every = np.concatenate([v[np.isfinite(v)] for v in lines.values()])
        low, high = np.quantile(every, 0.04 if len(history) > 20 else 0.0), every.max()
        pad = 0.06 * (high - low) or 1.0
        ax.set_ylim(low - pad, high + pad)
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    ax.set_xlabel("epoch")
    ax.set_ylabel(_objective(estimator))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    quiet(ax)
    ax.grid(axis="y", color="#e8e8e8", lw=0.7)
    ax.set_axisbelow(True)
    save(fig, path)
    held = "held-out" if "validation" in lines else "no held-out"
    kept = f"the weights of epoch {best} were kept" if estimator.best_epoch_ else "no epoch's weights were kept"
    warm = estimator.get_params(deep=False).get("kl_warmup")
    kept += f"; up to epoch {warm:g} the training objective has a smaller KL weight" if warm else ""
    return f"Objective by epoch on training and {held} rows, higher is better; {kept}."


def _objective(estimator: LatentEstimator) -> str:
    params = estimator.get_params(deep=False)
    if "beta" not in params:
        return "minus the squared error, standardised"
    bound = "importance-weighted bound" if params["objective"] == "iwae" else "bound (ELBO)"
    if params["beta"] != 1:
        bound += f", KL weighted {params['beta']:g}"
    return f"{bound}, nats a row"
