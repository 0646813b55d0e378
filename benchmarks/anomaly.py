"""Finding anomalies in twelve tables without labels: TabularVAE beside forests, local density and PyOD's VAE.

    python -m pip install --no-deps --target pyod-site pyod numba llvmlite tqdm
    VAEKIT_DATA=FOLDER python benchmarks/anomaly.py --pyod pyod-site    # goes on where it was stopped
    python benchmarks/anomaly.py --quick

(or `--pyod installed`; without it PyOD's VAE is left out.) The tables are those of $VAEKIT_DATA/anomaly. Each method
is fitted to a random 60% of the rows, anomalies among them, without their labels, and scores the other 40%; the labels
only see to it that both parts hold the same share of anomalies. Of a larger training part 10,000 rows are taken, drawn
by the seed, for all methods. `roc_auc` and `average_precision` are of the 40%.

- forest: scikit-learn's IsolationForest. local: its LocalOutlierFactor(novelty=True). PyOD VAE: `pyod.models.vae.VAE`.
  Each with its defaults, on numbers standardised by the training rows.
- TabularVAE: `anomaly_scores`, with its defaults; kinds of columns by its rules, but for columns with a negative number
  in the table, which are real numbers even where the training rows have none.
  Its record has the same measures of minus `score_samples`, `by_density`.

A method's rank on a table is by its mean over the seeds that all methods have been run with, 1 the best; the mean rank
is over the tables that have such a seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _common import parser
from _tables import (
    OURS,
    add_options,
    add_peer,
    chosen,
    folder,
    mean_and_error,
    peer_version,
    present,
    run_parts,
    tabular,
)
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

ROWS = 10_000
TABLES = ["glass", "wbc", "pima", "vowels", "cardio", "thyroid"]
TABLES += ["annthyroid", "mammography", "pendigits", "satellite", "musk", "shuttle"]
METHODS = ["forest", "local", "PyOD VAE", OURS]
MEASURES = ("roc_auc", "average_precision")


def split(name: str, seed: int, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, test rows and their labels, and the least number of each column in all rows."""
    with np.load(folder("anomaly") / f"{name}.npz") as content:
        X, y = content["X"].astype(np.float64), content["y"]
    train, test = train_test_split(np.arange(len(X)), test_size=0.4, stratify=y, random_state=seed)
    return X[train[:most]], X[test], y[test], X.min(0)


def detector(method: str, seed: int, quick: bool, least: np.ndarray) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """What is fitted, and then scores rows, high where odd."""
    if method == "PyOD VAE":
        from pyod.models.vae import VAE  # pyright: ignore[reportMissingImports]

        model = VAE(random_state=seed, verbose=0, device="cpu", **({"epoch_num": 1} if quick else {}))
        return model, model.decision_function
    if method == OURS:
        model = tabular(seed, quick, schema={f"x{j}": "real" for j in np.flatnonzero(least < 0)})
        return model, model.anomaly_scores
    model = IsolationForest(random_state=seed) if method == "forest" else LocalOutlierFactor(novelty=True)
    return model, lambda rows: -model.score_samples(rows)


def run(quick: bool, table: str, seed: int, method: str) -> dict[str, Any]:
    train, test, labels, least = split(table, seed, 200 if quick else ROWS)
    if method != OURS:
        scaler = StandardScaler().fit(train)
        train, test = np.asarray(scaler.transform(train)), np.asarray(scaler.transform(test))
    model, score = detector(method, seed, quick, least)
    began = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    odd = score(test)
    seconds = {"fit_seconds": fitted - began, "score_seconds": time.perf_counter() - fitted}
    more = {"by_density": measures(labels, -model.score_samples(test))} if method == OURS else {}
    return measures(labels, odd) | seconds | more


def measures(labels: np.ndarray, odd: np.ndarray) -> dict[str, float]:
    return dict(
        zip(MEASURES, map(float, (roc_auc_score(labels, odd), average_precision_score(labels, odd))), strict=True)
    )


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """By table the methods' means; by method its mean rank and mean over the tables."""
    seen = [method for method in METHODS if any(run["method"] == method for run in runs)]
    tables: dict[str, Any] = {}
    for table in dict.fromkeys(run["table"] for run in runs):
        here = [run for run in runs if run["table"] == table]
        seeds = set.intersection(*({run["seed"] for run in here if run["method"] == method} for method in seen))
        for method in seen if seeds else ():
            own = [run for run in here if run["method"] == method and run["seed"] in seeds]
            names = (*MEASURES, "fit_seconds", "score_seconds")
            of_method = {"seeds": len(own)} | {name: mean_and_error(own, name) for name in names}
            tables.setdefault(table, {})[method] = of_method
    whole = list(tables.values())
    overall = {method: dict[str, float]() for method in seen}
    for name in MEASURES if whole else ():
        means = np.array([[methods[method][name]["mean"] for method in seen] for methods in whole])
        ranks = np.mean([rankdata(-row) for row in means], 0)
        for method, rank, mean in zip(seen, ranks.tolist(), means.mean(0).tolist(), strict=True):
            overall[method] |= {f"{name}_mean_rank": rank, f"{name}_mean": mean}
    return {"tables": len(whole), "overall": overall, "by_table": tables}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    add_options(options, TABLES, METHODS)
    add_peer(options, "pyod")
    args = options.parse_args(argv)
    pyod = peer_version(args.pyod, "pyod")
    there = [name for name in TABLES if present("anomaly") and (folder("anomaly") / f"{name}.npz").exists()]
    methods = [name for name in chosen(args.methods, METHODS) if pyod or name != "PyOD VAE"]
    parts = (
        {"table": table, "seed": seed, "method": method}
        for table in chosen(args.tables or (TABLES[:3] if args.quick else None), there)
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
        peer_versions={"pyod": pyod},
    )


if __name__ == "__main__":
    main()
