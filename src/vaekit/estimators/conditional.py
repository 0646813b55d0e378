"""`ConditionalVAE`: rows given class labels or vectors, with scikit-learn's conventions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.conditioned import ConditionedRows
from vaekit.data.rows import Binarize, Rows
from vaekit.errors import DataError, OptionError
from vaekit.estimators.base import BATCH
from vaekit.estimators.bound import BoundTraining
from vaekit.estimators.conditions import Conditioned, ConditionSchema
from vaekit.estimators.density import DensityEstimator
from vaekit.estimators.inputs import like_input, read_array, with_index_of
from vaekit.estimators.options import check_draws
from vaekit.evaluation.completion import draws_given, mean_given
from vaekit.evaluation.likelihood import score_independent, summarise
from vaekit.models.building import Architecture
from vaekit.models.conditional import ConditionalMeanEncoder, build_conditional
from vaekit.models.conditional import ConditionalVAE as Model
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats


class ConditionalVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BoundTraining, DensityEstimator):
    r"""Conditional variational autoencoder (Sohn et al. 2015): vectors and images x given labels or vectors c.

    Maximises a lower bound on the density of x given c:

    .. math:: \log p(x|c) \ge E_{q(z|x, c)}[\log p(x|z, c)] - \beta\,\mathrm{KL}(q(z|x, c)\,\|\,p(z|c))

    Every method takes the conditions of its rows: `y`, labels as at fit (one for each row, or one for all), or
    `condition`, vectors (n, C), or one vector (C,) for all. Other arguments and errors are those of
    the same method of `vaekit.VAE`; DataError also where conditions are not as at fit.

    Args:
        latent_dim: number L of latent units; 0 leaves none: a regression of x on c, whose log p(x|c) is exact.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse, a learned prior as they are.
        condition_hidden: widths of layers through which the condition goes before it joins row and code; () joins it
            as it is.
        prior: "normal", p(z|c) = N(0, I), or "conditional", a normal whose means and standard deviations a network
            learns from c.
        network: "mlp", or for images "conv", residual convolutions, which see the condition as a channel of its own.
        activation, channels, blocks, likelihood, binarize: as of `vaekit.VAE`.
        objective: "elbo", "iwae", "dreg" or "stl", as of `vaekit.VAE`.
        kl, samples, beta, kl_warmup, free_bits, epochs, batch_size, learning_rate, schedule: as of `vaekit.VAE`.
        optimizer, epsilon, weight_decay, clip_norm, average, validation_fraction: as of `vaekit.VAE`.
        validation_samples, validation_every, patience: as of `vaekit.VAE`.
        warm_start, device, callbacks, random_state, verbose: as of `vaekit.VAE`.

    Attributes:
        model_: the trained `vaekit.models.ConditionalVAE`.
        classes_: labels in sorted order, where there are labels.
        encoder_: a copy of the encoder, on the CPU, as an nn.Module from raw X and coded conditions to posterior means.
        likelihood_, history_, n_iter_, best_epoch_, schema_: as of `vaekit.VAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> cvae = ConditionalVAE(latent_dim=2, hidden=(16,), epochs=5, random_state=0, verbose=0).fit(X, y)
    >>> cvae.sample(3, y=2, random_state=0).shape, cvae.score_samples(X, y).shape
    ((3, 4), (150,))
    >>> part = ConditionalVAE(latent_dim=1, epochs=5, random_state=0, verbose=0).fit(X[:, 2:], condition=X[:, :2])
    >>> part.complete(condition=X[:5, :2]).shape
    (5, 2)
    """

    def __init__(
        self,
        latent_dim: int = 20,
        hidden: Sequence[int] = (512,),
        *,
        condition_hidden: Sequence[int] = (),
        prior: Literal["normal", "conditional"] = "normal",
        network: Literal["mlp", "conv"] = "mlp",
        activation: str = "silu",
        channels: Sequence[int] = (32, 64),
        blocks: int = 1,
        likelihood: str = "auto",
        binarize: Binarize = "dynamic",
        objective: Literal["elbo", "iwae", "dreg", "stl"] = "elbo",
        kl: Literal["auto", "analytic", "monte_carlo"] = "auto",
        samples: int = 1,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = None,
        validation_fraction: float | None = 0.1,
        validation_samples: int | None = None,
        validation_every: int = 1,
        patience: int | None = 20,
        warm_start: bool = False,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.condition_hidden = condition_hidden
        self.prior = prior
        self.network = network
        self.activation = activation
        self.channels = channels
        self.blocks = blocks
        self.likelihood = likelihood
        self.binarize: Binarize = binarize
        self.objective = objective
        self.kl = kl
        self.samples = samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.free_bits = free_bits
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.validation_fraction = validation_fraction
        self.validation_samples = validation_samples
        self.validation_every = validation_every
        self.patience = patience
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # -- fitting ---------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, condition: Any = None, validation_data: Any = None) -> Self:
        r"""Train on the rows of X given their labels or vectors, one of the two.

        Args:
            X: (n, D) array-like, scipy.sparse matrix or DataFrame, or images (n, H, W) or (n, C, H, W).
            y: (n,) labels: strings, whole numbers or booleans. The model sees indicators of them.
            condition: (n, C) numbers, or (n,). Columns with values other than 0 and 1 are standardised.
            validation_data: a pair (X, y) or, with `condition`, (X, condition), in place of `validation_fraction`.

        Returns:
            self.

        Raises:
            OptionError: a parameter has a value that cannot be used, or neither or both of y and condition are given.
            DataError: X, y or condition cannot be used as they are.
            TrainingError: the objective turned NaN; the last good weights are kept and the estimator can be used.
        """
        held_out = None
        if validation_data is not None:
            if not (isinstance(validation_data, tuple) and len(validation_data) == 2):
                raise OptionError("validation_data must be a pair: (X, y), or (X, condition).")
            name = "y" if condition is None else "condition"
            held_out = Conditioned(validation_data[0], **{name: validation_data[1]})
        return self._fit(Conditioned(X, y, condition), held_out)

    def _take_in(self, X: Conditioned, *, reset: bool) -> tuple[Rows, Any]:
        if reset:
            self.condition_ = ConditionSchema.learn(X.y, X.condition)
        values, schema = read_array(self, X.X, reset=reset)
        coded = self.condition_.code(X.y, X.condition, values.shape[0])
        rows = Rows(values, schema.shape if reset else self.schema_.shape)
        return ConditionedRows(rows, torch.from_numpy(coded)), schema

    def _prepare(self, rows: Rows, *, training: bool) -> Rows:
        assert isinstance(rows, ConditionedRows)
        return ConditionedRows(super()._prepare(rows.alone, training=training), rows.condition)

    def _build(self, stats: ColumnStats, rows: Rows | None) -> Model:
        how = Architecture(
            network=self.network,
            latent_dim=self.latent_dim,
            hidden=self.hidden,
            activation=self.activation,
            channels=self.channels,
            blocks=self.blocks,
            prior=self.prior,
        )
        conditions = ColumnStats.placeholder((self.condition_.width,))
        if isinstance(rows, ConditionedRows):
            conditions = Rows(rows.condition).stats()
        return build_conditional(self._base_likelihood(stats), stats, conditions, how, self.condition_hidden)

    def _finish(self, rows: Rows) -> None:
        super()._finish(rows.alone if isinstance(rows, ConditionedRows) else rows)

    # -- using -----------------------------------------------------------------------------------------------------

    @property
    def classes_(self) -> np.ndarray:
        """The labels in sorted order."""
        check_is_fitted(self, "condition_")
        if self.condition_.classes is None:
            raise AttributeError("This ConditionalVAE was fitted with vectors, so it has no classes_.")
        return self.condition_.classes

    @torch.no_grad()
    def posterior(self, X: Any, y: Any = None, *, condition: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of q(z|x, c), each (n, L).

        Grey-scale rows under a Bernoulli likelihood are encoded as the means of their binary values.
        """
        rows, grey, parts = self._read(Conditioned.of(X, y, condition)), self._grey, []
        assert isinstance(rows, ConditionedRows)
        device = next(self.model_.parameters()).device
        for part in rows.chunks(BATCH):
            x = grey(rows.raw(part).to(device).float())
            q = self.model_.given(rows.condition[part].to(device)).posterior(x)
            parts.append((q.mean, q.stddev))
        means, stddevs = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
        return means, stddevs

    def transform(self, X: Any, y: Any = None, *, condition: Any = None) -> np.ndarray:
        """Posterior means (n, L) of the rows, float32."""
        return self.posterior(X, y, condition=condition)[0]

    def fit_transform(self, X: Any, y: Any = None, *, condition: Any = None) -> np.ndarray:  # pyright: ignore
        """Fit, then give the codes of the same rows."""
        return self.fit(X, y, condition=condition).transform(X, y, condition=condition)

    @torch.no_grad()
    def inverse_transform(self, Z: Any, y: Any = None, *, condition: Any = None) -> Any:
        """Means of p(x|z, c) from codes (n, L) and conditions, in the data's units."""
        check_is_fitted(self, "model_")
        Z = np.asarray(check_array(Z, dtype=np.float32, ensure_min_features=0))  # pyright: ignore[reportArgumentType]
        if Z.shape[1] != self.model_.latent_dim:
            raise DataError(f"Z has {Z.shape[1]} columns, but the code has {self.model_.latent_dim} units.")
        c = self._code(y, condition, len(Z), "Z")
        parts = zip(torch.tensor(Z, device=c.device).split(BATCH), c.split(BATCH), strict=True)
        means = torch.cat([self.model_.given(c).decode(z).mean.cpu() for z, c in parts])
        return self._in_units(means)

    def reconstruct(self, X: Any, y: Any = None, *, condition: Any = None) -> Any:
        """Rows, encoded and decoded given the same condition, with the index of a pandas DataFrame."""
        codes = self.posterior(X, y, condition=condition)[0]
        return with_index_of(X, self.inverse_transform(codes, y, condition=condition))

    def _code(self, y: Any, condition: Any, n: int | None, what: str) -> Tensor:
        """(n, C) conditions where the model is."""
        coded = self.condition_.code(y, condition, n, what)
        return torch.from_numpy(coded).to(next(self.model_.parameters()).device)

    def _in_units(self, x: Tensor) -> Any:
        """Means in the data's units and container."""
        return like_input((x * (self.fitted_["grey_max"] or 1)).numpy(), self.schema_, as_data=False)

    def sample(
        self,
        n: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        y: Any = None,
        condition: Any = None,
    ) -> Any:
        """Draw n rows given conditions: z from p(z|c), x from p(x|z, c); in a container like that of the data.

        Grey-scale values under a Bernoulli likelihood come back as the probabilities of a one, times the largest grey
        level, as with `VAE.sample`.

        Args:
            n: number of rows.
            random_state: of the draws.
            y: a label for all rows, or (n,) labels.
            condition: a vector (C,) for all rows, or (n, C).

        Raises:
            OptionError: `n` or `random_state` cannot be used, or there is no condition, or one of the other kind.
            DataError: a label that the fit had not, or conditions of another shape.
        """
        check_is_fitted(self, "model_")
        check_draws("n", n, random_state)
        with isolated_rng(resolve_seed(random_state)):
            return self._as_data(self._drawn(self._code(y, condition, n, "The sample")))

    @torch.no_grad()
    def _drawn(self, c: Tensor) -> Tensor:
        """A row for each condition."""
        parts = []
        for part in c.split(BATCH):
            given = self.model_.given(part)
            p = given.decode(self._prior_codes(given, len(part)))
            parts.append((p.sample() if self._draws_values else p.mean).cpu())
        return torch.cat(parts)

    def _prior_codes(self, given: Any, n: int) -> Tensor:
        """(n, L) codes from p(z|c), one for each condition."""
        p = given.prior(given.posterior)
        return p.sample() if p.batch_shape else p.sample((n,))

    def complete(
        self,
        y: Any = None,
        *,
        condition: Any = None,
        draws: int | None = None,
        num_samples: int = 100,
        random_state: int | np.random.RandomState | None = 0,
    ) -> Any:
        r"""What belongs to known conditions: the mean of p(x|c), or draws from it.

        Where the model was fitted to one part of the rows with the other as the condition, this completes rows of
        which that other part is known (Doersch 2016, section 4). What a row gets does not depend on the rows with other
        conditions beside it; rows with one condition get draws of their own.

        .. math:: E[x|c] \approx \frac1K \sum_k E[x|z_k, c], \qquad z_k \sim p(z|c)

        Args:
            y: (n,) labels.
            condition: (n, C) vectors.
            draws: None gives the mean, rows (n, D) in the data's units; a number m a list of m of rows like `sample`'s.
            num_samples: K.
            random_state: of codes and draws.

        Raises:
            OptionError: the mean is asked of codes that have no order (likelihood="categorical").
        """
        check_is_fitted(self, "model_")
        check_draws("num_samples", num_samples, random_state)
        c = self._code(y, condition, None, "")
        seed = resolve_seed(random_state)
        with isolated_rng(seed):
            if draws is not None:
                check_draws("draws", draws)
                drawn = draws_given(self.model_, c, draws, seed, values=self._draws_values)
                return [self._as_data(rows) for rows in drawn]
            if self.likelihood_ == "categorical":
                raise OptionError("Codes without an order have no mean: ask for draws=.")
            return self._in_units(mean_given(self.model_, c, num_samples if self.model_.latent_dim else 1))

    def score_samples(self, X: Any, y: Any = None, num_samples: int = 100, *, condition: Any = None) -> np.ndarray:
        """Importance-weighted bound on log p(x|c) of each row, (n,) in nats (Burda et al. 2016, eq. 8)."""
        return self._scores(Conditioned(X, y, condition), num_samples)[1].log_likelihood.astype(np.float32)

    def score(self, X: Any, y: Any = None, num_samples: int = 100, *, condition: Any = None) -> float:
        """Mean of `score_samples`."""
        return float(self._scores(Conditioned(X, y, condition), num_samples)[1].log_likelihood.mean())

    def elbo(self, X: Any, y: Any = None, num_samples: int = 100, *, condition: Any = None) -> np.ndarray:
        """Lower bound on log p(x|c) of each row, (n,) in nats, by samples; the KL in closed form."""
        return self._scores(Conditioned(X, y, condition), num_samples)[1].elbo.astype(np.float32)

    def evaluate(self, X: Any, y: Any = None, num_samples: int = 100, *, condition: Any = None) -> dict[str, Any]:
        """All scores of the rows together, of log p(x|c): see `vaekit.evaluation.likelihood.summarise`.

        The independent features beside it know nothing of the condition.
        """
        rows, scores = self._scores(Conditioned.of(X, y, condition), num_samples)
        assert isinstance(rows, ConditionedRows)
        return summarise(scores, self.model_.likelihood, score_independent(self.independent_, rows.alone))

    @property
    def encoder_(self) -> nn.Module:
        r"""A copy of the encoder: a module from raw X, (B, \*shape), and coded conditions, (B, C), to (B, L)."""
        check_is_fitted(self, "model_")
        return copy.deepcopy(ConditionalMeanEncoder(self.model_, self._grey)).cpu()

    _n_features_out = property(lambda self: self.model_.latent_dim)

    def _described(self) -> dict[str, Any]:
        return {**super()._described(), "condition": self.condition_.to_json()}

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]) -> None:
        fitted = dict(config["fitted"])
        self.condition_ = ConditionSchema.from_json(fitted.pop("condition"))
        super()._restore({**config, "fitted": fitted}, tensors, history)
