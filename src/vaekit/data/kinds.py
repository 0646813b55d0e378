"""What kind of data an array is, told from its shape, and the same rows read as another kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from vaekit.errors import DataError, DataTypeError, check_choice
from vaekit.schema import ArraySchema, Dataset

KINDS = ("array", "table", "images", "graph")


def check_kind(kind: str | None) -> None:
    """Raise an OptionError unless `kind` is None or one of `KINDS`."""
    if kind is not None:
        check_choice("kind", kind, KINDS)


def check_numbers(X: np.ndarray, where: str) -> np.ndarray:
    """Return `X` in the machine's byte order; raise a DataTypeError unless it holds real numbers or true/false."""
    if X.dtype.kind not in "biuf":
        what = {"U": "text", "S": "text", "T": "text", "c": "complex numbers", "M": "dates", "m": "durations"}
        found = what.get(X.dtype.kind, f"values of type {X.dtype}")
        raise DataTypeError(f"{where} holds {found} where real numbers belong.")
    return X.astype(X.dtype.newbyteorder("="), copy=False)


def as_kind(X: np.ndarray, kind: str | None, where: str) -> tuple[np.ndarray, str]:
    """Tell the kind of `X` from its shape, or bring it into the shape of the kind asked for.

    Args:
        X: (n, ...) numbers.
        kind: "array" flattens rows, "images" and "table" insist on their shapes, None takes what the shape says.
        where: how messages name the source.

    Raises:
        DataError: the shape does not fit the kind, or does not tell one.

    >>> X, kind = as_kind(np.zeros((5, 8, 8)), None, "'x.npy'")
    >>> X.shape, kind
    ((5, 8, 8), 'images')
    >>> as_kind(X, "array", "'x.npy'")[0].shape
    (5, 64)
    """
    shape = f"{where} has the shape {X.shape}"
    if X.ndim < 2:
        raise DataError(f"{shape}, but a row for each example is needed, so at least two dimensions.")
    if X.size == 0:
        raise DataError(f"{shape}, so it holds no values.")
    is_image = ArraySchema(X.shape[1:], str(X.dtype)).is_image
    if kind == "array":
        return X.reshape(len(X), -1), kind
    if kind == "table" and X.ndim != 2:
        raise DataError(f"{shape}, but a table has the shape (n, D): --kind array flattens each row.")
    if kind == "images" and not is_image:
        raise DataError(f"{shape}, but images have the shape (n, H, W), or (n, C, H, W) with 1, 3 or 4 channels.")
    if kind is None and X.ndim > 2 and not is_image:
        raise DataError(
            f"{shape}, which is neither (n, D) rows nor images of the shape (n, H, W), or (n, C, H, W) with "
            "1, 3 or 4 channels: --kind array flattens each row."
        )
    return X, kind or ("images" if is_image else "array")


def array_dataset(
    name: str, parts: dict[str, np.ndarray], kind: str | None, where: str, note: str = "", **extra: Any
) -> Dataset:
    """Make a Dataset of arrays after checking that they fit together.

    Args:
        name: what the user asked for.
        parts: "X" (n, ...) and, where there are any, "y" (n,), "X_test" (m, ...) and "y_test" (m,).
        kind: the kind asked for, or None to tell it from the shape of X.
        where: how messages name the source.
        note: one line on what was read; empty: made of the shape and the source.
        extra: further fields of the Dataset.

    Raises:
        DataError: shapes do not fit.
        DataTypeError: X or X_test holds something other than real numbers.
    """
    X, found = as_kind(check_numbers(parts["X"], where), kind, where)
    X_test = parts.get("X_test")
    if X_test is not None:
        inside = f"the array 'X_test' of {where}"
        X_test, _ = as_kind(check_numbers(X_test, inside), found, inside)
        if X_test.shape[1:] != X.shape[1:]:
            raise DataError(f"{where} has rows of shape {X.shape[1:]} in X, but {X_test.shape[1:]} in X_test.")
    for name_y, name_x, rows in (("y", "X", X), ("y_test", "X_test", X_test)):
        y = parts.get(name_y)
        if y is not None and rows is None:
            raise DataError(f"{where} has {name_y}, but no {name_x}.")
        if y is not None and rows is not None and y.shape != rows.shape[:1]:
            needed = f"{name_x} has {len(rows)} rows, and one label a row is needed"
            raise DataError(f"{where} has {name_y} of the shape {y.shape}, but {needed}.")
    note = note or f"{describe(X)} from {where}"
    return Dataset(name, X, parts.get("y"), X_test, parts.get("y_test"), kind=found, note=note, **extra)


def describe(X: Any) -> str:
    """Say in a few words what the rows of X are.

    >>> describe(np.zeros((1500, 3, 8, 9)))
    '1,500 rows of 3 x 8 x 9 float64'
    """
    return f"{X.shape[0]:,} rows of {' x '.join(f'{length:,}' for length in X.shape[1:])} {X.dtype}"
