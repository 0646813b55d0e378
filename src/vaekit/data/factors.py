"""Small images of which every factor of variation is known: shape, scale, rotation and position."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vaekit.errors import Faults

SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {  # which points of the unit disc lie inside
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) <= 0.7,
    "ellipse": lambda u, v: (u / 0.95) ** 2 + (v / 0.55) ** 2 <= 1,
    "heart": lambda u, v: ((1.3 * u) ** 2 + (1.3 * v + 0.1) ** 2 - 1) ** 3 <= (1.3 * u) ** 2 * (1.3 * v + 0.1) ** 3,
}
_SMALLEST, _LARGEST = 0.14, 0.26  # radius of a shape, in sides of the image
_GRID = 4  # points a pixel in each direction
_WHITE = 255


@dataclass(frozen=True, eq=False)
class FactorImages:
    """Images, and what each was made from.

    Attributes:
        images: (n, size, size) uint8.
        factors: (n, 5) int64, the level of each factor, from 0.
        names: of the factors.
    """

    images: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...] = ("shape", "scale", "rotation", "x", "y")


def factor_images(
    size: int = 32,
    *,
    shapes: Sequence[str] = ("square", "ellipse", "heart"),
    scales: int = 4,
    rotations: int = 8,
    positions: int = 8,
    binary: bool = True,
) -> FactorImages:
    r"""One white shape on black for every combination of the factors' levels, as dSprites has it (Matthey et al. 2017).

    Rotations cover a quarter turn, so that of the square too no two are alike. The pixels are 16 points each, and the
    same on every computer but for points that rounding puts on an edge.

    Args:
        size: pixels in a row and in a column.
        shapes: of "square", "ellipse" and "heart".
        scales: levels of the size, evenly from a radius of 0.14 sides of the image to 0.26; of one alone the latter.
        rotations: levels of the angle.
        positions: levels of x, from left to right, and of y, from top to bottom.
        binary: white where at least half of a pixel is covered, as 0 and 1; else the share that is covered, as grey
            levels from 0 to 255.

    Returns:
        Images in the order of their levels, those of y changing fastest, and the table of the levels.

    Raises:
        OptionError: an argument is out of range, or the positions would be less than a pixel apart.

    >>> made = factor_images(16, shapes=["heart"], scales=1, rotations=1, positions=3)
    >>> made.images.shape, made.factors[:4].tolist()
    ((9, 16, 16), [[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 2], [0, 0, 0, 1, 0]])
    >>> for row in made.images[4][4:11]:
    ...     print("".join("-#"[pixel] for pixel in row))
    -----##-###-----
    ----#######-----
    ----########----
    ----#######-----
    -----######-----
    ------####------
    -------##-------
    """
    faults = Faults()
    for name, value in (("size", size), ("scales", scales), ("rotations", rotations), ("positions", positions)):
        faults.number(name, value, low=1, integer=True)
    for shape in shapes:
        faults.choice("shapes", shape, SHAPES)
    if not len(shapes):
        faults.add("shapes must name at least one shape.")
    faults.raise_if_any()
    width = 2 * int(np.ceil(_GRID * size * _LARGEST)) + 1  # of the square of points that holds a shape
    step = (_GRID * size - width) // max(1, positions - 1)
    if step < (_GRID if positions > 1 else 0):
        faults.add(f"size={size} has no room for {positions} positions that are a pixel apart.")
    faults.raise_if_any()
    first = (_GRID * size - width - step * (positions - 1)) // 2
    radii = _GRID * size * np.linspace(_LARGEST, _SMALLEST, scales)[::-1]
    levels = [len(shapes), scales, rotations, positions, positions]
    images = np.zeros((*levels, size, size), np.uint8)
    canvas = np.zeros((_GRID * size, _GRID * size), np.uint8)
    for shape, scale, turn in itertools.product(*(range(level) for level in levels[:3])):
        points = _points(shapes[shape], radii[scale], np.pi / 2 * turn / rotations, width)
        for x, y in itertools.product(range(positions), repeat=2):
            place = tuple(slice(first + step * level, first + step * level + width) for level in (y, x))
            canvas[place] = points
            covered = canvas.reshape(size, _GRID, size, _GRID).sum((1, 3))
            canvas[place] = 0
            pixels = 2 * covered >= _GRID**2 if binary else np.round(covered * (_WHITE / _GRID**2))
            images[shape, scale, turn, x, y] = pixels
    factors = np.stack(np.unravel_index(np.arange(np.prod(levels)), levels), 1)
    return FactorImages(images.reshape(-1, size, size), factors)


def _points(shape: str, radius: float, angle: float, width: int) -> np.ndarray:
    """(width, width) points, 1 inside the shape, whose centre is in the middle; v goes up."""
    at = (np.arange(width) - (width - 1) / 2) / radius
    right, down = np.meshgrid(at, at)
    u, v = np.cos(angle) * right - np.sin(angle) * down, -np.sin(angle) * right - np.cos(angle) * down
    return SHAPES[shape](u, v).astype(np.uint8)
