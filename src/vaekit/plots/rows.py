"""Pictures of rows: samples beside real ones, reconstructions beside their originals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from vaekit.data.rows import spaced
from vaekit.estimators.inputs import read_array
from vaekit.plots.canvas import (
    BLUE,
    INK,
    ORANGE,
    PLAIN,
    WIDTH,
    figure,
    grid,
    histograms,
    quiet,
    save,
    short,
    show,
    ticks,
    tile,
)
from vaekit.plots.view import View
from vaekit.randomness import isolated_rng

_COLUMNS = 12  # most columns of a table that are shown


def draw_samples(view: View, path: Path) -> str:
    """Draw samples of a model beside training rows; give the caption."""
    return _sampled_images(view, path) if view.is_image else _sampled_columns(view, path)


def _sampled_images(view: View, path: Path) -> str:
    model, side = view.estimator, 8
    real = view.train[spaced(len(view.train), side * side)]
    draws = read_array(model, model.sample(side * side, random_state=0), reset=False)[0]
    sheets = [("real rows, from training", real)]
    exact = model._draws_values  # else grey-scale data whose draws are shown by their probabilities
    means = view.encodes and not model._autoregressive
    if exact:
        sheets.append(("samples x ~ p(x|z), z ~ p(z)" if view.encodes else "samples x ~ p(x)", draws))
    if means:
        if exact:
            with isolated_rng(0):  # the codes behind the draws
                z = model.model_.prior(model.model_.posterior).sample((side * side,)).cpu().numpy()
            draws = view.decode(z)
        sheets.append(("samples, as means of p(x|z)", draws))
    tiles = [tile(view.pixels(np.asarray(values)), side) for _, values in sheets]
    width = WIDTH / 3 * len(sheets)
    height = (width / len(sheets) - 0.2) * tiles[-1].shape[0] / tiles[-1].shape[1] + 0.3
    fig = figure(width, min(height, WIDTH))
    fig.set_layout_engine("constrained", wspace=0.04)
    axes = np.atleast_1d(fig.subplots(1, len(sheets)))
    for ax, (title, _), sheet in zip(axes, sheets, tiles, strict=True):
        show(ax, sheet, title)
        ax.set_anchor("N")
    save(fig, path)
    if not means:
        return "Rows drawn from the model beside real ones."
    if not exact:
        return "Rows drawn from the model beside real ones: the probability that each pixel is white."
    return "Rows drawn from the model beside real ones; the means are those of the same draws, without pixel noise."


def _sampled_columns(view: View, path: Path) -> str:
    model = view.estimator
    chosen, how = view.choose(_COLUMNS)
    draws = read_array(model, model.sample(1000, random_state=0), reset=False)[0]
    draws = draws[:, chosen].toarray() if hasattr(draws, "toarray") else draws.reshape(len(draws), -1)[:, chosen]
    across = min(4, len(chosen))
    fig = figure(WIDTH if across > 1 else 5.0, 0.5 + 2.0 * -(-len(chosen) // across))
    axes = grid(fig, len(chosen), across)
    for ax, column, sampled in zip(axes, chosen, draws.T.astype(float), strict=True):
        _marginals(ax, view.columns[:, column], sampled)
        quiet(ax, short(view.name(column)))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    save(fig, path)
    return f"Each column's values in training and in 1,000 rows drawn from the model{how}."


def _marginals(ax: Axes, real: np.ndarray, sampled: np.ndarray) -> None:
    low, high = real.min(), real.max()
    low, high = min(low, np.quantile(sampled, 0.005)), max(high, np.quantile(sampled, 0.995))
    if np.all(real == real.round()) and np.all(sampled == sampled.round()) and high - low <= 30:
        edges = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    elif high > low:
        edges = np.linspace(low, high, 31)
    else:
        edges = np.array([low - 0.5, low + 0.5])
    histograms(ax, edges, ("training rows", real), ("samples", sampled))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ticks(ax.xaxis)


def draw_reconstructions(view: View, path: Path) -> str:
    """Draw test rows and their reconstructions; give the caption."""
    return _rebuilt_images(view, path) if view.is_image else _rebuilt_columns(view, path)


def _rebuilt_images(view: View, path: Path) -> str:
    across = min(10, len(view.test))
    pick = spaced(len(view.test), 2 * across)
    bands = [pick[:across], pick[across:]] if len(pick) == 2 * across else [pick[:across]]
    size = view.pixels(view.test[:1]).shape
    width = min(WIDTH, 1.3 + 0.97 * across)
    height = (width - 1.3) / across * 2 * len(bands) * size[1] / size[2] + 0.3
    fig = figure(width, min(height, WIDTH))
    axes = np.atleast_1d(fig.subplots(len(bands), 1))
    for ax, band in zip(axes, bands, strict=True):
        pair = np.concatenate([view.test[band], view.decode(view.codes[band])])
        show(ax, tile(view.pixels(pair), across))
        for y, text in ((0.75, "original"), (0.25, "reconstruction")):
            ax.text(-0.01, y, text, transform=ax.transAxes, ha="right", va="center", fontsize=9.5, color=INK)
    save(fig, path)
    return "Test rows above their reconstructions, each the mean of x given its code."


def _rebuilt_columns(view: View, path: Path) -> str:
    chosen, how = view.choose(_COLUMNS)
    original = view.test.reshape(len(view.test), -1)[:, chosen]
    rebuilt = view.decode(view.codes).reshape(len(view.test), -1)[:, chosen]
    across = min(4, len(chosen))
    fig = figure(WIDTH if across > 1 else 4.0, 0.4 + 2.4 * -(-len(chosen) // across))
    noise = np.random.RandomState(0)
    for ax, column, x, y in zip(grid(fig, len(chosen), across), chosen, original.T, rebuilt.T, strict=True):
        few = len(np.unique(x)) <= 10 and len(x) > 10
        ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
        jitter = noise.uniform(-0.02, 0.02, len(x)) * np.ptp(ends) if few else 0.0
        ax.axline((ends[0], ends[0]), slope=1, color=ORANGE, lw=1)
        ax.scatter(x + jitter, y, s=9, color=BLUE, alpha=_alpha(len(x)), linewidths=0)
        explained = 1 - np.mean((x - y) ** 2) / x.var() if np.ptp(x) > 0 else None
        quiet(ax, short(view.name(column), 24 if explained is None else 18))
        if explained is not None:
            ax.set_title(f"R² {round(explained, 2) + 0.0:.2f}", fontsize=9, color=INK, loc="right", **PLAIN)
        pad = 0.05 * np.ptp(ends) or 1.0
        ax.set(xlim=(ends[0] - pad, ends[1] + pad), ylim=(ends[0] - pad, ends[1] + pad))
        ticks(ax.xaxis)
        ticks(ax.yaxis)
    fig.supxlabel("original", fontsize=9.5, color=INK)
    fig.supylabel("reconstruction", fontsize=9.5, color=INK)
    save(fig, path)
    return f"Test rows: reconstruction against original; on the line both agree{how}."


def _alpha(n: int) -> float:
    return 0.8 if n <= 100 else 0.5 if n <= 400 else 0.35
