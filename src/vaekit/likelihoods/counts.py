"""Likelihoods of counts without an upper end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import NegativeBinomial, Poisson

from vaekit.distributions import Factorised
from vaekit.likelihoods.base import SOFTPLUS_ONE, ValueLikelihood, not_whole
from vaekit.schema import ColumnStats


class _Poisson(Poisson):
    """Poisson whose terms are taken in float64: at a mean of a million float32 would be off by a nat."""

    def log_prob(self, value: Tensor) -> Tensor:
        rate, value = self.rate.double(), value.double()
        return (torch.xlogy(value, rate) - rate - torch.lgamma(value + 1)).to(self.rate.dtype)


class _NegativeBinomial(NegativeBinomial):
    """Negative binomial whose terms are taken in float64."""

    def log_prob(self, value: Tensor) -> Tensor:
        r, logits, value = self.total_count.double(), self.logits.double(), value.double()
        ways = torch.lgamma(r + value) - torch.lgamma(r) - torch.lgamma(value + 1)
        return (ways + r * F.logsigmoid(-logits) + value * F.logsigmoid(logits)).to(self.logits.dtype)


class _Counts(ValueLikelihood):
    """Counts whose mean is the column's mean times softplus(a + log(e - 1)): a = 0 is the column's mean."""

    discrete = True
    support = "whole numbers from 0 up"
    rate: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("rate", torch.ones(shape))

    def calibrate(self, stats: ColumnStats) -> None:
        """Mean rates of the columns, smoothed by half a count in one more row."""
        self.rate.copy_((stats.mean * stats.n + 0.5) / (stats.n + 1))

    def _mean(self, raw: Tensor) -> Tensor:
        return self.rate * F.softplus(raw + SOFTPLUS_ONE) + 1e-8

    def outside(self, stats: ColumnStats) -> Tensor:
        """Columns with fractions or negative values."""
        return not_whole(stats)


class PoissonCounts(_Counts):
    """Counts whose variance is their mean."""

    name = "poisson"

    def forward(self, params: Tensor) -> Factorised:
        """Poisson by its mean."""
        return Factorised(_Poisson(self._mean(self._split(params)[0]), validate_args=False), len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Zero: the columns' means."""
        return torch.zeros(1, *self.shape)


class NegativeBinomialCounts(_Counts):
    r"""Counts with variance mu + mu^2 / r: more spread than Poisson. Raw parameters: for mu, and r = softplus(b)."""

    name = "negative_binomial"
    marginal_is_fitted = False
    num_params = 2

    def forward(self, params: Tensor) -> Factorised:
        """Negative binomial by mean and dispersion; torch's logits are log(mu / r)."""
        raw_mean, raw_r = self._split(params)
        mean, r = self._mean(raw_mean), F.softplus(raw_r) + 1e-4
        return Factorised(_NegativeBinomial(r, logits=mean.log() - r.log(), validate_args=False), len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """The mean, and r by moments (mean^2 / (variance - mean), from 0.05 to 50)."""
        mean = stats.mean.clamp_min(1e-6)
        r = mean.square() / (stats.std.square() - mean).clamp_min(1e-6)
        raw_r = torch.log(torch.expm1(r.clamp(0.05, 50)))
        return torch.stack([torch.zeros(self.shape), raw_r.float()])
