"""The file formats of the named data sets: each reads a file into arrays by part (X, y, ..., or those of a graph)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.data.arrays import load_mat, load_npz
from vaekit.data.factors import factor_images
from vaekit.data.files import opened, quoted
from vaekit.data.grapharrays import graph_arrays, graph_from_arrays
from vaekit.data.images import load_idx
from vaekit.errors import DataError
from vaekit.schema import Graph

Parts = dict[str, np.ndarray]

KARATE_SIDES = ("Mr. Hi", "Officer")


def digits() -> Parts:
    """scikit-learn's digits, whose grey levels 0..16 it keeps as floats."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return {"X": bunch.images.astype(np.uint8), "y": bunch.target.astype(np.uint8)}


def idx(part: str) -> Callable[[Path], Parts]:
    """A reader of one part from an IDX file."""

    def decode(path: Path) -> Parts:
        return {part: load_idx(path)}

    return decode


def karate() -> Parts:
    """networkx's karate club: who is whose friend, without the weights; labels in the order of `KARATE_SIDES`."""
    import networkx

    club = networkx.karate_club_graph()
    sides = [KARATE_SIDES.index(side) for _, side in club.nodes(data="club")]
    return graph_arrays(Graph.from_edges(list(club.edges), labels=np.array(sides, np.int8)))


def graph_npz(path: Path) -> Parts:
    """A graph from a .npz file; arrays that are no part of it are passed over."""
    return graph_arrays(graph_from_arrays(load_npz(path), quoted(path)))


def shapes() -> Parts:
    """All combinations of the factors of `factor_images`, labelled by shape."""
    made = factor_images()
    return {"X": made.images, "y": made.factors[:, 0].astype(np.uint8)}


def frey_npz(path: Path) -> Parts:
    """The frames as `images` of a .npz file."""
    return {"X": _array(path, "images")}


def frey_mat(path: Path) -> Parts:
    """The frames as the columns of `ff` in a MATLAB file, as their maker gave them out."""
    return {"X": load_mat(path, "ff").T}


def static_npz(path: Path) -> Parts:
    """The three parts of the binary MNIST, eight pixels a byte."""
    names = {"X": "train", "valid": "valid", "X_test": "test"}
    return {part: np.unpackbits(_array(path, name), axis=-1) for part, name in names.items()}


def static_text(part: str) -> Callable[[Path], Parts]:
    """A reader of one part of the binary MNIST from text: 784 digits 0 or 1 a line."""

    def decode(path: Path) -> Parts:
        with opened(path) as file:
            signs = np.frombuffer(file.read(), np.uint8)
        digits = signs[(signs == ord("0")) | (signs == ord("1"))] - ord("0")
        if len(digits) + np.isin(signs, list(b" \r\n")).sum() != len(signs):
            raise DataError(f"{quoted(path)} holds signs other than 0, 1 and blanks.")
        return {part: digits}

    return decode


def _array(path: Path, name: str) -> np.ndarray:
    arrays = load_npz(path)
    if name not in arrays or arrays[name].dtype != np.uint8:
        raise DataError(f"{quoted(path)} holds no array {name!r} of uint8.")
    return arrays[name]
