"""Likelihoods of binary values and of successes out of a known number of trials."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Binomial

from vaekit.distributions import Factorised, FactorisedBernoulli
from vaekit.likelihoods.base import ValueLikelihood, not_whole
from vaekit.schema import ColumnStats


class Bernoulli(ValueLikelihood):
    r"""Binary values; the raw parameter is the logit: p = sigmoid(a)."""

    name = "bernoulli"
    discrete = True
    support = "the values 0 and 1"

    def forward(self, params: Tensor) -> FactorisedBernoulli:
        """Factorised Bernoulli with the raw parameter as logits."""
        return FactorisedBernoulli(self._split(params)[0], len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Logit of the mean, smoothed by half an observation of each value."""
        mean = (stats.mean * stats.n + 0.5) / (stats.n + 1)
        return torch.logit(mean).unsqueeze(0).float()

    def outside(self, stats: ColumnStats) -> Tensor:
        """Columns with a value other than 0 and 1."""
        return not_whole(stats) | (stats.high > 1)


class _Binomial(Binomial):
    """Binomial whose terms are taken in float64: float32 would be off by a tenth of a nat at 100,000 trials."""

    def log_prob(self, value: Tensor) -> Tensor:
        n, logits, value = self.total_count.double(), self.logits.double(), value.double()
        ways = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        return (ways + value * F.logsigmoid(logits) + (n - value) * F.logsigmoid(-logits)).to(self.logits.dtype)


class BinomialCounts(ValueLikelihood):
    r"""Successes out of a fixed number of trials (the largest value seen in training); p = sigmoid(a)."""

    name = "binomial"
    discrete = True

    def __init__(self, shape: tuple[int, ...], trials: int) -> None:
        super().__init__(shape)
        self.trials = trials

    @property
    def settings(self) -> dict[str, int]:
        """The number of trials."""
        return {"trials": self.trials}

    @classmethod
    def settings_from(cls, stats: ColumnStats) -> dict[str, int]:
        """Trials = the largest value."""
        return {"trials": max(1, int(stats.high.max()))}

    def describe_support(self) -> str:
        """0 to trials."""
        return f"whole numbers from 0 to {self.trials}"

    def forward(self, params: Tensor) -> Factorised:
        """Binomial counts by logits."""
        base = _Binomial(self.trials, logits=self._split(params)[0], validate_args=False)
        return Factorised(base, len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Logit of the mean share of successes, smoothed by half an observation of each end."""
        mean = (stats.mean / self.trials * stats.n + 0.5) / (stats.n + 1)
        return torch.logit(mean).unsqueeze(0).float()

    def outside(self, stats: ColumnStats) -> Tensor:
        """Columns with fractions, negative values or more than `trials`."""
        return not_whole(stats) | (stats.high > self.trials)
