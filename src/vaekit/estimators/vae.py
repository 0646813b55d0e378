"""`VAE`: the variational autoencoder with scikit-learn's conventions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.rows import Binarize, Rows
from vaekit.errors import DataError
from vaekit.estimators.base import LatentEstimator
from vaekit.estimators.inputs import like_input
from vaekit.estimators.options import check_draws
from vaekit.evaluation.likelihood import (
    RowScores,
    fit_independent,
    independent_features,
    score_independent,
    score_rows,
    summarise,
)
from vaekit.likelihoods import LIKELIHOODS, Likelihood, choose_likelihood
from vaekit.models import VAE as Model
from vaekit.models.vae import MeanEncoder, build_networks, input_scaling
from vaekit.nn import Divide
from vaekit.objectives import elbo, importance_weighted
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats

_HELD_OUT_DRAWS = 10_000  # rows times samples behind a held-out bound, about


class VAE(LatentEstimator):
    r"""Variational autoencoder (Kingma and Welling 2013) on vectors and flattened images.

    Maximises, over a decoder p(x|z) and an encoder q(z|x) at once, a lower bound on log p(x):

    .. math:: \log p(x) \ge E_{q(z|x)}[\log p(x|z)] - \beta\,\mathrm{KL}(q(z|x)\,\|\,p(z)), \qquad p(z) = N(0, I)

    Args:
        latent_dim: number L of latent units.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. () makes both linear.
        activation: "silu", "relu", "tanh", "gelu", "elu", "leaky_relu", "sigmoid" or "softplus".
        network: "mlp".
        encoder: own module from (B, \*shape), standardised, to features (B, F); a linear map to q's
            parameters is added.
        decoder: own module from (B, L) to the likelihood's raw parameters (B, P, \*shape).
        likelihood: "auto" (see `vaekit.likelihoods.choose_likelihood`), "bernoulli", "binomial", "gaussian" (a sigma
            per feature), "heteroscedastic" (a sigma per point), "poisson", "negative_binomial", "categorical" or
            "discretised_logistic".
        binarize: how grey-scale values are made binary for "bernoulli": "dynamic" (drawn anew at each visit), "static"
            (drawn once) or "threshold" (at half of the largest). Scores are of one fixed draw, keyed by the row.
        prior: "normal", N(0, I).
        objective: "elbo", or "iwae", the importance-weighted bound with `samples` samples (Burda et al. 2016).
        kl: "analytic" (estimator B of the paper) or "monte_carlo" (estimator A).
        samples: samples of z per row in training.
        beta: weight of the KL term; 1 is the bound.
        kl_warmup: epochs over which beta rises from 0 to its value.
        free_bits: nats per latent unit below which the KL is not pushed.
        epochs: passes over the data, at most.
        batch_size: rows a step.
        learning_rate: step size of Adam at the start.
        schedule: "constant", "cosine" or "linear" (both to 0 at the last epoch).
        optimizer: "adam" or "adamw".
        epsilon: Adam's epsilon.
        weight_decay: 0 by default.
        clip_norm: largest norm of the gradient, or None.
        average: decay of a moving average of the weights, which is then what is kept (0.999, say), or None.
        validation_fraction: share of the rows held out to stop early and choose the best weights; None trains on every
            row, to the last epoch.
        patience: epochs without a better held-out bound before training stops, or None.
        precision: "float32", or "bfloat16" for the networks.
        compile: run the step through torch.compile.
        warm_start: go on from the weights of the last fit.
        device: "auto", "cpu", "cuda", ...
        callbacks: functions of an epoch's record.
        random_state: None, an int or a RandomState; a fit is a function of it, the data and the parameters.
        verbose: 0 for silence.

    Attributes:
        model_: the trained `vaekit.models.VAE`.
        encoder_: a copy of the encoder as an nn.Module from raw X to posterior means.
        likelihood_: name of the likelihood in use.
        history_: a dict per epoch.
        n_iter_, best_epoch_: epochs run, and the one whose weights were kept.
        schema_: what a row of the data is.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> vae = VAE(latent_dim=2, hidden=(16,), epochs=5, random_state=0, verbose=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(3, random_state=0).shape, vae.score_samples(X).shape
    ((150, 2), (3, 4), (150,))
    """

    def __init__(
        self,
        latent_dim: int = 20,
        hidden: Sequence[int] = (512,),
        *,
        activation: str = "silu",
        network: str = "mlp",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        likelihood: str = "auto",
        binarize: Binarize = "dynamic",
        prior: str = "normal",
        objective: Literal["elbo", "iwae"] = "elbo",
        kl: Literal["analytic", "monte_carlo"] = "analytic",
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
        patience: int | None = 20,
        precision: str = "float32",
        compile: bool = False,
        warm_start: bool = False,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.network = network
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.binarize: Binarize = binarize
        self.prior = prior
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
        self.patience = patience
        self.precision = precision
        self.compile = compile
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # -- fitting ---------------------------------------------------------------------------------------------------

    def _configure(self, stats: ColumnStats) -> None:
        name = self.likelihood
        if name == "auto":
            name, why = choose_likelihood(stats, is_image=self.schema_.is_image, dtype=self.schema_.dtype)
            self._say(why)
        kind = LIKELIHOODS[name]
        grey_max = None
        low, high = float(stats.low.min()), float(stats.high.max())
        if name == "bernoulli" and low >= 0 and not (bool(stats.whole.all()) and high <= 1):
            grey_max = high if high > 1 else 1.0
            how = {"dynamic": "drawn anew at each visit", "static": "drawn once", "threshold": "cut at half"}
            self._say(f"binarize: grey-scale values from 0 to {grey_max:g} are made binary, {how[self.binarize]}")
        settings = {} if grey_max else kind.settings_from(stats)
        if grey_max is None:
            kind.from_stats(stats).check(stats, self.schema_.columns)
        two_valued = grey_max is not None and stats.two_valued
        self.fitted_ |= {"likelihood": name, "settings": settings, "grey_max": grey_max, "two_valued": two_valued}

    def _build(self, stats: ColumnStats) -> Model:
        likelihood = LIKELIHOODS[self.likelihood_](self.schema_.shape, **self.fitted_["settings"])
        likelihood.calibrate(stats)
        self.independent_ = independent_features(likelihood, stats)
        scaling = input_scaling(likelihood, stats)
        encoder, decoder = build_networks(
            likelihood,
            stats,
            scaling,
            self.latent_dim,
            hidden=self.hidden,
            activation=self.activation,
            encoder=copy.deepcopy(self.encoder),
            decoder=copy.deepcopy(self.decoder),
        )
        return Model(encoder, decoder, likelihood, self.latent_dim, scaling=scaling)

    @property
    def likelihood_(self) -> str:
        """Name of the likelihood in use."""
        check_is_fitted(self, "fitted_")
        return self.fitted_["likelihood"]

    def _prepare(self, rows: Rows, *, training: bool) -> Rows:
        grey_max = self.fitted_["grey_max"]
        if grey_max is None:
            return rows
        grey = Rows(rows.sparse if rows.sparse is not None else rows.dense, rows.shape, grey_max=grey_max)
        return grey if training and self.binarize == "dynamic" else grey.fixed(self.binarize)

    def _check_values(self, rows: Rows) -> None:
        stats = rows.stats()
        grey_max = self.fitted_["grey_max"]
        if grey_max is not None:
            low, high = float(stats.low.min()), float(stats.high.max())
            if low < 0 or high > grey_max:
                raise DataError(
                    f"X holds values from {low:g} to {high:g}, but the grey levels at fit went from 0 to {grey_max:g}."
                )
            return
        self._likelihood().check(stats, self.schema_.columns)

    def _likelihood(self) -> Likelihood:
        return self.model_.likelihood

    def _value(self, model: Model) -> Callable[[Tensor, float], Tensor]:
        samples, beta, free_bits, analytic = self.samples, self.beta, self.free_bits, self.kl == "analytic"
        if self.objective == "iwae":
            return lambda x, factor: importance_weighted(model.terms(x, samples), beta=beta * factor)
        return lambda x, factor: elbo(
            model.terms(x, samples), beta=beta * factor, free_bits=free_bits, analytic=analytic
        )

    def _held_out_score(self, rows: Rows) -> Callable[[Model], float]:
        def score(model: Model) -> float:
            samples = self.samples if self.objective == "iwae" else max(1, min(16, _HELD_OUT_DRAWS // len(rows)))
            scores = score_rows(model, rows, samples)
            if self.objective == "iwae":
                return float(scores.log_likelihood.mean())
            return float((scores.reconstruction - self.beta * scores.kl).mean())

        return score

    def _finish(self, rows: Rows) -> None:
        fixed = rows.fixed(self.binarize)
        self.independent_ = fit_independent(self._likelihood(), fixed)

    # -- using -----------------------------------------------------------------------------------------------------

    def _scaling(self) -> nn.Module:
        grey_max = self.fitted_["grey_max"]
        return self.model_.scaling if grey_max is None else Divide(grey_max)

    def _mean_encoder(self) -> MeanEncoder:
        return MeanEncoder(self._scaling(), self.model_.encoder, self.latent_dim)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        grey_max = self.fitted_["grey_max"]
        posterior = self.model_.posterior(x if grey_max is None else x / grey_max)
        return posterior.mean, posterior.stddev

    def _decode(self, z: Tensor) -> Tensor:
        return self.model_.decode(z).mean * (self.fitted_["grey_max"] or 1.0)

    def posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of q(z|x), each (n, L).

        Grey-scale rows under a Bernoulli likelihood are encoded as the means of their binary draws.
        """
        means, stddevs = self._codes(X)
        return means, stddevs

    @torch.no_grad()
    def sample(self, n: int = 1, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw n rows from the model: z from the prior, x from p(x|z); in a container like that of the data.

        Grey-scale values under a Bernoulli likelihood come back as the probabilities of a one, times the largest grey
        level: a picture that can be looked at. Data of two values, 0 and another, come back as such.
        """
        check_is_fitted(self, "model_")
        check_draws("n", n, random_state)
        device = next(self.model_.parameters()).device
        grey_max = self.fitted_["grey_max"]
        draws = grey_max is None or self.fitted_["two_valued"]
        parts = []
        with isolated_rng(resolve_seed(random_state)):
            for start in range(0, n, 1024):
                count = min(1024, n - start)
                z = self.model_.prior(self.model_.posterior).sample((count,)).to(device)
                p = self.model_.decode(z)
                x = p.sample() if draws else p.mean
                parts.append((x if grey_max is None else x * grey_max).cpu())
        return like_input(torch.cat(parts).numpy(), self.schema_, as_data=True)

    def _scores(self, X: Any, num_samples: int) -> tuple[Rows, RowScores]:
        check_draws("num_samples", num_samples)
        rows = self._prepare(self._read(X), training=False)
        return rows, score_rows(self.model_, rows, num_samples)

    def score_samples(self, X: Any, num_samples: int = 100) -> np.ndarray:
        """Importance-weighted bound on log p(x) of each row, (n,) in nats (Burda et al. 2016, eq. 8)."""
        return self._scores(X, num_samples)[1].log_likelihood.astype(np.float32)

    def score(self, X: Any, y: Any = None, num_samples: int = 100) -> float:
        """Mean of `score_samples`."""
        return float(self._scores(X, num_samples)[1].log_likelihood.mean())

    def elbo(self, X: Any, num_samples: int = 100) -> np.ndarray:
        """Evidence lower bound of each row, (n,) in nats: `num_samples` for the reconstruction, KL in closed form."""
        return self._scores(X, num_samples)[1].elbo.astype(np.float32)

    def evaluate(self, X: Any, num_samples: int = 100) -> dict[str, Any]:
        """All scores of the rows together: see `vaekit.evaluation.likelihood.summarise`."""
        rows, scores = self._scores(X, num_samples)
        independent = score_independent(self.independent_, rows)
        return summarise(scores, self._likelihood(), independent)

    # -- saving ----------------------------------------------------------------------------------------------------

    def _tensors(self) -> dict[str, Tensor]:
        independent = {f"independent.{name}": t for name, t in self.independent_.state_dict().items()}
        return {**super()._tensors(), **independent}

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        super()._load_tensors(tensors)
        prefix = "independent."
        self.independent_.load_state_dict(
            {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
