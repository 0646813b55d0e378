"""Residual convolutional networks for images of any size: every level halves the picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vaekit.nn.linear import Linear
from vaekit.nn.mlp import ACTIVATIONS


def as_maps(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) of an image's shape, (H, W) or (C, H, W).

    >>> as_maps((28, 20))
    (1, 28, 20)
    """
    return (1, *shape) if len(shape) == 2 else shape  # type: ignore[return-value]


def level_sizes(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Sizes of the maps at each level: half of those before, rounded up.

    >>> level_sizes(28, 20, 3)
    [(14, 10), (7, 5), (4, 3)]
    """
    sizes = []
    for _ in range(levels):
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        sizes.append((height, width))
    return sizes


class ResidualBlock(nn.Module):
    """x + conv(activation(conv(activation(x)))), both 3 x 3; the second starts at zero, so the block at the identity.

    Args:
        channels: C in and out.
        activation: a name from `ACTIVATIONS`.
    """

    def __init__(self, channels: int, activation: str = "silu") -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.activation = ACTIVATIONS[activation]
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return x + self.second(self.activation(self.first(self.activation(x))))


class Down(nn.Sequential):
    """To half the size, rounded up: a strided 4 x 4 convolution of the evenly padded map, then residual blocks."""

    def __init__(self, in_channels: int, channels: int, blocks: int, activation: str) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 4, stride=2, padding=1),
            *(ResidualBlock(channels, activation) for _ in range(blocks)),
        )

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / 2), ceil(W / 2)); an odd side is padded by a row or column of zeros."""
        height, width = input.shape[2:]
        if height % 2 or width % 2:
            input = F.pad(input, (0, width % 2, 0, height % 2))
        return super().forward(input)


class Up(nn.Module):
    """To a given size, at most twice the one at hand, by a convolution whose channels become 2 x 2 pixels.

    Shi et al. (2016), sub-pixel convolution.
    """

    def __init__(self, in_channels: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4 * channels, 3, padding=1)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', H, W), what is beyond it cut off."""
        x = F.pixel_shuffle(self.conv(x), 2)
        return x[:, :, : self.size[0], : self.size[1]]


class ConvEncoder(nn.Module):
    r"""Residual convolutional encoder: levels of `Down`, then a linear map.

    Args:
        shape: of an image, (H, W) or (C, H, W).
        channels: of each level's maps.
        out_features: F.
        blocks: residual blocks a level.
        activation: a name from `ACTIVATIONS`.

    >>> ConvEncoder((3, 9, 6), (4, 8), 5)(torch.zeros(2, 3, 9, 6)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: Sequence[int],
        out_features: int,
        blocks: int = 1,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        self.shape = as_maps(shape)
        widths = itertools.pairwise((self.shape[0], *channels))
        self.levels = nn.Sequential(*(Down(*pair, blocks, activation) for pair in widths))
        height, width = level_sizes(*self.shape[1:], len(channels))[-1]
        self.activation = ACTIVATIONS[activation]
        self.output = Linear(channels[-1] * height * width, out_features)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) to (B, F)."""
        x = x.reshape(-1, *self.shape).contiguous(memory_format=torch.channels_last)
        return self.output(self.activation(self.levels(x)).flatten(1))


class ConvDecoder(nn.Module):
    r"""Residual convolutional decoder: a linear map to the smallest maps, then levels of residual blocks and `Up`.

    A learned `offset` for each value of the output is added, where what is alike in all images can go.

    Args:
        in_features: L.
        channels: of each level's maps, from the largest map to the smallest, as in the encoder.
        shape: (C, H, W) of the output.
        blocks: residual blocks a level.
        activation: a name from `ACTIVATIONS`.

    >>> ConvDecoder(5, (4, 8), (2, 9, 6))(torch.zeros(3, 5)).shape
    torch.Size([3, 2, 9, 6])
    """

    def __init__(
        self,
        in_features: int,
        channels: Sequence[int],
        shape: tuple[int, int, int],
        blocks: int = 1,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        sizes = [shape[1:], *level_sizes(*shape[1:], len(channels))]
        self.smallest = (channels[-1], *sizes[-1])
        self.input = Linear(in_features, math.prod(self.smallest))
        parts: list[nn.Module] = []
        for level in reversed(range(len(channels))):
            parts += [ResidualBlock(channels[level], activation) for _ in range(blocks)]
            if level:
                parts.append(Up(channels[level], channels[level - 1], sizes[level]))
        self.levels = nn.Sequential(*parts)
        self.activation = ACTIVATIONS[activation]
        self.output = Up(channels[0], shape[0], sizes[0])
        self.offset = nn.Parameter(torch.zeros(shape))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, z: Tensor) -> Tensor:
        """(B, L) to (B, C, H, W)."""
        maps = self.input(z).view(-1, *self.smallest).contiguous(memory_format=torch.channels_last)
        return self.output(self.activation(self.levels(maps))) + self.offset
