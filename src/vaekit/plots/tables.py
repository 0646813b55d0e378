"""Pictures of a table and of rows drawn from its model: each column, how columns hang together, nearest rows."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from vaekit.data.rows import spaced
from vaekit.estimators import TabularVAE
from vaekit.evaluation.holes import hide
from vaekit.evaluation.tables import associations, is_levelled, some_columns, some_rows, table_values
from vaekit.evaluation.tablescores import near_distances
from vaekit.plots.canvas import BLUE, INK, PALE, WIDTH, figure, grid, histograms, quiet, quiet_bar, save, short, ticks
from vaekit.plots.latent import draw_latent
from vaekit.plots.view import View
from vaekit.schema import Column

_COLUMNS, _PAIRS, _LEVELS = 12, 30, 8  # most columns, those of the heat maps, and levels of a column
_ROWS = 10_000


def _chosen(n: int, most: int) -> tuple[np.ndarray, str]:
    """Up to `most` of n columns, and how they were chosen, for a caption."""
    return spaced(n, most), "" if n <= most else f"; {most} of {n} columns, evenly spaced"


def draw_marginals(estimator: TabularVAE, X_train: Any, path: Path) -> str:
    """Draw the values of each column in training rows and in samples; give the caption."""
    rows, schema = some_rows(X_train, _ROWS), estimator.schema_
    real = table_values(rows, schema)
    drawn = table_values(estimator.sample(max(1000, len(rows)), random_state=0), schema)
    chosen, how = _chosen(len(schema.modelled), _COLUMNS)
    across = min(4, len(chosen))
    fig = figure(WIDTH if across > 1 else 5.0, 0.5 + 2.1 * -(-len(chosen) // across))
    axes = grid(fig, len(chosen), across)
    for ax, j in zip(axes, chosen, strict=True):
        column = schema.modelled[j]
        x, y = (values[~np.isnan(values[:, j]), j] for values in (real, drawn))
        _bars(ax, column, x, y) if column.levels else _histogram(ax, column, x, y)
        quiet(ax, short(column.name))
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    save(fig, path)
    return f"Each column's observed values in training and in {len(drawn):,} rows drawn from the model{how}."


def _histogram(ax: Axes, column: Column, real: np.ndarray, drawn: np.ndarray) -> None:
    ends = [np.quantile(values, q) for values in (real, drawn) for q in (0.005, 0.995)] if len(real) else [0.0, 1.0]
    low, high = min(ends), max(ends)
    if column.kind == "count":  # as many whole numbers in each
        low, high = np.floor(low), np.ceil(high)
        width = max(1, math.ceil((high - low + 1) / 31))
        edges = np.arange(low, high + width + 1, width) - 0.5
    else:
        edges = np.linspace(low, high, 31) if high > low else np.array([low - 0.5, low + 0.5])
    histograms(ax, edges, ("training rows", real), ("samples", drawn))
    if column.kind == "datetime":  # matplotlib too counts days since 1970
        locator = AutoDateLocator(minticks=2, maxticks=5)  # the fewest that always can be placed
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ticks(ax.xaxis)


def _bars(ax: Axes, column: Column, real: np.ndarray, drawn: np.ndarray) -> None:
    names = [str(level) for level in column.levels[: column.codes]]
    if column.pool:
        names[-1] = f"{column.pool} rare ones"
    if isinstance(column.levels[0], str) or is_levelled(column):
        places = np.arange(len(names))
    else:
        places = np.array(column.levels, float)
    shares = np.array(
        [[np.mean(values == place) if len(values) else 0.0 for place in places] for values in (real, drawn)]
    )
    order = np.arange(len(names))
    if len(names) > _LEVELS:
        order = np.argsort(-shares[0], kind="stable")[: _LEVELS - 1]
        rest = 1 - shares[:, order].sum(1, keepdims=True)
        shares, names = np.concatenate([shares[:, order], rest], 1), [*(names[i] for i in order), "others"]
    spots = np.arange(shares.shape[1])
    ax.bar(spots, shares[0], 0.8, color=PALE, label="training rows")
    ax.bar(spots, shares[1], 0.8, facecolor="none", edgecolor=BLUE, lw=1.5, label="samples")
    tilted = max(map(len, names[: len(spots)])) * len(spots) > 24
    labels = [short(name, 12) for name in names[: len(spots)]]
    ax.set_xticks(spots, labels, rotation=35 if tilted else 0, ha="right" if tilted else "center")
    for label in ax.get_xticklabels():
        label.set_parse_math(False)


def draw_associations(estimator: TabularVAE, X_train: Any, path: Path) -> str | None:
    """Draw how closely each two columns hang together in training rows and in samples; give the caption."""
    schema = estimator.schema_
    if len(schema.modelled) < 2:
        return None
    rows = some_rows(X_train, _ROWS)
    _, how = _chosen(len(schema.modelled), _PAIRS)
    schema = some_columns(schema, _PAIRS)
    holes = np.isnan(table_values(rows, schema))
    drawn = hide(estimator.sample(len(rows), random_state=0), schema, holes)
    n, names = len(schema.modelled), [short(column.name, 16) for column in schema.modelled]
    width = min(WIDTH, 4.5 + 0.8 * n)
    fig = figure(width, 0.5 * width + 0.4)
    axes = fig.subplots(1, 2)
    shades = colormaps["viridis"].with_extremes(bad=PALE)
    picture = None
    for ax, table, title in ((axes[0], rows, "training rows"), (axes[1], drawn, "samples")):
        strength = associations(table, schema)
        picture = ax.imshow(strength, vmin=0, vmax=1, cmap=shades)
        ax.set_xticks(np.arange(n), names, rotation=90 if max(map(len, names)) > 3 else 0)
        ax.set_yticks(np.arange(n), names if ax is axes[0] else [""] * n)
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            label.set_parse_math(False)
        quiet(ax, title)
        ax.tick_params(length=0, labelsize=8.5 if n <= 16 else 7)
        for side in ax.spines.values():
            side.set_visible(False)
        if n <= 10:
            for i, j in np.ndindex(n, n):
                if i != j and not np.isnan(strength[i, j]):
                    ink = "white" if strength[i, j] < 0.6 else INK
                    ax.text(
                        j, i, f"{strength[i, j]:.2f}".lstrip("0"), ha="center", va="center", fontsize=7.5, color=ink
                    )
    assert picture is not None
    quiet_bar(fig.colorbar(picture, ax=list(axes), shrink=0.8))
    save(fig, path)
    return (
        "How closely two columns hang together, from 0 to 1: |Spearman's rank correlation| of numbers, Cramér's V of "
        f"levels, correlation ratio of one of each{how}."
    )


def draw_neighbours(estimator: TabularVAE, X_train: Any, X_test: Any, path: Path) -> str | None:
    """Draw the distances of samples and of held-out rows to the nearest training row; give the caption."""
    samples, held_out = near_distances(X_train, X_test, estimator.schema_, partial(estimator.sample, random_state=0))
    if not len(held_out) or not len(samples):
        return None
    fig = figure(7.5, 3.6)
    ax = quiet(fig.subplots())
    top = float(np.quantile(np.concatenate([samples, held_out]), 0.995)) or 1.0
    edges = np.linspace(0, top, 31 if len(held_out) >= 100 else 16)
    histograms(ax, edges, (f"{len(held_out):,} held-out rows", held_out), (f"{len(samples):,} samples", samples))
    ax.set_xlabel("distance to the nearest training row")
    ax.set_ylabel("share of rows")
    ax.legend(frameon=False, fontsize=9)
    quiet(ax)
    save(fig, path)
    return (
        "Distance to the nearest training row: samples that lie nearer to it than held-out rows do would be copies "
        "(mean difference of two rows over their columns, numbers by rank)."
    )


def draw_codes(estimator: TabularVAE, X_train: Any, X_test: Any, path: Path) -> str:
    """Draw the codes of the test rows, coloured by the levels that lie furthest apart; give the caption."""
    view, schema = View.of(estimator, X_train, X_test), estimator.schema_
    values = table_values(X_test, schema)
    best, told, y = 0.0, "", None
    for j, column in enumerate(schema.modelled):
        shown = values[view.index, j]
        seen = ~np.isnan(shown)
        if not is_levelled(column) or column.codes > 10 or seen.sum() < 3:
            continue
        apart = _between(view.codes[seen].astype(np.float64), shown[seen].astype(int))
        if apart > best:
            names = [*map(str, column.levels), "missing"]
            best, told = apart, column.name
            y = np.array(names)[np.where(np.isnan(values[:, j]), -1, values[:, j]).astype(int)]
    caption = draw_latent(view, y, None, path)
    return caption.replace("coloured by label", f"coloured by {told!r}, the column whose levels lie furthest apart")


def _between(codes: np.ndarray, levels: np.ndarray) -> float:
    """The share of the variance of codes that lies between levels."""
    means = np.zeros_like(codes)
    for level in np.unique(levels):
        means[levels == level] = codes[levels == level].mean(0)
    return float(means.var(0).sum() / (codes.var(0).sum() or 1.0))
