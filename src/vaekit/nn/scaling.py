"""The first layer of an encoder: from raw data to numbers of about unit size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Standardise(nn.Module):
    r"""(x - loc) / scale, after log(1 + x) for counts; both are buffers, learned from the training data.

    Args:
        shape: shape of a row.
        log1p: take logarithms first.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...], *, log1p: bool = False) -> None:
        super().__init__()
        self.log1p = log1p
        self.register_buffer("loc", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) to the same shape."""
        if self.log1p:
            x = torch.log1p(x.clamp_min(0))
        return (x - self.loc) / self.scale


class OneHot(nn.Module):
    r"""Codes 0 .. C-1 to indicator variables: (B, \*shape) to (B, C, \*shape)."""

    def __init__(self, categories: int) -> None:
        super().__init__()
        self.categories = categories

    def forward(self, x: Tensor) -> Tensor:
        """Codes to indicators."""
        return F.one_hot(x.long(), self.categories).movedim(-1, 1).to(torch.float32)


class GreyLevels(nn.Module):
    """Grey levels to the means of their binary values: x / maximum of draws; 1 above half of it, else 0, of a cut.

    Args:
        maximum: the level that is a certain one.
        cut: whether values are made binary by a threshold.
    """

    maximum: Tensor

    def __init__(self, maximum: float, *, cut: bool = False) -> None:
        super().__init__()
        self.register_buffer("maximum", torch.tensor(float(maximum)))
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        """Levels of any shape to numbers from 0 to 1."""
        return (x > 0.5 * self.maximum).float() if self.cut else x / self.maximum
