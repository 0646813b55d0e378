"""Learning-rate schedules and warm-up: pure functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]


def constant(step: int, total: int) -> float:
    """1 at every step."""
    return 1.0


def cosine(step: int, total: int) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, eq. 5, without restarts).

    >>> cosine(0, 100), round(cosine(50, 100), 6), cosine(100, 100)
    (1.0, 0.5, 0.0)
    """
    return 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))


def linear(step: int, total: int) -> float:
    """A straight line from 1 to 0.

    >>> linear(25, 100)
    0.75
    """
    return max(0.0, 1 - step / total)


SCHEDULES: dict[str, Schedule] = {"constant": constant, "cosine": cosine, "linear": linear}


def warm_up(step: int, length: float) -> float:
    """From 0 to 1 over the first `length` steps, then 1.

    >>> warm_up(5, 10), warm_up(50, 10), warm_up(0, 0)
    (0.5, 1.0, 1.0)
    """
    return 1.0 if length <= 0 else min(1.0, step / length)
