"""All that is said of a model of a table beside its likelihood: holes, how it fills them, how real its samples look."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
from scipy.stats import betabinom

from vaekit.data.frames import missing_in
from vaekit.evaluation.holes import hide, imputation_scores
from vaekit.evaluation.tables import (
    associations,
    is_levelled,
    neighbour_distances,
    some_columns,
    some_rows,
    table_values,
)
from vaekit.schema import TableSchema

_TRAIN = 10_000  # most rows looked at
_TEST, _NEAR = 2_000, 1_000  # of test rows, to fill their cells and to find their neighbours
_SAMPLES = 500  # at least, whose neighbours are found
_COLUMNS = 50  # most whose associations are looked at
_GAPS = 2 * 10**8  # cells of held-out and training rows compared, about
_PATTERNS = 5
_NEAREST = 0.05  # share of held-out rows, the nearest to training rows, whose distance samples are compared with

TABLE_SCORES = (
    *("imputation_rmse", "imputation_rmse_simple", "imputation_rmse_neighbours"),
    *("imputation_error_rate", "imputation_error_rate_simple", "imputation_error_rate_neighbours"),
    *("association_mean", "association_difference"),
    *("neighbour_distance", "neighbour_distance_held_out", "too_near", "too_near_by_chance"),
    *("copies", "copies_held_out"),
    *("complete_rows", "patterns", "columns"),
)


def summarise_table(
    train: Any,
    test: Any,
    schema: TableSchema,
    impute: Callable[[Any], Any],
    sample: Callable[[int], Any],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of a table's model under the names of `vaekit evaluate --json`.

    Args:
        train: DataFrame of rows that were trained on, of which up to 10,000 are looked at.
        test: DataFrame of rows that were not, of which up to 2,000 are.
        schema: of the fit.
        impute: fills the missing cells of a table.
        sample: draws rows.
        seed: of the choice of cells to hide.

    Returns:
        "imputation_...": means over the columns of the errors of `imputation_scores`, "rmse" of numbers, "error_rate"
        of levels. "association_mean" of training rows and up to 50 columns, and "association_difference", the mean
        absolute difference to those of as many samples with the holes of these rows. "neighbour_distance": the median
        distance of samples, with the holes of held-out rows, to the nearest training row; "..._held_out", that of
        those rows; "too_near", the share of samples that are nearer than 95% of the held-out rows, and
        "too_near_by_chance", what it exceeds for one model in forty at most that copies nothing; "copies", the
        shares at distance 0.
        "complete_rows", "patterns": the share of training rows without a hole, and the most frequent sets of missing
        columns. "columns": of each column its name, kind, share of missing cells and errors. None where there is
        nothing to score.
    """
    train, test = some_rows(train, _TRAIN), some_rows(test, _TEST)
    errors = {each["name"]: each for each in imputation_scores(train, test, schema, impute, seed=seed)}
    columns = []
    for column in schema.all_columns:
        missing = float(missing_in(train[column.name]).mean())
        columns.append({"name": column.name, "kind": column.kind, "missing": missing} | errors.get(column.name, {}))
    summary: dict[str, Any] = {}
    for name, wanted in (("rmse", False), ("error_rate", True)):
        own = [each for c in schema.modelled if is_levelled(c) == wanted and (each := errors[c.name])["cells"]]
        for end, key in (("", "model"), ("_simple", "simple"), ("_neighbours", "neighbours")):
            summary[f"imputation_{name}{end}"] = float(np.mean([each[key] for each in own])) if own else None
    summary |= _associated(train, sample(len(train)), schema)
    return summary | _near(train, test, schema, sample) | _patterns(train, schema) | {"columns": columns}


def _associated(train: nw.DataFrame[Any], sampled: Any, schema: TableSchema) -> dict[str, Any]:
    schema = some_columns(schema, _COLUMNS)
    pairs = np.tril_indices(len(schema.modelled), -1)
    sampled = hide(sampled, schema, np.isnan(table_values(train, schema)))
    real, drawn = associations(train, schema)[pairs], associations(sampled, schema)[pairs]
    both = ~np.isnan(real)
    if not both.any():
        return {"association_mean": None, "association_difference": None}
    gap = np.abs(real[both] - np.nan_to_num(drawn[both]))  # a column of equal samples hangs together with nothing
    return {"association_mean": float(real[both].mean()), "association_difference": float(gap.mean())}


def near_distances(
    train: Any, test: Any, schema: TableSchema, sample: Callable[[int], Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of samples, and of held-out rows, to the nearest of the training rows; see `neighbour_distances`.

    There are 500 samples at least. They get the holes of the held-out rows in turn, as a row with fewer cells is nearer
    to others.
    """
    train = some_rows(train, _TRAIN)
    test = some_rows(test, int(np.clip(_GAPS // (len(train) * len(schema.modelled)), 100, _NEAR)))
    holes = np.isnan(table_values(test, schema))
    holes = np.tile(holes, (-(-_SAMPLES // len(holes)), 1))
    drawn = hide(sample(len(holes)), schema, holes)
    each = (neighbour_distances(rows, train, schema) for rows in (drawn, test))
    samples, held_out = (distances[~np.isnan(distances)] for distances in each)
    return samples, held_out


def _near(
    train: nw.DataFrame[Any], test: nw.DataFrame[Any], schema: TableSchema, sample: Callable[[int], Any]
) -> dict[str, Any]:
    samples, held_out = near_distances(train, test, schema, sample)
    if not len(held_out):
        return {name: None for name in TABLE_SCORES if name.startswith(("neighbour", "too_near", "copies"))}
    n, m = len(samples), len(held_out)
    below = math.ceil(_NEAREST * (m - 1)) + 1  # held-out rows up to the quantile, at most
    return {
        "neighbour_distance": float(np.median(samples)),
        "neighbour_distance_held_out": float(np.median(held_out)),
        "too_near": float((samples < np.quantile(held_out, _NEAREST)).mean()),
        "too_near_by_chance": float(betabinom.ppf(0.975, n, below, m + 1 - below)) / n,
        "copies": float((samples == 0).mean()),
        "copies_held_out": float((held_out == 0).mean()),
    }


def _patterns(train: nw.DataFrame[Any], schema: TableSchema) -> dict[str, Any]:
    """The share of rows without a hole in the modelled columns, and the most frequent sets of missing columns."""
    names = [column.name for column in schema.modelled]
    holes = np.stack([missing_in(train[name]) for name in names], 1)
    found, counts = np.unique(holes, axis=0, return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable") if found[i].any()][:_PATTERNS]
    patterns = [
        {"missing": [names[j] for j in np.flatnonzero(found[i])], "share": counts[i] / len(holes)} for i in order
    ]
    return {"complete_rows": float((~holes.any(1)).mean()), "patterns": patterns}
