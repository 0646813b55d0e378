"""Log-density under mixtures of normal distributions, one for each column, as one node of the graph."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vaekit.likelihoods.base import SOFTPLUS_ONE

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def spreads(raw: Tensor, floor: float) -> Tensor:
    """Standard deviations from raw ones, of which 0 stands for 1 + floor."""
    return floor + F.softplus(raw + SOFTPLUS_ONE)


def raw_spreads(sigma: Tensor, floor: float) -> Tensor:
    """The inverse of `spreads`."""
    above = (sigma - floor).clamp_min(1e-6)
    return above + torch.log(-torch.expm1(-above)) - SOFTPLUS_ONE


class _MixtureLogProb(torch.autograd.Function):
    """By hand, since the parts of a mixture are small and many: its backward pass has a third of the operations."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor, t: Tensor, floor: float) -> Tensor:
        log_weights = torch.log_softmax(raw[..., 0, :, :], -2)
        sigma = spreads(raw[..., 2, :, :], floor)
        standard = (t.unsqueeze(-2) - raw[..., 1, :, :]) / sigma
        each = log_weights - sigma.log() - 0.5 * standard.square()
        total = torch.logsumexp(each, -2)
        ctx.save_for_backward(raw, t, log_weights, sigma, standard, each - total.unsqueeze(-2))
        return total - _HALF_LOG_2PI

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        raw, t, log_weights, sigma, standard, log_shares = ctx.saved_tensors
        grad = grad.unsqueeze(-2)
        share = log_shares.exp() * grad
        pull = share * standard / sigma
        by_sigma = (pull * standard - share / sigma) * torch.sigmoid(raw[..., 2, :, :] + SOFTPLUS_ONE)
        by_raw = torch.stack([share - log_weights.exp() * grad, pull, by_sigma], -3)
        by_t = -pull.sum(-2).sum_to_size(t.shape) if ctx.needs_input_grad[1] else None
        return by_raw.sum_to_size(raw.shape), by_t, None


def mixture_log_prob(raw: Tensor, t: Tensor, floor: float) -> Tensor:
    r"""Log-density of each of N columns under a mixture of M normal distributions, in nats.

    .. math:: \log \sum_m w_m N(t; \mu_m, \sigma_m^2), \qquad w = \mathrm{softmax}(raw_0),\ \mu = raw_1,\
              \sigma = floor + \mathrm{softplus}(raw_2 + \log(e - 1))

    Args:
        raw: (..., 3, M, N) parameters.
        t: (..., N) values; leading dimensions broadcast with those of `raw`.
        floor: least sigma.

    >>> raw, t = torch.zeros(3, 2, 1), torch.zeros(1)
    >>> round(float(mixture_log_prob(raw, t, 0.0)), 4)  # of a standard normal at 0
    -0.9189
    """
    return _MixtureLogProb.apply(raw, t, floor)  # type: ignore[no-any-return]
