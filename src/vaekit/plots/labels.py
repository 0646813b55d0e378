"""Classes as colours, and their legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from vaekit.plots.canvas import short

MOST_CLASSES = 20  # that colours can tell apart


def classes_of(y: Any, label_names: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """Names of the classes, and the class of each row; no names where there are none or colours cannot tell.

    >>> names, classes = classes_of([1, 0, 1], ("no", "yes"))
    >>> names, classes.tolist()
    (['no', 'yes'], [1, 0, 1])
    """
    if y is None:
        return [], np.zeros(0, int)
    y = np.asarray(y).reshape(-1)
    if y.dtype.kind not in "iubf":
        y = y.astype(str)
    found, classes = np.unique(y, return_inverse=True)
    if not 0 < len(found) <= MOST_CLASSES:
        return [], np.zeros(0, int)
    names = [f"{value:g}" if y.dtype.kind == "f" else str(value) for value in found]
    if label_names is not None and y.dtype.kind in "iub" and int(found[0]) >= 0 and int(found[-1]) < len(label_names):
        names = [str(label_names[int(value)]) for value in found]
    return names, classes


def class_legend(ax: Axes, names: Sequence[str], colours: Sequence[Any]) -> None:
    """Name the colours to the right of a picture."""
    legend = ax.legend(
        [Line2D([], [], marker="o", ls="", ms=6, color=colour) for colour in colours],
        [short(name).lstrip("_") or "_" for name in names],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
