"""Probabilities of intervals under a standard normal, in logarithms: exact far out, and quick on large arrays.

`torch.where` and `torch.special.log_ndtr` take a CPU's values one at a time. Here a function that is f below an edge e
and g above it is f(min(x, e)) + g(max(x, e)) - f(e), or the same with products, and a mask is a factor in `torch.lerp`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_LOG_2PI = math.log(2 * math.pi)
_NARROW = 1e-2  # widths below which an interval's probability is the density in its middle times a near-unit factor
_ENDLESS = 1e15  # as good as infinite, and its square a number in single precision
_BENT = 0.1  # |x| from which coth(x) - 1 / x is taken as it stands


class _LogInterval(torch.autograd.Function):
    """log(Phi(b) - Phi(a)), with gradients by inverse Mills ratios, which stay exact where probabilities vanish."""

    @staticmethod
    def forward(ctx: Any, low: Tensor, high: Tensor, width: Tensor) -> Tensor:
        low, high = low.clamp(-_ENDLESS, _ENDLESS), high.clamp(-_ENDLESS, _ENDLESS)
        a, b = torch.minimum(low, -high), torch.minimum(high, -low)  # its image below 0, where log Phi is exact
        (lower, mills_a), (upper, mills_b) = _lower_tail(a), _lower_tail(b)
        below = (lower - upper).clamp_max(-1e-7)  # log of Phi(a) / Phi(b)
        slim, middle = width.clamp(1e-30, _NARROW), 0.5 * (a + b)
        slope = (-0.5 * middle * slim).clamp_min(1e-30)  # half of what the log-density changes by from end to end
        by_density = slim.log() - 0.5 * (middle.square() + _LOG_2PI) - slim.square() / 24
        by_density = by_density + slope + torch.log(torch.expm1(-2 * slope) / (-2 * slope))  # log(sinh(slope) / slope)
        by_ends = upper + torch.log1p(-below.exp())
        flipped, narrow = (low + high > 0).to(low.dtype), (width < _NARROW).to(low.dtype)
        ctx.save_for_backward(mills_a, mills_b, below, slim, middle, slope, flipped, narrow)
        return torch.lerp(by_ends, by_density, narrow)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        mills_a, mills_b, below, slim, middle, slope, flipped, narrow = ctx.saved_tensors
        tilt = -0.5 * _langevin(slope)
        by_middle = 0.5 * (tilt * slim - middle)
        share = -torch.expm1(below)  # of the interval in Phi(b)
        by_a = torch.lerp(-mills_a * below.exp() / share, by_middle, narrow)
        by_b = torch.lerp(mills_b / share, by_middle, narrow)
        by_width = narrow * (1 / slim + tilt * middle - slim / 12)
        both = flipped * (by_a + by_b)
        return grad * (by_a - both), grad * (by_b - both), grad * by_width


def _langevin(x: Tensor) -> Tensor:
    """coth(x) - 1 / x for x >= 0, the slope of log(sinh(x) / x)."""
    near, far = x.clamp_max(_BENT), x.clamp_min(_BENT)
    edge = 1 / math.tanh(_BENT) - 1 / _BENT
    return near / 3 - near * near.square() / 45 + (1 / torch.tanh(far) - 1 / far - edge)


def _lower_tail(x: Tensor) -> tuple[Tensor, Tensor]:
    """log Phi(x) and phi(x) / Phi(x)."""
    edge = -30.0 if x.dtype == torch.float64 else -10.0  # there the series is exact and Phi(x) no subnormal number yet
    near, far = x.clamp_min(edge), x.clamp_max(edge)
    log_near = torch.log(0.5 * torch.erfc(near * -math.sqrt(0.5)))
    start = torch.full((), edge, dtype=x.dtype, device=x.device)
    growth = (far / _series(far)) / (start / _series(start))  # of phi(x) / Phi(x) beyond the edge; 1 above it
    log_ndtr = log_near - torch.log(growth) - 0.5 * (far.square() - edge**2)
    return log_ndtr, torch.exp(-0.5 * (near.square() + _LOG_2PI) - log_near) * growth


def _series(x: Tensor) -> Tensor:
    """-x Phi(x) / phi(x) for x far below 0: 1 - 1/x^2 + 3/x^4 - ... (Abramowitz and Stegun 1964, eq. 26.2.12)."""
    u = x.square().reciprocal()
    return 1 - u * (1 - u * (3 - u * (15 - u * (105 - u * 945))))


def log_interval(low: Tensor, high: Tensor, width: Tensor | None = None) -> Tensor:
    r"""log(Phi(high) - Phi(low)), of a standard normal: exact to rounding far out and for narrow intervals too.

    Near 0, where the interval holds nearly everything, the rounding is that of 1.

    Args:
        low, high: ends of the intervals, low < high, of one shape; they may be infinite.
        width: high - low, where it is known to more digits than the ends have.

    >>> [round(float(v), 3) for v in log_interval(torch.tensor([-1.96, 10.0]), torch.tensor([1.96, 10.1]))]
    [-0.051, -53.681]
    """
    return _LogInterval.apply(*torch.broadcast_tensors(low, high, high - low if width is None else width))  # type: ignore[no-any-return]
