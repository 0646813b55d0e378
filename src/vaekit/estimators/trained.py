"""What every estimator shares, whatever its data: the run of the training loop, its device, saving."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from vaekit.errors import RunError, TrainingError
from vaekit.estimators.options import check_options, plain_params
from vaekit.runs import check_replaceable, new_config, save_model
from vaekit.training.callbacks import make_reporter
from vaekit.training.checkpoint import Checkpoint, TrainingState
from vaekit.training.loop import Callback, Examples, TrainingSettings, train


@dataclass
class Outcome:
    """Whether what a fit has done is to be kept although it fails."""

    keep: bool = False


@contextmanager
def fitting(estimator: TrainedEstimator) -> Iterator[Outcome]:
    """The block is a fit, whose failure leaves the estimator's attributes as they were: fitted, or not yet fitted.

    A failure in training after which there are good weights keeps them: see `TrainedEstimator._train`. The parameters
    are checked, and kept as `_params`: those that `set_params` sets later are of the next fit.
    """
    before, outcome = dict(vars(estimator)), Outcome()
    check_options(estimator)
    try:
        estimator._params = estimator._plain_params()
        yield outcome
        outcome.keep = True
    finally:
        if outcome.keep:
            estimator._params = estimator._plain_params()  # now with the seed of a RandomState
        else:
            vars(estimator).clear()
            vars(estimator).update(before)


def _numbered_on(callback: Callback, before: int) -> Callback:
    """The callback, told epochs that are counted from those before."""
    if not before:
        return callback
    return lambda record: callback({**record, "epoch": before + record["epoch"]})


class TrainedEstimator(BaseEstimator, ABC):
    """Base of all estimators: `model_` is trained by the loop on some kind of examples, and can be saved.

    A subclass sets `fitted_` (a dict of JSON types that describes its network), `history_` and `model_` before it
    calls `_train`.
    """

    model_: Any
    fitted_: dict[str, Any]
    history_: list[dict[str, Any]]
    _params: dict[str, Any]  # of the fit

    # parameters that every subclass has
    epochs: int
    learning_rate: float
    schedule: str
    optimizer: str
    epsilon: float
    weight_decay: float
    clip_norm: float | None
    average: float | None
    patience: int | None
    device: str
    callbacks: Sequence[Callback] | None
    random_state: int | np.random.RandomState | None
    verbose: int

    def _train(
        self,
        examples: Examples,
        value: Callable[[Any, float], Tensor],
        seed: int,
        validate: Callable[[Any], float] | None,
        checkpoint: Checkpoint | None,
        before_training: Callable[[], object] | None,
        unit: str = "nats a row",
        *,
        outcome: Outcome,
        finish: Callable[[], object] | None = None,
    ) -> None:
        """Train `model_` and set what is known after it, by `finish` what needs the training data once more.

        A TrainingError keeps the last good weights; so does, once an epoch is over, an interruption or the failure of a
        callback, but for a run with a checkpoint, which goes on from that.
        """
        if before_training is not None:
            before_training()
        reporter = make_reporter(self.verbose, self.epochs, unit)
        before = len(self.history_)  # of warm starts, whose epochs are numbered on
        own = [_numbered_on(callback, before) for callback in self.callbacks or ()]
        callbacks: list[Callback] = [*own, *([reporter] if reporter else [])]
        state = (checkpoint.load() if checkpoint is not None else None) or TrainingState()
        usable = False
        try:
            train(
                self.model_,
                examples,
                value,
                self._settings(),
                seed=seed,
                state=state,
                validate=validate,
                callbacks=callbacks,
                checkpoint=checkpoint,
            )
            usable = True
        except TrainingError as error:
            usable = True
            self.fitted_["stopped"] = str(error)
            raise
        finally:
            if reporter:
                reporter.close()
            if not usable and "best" in state.tensors:
                self.model_.load_state_dict(state.tensors["best"])
            self.model_.eval()
            self.history_ = [*self.history_, *({**each, "epoch": before + each["epoch"]} for each in state.history)]
            self.n_iter_ = len(self.history_)
            self.best_epoch_ = before + state.best_epoch
            if usable or (checkpoint is None and state.best_epoch):
                outcome.keep = True
                if finish is not None:
                    finish()

    def _settings(self) -> TrainingSettings:
        return TrainingSettings(
            epochs=self.epochs,
            batch_size=int(getattr(self, "batch_size", None) or 1),
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            optimizer=self.optimizer,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            clip_norm=self.clip_norm,
            average=self.average,
            kl_warmup=getattr(self, "kl_warmup", 0.0),
            validate_every=getattr(self, "validation_every", 1),
            patience=self.patience,
            precision=getattr(self, "precision", "float32"),
            compile=getattr(self, "compile", False),
        )

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line, file=sys.stderr, flush=True)

    def _device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save to a folder, as JSON and safetensors; `vaekit.load` reads it.

        A model that is there is replaced once the new one is written: a full disk, or a kill, costs nothing.

        Args:
            path: a folder that is new or empty.
            overwrite: allow a folder that holds a saved model.

        Raises:
            RunError: the folder holds something else.
            WriteError: it cannot be written; what was there before is still there.
        """
        check_is_fitted(self, "model_")
        folder = Path(path)
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file; save needs a folder.")
        if folder.is_dir() and any(folder.iterdir()):
            if not overwrite:
                raise RunError(f"{folder} is not empty; choose another folder, or pass overwrite=True.")
            check_replaceable(folder)
        save_model(folder, self._config(), self._tensors(), self.history_)

    def _plain_params(self) -> dict[str, Any]:
        """The parameters as JSON types."""
        return plain_params(self)

    def _config(self) -> dict[str, Any]:
        fitted = {**self.fitted_, **self._described(), "best_epoch": self.best_epoch_}
        return new_config(type(self).__name__, self._params, fitted)

    @abstractmethod
    def _described(self) -> dict[str, Any]:
        """What is known of the data, as JSON types, to be saved."""

    def _tensors(self) -> dict[str, Tensor]:
        return {f"model.{name}": tensor for name, tensor in self.model_.state_dict().items()}

    @abstractmethod
    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
        """Set every fitted attribute from what `save` wrote."""

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        self.model_.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
