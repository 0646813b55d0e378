"""From what users hand over to rows in memory, and back to the same kind."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis
from sklearn.utils.validation import validate_data

from vaekit.data.coding import code_table
from vaekit.data.frames import as_floats, as_frame, backend_of, check_names, finish, numbered, series_of, whole
from vaekit.data.streams import TableRows, as_lazy, code_lazy
from vaekit.errors import DataError, DataTypeError, check_unmasked, join
from vaekit.schema import ArraySchema, Column, Container, TableSchema


def read_array(estimator: BaseEstimator, X: Any, *, reset: bool) -> tuple[Any, ArraySchema]:
    r"""Check X by scikit-learn's rules and give its values and schema.

    Args:
        estimator: gets `n_features_in_` and `feature_names_in_` where `reset`, and is checked against them otherwise.
        X: (n, D) array-like, scipy.sparse matrix or DataFrame, or an array or tensor (n, \*shape).
        reset: True in `fit`.

    Returns:
        (n, \*shape) array or CSR matrix, and what a row is.

    Raises:
        DataTypeError: columns hold text.
        DataError: columns hold NaN or infinity, or rows have another shape than at fit.
    """
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().to_dense()
        X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    check_unmasked(X, "X", ", which only a TabularVAE takes, as missing")
    frame = _frame(X)
    if frame is not None:
        text = [name for name, kind in frame.schema.items() if not (kind.is_numeric() or kind == nw.Boolean)]
        if text:
            raise DataTypeError(
                f"Column{'s' if len(text) > 1 else ''} {join(text)} hold{'' if len(text) > 1 else 's'} text or other "
                f"values that are not numbers; drop {'them' if len(text) > 1 else 'it'} or encode "
                f"{'them' if len(text) > 1 else 'it'} as numbers, or take a TabularVAE."
            )
    shape = _shape(X)
    flat = X
    if len(shape) > 1:
        array = np.asarray(X)
        flat = array.reshape(len(array), -1)
        fitted = getattr(estimator, "schema_", None)
        if not reset and fitted is not None and shape not in (fitted.shape, (fitted.size,)):
            name = type(estimator).__name__
            raise DataError(f"X has rows of shape {shape}, but {name} was fitted on rows of shape {fitted.shape}.")
    values: Any = validate_data(
        estimator,
        flat,  # pyright: ignore[reportArgumentType]
        reset=reset,
        accept_sparse="csr",
        dtype="numeric",
        ensure_all_finite=False,
        ensure_min_samples=2 if reset else 1,
    )
    if values.dtype.kind in "mM":
        raise DataTypeError("X holds times: turn them into numbers, or take a TabularVAE for a DataFrame of them.")
    if values.dtype.kind == "O":  # of decimals
        values = values.astype(np.float64)
    names = list(frame.columns) if frame is not None else None
    known = None if reset else estimator.schema_.columns  # type: ignore[attr-defined]
    if known and names and list(known) != list(map(str, names)) and sorted(known) == sorted(map(str, names)):
        raise DataError("The columns of X stand in another order than at fit.")  # scikit-learn looks at text only
    _check_finite(values, names)
    check_precision(values, names, spread=reset)
    schema = ArraySchema(
        shape=shape,
        dtype=str(values.dtype),
        container=_container(X, frame),
        columns=tuple(map(str, names)) if names is not None else None,
        column_dtypes=None if frame is None else tuple(str(kind) for kind in frame.schema.values()),
        column_natives=tuple(map(str, X.dtypes)) if frame is not None and frame.implementation.is_pandas() else None,
    )
    return (values if scipy.sparse.issparse(values) else np.asarray(values).reshape(-1, *shape)), schema


def like_input(values: np.ndarray, schema: ArraySchema, *, as_data: bool) -> Any:
    r"""Give rows back in the kind of container that the data came in.

    Args:
        values: (n, \*shape) numbers.
        schema: of the data.
        as_data: True for values such as the data hold (samples), which get the data's type; False for means, which
            are floating-point numbers whatever the data are, of columns as `as_floats` says.
    """
    if schema.columns is not None:
        columns, backend = _columns(schema), backend_of(schema.container)
        exact = [as_data and not column.dtype.startswith("Decimal") for column in columns]  # pandas cannot name those
        columns = [column if same else as_floats(column) for column, same in zip(columns, exact, strict=True)]
        each = zip(columns, values.T.astype(np.float64), strict=True)
        return finish(
            nw.from_dict({column.name: series_of(column, v, backend) for column, v in each}), schema.container
        )
    if as_data:
        exact = np.dtype(schema.dtype).kind in "iub"
        values = whole(values, schema.dtype) if exact else values.astype(schema.dtype)
    if schema.container == "sparse":
        return scipy.sparse.csr_array(values)
    return values


def _columns(schema: ArraySchema) -> list[Column]:
    """The columns of rows, each with its type; decimals, whose digits no model keeps, as real numbers."""
    names, dtypes = schema.columns or (), schema.column_dtypes or ()
    natives = schema.column_natives or ("",) * len(names)  # none in older folders
    each = zip(names, dtypes, natives, strict=True)
    columns = [Column(name, "real", dtype, native) for name, dtype, native in each]
    return [as_floats(column) if column.dtype.startswith("Decimal") else column for column in columns]


def with_index_of(X: Any, rows: Any) -> Any:
    """Rows, made of those of X, with its index where both are pandas DataFrames."""
    if hasattr(X, "iloc") and hasattr(rows, "iloc"):
        rows.index = X.index
    return rows


def _frame(X: Any) -> Any | None:
    if isinstance(X, (np.ndarray, list, tuple)) or scipy.sparse.issparse(X):
        return None
    if nw.dependencies.is_pandas_dataframe(X):
        check_names(list(X.columns))
    if nw.dependencies.is_pyarrow_table(X):
        check_names(list(X.column_names))
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame) else None


def _container(X: Any, frame: Any | None) -> Container:
    if scipy.sparse.issparse(X):
        return "sparse"
    if frame is None:
        return "numpy"
    if numbered(X):
        return "numbered"
    kind = frame.implementation
    return "polars" if kind.is_polars() else "pyarrow" if kind.is_pyarrow() else "pandas"


def _shape(X: Any) -> tuple[int, ...]:
    shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    return tuple(int(length) for length in shape[1:]) or (1,)


def _check_finite(values: Any, names: list[str] | None) -> None:
    data = values.data if scipy.sparse.issparse(values) else values
    if data.dtype.kind != "f" or np.isfinite(data).all():
        return
    if scipy.sparse.issparse(values):
        bad = np.unique(values.indices[~np.isfinite(data)])
    else:
        bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
    kind = "NaN" if np.isnan(data).any() else "infinity"
    if np.isnan(data).any() and np.isinf(data).any():
        kind = "NaN and infinity"
    where = join([names[i] for i in bad] if names else [int(i) for i in bad])
    tabular = ", or take a TabularVAE" if kind == "NaN" and names else ""
    raise DataError(
        f"Input X contains {kind} in column{'s' if len(bad) > 1 else ''} {where}; "
        f"fill or drop these values (scikit-learn's SimpleImputer does) before fitting{tabular}."
    )


def check_precision(values: Any, names: list[str] | None, what: str = "", *, spread: bool = True) -> None:
    """Raise DataError for columns whose values 32-bit numbers would not tell apart, or not hold.

    Args:
        values: (n, D) numbers.
        names: of the columns.
        what: is named besides.
        spread: whether these are the rows of the fit, whose spread says what is to be told apart.
    """
    if values.dtype.itemsize < 4 or values.dtype == np.float32:
        return
    if scipy.sparse.issparse(values):
        exact: Any = values.astype(np.float64)
        ends: Any = min_max_axis(exact, 0)
        moments: Any = mean_variance_axis(exact, 0)
        low, high, spreads = *ends, np.sqrt(moments[1])
    else:
        low, high, spreads = values.min(axis=0), values.max(axis=0), values.std(axis=0)
    largest = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
    varies = high > low  # the spread of a constant column may not be quite zero
    alike = varies & (largest * np.finfo(np.float32).eps > 0.01 * spreads)
    bad = np.flatnonzero((largest > 3e38) | (alike if spread else False))
    if len(bad):
        where, s = join([names[i] for i in bad] if names else [int(i) for i in bad]), "s" if len(bad) > 1 else ""
        raise DataError(
            f"The values{what} in column{s} {where} are too large beside their spread for 32-bit numbers; "
            "subtract a constant from them, or divide by one, first."
        )


def read_table(estimator: Any, X: Any, schema: TableSchema) -> TableRows:
    """Check a table, and give its rows as the model takes them.

    Args:
        estimator: knows how many columns it was fitted on.
        X: a table, in memory or to be read a batch at a time.
        schema: learned at fit.

    Raises:
        DataError: columns are missing or too many, or hold what they cannot.
    """
    lazy = as_lazy(X)
    if lazy is not None:
        return code_lazy(lazy, schema)
    frame, container = as_frame(X)
    if container == schema.container == "numpy" and len(frame.columns) != estimator.n_features_in_:
        raise DataError(
            f"X has {len(frame.columns)} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    return TableRows(torch.from_numpy(code_table(frame, schema)))
