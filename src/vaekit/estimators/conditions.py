"""Conditions as users hand them over, class labels or vectors, brought into one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _get_feature_names

from vaekit.errors import DataError, DataTypeError, OptionError, check_unmasked, join
from vaekit.estimators.inputs import check_precision
from vaekit.estimators.labels import check_targets, number_labels, one_column, same, unseen


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Rows with labels y or vectors `condition`, one of the two, as an argument of its own."""

    X: Any
    y: Any = None
    condition: Any = None

    @classmethod
    def of(cls, X: Any, y: Any, condition: Any) -> Conditioned:
        """The three as one, or X itself where it is that already."""
        return X if isinstance(X, cls) else cls(X, y, condition)


@dataclass(frozen=True, eq=False)
class ConditionSchema:
    """What a condition is, learned at fit.

    Attributes:
        width: C.
        classes: the labels in sorted order, which are coded as indicators; None for vectors.
        columns: names of the vectors' columns, where they came in a data frame.
    """

    width: int
    classes: np.ndarray | None = None
    columns: tuple[str, ...] | None = None

    @classmethod
    def learn(cls, y: Any, condition: Any) -> ConditionSchema:
        """From the labels or the vectors of a fit."""
        _check_one(y, condition)
        if condition is not None:
            columns = _names(condition)
            return cls(_narrow(_vectors(condition), columns, fitted=True).shape[1], columns=columns)
        classes = np.unique(_labels(y))
        return cls(len(classes), classes)

    def code(self, y: Any, condition: Any, n: int | None, what: str = "X") -> np.ndarray:
        """Conditions as (n, C) float32.

        Args:
            y: (n,) labels, or one label for all rows.
            condition: (n, C) vectors, or one vector (C,) for all rows.
            n: number of rows; None takes as many as there are conditions.
            what: what has n rows.

        Raises:
            OptionError: neither or both are given, or the other of what was given at fit.
            DataError: there are labels that were not there at fit, vectors of another width or another number of rows.
        """
        _check_one(y, condition)
        if (y is None) != (self.classes is None):
            was, want, not_ = ("vectors", "condition", "y") if self.classes is None else ("labels", "y", "condition")
            raise OptionError(f"This ConditionalVAE was fitted with {was}: give {want}=, not {not_}=.")
        return self._code_labels(y, n, what) if self.classes is not None else self._code_vectors(condition, n, what)

    def _code_labels(self, y: Any, n: int | None, what: str) -> np.ndarray:
        assert self.classes is not None
        y = np.asarray(y)
        labels = _labels(np.full(1 if n is None else n, y) if y.ndim == 0 else y)
        _check_length("y", len(labels), n, what)
        numbers = number_labels(labels, self.classes)
        if (numbers < 0).any():
            many = len(np.unique(labels[numbers < 0])) > 1
            raise DataError(
                f"y holds the label{'s' if many else ''} {unseen(labels, numbers)}, which {'were' if many else 'was'} "
                f"not there at fit: {join(self.classes.tolist())} were."
            )
        return np.eye(self.width, dtype=np.float32)[numbers]

    def _code_vectors(self, condition: Any, n: int | None, what: str) -> np.ndarray:
        values, names = _vectors(condition), _names(condition)
        if np.ndim(condition) == 1 and len(condition) == self.width and (self.width > 1 or n != 1):
            if self.width > 1 and hasattr(condition, "iloc") and condition.index.inferred_type == "string":
                names = tuple(condition.index)  # a row of a DataFrame
            values = np.broadcast_to(values.T, (1 if n is None else n, self.width)).copy()
        if values.shape[1] != self.width:
            raise DataError(
                f"condition has {values.shape[1]} column{'s' if values.shape[1] != 1 else ''}, but ConditionalVAE was "
                f"fitted with {self.width}."
            )
        _check_length("condition", len(values), n, what)
        if self.columns is not None and names is not None and names != self.columns:
            raise DataError(
                f"condition has the columns {join(list(names))}, but ConditionalVAE was fitted with "
                f"{join(list(self.columns))}, in this order."
            )
        return _narrow(values, self.columns, fitted=False)

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON types."""
        if self.classes is None:
            return {"width": self.width, **({} if self.columns is None else {"columns": list(self.columns)})}
        return {"width": self.width, "classes": self.classes.tolist(), "dtype": self.classes.dtype.str}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ConditionSchema:
        """The inverse of `to_json`."""
        if "classes" not in values:
            columns = values.get("columns")
            return cls(values["width"], columns=None if columns is None else tuple(columns))
        return cls(values["width"], np.array(values["classes"], dtype=values["dtype"]))


def _check_one(y: Any, condition: Any) -> None:
    if y is None and condition is None:
        raise OptionError(
            "A ConditionalVAE requires y to be passed, but the target y is None: give labels as y=, or vectors as "
            "condition=."
        )
    if y is not None and condition is not None:
        raise OptionError("Give labels as y= or vectors as condition=, not both.")


def _check_length(name: str, length: int, n: int | None, what: str) -> None:
    if n is not None and length != n:
        raise DataError(f"{what} has {n} rows, but {name} has {length}.")


def _labels(y: Any) -> np.ndarray:
    labels = one_column(y)
    if labels.dtype.kind == "O":
        if any(label is None or not same(label, label) for label in labels):
            raise DataError("Input y contains NaN: every row needs its label.")
        if len({isinstance(label, str) for label in labels}) == 2:
            raise DataTypeError("y holds both strings and other labels; make all of them strings.")
        labels = np.array(labels.tolist())
    if labels.dtype.kind not in "biufU":
        raise DataTypeError(f"y holds values of type {labels.dtype}; labels are numbers or strings.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError(
            f"Input y contains {'NaN' if np.isnan(labels).any() else 'infinity'}: every row needs its label."
        )
    if labels.dtype.kind == "f" and (labels != labels.round()).any():
        raise DataError(
            "y holds real numbers, which are no labels (Unknown label type: continuous); give them as condition=."
        )
    check_targets(labels)
    return labels


def _vectors(condition: Any) -> np.ndarray:
    check_unmasked(condition, "condition")
    if np.ndim(condition) == 0:
        raise DataError(f"condition must have the shape (n, C), not be the single value {condition!r}.")
    values = np.asarray(
        check_array(
            condition,
            dtype="numeric",
            ensure_2d=False,
            allow_nd=True,
            input_name="condition",
        )
    )
    if values.ndim not in (1, 2):
        raise DataError(f"condition must have the shape (n, C), not {values.shape}.")
    return values[:, None] if values.ndim == 1 else values


def _names(condition: Any) -> tuple[str, ...] | None:
    """Names of a data frame's columns, as scikit-learn reads them."""
    names = _get_feature_names(condition)
    return None if names is None else tuple(map(str, names))


def _narrow(values: np.ndarray, names: tuple[str, ...] | None, *, fitted: bool) -> np.ndarray:
    """(n, C) numbers as float32; DataError where that would not hold them or, of those of the fit, tell them apart."""
    check_precision(values, None if names is None else list(names), " of condition", spread=fitted)
    return values.astype(np.float32)
