"""Grey or colour levels by a mixture of rounded logistic variables."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from vaekit.distributions import DiscretisedLogistic
from vaekit.likelihoods.levels import RoundedLevels
from vaekit.schema import ColumnStats


class LevelMixture(Distribution):
    r"""S pixels of C channels; each channel is a mixture of M discretised logistics that knows the channels before it.

    .. math:: p(x_c \mid x_{<c}) = \sum_m w_{cm}\, \mathrm{DL}\Big(x_c;\ \mu_{cm} + \sum_{c' < c} b_{c'cm} x_{c'},\
              s_{cm}\Big)

    With one channel it is a plain mixture. The dependence between the channels of a pixel is that of PixelCNN++
    (Salimans et al. 2017, section 2.2), with weights of each channel's own.

    Args:
        logits: (..., M, C, S) of the weights w.
        mu: (..., M, C, S) locations in levels.
        scale: (..., M, C, S) s > 0, in levels.
        slopes: (..., C - 1, M, C, S) b, of which those with c' < c are used; None for one channel.
        levels: number of levels.
        shape: of an event, with C * S values.
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(
        self, logits: Tensor, mu: Tensor, scale: Tensor, slopes: Tensor | None, levels: int, shape: tuple[int, ...]
    ) -> None:
        self.log_weights, self.mu, self.scale = F.log_softmax(logits, -3), mu, scale
        self.slopes, self.levels = slopes, levels
        super().__init__(mu.shape[:-3], torch.Size(shape), validate_args=False)

    def _location(self, x: Tensor, channel: slice) -> Tensor:
        """(..., M, C, S) locations of some channels, given the values (..., C, S) of those before each."""
        mu = self.mu[..., channel, :]
        if self.slopes is None:
            return mu
        places = torch.arange(x.shape[-2], device=x.device)[channel, None]
        for before in range(x.shape[-2] - 1):
            slope = self.slopes[..., before, :, channel, :] * (places > before)
            mu = mu + slope * x[..., None, before, None, :]
        return mu

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, summed over the event."""
        lead = value.shape[: value.ndim - len(self._event_shape)]
        x = value.reshape(*lead, *self.mu.shape[-2:])
        each = DiscretisedLogistic(self._location(x, slice(None)), self.scale, self.levels).log_prob(x.unsqueeze(-3))
        return torch.logsumexp(each + self.log_weights, -3).flatten(-2).sum(-1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Levels as floating-point numbers."""
        lead = (*sample_shape, *self._batch_shape)
        x = torch.zeros(*lead, *self.mu.shape[-2:], device=self.mu.device, dtype=self.mu.dtype)
        for c in range(x.shape[-2]):
            channel = slice(c, c + 1)
            weights = self.log_weights[..., channel, :].exp().movedim(-3, -1).expand(*lead, 1, x.shape[-1], -1)
            chosen = torch.multinomial(weights.reshape(-1, weights.shape[-1]), 1).view(*lead, 1, 1, x.shape[-1])
            mu = self._location(x, channel).expand(*lead, -1, -1, -1).gather(-3, chosen)
            scale = self.scale[..., channel, :].expand(*lead, -1, -1, -1).gather(-3, chosen)
            x[..., channel, :] = DiscretisedLogistic(mu, scale, self.levels).sample().squeeze(-3)
        return x.reshape(*lead, *self._event_shape)

    @property
    def mean(self) -> Tensor:
        """Means of the channels, each at the means of those before it: exact for one channel."""
        x = torch.zeros(self._batch_shape + self.mu.shape[-2:], device=self.mu.device, dtype=self.mu.dtype)
        for c in range(x.shape[-2]):
            channel = slice(c, c + 1)
            each = DiscretisedLogistic(self._location(x, channel), self.scale[..., channel, :], self.levels).mean
            x = torch.cat(
                [x[..., :c, :], (self.log_weights[..., channel, :].exp() * each).sum(-3), x[..., c + 1 :, :]], -2
            )
        return x.reshape(self._batch_shape + self._event_shape)

    @property
    def variance(self) -> Tensor:
        """Not known in closed form: NaN."""
        return torch.full(self._batch_shape + self._event_shape, math.nan, device=self.mu.device)


class LogisticMixture(RoundedLevels):
    r"""Levels 0 .. n-1 by a mixture of discretised logistics, in colour with channels that know those before them.

    Raw parameters of a value: M logits, M locations mu = m + s a, M scales s softplus(b), and for C channels
    (C - 1) M slopes tanh(d); m and s are the mean and the spread of all values in training. It can be sharp, have
    several modes and put weight on the two ends, as pictures do (Salimans et al. 2017, eq. 2).

    Args:
        shape: of a row; (C, H, W) has channels.
        levels: n.
        components: M.
    """

    name = "logistic_mixture"

    def __init__(self, shape: tuple[int, ...], levels: int, components: int = 5) -> None:
        super().__init__(shape, levels, torch.zeros(()))
        self.components = components
        self.num_params = components * (3 + self.channels - 1)

    @property
    def channels(self) -> int:
        """C: the first side of (C, H, W), else 1."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def settings(self) -> dict[str, int]:
        """The numbers of levels and components."""
        return {**super().settings, "components": self.components}

    def forward(self, params: Tensor) -> LevelMixture:
        """Mixture of discretised logistics in levels."""
        lead = params.shape[: params.ndim - 1 - len(self.shape)]
        parts = params.reshape(*lead, 2 + self.channels, self.components, self.channels, -1)
        logits, mu, scale, *slopes = parts.unbind(-4)
        return LevelMixture(
            logits,
            self.loc + self.spread * mu,
            self.floor + self.spread * F.softplus(scale),
            torch.stack(slopes, -4).tanh() if slopes else None,
            self.levels,
            self.shape,
        )

    def unlinked(self, params: Tensor) -> Tensor:
        """Without slopes."""
        keep = torch.arange(self.num_params, device=params.device) < 3 * self.components
        return params * keep.view(-1, *[1] * len(self.shape))

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Equal weights; components spread over each column's mean and standard deviation, without slopes."""
        offsets = torch.linspace(-1.2, 1.2, self.components) if self.components > 1 else torch.zeros(1)
        offsets = offsets.view(-1, *[1] * len(self.shape))
        mu = (stats.mean + offsets * stats.std - self.loc.cpu()) / self.spread.cpu()
        width = (stats.std * (1.4 / self.components) - self.floor).clamp_min(0.02) / self.spread.cpu()
        scale = torch.log(torch.expm1(width)).expand_as(mu)
        rest = torch.zeros(self.num_params - 3 * self.components, *self.shape)
        return torch.cat([torch.zeros(mu.shape), mu.float(), scale.float(), rest])
