"""DATA that are rows, as the verbs use them: split, fitted, scored, drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from vaekit.cli.output import named
from vaekit.data.largetables import blocks, row_numbers
from vaekit.data.split import draw_rows, split_rows
from vaekit.data.streams import height, is_lazy
from vaekit.errors import DataError, OptionError, count, join
from vaekit.estimators import ConditionalVAE, TabularVAE
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.conditions import Conditioned
from vaekit.evaluation.tablescores import summarise_table
from vaekit.schema import Dataset
from vaekit.training.checkpoint import Checkpoint

TEST_FRACTION = 0.1
MOST_TEST = 50_000  # rows set aside of a table too large for memory
MOST_SEEN = 20_000  # of its training rows, that report and pictures look at
REPORT_SAMPLES = 100  # importance samples of each row, where nothing else is asked for
_HASHED = 50_000  # rows at a time


@dataclass(frozen=True, eq=False)
class RowData:
    """Rows with their test part set aside, and the record of how."""

    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any
    label_names: tuple[str, ...] | None
    record: dict[str, Any]

    @property
    def default_model(self) -> str:
        """Name of the model that suits the kind of data."""
        return "tabular" if self.record["kind"] == "table" else "vae"

    @classmethod
    def of(cls, data: Dataset, source: str, asked: str | None, seed: int) -> RowData:
        """Set the test part aside: the data set's own, else a tenth by the seed, of a LazyFrame 50,000 rows at most."""
        record = {**named(source), "kind": data.kind, "asked_kind": asked, "note": data.note}
        record |= {"fingerprint": fingerprint(data), "labels_fingerprint": labels_fingerprint(data)}
        if data.label_names is not None:
            record["label_names"] = list(data.label_names)
        n = _height(data.X)
        if data.X_test is not None:
            how = {"test": "the data set's own test part", "split_seed": None}
            X_train, y_train, X_test, y_test = data.X, data.y, data.X_test, data.y_test
        elif n < 3:
            raise DataError(f"{source!r} has {count(n, 'row')}; a fit that sets test rows aside needs at least 3.")
        elif is_lazy(data.X):
            held = min(max(1, round(n * TEST_FRACTION)), MOST_TEST)
            X_train, X_test = _split_lazily(data.X, draw_rows(n, held, seed))
            y_train, y_test, n = None, None, n - held
            share = f"{held:,}" if held == MOST_TEST else f"{TEST_FRACTION:.0%}"
            how = {"test": f"{share} of the rows", "split_seed": seed}
        else:
            rest, held = split_rows(n, TEST_FRACTION, seed)
            X_train, X_test = data.X[rest], data.X[held]
            y_train, y_test = (None, None) if data.y is None else (data.y[rest], data.y[held])
            how = {"test": f"{TEST_FRACTION:.0%} of the rows", "split_seed": seed}
        n_train = n if is_lazy(X_train) else int(X_train.shape[0])
        record |= {"n_train": n_train, "n_test": int(X_test.shape[0]), **how}
        return cls(X_train, y_train, X_test, y_test, data.label_names, record)

    @cached_property
    def X_seen(self) -> Any:
        """The training rows that report and pictures look at: of a table too large for memory evenly spaced ones."""
        if not is_lazy(self.X_train):
            return self.X_train
        step = -(-self.record["n_train"] // MOST_SEEN)
        return row_numbers(self.X_train, lambda number: number % step == 0).collect(engine="streaming")

    def check_model(self, estimator: Any) -> None:
        """Raise OptionError where the model is not one of such rows."""
        if not isinstance(estimator, RowEstimator):
            kind = f"{self.record['kind']} data"
            raise OptionError(
                f"A {type(estimator).__name__} takes a graph, but {self.record['source']!r} holds {kind}."
            )
        if isinstance(estimator, TabularVAE) and self.record["kind"] == "images":
            raise OptionError(
                f"A TabularVAE takes a table, but {self.record['source']!r} holds images: --kind array flattens each."
            )

        self._labelled(estimator, self.X_train, self.y_train)
        labelled(estimator, self.X_test, self.y_test, self.record["source"], test=True)

    def _labelled(self, estimator: Any, X: Any, y: Any) -> Any:
        """The rows as the estimator takes them."""
        return labelled(estimator, X, y, self.record["source"])

    def check_test(self, estimator: RowEstimator) -> None:
        """Raise DataError where the test rows cannot be scored."""
        try:
            estimator._read(self._labelled(estimator, self.X_test, self.y_test))
        except DataError as error:
            remedy = "" if self.record["split_seed"] is None else " --seed says which are set aside."
            if isinstance(estimator, TabularVAE):
                remedy = """ So give the column a kind that suits all, as in --set 'schema={"NAME": "real"}'."""
            raise DataError(f"The rows set aside for the test do not suit the others: {error}{remedy}") from error

    def fit(self, estimator: RowEstimator, checkpoint: Checkpoint, place: Callable[[], object]) -> None:
        """Train on the training rows."""
        rows = self._labelled(estimator, self.X_train, self.y_train)
        estimator._fit(rows, checkpoint=checkpoint, before_training=place)

    def evaluate(self, estimator: Any, samples: int | None) -> dict[str, Any]:
        """Scores of the test rows; of a table's model, all that `summarise_table` gives too."""
        rows = self._labelled(estimator, self.X_test, self.y_test)
        summary = estimator.evaluate(rows, num_samples=samples or REPORT_SAMPLES)
        if isinstance(estimator, TabularVAE):
            draw = partial(estimator.sample, random_state=0)
            summary |= summarise_table(self.X_seen, self.X_test, estimator.schema_, estimator.impute, draw)
        return summary

    def draw(self, estimator: Any, folder: Path) -> list[tuple[str, str]]:
        """Draw the pictures; file name and caption of each."""
        from vaekit.plots import draw_all, draw_conditional, draw_table  # loads matplotlib

        if isinstance(estimator, TabularVAE):
            return draw_table(estimator, self.X_seen, self.X_test, folder)
        if isinstance(estimator, ConditionalVAE):
            return draw_conditional(estimator, self.X_train, self.y_train, folder, label_names=self.label_names)
        return draw_all(estimator, self.X_train, self.X_test, self.y_test, folder, label_names=self.label_names)

    def write_report(self, folder: Path, *, config: dict[str, Any], **parts: Any) -> None:
        """Write report.md."""
        from vaekit.report import write_report, write_table_report

        write = write_table_report if config["model"] == TabularVAE.__name__ else write_report
        write(folder, config=config, **parts)


def labelled(estimator: Any, X: Any, y: Any, source: str, *, test: bool = False) -> Any:
    """Rows as the estimator takes them: of a conditional model with their labels.

    Raises:
        OptionError: such a model is one of labels, and the data have none.
    """
    if not isinstance(estimator, ConditionalVAE):
        return X
    if y is None:
        raise OptionError(
            f"A ConditionalVAE needs a label for each row, but {source!r} has none{' of X_test' if test else ''}: take "
            f"a data set with labels, or a .npz with {'y_test beside X_test' if test else 'X and y'}."
        )
    return Conditioned(X, y)


def _height(X: Any) -> int:
    return height(X) if is_lazy(X) else int(X.shape[0])


def _split_lazily(X: Any, held: np.ndarray) -> tuple[Any, Any]:
    """The other rows, as a LazyFrame, and those set aside, in memory."""
    import polars as pl

    numbers = pl.Series(held).cast(pl.UInt32).implode()
    rest = row_numbers(X, lambda number: ~number.is_in(numbers))
    return rest, row_numbers(X, lambda number: number.is_in(numbers)).collect(engine="streaming")


def fingerprint(data: Dataset) -> str:
    """sha256 of the rows; of a table too large for memory, of the file's bytes."""
    if not is_lazy(data.X):
        return fingerprint_of(data.X, data.X_test)
    digest = hashlib.sha256()
    for block in blocks(Path(data.name)):
        digest.update(block)
    return digest.hexdigest()


def labels_as_fitted(config: dict[str, Any], data: Dataset, estimator: Any) -> tuple[Any, Any]:
    """Labels of the rows and of the test rows, as the labels of the fit were: names, or numbers by its names.

    Raises:
        DataError: there are names that the RUN's data do not have, or only one of the two has names.
    """
    known, names = (config.get("data") or {}).get("label_names"), data.label_names
    classes = estimator.condition_.classes if isinstance(estimator, ConditionalVAE) else None
    if (known is None and names is None) or data.y is None or classes is None:
        return data.y, data.y_test
    if known is None and names is not None and classes.dtype.kind == "U":
        numbers = np.array(names)
    elif known is None and names is not None and all(name.isdecimal() for name in names):
        numbers = np.array([int(name) for name in names])
    elif known is None or names is None:
        has, lacks = ("the RUN's data", repr(data.name)) if names is None else (repr(data.name), "those of the RUN")
        raise DataError(
            f"The labels of {has} have names and {lacks} numbers, so what goes with what is not known: give labels of "
            "the same kind as at fit."
        )
    else:
        others = [name for name in names if name not in known]
        if others:
            raise DataError(
                f"{data.name!r} has the label {others[0]!r}, which the fit has not seen: one of {join(known)}."
            )
        numbers = np.array([known.index(name) for name in names])
    y, y_test = (None if part is None else numbers[part] for part in (data.y, data.y_test))
    return y, y_test


def labels_fingerprint(data: Dataset) -> str | None:
    """sha256 of the labels, where there are any."""
    return None if data.y is None else fingerprint_of(data.y, data.y_test)


def other_labels(config: dict[str, Any], now: str | None) -> bool:
    """Whether the labels are not those of a RUN whose model is given them; one that did not note them takes any."""
    before = (config.get("data") or {}).get("labels_fingerprint")
    return config["model"] == ConditionalVAE.__name__ and before is not None and before != now


def fingerprint_of(*parts: Any) -> str:
    """sha256 of the data's values, types and shapes."""
    digest = hashlib.sha256()
    for part in parts:
        if part is None:
            continue
        if hasattr(part, "to_numpy") and not _is_numbers(part):
            digest.update(str(part.schema).encode())
            for rows in part.iter_slices(_HASHED):
                digest.update(rows.write_csv(include_header=False).encode())
            continue
        if hasattr(part, "to_numpy"):
            digest.update("\x00".join(map(str, part.columns)).encode())
            part = part.to_numpy()
        arrays = (part.data, part.indices, part.indptr) if scipy.sparse.issparse(part) else (np.asarray(part),)
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            array = array.view(np.int64) if array.dtype.kind in "mM" else array  # times have no buffer
            digest.update(np.ascontiguousarray(array).astype(array.dtype if array.dtype != object else str).data)
    return digest.hexdigest()


def _is_numbers(frame: Any) -> bool:
    """Whether a polars DataFrame holds numbers, true and false alone, and none is missing."""
    kinds = frame.schema.values()
    return all(kind.is_numeric() or str(kind) == "Boolean" for kind in kinds) and not any(frame.null_count().row(0))
