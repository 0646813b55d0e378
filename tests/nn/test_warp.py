"""Warps of columns against finite differences and their inverse, and what an encoder sees of a table."""

import math

import numpy as np
import pytest
import torch

from vaekit.nn.warp import TableFeatures, Warps, asinh
from vaekit.schema import Column, Warp

WARPS = [Warp(), Warp(2.0, 0.5), Warp(2.0, 0.5, 1.5, 0.3, 0.4, 1.7), Warp(-1.0, 3.0, -1.2, 1.5, -0.2, 0.6)]
VALUES = {
    "real": torch.linspace(-40, 40, 81, dtype=torch.float64),
    "positive": torch.logspace(-6, 6, 81, dtype=torch.float64),
    "count": torch.arange(81, dtype=torch.float64),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("warp", WARPS)
def test_a_warp_rises_and_has_its_inverse_and_its_slope(kind, warp):
    warps = Warps([Column("x", kind, "Float64", warp=warp)], torch.float64)
    x = VALUES[kind][:, None]
    t = warps(x)
    assert bool((t.diff(dim=0) > 0).all())
    torch.testing.assert_close(warps.inverse(t), x, rtol=1e-8, atol=1e-8)
    step = 1e-5 * x.abs().clamp_min(1.0 if kind == "count" else 1e-12)
    slope = (warps(x + step) - warps(x - step)) / (2 * step)
    kept = step > 1e-11  # all but 0 itself
    torch.testing.assert_close(warps.log_slope(t)[kept], slope[kept].log(), rtol=1e-5, atol=1e-5)


def test_a_warp_is_the_formula_of_its_docstring():
    warp = WARPS[2]
    x = np.array([0.3, 2.0, 9.0])
    for kind, b in (("real", x), ("positive", np.log(x)), ("count", np.log(x + 1))):
        inner = warp.tail * np.arcsinh((b - warp.centre) / warp.scale) - warp.skew
        expected = (np.sinh(inner) - warp.mean) / warp.spread
        found = Warps([Column("x", kind, "Float64", warp=warp)], torch.float64)(torch.from_numpy(x)[:, None])
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)


def test_what_means_are_taken_of():
    columns = [Column("x", kind, "Float64", warp=Warp(2.0, 0.5, 0.4, 0.8, 0.1, 1.1)) for kind in ("real", "positive")]
    warps, t = Warps(columns, torch.float64), torch.linspace(-0.5, 0.5, 20, dtype=torch.float64)[:, None].expand(-1, 2)
    x = warps.inverse(t)
    torch.testing.assert_close(warps.expected(t)[:, 0], (x[:, 0] - 2.0) / 0.5)
    torch.testing.assert_close(warps.expected(t)[:, 1], x[:, 1] / math.exp(2.0))
    assert bool(torch.isfinite(warps.float().expected(torch.full((1, 2), 1e9))).all())


def test_columns_are_warped_side_by_side():
    columns = [Column("x", kind, "Float64", warp=warp) for kind in VALUES for warp in WARPS]
    x = torch.rand(5, len(columns), dtype=torch.float64) + 0.5
    alone = [Warps([column], torch.float64)(x[:, j : j + 1]) for j, column in enumerate(columns)]
    torch.testing.assert_close(Warps(columns, torch.float64)(x), torch.cat(alone, 1))


def test_asinh_equals_torchs():
    x = torch.cat([-torch.logspace(-8, 8, 60), torch.zeros(1), torch.logspace(-8, 8, 60)])
    torch.testing.assert_close(asinh(x), torch.asinh(x), rtol=1e-6, atol=2e-7)


def test_what_an_encoder_sees():
    columns = [
        Column("x", "real", "Float64"),
        Column("grade", "ordinal", "String", levels=("a", "b", "c"), shares=(0.2, 0.3, 0.5)),
        Column("rain", "positive", "Float64", zeros=0.5),
        Column("n", "count", "Int64", warp=Warp(1.0, 2.0)),
        Column("town", "categorical", "String", levels=tuple("abcd"), shares=(0.4, 0.3, 0.2, 0.1), pool=2),
    ]
    nan, none = math.nan, -math.inf
    rows = torch.tensor([[1.5, 1.0, none, 3.0, 3.0], [nan, nan, nan, nan, nan], [-99.0, 2.0, 0.5, nan, 0.0]])
    count = (math.log(4.0) - 1) / 2
    expected = [
        # numbers, zeros, warped counts, ordinal from -1 to 1, indicators of its levels and of the towns, mask
        [1.5, 0, 0, 1, count, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        [0] * 17,
        [-10, 0.5, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1],
    ]
    torch.testing.assert_close(TableFeatures(columns)(rows), torch.tensor(expected, dtype=torch.float32))
