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

from vaekit.errors import DataError, OptionError, check_number
from vaekit.estimators.base import BATCH, RowEstimator
from vaekit.estimators.inputs import like_input, with_index_of
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

    def _drawn_codes(self, x: Tensor, noise: Tensor) -> Tensor:
        """Latent codes of raw rows; of a probabilistic model, drawn from q(z|x) by standard normal noise."""
        return self._encode(x)[0]

    @torch.no_grad()
    def _codes(self, X: Any) -> tuple[np.ndarray, ...]:
        parts = [self._encode(x) for x in self._batches(self._read(X))]
        return tuple(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))

    def transform(self, X: Any) -> np.ndarray:
        """Codes (n, L) of the rows, float32: of a probabilistic model the posterior means E[z|x].

        Args:
            X: rows, with the columns or the shape of those of the fit.

        Raises:
            DataError: X has other columns or another shape than at fit, or values that the model does not know.
        """
        return self._codes(X)[0]

    @torch.no_grad()
    def _means(self, Z: Any) -> np.ndarray:
        check_is_fitted(self, "model_")
        Z = np.asarray(check_array(Z, dtype=np.float32))  # pyright: ignore[reportArgumentType]
        if Z.shape[1] != self.model_.latent_dim:
            raise DataError(f"Z has {Z.shape[1]} columns, but the code has {self.model_.latent_dim} units.")
        device = next(self.model_.parameters()).device
        parts = [self._decode(z.to(device)).cpu() for z in torch.tensor(Z).split(BATCH)]
        return torch.cat(parts).numpy()

    def inverse_transform(self, Z: Any) -> Any:
        """Rows from codes, in the data's units: of a probabilistic model the means E[x|z].

        Args:
            Z: (n, L) finite numbers.

        Returns:
            n rows in a container like that of the data, of floating-point numbers.

        Raises:
            DataError: Z does not have a column for each latent unit.
        """
        return like_input(self._means(Z), self.schema_, as_data=False)

    def reconstruct(self, X: Any) -> Any:
        """Rows, encoded and decoded: `inverse_transform` of their `transform`.

        Args:
            X: as of `transform`, with the same errors.

        Returns:
            A container like that of the data, with the index of X where it is a pandas DataFrame.
        """
        return self._rebuilt(X, self._codes(X)[0])

    def _rebuilt(self, X: Any, codes: np.ndarray) -> Any:
        """Rows decoded from codes, one for each row of X."""
        return with_index_of(X, self.inverse_transform(codes))

    # -- moving through the code -----------------------------------------------------------------------------------

    def attribute_vector(self, X: Any, has: Any) -> np.ndarray:
        """The mean code of the rows that have an attribute less that of those that have not (Larsen et al. 2016).

        Args:
            X: rows.
            has: (n,) booleans, or 0 and 1.

        Returns:
            (L,) float32: what `edit` adds to a code.

        Raises:
            DataError: `has` is not one truth value for each row, or every row or none has the attribute.

        >>> from sklearn.datasets import load_digits
        >>> from vaekit import VAE
        >>> X, y = load_digits(return_X_y=True)
        >>> vae = VAE(2, (16,), epochs=2, random_state=0, verbose=0).fit(X[:500])
        >>> zero = vae.attribute_vector(X[:500], y[:500] == 0)
        >>> vae.edit(X[500:505], zero, strength=2.0).shape
        (5, 64)
        """
        codes, has = self._codes(X)[0], np.asarray(has)
        if has.shape != (len(codes),) or not np.isin(has, (0, 1)).all():
            raise DataError(f"The attribute must be True or False for each of the {len(codes):,} rows.")
        has = has.astype(bool)
        if has.all() or not has.any():
            raise DataError(f"{'Every' if has.all() else 'No'} row has the attribute; some must have it, others not.")
        return codes[has].mean(0) - codes[~has].mean(0)

    def edit(self, X: Any, attribute: Any, strength: float = 1.0) -> Any:
        """Rows with more of an attribute: decoded from their codes plus `strength` times its vector.

        Args:
            X: rows.
            attribute: (L,) as from `attribute_vector`.
            strength: 1 moves from the mean without to the mean with; negative takes away, 0 reconstructs.

        Returns:
            As `reconstruct`.

        Raises:
            DataError: the attribute is not one finite number for each latent unit.
            OptionError: `strength` is not a finite number.
        """
        check_is_fitted(self, "model_")
        vector, L = np.asarray(attribute, dtype=np.float32), self.model_.latent_dim
        if vector.shape != (L,) or not np.isfinite(vector).all():
            raise DataError(f"An attribute must be {L} finite numbers, one for each latent unit.")
        check_number("strength", strength)
        return self._rebuilt(X, self._codes(X)[0] + np.float32(strength) * vector)

    def traverse(self, X: Any, unit: int, values: Any = (-3, -2, -1, 0, 1, 2, 3)) -> Any:
        """The rows that the code of one row gives where a single unit is moved.

        Args:
            X: the row to start at, as one row: ``X[:1]``.
            unit: number of the latent unit, from 0.
            values: (S,) what it is set to, on the scale of the codes; those of a VAE have N(0, 1) as their prior.

        Returns:
            S rows, as `inverse_transform`.

        Raises:
            DataError: X is not one row, or the values are not finite numbers.
            OptionError: there is no such unit.
        """
        code, values = self._code_of_one(X), np.asarray(values, dtype=np.float32)
        check_number("unit", unit, low=0, high=code.shape[1] - 1, integer=True)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise DataError("values must be a list of finite numbers.")
        codes = np.repeat(code, len(values), axis=0)
        codes[:, unit] = values
        return self.inverse_transform(codes)

    def interpolate(self, a: Any, b: Any, points: int = 10) -> Any:
        """Rows decoded from evenly spaced codes on the straight line from the code of a row to that of another.

        Args:
            a, b: one row each: ``X[:1]``. The first and the last of what comes back are their reconstructions.
            points: rows to give, both ends among them.

        Returns:
            `points` rows, as `inverse_transform`.

        Raises:
            DataError: a or b is not one row.
            OptionError: `points` is no whole number of at least 2.
        """
        check_number("points", points, low=2, integer=True)
        start, end = self._code_of_one(a), self._code_of_one(b)
        return self.inverse_transform(np.linspace(start[0], end[0], points))

    def _code_of_one(self, X: Any) -> np.ndarray:
        """(1, L) code of a single row."""
        code = self._codes(X)[0]
        if len(code) != 1:
            raise DataError(f"There are {len(code):,} rows where one is needed, such as X[:1].")
        return code

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
            OptionError: `components` or `random_state` cannot be used.
        """
        check_draws("components", components, random_state)
        rows, seed = self._read(X), resolve_seed(random_state)
        if len(rows) < 2:
            raise DataError("A mixture cannot be fitted to the code of a single row.")
        noise = np.random.RandomState(seed).standard_normal((len(rows), self.model_.latent_dim)).astype(np.float32)
        drawn, start = [], 0
        for x in self._batches(rows):
            some = torch.from_numpy(noise[start : start + len(x)]).to(x.device)
            drawn.append(self._drawn_codes(x, some).cpu().double())
            start += len(x)
        device = next(self.model_.parameters()).device
        self.fitted_prior_ = FittedMixture.fit(torch.cat(drawn).numpy(), components, seed).to(device)
        return self

    def _fitted_codes(self, n: int) -> Tensor:
        """(n, L) codes from the fitted mixture."""
        if not hasattr(self, "fitted_prior_"):
            raise OptionError("prior='fitted' needs a mixture: call fit_prior(X) first.")
        return self.fitted_prior_().sample((n,))

    @property
    def encoder_(self) -> nn.Module:
        r"""A copy of the encoder: a module from raw X, (B, \*shape), to (B, L), to build a supervised model on.

        It lies on the CPU, as new modules do, wherever the model is: `.to(device)` moves it.
        """
        check_is_fitted(self, "model_")
        return copy.deepcopy(self._mean_encoder()).cpu()

    def _mean_encoder(self) -> MeanEncoder:
        """The encoder as a module from raw X, sharing the model's weights."""
        return MeanEncoder(self.model_.scaling, self.model_.encoder, self.model_.latent_dim)

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
