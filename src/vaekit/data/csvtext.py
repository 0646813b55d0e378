"""The text of a .csv file: what must hold of it, each fault told with its line; numbers and times in its cells."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vaekit.data.files import quoted
from vaekit.errors import DataError, join

if TYPE_CHECKING:
    import polars as pl

DATE = r"^\d{4}-\d{2}-\d{2}$"
TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$"

CODE = r"^\s*\+?0\d+\s*$"  # 02134: text, as a number would lose the zero
PHONE = r"^\s*\+\d{7,}\s*$"  # +4930901820: text where all cells are such, as a number would lose the sign
COMMA = r"^(\s*[+-]?\d+),(\d+([eE][+-]?\d+)?\s*)$"  # 0,5: a number, where cells are not separated by commas
THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2},\d{3}\s*$"  # 1,234: either
LONG = r"^\s*[+-]?\d{19,}\s*$"  # 89014103211118510720: text, as a float would lose the last digits

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}  # of cells, the first that cuts alike

# read as missing, besides the empty cell
MISSING = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")


def check_utf8(data: bytes, path: Path) -> str:
    """Return the text of `data`; raise a DataError that names the first line that is not UTF-8."""
    check_text([data], path)
    return data.decode("utf-8-sig")


def check_text(blocks: Iterable[bytes], path: Path) -> None:
    """Raise a DataError that names the first line which is not UTF-8 text, of bytes that are given some at a time."""
    decode, line = codecs.getincrementaldecoder("utf-8")(), 1
    for block in itertools.chain(blocks, [b""]):
        try:
            decode.decode(block, final=not block)
        except UnicodeDecodeError as error:
            line += error.object.count(b"\n", 0, error.start)
            raise DataError(f"{quoted(path)} line {line} is not UTF-8 text: save the file as UTF-8.") from error
        if b"\0" in block:
            line += block.count(b"\n", 0, block.index(b"\0"))
            raise DataError(f"{quoted(path)} line {line} holds a zero byte: this is not a text file.")
        line += block.count(b"\n")


def header(text: str, path: Path) -> tuple[list[str], str]:
    """Return the names of the columns, without blanks around them, and what separates cells.

    That is the first of comma, semicolon, tab and bar to cut the header and the record after it into as many cells, two
    at least; else a comma.

    Raises:
        DataError: there is no text, a comma cannot cut it, a name stands twice, or the first line holds only numbers
            and so is likely a row. (Numbers that count the columns from 0 or 1 are names.)
    """
    separator = next((sign for sign in SEPARATORS if _cuts_alike(text, path, sign)), ",")
    line, cells = next(_filled(text, path, separator), (0, []))
    if not cells:
        raise DataError(f"{quoted(path)} is empty.")
    names = [cell.strip() for cell in cells]
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        raise DataError(f"{quoted(path)} has two columns named {twice!r}.")
    counted = [[str(number + start) for number in range(len(names))] for start in (0, 1)]
    if all(is_numeral(name) for name in names) and names not in counted:
        raise DataError(
            f"{quoted(path)} line {line} holds only numbers where the names of the columns belong: add a header."
        )
    return names, separator


def _cuts_alike(text: str, path: Path, separator: str) -> bool:
    """Whether a sign cuts the first two records that are not empty into as many cells, two at least."""
    try:
        widths = [len(cells) for _, (_, cells) in zip(range(2), _filled(text, path, separator), strict=False)]
    except DataError:
        return False
    return len(set(widths)) == 1 and widths[0] > 1


def _filled(text: str, path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    return (record for record in _records(text, path, separator) if record[1])


def check_lines(file: TextIO, width: int, path: Path, separator: str) -> int:
    """Return the number of rows; raise a DataError that names the first line whose number of cells is not `width`."""
    rows, started = -1, False
    limit = csv.field_size_limit(2**31 - 1)  # a cell may hold a whole document
    try:
        for line, cells in _records(file, path, separator):
            started = started or bool(cells)
            rows += started
            if started and not cells and width > 1:
                raise DataError(f"{quoted(path)} line {line} is empty, its header has {width} cells.")
            if cells and len(cells) != width:
                s = "" if len(cells) == 1 else "s"
                raise DataError(f"{quoted(path)} line {line} has {len(cells)} cell{s}, its header has {width}.")
    finally:
        csv.field_size_limit(limit)
    return rows


def strays_quoted(text: str, separator: str) -> str:
    """A text that `check_lines` passes with each cell in quotes that holds some and begins with none, as 5" pipe."""

    def in_quotes(found: re.Match[str]) -> str:
        cell = found[0]
        return cell if cell.startswith('"') else '"' + cell.replace('"', '""') + '"'

    end = rf"{re.escape(separator)}\r\n"
    cells = rf'(?<![^{end}])(?:"[^"]*(?:""[^"]*)*"|[^"{end}][^"{end}]*"[^{end}]*)'  # in quotes, or with a stray one
    return re.sub(cells, in_quotes, text)


def check_strays(file: TextIO, path: Path, separator: str) -> None:
    """Raise a DataError that names the first line with a cell that `strays_quoted` would change."""
    seen: list[str] = []

    def noted() -> Iterator[str]:
        for line in file:
            seen.append(line)
            yield line

    for line, cells in _records(noted(), path, separator):
        record = "".join(seen)
        if any('"' in cell for cell in cells) and strays_quoted(record, separator) != record:
            raise DataError(
                f"{quoted(path)} line {line} has a quote in a cell that does not begin with one: put such cells in "
                'quotes and double the quotes in them, as in "5"" pipe".'
            )
        seen.clear()


def codes(raw: pl.LazyFrame, kinds: Mapping[str, pl.DataType]) -> list[str]:
    """Columns of numbers of which a cell has leading zeros, or digits that are lost, so that they are kept as text.

    Args:
        raw: the columns as text.
        kinds: the types that they would have, by their names; only numbers count.
    """
    import polars as pl

    patterns = {name: _pattern(dtype) for name, dtype in kinds.items() if dtype.is_numeric()}
    found = raw.select(
        pl.col(name).str.contains(pattern).any() | pl.col(name).str.contains(PHONE).all()
        for name, pattern in patterns.items()
    )
    found = found.collect(engine="streaming")
    return [name for name in patterns if found[name].item()]


def unreadable(raw: pl.LazyFrame, kinds: Mapping[str, pl.DataType]) -> list[str]:
    """Columns that polars takes for numbers and cannot read as such, as those of full-width digits.

    Args:
        raw: the columns as text.
        kinds: the types that they would have, by their names; only numbers count.
    """
    import polars as pl

    numeric = {name: dtype for name, dtype in kinds.items() if dtype.is_numeric()}
    lost = [pl.col(name).cast(dtype, strict=False).is_null() for name, dtype in numeric.items()]
    lost = [(each & pl.col(name).is_not_null()).any() for each, name in zip(lost, numeric, strict=True)]
    found = raw.select(lost).collect(engine="streaming")
    return [name for name in numeric if found[name].item()]


def _pattern(dtype: pl.DataType) -> str:
    """What a cell looks like that a number of that type would lose a part of."""
    import polars as pl

    exact = dtype.is_integer() and dtype != pl.Int128  # which becomes a float
    return CODE if exact else f"{CODE}|{LONG}"


def numbers_but_codes(column: pl.Series, separator: str) -> pl.Series | None:
    """The numbers of a text column where all its cells are numbers that lose nothing; else None."""
    found = numbers(numerals(column, separator))
    if found is None or column.str.contains(_pattern(found.dtype)).any() or column.str.contains(PHONE).all():
        return None
    return found


def how_cut(separator: str) -> str:
    """What to say of columns that are not separated by commas, after something else."""
    return "" if separator == "," else f", separated by {SEPARATORS[separator]} (so that 0,5 is a half)"


def kept_as_text(columns: list[str]) -> str:
    """What to say of such columns, after something else."""
    if not columns:
        return ""
    why = "leading zeros, a telephone's plus or very many digits"
    return f"; {why} keep {join(columns)} text, which --kind array reads as numbers"


def unpadded(column: pl.Series, separator: str) -> pl.Series:
    """The numbers of a text column where `numerals` finds what hid them, as of "1, 2" for "1,2".

    Where all commas stand before three digits, as in 1,234, they may mark thousands, and it stays text.
    """
    import polars as pl

    if column.dtype != pl.String or commas(column, separator) == {"thousands"}:
        return column
    found = numbers(numerals(column, separator))
    return column if found is None else found


def numerals(column: pl.Series, separator: str) -> pl.Series:
    """A text column with its cells bare, and with points for decimal commas where those do not separate cells."""
    bare = bare_cells(column)
    return bare if separator == "," else bare.str.replace(COMMA, "$1.$2")


def commas(column: pl.Series, separator: str) -> set[str]:
    """What the commas in a column's numbers may be: "decimal" where one must be, and "thousands" where one may be."""
    if separator == ",":
        return set()
    found = column.filter(column.str.contains(COMMA))
    thousands = found.str.contains(THOUSANDS)
    return ({"thousands"} if thousands.any() else set()) | (set() if thousands.all() else {"decimal"})


def bare_cells(column: pl.Series) -> pl.Series:
    """A text column without blanks around its cells; what is then empty, or stands for it, is missing."""
    bare = column.str.strip_chars()
    return bare.set(bare.is_in(["", *MISSING]).fill_null(False), None)


def numbers(column: pl.Series) -> pl.Series | None:
    """The numbers of a text column where all its cells are; else None."""
    import polars as pl

    for dtype in (pl.Int64, pl.Float64):
        found = column.cast(dtype, strict=False)
        if found.null_count() == column.null_count() < len(column):
            return found
    return None


def timed(column: pl.Series) -> pl.Series:
    """The times of a text column whose cells are all ISO 8601 dates, or some of them with the time of day."""
    import polars as pl

    if column.dtype != pl.String or column.null_count() == len(column):
        return column
    if column.str.contains(DATE).all():
        times = column.str.to_date(strict=False)
    elif column.str.contains(f"{DATE}|{TIME}").all():
        times = column.str.replace(DATE, "${0}T00:00").str.to_datetime(time_unit="us", strict=False)
    else:
        return column
    return times if times.null_count() == column.null_count() else column


def _records(text: str | Iterable[str], path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of the line on which it starts."""
    lines = io.StringIO(text, newline="") if isinstance(text, str) else text
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{quoted(path)} line {line} cannot be split into cells: {error}.") from error


def is_numeral(cell: str) -> bool:
    """Whether a text reads as a number, to others than Python too: 2020_01 is none."""
    if "_" in cell:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True
