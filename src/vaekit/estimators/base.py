"""What the estimators on rows share: data in and out, the fit around the training loop, saving and loading."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.rows import Rows
from vaekit.data.split import split_rows
from vaekit.errors import OptionError, changes
from vaekit.estimators.inputs import read_array
from vaekit.estimators.trained import TrainedEstimator, fitting
from vaekit.evaluation.likelihood import IndependentFeatures
from vaekit.models.building import Architecture
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ArraySchema, ColumnStats
from vaekit.training.checkpoint import Checkpoint

BATCH = 1024  # rows at a time outside training
_ARCHITECTURE = (
    *(field.name for field in dataclasses.fields(Architecture)),
    *("layers", "kernel_size", "likelihood", "encoder", "decoder", "schema", "mixture", "condition_hidden"),
)  # parameters that a warm start cannot change


def _validation_rows(given: Any) -> Any:
    """The rows of `validation_data`: X, or the first of a tuple (X, y)."""
    refusal = "validation_data must be X, or a pair: (X, y)."
    if isinstance(given, tuple):
        if len(given) != 2:
            raise OptionError(refusal)
        return given[0]
    try:
        return np.asarray(given) if isinstance(given, list) else given
    except ValueError as error:  # of a list [X, y], which makes no array
        raise OptionError(refusal) from error


class RowEstimator(TrainedEstimator):
    """Base of the estimators on arrays and images.

    A subclass lists its parameters in `__init__` and gives the abstract methods; everything else is here.
    """

    _unit = "nats a row"
    _schema_type: Any = ArraySchema
    n_features_in_: int
    independent_: IndependentFeatures  # where the model has a density

    # parameters that every subclass has
    batch_size: int | None
    validation_fraction: float | None
    warm_start: bool

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _take_in(self, X: Any, *, reset: bool) -> tuple[Rows, Any]:
        """Check X, and give its rows and what a row of it is."""
        values, schema = read_array(self, X, reset=reset)
        return Rows(values, schema.shape if reset else self.schema_.shape), schema

    def _set_feature_names(self, schema: Any) -> None:
        """Set `feature_names_in_` where scikit-learn has names of columns; else none stay of an earlier fit."""
        vars(self).pop("feature_names_in_", None)
        if schema.feature_names is not None:
            self.feature_names_in_ = np.array(schema.feature_names, dtype=object)

    def _configure(self, stats: ColumnStats) -> None:
        """Decide from the data what the network must know and keep it in `fitted_`, a dict of JSON types.

        Raises DataError where the likelihood asked for has no place for the data.
        """

    @abstractmethod
    def _build(self, stats: ColumnStats, rows: Rows | None) -> nn.Module:
        """Make the network that `fitted_` describes, started from the rows as the model takes them, and their stats."""

    def _prepare(self, rows: Rows, *, training: bool) -> Rows:
        """Rows as the model takes them: binary where it is trained on draws of grey levels."""
        return rows

    @abstractmethod
    def _value(self, model: Any, n: int) -> Callable[[Tensor, float], Tensor]:
        """What training on n rows maximises: from a batch and the warm-up factor of the KL to one value per row."""

    @abstractmethod
    def _held_out_score(self, rows: Rows) -> Callable[[Any], float]:
        """Score of a model on held-out rows, higher is better."""

    def _finish(self, rows: Rows) -> None:
        """Set fitted attributes that need the training rows once more."""

    # -- fitting ---------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, validation_data: Any = None) -> Self:
        r"""Train on the rows of X.

        Args:
            X: (n, D) array-like, scipy.sparse matrix or DataFrame, images (n, H, W) or (n, C, H, W), or an array
                (n, \*shape) for own networks; for a model of tables what it says there.
            y: ignored; there for scikit-learn's pipelines.
            validation_data: rows like X, or a tuple (X, y), on which early stopping and the choice of the best
                weights are based, in place of `validation_fraction` of X.

        Returns:
            self.

        Raises:
            OptionError: a parameter has a value that cannot be used; all such faults are named together.
            DataError: X cannot be used as it is.
            TrainingError: the objective turned NaN; the last good weights are kept and the estimator can be used.
            KeyboardInterrupt, and what a callback raises: once an epoch is over the best weights so far are kept, and
                the estimator can be used; before that it is as it was.
        """
        return self._fit(X, validation_data)

    def _fit(
        self,
        X: Any,
        validation_data: Any = None,
        *,
        checkpoint: Checkpoint | None = None,
        before_training: Callable[[], object] | None = None,
    ) -> Self:
        with fitting(self) as outcome:
            rows, held_out, seed = self._begin(X, validation_data)
            value = self._value(self.model_, len(rows))
            validate = None if held_out is None else self._held_out_score(held_out)
            options: dict[str, Any] = {"outcome": outcome, "finish": lambda: self._finish(rows)}
            self._train(rows, value, seed, validate, checkpoint, before_training, self._unit, **options)
        return self

    def _begin(self, X: Any, validation_data: Any) -> tuple[Rows, Rows | None, int]:
        """Check the data, make the model, and give training rows, those held out and the seed."""
        again = self.warm_start and hasattr(self, "model_")
        validation_data = _validation_rows(validation_data)
        rows, schema = self._take_in(X, reset=not again)
        seed, device = resolve_seed(self.random_state), self._device()
        architecture = {name: self._params[name] for name in _ARCHITECTURE if name in self._params}
        if again and (changed := changes(self.fitted_["architecture"], architecture)):
            raise OptionError(
                f"warm_start goes on with the network as it was ({'; '.join(changed)}): set that back, or "
                "warm_start=False."
            )
        vars(self).pop("fitted_prior_", None)  # of an earlier fit
        parts = None
        if validation_data is None and self.validation_fraction is not None:
            first = self.fitted_["seed"] if again else seed  # so that rows held out before are held out again
            parts = split_rows(len(rows), self.validation_fraction, first)
        if not again:
            self.schema_ = schema
            self.fitted_: dict[str, Any] = {"seed": seed, "architecture": architecture}
            self.history_: list[dict[str, Any]] = []
            stats = rows.stats()
            self._configure(stats)
            with isolated_rng(seed):
                prepared = self._prepare(rows, training=True)
                trained = prepared if parts is None else prepared.subset(parts[0])
                stats = stats if prepared is rows else prepared.stats()
                self.model_ = self._build(stats, trained).to(device)
        else:
            self._check_values(rows)
            self.model_.to(device)
        self.fitted_ = {name: value for name, value in self.fitted_.items() if name != "stopped"}  # of an earlier fit
        held_out = None
        if validation_data is not None:
            held_out = self._read(validation_data)
        elif parts is not None:
            rows, held_out = rows.subset(parts[0]), rows.subset(parts[1])
        rows = self._prepare(rows, training=True).to(device)
        if held_out is not None:
            held_out = self._prepare(held_out, training=False).to(device)
        return rows, held_out, seed

    # -- using -----------------------------------------------------------------------------------------------------

    def _read(self, X: Any) -> Rows:
        """Check rows that are not those of the fit, and give them in their own type."""
        check_is_fitted(self, "model_")
        rows = self._take_in(X, reset=False)[0]
        self._check_values(rows)
        return rows

    def _check_values(self, rows: Rows) -> None:
        """Raise DataError where rows hold values that the model has no place for."""

    def _batches(self, rows: Rows) -> Iterator[Tensor]:
        device = next(self.model_.parameters()).device
        for part in rows.chunks(BATCH):
            yield rows.raw(part).to(device).float()

    # -- saving ----------------------------------------------------------------------------------------------------

    def _described(self) -> dict[str, Any]:
        return {"schema": self.schema_.to_json(), "n_features_in": self.n_features_in_}

    def _tensors(self) -> dict[str, Tensor]:
        trivial = self.independent_.state_dict() if hasattr(self, "independent_") else {}
        return super()._tensors() | {f"independent.{name}": tensor for name, tensor in trivial.items()}

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        super()._load_tensors(tensors)
        trivial = {n.removeprefix("independent."): t for n, t in tensors.items() if n.startswith("independent.")}
        if trivial:
            self.independent_.load_state_dict(trivial)

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
        """Set every fitted attribute from what `save` wrote."""
        fitted = dict(config["fitted"])
        self.schema_ = self._schema_type.from_json(fitted.pop("schema"))
        self.n_features_in_ = fitted.pop("n_features_in")
        self.best_epoch_ = fitted.pop("best_epoch")
        self._set_feature_names(self.schema_)
        self.fitted_, self.history_, self.n_iter_ = fitted, history, len(history)
        with isolated_rng(0):
            self.model_ = self._build(ColumnStats.placeholder(self.schema_.shape), None)
        self._load_tensors(tensors)
        self.model_.to(self._device()).eval()
