"""What to say of a table's columns: what is left out, and what may be meant for another kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import narwhals as nw

from vaekit.data.csvtext import CODE, DATE, LONG, PHONE, TIME, is_numeral
from vaekit.data.identifiers import beyond_floats, nearly_running
from vaekit.errors import DataError, join
from vaekit.schema import Column
from vaekit.schema.table import ASIDE

_LOOK = 1000  # cells that tell of most columns of text

_NUMBER = r"\s*([€$£¥]\s?)?[+-]?(\d{1,3}([ ,.']\d{3})+([.,]\d+)?|\d+([.,]\d+)?)(\s?[%€$£¥])?\s*$"
_DAY = r"\s*(\d{1,2}([/-])\d{1,2}\2\d{2}(\d\d)?|\d{1,2}\.\d{1,2}\.\d{4}|\d{4}([./])\d{1,2}\4\d{1,2})(\s*$|[ T]\d{1,2}:)"


def notes_on(columns: Sequence[Column], frame: nw.DataFrame[Any], asked: Collection[str]) -> list[str]:
    """Lines on columns that are set aside, constant, perhaps meant for another kind, or with levels that share a code.

    Args:
        columns: of the schema.
        frame: their cells.
        asked: columns whose kind the user named.

    Raises:
        DataError: no column can be used.
    """
    notes = []
    for kind, what in (("identifier", "set aside as identifiers"), ("text", "set aside as free text")):
        names = [column.name for column in columns if column.kind == kind]
        if names:
            notes.append(f"columns {what}: {join(names, 20)}")
    empty = [column.name for column in columns if column.kind == "constant" and not column.levels]
    constant = [column.name for column in columns if column.kind == "constant" and column.levels]
    if empty:
        notes.append(f"columns without any value: {join(empty, 20)}")
    if constant:
        notes.append(f"columns with a single value: {join(constant, 20)}")
    remarks = (remark(column, frame[column.name], asked=column.name in asked) for column in columns)
    notes += [line for line in remarks if line is not None]
    if not any(column.modelled for column in columns):
        if len(empty) == len(columns):
            raise DataError("Every cell of the table is missing.")
        raise DataError(f"The table has no column that can be used ({'; '.join(notes)}).")
    pooled = [f"{column.name!r} ({column.pool})" for column in columns if column.pool]
    if pooled:
        notes.append(f"rare levels that share one code: {', '.join(pooled)}")
    return notes


def remark(column: Column, series: nw.Series[Any], *, asked: bool) -> str | None:
    """A line on a column whose kind may be none that its user meant; else None.

    Args:
        column: of the schema.
        series: its cells.
        asked: whether the user named the kind.
    """
    name = repr(column.name)
    if column.kind in (*ASIDE, "categorical") and isinstance(series.dtype, nw.String):
        cells = series.drop_nulls()
        for fits, what in ((_is_number, "numbers"), (_is_time, "dates")):
            if (told := _nearly(cells, fits, what, asked=asked)) is not None:
                return f"column {name} is text, though {told}"
        if (cell := _formatted(cells)) is not None:
            return (
                f"column {name} is text, though its cells look like numbers or dates, such as {cell!r}: "
                "written as 1234.5 or 2020-01-31 they are taken as such"
            )
    if column.kind == "identifier" and beyond_floats(series):
        return f"column {name} holds whole numbers above 2**53: the kind real takes them for numbers"
    if column.kind == "count" and nearly_running(series):
        return f"column {name} may number the rows, some twice: the kind identifier sets it aside"
    return None


def _nearly(cells: nw.Series[Any], fits: Callable[[str], bool], what: str, *, asked: bool) -> str | None:
    """What to say where all cells are numbers or dates, or nine of ten are, or all but those that hold one text."""
    others, n = Counter[str](), 0
    for some in (cells.head(_LOOK).to_list(), cells.to_list()):
        n, others = len(some), Counter(value for value in some if not fits(value))
        if 2 * others.total() > n or ((asked or len(others) > 1) and 10 * others.total() > n):
            return None
        if any(re.match(pattern, value) for pattern in (CODE, LONG, PHONE) for value in others):  # text on purpose
            return None
    if not others:
        return None if asked else f"all its cells are {what}: make them {what}, or name its kind in schema"
    other, times = others.most_common(1)[0]
    if len(others) > 1:
        return f"nine cells of ten are {what}: {next(iter(others))!r} is not"
    return f"all its cells but {other!r} ({times:,} of {n:,}) are {what}: leave such cells empty, or correct them"


def _is_number(cell: str) -> bool:
    """Whether a text is a number, and one that loses nothing as such."""
    return (
        is_numeral(cell)
        and not any(re.match(pattern, cell) for pattern in (CODE, LONG, PHONE))
        and "inf" not in cell.lower()
    )


def _is_time(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return re.match(DATE, cell) is not None or re.match(TIME, cell) is not None


def _formatted(cells: nw.Series[Any]) -> str | None:
    """A cell like 1,234.50, 12 % or 31/12/2020, where nine cells of ten are such or numbers; else None."""
    some = cells.head(_LOOK).to_list()
    found = [value for value in some if (re.match(_NUMBER, value) or re.match(_DAY, value)) and not is_numeral(value)]
    plain = sum(map(is_numeral, some))
    return found[0] if found and 10 * (len(found) + plain) >= 9 * len(some) else None
