"""The look that all pictures share, and how one becomes a file; matplotlib's global state is never touched."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaekit.files import written_whole

INK, MUTED, PALE = "#333333", "#8a8a8a", "#c9ccd1"
BLUE, ORANGE = "#2f6db2", "#d9722b"
DPI, WIDTH = 120, 11.0  # dots per inch; the widest figure, in inches
PLAIN: dict[str, Any] = {"parse_math": False}  # text from the data is never read as a formula


def figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches, which belongs to no window and no global list."""
    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(fig)
    return fig


def quiet(ax: Axes, title: str = "") -> Axes:
    """Give axes the common look: no box, thin grey lines, small readable type."""
    ax.set_facecolor("white")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.tick_params(labelsize=8.5, colors=MUTED, labelcolor=INK, length=3)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set(fontsize=9.5, color=INK)
    if title:
        ax.set_title(title, fontsize=9.5, color=INK, loc="left", **PLAIN)
    return ax


def histograms(ax: Axes, edges: np.ndarray, filled: tuple[str, np.ndarray], stepped: tuple[str, np.ndarray]) -> None:
    """The shares of two sets of values, each with its label, in common bins: the first filled, the second a line."""
    line: dict[str, Any] = {"color": BLUE, "histtype": "step", "lw": 1.5}
    looks: tuple[dict[str, Any], ...] = ({"color": PALE}, line)
    for (label, values), look in zip((filled, stepped), looks, strict=True):
        weights = np.full(len(values), 1 / max(1, len(values)))
        ax.hist(values, edges.tolist(), weights=weights, label=label, **look)


def quiet_bar(bar: Colorbar) -> None:
    """Give a colour bar the common look."""
    bar.ax.tick_params(labelsize=8, colors=MUTED, labelcolor=INK)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]


def save(fig: Figure, path: Path) -> None:
    """Write a figure as PNG, whole; characters that the font lacks become boxes without a word."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        with written_whole(path) as file:
            FigureCanvasAgg(fig).print_png(file, metadata={"Software": None})  # savefig would draw it twice


def grid(fig: Figure, n: int, columns: int, **options: Any) -> list[Axes]:
    """n quiet axes in rows of `columns`."""
    rows = -(-n // columns)
    axes = fig.subplots(rows, columns, squeeze=False, **options).ravel()
    for ax in axes[n:]:
        ax.remove()
    return [quiet(ax) for ax in axes[:n]]


def tile(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Lay pictures out in rows with a white gap between them.

    Args:
        pictures: (n, H, W) or (n, H, W, C), from 0 to 1.
        columns: pictures in a row.

    >>> tile(np.zeros((3, 8, 8)), columns=2).shape
    (17, 17)
    """
    n, height, width = pictures.shape[:3]
    gap, rows = max(1, max(height, width) // 14), -(-n // columns)
    sheet = np.ones((rows * (height + gap), columns * (width + gap), *pictures.shape[3:]), dtype=np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet[:-gap, :-gap]


def show(ax: Axes, sheet: np.ndarray, title: str = "") -> None:
    """Show a sheet from `tile` without axes."""
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=9.5, color=INK, loc="left", **PLAIN)


def ticks(axis: Axis) -> None:
    """Few round numbers along an axis."""
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def palette(n: int) -> np.ndarray:
    """(n, 4) colours of up to 20 classes."""
    return colormaps["tab10" if n <= 10 else "tab20"](np.arange(n))


def short(text: object, most: int = 22) -> str:
    """A name cut to what fits beside a picture.

    >>> short("od280/od315_of_diluted_wines", 12)
    'od280/od315…'
    """
    text = str(text)
    return text if len(text) <= most else text[: most - 1] + "…"
