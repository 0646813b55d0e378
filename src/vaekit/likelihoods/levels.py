"""Likelihoods of a known set of whole numbers: codes without an order, and grey levels."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical

from vaekit.distributions import DiscretisedLogistic, Factorised
from vaekit.likelihoods.base import ValueLikelihood, not_whole
from vaekit.schema import ColumnStats


def levels_up_to(high: float) -> int:
    """How many levels a scale has of which `high` is the largest seen: 256 where that takes a byte's last bit.

    Pictures of bytes need not hold the brightest level, and others then may.

    >>> levels_up_to(16), levels_up_to(236), levels_up_to(1000)
    (17, 256, 1001)
    """
    return 256 if 128 <= high < 256 else max(2, int(high) + 1)


class CategoricalCodes(ValueLikelihood):
    """Codes 0 .. C-1 without an order, C = the largest code in training + 1; raw parameters are C logits a column.

    Codes above the largest that a column holds in training have no probability there; those that it skips have some.
    """

    name = "categorical"
    marginal_is_fitted = False
    discrete = True
    seen: Tensor

    def __init__(self, shape: tuple[int, ...], categories: int) -> None:
        super().__init__(shape)
        self.num_params = categories
        self.register_buffer("seen", torch.full(shape, categories))

    @property
    def settings(self) -> dict[str, int]:
        """The number of categories C."""
        return {"categories": self.num_params}

    @classmethod
    def settings_from(cls, stats: ColumnStats) -> dict[str, int]:
        """C = the largest code of all columns + 1."""
        return {"categories": max(1, int(stats.high.max()) + 1)}

    def calibrate(self, stats: ColumnStats) -> None:
        """The number of codes of each column."""
        self.seen.copy_(stats.high + 1)

    def again(self, stats: ColumnStats) -> CategoricalCodes:
        """A new one of the same kind and codes."""
        own = CategoricalCodes(self.shape, **self.settings)
        own.seen.copy_(self.seen)
        return own

    def describe_support(self) -> str:
        """0 to C-1."""
        return f"codes from 0 to {self.num_params - 1}, or less where training had fewer in a column"

    def forward(self, params: Tensor) -> Factorised:
        """Categorical by logits."""
        logits = params.movedim(-1 - len(self.shape), -1)
        never = torch.arange(self.num_params, device=logits.device) >= self.seen.unsqueeze(-1)
        return Factorised(_Codes(logits=logits.masked_fill(never, -1e9), validate_args=False), len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Equal logits."""
        return torch.zeros(self.num_params, *self.shape)

    def counts(self, x: Tensor) -> Tensor:
        r"""How often each code occurs in each column of rows (B, \*shape), in the shape of raw parameters."""
        columns = math.prod(self.shape)
        place = x.long().reshape(-1, columns) * columns + torch.arange(columns, device=x.device)
        return torch.bincount(place.view(-1), minlength=self.num_params * columns).view(self.param_shape)

    def outside(self, stats: ColumnStats) -> Tensor:
        """Columns with fractions, negative values or a code that training did not have."""
        return not_whole(stats) | (stats.high >= self.seen.cpu())


class _Codes(Categorical):
    """Categorical whose summary of location, for codes without an order, is the mode; samples are floats."""

    @property
    def mean(self) -> Tensor:
        return self.mode.float()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return super().sample(torch.Size(sample_shape)).float()


class RoundedLevels(ValueLikelihood):
    r"""Base of levels 0 .. n-1 (grey values) from rounded logistic variables, whose scales have a floor.

    Args:
        shape: of a row.
        levels: n.
        loc: (\*shape) or (), in place of the means until these are known.
    """

    marginal_is_fitted = False
    discrete = True
    floor = 0.05
    loc: Tensor
    spread: Tensor

    def __init__(self, shape: tuple[int, ...], levels: int, loc: Tensor) -> None:
        super().__init__(shape)
        self.levels = levels
        self.register_buffer("loc", loc)
        self.register_buffer("spread", torch.ones(()))

    @property
    def settings(self) -> dict[str, int]:
        """The number of levels."""
        return {"levels": self.levels}

    @classmethod
    def settings_from(cls, stats: ColumnStats) -> dict[str, int]:
        """Levels = the largest value + 1, or those of a byte; see `levels_up_to`."""
        return {"levels": levels_up_to(float(stats.high.max()))}

    def calibrate(self, stats: ColumnStats) -> None:
        """Means, of the columns or of all values, and the spread over all values."""
        self.loc.copy_(stats.mean if self.loc.shape else stats.mean.mean())
        self.spread.fill_(max(stats.overall_std, 0.5))

    def describe_support(self) -> str:
        """0 to levels - 1."""
        return f"whole numbers from 0 to {self.levels - 1}"

    def outside(self, stats: ColumnStats) -> Tensor:
        """Columns with fractions, negative values or more levels than in training."""
        return not_whole(stats) | (stats.high > self.levels - 1)


class DiscretisedLogisticLevels(RoundedLevels):
    r"""Levels 0 .. n-1 (grey values) from a rounded logistic variable: mu = m_d + s a, scale = s softplus(b).

    m_d is the column's mean and s the spread of all values in training; the scale has a floor of 0.05 levels, at which
    a level next to mu has a probability of 0.9999.
    """

    name = "discretised_logistic"
    num_params = 2

    def __init__(self, shape: tuple[int, ...], levels: int) -> None:
        super().__init__(shape, levels, torch.zeros(shape))

    def forward(self, params: Tensor) -> Factorised:
        """Discretised logistic in levels."""
        raw_mu, raw_scale = self._split(params)
        scale = self.floor + self.spread * F.softplus(raw_scale)
        base = DiscretisedLogistic(self.loc + self.spread * raw_mu, scale, self.levels)
        return Factorised(base, len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Mean, and the scale of a logistic variable with the column's standard deviation."""
        scale = (stats.std * math.sqrt(3) / math.pi - self.floor).clamp_min(0.02) / self.spread
        return torch.stack([torch.zeros(self.shape), torch.log(torch.expm1(scale)).float()])
