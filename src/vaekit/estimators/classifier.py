"""`VAEClassifier`: classification where few rows have labels, with scikit-learn's conventions."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.labelled import LabelledBatch, LabelledRows
from vaekit.data.rows import Binarize, Rows
from vaekit.errors import DataError, OptionError, warn
from vaekit.estimators.autoencoder import Autoencoder
from vaekit.estimators.density import DensityEstimator
from vaekit.estimators.labels import find_classes, number_labels, read_labels, read_weights, unseen
from vaekit.estimators.trained import Outcome, fitting
from vaekit.estimators.vae import VAE
from vaekit.likelihoods import LIKELIHOODS
from vaekit.models import Classifier, RadialHead, SemiSupervisedVAE
from vaekit.models.heads import fit_linear_head, fit_radial_head, spread_labels
from vaekit.objectives import semi_supervised
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats

_MOST_SPREAD = 5000  # codes in the graph over which labels spread
PRETRAINED = "pretrained."  # how the names of its tensors begin in a saved file


class VAEClassifier(ClassifierMixin, DensityEstimator):
    r"""Classifier for rows of which few have a label: the others help by what they are.

    "finetune" puts a linear head on the encoder of a VAE or autoencoder that was trained without labels on all rows,
    starts the head at logistic regression on the codes, then trains both on the labelled rows:

    .. math:: \max \frac1M \sum_m \log p(y_m|x_m), \qquad p(y|x) = \mathrm{softmax}(W \mu(x) + b)_y

    "features" leaves the encoder as it is and fits a classifier to its codes (M1 of Kingma et al. 2014, section 2.1).
    "m2" makes the label a latent variable, summed over where it is missing (section 2.2, eqs. 6 to 9):

    .. math:: \max \sum_{\text{labelled}} -\mathcal L(x, y)
              + \sum_{\text{others}} \Big[\sum_y q(y|x)\,(-\mathcal L(x, y)) + H(q(y|x))\Big]
              + \alpha N\, \frac1M \sum_m \log q(y_m|x_m)

    For M1 + M2 stack it: `make_pipeline(VAE(...), VAEClassifier("m2"))`.

    Args:
        method: "finetune", "features" or "m2".
        pretrained: where the encoder of "finetune" and "features" comes from: a fitted `VAE` or `Autoencoder`, which
            is used as it is, in a copy; one that is not fitted, a copy of which is fitted to all rows first; a folder
            that one was saved to, or a RUN; None for a VAE with the options here. scikit-learn's `clone`, and so its
            cross-validation, takes the fit away; wrap it in `sklearn.frozen.FrozenEstimator` to keep it.
        latent_dim, hidden, activation, likelihood, binarize: as in `VAE`, of "m2" and of the default of `pretrained`.
        head: of "features": "linear", logistic regression; "radial", the same with a Gaussian kernel; "spreading",
            with that kernel, after the labels were spread over a graph of neighbours among the codes, of up to
            5,000 rows without a label (Zhou et al. 2004).
        C: of logistic regression, inverse strength of the penalty.
        alpha: of "m2", weight of the classification term, beside a bound in nats a row.
        label_sum: of "m2": "exact", or "sampled" from two labels a row, which is unbiased (Liu et al. 2019) and takes
            no longer the more classes there are.
        epochs: passes over the labelled rows in "finetune", over all rows in "m2".
        batch_size, learning_rate, schedule, optimizer, epsilon, weight_decay, clip_norm, average: of those passes, as
            in `VAE`. On rows, "m2" made fewer errors in our benchmark with learning_rate=1e-2, schedule="cosine" and
            average=0.999; on codes it did not.
        patience: epochs without a better held-out score before training stops, where `validation_data` is given.
        device, callbacks, random_state, verbose: as in `VAE`.

    Attributes:
        classes_: the labels, sorted.
        pretrained_: the fitted estimator whose encoder was taken, a copy of it as it was then.
        model_: the `vaekit.models.Classifier` or `vaekit.models.SemiSupervisedVAE`.
        history_: a dict per epoch; empty for "features".
        n_iter_, best_epoch_, schema_: as in `VAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 10 == 0, y, -1)  # a label in ten
    >>> vae = VAE(latent_dim=2, hidden=(16,), epochs=20, random_state=0, verbose=0)
    >>> classifier = VAEClassifier(pretrained=vae, random_state=0, verbose=0).fit(X, few)
    >>> classifier.predict_proba(X).shape, classifier.score(X, y) > 0.8
    ((150, 3), True)
    """

    def __init__(
        self,
        method: Literal["finetune", "features", "m2"] = "finetune",
        pretrained: str | Path | VAE | Autoencoder | FrozenEstimator | None = None,
        *,
        latent_dim: int = 50,
        hidden: Sequence[int] = (512,),
        activation: str = "silu",
        likelihood: str = "auto",
        binarize: Binarize = "dynamic",
        head: Literal["linear", "radial", "spreading"] = "spreading",
        C: float = 10.0,
        alpha: float = 10.0,
        label_sum: Literal["exact", "sampled"] = "exact",
        epochs: int = 100,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = None,
        patience: int | None = 20,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.method = method
        self.pretrained = pretrained
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.likelihood = likelihood
        self.binarize: Binarize = binarize
        self.head = head
        self.C = C
        self.alpha = alpha
        self.label_sum = label_sum
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.patience = patience
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # -- fitting ---------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, *, validation_data: Any = None) -> Self:
        r"""Train on rows some of which have a label.

        Args:
            X: (n, D) array-like, scipy.sparse matrix or DataFrame, or images (n, H, W) or (n, C, H, W).
            y: (n,) labels, numbers or strings; -1 for a row without one, as in `sklearn.semi_supervised`, or None,
                which needs an array of objects (or a list).
            validation_data: (X, y), all labelled, on whose mean log p(y|x) early stopping and the choice of the best
                weights are based, a tuple; without it training goes on to the last epoch. "features" does not train.

        Returns:
            self.

        Raises:
            OptionError: a parameter has a value that cannot be used, or `pretrained` is no autoencoder of such rows.
            NotFittedError: `pretrained` is frozen, but was never fitted.
            DataError: X or y cannot be used: no label, or a single class.
            TrainingError: the objective turned NaN; the last good weights are kept and the estimator can be used.
            KeyboardInterrupt, and what a callback raises: as in `VAE.fit`, the best weights so far are kept.
        """
        with fitting(self) as outcome:
            self._fit_labelled(X, y, validation_data, outcome)
        return self

    def _fit_labelled(self, X: Any, y: Any, validation_data: Any, outcome: Outcome) -> None:
        if self.method == "m2" and self.pretrained is not None:
            raise OptionError(
                "method='m2' trains networks of its own, so pretrained=None; to put it on a code, M1 + M2, use "
                "sklearn.pipeline.make_pipeline(VAE(...), VAEClassifier('m2'))."
            )
        if validation_data is not None and not (isinstance(validation_data, tuple) and len(validation_data) == 2):
            raise OptionError("validation_data must be a pair: (X, y).")
        rows, self.schema_ = self._take_in(X, reset=True)
        labels, there = read_labels(y, len(rows))
        self.classes_ = find_classes(labels)
        numbers = np.full(len(rows), -1)
        numbers[there] = number_labels(labels, self.classes_)
        if validation_data is not None:
            self._number_held_out(validation_data[1])  # so that bad labels are named before anything is trained
        seed = resolve_seed(self.random_state)
        self.fitted_ = {"seed": seed, "method": self.method}
        self.history_, self.n_iter_, self.best_epoch_ = [], 0, 0
        vars(self).pop("pretrained_", None)  # of an earlier fit
        if self.method == "m2":
            stats = rows.stats()
            self._configure(stats)
            prepared = self._prepare(rows, training=True)
            stats, rows = stats if prepared is rows else prepared.stats(), prepared
        else:
            self.pretrained_ = self._pretrain(X, seed)
            self.schema_ = dataclasses.replace(self.schema_, shape=self.pretrained_.schema_.shape)
            rows = self._take_in(X, reset=False)[0]
            self.fitted_ |= {"centres": 0}
            stats = ColumnStats.placeholder(self.schema_.shape)  # a head needs none
        with isolated_rng(seed):
            self.model_ = self._build(stats, None).to(self._device())
            if self.method != "m2":
                self.model_.head = self._fit_head(rows, numbers, seed).to(self._device())
        self.model_.eval()
        held_out = None if validation_data is None else self._read_labelled(*validation_data)
        if self.method == "features":
            return
        few = self.batch_size or 0
        if self.method == "finetune":
            few, rows, numbers = 0, rows.subset(np.flatnonzero(there)), numbers[there]
        examples = LabelledRows(rows.to(self._device()), torch.from_numpy(numbers), few)
        validate = None if held_out is None else self._held_out_score(held_out)
        unit = "nats" if self.method == "m2" else "nats a label"  # of "m2" a bound a row, held out log p(y|x)
        value = self._value(self.model_, len(examples))
        self._train(examples, value, seed, validate, None, None, unit, outcome=outcome)

    def _pretrain(self, X: Any, seed: int) -> VAE | Autoencoder:
        """The fitted estimator whose encoder is taken."""
        given: Any = self.pretrained
        name = "pretrained"
        if isinstance(given, (str, Path)):
            from vaekit.estimators.loading import load  # which knows this class

            name, given = f"pretrained={str(given)!r}", load(given, self.device)
        frozen = isinstance(given, FrozenEstimator)
        if frozen:
            given = given.estimator
        if given is None:
            options = ("latent_dim", "hidden", "activation", "likelihood", "binarize", "device", "verbose")
            given = VAE(**{option: getattr(self, option) for option in options})
        if not isinstance(given, (VAE, Autoencoder)):
            raise OptionError(
                f"{name} is a {type(given).__name__}, but must be a VAE or Autoencoder, or a folder of one."
            )
        if frozen:
            check_is_fitted(given, "model_")
        if not hasattr(given, "model_"):
            fresh: Any = clone(given)
            if fresh.random_state is None:
                fresh.set_params(random_state=seed)
            return fresh.fit(X)
        shape, own = given.schema_.shape, self.schema_.shape
        if own not in (shape, (given.schema_.size,)):
            raise DataError(
                f"{name} is a {type(given).__name__} of rows of shape {shape}, but X has rows of shape {own}."
            )
        given._read(X)
        return copy.deepcopy(given)  # which another fit of the one given does not change

    def _build(self, stats: ColumnStats, rows: Rows | None) -> Classifier | SemiSupervisedVAE:
        classes = len(self.classes_)
        if self.fitted_["method"] == "m2":
            likelihood = LIKELIHOODS[self.likelihood_](self.schema_.shape, **self.fitted_["settings"])
            likelihood.calibrate(stats)
            return SemiSupervisedVAE(likelihood, classes, self.latent_dim, self.hidden, self.activation, stats)
        encoder, centres = self.pretrained_.encoder_, self.fitted_["centres"]
        latent_dim = self.pretrained_.model_.latent_dim
        return Classifier(
            encoder, RadialHead(latent_dim, centres, classes) if centres else nn.Linear(latent_dim, classes)
        )

    @torch.no_grad()
    def _fit_head(self, rows: Rows, numbers: np.ndarray, seed: int) -> nn.Linear | RadialHead:
        """A head fitted to codes: of labelled rows, and of others where labels are to spread."""
        index = np.flatnonzero(numbers >= 0)
        spreading = self.method == "features" and self.head == "spreading"
        if spreading:
            others = np.flatnonzero(numbers < 0)
            count = min(len(others), max(0, _MOST_SPREAD - len(index)))
            index = np.append(index, np.random.default_rng(seed).choice(others, count, replace=False))
        z = torch.cat([self.model_.encoder(x).cpu() for x in self._batches(rows.subset(index))]).numpy()
        z, y = z.astype(np.float64), numbers[index]
        if self.method == "finetune" or self.head == "linear":
            return fit_linear_head(z, y, self.C)
        if spreading:
            y = spread_labels(z, y)
            z, y = z[y >= 0], y[y >= 0]
        head = fit_radial_head(z, y, self.C, seed)
        self.fitted_["centres"] = len(head.centres)
        return head

    def _value(self, model: Any, n: int) -> Callable[[Any, float], Tensor]:
        if self.method == "m2":

            def bound(batch: LabelledBatch, factor: float) -> Tensor:
                x, y, x_few, y_few = batch
                log_qy = model.label_posterior(x_few).log_prob(y_few)
                given = y if self.label_sum == "sampled" else None
                return semi_supervised(model.terms(x, given=given), y, log_qy, alpha=self.alpha)

            return bound
        return lambda batch, factor: model.label_posterior(batch[0]).log_prob(batch[1])

    def _held_out_score(self, rows: Any) -> Callable[[Any], float]:
        """Mean log p(y|x) of labelled rows."""

        def score(model: Any) -> float:
            return float(self._log_probs(model, rows.rows).gather(1, rows.y.cpu().unsqueeze(1)).double().mean())

        return score

    # -- using -----------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _log_probs(self, model: Any, rows: Rows) -> Tensor:
        """(n, C) log p(y|x), of grey levels made binary that of their means."""
        grey = self._grey
        return torch.cat([model.label_posterior(grey(x)).logits.cpu() for x in self._batches(rows)])

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, C) probabilities of the classes, in the order of `classes_`, float32; DataError as of `VAE.transform`."""
        rows = self._read(X)
        return self._log_probs(self.model_, rows).softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """(n,) the likeliest class of each row; errors as of `predict_proba`."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy: the share of rows whose label is predicted. Labels that fit has not seen count as errors.

        Raises:
            DataError: a row has no label, or the weights are not one finite number from 0 up for each row.
        """
        rows = self._read(X)
        labels, there = read_labels(y, len(rows))
        if not there.all():
            raise DataError(f"A score needs a label for every row, but {int((~there).sum())} have none.")
        numbers = number_labels(labels, self.classes_)
        if (numbers < 0).any():
            warn(f"y holds labels that fit has not seen, {unseen(labels, numbers)}: errors.")
        right = self._log_probs(self.model_, rows).numpy().argmax(1) == numbers
        return float(np.average(right, weights=read_weights(sample_weight, len(rows))))

    def _read_labelled(self, X: Any, y: Any) -> LabelledRows:
        rows = self._read(X)
        return LabelledRows(rows, torch.from_numpy(self._number_held_out(y, len(rows))))

    def _number_held_out(self, y: Any, n: int | None = None) -> np.ndarray:
        labels, there = read_labels(y, n)
        numbers = number_labels(labels, self.classes_)
        if not there.all():
            raise DataError(f"validation_data needs a label for every row, but {int((~there).sum())} have none.")
        if (numbers < 0).any():
            raise DataError(f"validation_data holds labels that y has not: {unseen(labels, numbers)}.")
        return numbers

    def _check_values(self, rows: Rows) -> None:
        if self.fitted_["method"] == "m2":
            super()._check_values(rows)
        else:
            self.pretrained_._check_values(rows)

    @property
    def likelihood_(self) -> str:
        """Name of the likelihood of "m2", or of the VAE whose encoder was taken."""
        check_is_fitted(self, "fitted_")
        if self.fitted_["method"] == "m2":
            return self.fitted_["likelihood"]
        if isinstance(self.pretrained_, Autoencoder):
            raise AttributeError("An Autoencoder has no likelihood.")
        return self.pretrained_.likelihood_

    # -- saving ----------------------------------------------------------------------------------------------------

    def _plain_params(self) -> dict[str, Any]:
        params, given = super()._plain_params(), self.pretrained
        if isinstance(given, FrozenEstimator):
            params["pretrained"] = {"fitted": hasattr(given.estimator, "model_"), "frozen": True}
        elif isinstance(given, (VAE, Autoencoder)):
            params["pretrained"] = {"fitted": hasattr(given, "model_")}
        elif given is not None:
            params["pretrained"] = str(given)
        return params

    def _described(self) -> dict[str, Any]:
        described = super()._described() | {"classes": self.classes_.tolist(), "labels": str(self.classes_.dtype)}
        if hasattr(self, "pretrained_"):
            described["pretrained"] = self.pretrained_._config() | {"history": self.pretrained_.history_}
        return described

    def _tensors(self) -> dict[str, Tensor]:
        base = self.pretrained_._tensors() if hasattr(self, "pretrained_") else {}
        return super()._tensors() | {f"{PRETRAINED}{name}": tensor for name, tensor in base.items()}

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
        fitted = dict(config["fitted"])
        fitted.pop("pretrained", None)  # `load` has made it
        self.classes_ = np.array(fitted.pop("classes"), dtype=fitted.pop("labels"))
        self.fitted_ = fitted
        super()._restore(config | {"fitted": fitted}, tensors, history)
