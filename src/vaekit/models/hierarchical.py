"""A variational autoencoder with layers of latent variables and top-down inference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import Likelihood
from vaekit.models.base import LOG_SIGMA_RANGE, LatentVariableModel, Noise, Terms, single
from vaekit.nn.conv import Down, ResidualBlock, Up, as_maps, level_sizes
from vaekit.nn.mlp import ACTIVATIONS
from vaekit.priors import StandardNormal

Choose = Callable[[int, Tensor, Tensor], Tensor]


class StochasticLayer(nn.Module):
    r"""One layer of latent maps: its prior and its posterior given the layers above, and its way into what is below.

    Args:
        channels: of the deterministic path h.
        latent: channels of the layer's latent map.
        size: (H, W) of the maps.
        level: which of the encoder's maps the posterior reads.
        blocks: residual blocks after the layer.
        activation: a name from `ACTIVATIONS`.
    """

    def __init__(
        self, channels: int, latent: int, size: tuple[int, int], level: int, blocks: int, activation: str
    ) -> None:
        super().__init__()
        self.shape, self.level = (latent, *size), level
        self.prior = nn.Conv2d(channels, 2 * latent, 1)
        self.look = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.posterior = nn.Conv2d(channels, 2 * latent, 1)
        self.into = nn.Conv2d(latent, channels, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, activation) for _ in range(blocks)))
        self.activation = ACTIVATIONS[activation]
        for layer in (self.prior, self.posterior):  # the posterior starts at the prior, the prior at N(0, I)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            nn.init.normal_(layer.weight, std=0.01)

    @property
    def units(self) -> int:
        """Number of latent units."""
        return math.prod(self.shape)

    def infer(self, h: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation, each (N, units), of q(u | layers above, x)."""
        both = self.activation(self.look(self.activation(torch.cat([h, seen], 1))))
        mu, log_sigma = self.posterior(both).flatten(1).float().chunk(2, -1)
        return mu, log_sigma

    def forward(self, h: Tensor, u: Tensor) -> Tensor:
        """The path below: z = mu_p(h) + sigma_p(h) u enters h."""
        mu, log_sigma = self.prior(self.activation(h)).chunk(2, 1)
        z = mu + (2 * torch.tanh(log_sigma / 2)).exp() * u.view(-1, *self.shape)
        return self.blocks(h + self.into(z))


class HierarchicalVAE(LatentVariableModel):
    r"""Latent maps z_1 (top) ... z_n, each given those above it, in the prior and in the posterior.

    .. math:: p(z) = \prod_i N(z_i; \mu_i(z_{<i}), \sigma_i(z_{<i})^2), \qquad
              q(z|x) = \prod_i q(z_i \mid z_{<i}, x)

    Inference runs from the top down along the same deterministic path h as generation and reads the encoder's maps at
    each level (Sønderby et al. 2016; Kingma et al. 2016). The units of this model are u_i = (z_i - mu_i) / sigma_i,
    which are N(0, I) a priori: the bound is the same, since a density's change of variables cancels in p and q, and
    the posterior of u_i is what that of z_i differs by from its prior (Vahdat and Kautz 2020, section 3.2).

    Args:
        likelihood: p(x|z), of images.
        channels: of the maps at each level; each level halves the image.
        latent: channels of each latent map.
        layers: number of stochastic layers, spread evenly over the levels, from the smallest maps on.
        blocks: residual blocks at each place.
        activation: a name from `ACTIVATIONS`.
        scaling: module from raw x to what the encoder sees.

    Attributes:
        offset: (P, \*shape) learned and added to the raw parameters, for what is alike in all images.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        channels: Sequence[int],
        *,
        latent: int = 4,
        layers: int = 3,
        blocks: int = 1,
        activation: str = "silu",
        scaling: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.scaling = scaling if scaling is not None else nn.Identity()
        image = as_maps(likelihood.shape)
        sizes = level_sizes(*image[1:], len(channels))
        in_channels = self.scaling(torch.zeros(1, *likelihood.shape)).reshape(-1, *image[1:]).shape[0]
        self.in_shape = (in_channels, *image[1:])
        self.encoder = nn.ModuleList(
            Down(*pair, blocks, activation) for pair in itertools.pairwise((in_channels, *channels))
        )
        self.top = nn.Parameter(0.1 * torch.randn(1, channels[-1], *sizes[-1]))
        count = len(channels)
        levels = [count - 1 - i * count // layers for i in range(layers)]
        self.layers = nn.ModuleList(
            StochasticLayer(channels[level], latent, sizes[level], level, blocks, activation) for level in levels
        )
        self.ups = nn.ModuleList(Up(channels[level + 1], channels[level], sizes[level]) for level in range(count - 1))
        self.activation = ACTIVATIONS[activation]
        self.output = Up(channels[0], likelihood.num_params * image[0], image[1:])
        self.offset = nn.Parameter(torch.zeros(likelihood.num_params, *likelihood.shape))
        self.latent_dim = sum(self.units)
        self.prior = StandardNormal(self.latent_dim)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def units(self) -> list[int]:
        """Units of each layer, from the top."""
        return [layer.units for layer in self.layers]  # type: ignore[misc]

    def _look(self, x: Tensor) -> list[Tensor]:
        """The encoder's maps of each level."""
        maps = self.scaling(x).reshape(-1, *self.in_shape).contiguous(memory_format=torch.channels_last)
        seen = []
        for down in self.encoder:
            maps = down(maps)
            seen.append(maps)
        return seen

    def descend(self, n: int, seen: list[Tensor] | None, choose: Choose) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        r"""From the top down to the raw parameters of the likelihood.

        Args:
            n: number of paths.
            seen: the encoder's maps of each path, or None for the prior.
            choose: from a layer's number and the mean and log standard deviation of its posterior, each (n, units), to
                its units; without `seen` both are empty.

        Returns:
            The units (n, L), their posterior's means and log standard deviations, and raw parameters (n, P, \*shape).
        """
        h, level = self.top.expand(n, -1, -1, -1), len(self.encoder) - 1
        parts, mus, log_sigmas = [], [], []
        for i, layer in enumerate(self.layers):
            while level > layer.level:  # type: ignore[operator]
                level -= 1
                h = self.ups[level](h)
            mu = log_sigma = h.new_empty(0)
            if seen is not None:
                mu, log_sigma = layer.infer(h, seen[level])  # type: ignore[operator]
                if not self.training:
                    log_sigma = log_sigma.clamp(*LOG_SIGMA_RANGE)
            u = choose(i, mu, log_sigma)
            h = layer(h, u)
            parts.append(u)
            mus.append(mu)
            log_sigmas.append(log_sigma)
        while level > 0:
            level -= 1
            h = self.ups[level](h)
        raw = self.output(self.activation(h)).reshape(n, self.likelihood.num_params, *self.likelihood.shape)
        raw = single(raw) + self.offset
        return torch.cat(parts, -1), torch.cat(mus, -1), torch.cat(log_sigmas, -1), raw

    def posterior(self, x: Tensor) -> TopDownPosterior:
        """q(u|x), known layer by layer."""
        return TopDownPosterior(self, self._look(x))

    def decode(self, z: Tensor) -> Distribution:
        """p(x|u) for units (..., L)."""
        given = z.reshape(-1, self.latent_dim).split(self.units, -1)
        raw = self.descend(len(given[0]), None, lambda i, mu, log_sigma: given[i])[3]
        return self.likelihood(raw.view(*z.shape[:-1], *raw.shape[1:]))

    def terms(
        self,
        x: Any,
        num_samples: int | None = 1,
        *,
        noise: Noise | None = None,
        posterior: Distribution | None = None,
    ) -> Terms:
        """The terms of the bound, by one pass from the top down; see the base class."""
        q = self.posterior(x) if posterior is None else posterior
        assert isinstance(q, TopDownPosterior)
        lead = torch.Size(() if num_samples is None else (num_samples,))
        shape = (*lead, *q.batch_shape, self.latent_dim)
        if noise is None:
            eps = torch.randn(shape, device=self.top.device, dtype=self.top.dtype)
        else:
            eps = noise(lead.numel(), q.batch_shape[0], self.latent_dim)
            eps = eps[0] if num_samples is None else eps
        u, mu, log_sigma, raw = q.path(eps)
        path = DiagonalNormal(mu.view(shape), log_sigma.view(shape))
        p = self.likelihood(raw.view(*shape[:-1], *raw.shape[1:]))
        return Terms(p, self.target(x), u.view(shape), path, self.prior, self.posterior, eps)


class TopDownPosterior(Distribution):
    """q(u|x) of a hierarchy: each layer normal given those above it.

    Args:
        model: whose posterior it is.
        seen: the encoder's maps of each level, (B, C, H, W).
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    has_rsample = True

    def __init__(self, model: HierarchicalVAE, seen: list[Tensor]) -> None:
        self.model, self.seen = model, seen
        super().__init__(seen[0].shape[:1], torch.Size((model.latent_dim,)), validate_args=False)

    def _descend(self, times: int, choose: Choose) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        seen = [maps.repeat(times, 1, 1, 1) for maps in self.seen] if times > 1 else self.seen
        return self.model.descend(times * self._batch_shape[0], seen, choose)

    def path(self, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `HierarchicalVAE.descend` gives where each unit is drawn by noise (..., B, L)."""
        parts = noise.reshape(-1, self.model.latent_dim).split(self.model.units, -1)
        return self._descend(
            math.prod(noise.shape[:-2]), lambda i, mu, log_sigma: torch.addcmul(mu, parts[i], log_sigma.exp())
        )

    @cached_property
    def _centre(self) -> tuple[Tensor, Tensor]:
        _, mu, log_sigma, _ = self._descend(1, lambda i, mu, log_sigma: mu)
        return mu, log_sigma

    @property
    def mean(self) -> Tensor:
        """(B, L) means, each layer's given the means above it."""
        return self._centre[0]

    @property
    def stddev(self) -> Tensor:
        """(B, L) standard deviations, each layer's given the means above it."""
        return self._centre[1].exp()

    def rsample(self, sample_shape: Any = (), noise: Tensor | None = None) -> Tensor:
        """Reparameterised samples, layer by layer."""
        shape = self._extended_shape(torch.Size(sample_shape))
        if noise is None:
            noise = torch.randn(shape, device=self.seen[0].device, dtype=self.seen[0].dtype)
        return self.path(noise)[0].view(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, of units (..., B, L)."""
        parts = value.reshape(-1, self.model.latent_dim).split(self.model.units, -1)
        _, mu, log_sigma, _ = self._descend(math.prod(value.shape[:-2]), lambda i, mu, log_sigma: parts[i])
        return DiagonalNormal(mu.view(value.shape), log_sigma.view(value.shape)).log_prob(value)


class TopDownMean(nn.Module):
    """From x to the means of a hierarchy's posterior, as a module.

    Args:
        model: whose posterior it is.
    """

    def __init__(self, model: HierarchicalVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) to (B, L)."""
        return self.model.posterior(x).mean
