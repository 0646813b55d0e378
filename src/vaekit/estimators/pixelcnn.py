"""`PixelCNN`: the autoregressive density of images with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from vaekit.data.rows import Binarize, Rows
from vaekit.errors import DataError, OptionError
from vaekit.estimators.base import BATCH
from vaekit.estimators.density import DensityEstimator
from vaekit.estimators.options import check_draws
from vaekit.evaluation.likelihood import score_density, score_independent, summarise_density
from vaekit.likelihoods import Autoregressive
from vaekit.models import PixelCNN as Model
from vaekit.models.building import check_autoregressive, check_channels
from vaekit.randomness import isolated_rng, resolve_seed
from vaekit.schema import ColumnStats


class PixelCNN(DensityEstimator):
    r"""PixelCNN with gated layers (van den Oord et al. 2016): an exact density of images, without a latent code.

    .. math:: \log p(x) = \sum_{ij} \log p(x_{ij} \mid \text{the pixels before } ij)

    Two stacks of causal convolutions see all pixels above, and all to the left, within their reach, so there is no
    blind spot; there is no batch norm. Its score is exact; samples take one small step a pixel.

    Args:
        layers: number of gated layers.
        channels: of each of the two stacks.
        kernel_size: odd, at least 3; each layer reaches (kernel_size - 1) / 2 pixels further.
        likelihood: "auto", "bernoulli" or "logistic_mixture" (whole levels by a mixture of discretised logistics).
        binarize, epochs, batch_size, learning_rate, schedule, optimizer, epsilon, weight_decay: as in `VAE`.
        clip_norm, average, validation_fraction, validation_every, patience, precision, compile: as in `VAE`.
        warm_start, device, callbacks, random_state, verbose: as in `VAE`.

    Attributes:
        model_: the trained `vaekit.models.PixelCNN`.
        likelihood_, history_, n_iter_, best_epoch_, schema_: as in `VAE`.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_digits
    >>> X = (load_digits().images[:200] > 7).astype("uint8")
    >>> model = PixelCNN(layers=2, channels=4, epochs=2, random_state=0, verbose=0).fit(X)
    >>> model.score_samples(X).shape, model.sample(3, random_state=0).shape
    ((200,), (3, 8, 8))
    """

    def __init__(
        self,
        layers: int = 6,
        channels: int = 32,
        *,
        kernel_size: int = 5,
        likelihood: str = "auto",
        binarize: Binarize = "dynamic",
        epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = 1.0,
        average: float | None = None,
        validation_fraction: float | None = 0.1,
        validation_every: int = 1,
        patience: int | None = 10,
        precision: str = "float32",
        compile: bool = False,
        warm_start: bool = False,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.layers = layers
        self.channels = channels
        self.kernel_size = kernel_size
        self.likelihood = likelihood
        self.binarize: Binarize = binarize
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
        self.validation_every = validation_every
        self.patience = patience
        self.precision = precision
        self.compile = compile
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    @property
    def _autoregressive(self) -> bool:
        return True

    def _build(self, stats: ColumnStats, rows: Rows | None) -> Model:
        shape = self.schema_.shape
        if len(shape) not in (2, 3):
            raise OptionError(
                f"A PixelCNN needs images, (n, H, W) or (n, C, H, W), but a row of X has shape {shape}: reshape X."
            )
        check_channels(shape, "A PixelCNN")
        base = self._base_likelihood(stats)
        check_autoregressive(base, "PixelCNN")
        likelihood = Autoregressive(
            base, features=0, layers=self.layers, channels=self.channels, kernel_size=self.kernel_size
        )
        likelihood.start(stats)
        return Model(likelihood)

    def _value(self, model: Model, n: int) -> Callable[[Tensor, float], Tensor]:
        return lambda x, factor: model.log_prob(x)

    def _held_out_score(self, rows: Rows) -> Callable[[Model], float]:
        return lambda model: float(score_density(model, rows).mean())

    def _scores(self, X: Any) -> tuple[Rows, np.ndarray]:
        rows = self._prepare(self._read(X), training=False)
        return rows, score_density(self.model_, rows)

    def score_samples(self, X: Any, num_samples: int | None = None) -> np.ndarray:
        r"""log p(x) of each image, (n,) float32 in nats: exact, not a bound (van den Oord et al. 2016, eq. 1).

        .. math:: \log p(x) = \sum_i \log p(x_i | x_1, \dots, x_{i-1})

        Args:
            X: images of the shape of those of the fit.
            num_samples: ignored, and there for code that scores any model.

        Raises:
            DataError: X has another shape than at fit, or values that the likelihood does not know.
        """
        return self._scores(X)[1].astype(np.float32)

    def score(self, X: Any, y: Any = None, num_samples: int | None = None) -> float:
        """Mean of `score_samples`, in nats an image; y and `num_samples` are ignored."""
        return float(self._scores(X)[1].mean())

    def evaluate(self, X: Any, num_samples: int | None = None) -> dict[str, Any]:
        """All scores of the images together, as `vaekit evaluate --json` prints them.

        Args:
            X: as of `score_samples`, with the same errors.
            num_samples: ignored, and there for code that evaluates any model.

        Returns:
            The keys of `VAE.evaluate`, None where they are of a latent code or of samples.
        """
        rows, scores = self._scores(X)
        return summarise_density(scores, self.model_.likelihood, score_independent(self.independent_, rows))

    def sample(self, n: int = 1, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw n images pixel by pixel, in a container like that of the data.

        Grey-scale values under a Bernoulli likelihood come back as 0 and the largest grey level.

        Args:
            n: images to draw.
            random_state: of the draws.

        Raises:
            OptionError: `n` is no whole number above 0, or `random_state` no seed.
        """
        return self._sample(n, random_state, lambda count: self.model_.sample(count))

    @torch.no_grad()
    def complete(self, X: Any, observed: np.ndarray, random_state: int | np.random.RandomState | None = None) -> Any:
        r"""Draw the pixels that were not observed, in order, each given all pixels before it.

        Where the observed pixels come first, the upper half of an image, say, that is a draw from p(rest | observed).
        Observed pixels further on are kept as they are, but do not speak to those before them. Grey levels under a
        Bernoulli likelihood are made binary before they speak; what is drawn is 0 or the largest level.

        Args:
            X: (n, \*shape) images; values of pixels that were not observed do not matter.
            observed: (\*shape,) or (n, \*shape) booleans, in colour images alike for all channels of a pixel.
            random_state: of the draws.

        Raises:
            DataError: X is not of such a shape, or `observed` not of booleans of such a shape, or splits a pixel.
            OptionError: `random_state` is no seed.
        """
        check_is_fitted(self, "model_")
        seen, images, shape = np.asarray(observed), np.asarray(X), tuple(self.schema_.shape)
        if images.ndim == 0 or images.shape[1:] != shape:
            raise DataError(f"X must hold images of shape {shape}, (n, *shape) in all, not an array of {images.shape}.")
        if seen.dtype != np.bool_ or seen.shape not in (shape, (len(images), *shape)):
            raise DataError(f"observed must hold booleans of shape {shape} or {(len(images), *shape)}.")
        if len(shape) == 3 and (seen != seen[..., :1, :, :]).any():
            raise DataError("observed must be alike for all channels of a pixel, which are drawn together.")
        if not len(images):
            raise DataError("X holds no images.")
        seen = np.broadcast_to(seen, (len(images), *shape)).copy()
        check_draws("n", len(images), random_state)
        rows = self._prepare(self._read(np.where(seen, images, 0)), training=False)
        device = next(self.model_.parameters()).device
        with isolated_rng(resolve_seed(random_state)):
            parts = [
                self.model_.complete(rows.take(part).to(device), torch.from_numpy(seen[part]).to(device)).cpu()
                for part in rows.chunks(BATCH)
            ]
        return np.where(seen, images, self._as_data(torch.cat(parts)))
