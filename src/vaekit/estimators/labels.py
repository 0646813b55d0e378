"""Labels as users hand them over, some of them missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from vaekit.errors import DataError, DataTypeError, check_unmasked, join


def read_labels(y: Any, n: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Check labels, some of which may be missing.

    Args:
        y: (n,) labels: numbers, strings or booleans. A row without a label has -1, or None where the array is one of
            objects.
        n: number of rows; None not to ask for it.

    Returns:
        The labels that are there, and (n,) booleans that say where.

    Raises:
        DataError: y is missing, of another length, or holds NaN.
        DataTypeError: y holds both strings and numbers, or strings of which one is '-1', or labels of another type.
    """
    if y is None:
        raise DataError("A classifier requires y to be passed, but the target y is None.")
    check_unmasked(y, "y")
    kinds = {isinstance(label, str) for label in y} if isinstance(y, (list, tuple)) else set()
    mixed = len(kinds) == 2  # so that a -1 among strings stays one
    y = np.asarray(y, dtype=object if mixed else None)
    if y.dtype.kind == "c":
        raise DataTypeError(_KIND.format(y.dtype))
    y = one_column(y)
    if n is not None and len(y) != n:
        raise DataError(f"X has {n} rows, but y has {len(y)} labels.")
    if y.dtype.kind == "O":
        there = np.array(
            [not (label is None or (not isinstance(label, (str, bool)) and same(label, -1))) for label in y], bool
        )
        kinds = {isinstance(label, str) for label in y[there]}
        if any(not same(label, label) for label in y[there]):
            raise DataError(_NAN + _NAN_OF_PANDAS)
        if len(kinds) == 2:
            raise DataTypeError("y holds both strings and other labels; make all of them strings, but for -1 or None.")
        for label in y[there]:
            if not isinstance(label, (str, bool, int, float, np.bool_, np.integer, np.floating)):
                raise DataTypeError(_KIND.format(type(label).__name__))
        return _checked(y[there] if True in kinds else np.array(y[there].tolist())), there
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise DataError(_NAN)
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise DataError("Input y contains infinity, which is no label.")
    there = y != -1 if y.dtype.kind in "if" else np.ones(len(y), bool)
    return _checked(y[there]), there


_KIND = "Labels must be strings, whole numbers or booleans, but y holds some of type {}."
_NAN = "Input y contains NaN; mark rows without a label by -1, or None where labels are strings."
_NAN_OF_PANDAS = " What pandas made NaN is None again after y.astype(object).where(y.notna(), None)."


def same(label: Any, other: Any) -> bool:
    """Equality, which for a missing value of pandas is neither true nor false; of NaN with itself it is false."""
    equal = label == other
    return isinstance(equal, (bool, np.bool_)) and bool(equal)


def _checked(labels: np.ndarray) -> np.ndarray:
    """Labels as they are, if they are of a type that can be saved and, if numbers, whole."""
    if labels.dtype.kind == "U" or (labels.dtype.kind == "O" and isinstance(labels[:1].tolist()[0], str)):
        if (labels == "-1").any():
            raise DataTypeError(
                "y is an array of strings that holds '-1'; for rows without a label make it an array of objects with "
                "None or the number -1 there."
            )
    elif labels.dtype.kind not in "biuf":
        raise DataTypeError(_KIND.format(labels.dtype))
    elif len(labels):
        check_targets(labels)
    return labels


def one_column(y: Any) -> np.ndarray:
    """scikit-learn's `column_or_1d`, whose errors are DataErrors here; nor may values be masked."""
    check_unmasked(y, "y")
    try:
        return column_or_1d(y, warn=True)
    except ValueError as error:
        raise DataError(str(error)) from error


def check_targets(labels: np.ndarray) -> None:
    """scikit-learn's `check_classification_targets`, whose errors are DataErrors here."""
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise DataError(str(error)) from error


def read_weights(weights: Any, n: int) -> np.ndarray | None:
    """(n,) weights of rows, as float64; None for equal ones.

    Raises:
        DataError: they are no finite numbers from 0 up, one for each row, or all are 0.
    """
    if weights is None:
        return None
    check_unmasked(weights, "sample_weight")
    refusal = f"sample_weight must hold a finite number from 0 up for each of the {n} rows, and not 0 for all."
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(refusal) from error
    if values.shape != (n,) or not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise DataError(refusal)
    return values


def find_classes(labels: np.ndarray) -> np.ndarray:
    """The classes in sorted order.

    Raises:
        DataError: there are fewer than two.
    """
    if not len(labels):
        raise DataError("y has no label: every row is marked as one without.")
    classes = np.unique(labels)
    if len(classes) == 1:
        raise DataError(f"y has one class only, {classes.tolist()[0]!r}; a classifier needs at least two.")
    return classes


def number_labels(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """int64 places of labels among the classes; -1 for those that are none of them."""
    place = {label: number for number, label in enumerate(classes.tolist())}
    return np.array([place.get(label, -1) for label in labels.tolist()], np.int64)


def unseen(labels: np.ndarray, numbers: np.ndarray) -> str:
    """The labels that have no number, listed."""
    return join(np.unique(labels[numbers < 0]).tolist())
