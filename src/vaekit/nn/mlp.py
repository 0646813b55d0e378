"""Multilayer perceptrons."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaekit.nn.linear import Linear

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "gelu": F.gelu,
    "leaky_relu": F.leaky_relu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
}


class MLP(nn.Module):
    r"""h <- activation(W h + b) for each hidden layer, then a linear map; no hidden layer makes it linear.

    Args:
        in_features: D.
        hidden: width of each hidden layer.
        out_features: F.
        activation: a name from `ACTIVATIONS`.

    >>> MLP(8, (16, 16), 3)(torch.zeros(5, 8)).shape
    torch.Size([5, 3])
    """

    def __init__(self, in_features: int, hidden: Sequence[int], out_features: int, activation: str = "silu") -> None:
        super().__init__()
        widths = [in_features, *hidden, out_features]
        self.layers = nn.ModuleList(Linear(*pair) for pair in itertools.pairwise(widths))
        self.activation = ACTIVATIONS[activation]

    @property
    def output(self) -> Linear:
        """The last linear map."""
        return self.layers[-1]  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        """(B, D), or (B, ...) with D values, to (B, F)."""
        x = x.flatten(1)
        *inner, last = self.layers
        for layer in inner:
            x = self.activation(layer(x))
        return last(x)
