"""Labels as users hand them over, some of them missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from vaekit.errors import DataError, DataTypeError, join


def read_labels(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Check labels, some of which may be missing.

    Args:
        y: (n,) labels: numbers, strings or booleans. A row without a label has -1, or None where the array is one of
            objects.
        n: number of rows.

    Returns:
        The labels that are there, and (n,) booleans that say where.

    Raises:
        DataError: y is missing, of another length, or holds NaN.
        DataTypeError: y holds both strings and numbers, or an array of strings holds '-1'.
    """
    if y is None:
        raise DataError("A classifier requires y to be passed, but the target y is None.")
    y = column_or_1d(np.asarray(y), warn=True)
    if len(y) != n:
        raise DataError(f"X has {n} rows, but y has {len(y)} labels.")
    if y.dtype.kind == "O":
        there = np.array(
            [not (label is None or (not isinstance(label, (str, bool)) and _is(label, -1))) for label in y]
        )
        kinds = {type(label) is str for label in y[there]}
        if any(not _is(label, label) for label in y[there]):
            raise DataError(_NAN)
        if len(kinds) == 2:
            raise DataTypeError("y holds both strings and other labels; make all of them strings, but for -1 or None.")
        return (y[there] if True in kinds else _checked(np.array(y[there].tolist()))), there
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise DataError(_NAN)
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise DataError("Input y contains infinity, which is no label.")
    if y.dtype.kind in "US":
        if (y == y.dtype.type("-1")).any():
            raise DataTypeError(
                "y is an array of strings that holds '-1'; for rows without a label make it an array of objects with "
                "None or the number -1 there."
            )
        return y, np.ones(n, bool)
    there = y != -1 if y.dtype.kind in "if" else np.ones(n, bool)
    return _checked(y[there]), there


_NAN = "Input y contains NaN; mark rows without a label by -1, or None where labels are strings."


def _is(label: Any, other: Any) -> bool:
    """Equality, which for a missing value of pandas is neither true nor false."""
    same = label == other
    return bool(same) if isinstance(same, (bool, np.bool_)) else False


def _checked(labels: np.ndarray) -> np.ndarray:
    if len(labels):
        check_classification_targets(labels)
    return labels


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
    place = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    return np.where(classes[place] == labels, place, -1).astype(np.int64)


def unseen(labels: np.ndarray, numbers: np.ndarray) -> str:
    """The labels that have no number, listed."""
    return join(np.unique(labels[numbers < 0]).tolist())
