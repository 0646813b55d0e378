"""Callbacks: functions of an epoch's record. Progress on the terminal, and the trackers of the extra `track`."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

from vaekit.errors import MissingDependencyError


class Reporter(Protocol):
    """A callback that is told when training ends."""

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Take the record of an epoch."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


def _score(record: Mapping[str, Any]) -> float:
    return record["train"] if record["validation"] is None else record["validation"]


class PlainLines:
    """One line to stderr for the first epoch, the last, and those at least `every` seconds apart.

    Args:
        epochs: epochs to come, at most.
        unit: what the numbers are.
        every: seconds between lines.
    """

    def __init__(self, epochs: int, unit: str, every: float = 2.0) -> None:
        self.epochs, self.unit, self.every = epochs, unit, every
        self._last = 0.0
        self._pending: Mapping[str, Any] | None = None

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Print the record, or keep it for later."""
        now = time.monotonic()
        self._pending = record
        if record["epoch"] in (1, self.epochs) or now - self._last >= self.every:
            self._print()
            self._last = now

    def _print(self) -> None:
        record, self._pending = self._pending, None
        if record is None:
            return
        held_out = "" if record["validation"] is None else f"   held-out {record['validation']:10.3f}"
        print(
            f"epoch {record['epoch']:4d}/{self.epochs}   train {record['train']:10.3f}{held_out}   {self.unit}"
            f"   {record['seconds']:.2f} s",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Print the last record if it was not."""
        self._print()


class ProgressBar:
    """A bar on the terminal with the bound, its trend over the last epochs and the time left.

    Args:
        epochs: epochs to come, at most.
        unit: what the numbers are.
    """

    def __init__(self, epochs: int, unit: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self.unit = unit
        self._scores: list[float] = []
        self._task = self._progress.add_task("", total=epochs)
        self._progress.start()

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Advance to the record's epoch."""
        self._scores.append(_score(record))
        trend = trend_of(self._scores)
        kind = "train" if record["validation"] is None else "held-out"
        text = f"{kind} {self._scores[-1]:.3f} {self.unit} {trend}"
        self._progress.update(self._task, completed=record["epoch"], description=text)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


def trend_of(scores: list[float], span: int = 5) -> str:
    """Change per epoch over the last `span` epochs.

    >>> trend_of([-10.0, -8.0])
    '(+2.000 an epoch)'
    """
    if len(scores) < 2:
        return ""
    recent = scores[-span - 1 :]
    return f"({(recent[-1] - recent[0]) / (len(recent) - 1):+.3f} an epoch)"


def make_reporter(verbose: int, epochs: int, unit: str) -> Reporter | None:
    """Nothing for `verbose=0`, a bar on a terminal, plain lines elsewhere."""
    if not verbose:
        return None
    return ProgressBar(epochs, unit) if sys.stderr.isatty() else PlainLines(epochs, unit)


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in record.items() if name != "epoch" and value is not None}


class TensorBoardCallback:
    """Writes each epoch's numbers for TensorBoard (extra `track`).

    Args:
        folder: log folder.
    """

    def __init__(self, folder: str) -> None:
        _check_there("TensorBoard", "tensorboard", "torch.utils.tensorboard.writer")
        self.folder, self._writer = folder, None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_writer": None}  # a copy, as clone makes one, opens a log of its own

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Write the record."""
        if self._writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._writer = SummaryWriter(self.folder)
        for name, value in _numbers(record).items():
            self._writer.add_scalar(name, value, record["epoch"])
        self._writer.flush()


class MLflowCallback:
    """Logs each epoch's numbers to the active MLflow run (extra `track`)."""

    def __init__(self) -> None:
        _check_there("MLflow", "mlflow")

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Log the record."""
        import mlflow  # type: ignore[import-not-found]

        mlflow.log_metrics(_numbers(record), step=record["epoch"])


class WandbCallback:
    """Logs each epoch's numbers to the active Weights & Biases run (extra `track`)."""

    def __init__(self) -> None:
        _check_there("Weights & Biases", "wandb")

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Log the record."""
        import wandb  # type: ignore[import-not-found]

        wandb.log(_numbers(record), step=record["epoch"])


def _check_there(what: str, package: str, module: str | None = None) -> None:
    """Raise MissingDependencyError unless the tracker's package can be imported, or what torch makes of it."""
    try:
        importlib.import_module(module or package)
    except ImportError as error:
        raise MissingDependencyError(f"{what} needs the package {package}: pip install 'vaekit[track]'.") from error
