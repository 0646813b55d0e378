"""Likelihoods of real numbers."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from vaekit.distributions import Factorised
from vaekit.likelihoods.base import SOFTPLUS_ONE, Likelihood, ValueLikelihood
from vaekit.schema import ColumnStats


class _Normal(Normal):
    """Normal whose log-density is of the standardised value: a scale of 1e-25 has a square that float32 cannot hold."""

    def log_prob(self, value: Tensor) -> Tensor:
        standard = (value - self.loc) / self.scale
        return -0.5 * standard.square() - self.scale.log() - 0.5 * math.log(2 * math.pi)


class Gaussian(ValueLikelihood):
    r"""Real values: x_d ~ N(m_d + s_d a_d, (s_d sigma_d)^2), with one learned sigma per feature.

    m and s are the columns' mean and standard deviation in training, so the decoder works on standardised values while
    the density is per unit of the data: the log-Jacobian -log s_d is part of it. sigma has a floor of `floor`, relative
    to the column's spread, so that the density cannot grow without bound. A column that never varies counts 0 nats.
    """

    name = "gaussian"
    discrete = False
    support = "finite numbers"
    floor = 1e-3
    loc: Tensor
    scale: Tensor
    counted: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.register_buffer("loc", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))
        self.register_buffer("counted", torch.ones(shape, dtype=torch.bool))
        self._make_sigma()

    def _make_sigma(self) -> None:
        self.raw_sigma = nn.Parameter(torch.full(self.shape, SOFTPLUS_ONE))

    def calibrate(self, stats: ColumnStats) -> None:
        """Means and spreads of the columns, and which of them vary."""
        varies = stats.high > stats.low
        self.loc.copy_(stats.mean)
        self.scale.copy_(torch.where(varies & (stats.std > 0), stats.std, 1.0))
        self.counted.copy_(varies)

    def again(self, stats: ColumnStats) -> Likelihood:
        """A new one of the same kind, calibrated, that counts the same columns."""
        own = super().again(stats)
        assert isinstance(own, Gaussian)
        late = self.counted.cpu() & ~own.counted  # which vary in rows that are not in stats
        own.loc.copy_(torch.where(late, self.loc.cpu(), own.loc))
        own.scale.copy_(torch.where(late, self.scale.cpu(), own.scale))
        own.counted.copy_(self.counted)
        return own

    def _normal(self, mu: Tensor, raw_sigma: Tensor) -> Factorised:
        sigma = torch.where(self.counted, self.scale * (self.floor + F.softplus(raw_sigma)), 1.0)
        mean = self.loc + torch.where(self.counted, self.scale * mu, 0.0)
        return Factorised(_Normal(mean, sigma.expand_as(mean), validate_args=False), len(self.shape), self.counted)

    def forward(self, params: Tensor) -> Factorised:
        """Normal in the data's own units."""
        return self._normal(self._split(params)[0], self.raw_sigma)

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Zero: the columns' means."""
        return torch.zeros(self.num_params, *self.shape)


class IsotropicGaussian(Gaussian):
    r"""As `Gaussian`, with one sigma and one spread: x_d ~ N(m_d + s a_d, (s sigma)^2).

    s is the root of the mean variance of the columns that vary, each about its own mean. For values that share a unit,
    as pixels do: minus the bound is squared error plus the KL term, at the weight between them that training finds best
    (cf. Rybkin et al. 2021). A pixel that hardly ever varies weighs no more than others.
    """

    name = "isotropic"

    def _make_sigma(self) -> None:
        self.raw_sigma = nn.Parameter(torch.tensor(SOFTPLUS_ONE))

    def calibrate(self, stats: ColumnStats) -> None:
        """Means of the columns, which of them vary, and their spread."""
        super().calibrate(stats)
        self.scale.fill_(stats.pooled_std or 1.0)


class HeteroscedasticGaussian(Gaussian):
    r"""As `Gaussian`, with a sigma of its own for every point: the decoder's second raw parameter."""

    name = "heteroscedastic"
    num_params = 2

    def _make_sigma(self) -> None:
        pass

    def forward(self, params: Tensor) -> Factorised:
        """Normal in the data's own units."""
        mu, raw = self._split(params)
        return self._normal(mu, raw + SOFTPLUS_ONE)
