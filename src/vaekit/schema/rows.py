"""Rows: their shape, type and container, a data set of them, and the statistics of their columns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

# numbered: pandas, its columns whole numbers
Container = Literal["numpy", "sparse", "pandas", "numbered", "polars", "pyarrow"]


@dataclass(frozen=True)
class ArraySchema:
    """What one row of X is, so that what vaekit makes can be given back in the same kind.

    Attributes:
        shape: shape of a row: (D,) for a vector, (H, W) or (C, H, W) for an image, any other for own networks.
        dtype: numpy name of the type of X as it was given ("uint8", "float64", ...).
        container: what held the rows.
        columns: names of the columns of a DataFrame, else None.
        column_dtypes: each column's type as narwhals calls it, for a DataFrame.
        column_natives: the same as pandas calls it, where pandas held the rows.
    """

    shape: tuple[int, ...]
    dtype: str
    container: Container = "numpy"
    columns: tuple[str, ...] | None = None
    column_dtypes: tuple[str, ...] | None = None
    column_natives: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Number of values D in a row."""
        return math.prod(self.shape)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of columns as scikit-learn has them: none where they are whole numbers."""
        return None if self.container == "numbered" else self.columns

    @property
    def is_image(self) -> bool:
        """Whether a row is a picture: (H, W), or (C, H, W) with 1, 3 or 4 channels."""
        if len(self.shape) == 2:
            return True
        return len(self.shape) == 3 and self.shape[0] in (1, 3, 4)

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ArraySchema:
        """The inverse of `to_json`."""
        tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**tuples)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as read from a file or by its name.

    Attributes:
        name: what the user asked for.
        X: (n, D) array, scipy.sparse matrix or polars DataFrame, or (n, H, W) / (n, C, H, W) images.
        y: (n,) labels, or None.
        X_test, y_test: the data set's own test part, or None.
        kind: "array", "table", "images" or "graph".
        note: one line on what was read and from where.
        label_names: names of the labels 0, 1, ..., or None.
    """

    name: str
    X: Any
    y: Any = None
    X_test: Any = None
    y_test: Any = None
    kind: str = "array"
    note: str = ""
    label_names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class ColumnStats:
    """Statistics of each column over the rows, in float64.

    Attributes:
        n: number of rows.
        mean, std: mean and standard deviation (divided by n).
        low, high: smallest and largest value.
        whole: whether all values are whole numbers.
    """

    n: int
    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor
    whole: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a row."""
        return tuple(self.mean.shape)

    @property
    def overall_std(self) -> float:
        """Standard deviation of all values together, whatever their column."""
        return float((self.std.square() + (self.mean - self.mean.mean()).square()).mean().sqrt())

    @property
    def pooled_std(self) -> float:
        """Root of the mean variance of the columns that vary, each about its own mean; 0 where none does."""
        varies = self.high > self.low
        return float(self.std[varies].square().mean().sqrt()) if bool(varies.any()) else 0.0

    @property
    def two_valued(self) -> bool:
        """Whether every value is 0 or the largest value h: x in [0, h] has E[x^2] = h E[x] just then."""
        h = self.high.max()
        gap = h * self.mean - (self.std.square() + self.mean.square())
        return bool((self.low >= 0).all() and h > 0 and (gap.abs() <= 1e-10 * h * h).all())

    @classmethod
    def placeholder(cls, shape: tuple[int, ...]) -> ColumnStats:
        """Columns between 0 and 1, for a network whose weights are about to be loaded."""
        import torch

        zero = torch.zeros(shape, dtype=torch.float64)
        return cls(1, zero, zero + 1, zero, zero + 1, torch.ones(shape, dtype=torch.bool))
