"""What the estimators with a latent code share: encoding and decoding rows."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from vaekit.errors import DataError, OptionError
from vaekit.estimators.base import BATCH, RowEstimator
from vaekit.estimators.inputs import like_input
from vaekit.estimators.options import check_draws
from vaekit.models.vae import MeanEncoder
from vaekit.priors import FittedMixture
from vaekit.randomness import resolve_seed


class LatentEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, RowEstimator):
    """Base of the estimators with a network from rows to a latent code and one back."""

    latent_dim: int
    hidden: Sequence[int]
    activation: str
    encoder: nn.Module | None
    decoder: nn.Module | None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @abstractmethod
    def _encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """Latent codes of raw rows; of a probabilistic model, means and standard deviations."""

    @abstractmethod
    def _decode(self, z: Tensor) -> Tensor:
        """Means of the data given codes, in the data's units."""

    @torch.no_grad()
    def _codes(self, X: Any) -> tuple[np.ndarray, ...]:
        parts = [self._encode(x) for x in self._batches(self._read(X))]
        return tuple(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))

    def transform(self, X: Any) -> np.ndarray:
        """Codes (n, L) of the rows, float32: of a probabilistic model the posterior means."""
        return self._codes(X)[0]

    @torch.no_grad()
    def _means(self, Z: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        Z = np.asarray(check_array(Z, dtype=np.float32))  # pyright: ignore[reportArgumentType]
        if Z.shape[1] != self.model_.latent_dim:
            raise DataError(f"Z has {Z.shape[1]} columns, but the code has {self.model_.latent_dim} units.")
        device = next(self.model_.parameters()).device
        parts = [self._decode(z.to(device)).cpu() for z in torch.from_numpy(Z).split(BATCH)]
        return torch.cat(parts).numpy()

    def inverse_transform(self, Z: Any) -> Any:
        """Rows from codes (n, L), in the data's units: of a probabilistic model the means of p(x|z)."""
        return like_input(self._means(Z), self.schema_, as_data=False)

    def reconstruct(self, X: Any) -> Any:
        """Rows, encoded and decoded: a container like that of the data, with the index of a pandas DataFrame."""
        rebuilt = self.inverse_transform(self._codes(X)[0])
        if self.schema_.container == "pandas" and hasattr(X, "index"):
            rebuilt.index = X.index
        return rebuilt

    @torch.no_grad()
    def fit_prior(self, X: Any, components: int = 10, random_state: int | np.random.RandomState | None = 0) -> Self:
        """Fit a mixture of Gaussians to the codes of X, to be drawn from by `sample(n, prior="fitted")`.

        The codes of a probabilistic model are one draw each from the posterior, so that the mixture stands for
        their distribution over the data, which the prior only aims at (Ghosh et al. 2020, section 4).

        Args:
            X: rows, such as those of the fit.
            components: normal distributions in the mixture, with full covariances.
            random_state: of the draws and of the start of the EM algorithm.

        Returns:
            self, with `fitted_prior_`, a `vaekit.priors.FittedMixture`.

        Raises:
            DataError: X has fewer than two rows.
        """
        check_draws("components", components, random_state)
        codes, seed = self._codes(X), resolve_seed(random_state)
        if len(codes[0]) < 2:
            raise DataError("A mixture cannot be fitted to the code of a single row.")
        noise = np.random.RandomState(seed).standard_normal(codes[0].shape)
        drawn = codes[0] if len(codes) == 1 else codes[0] + codes[1] * noise
        device = next(self.model_.parameters()).device
        self.fitted_prior_ = FittedMixture.fit(drawn.astype(np.float64), components, seed).to(device)
        return self

    def _fitted_codes(self, n: int) -> Tensor:
        """(n, L) codes from the fitted mixture."""
        if not hasattr(self, "fitted_prior_"):
            raise OptionError("prior='fitted' needs a mixture: call fit_prior(X) first.")
        return self.fitted_prior_().sample((n,))

    @property
    def encoder_(self) -> nn.Module:
        r"""A copy of the encoder: a module from raw X, (B, \*shape), to (B, L), to build a supervised model on."""
        check_is_fitted(self, "model_")
        return copy.deepcopy(self._mean_encoder())

    @abstractmethod
    def _mean_encoder(self) -> MeanEncoder:
        """The encoder as a module from raw X, sharing the model's weights."""

    # -- saving ----------------------------------------------------------------------------------------------------

    def _tensors(self) -> dict[str, Tensor]:
        mixture = self.fitted_prior_.state_dict() if hasattr(self, "fitted_prior_") else {}
        return super()._tensors() | {f"fitted_prior.{name}": tensor for name, tensor in mixture.items()}

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        super()._load_tensors(tensors)
        names = ("weights", "means", "factors")
        if f"fitted_prior.{names[0]}" in tensors:
            self.fitted_prior_ = FittedMixture(*(tensors[f"fitted_prior.{name}"] for name in names)).to(self._device())

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim
