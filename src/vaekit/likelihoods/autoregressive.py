"""A likelihood whose pixels know those before them: masked convolutions on top of a decoder's feature map."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.likelihoods.base import Likelihood
from vaekit.nn.conv import as_maps
from vaekit.nn.masked import MaskedNetwork
from vaekit.randomness import isolated_rng
from vaekit.schema import ColumnStats

_MEAN_DRAWS = 16


class AutoregressiveImage(Distribution):
    r"""Images by the chain rule over their pixels in the order of reading, given feature maps c.

    .. math:: p(x \mid c) = \prod_{ij} p(x_{ij} \mid x_{\text{before } ij}, c)

    Args:
        likelihood: gives the network and the distribution of a pixel.
        features: (..., F, \*shape).
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(self, likelihood: Autoregressive, features: Tensor) -> None:
        self.likelihood, self.features = likelihood, features
        split = features.ndim - 1 - len(likelihood.shape)
        super().__init__(features.shape[:split], torch.Size(likelihood.shape), validate_args=False)

    def _maps(self, *lead: int) -> Tensor:
        """(n, F C, H, W) feature maps, one for each of the leading places."""
        split = self.features.ndim - 1 - len(self._event_shape)
        features = self.features.expand(*lead, *self.features.shape[split:])
        channels, height, width = as_maps(tuple(self._event_shape))
        return features.reshape(math.prod(lead), features.shape[len(lead)] * channels, height, width)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats: one pass over all pixels."""
        rank, own = len(self._event_shape), self.likelihood
        lead = torch.broadcast_shapes(value.shape[: value.ndim - rank], self._batch_shape)
        x = value.expand(*lead, *self._event_shape).reshape(math.prod(lead), *self._event_shape)
        raw = own.network(own.unit(x), self._maps(*lead))
        raw = raw if raw.dtype == torch.float64 else raw.float()
        return own.base(raw.reshape(len(x), own.base.num_params, *own.shape)).log_prob(x).view(lead)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Images drawn pixel by pixel."""
        return self.complete(torch.zeros(self._event_shape), None, torch.Size(sample_shape))

    @torch.no_grad()
    def complete(self, x: Tensor, observed: Tensor | None, sample_shape: Any = ()) -> Tensor:
        r"""Images of which some pixels are given: the others are drawn in order, each given all pixels before it.

        Where the pixels given come first (the upper half), that is a draw from p(rest | given); pixels given further on
        are kept as they are, but do not speak to those before them.

        Args:
            x: (..., \*shape) with the values given.
            observed: booleans of the same shape; all channels of a pixel alike.
        """
        own, lead = self.likelihood, (*sample_shape, *self._batch_shape)
        channels, height, width = as_maps(own.shape)
        n = math.prod(lead)
        maps = self._maps(*lead)
        pixel = own.pixel
        given = seen = None
        if observed is not None:
            given = x.expand(*lead, *own.shape).reshape(n, channels, height, width).to(maps)
            seen = observed.expand(*lead, *own.shape).reshape(n, channels, height, width).to(maps.device)

        def draw(raw: Tensor, i: int, j: int) -> Tensor:
            values = pixel(raw.view(n, pixel.num_params, channels, 1, 1)).sample()[:, :, 0, 0]
            if given is not None and seen is not None:
                values = torch.where(seen[:, :, i, j], given[:, :, i, j], values)
            return values / own.top

        start = torch.zeros(n, channels, height, width, device=maps.device, dtype=maps.dtype)
        units = own.network.generate(start, draw, maps)
        return (units * own.top).round().view(*lead, *own.shape)

    @property
    def mean(self) -> Tensor:
        """Average of 16 draws with noise of a fixed seed: the mean of the pixels' joint has no closed form.

        The noise goes by the place in the batch: the same row elsewhere has another average.
        """
        with isolated_rng(0):
            return self.sample((_MEAN_DRAWS,)).mean(0)


class Autoregressive(Likelihood):
    r"""p(x|z) by a PixelCNN conditioned on the decoder's feature map (van den Oord et al. 2016; Chen et al. 2017).

    The decoder gives F features a value in place of raw parameters; a `MaskedNetwork` reads them, and the pixels
    before each, as the raw parameters of `base`. A small reach leaves to z what lies beyond it (Chen et al. 2017,
    Variational lossy autoencoder, section 3.2). With no features it is a PixelCNN, a density of its own.

    Args:
        base: likelihood of a pixel, Bernoulli or a mixture of logistics.
        features: F, features a value; 0 for none.
        layers: gated layers.
        channels: of each of the two stacks.
        kernel_size: odd, at least 3.
    """

    marginal_is_fitted = False
    discrete = True

    def __init__(
        self, base: Likelihood, *, features: int = 8, layers: int = 4, channels: int = 16, kernel_size: int = 3
    ) -> None:
        super().__init__(base.shape)
        self.name = base.name
        self.base = base
        self.num_params = features
        self.top = float(base.settings.get("levels", 2) - 1)
        in_channels = as_maps(base.shape)[0]
        self.network = MaskedNetwork(
            in_channels,
            in_channels * base.num_params,
            features=in_channels * features,
            layers=layers,
            channels=channels,
            kernel_size=kernel_size,
        )

    @property
    def decoded_values(self) -> int:
        """The values of a row: the features are maps of convolutions."""
        return math.prod(self.shape)

    def again(self, stats: ColumnStats) -> Likelihood:
        """A new one of independent pixels."""
        return self.base.again(stats)

    @property
    def settings(self) -> dict[str, int]:
        """Those of the base."""
        return self.base.settings

    @property
    def pixel(self) -> Likelihood:
        """The base, with the same buffers, for a single pixel (C, 1, 1)."""
        pixel = copy.copy(self.base)
        pixel.shape = (as_maps(self.shape)[0], 1, 1)
        return pixel

    @torch.no_grad()
    def start(self, stats: ColumnStats) -> None:
        """Begin where all pixels are alike, with the mean and the spread that they have together."""

        def together(values: Tensor) -> Tensor:
            return values.reshape(as_maps(self.shape)).mean((1, 2), keepdim=True)

        mean = together(stats.mean)
        std = (together(stats.std.square() + stats.mean.square()) - mean.square()).clamp_min(0).sqrt()
        alike = ColumnStats(stats.n, mean, std, 0 * mean, 0 * mean + stats.high.max(), torch.ones_like(mean).bool())
        self.network.output.bias.copy_(self.pixel.marginal(alike).reshape(-1))  # type: ignore[union-attr]

    def describe_support(self) -> str:
        """That of the base."""
        return self.base.describe_support()

    def unit(self, x: Tensor) -> Tensor:
        r"""Images (n, \*shape) to maps (n, C, H, W) between 0 and 1, as the network sees them."""
        return x.reshape(-1, *as_maps(self.shape)) / self.top

    def forward(self, params: Tensor) -> AutoregressiveImage:
        r"""Images given features (..., F, \*shape)."""
        return AutoregressiveImage(self, params)

    def marginal(self, stats: ColumnStats) -> Tensor:
        """Features of zero."""
        return torch.zeros(self.num_params, *self.shape)

    def outside(self, stats: ColumnStats) -> Tensor:
        """As the base says."""
        return self.base.outside(stats)
