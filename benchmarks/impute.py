"""Filling hidden cells of tables: TabularVAE beside means, nearest neighbours and chained equations.

    VAEKIT_DATA=FOLDER python benchmarks/impute.py [--tables T ...] [--methods M ...]    # goes on where it was stopped
    python benchmarks/impute.py --quick

Three tenths of the cells are hidden: completely at random (MCAR), or at random (MAR): three tenths of the columns, one
at least, stay, and whether a cell of another column is hidden is drawn from a logistic model of these, with normal
weights, scaled so that the logits have standard deviation 1, and an intercept that hides three tenths of the column.
Tables: four of scikit-learn, and three with stated types from $VAEKIT_DATA/tables with their own masks for MCAR. Of
a larger table 5,000 rows, drawn by the seed. What is missing in the data themselves is never scored. Every
method is fitted to the very table that it fills.

- mean: of numbers the mean, of categories the most frequent level.
- neighbours: scikit-learn's KNNImputer, 5 neighbours.
- ridge, forest: its IterativeImputer, with BayesianRidge, 10 rounds at most, and, as missForest does, with random
  forests of 30 trees, a third of the columns at each split, leaves of 5 rows, 4 rounds at most.
- TabularVAE: with its defaults and the stated types, of scikit-learn's tables what its rules tell, but for the
  diabetes table's two-valued "sex", which is a category for all methods.

For scikit-learn's, numbers (ordinal columns are numbers to all) are standardised by their observed cells; a category
is a column of 0 and 1 for each level, and what is filled in is the level with the largest number. In chained equations
a level is not told from the other levels of its category: each is 1 minus their sum where the cell is there, and no
round would then change the first guess.

Scores, over hidden cells: `nrmse`, of numbers the root mean square of the error over the column's standard deviation in
the whole data; `error_rate` of categories. `coverage`: the share of hidden numbers between the 5% and the 95% quantile
of 100 draws, where calibrated draws of a density would have 90% in the mean (`method="weibull"` of numpy.quantile). Of
counts and ordinal numbers such intervals hold more than 90%, so `coverage_rank` is the share of hidden numbers whose
rank among the draws, ties broken at random, is in the middle 90%: 90% for any calibrated draws.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _common import parser
from _tables import (
    BUNDLED,
    OURS,
    STATED,
    Coding,
    Table,
    add_options,
    chosen,
    mean_and_error,
    present,
    read_table,
    run_parts,
    tabular,
)
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import BayesianRidge

SHARE, ROWS, DRAWS = 0.3, 5000, 100
NEAR, AIM = 1.02, (0.87, 0.93)
FOREST: dict[str, Any] = {"n_estimators": 30, "max_features": 1 / 3, "min_samples_leaf": 5}
MECHANISMS = ("MCAR", "MAR")


class Chained(IterativeImputer):
    """IterativeImputer that predicts a level from the columns of other sources alone."""

    source: np.ndarray

    def _get_neighbor_feat_idx(self, n_features: int, feat_idx: int, abs_corr_mat: Any) -> np.ndarray:
        return np.flatnonzero(self.source != self.source[feat_idx])


def chained(estimator: Any, rounds: int, seed: int, coding: Coding) -> Chained:
    out = Chained(estimator, max_iter=rounds, random_state=seed)
    out.source = coding.source
    return out


def forest(seed: int, coding: Coding, quick: bool) -> Chained:
    trees = RandomForestRegressor(random_state=seed)
    trees.set_params(**FOREST | ({"n_estimators": 2} if quick else {}))
    return chained(trees, 1 if quick else 4, seed, coding)


METHODS: dict[str, Callable[[int, Coding, bool], Any] | None] = {
    "mean": lambda seed, coding, quick: SimpleImputer(),
    "neighbours": lambda seed, coding, quick: KNNImputer(),
    "ridge": lambda seed, coding, quick: chained(BayesianRidge(), 2 if quick else 10, seed, coding),
    "forest": forest,
    OURS: None,
}


def hidden_cells(table: Table, mechanism: str, seed: int) -> np.ndarray:
    """(n, D) whether a cell is hidden; never one that is missing in the data."""
    rng, n = np.random.default_rng(seed), len(table.values)
    there = ~np.isnan(table.values)
    if mechanism == "MCAR":
        hidden = rng.random(table.values.shape) < SHARE if table.masks is None else table.masks[seed]
        return hidden & there
    whole = np.flatnonzero(there.all(0))
    kept = rng.choice(whole, max(1, round(SHARE * len(table.names))), replace=False)
    z = Coding(table.values[:, kept], table.levelled[kept]).code(table.values[:, kept])
    hidden = np.zeros(table.values.shape, bool)
    for j in np.setdiff1d(np.arange(len(table.names)), kept):
        logits = z @ rng.normal(size=z.shape[1])
        logits /= logits.std()
        intercept = brentq(lambda c, logits=logits: expit(logits + c).mean() - SHARE, -20, 20)
        hidden[:, j] = rng.random(n) < expit(logits + intercept)
    return hidden & there


def scores(table: Table, filled: np.ndarray, hidden: np.ndarray) -> dict[str, Any]:
    """Errors over the hidden cells."""
    levels = np.broadcast_to(table.levelled, hidden.shape)
    spread = np.nanstd(table.values, 0)
    error = ((filled - table.values) / np.where(spread > 0, spread, 1))[hidden & ~levels]
    wrong = (filled != table.values)[hidden & levels]
    return {
        "nrmse": float(np.sqrt(np.mean(error**2))) if error.size else None,
        "error_rate": float(wrong.mean()) if wrong.size else None,
    }


def coverage(table: Table, draws: np.ndarray, hidden: np.ndarray, seed: int) -> dict[str, float]:
    """Of (m, n, D) draws; see above."""
    cells = hidden & ~table.levelled
    values, drawn = table.values[cells], draws[:, cells]
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0, method="weibull")
    inside = (low <= values) & (values <= high)
    ties = np.random.default_rng(seed).random(len(values)) * (1 + (drawn == values).sum(0))
    rank = ((drawn < values).sum(0) + ties) / (len(drawn) + 1)  # uniform on [0, 1]
    return {"coverage": float(inside.mean()), "coverage_rank": float(((rank >= 0.05) & (rank <= 0.95)).mean())}


def run(args: Any, table: str, mechanism: str, seed: int, method: str) -> dict[str, Any]:
    whole = read_table(table)
    rows = np.random.default_rng(seed).permutation(len(whole.values))[: 100 if args.quick else ROWS]
    part = whole.take(np.sort(rows))
    hidden = hidden_cells(part, mechanism, seed)
    holed, more = np.where(hidden, np.nan, part.values), {}
    build, began = METHODS[method], time.perf_counter()
    if build is None:
        model = tabular(seed, args.quick, schema=part.kinds).fit(part.frame(holed))
        fitted = time.perf_counter()
        filled = model.impute(part.frame(holed)).to_numpy(float)
        ended = time.perf_counter()
        draws = model.impute(part.frame(holed), draws=10 if args.quick else DRAWS, random_state=seed)
        more = {"epochs": model.n_iter_, "draws_seconds": time.perf_counter() - ended}
        more |= coverage(part, np.stack([each.to_numpy(float) for each in draws]), hidden, seed)
    else:
        coding = Coding(holed, part.levelled)
        imputer, coded = build(seed, coding, args.quick), coding.code(holed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            imputer.fit(coded)
            fitted = time.perf_counter()
            filled = imputer.transform(coded)
        filled, ended = coding.decode(filled), time.perf_counter()
    seconds = {"fit_seconds": fitted - began, "impute_seconds": ended - fitted}
    return scores(part, filled, hidden) | seconds | more


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """By table and mechanism the methods' means, and whether ours is the best, or within 2% of it."""
    tables: dict[str, Any] = {}
    for key in dict.fromkeys((run["table"], run["mechanism"]) for run in runs):
        here = [run for run in runs if (run["table"], run["mechanism"]) == key]
        rows: dict[str, Any] = {}
        for method in dict.fromkeys(run["method"] for run in here):
            own = [run for run in here if run["method"] == method]
            names = ("nrmse", "error_rate", "coverage", "coverage_rank", "fit_seconds", "impute_seconds")
            found = {name: mean_and_error(own, name) for name in names}
            rows[method] = {"seeds": len(own)} | {name: value for name, value in found.items() if value}
        ratios = {}
        for name in ("nrmse", "error_rate"):
            rivals = [row[name]["mean"] for method, row in rows.items() if method != OURS and name in row]
            if rivals and name in rows.get(OURS, {}):
                ratios[name] = round(rows[OURS][name]["mean"] / min(rivals), 4)
        tables[" ".join(key)] = {
            "methods": rows,
            "ours_to_best_rival": ratios,
            "best_or_near": {name: ratio <= NEAR for name, ratio in ratios.items()},
        }
    cases = [near for each in tables.values() for near in each["best_or_near"].values()]
    return {
        "best_or_near": sum(cases),
        "of": len(cases),
        "tables_where_all_are": sum(all(each["best_or_near"].values()) for each in tables.values()),
        "tables": len(tables),
        "coverage_met": {
            name: AIM[0] <= each["methods"][OURS]["coverage_rank"]["mean"] <= AIM[1]
            for name, each in tables.items()
            if OURS in each["methods"]
        },
        "by_table": tables,
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    add_options(options, [*BUNDLED, *STATED], list(METHODS))
    args = options.parse_args(argv)
    there = [*BUNDLED, *(STATED if present("tables") else ())]
    tables = chosen(args.tables or (["iris", "diabetes", "wine quality"] if args.quick else None), there)
    parts = (
        {"table": table, "mechanism": mechanism, "seed": seed, "method": method}
        for table in tables
        for mechanism in MECHANISMS
        for seed in range(1 if args.quick else args.seeds)
        for method in chosen(args.methods, METHODS)
    )
    return run_parts(
        __file__, args, parts, lambda **part: run(args, **part), summarise, share=SHARE, rows=ROWS, forest=FOREST
    )


if __name__ == "__main__":
    main()
