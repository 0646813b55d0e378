"""Pictures of the latent space: codes of the test rows, and what two latent units decode to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import norm

from vaekit.plots.canvas import INK, MUTED, WIDTH, figure, grid, palette, quiet, quiet_bar, save, short, tile
from vaekit.plots.labels import class_legend, classes_of
from vaekit.plots.view import View

_SIDE = 20  # pictures along each side of the manifold


def projection(view: View) -> tuple[np.ndarray, list[str]]:
    """The test codes in at most two dimensions, and what each is.

    Returns:
        (n, 1) or (n, 2) codes, and the labels of the axes: the units themselves where at most two are active, those
        whose codes vary most; else the first principal components of the active units.
    """
    codes, judged = view.codes.astype(np.float64), view.judged_codes.astype(np.float64)
    spread, what = judged.var(0), "posterior means" if view.draws else "codes"
    if len(view.units) <= 2 or not spread.any():
        units = np.argsort(-spread, kind="stable")[:2]
        return codes[:, units], [f"unit {u} (variance of the {what} {spread[u]:.2g})" for u in units]
    active = np.sort(view.units)
    points, share = principal(codes[:, active], judged[:, active])
    labels = [
        f"{nth} principal component of {len(active)} active units ({part:.0%})"
        for nth, part in zip(("1st", "2nd"), share, strict=False)
    ]
    return points, labels


def principal(codes: np.ndarray, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes on the first two principal components of others, and the share of the variance of each component.

    >>> points, share = principal(np.eye(2), np.array([[0.0, 0.0], [0.0, 2.0]]))
    >>> np.abs(points).round().tolist(), share.tolist()
    ([[1.0, 1.0], [0.0, 0.0]], [1.0, 0.0])
    """
    centre = judged.mean(0)
    _, values, axes = np.linalg.svd(judged - centre, full_matrices=False)
    power = values**2
    return (codes - centre) @ axes[:2].T, power / (power.sum() or 1.0)


def draw_latent(view: View, y: Any, label_names: tuple[str, ...] | None, path: Path) -> str:
    """Draw the codes of the test rows, coloured by label where there are labels; give the caption."""
    points, labels = projection(view)
    names, classes = classes_of(y, label_names)
    fig = figure(7.6 if names else 6.4, 5.6 if points.shape[1] == 2 else 3.2)
    ax = quiet(fig.subplots())
    colours: Any = MUTED
    if names:
        shades, classes = palette(len(names)), classes[view.index]
        colours = shades[classes]
        class_legend(ax, names, list(shades))
    order = np.random.RandomState(0).permutation(len(points))
    if points.shape[1] == 2:
        shades = colours[order] if names else colours
        ax.scatter(*points[order].T, s=14, c=shades, alpha=0.75 if names else 0.4, linewidths=0)
        ax.set_ylabel(labels[1])
        if view.standard:
            ax.set_aspect("equal", adjustable="datalim")
    else:
        strip(ax, points[:, 0], classes if names else None, colours, "test rows")
    ax.set_xlabel(labels[0])
    quiet(ax)
    save(fig, path)
    colour = ", coloured by label" if names else ""
    share = "; in brackets each component's share of the variance" if "component" in labels[0] else ""
    return f"Codes of {len(points):,} test row{'' if len(points) == 1 else 's'}{colour}{share}."


def strip(ax: Axes, values: np.ndarray, classes: np.ndarray | None, colours: Any, what: str) -> None:
    """One number a point: a row of dots for each class, or without classes a histogram."""
    if classes is None:
        ax.hist(values, bins=min(40, max(5, len(values) // 10)), color=MUTED)
        ax.set_ylabel(what)
        return
    height = classes + np.random.RandomState(0).uniform(-0.3, 0.3, len(values))
    ax.scatter(values, height, s=14, c=colours, alpha=0.75, linewidths=0)
    ax.set_yticks([])


def manifold_axes(view: View, side: int = _SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Values of the two units along the sides of the manifold, each (side,), rising.

    Of a VAE the quantiles of N(0, 1) at the middles of `side` equal parts of probability (Kingma and Welling 2013,
    Fig. 4); of an autoencoder evenly spaced from the 1st to the 99th percentile of the training codes.
    """
    if view.standard:
        quantiles = norm.ppf((np.arange(side) + 0.5) / side)
        return quantiles, quantiles
    low, high = np.quantile(view.train_codes, [0.01, 0.99], axis=0)
    return np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)


def draw_manifold(view: View, path: Path) -> str:
    """Draw what two latent units decode to, over a grid of their values; give the caption."""
    across, up = manifold_axes(view)
    span = "quantiles of the prior" if view.standard else "the range of the training codes"
    if not view.is_image:
        return _heat_maps(view, path)
    z = np.stack(np.meshgrid(across, up[::-1]), -1).reshape(-1, 2)  # the first picture is at the top left
    sheet = tile(view.decode_pixels(z), _SIDE)
    fig = figure(8.0, min(WIDTH, 7.7 * sheet.shape[0] / sheet.shape[1] + 0.3))
    ax = quiet(fig.subplots())
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    at = np.array([0, _SIDE // 4, _SIDE - 1 - _SIDE // 4, _SIDE - 1])
    ax.set_xticks((at + 0.5) * sheet.shape[1] / _SIDE - 0.5, [f"{across[i]:.2g}" for i in at])
    ax.set_yticks((at + 0.5) * sheet.shape[0] / _SIDE - 0.5, [f"{up[::-1][i]:.2g}" for i in at])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel("unit 0")
    ax.set_ylabel("unit 1")
    quiet(ax)
    save(fig, path)
    return f"What the two latent units decode to, over {span}."


def _heat_maps(view: View, path: Path) -> str:
    side, (chosen, how) = 60, view.choose(6)
    edge = np.linspace(-3, 3, side)
    across, up = (edge, edge) if view.standard else manifold_axes(view, side)
    decoded = view.decode(np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)).reshape(side, side, -1)
    columns = min(3, len(chosen))
    fig = figure(WIDTH * columns / 3, 0.3 + 2.9 * -(-len(chosen) // columns))
    extent = (across[0], across[-1], up[0], up[-1])
    for ax, column in zip(grid(fig, len(chosen), columns), chosen, strict=True):
        picture = ax.imshow(decoded[..., column], extent=extent, origin="lower", aspect="auto", cmap="viridis")
        inside = ((view.codes >= [across[0], up[0]]) & (view.codes <= [across[-1], up[-1]])).all(1)
        ax.scatter(*view.codes[inside].T, s=7, color="white", alpha=0.8, edgecolors=INK, linewidths=0.3)
        quiet_bar(fig.colorbar(picture, ax=ax))
        quiet(ax, short(view.name(column)))
    fig.supxlabel("unit 0", fontsize=9.5, color=INK)
    fig.supylabel("unit 1", fontsize=9.5, color=INK)
    save(fig, path)
    return f"Means that the two latent units decode to, column by column; white dots are test rows{how}."
