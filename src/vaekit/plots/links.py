"""How far the model tells held-out edges from pairs that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from vaekit.data.edges import EdgeSplit
from vaekit.estimators.graph import GraphEstimator
from vaekit.evaluation import link_scores
from vaekit.plots.canvas import BLUE, INK, MUTED, figure, quiet, save

_RUG = 200  # values of which each has its own mark


def draw_scores(estimator: GraphEstimator, split: EdgeSplit, path: Path) -> str | None:
    """Draw the log-odds of the test edges and of as many pairs that are no edges; give the caption.

    Nothing is drawn, and None given, where there are no test edges.
    """
    cut = len(split.test_edges)
    if not cut:
        return None
    odds = estimator._log_odds(np.concatenate([split.test_edges, split.test_negatives]), split.train)
    odds = odds.astype(np.float64)
    bins = np.histogram_bin_edges(odds, bins=min(50, max(8, cut // 10))).tolist()
    fig = figure(7.5, 3.8)
    ax = quiet(fig.subplots())
    groups = ((odds[cut:], MUTED, "pairs without an edge"), (odds[:cut], BLUE, "test edges"))
    for values, colour, label in groups:
        ax.hist(values, bins=bins, histtype="stepfilled", color=colour, alpha=0.18)
        ax.hist(values, bins=bins, histtype="step", color=colour, lw=1.6, label=f"{len(values):,} {label}")
    if len(odds) <= _RUG:
        for level, (values, colour, _) in enumerate(groups):
            ax.plot(
                values, np.full(len(values), -0.03 - 0.035 * level), "|", ms=7, color=colour,
                transform=ax.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
        ax.tick_params(axis="x", pad=14)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("log-odds of an edge", color=INK)
    ax.set_ylabel("pairs")
    fig.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9, reverse=True)
    quiet(ax)
    save(fig, path)
    auc = link_scores(odds[:cut], odds[cut:])["auc"]
    pairs = "edge and one pair that is none" if cut == 1 else "edges and as many pairs that are none"
    return (
        f"Log-odds that the model gives to the {cut:,} held-out test {pairs}; AUC {auc:.3f}: so often an edge "
        "stands above a pair that is none."
    )
