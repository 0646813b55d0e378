"""Rows drawn from a model of a table in place of real ones: TabularVAE beside the TVAE of ctgan.

    python -m pip install --no-deps --target ctgan-site ctgan==0.12.1 "rdt<2" Faker tqdm
    VAEKIT_DATA=FOLDER python benchmarks/synthetic.py --ctgan ctgan-site    # goes on where it was stopped
    python benchmarks/synthetic.py --quick

(or `--ctgan installed`; without it TVAE is left out.) Tables: three of scikit-learn with their target, and three with
stated types from $VAEKIT_DATA/tables, rows with a missing cell left out, as TVAE has no notion of one. Of a larger
table 7,500 rows, drawn by the seed. Each model is trained on two thirds of the rows and draws as many; the rest are
test rows.

- TabularVAE: with its defaults and the stated types, of scikit-learn's tables what its rules tell; the target of a
  classification and the diabetes table's "sex" are categories.
- TabularVAE, short: the same with fewer and larger steps, `short` below: enough for drawing rows, not for filling holes
  as well as the defaults do. Chosen on other splits of the three tables of scikit-learn.
- TVAE: with its defaults (300 epochs), on the CPU; categories and ordinal columns are its discrete columns.
- real: the training rows in place of drawn ones, the most that can be asked for.
- shuffled: the training rows with each column in an order of its own, which has all of the margins and nothing else.

`utility` (train on synthetic, test on real): scikit-learn's HistGradientBoostingClassifier or -Regressor with its
defaults, on the drawn rows, tells the target of the test rows from their other columns: accuracy, or R^2. `marginal`:
distance of the drawn rows to the test rows, the mean over the columns of the Kolmogorov-Smirnov statistic of numbers
and the total variation of categories. `pairs`: the mean absolute difference between the associations of each two
columns in the drawn and the test rows (`vaekit.evaluation.tables.associations`: Spearman, Cramer's V, correlation
ratio). `fit_ratio`: processor seconds of a fit over those of TVAE's on the same seed; with OMP_NUM_THREADS=1 it counts
for little what else the machine does.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pandas as pd
from _common import parser
from _tables import (
    OURS,
    STATED,
    Table,
    add_options,
    add_peer,
    chosen,
    mean_and_error,
    peer_version,
    present,
    read_table,
    run_parts,
    tabular,
)
from scipy.stats import ks_2samp
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from vaekit.data.columns import infer_schema
from vaekit.data.frames import as_frame
from vaekit.evaluation.tables import associations
from vaekit.schema import TableSchema

ROWS = 7500
TABLES = ["iris", "diabetes", "breast cancer", *STATED]
SHORT = f"{OURS}, short"
METHODS = ["real", "shuffled", "TVAE", OURS, SHORT]
MEASURES = ("utility", "marginal", "pairs")


def typed(table: Table, values: np.ndarray) -> pd.DataFrame:
    """Values as a table, columns of whole numbers as such."""
    frame = table.frame(values)
    whole = (table.values % 1 == 0).all(0)
    return frame.astype({name: np.int64 for name, is_whole in zip(table.names, whole, strict=True) if is_whole})


def short(n: int) -> dict[str, Any]:
    """Parameters for a short fit to n rows: 64 rows a step, or a 25th of many, and 70 steps and a tenth of n."""
    batch = max(64, n // 25)
    epochs = max(1, round((70 + n / 10) / math.ceil(n / batch)))
    return {"batch_size": batch, "epochs": epochs, "samples": 5, "learning_rate": 8e-3}


def draw(method: str, table: Table, train: pd.DataFrame, seed: int, quick: bool) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As many rows as there are to train on, and the seconds that took."""
    if method == "real":
        return train, {}
    if method == "shuffled":
        rng = np.random.default_rng(seed)
        return pd.DataFrame({name: rng.permutation(train[name]) for name in train}), {}
    if method in (OURS, SHORT):
        model = tabular(seed, quick, schema=table.kinds, **(short(len(train)) if method == SHORT and not quick else {}))
    else:
        from ctgan import TVAE  # pyright: ignore[reportMissingImports]

        model = TVAE(enable_gpu=False, **({"epochs": 3} if quick else {}))
        model.set_random_state(seed)
    began = time.process_time()
    if method != "TVAE":
        model.fit(train)
    else:
        model.fit(train, [name for name, kind in table.kinds.items() if kind in ("categorical", "ordinal")])
    fitted = time.process_time()
    drawn = model.sample(len(train)) if method == "TVAE" else model.sample(len(train), random_state=seed)
    seconds = {"fit_seconds": fitted - began, "sample_seconds": time.process_time() - fitted}
    return drawn, seconds | ({} if method == "TVAE" else {"epochs": model.n_iter_})


def utility(table: Table, drawn: pd.DataFrame, test: pd.DataFrame, seed: int, quick: bool) -> float:
    """Accuracy, or R^2, on test rows of what was learned from drawn ones."""
    assert table.target is not None
    target = table.names[table.target]
    inputs = [name for name in table.names if name != target]
    x, y = drawn[inputs].to_numpy(float), drawn[target].to_numpy(float)
    told = {"categorical_features": table.levelled[[table.names.index(name) for name in inputs]], "random_state": seed}
    told |= {"max_iter": 5} if quick else {}
    if table.kinds.get(target) != "categorical":
        learner = HistGradientBoostingRegressor(**told)
    elif len(np.unique(y)) > 1:
        learner = HistGradientBoostingClassifier(**told)
    else:
        learner = DummyClassifier()
    return float(learner.fit(x, y).score(test[inputs].to_numpy(float), test[target].to_numpy(float)))


def marginal(table: Table, drawn: pd.DataFrame, test: pd.DataFrame) -> float:
    """Mean distance of the columns' distributions."""
    distances = []
    for name, has_levels in zip(table.names, table.levelled, strict=True):
        x, y = drawn[name].to_numpy(float), test[name].to_numpy(float)
        if has_levels:
            levels = np.union1d(x, y)
            shares = [(column[:, None] == levels).mean(0) for column in (x, y)]
            distances.append(np.abs(shares[0] - shares[1]).sum() / 2)
        else:
            distances.append(ks_2samp(x, y).statistic)  # pyright: ignore[reportAttributeAccessIssue]
    return float(np.mean(distances))


def pairs(schema: TableSchema, drawn: pd.DataFrame, test: pd.DataFrame) -> float:
    """Mean difference of associations; a column of equal cells hangs together with nothing."""
    below = np.tril_indices(len(schema.modelled), -1)
    first, second = (np.nan_to_num(associations(rows, schema)[below]) for rows in (drawn, test))
    return float(np.abs(first - second).mean())


def run(quick: bool, table: str, seed: int, method: str) -> dict[str, Any]:
    whole = read_table(table, with_target=True)
    whole = whole.take(np.flatnonzero(~np.isnan(whole.values).any(1)))
    rows = np.random.default_rng(seed).permutation(len(whole.values))[: 150 if quick else ROWS]
    first, second = train_test_split(rows, test_size=1 / 3, random_state=seed)
    train, test = typed(whole, whole.values[first]), typed(whole, whole.values[second])
    drawn, more = draw(method, whole, train, seed, quick)
    schema, _ = infer_schema(as_frame(train)[0], "pandas", whole.kinds)
    return {
        "utility": utility(whole, drawn, test, seed, quick),
        "marginal": marginal(whole, drawn, test),
        "pairs": pairs(schema, drawn, test),
    } | more


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """By table the methods' means and the ratios of training times; on how many tables ours is better than TVAE."""
    tables: dict[str, Any] = {}
    for table in dict.fromkeys(run["table"] for run in runs):
        here = [run for run in runs if run["table"] == table]
        methods: dict[str, Any] = {}
        for method in dict.fromkeys(run["method"] for run in here):
            own = [run for run in here if run["method"] == method]
            found = {name: mean_and_error(own, name) for name in (*MEASURES, "fit_seconds", "sample_seconds")}
            methods[method] = {"seeds": len(own)} | {name: value for name, value in found.items() if value}
        seconds = {(run["method"], run["seed"]): run["fit_seconds"] for run in here if "fit_seconds" in run}
        ratios = {
            method: mean_and_error(
                [
                    {"ratio": value / seconds["TVAE", seed]}
                    for (one, seed), value in seconds.items()
                    if one == method and ("TVAE", seed) in seconds
                ],
                "ratio",
            )
            for method in (OURS, SHORT)
        }
        tables[table] = {"methods": methods, "fit_ratio": ratios}
    return {"better_than_TVAE": {method: better(tables, method) for method in (OURS, SHORT)}, "by_table": tables}


def better(tables: dict[str, Any], method: str) -> dict[str, int]:
    """On how many of the tables that have both a method's mean is better than TVAE's."""
    both = [each["methods"] for each in tables.values() if {method, "TVAE"} <= each["methods"].keys()]
    counts = {
        name: sum((each[method][name]["mean"] > each["TVAE"][name]["mean"]) == (name == "utility") for each in both)
        for name in MEASURES
    }
    return counts | {"of": len(both)}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    add_options(options, TABLES, METHODS)
    add_peer(options, "ctgan")
    args = options.parse_args(argv)
    ctgan = peer_version(args.ctgan, "ctgan")
    there = [name for name in TABLES if name not in STATED or present("tables")]
    methods = [name for name in chosen(args.methods, METHODS) if ctgan or name != "TVAE"]
    parts = (
        {"table": table, "seed": seed, "method": method}
        for table in chosen(args.tables or (["iris", "diabetes", "adult"] if args.quick else None), there)
        for seed in range(1 if args.quick else args.seeds)
        for method in methods
    )
    return run_parts(
        __file__,
        args,
        parts,
        lambda **part: run(args.quick, **part),
        summarise,
        rows=ROWS,
        peer_versions={"ctgan": ctgan},
        short_of_1000_rows=short(1000),
    )


if __name__ == "__main__":
    main()
