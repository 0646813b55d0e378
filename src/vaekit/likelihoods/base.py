"""What a likelihood is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.errors import DataError, join
from vaekit.schema import ColumnStats

SOFTPLUS_ONE = math.log(math.e - 1)  # softplus of it is 1


class Likelihood(nn.Module, ABC):
    """Maps a decoder's raw parameters to p(x|z).

    Attributes:
        name: what the option `likelihood=` calls it.
        discrete: whether it gives probabilities (else densities per unit of each column).
        marginal_is_fitted: whether `marginal` is the maximum-likelihood fit of independent features.
        num_params: P, raw parameters per value.
        settings: the whole numbers that were learned from the data and belong in a saved configuration.
    """

    name: str
    discrete: ClassVar[bool]
    support: ClassVar[str]
    marginal_is_fitted: ClassVar[bool] = True
    num_params: int = 1

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    @property
    def settings(self) -> dict[str, int]:
        """Keyword arguments beside `shape` that rebuild this likelihood."""
        return {}

    @abstractmethod
    def again(self, stats: ColumnStats) -> Likelihood:
        """A new one of independent values, of the same kind and support, calibrated, with no weight in common."""

    @property
    def param_shape(self) -> tuple[int, ...]:
        r"""Shape of a row's raw parameters: (P, \*shape)."""
        return (self.num_params, *self.shape)

    @property
    def decoded_values(self) -> int:
        """Numbers that a row takes in memory once it is decoded: its raw parameters."""
        return math.prod(self.param_shape)

    @abstractmethod
    def forward(self, params: Tensor) -> Distribution:
        r"""p(x|z) from raw parameters (..., P, \*shape)."""

    def unlinked(self, params: Tensor) -> Tensor:
        """Raw parameters at which the values of a row are independent: those given, unless some tie values together."""
        return params

    @abstractmethod
    def marginal(self, stats: ColumnStats) -> Tensor:
        r"""Raw parameters (P, \*shape) at which p(x) matches the columns' means and spreads, independent of z."""

    def outside(self, stats: ColumnStats) -> Tensor:
        r"""Boolean (\*shape,): columns that hold a value outside the support."""
        return torch.zeros(self.shape, dtype=torch.bool)

    def check(self, stats: ColumnStats, names: tuple[str, ...] | None = None) -> None:
        """Raise DataError that names the columns with values outside the support."""
        bad = self.outside(stats).reshape(-1).nonzero()[:, 0].tolist()
        if bad:
            low, high = float(stats.low.reshape(-1)[bad].min()), float(stats.high.reshape(-1)[bad].max())
            where, s = join([names[i] for i in bad] if names else bad), "s" if len(bad) > 1 else ""
            raise DataError(
                f"likelihood={self.name!r} holds for {self.describe_support()}, but column{s} {where} "
                f"hold{'' if s else 's'} other values (from {low:g} to {high:g}); choose a likelihood "
                "that allows them and fit again."
            )

    def describe_support(self) -> str:
        """The values that have a density, in words."""
        return self.support

    def _split(self, params: Tensor) -> tuple[Tensor, ...]:
        dim = -1 - len(self.shape)
        return (params.squeeze(dim),) if self.num_params == 1 else params.unbind(dim)


class ValueLikelihood(Likelihood):
    """A likelihood of values of one kind, which a row's shape and `settings` make."""

    @classmethod
    def settings_from(cls, stats: ColumnStats) -> dict[str, int]:
        """The `settings` that suit data with these column statistics."""
        return {}

    def calibrate(self, stats: ColumnStats) -> None:
        """Set the buffers, such as means and spreads, from the columns' statistics."""

    @classmethod
    def from_stats(cls, stats: ColumnStats) -> Self:
        """Make the likelihood for data with these column statistics."""
        likelihood = cls(stats.shape, **cls.settings_from(stats))
        likelihood.calibrate(stats)
        return likelihood

    def again(self, stats: ColumnStats) -> Likelihood:
        """A new one of the same kind and support, calibrated, with no weight in common."""
        own = type(self)(self.shape, **self.settings)
        own.calibrate(stats)
        return own


def not_whole(stats: ColumnStats) -> Tensor:
    """Columns that hold fractions or negative values."""
    return ~stats.whole | (stats.low < 0)
