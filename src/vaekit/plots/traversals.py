"""A walk along each latent unit: what moves in the data when it alone moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from vaekit.plots.canvas import INK, MUTED, PLAIN, WIDTH, figure, quiet, quiet_bar, save, short, ticks, tile
from vaekit.plots.view import View

_UNITS, _STEPS = 10, 11  # most units that are walked along, and steps from -3 to 3
_WALKED = 40  # most columns of a table along a walk


def traversal_codes(view: View) -> np.ndarray:
    """Codes of the walk: (units, steps, L), the first test row's with one unit moved in equal steps.

    The unit moves from -3 to 3 in a VAE, whose prior has standard deviation 1, and over its mean plus or minus three
    standard deviations of the codes in an autoencoder.
    """
    units, steps = view.units[:_UNITS], np.linspace(-3, 3, _STEPS)
    z = np.tile(view.codes[0].astype(np.float64), (len(units), _STEPS, 1))
    for row, unit in enumerate(units):
        codes = view.judged_codes[:, unit]
        z[row, :, unit] = steps if view.standard else codes.mean() + steps * codes.std()
    return z


def draw_traversals(view: View, path: Path) -> str:
    """Draw a walk along each active unit, the one that matters most on top; give the caption."""
    z = traversal_codes(view)
    units = view.units[: len(z)]
    labels = [f"unit {u}\n{view.importance[u]:.2g}{' nats' if view.draws else ''}" for u in units]
    flat = z.reshape(-1, z.shape[-1])
    (_walk_images if view.is_image else _walk_columns)(view, flat, labels, path)
    which = (
        "Each active unit"
        if len(units) == len(view.units)
        else f"The first {len(units)} of {len(view.units)} active units"
    )
    matter = "mean KL" if view.draws else "variance of the code"
    span = "from -3 to 3" if view.standard else "over three standard deviations to each side"
    how = "" if view.is_image else view.choose(_WALKED)[1]
    return (
        f"{which} moved {span}, the others at the code of the first test row; ordered by {matter} over the "
        f"{view.judged_by} rows, which stands beside it{how}."
    )


def _walk_images(view: View, z: np.ndarray, labels: list[str], path: Path) -> None:
    sheet = tile(view.decode_pixels(z), _STEPS)
    width = 9.0
    fig = figure(width, min(WIDTH, (width - 1.0) * sheet.shape[0] / sheet.shape[1] + 0.55))
    ax = fig.subplots()
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    at = (np.arange(_STEPS) + 0.5) * sheet.shape[1] / _STEPS - 0.5
    ax.set_xticks(at, [f"{step:.2g}" for step in np.linspace(-3, 3, _STEPS)])
    ax.set_yticks((np.arange(len(labels)) + 0.5) * sheet.shape[0] / len(labels) - 0.5, labels)
    quiet(ax)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    ax.set_xlabel(_axis_label(view))
    save(fig, path)


def _walk_columns(view: View, z: np.ndarray, labels: list[str], path: Path) -> None:
    chosen, _ = view.choose(_WALKED)
    train = view.columns[:, chosen]
    spread = np.where(np.ptp(train, axis=0) > 0, train.std(0), 1.0)
    decoded = (view.decode(z).reshape(len(z), -1)[:, chosen] - train.mean(0)) / spread
    decoded = decoded.reshape(len(labels), _STEPS, len(chosen))
    fig = figure(WIDTH, 1.5 + 1.15 * len(labels))
    axes: list[Axes] = list(fig.subplots(len(labels), 1, sharex=True, sharey=True, squeeze=False).ravel())
    scale = ScalarMappable(Normalize(-3, 3), colormaps["coolwarm"])
    steps, at = np.linspace(-3, 3, _STEPS), np.arange(len(chosen))
    for ax, label, lines in zip(axes, labels, decoded, strict=True):
        for step, line in zip(steps, lines, strict=True):
            ax.plot(at, line, color=scale.to_rgba(step), lw=1.3, marker="o" if len(chosen) < 30 else "", ms=2.5)
        ax.axhline(0, color=MUTED, lw=0.6, zorder=0)
        ax.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=10)
        ticks(ax.yaxis)
        quiet(ax)
    axes[-1].set_xticks(at, [short(view.name(c), 18) for c in chosen], rotation=40, ha="right", **PLAIN)
    bar = fig.colorbar(scale, ax=axes, aspect=40, pad=0.01)
    bar.set_label(_axis_label(view), fontsize=9, color=INK)
    quiet_bar(bar)
    fig.suptitle("decoded means, in standard deviations of each column", fontsize=9.5, color=INK, x=0.02, ha="left")
    save(fig, path)


def _axis_label(view: View) -> str:
    return "value of the unit" if view.standard else "unit, in standard deviations of its codes from their mean"
