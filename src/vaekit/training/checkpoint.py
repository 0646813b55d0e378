"""All that a training run needs to go on after a kill as if nothing had happened, in one file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from vaekit.errors import RunError
from vaekit.files import written_whole

FORMAT = 1


@dataclass
class TrainingState:
    """Where a training run stands.

    Attributes:
        epoch: epochs that are complete.
        step: steps done in the epoch under way.
        best_score: best validation score so far, and the epoch it belongs to.
        history: one record per complete epoch.
        tensors: named groups of tensors: "model", "optimizer", "best", "average", "network", "network_optimizer" (of a
            discriminator), "rng", "epoch_rng", "values".
        seconds: spent on the epoch under way.
    """

    epoch: int = 0
    step: int = 0
    best_score: float | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    seconds: float = 0.0


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: Any = None) -> None:
    """Write tensors as safetensors, whole; the same tensors and metadata give the same bytes."""
    # One key of metadata only, as the order of several is not fixed; clones, as safetensors refuses tied weights.
    header = None if metadata is None else {"vaekit": json.dumps(metadata)}
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(tensors.items())}
    with written_whole(path) as file:
        file.write(safetensors.torch.save(plain, metadata=header))


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], Any]:
    """Read tensors and metadata back.

    Raises:
        RunError: the file is missing, unreadable or damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, json.loads(header["vaekit"]) if "vaekit" in header else None
    except (safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise RunError(f"{path} is damaged and cannot be read ({error}).") from error
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror or error}.") from error


class Checkpoint:
    """A file that holds a `TrainingState`, written every so often and when the run is asked to stop.

    Args:
        path: the file.
        every: seconds between writes.
        run: what tells its run from others; a file that another wrote is not taken.
    """

    def __init__(self, path: str | Path, every: float = 15.0, run: str = "") -> None:
        self.path = Path(path)
        self.every = every
        self.run = run
        self.stop_requested = False
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return self.stop_requested or time.monotonic() - self._last >= self.every

    def save(self, state: TrainingState) -> None:
        """Write the state, whole."""
        tensors = {f"{group}/{name}": t for group, named in state.tensors.items() for name, t in named.items()}
        metadata = {
            "format": FORMAT,
            "run": self.run,
            "epoch": state.epoch,
            "step": state.step,
            "seconds": state.seconds,
            "best_score": state.best_score,
            "best_epoch": state.best_epoch,
            "history": state.history,
            "groups": list(state.tensors),
        }
        save_tensors(self.path, tensors, metadata)
        self._last = time.monotonic()

    def load(self) -> TrainingState | None:
        """Read the state; None where none was written yet.

        Raises:
            RunError: the file is damaged, is not a checkpoint, or is that of another run.
        """
        if not self.path.exists():
            return None
        tensors, metadata = load_tensors(self.path)
        try:
            if metadata["format"] > FORMAT:
                raise RunError(f"{self.path} was written by a newer vaekit (checkpoint format {metadata['format']}).")
            if metadata.get("run", self.run) != self.run:  # older files do not say
                raise RunError(
                    f"{self.path} was written by a RUN with other settings or data, so it is not gone on with."
                )
            groups: dict[str, dict[str, Tensor]] = {group: {} for group in metadata["groups"]}
            for name, tensor in tensors.items():
                group, _, rest = name.partition("/")
                groups[group][rest] = tensor
            names = ("epoch", "step", "seconds", "best_score", "best_epoch", "history")
            return TrainingState(**{name: metadata[name] for name in names}, tensors=groups)
        except (KeyError, TypeError) as error:
            raise RunError(f"{self.path} is not a checkpoint of vaekit.") from error


@contextmanager
def stop_on_signal(checkpoint: Checkpoint) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM ask the run to write a checkpoint and stop; a second one stops at once."""
    import signal

    def ask(number: int, frame: Any) -> None:
        if checkpoint.stop_requested:
            raise KeyboardInterrupt
        checkpoint.stop_requested = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
