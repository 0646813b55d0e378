"""The conditional variational autoencoder (Kingma et al. 2014; Sohn et al. 2015): everything given a condition c."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import Likelihood
from vaekit.models.base import LatentVariableModel, Noise, Terms, diagonal_normal, single
from vaekit.models.building import Architecture, build_decoder, build_encoder, check_images, input_scaling
from vaekit.nn import ACTIVATIONS, MLP, Linear, Standardise
from vaekit.nn.conv import as_maps
from vaekit.priors import Prior, StandardNormal
from vaekit.schema import ColumnStats


class ConditionalVAE(nn.Module):
    r"""p(z|c) p(x|z, c) with q(z|x, c) by networks: a `LatentVariableModel` for each condition, see `given`.

    A batch of rows with their conditions is one tensor (B, D + C): each row's D values, then its condition.

    Args:
        encoder: module from x, (B, \*shape), standardised, and features of c, (B, F), to (B, 2L): means, then log
            standard deviations.
        decoder: module from (B, L + F), the code and the features of c, to raw parameters (B, P, \*shape).
        likelihood: reads the raw parameters as p(x|z, c).
        latent_dim: L; 0 makes it the regression p(x|c).
        features: module from c, (B, C), to (B, F).
        prior: module from (B, F) to (B, 2L), the parameters of a normal p(z|c); None for N(0, I).
        scaling: module from raw x to what the encoder sees; by default nothing is done.

    >>> from vaekit.likelihoods import Bernoulli
    >>> model = ConditionalVAE(
    ...     JointEncoder(MLP(6 + 3, (16,), 4)), MLP(2 + 3, (16,), 6), Bernoulli((6,)), 2, features=nn.Identity()
    ... )
    >>> model.terms(torch.ones(5, 6 + 3), num_samples=4).log_px.shape
    torch.Size([4, 5])
    >>> model.given(torch.eye(3)).decode(torch.zeros(3, 2)).mean.shape
    torch.Size([3, 6])
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        latent_dim: int,
        *,
        features: nn.Module,
        prior: nn.Module | None = None,
        scaling: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scaling = scaling if scaling is not None else nn.Identity()
        self.features = features
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.normal = StandardNormal(latent_dim)
        self.prior = prior

    def given(self, c: Tensor) -> LatentVariableModel:
        """The model p(x, z|c) of rows with the conditions c, (B, C)."""
        return _Given(self, self.features(c))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""A batch (B, D + C) as rows (B, \*shape) and conditions (B, C)."""
        size = math.prod(self.likelihood.shape)
        return x[:, :size].reshape(-1, *self.likelihood.shape), x[:, size:]

    def posterior(self, x: Tensor) -> Distribution:
        """q(z|x, c) of a batch (B, D + C)."""
        rows, c = self.split(x)
        return self.given(c).posterior(rows)

    def terms(
        self,
        x: Tensor,
        num_samples: int | None = 1,
        *,
        noise: Noise | None = None,
        posterior: Distribution | None = None,
    ) -> Terms:
        """The terms of the bound on log p(x|c) of a batch (B, D + C); the arguments are those of the other models."""
        rows, c = self.split(x)
        return self.given(c).terms(rows, num_samples, noise=noise, posterior=posterior)

    def normal_of(self, params: Tensor) -> DiagonalNormal:
        """A normal from (B, 2L) parameters; outside training sigma stays within exp(-10) and exp(5)."""
        return diagonal_normal(params, bounded=not self.training)


class _Given(LatentVariableModel):
    """p(x, z|c) for the conditions of a batch.

    Args:
        family: the networks.
        features: (B, F) of the conditions.
    """

    def __init__(self, family: ConditionalVAE, features: Tensor) -> None:
        super().__init__()
        self.family = family
        self.features = features
        self.latent_dim = family.latent_dim
        self.prior = family.normal
        if family.prior is not None:
            self.prior = NormalPrior(family.normal_of(family.prior(features)))

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z|x, c), a diagonal normal."""
        return self.family.normal_of(self.family.encoder(self.family.scaling(x), self.features))

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z, c) for z of shape (..., B, L)."""
        joint = torch.cat([z, self.features.expand(*z.shape[:-1], -1)], -1)
        params = single(self.family.decoder(joint.flatten(0, -2)))
        return self.family.likelihood(params.reshape(*z.shape[:-1], *self.family.likelihood.param_shape))


class NormalPrior(Prior):
    """A diagonal normal distribution for each row of a batch.

    Args:
        normal: of batch shape (B,).

    >>> prior = NormalPrior(DiagonalNormal(torch.ones(3, 2), torch.zeros(3, 2)))
    >>> prior.kl_units(DiagonalNormal(torch.zeros(3, 2), torch.zeros(3, 2)))[0]
    tensor([0.5000, 0.5000])
    """

    def __init__(self, normal: DiagonalNormal) -> None:
        super().__init__()
        self.latent_dim = normal.event_shape[0]
        self.normal = normal

    def forward(self, encoder: object = None) -> DiagonalNormal:
        """p(z), of batch shape (B,)."""
        return self.normal

    def kl_units(self, posterior: Distribution) -> Tensor | None:
        """Closed form for a diagonal normal posterior: its KL to N(0, I) in units where the prior is that."""
        if not isinstance(posterior, DiagonalNormal):
            return None
        p = self.normal
        moved = (posterior.mu - p.mu) * (-p.log_sigma).exp()
        return DiagonalNormal(moved, posterior.log_sigma - p.log_sigma).kl_units()


class JointEncoder(nn.Module):
    r"""An MLP on a row and the features of its condition, side by side.

    Args:
        body: module from (B, D + F) to (B, 2L).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        r"""(B, \*shape) and (B, F) to (B, 2L)."""
        return self.body(torch.cat([x.flatten(1), features], 1))


class JointConvEncoder(nn.Module):
    """Convolutions on an image to which a map that is linear in the features of its condition is added as a channel.

    Args:
        body: module from (B, C + 1, H, W) to (B, 2L).
        features: F.
        size: (H, W).
    """

    def __init__(self, body: nn.Module, features: int, size: tuple[int, ...]) -> None:
        super().__init__()
        self.body = body
        self.map = Linear(features, math.prod(size))
        self.size = size

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        r"""(B, \*shape) and (B, F) to (B, 2L)."""
        channel = self.map(features).view(-1, 1, *self.size)
        return self.body(torch.cat([x.reshape(len(x), -1, *self.size), channel.to(x.dtype)], 1))


class NoUnits(nn.Module):
    """The encoder of a model without latent units: (B, 0) for any row."""

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """(B, 0)."""
        return features.new_zeros(len(features), 0)


class ConditionFeatures(nn.Module):
    """Features of a condition: its values, scaled, or the last hidden layer of an MLP on them.

    Args:
        stats: of the conditions' columns. Those of 0 and 1 alone stay as they are, others are standardised.
        hidden: widths of the layers.
        activation: a name from `ACTIVATIONS`.
    """

    def __init__(self, stats: ColumnStats, hidden: Sequence[int], activation: str) -> None:
        super().__init__()
        self.scaling = Standardise(stats.shape)
        unit = stats.whole & (stats.low >= 0) & (stats.high <= 1)
        self.scaling.loc.copy_(torch.where(unit, 0.0, stats.mean))
        spread = torch.where(stats.std > 0, stats.std, torch.inf)  # a constant column tells nothing
        self.scaling.scale.copy_(torch.where(unit, 1.0, spread))
        self.out_features = hidden[-1] if hidden else stats.shape[0]
        self.mlp = MLP(stats.shape[0], hidden[:-1], hidden[-1], activation) if hidden else None
        self.activation = ACTIVATIONS[activation]

    def forward(self, c: Tensor) -> Tensor:
        """(B, C) to (B, F)."""
        c = self.scaling(c)
        return c if self.mlp is None else self.activation(self.mlp(c))


class ConditionalMeanEncoder(nn.Module):
    """From raw x and its condition to posterior means.

    Args:
        model: a conditional VAE.
        grey: from raw x to what the model encodes.
    """

    def __init__(self, model: ConditionalVAE, grey: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.grey = grey

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        r"""(B, \*shape) in raw units and (B, C), vectors or indicators of labels, to (B, L)."""
        return self.model.given(c.float()).posterior(self.grey(x.float())).mean


def build_conditional(
    likelihood: Likelihood, stats: ColumnStats, conditions: ColumnStats, how: Architecture, hidden: Sequence[int] = ()
) -> ConditionalVAE:
    """A conditional VAE, at the start of training; a learned prior starts at N(0, I).

    Args:
        likelihood: of a value, calibrated.
        stats: of the rows.
        conditions: of the conditions.
        how: the sizes; its `prior` is "normal" or "conditional".
        hidden: widths of the layers through which the condition goes before it joins row and code.

    Raises:
        OptionError: convolutions are asked for rows that are no images.
    """
    check_images(likelihood.shape, how)
    latent_dim = how.latent_dim
    scaling = input_scaling(likelihood, stats)
    features = ConditionFeatures(conditions, hidden, how.activation)
    width = features.out_features
    seen = scaling(torch.zeros(2, *likelihood.shape))
    if latent_dim == 0:
        encoder: nn.Module = NoUnits()
    elif how.network == "conv":
        size = as_maps(likelihood.shape)[1:]
        maps = (seen[0].numel() // math.prod(size) + 1, *size)
        encoder = JointConvEncoder(build_encoder(maps, 2 * latent_dim, how), width, size)
    else:
        encoder = JointEncoder(build_encoder((seen[0].numel() + width,), 2 * latent_dim, how))
    prior = None
    if how.prior == "conditional" and latent_dim:
        prior = MLP(width, how.hidden, 2 * latent_dim, how.activation)
        nn.init.zeros_(prior.output.weight)
        nn.init.zeros_(prior.output.bias)
    decoder = build_decoder(likelihood, stats, dataclasses.replace(how, latent_dim=latent_dim + width))
    return ConditionalVAE(encoder, decoder, likelihood, latent_dim, features=features, prior=prior, scaling=scaling)
