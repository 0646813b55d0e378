"""The text of an edge list: separator, header and nodes are told from its lines, and each fault with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vaekit.data.files import quoted
from vaekit.errors import DataError
from vaekit.schema import Graph

if TYPE_CHECKING:
    import polars as pl

_ENDS = (("source", "target"), ("src", "dst"), ("from", "to"))  # names of two columns that make a line a header
_MOST = float(np.finfo(np.float32).max)  # what is larger is infinite in a Graph
_MISSING = ("", "na", "n/a", "null", "none")  # cells that name no column
_WHOLE = r"^(0|[1-9][0-9]{0,17})$"
_NO_EDGE = re.compile(r"^[ \t]*(?:[#%].*)?(?:\n|\Z)", re.MULTILINE)


# two nodes, and a third cell of what networkx knows of the edge
_OF_NETWORKX = re.compile(
    r"^([^ ,\t\n]+ [^ ,\t\n]+ |[^,\t\n]+,[^,\t\n]+,|[^\t\n]+\t[^\t\n]+\t)(\{[^{}\n]*\})$", re.MULTILINE
)
_WEIGHT = re.compile(r"""['"]weight['"]: ([^,{}]+)""")


def ends_among(names: Iterable[str]) -> tuple[str, str] | None:
    """The two names, of columns of an edge list, that say where the ends of an edge stand; None where they do not.

    >>> ends_among(["weight", "target", "source"])
    ('source', 'target')
    """
    known = set(names)
    return next((ends for ends in _ENDS if known.issuperset(ends)), None)


class Layout:
    """How the lines of an edge list are cut into cells, told from the first that is neither empty nor a comment.

    Attributes:
        path: the file, for messages.
        line: number of that line.
        separator: tab, comma, or a blank for any run of blanks; a semicolon where only that cuts all lines alike.
        semicolons: whether that line holds any.
        width: number of cells of a line.
        columns: where the two nodes stand, and the weight if there is one.
        header: whether that line names the columns.
        named: what it names the weight.
    """

    def __init__(self, text: str, path: Path) -> None:
        self.path = path
        self.line, first = next(_lines(text), (0, ""))
        if not first:
            raise DataError(f"{quoted(path)} holds no edges.")
        self.separator = "\t" if "\t" in first.strip() else "," if "," in first else " "
        self.semicolons = ";" in first
        if self.semicolons and not self._is_even(text):
            before, self.separator = self.separator, ";"
            self.separator = ";" if self._is_even(text) else before
        cells = self.split(first, self.line)
        self.width = len(cells)
        names = [cell.lower() for cell in cells]
        ends = ends_among(names)
        self.header = ends is not None
        if ends is not None:
            nodes = [names.index(end) for end in ends]
            third = [2] if self.width == 3 and max(nodes) == 1 else []
            self.columns = nodes + ([names.index("weight")] if "weight" in names else third)
        elif self.width in (2, 3):
            self.columns = list(range(self.width))
            self.header = self.width == 3 and cells[2].lower() not in _MISSING and _number(cells[2]) is None
        else:
            table = "" if self.width == 1 else " (a table is read from a .csv file)"
            raise DataError(
                f"{quoted(path)} line {self.line} has {self.width} cell{'' if self.width == 1 else 's'}, but an edge "
                f"has two nodes, and a weight if any, with tabs, commas, semicolons or blanks between them{table}."
            )
        self.named = cells[self.columns[2]] if self.header and len(self.columns) == 3 else None

    def _is_even(self, text: str) -> bool:
        """Whether the separator cuts all lines into as many cells, two at least."""
        try:
            widths = {len(self.split(line, number)) for number, line in _lines(text)}
        except DataError:
            return False
        return len(widths) == 1 and min(widths) > 1

    def split(self, line: str, number: int) -> list[str]:
        """The cells of a line, without blanks around them."""
        if self.separator == " ":
            return line.split()
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=self.separator, strict=True))]
        except csv.Error as error:
            raise DataError(f"{quoted(self.path)} line {number} cannot be split into cells: {error}.") from error

    def check(self, text: str) -> None:
        """Raise a DataError that names the first line at fault, if one is."""
        for number, line in _lines(text):
            cells = self.split(line, number)
            where = f"{quoted(self.path)} line {number}"
            if len(cells) != self.width:
                s = "" if len(cells) == 1 else "s"
                raise DataError(f"{where} has {len(cells)} cell{s}, line {self.line} has {self.width}.")
            if number == self.line and self.header:
                continue
            if not all(cells[column] for column in self.columns[:2]):
                raise DataError(f"{where} has an empty cell where a node belongs.")
            if len(self.columns) == 3:
                given = cells[self.columns[2]]
                weight = _number(given)
                if weight is None:
                    raise DataError(f"{where} has the weight {given!r}, which is not a number.")
                if not 0 <= weight <= _MOST:
                    raise DataError(f"{where} has the weight {given}: weights must be finite and at least 0.")


def parse_edges(text: str, path: Path) -> tuple[Graph, list[str]]:
    """The graph of an edge list, and what was told from its lines, a sentence each.

    Raises:
        DataError: there are no edges, or a line is at fault (the message says which).
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "{" in text:
        text = _OF_NETWORKX.sub(_without_braces, text)
    layout = Layout(text, path)
    frame = _cells(text, layout)
    said: list[str] = []
    whole = [frame[:, end].str.contains(_WHOLE).to_numpy() for end in (0, 1)]
    if not layout.header and len(frame) > 1 and not any(w[0] for w in whole) and all(w[1:].all() for w in whole):
        layout.header = True
    if layout.semicolons and layout.separator != ";":
        at = {"\t": "tabs", ",": "commas", " ": "blanks"}[layout.separator]
        said.append(f"Its lines hold semicolons, but are cut at {at}.")
    if layout.header:
        said.append(f"Line {layout.line} is a header.")
        frame, whole = frame[1:], [w[1:] for w in whole]
    if frame.height == 0:
        raise DataError(f"{quoted(path)} has a header but no edges.")
    weights = _weights(frame, layout, text)
    if weights is not None and (weights != 1).any():
        weight = (
            "The third cell of a line is its weight"
            if layout.named is None
            else f"Column {layout.named!r} holds weights"
        )
        said.append(f"{weight}, from {weights.min():g} to {weights.max():g}.")
    edges, names, n_nodes, how = _numbered(frame) if all(w.all() for w in whole) else _named(frame)
    if not layout.header and not all(w.all() for w in whole) and (apart := _apart(frame)):
        said.append(
            f"Line {layout.line} joins {apart}, which no other line holds: if it is a header, name its cells source "
            "and target."
        )
    graph = Graph.from_edges(edges, weights, n_nodes=n_nodes, names=names)
    graph.numbered = names is None
    return graph, [how, *said]


def _without_braces(line: re.Match[str]) -> str:
    weight = _WEIGHT.search(line[2])
    return f"{line[1]}{weight[1]}" if weight else line[1][:-1]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(io.StringIO(text), 1):
        bare = line.strip()
        if bare and bare[0] not in "#%":
            yield number, line.rstrip("\n")


def _cells(text: str, layout: Layout) -> pl.DataFrame:
    """The columns of `layout` as text, without blanks around the cells."""
    import polars as pl

    if text[:1] in ("#", "%", " ", "\t", "\n") or any(f"\n{start}" in text for start in "#% \t\n"):
        text_of_edges = _NO_EDGE.sub("", text)
    else:
        text_of_edges = text
    if layout.separator == " ":
        text_of_edges = text_of_edges.replace("\t", " ")
        if any(blanks in text_of_edges for blanks in ("  ", "\n ", " \n")) or " " in text_of_edges[:1]:
            text_of_edges = re.sub(r" *\n *", "\n", re.sub("  +", " ", text_of_edges)).strip(" ")
    columns = [str(column) for column in range(layout.width)]
    try:
        frame = pl.read_csv(
            text_of_edges.encode(),
            has_header=False,
            separator=layout.separator,
            quote_char=None if layout.separator == " " else '"',
            schema=dict.fromkeys(columns, pl.String),
        )
    except pl.exceptions.PolarsError as error:
        layout.check(text)
        raise DataError(f"{quoted(layout.path)} is damaged: its lines cannot be split into cells.") from error
    frame = frame.with_columns(pl.all().str.strip_chars())
    if frame[:, -1].null_count() or any(frame.select(pl.all().str.contains("\n", literal=True).any()).row(0)):
        layout.check(text)  # short lines are filled up with null; an open quotation mark takes lines in
    frame = frame.select(columns[column] for column in layout.columns).fill_null("")
    if any((frame[:, end] == "").any() for end in (0, 1)):
        layout.check(text)
    return frame


def _weights(frame: pl.DataFrame, layout: Layout, text: str) -> np.ndarray | None:
    import polars as pl

    if len(layout.columns) == 2:
        return None
    weights = frame[:, 2].cast(pl.Float64, strict=False).to_numpy()  # null becomes NaN
    if not ((weights >= 0) & (weights <= _MOST)).all():
        layout.check(text)
        raise DataError(f"{quoted(layout.path)} holds a weight that is not a number.")
    return weights


def _numbered(frame: pl.DataFrame) -> tuple[np.ndarray, list[str] | None, int, str]:
    """Edges, names and number of nodes where every node is a whole number."""
    import polars as pl

    edges = frame[:, :2].cast(pl.Int64).to_numpy()
    n = int(edges.max()) + 1
    if n <= edges.size and bool(np.bincount(edges.ravel(), minlength=n).all()):
        return edges, None, n, f"Its nodes are numbered 0 to {n - 1}."
    numbers, place = np.unique(edges, return_inverse=True)
    how = f"Its nodes are named by their numbers, of which not every one from 0 to {n - 1} occurs."
    return place.reshape(edges.shape), [str(number) for number in numbers.tolist()], len(numbers), how


def _named(frame: pl.DataFrame) -> tuple[np.ndarray, list[str], int, str]:
    """The same where a node is not: nodes in the order in which the lines name them."""
    import polars as pl

    nodes = frame.select(pl.concat_list(frame.columns[:2]).explode().alias("node"))
    names = nodes.unique(maintain_order=True)
    places = nodes.join(names.with_row_index("place"), on="node", how="left", maintain_order="left")["place"]
    edges = places.to_numpy().astype(np.int64).reshape(-1, 2)
    return edges, names["node"].to_list(), names.height, "Its nodes are known by name."


def _apart(frame: pl.DataFrame) -> str:
    """The first edge's nodes, in words, where no other of at least two edges has one of them; else nothing."""
    first, others = frame.row(0)[:2], frame[1:, :2]
    alone = len(others) > 1 and not any(others[:, end].is_in(list(first)).any() for end in (0, 1))
    return f"{first[0]!r} and {first[1]!r}" if alone else ""


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
