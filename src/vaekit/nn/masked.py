"""Causal convolutions over images: every output depends on the pixels before it alone, in the order of reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Draw = Callable[[Tensor, int, int], Tensor]


class _Gate(torch.autograd.Function):
    """tanh(a) sigmoid(b) for the halves a, b of the channels: two saved tensors and few passes over them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        tanh, sigmoid = torch.tanh(a), torch.sigmoid(b)
        ctx.save_for_backward(tanh, sigmoid)
        return tanh * sigmoid

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        tanh, sigmoid = ctx.saved_tensors
        by_a = grad * sigmoid
        by_b = torch.addcmul(by_a, by_a, sigmoid, value=-1).mul_(tanh)
        return torch.cat([by_a.addcmul_(by_a * tanh, tanh, value=-1), by_b], 1)


def gate(x: Tensor) -> Tensor:
    """(B, 2C, H, W) to (B, C, H, W): tanh of the first half of the channels times the sigmoid of the second."""
    if torch.is_grad_enabled() and x.requires_grad:
        return _Gate.apply(x)  # type: ignore[no-any-return]
    a, b = x.chunk(2, 1)
    return torch.tanh(a).mul_(torch.sigmoid(b))


class GatedLayer(nn.Module):
    r"""One gated layer of two stacks (van den Oord et al. 2016, Conditional image generation, section 2).

    .. math::
        v' = v + g(W_v * v), \qquad h' = h + g(W_h * h + W_l v'), \qquad g(a, b) = \tanh(a) \odot \sigma(b)

    The vertical stack v at (i, j) has seen rows above i alone; the horizontal stack h also the pixels left of j in
    row i. The kernel of W_v reaches up and to both sides, that of W_h to the left: nothing has to be masked out.

    Args:
        channels: C of each stack.
        kernel_size: k, odd: W_v covers (k + 1) / 2 rows of k pixels, W_h (k + 1) / 2 pixels.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.reach = kernel_size // 2
        self.down = nn.Conv2d(channels, 2 * channels, (self.reach + 1, kernel_size))
        self.right = nn.Conv2d(channels, 2 * channels, (1, self.reach + 1))
        self.link = nn.Conv2d(channels, 2 * channels, 1)

    def vertical(self, v: Tensor) -> Tensor:
        """(B, C, reach + H, W), which begins with the `reach` rows above, to the new (B, C, H, W)."""
        return v[:, :, self.reach :] + gate(self.down(F.pad(v, (self.reach, self.reach))))

    def horizontal(self, h: Tensor, v: Tensor) -> Tensor:
        """(B, C, H, reach + W), which begins with the `reach` columns to the left, to the new (B, C, H, W)."""
        return h[..., self.reach :] + gate(self.right(h) + self.link(v))

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks over whole images."""
        v = self.vertical(F.pad(v, (0, 0, self.reach, 0)))
        return v, self.horizontal(F.pad(h, (self.reach, 0)), v)


class MaskedNetwork(nn.Module):
    r"""From images to raw parameters of each pixel that depend on the pixels before it, and on a feature map.

    .. math:: \theta_{ij} = f(x_{1,1}, \ldots, x_{i,j-1};\ c_{ij})

    The feature map c enters the first layer of both stacks by a 1 x 1 convolution, so that what a pixel knows of it is
    all that lies within the layers' reach. No batch norm: a pixel's parameters depend on its own image alone.

    Args:
        in_channels: channels of the image.
        out_channels: raw parameters of a pixel.
        features: channels of the feature map, or 0.
        layers: number of gated layers.
        channels: C of each stack.
        kernel_size: odd, at least 3.

    >>> network = MaskedNetwork(1, 1, layers=2, channels=4)
    >>> x = torch.rand(2, 1, 5, 5)
    >>> later = x.clone()
    >>> later[:, :, 3, 2:] += 1  # pixels from row 3, column 2 on
    >>> changed = (network(x) != network(later)).any(0)[0]
    >>> bool(changed[:3].any()), bool(changed[3, :3].any()), bool(changed[3, 3])
    (False, False, True)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        features: int = 0,
        layers: int = 4,
        channels: int = 16,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        reach = kernel_size // 2
        self.reach = reach
        self.first_down = nn.Conv2d(in_channels + 1, channels, (reach + 1, kernel_size))
        self.first_right = nn.Conv2d(in_channels + 1, channels, (1, reach + 1))
        self.layers = nn.ModuleList(GatedLayer(channels, kernel_size) for _ in range(layers))
        self.mix = nn.Conv2d(channels, 2 * channels, 1)
        self.output = nn.Conv2d(2 * channels, out_channels, 1)
        self.condition = nn.Conv2d(features, 2 * channels, 1) if features else None

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """Parameters of all pixels of given images at once.

        Args:
            x: (B, in_channels, H, W) values of about unit size.
            features: (B, features, H, W), where there are any.

        Returns:
            (B, out_channels, H, W).
        """
        reach, x = self.reach, self._marked(x)
        above, left = F.pad(x, (reach, reach, reach + 1, 0))[:, :, :-1], F.pad(x, (reach + 1, 0))[..., :-1]
        v, h = self._start(self.first_down(above), self.first_right(left), features)
        for layer in self.layers:
            v, h = layer(v, h)
        return self._read(h)

    def _marked(self, x: Tensor) -> Tensor:
        """A channel of ones added, which tells a pixel of value 0 from the border."""
        return torch.cat([x, torch.ones_like(x[:, :1])], 1)

    def _start(self, v: Tensor, h: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.condition is None:
            return v, v + h
        for_v, for_h = self.condition(features).chunk(2, 1)
        return v + for_v, v + h + for_h

    def _read(self, h: Tensor) -> Tensor:
        return self.output(F.silu(self.mix(F.silu(h))))

    @torch.no_grad()
    def generate(self, x: Tensor, draw: Draw, features: Tensor | None = None) -> Tensor:
        """Images drawn pixel by pixel, each layer computed once for each row and pixel.

        The vertical stack is computed a row at a time from the rows of it that were kept, the horizontal stack a pixel
        at a time from the pixels of it that were kept: O(H W) work for an image, not O(H^2 W^2).

        Args:
            x: (B, in_channels, H, W), overwritten pixel by pixel with what `draw` gives.
            draw: from raw parameters (B, out_channels) and the place (row, column) to the pixel (B, in_channels).
            features: (B, features, H, W), where there are any.

        Returns:
            x.
        """
        size, reach = len(x), self.reach
        height, width = x.shape[2:]
        channels = self.first_down.out_channels
        marked = F.pad(self._marked(torch.zeros_like(x)), (reach + 1, reach + 1, reach + 1, 0))
        conditions = None if self.condition is None else self.condition(features).chunk(2, 1)
        above = [x.new_zeros(size, channels, reach + 1, width) for _ in self.layers]
        for i in range(height):
            v = self.first_down(marked[:, :, i : i + reach + 1, 1:-1])  # (B, C, 1, W)
            start = v
            if conditions is not None:
                start, v = v + conditions[1][:, :, i : i + 1], v + conditions[0][:, :, i : i + 1]
            rows = []
            for layer, kept in zip(self.layers, above, strict=True):
                kept[:, :, :-1] = kept[:, :, 1:].clone()
                kept[:, :, -1:] = v
                v = layer.vertical(kept)  # type: ignore[operator]
                rows.append(v)
            left = [x.new_zeros(size, channels, 1, reach + 1) for _ in self.layers]
            for j in range(width):
                row = marked[:, :, i + reach + 1 : i + reach + 2, j : j + reach + 1]
                h = start[..., j : j + 1] + self.first_right(row)
                for layer, kept, v in zip(self.layers, left, rows, strict=True):
                    kept[..., :-1] = kept[..., 1:].clone()
                    kept[..., -1:] = h
                    h = layer.horizontal(kept, v[..., j : j + 1])  # type: ignore[operator]
                x[:, :, i, j] = draw(self._read(h)[:, :, 0, 0], i, j)
                marked[:, :-1, i + reach + 1, j + reach + 1] = x[:, :, i, j]
        return x
