"""How well missing cells are filled: cells that are known are hidden, filled, and compared with what they were.

A number's error is the root mean square over the standard deviation of its column in training, so that about 1 is what
the mean achieves; that of a level is the share of cells filled with another one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.impute import KNNImputer

from vaekit.data.frames import as_frame
from vaekit.data.rows import spaced
from vaekit.evaluation.tables import is_levelled, table_values
from vaekit.schema import Column, TableSchema

SHARE = 0.05  # of the observed cells, hidden at a time
_ENOUGH, _ROUNDS = 30, 20  # cells of a column that are to be hidden in all; times that others are
NEIGHBOUR_ROWS = 5_000  # training rows among which the nearest are sought

Fill = Callable[[Any], Any]


def imputation_scores(
    train: Any, test: Any, schema: TableSchema, impute: Fill, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Hide a twentieth of the observed cells of test rows, fill them, and give the errors by column.

    In a small table that is done several times, each time with other cells, until about 30 of each column have had
    their turn, or all.

    Args:
        train: DataFrame of rows that were trained on; for what it is compared with.
        test: DataFrame of rows that were not.
        schema: of the fit.
        impute: fills the missing cells of a table; `TabularVAE.impute` does.
        seed: of the choice of the cells.

    Returns:
        Of each modelled column a dict: "name", "kind", "cells" (hidden in all), and the errors "model", "simple" (the
        training mean, or most frequent level) and "neighbours" (scikit-learn's KNNImputer on standardised numbers and
        a column of 0 and 1 for each level, with up to 5,000 training rows); None where no cell was hidden.
    """
    values = table_values(test, schema)
    hidden = hidden_cells(~np.isnan(values), seed)  # (R, n, D)
    masked = nw.concat([hide(test, schema, cells) for cells in hidden])
    cells, truth = hidden.reshape(-1, hidden.shape[2]), np.tile(values, (len(hidden), 1))
    known = table_values(train, schema)
    holes = np.where(cells, np.nan, truth)
    found = {
        "model": table_values(impute(masked.to_native()), schema),
        "simple": np.tile(_simple(known, schema), (len(truth), 1)),
        "neighbours": _neighbours(known, holes, schema),
    }
    out = []
    for j, column in enumerate(schema.modelled):
        turn = cells[:, j]
        spread = float(np.nanstd(known[:, j])) or 1.0
        errors: dict[str, float | None] = dict.fromkeys(found)
        if turn.any():
            for name, values in found.items():
                x, y = truth[turn, j], values[turn, j]
                wrong = x != y if is_levelled(column) else ((x - y) / spread) ** 2
                errors[name] = float(wrong.mean() if is_levelled(column) else np.sqrt(wrong.mean()))
        out.append({"name": column.name, "kind": column.kind, "cells": int(turn.sum()), **errors})
    return out


def hidden_cells(observed: np.ndarray, seed: int) -> np.ndarray:
    """Choose the cells to hide: (R, n, D) booleans of R rounds; each of (n, D) observed cells has one turn at most.

    In each round about a twentieth of the observed cells is hidden.
    """
    rng = np.random.default_rng(seed)
    least = observed.sum(0).min(initial=len(observed), where=observed.any(0))
    rounds = int(np.clip(np.ceil(_ENOUGH / (SHARE * max(1, least))), 1, _ROUNDS))
    turn = np.full(observed.shape, -1)
    for j in range(observed.shape[1]):  # in each column the same share
        rows = rng.permutation(np.flatnonzero(observed[:, j]))
        turn[rows, j] = np.floor((np.arange(len(rows)) + rng.random()) / max(1, len(rows)) / SHARE) % (1 / SHARE)
    return turn == np.arange(rounds)[:, None, None]


def hide(table: Any, schema: TableSchema, cells: np.ndarray) -> nw.DataFrame[Any]:
    """A table, as polars knows it, without (n, D) cells of its modelled columns."""
    frame = nw.from_native(as_frame(table)[0].to_polars(), eager_only=True)
    columns = []
    for column, gone in zip(schema.modelled, cells.T, strict=True):
        kept = nw.new_series("kept", ~gone, nw.Boolean, backend="polars")
        columns.append(nw.when(kept).then(nw.col(column.name)).alias(column.name))
    return frame.with_columns(columns)


def _simple(known: np.ndarray, schema: TableSchema) -> np.ndarray:
    """(D,) mean, or most frequent level, of each column."""
    out = np.zeros(known.shape[1])
    for j, column in enumerate(schema.modelled):
        seen = known[~np.isnan(known[:, j]), j]
        if len(seen):
            out[j] = np.bincount(seen.astype(int)).argmax() if is_levelled(column) else seen.mean()
    return out


def _neighbours(known: np.ndarray, holes: np.ndarray, schema: TableSchema) -> np.ndarray:
    """(n, D) the holes filled by the mean of the nearest training rows."""
    known = known[spaced(len(known), NEIGHBOUR_ROWS)]
    parts = [_spread_out(known[:, j], holes[:, j], column) for j, column in enumerate(schema.modelled)]
    imputer = KNNImputer(keep_empty_features=True)
    with warnings.catch_warnings():  # of columns without a value, which stay as they are
        warnings.simplefilter("ignore", RuntimeWarning)
        imputer.fit(np.concatenate([part[0] for part in parts], 1))
        filled = np.asarray(imputer.transform(np.concatenate([part[1] for part in parts], 1)))
    out, start = holes.copy(), 0
    for j, (column, (_, wide, mean, spread)) in enumerate(zip(schema.modelled, parts, strict=True)):
        piece = filled[:, start : start + wide.shape[1]]
        out[:, j] = piece.argmax(1) if is_levelled(column) else piece[:, 0] * spread + mean
        start += wide.shape[1]
    return out


def _spread_out(known: np.ndarray, holes: np.ndarray, column: Column) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Standardised numbers (n, 1), or a column for each level, of known rows and those with holes; how to go back."""
    if is_levelled(column):
        known, holes = (
            np.where(np.isnan(x)[:, None], np.nan, x[:, None] == np.arange(column.codes)) for x in (known, holes)
        )
        return known, holes, 0.0, 1.0
    seen = known[~np.isnan(known)]
    mean, spread = (float(seen.mean()), float(seen.std()) or 1.0) if len(seen) else (0.0, 1.0)
    return ((known - mean) / spread)[:, None], ((holes - mean) / spread)[:, None], mean, spread
