"""What the benchmarks of tables share: the tables, a coding in numbers for methods that need one, and runs in parts.

Tables of scikit-learn come with it; the others are read from the folder that the environment variable VAEKIT_DATA
names: tables/NAME.npz with X (n, D), NaN where a cell is missing, types (D,) and missing30_packed, ten packed masks of
cells to hide; anomaly/NAME.npz with X (n, D) and y (n,), 1 for an anomaly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import record, write
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from vaekit import TabularVAE

TABULAR: dict[str, Any] = {}  # parameters of TabularVAE other than its defaults, in every benchmark
QUICK: dict[str, Any] = {"epochs": 3, "hidden": (16,), "latent_dim": 2}
OURS = "TabularVAE"

BUNDLED: dict[str, Callable[[], Any]] = {
    "iris": load_iris,
    "wine": load_wine,
    "diabetes": load_diabetes,
    "breast cancer": load_breast_cancer,
}
STATED = {"wine quality": "wine", "letter": "letter", "adult": "adult"}  # their files; they state types
TARGETS = {"wine quality": 11, "letter": 0, "adult": 8}  # quality, the letter, sex
KINDS = {"real": "real", "pos": "positive", "count": "count", "cat": "categorical", "ordinal": "ordinal"}


@dataclass(frozen=True)
class Table:
    """Numbers and codes of levels, NaN where a cell is missing.

    Attributes:
        name: its name.
        values: (n, D).
        kinds: by the name of a column, its kind as `TabularVAE` knows it, where it is stated.
        names: of the columns.
        masks: (R, n, D) cells to hide that come with it, if any.
        target: column that the others tell, if any.
    """

    name: str
    values: np.ndarray
    kinds: dict[str, str]
    names: list[str]
    masks: np.ndarray | None = field(default=None, repr=False)
    target: int | None = None

    @property
    def levelled(self) -> np.ndarray:
        """(D,) whether a column holds levels without order."""
        return np.array([self.kinds.get(name) == "categorical" for name in self.names])

    def take(self, rows: np.ndarray) -> Table:
        masks = None if self.masks is None else self.masks[:, rows]
        return Table(self.name, self.values[rows], self.kinds, self.names, masks, self.target)

    def frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, columns=self.names)


def read_table(name: str, *, with_target: bool = False) -> Table:
    """A table by its name; those of scikit-learn without their target, unless asked for."""
    if name in BUNDLED:
        data = BUNDLED[name]()
        names, values, target = list(data.feature_names), data.data, None
        kinds = {"sex": "categorical"} if name == "diabetes" else {}
        if with_target:
            names, values, target = [*names, "target"], np.column_stack([values, data.target]), len(names)
            if name != "diabetes":
                kinds["target"] = "categorical"
        return Table(name, values, kinds, names, target=target)
    with np.load(folder("tables") / f"{STATED[name]}.npz") as content:
        values = content["X"].astype(np.float64)
        types, packed = content["types"].tolist(), content["missing30_packed"]
    masks = np.unpackbits(packed, axis=1)[:, : values.size].reshape(len(packed), *values.shape).astype(bool)
    names = [f"x{j}" for j in range(len(types))]
    kinds = {name: KINDS[kind] for name, kind in zip(names, types, strict=True)}
    return Table(name, values, kinds, names, masks, TARGETS[name])


def folder(name: str) -> Path:
    return Path(os.environ["VAEKIT_DATA"]) / name


def present(name: str) -> bool:
    """Whether there is a folder of that name to read from."""
    return "VAEKIT_DATA" in os.environ and folder(name).is_dir()


def tabular(seed: int, quick: bool, **options: Any) -> TabularVAE:
    """The estimator with the parameters of all benchmarks."""
    return TabularVAE(**TABULAR | (QUICK if quick else {}) | options, device="cpu", random_state=seed, verbose=0)


class Coding:
    """Numbers standardised by their observed cells, and a column of 0 and 1 for each level; NaN where one is missing.

    Args:
        values: (n, D), NaN where missing.
        levelled: (D,) whether a column holds levels.
    """

    def __init__(self, values: np.ndarray, levelled: np.ndarray) -> None:
        self.mean, self.spread = np.nanmean(values, 0), np.nanstd(values, 0)
        self.spread[self.spread == 0] = 1
        self.levels = [
            np.unique(column[~np.isnan(column)]) if has else None
            for column, has in zip(values.T, levelled, strict=True)
        ]
        widths = [1 if levels is None else len(levels) for levels in self.levels]
        self.source = np.repeat(np.arange(len(widths)), widths)  # (W,) the column that each coded one came from

    def code(self, values: np.ndarray) -> np.ndarray:
        """(n, W) from (n, D)."""
        parts = []
        for j, levels in enumerate(self.levels):
            column = values[:, j, None]
            if levels is None:
                parts.append((column - self.mean[j]) / self.spread[j])
            else:
                parts.append(np.where(np.isnan(column), np.nan, column == levels))
        return np.concatenate(parts, 1)

    def decode(self, coded: np.ndarray) -> np.ndarray:
        """(n, D) from (n, W): of levels the one with the largest number."""
        out = np.empty((len(coded), len(self.levels)))
        for j, levels in enumerate(self.levels):
            part = coded[:, self.source == j]
            out[:, j] = part[:, 0] * self.spread[j] + self.mean[j] if levels is None else levels[part.argmax(1)]
        return out


# -- runs in parts -----------------------------------------------------------------------------------------------------


def add_options(options: argparse.ArgumentParser, tables: Sequence[str], methods: Sequence[str]) -> None:
    options.add_argument("--tables", nargs="+", choices=tables, default=None, metavar="T", help=", ".join(tables))
    options.add_argument("--methods", nargs="+", choices=methods, default=None, metavar="M", help=", ".join(methods))
    options.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0; quick: 1")


def chosen(asked: Sequence[str] | None, there: Iterable[str]) -> list[str]:
    """What is there, in its order, and is asked for, if anything is."""
    return [name for name in there if asked is None or name in asked]


def add_peer(options: argparse.ArgumentParser, package: str) -> None:
    options.add_argument(f"--{package}", type=Path, default=None, metavar="FOLDER", help=f"where {package} is")


def peer_version(path: Path | None, package: str) -> str | None:
    """Make a package in a folder of its own importable, and give its version; None where it is not asked for."""
    if path is None:
        return None
    if str(path) != "installed":
        sys.path.append(str(path.resolve()))  # last, so that it shadows nothing of the environment
    from importlib.metadata import version

    return version(package)


def run_parts(
    script: str,
    args: argparse.Namespace,
    parts: Iterable[dict[str, Any]],
    work: Callable[..., dict[str, Any]],
    summarise: Callable[[list[dict[str, Any]]], Any],
    **content: Any,
) -> dict[str, Any]:
    """Do each part that the record does not hold yet, and write the record after each.

    Runs of our estimator with other parameters than now are left out of the record.

    Args:
        script, args, content: of `record`.
        parts: keyword arguments of `work`, which are the part's name too.
        work: gives the part's results.
        summarise: turns the results of all parts, those of earlier calls included, into what is read first.
    """
    before = json.loads(args.output.read_text()) if args.output.exists() else {}
    runs = before["runs"] if before.get("quick") == args.quick else []
    content |= {"settings": json.loads(json.dumps(tabular(0, args.quick).get_params()))}
    if before.get("settings") != content["settings"]:  # runs of other defaults do not count
        runs = [run for run in runs if not run["method"].startswith(OURS)]
    result = None
    for part in parts:
        if any(part.items() <= run.items() for run in runs):
            continue
        began = time.perf_counter()
        runs.append(part | work(**part))
        print(*_words(runs[-1]), f"[{time.perf_counter() - began:.1f} s]", flush=True)
        result = record(script, args, **content, summary=summarise(runs), runs=runs)
        write(args.output, result)
    if result is None:
        result = record(script, args, **content, summary=summarise(runs), runs=runs)
        write(args.output, result)
    return result


def _words(run: dict[str, Any]) -> Iterator[str]:
    for name, value in run.items():
        if value is not None:
            yield f"{name} {value:.4g}" if isinstance(value, float) else str(value)


def mean_and_error(runs: Iterable[dict[str, Any]], name: str) -> dict[str, float | None] | None:
    """Mean over runs, and its standard error where there are several; None where no run has such a value."""
    values = [run[name] for run in runs if run.get(name) is not None]
    if not values:
        return None
    se = float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "se": se}
