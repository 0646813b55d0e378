"""A table: its columns, what kind of values each holds, and how they become numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

ColumnKind = Literal[
    "real",
    "positive",
    "count",
    "binary",
    "ordinal",
    "categorical",
    "datetime",
    "constant",
    "text",
    "identifier",
]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)
LEVELLED = ("binary", "ordinal", "categorical")
DENSE = ("real", "positive", "datetime")  # with a density
ASIDE = ("text", "identifier")


@dataclass(frozen=True)
class Warp:
    r"""A monotone map from numbers to about standard normal ones: location, scale and sinh-arcsinh.

    .. math:: t = \frac{\sinh(\delta\,\mathrm{arsinh}\,\frac{b(x) - c}{s} - \epsilon) - m}{r}

    with b(x) = x, of positive numbers log x, of counts log(x + 1) (Jones and Pewsey 2009, eq. 1, as a map of the data).

    Attributes:
        centre, scale: c and s.
        skew, tail: epsilon and delta; 0 and 1 leave the shape as it is, a smaller delta pulls long tails in.
        mean, spread: m and r.
    """

    centre: float = 0.0
    scale: float = 1.0
    skew: float = 0.0
    tail: float = 1.0
    mean: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its name.
        kind: what its values are; see `KINDS`.
        dtype: its type in the table that was fitted, as narwhals calls it.
        native: its type as pandas calls it, where pandas held the table.
        levels: of a binary, ordinal or categorical column its values, in the order of their codes; of a constant
            column its value, or nothing where the whole column is missing.
        shares: frequencies of the levels, smoothed.
        pool: number of the last levels, rare ones, that share one code; within it they keep their frequencies.
        warp: of numbers, the map to about standard normal ones.
        zeros: share of zeros in a positive column, smoothed by half a row of each, so that a first zero has a place.
        decimals: decimal places that all numbers had, or None.
        step: of times, the seconds of which all were multiples.
        low, high: smallest and largest number.
        n_observed: number of cells that were not missing, held-out ones among them, when the kind was told; 0 where not
            known.
    """

    name: str
    kind: ColumnKind
    dtype: str
    native: str = ""
    levels: tuple[Any, ...] = ()
    shares: tuple[float, ...] = ()
    pool: int = 0
    warp: Warp = Warp()
    zeros: float = 0.0
    decimals: int | None = None
    step: float = 0.0
    low: float = 0.0
    high: float = 0.0
    n_observed: int = 0

    @property
    def codes(self) -> int:
        """Codes of a binary, ordinal or categorical column: its levels, those of the pool taken as one."""
        return len(self.levels) - max(0, self.pool - 1)

    @property
    def timed(self) -> bool:
        """Whether its values are dates or times."""
        return self.dtype.startswith("Date")

    @property
    def modelled(self) -> bool:
        """Whether the column is part of the model."""
        return self.kind not in (*ASIDE, "constant")


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in order, and what held them.

    Attributes:
        all_columns: every column.
        container: "pandas", "numbered" (pandas, its columns named by whole numbers), "polars", "pyarrow" or "numpy".
    """

    all_columns: tuple[Column, ...]
    container: str = "pandas"

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that are part of the model, in order."""
        return tuple(column for column in self.all_columns if column.modelled)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(column.name for column in self.all_columns)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of columns as scikit-learn has them: none where they are whole numbers, or those of an array."""
        return None if self.container in ("numbered", "numpy") else self.columns

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row as the model takes it: (D,)."""
        return (len(self.modelled),)

    @property
    def is_image(self) -> bool:
        """Never."""
        return False

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON types."""
        return {"container": self.container, "columns": [asdict(column) for column in self.all_columns]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TableSchema:
        """The inverse of `to_json`."""
        columns = []
        for each in values["columns"]:
            lists = {name: tuple(value) for name, value in each.items() if isinstance(value, list)}
            columns.append(Column(**{**each, **lists, "warp": Warp(**each["warp"])}))
        return cls(tuple(columns), values["container"])
