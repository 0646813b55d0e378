"""Intervals of the normal: against scipy, by their gradients, and at the seams of the formulas."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from vaekit.likelihoods.intervals import log_interval

INTERVALS = [
    (low, low + width)
    for low in (-300.0, -30.0, -4.0, -0.3, 0.0, 2.0, 35.0, 200.0)
    for width in (1e-6, 1e-3, 0.05, 3.0)
]


def log_interval_by_scipy(low, high):
    """From logarithms of the tail that is further out."""
    a, b = (low, high) if low > 0 else (-high, -low)
    near, far = scipy.stats.norm.logsf([a, b])
    return near + np.log(-np.expm1(far - near))


def test_intervals_of_the_normal_equal_scipys():
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*INTERVALS, strict=True))
    expected = [log_interval_by_scipy(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    np.testing.assert_allclose(log_interval(low, high), expected, rtol=2e-6, atol=2e-6)


def test_intervals_of_the_normal_in_single_precision():
    """Where their width is known; its relative error is that of the probability."""
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*INTERVALS, strict=True))
    found = log_interval(low.float(), high.float(), (high - low).float())
    torch.testing.assert_close(found.double(), log_interval(low, high), rtol=1e-5, atol=1e-5)


def test_intervals_that_hold_everything_and_next_to_nothing():
    low, high = torch.tensor([-1e4, -1e4, 1.0, -1e6]), torch.tensor([1e4, 0.0, 1e4, -1e6 + 1])
    expected = [0.0, math.log(0.5), scipy.stats.norm.logsf(1.0), scipy.stats.norm.logcdf(-1e6 + 1)]
    np.testing.assert_allclose(log_interval(low, high), expected, rtol=1e-6)


def test_gradients_of_intervals():
    low, high = (torch.tensor(ends, dtype=torch.float64) for ends in zip(*INTERVALS, strict=True))
    kept = low.abs() < 50  # further out the differences are of numbers of the size of 1e4
    low, high = low[kept].requires_grad_(), high[kept].requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: log_interval(a, b), (low, high), eps=1e-8, atol=1e-3, rtol=1e-3)
    width = (high - low).detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda a, w: log_interval(a, a + w, w), (low, width), eps=1e-8, atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_the_lower_tail_and_its_slope_equal_scipys_at_and_between_the_seams(dtype, digits):
    seams = torch.tensor([-10 - 1e-4, -10, -10 + 1e-4, -30 - 1e-4, -30, -30 + 1e-4, -400])
    x = torch.cat([torch.linspace(-40, 8, 4801), seams]).to(dtype).requires_grad_()
    found = log_interval(torch.full_like(x, -1e6), x)
    expected = scipy.stats.norm.logcdf(x.detach().double().numpy())
    np.testing.assert_allclose(found.detach().double(), expected, rtol=digits, atol=digits)
    (slope,) = torch.autograd.grad(found.sum(), x)
    mills = np.sqrt(2 / np.pi) / scipy.special.erfcx(-x.detach().double().numpy() / np.sqrt(2))
    np.testing.assert_allclose(slope.double(), mills, rtol=digits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_may_be_infinite(dtype):
    inf = torch.inf
    low, high = torch.tensor([[-inf, 0, 5, -inf], [0, inf, inf, inf]], dtype=dtype).unbind()
    low.requires_grad_()
    high.requires_grad_()
    found = log_interval(low, high)
    expected = [math.log(0.5), math.log(0.5), scipy.stats.norm.logsf(5.0), 0.0]
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-6)
    by_low, by_high = torch.autograd.grad(found.sum(), (low, high))
    mills = [math.sqrt(2 / math.pi), math.exp(scipy.stats.norm.logpdf(5.0) - scipy.stats.norm.logsf(5.0))]
    np.testing.assert_allclose(by_low, [0, -mills[0], -mills[1], 0], rtol=1e-5)
    np.testing.assert_allclose(by_high, [mills[0], 0, 0, 0], rtol=1e-5)


def test_values_and_slopes_do_not_jump_where_narrow_intervals_end():
    low = torch.linspace(-20, 20, 401, dtype=torch.float64)
    sides = []
    for width in (0.01 - 1e-9, 0.01 + 1e-9):
        start = low.clone().requires_grad_()
        value = log_interval(start, start + width) - math.log(width)
        sides.append((value.detach(), torch.autograd.grad(value.sum(), start)[0]))
    (below, slope_below), (above, slope_above) = sides
    torch.testing.assert_close(below, above, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(slope_below, slope_above, rtol=1e-5, atol=1e-5)
