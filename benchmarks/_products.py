"""Matrix products, for the floors below which a timing cannot go."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaekit.nn.linear import linear

Product = Callable[[Tensor, Tensor, Tensor], object]


def mm(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """a b by PyTorch's own choice of library."""
    return torch.mm(a, b, out=out)


def linear_mm(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """a b by the library that vaekit takes for it; `out` is not used."""
    return linear(a, b.t())
