"""How means of a table's numbers are taken: the nodes, and the ranges in which values count."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaekit.schema import Column

_NODES = 16  # quantiles that stand for a normal distribution where the mean of a small count is taken,
_GRID = 27  # and nodes of a grid, from -5.2 to 5.2, where that of a wider range is, which has a tail
_WIDE = 50  # counts that make a range wide
_SPOTS = 15  # nodes of a grid, from -4.5 to 4.5, where the mean of a real number is taken


def real_nodes(like: Tensor) -> tuple[Tensor, Tensor]:
    """(S, 1) values of a standard normal number, and their shares, for the means of real ones, typed like another."""
    spots = torch.linspace(-4.5, 4.5, _SPOTS).to(like)[:, None]
    return spots, torch.softmax(-0.5 * spots.square(), 0)


def count_nodes(ranges: list[tuple[float, float]]) -> tuple[Tensor, Tensor]:
    """(S, C) values of a standard normal number, and their shares, for the means of C columns of counts."""
    wide = torch.tensor([not high - low < _WIDE for low, high in ranges], dtype=torch.bool)
    size = _GRID if wide.any() else _NODES
    quantiles = torch.special.ndtri((torch.arange(size, dtype=torch.float64) + 0.5) / size)
    quantiles /= quantiles.square().mean().sqrt()  # with unit variance
    grid = torch.linspace(-5.2, 5.2, size, dtype=torch.float64)[:, None]
    nodes = torch.where(wide, grid, quantiles[:, None])
    return nodes.float(), torch.where(wide, torch.softmax(-0.5 * grid.square(), 0), 1 / size).float()


def range_of_means(column: Column) -> tuple[float, float]:
    """Ends between which values count in means, in the units of `TableDistribution.points`."""
    if column.kind == "count":
        return (column.low, column.high) if column.low < column.high else (0.0, 2.0**24)
    if column.low >= column.high:  # not known
        return -math.inf, math.inf
    if column.kind == "positive":
        return column.low / math.exp(column.warp.centre), column.high / math.exp(column.warp.centre)
    return (column.low - column.warp.centre) / column.warp.scale, (column.high - column.warp.centre) / column.warp.scale
