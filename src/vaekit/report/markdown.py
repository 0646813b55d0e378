"""Numbers and text in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def plus_minus(value: float, error: float | None) -> str:
    """A value with its standard error, both to two digits of the error.

    >>> plus_minus(-91.08123, 0.4567), plus_minus(1234.5, 61.0), plus_minus(2.5, None)
    ('-91.08 ± 0.46', '1234 ± 61', '2.5')
    """
    if error is None or not math.isfinite(error):
        return f"{value:.4g}"
    if error == 0:
        return f"{value:.6g} ± 0"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def bullets(lines: Sequence[str]) -> str:
    """A list."""
    return "\n".join(f"- {' '.join(text.split())}" for text in lines)


def line(text: Any) -> str:
    """Text of the user's in one line, its Markdown signs kept from acting."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in " ".join(str(text).split()))


def cell(text: str) -> str:
    """Text inside a code span inside a table."""
    return text.replace("|", "\\|").replace("`", "'")


def code(language: str, lines: Sequence[str]) -> str:
    """A block of code."""
    return f"```{language}\n" + "\n".join(lines) + "\n```"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
