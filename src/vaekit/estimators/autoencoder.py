"""`Autoencoder`: the deterministic autoencoder with scikit-learn's conventions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from vaekit.data.rows import Rows
from vaekit.errors import check_choice
from vaekit.estimators.inputs import like_input
from vaekit.estimators.latent import LatentEstimator
from vaekit.estimators.options import check_draws
from vaekit.evaluation.likelihood import SUMMARY, active_units, mean_and_se
from vaekit.models import Autoencoder as Model
from vaekit.models.building import Headed, check_decoder, dry_run
from vaekit.nn import MLP, Standardise
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats


class Autoencoder(LatentEstimator):
    r"""Deterministic autoencoder: a code of L numbers from which a row can be rebuilt.

    Minimises the mean squared error of the standardised values; with `hidden=()` it spans the subspace of PCA
    (Bourlard and Kamp 1988). It has no density and cannot score; it samples once `fit_prior` has described its codes.
    Use it to compress, to find a picture of the data, or to initialise a supervised model with `encoder_`.

    Args:
        latent_dim: number L of latent units.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. () makes both linear.
        activation: as in `VAE`.
        encoder: own module from (B, \*shape), standardised, to features (B, F); a linear map to the code is added.
        decoder: own module from (B, L) to (B, \*shape), standardised.
        epochs, batch_size, learning_rate, schedule, optimizer, epsilon, weight_decay: as in `VAE`.
        clip_norm, average, precision, compile, warm_start, device, callbacks, random_state, verbose: as in `VAE`.
        validation_fraction, patience: as in `VAE`; the held-out score is minus the mean squared error.

    Attributes:
        model_: the trained `vaekit.models.Autoencoder`.
        encoder_: a copy of the encoder, on the CPU, as an nn.Module from raw X to codes.
        history_, n_iter_, best_epoch_, schema_: as in `VAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> ae = Autoencoder(latent_dim=2, hidden=(), epochs=5, random_state=0, verbose=0).fit(X)
    >>> ae.reconstruct(X).shape, ae.score(X) < 0
    ((150, 4), True)
    """

    _unit = "standardised squared error, negative"

    def __init__(
        self,
        latent_dim: int = 2,
        hidden: Sequence[int] = (512,),
        *,
        activation: str = "silu",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
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
        self.encoder = encoder
        self.decoder = decoder
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

    def _build(self, stats: ColumnStats, rows: Rows | None) -> Model:
        shape = self.schema_.shape
        scale = torch.where(stats.std > 0, stats.std, torch.inf)  # a constant column tells nothing
        if self.schema_.is_image:  # one spread for all pixels, so that an image keeps its contrasts
            scale = torch.full_like(stats.std, stats.overall_std or 1.0)
        scaling = Standardise(shape)
        scaling.loc.copy_(stats.mean)
        scaling.scale.copy_(scale)
        size = self.schema_.size
        encoder, decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        if encoder is None:
            encoder = MLP(size, self.hidden, self.latent_dim, self.activation)
        else:
            features = dry_run("encoder", encoder, torch.zeros(2, *shape))[0].numel()
            encoder = Headed(encoder, features, self.latent_dim)
        if decoder is None:
            decoder = MLP(self.latent_dim, tuple(reversed(self.hidden)), size, self.activation)
        else:
            check_decoder(decoder, self.latent_dim, shape, "a row")
        return Model(encoder, decoder, scaling, self.latent_dim)

    def _value(self, model: Model, n: int) -> Callable[[Tensor, float], Tensor]:
        return lambda x, factor: -model.errors(x)

    def _held_out_score(self, rows: Rows) -> Callable[[Model], float]:
        @torch.no_grad()
        def score(model: Model) -> float:
            parts = [model.errors(rows.take(part)) for part in rows.chunks(1024)]
            return -float(torch.cat(parts).double().mean())

        return score

    def _encode(self, x: Tensor) -> tuple[Tensor]:
        return (self.model_.encode(x),)

    def _decode(self, z: Tensor) -> Tensor:
        return self.model_.decode(z)

    @torch.no_grad()
    def sample(
        self,
        n: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        prior: Literal["fitted"] = "fitted",
    ) -> Any:
        """Draw n codes from the mixture of `fit_prior` and decode them; without that an autoencoder cannot sample.

        Args:
            n: rows to draw.
            random_state: of the draws.
            prior: "fitted", as of a `VAE`; an autoencoder has no other.

        Raises:
            OptionError: `fit_prior` was not called.
        """
        check_is_fitted(self, "model_")
        check_choice("prior", prior, ["fitted"])
        check_draws("n", n, random_state)
        with isolated_rng(resolve_seed(random_state)):
            z = self._fitted_codes(n)
        return like_input(self._means(z.cpu().numpy()), self.schema_, as_data=True)

    @torch.no_grad()
    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the mean squared error of each row, (n,), in the data's units squared: higher is better.

        Args:
            X: as of `transform`, with the same errors.
        """
        parts = [self.model_.squared_errors(x) for x in self._batches(self._read(X))]
        return -torch.cat(parts).cpu().numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of `score_samples`: minus the mean squared error; y is ignored, and there for scikit-learn."""
        return float(self.score_samples(X).astype(np.float64).mean())

    def evaluate(self, X: Any, num_samples: int | None = None) -> dict[str, Any]:
        """Mean squared error beside that of predicting the training mean; a deterministic model has no likelihood.

        Args:
            X: as of `transform`, with the same errors.
            num_samples: ignored, and there for code that evaluates any model.

        Returns:
            The keys of `VAE.evaluate`, None where they need a likelihood, and `mean_squared_error` with its standard
            error and `mean_squared_error_of_mean`, in the data's units squared.
        """
        rows = self._read(X)
        error, error_se = mean_and_se(-self.score_samples(X).astype(np.float64))
        loc = self.model_.scaling.loc
        trivial = torch.cat([(x - loc).square().flatten(1).mean(1).cpu() for x in self._batches(rows)])
        codes = self.transform(X)
        return {
            **dict.fromkeys(SUMMARY),
            "n": len(rows),
            "active_units": int(active_units(codes).sum()),
            "latent_units": codes.shape[1],
            "mean_squared_error": error,
            "mean_squared_error_se": error_se,
            "mean_squared_error_of_mean": float(trivial.double().mean()),
        }
