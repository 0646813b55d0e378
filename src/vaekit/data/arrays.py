"""Reading .npy and .npz files; pickled objects in them are refused, since loading one runs code."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data.files import opened, quoted
from vaekit.data.grapharrays import GRAPH_KEYS, naming
from vaekit.data.kinds import array_dataset, check_numbers
from vaekit.errors import DataError, join
from vaekit.schema import Dataset, Graph

X_NAMES = ("X", "images", "data")  # in this order
OTHER_NAMES = ("y", "X_test", "y_test")

# What numpy, scipy and zipfile were seen to raise on damaged files.
_DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(path: Path, kind: str | None = None) -> Dataset:
    """Read the array of a .npy file.

    Args:
        path: the file.
        kind: "array", "table" or "images"; None tells it from the shape.

    Raises:
        DataError: the file is missing, damaged, holds Python objects, or its shape does not fit the kind.
        DataTypeError: it holds something other than real numbers.
    """
    return array_dataset(str(path), {"X": _load(path, ".npy", b"\x93NUMPY")[""]}, kind, quoted(path))


def read_npz(path: Path, kind: str | None = None) -> Dataset:
    """Read the arrays X, y, X_test and y_test of a .npz file, or the matrix that `scipy.sparse.save_npz` wrote.

    X may also be named `images` or `data`; an array that is alone in its file may have any name. A file with the
    arrays `adj_data`, `adj_indices`, `adj_indptr` and `adj_shape` is a graph, see `write_graph`.

    Args:
        path: the file.
        kind: "array", "table", "images" or "graph" (then a matrix is an adjacency); None tells it from the names of
            the arrays and the shape of X.

    Raises:
        DataError: the file is missing, damaged, holds Python objects, does not say which array is X, or the shapes
            do not fit.
        DataTypeError: X or X_test holds something other than real numbers.
    """
    arrays = _load(path, ".npz", b"PK")
    if {"format", "shape"} <= arrays.keys():
        return _sparse(path, kind)
    if kind == "graph" or arrays.keys() >= GRAPH_KEYS:
        from vaekit.data.graphs import read_graph_arrays

        return read_graph_arrays(path, arrays, kind)
    parts = {name: arrays[name] for name in OTHER_NAMES if name in arrays}
    candidates = [name for name in X_NAMES if name in arrays] or [name for name in arrays if name not in OTHER_NAMES]
    if not candidates:
        raise DataError(f"{quoted(path)} holds no array to read as X.")
    if len(candidates) > 1 and candidates[0] not in X_NAMES:
        raise DataError(f"{quoted(path)} holds the arrays {join(arrays)}: name the one to read 'X'.")
    return array_dataset(str(path), {"X": arrays[candidates[0]], **parts}, kind, quoted(path))


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz file by name, raising a DataError that names the file."""
    return _load(path, ".npz", b"PK")


def load_mat(path: Path, name: str) -> np.ndarray:
    """The array of that name in a MATLAB file (up to version 7), raising a DataError that names the file."""
    import scipy.io

    with opened(path) as file:
        try:
            return np.asarray(scipy.io.loadmat(file, variable_names=[name])[name])
        except (*_DAMAGE, OSError, scipy.io.matlab.MatReadError) as error:
            raise DataError(f"{quoted(path)} is not a MATLAB file with an array {name!r}, or it is damaged.") from error


def _load(path: Path, ending: str, magic: bytes) -> dict[str, np.ndarray]:
    with opened(path) as file:
        if file.read(len(magic)) != magic:
            raise DataError(f"{quoted(path)} is not a {ending} file, or it is damaged.")
        file.seek(0)
        try:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        except _DAMAGE as error:
            if "allow_pickle" in str(error):
                message = f"{quoted(path)} holds Python objects, which are not loaded because that can run code."
                raise DataError(message) from error
            what = "too large for the memory, or damaged" if isinstance(error, MemoryError) else "damaged"
            raise DataError(f"{quoted(path)} is {what}: its data cannot be read to the end.") from error
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def _sparse(path: Path, kind: str | None) -> Dataset:
    import scipy.sparse

    if kind not in (None, "array", "graph"):
        raise DataError(f"{quoted(path)} holds a sparse matrix, which is read with --kind array or graph only.")
    with opened(path) as file:
        try:
            X: Any = scipy.sparse.load_npz(file)
            if hasattr(X, "check_format"):
                X.check_format(full_check=True)  # an index out of range would be read from foreign memory later
            X = X.tocsr()
        except _DAMAGE as error:
            raise DataError(f"{quoted(path)} is damaged: it does not hold a whole sparse matrix.") from error
    if len(X.shape) != 2 or 0 in X.shape:
        raise DataError(f"{quoted(path)} has the shape {X.shape}, so it holds no values.")
    X.data = check_numbers(X.data, quoted(path))
    if kind == "graph":
        from vaekit.data.graphs import graph_dataset

        with naming(quoted(path)):
            return graph_dataset(str(path), Graph(X), quoted(path))
    note = f"{X.shape[0]:,} rows of {X.shape[1]:,} {X.dtype}, {X.nnz:,} of them not zero, from {quoted(path)}"
    return Dataset(str(path), X, kind="array", note=note)
