"""The variational autoencoder of Kingma and Welling (2013)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.errors import OptionError
from vaekit.likelihoods import CategoricalCodes, Likelihood
from vaekit.models.base import LatentVariableModel
from vaekit.nn import MLP, OneHot, Standardise
from vaekit.priors import Prior, StandardNormal
from vaekit.schema import ColumnStats

LOG_SIGMA_RANGE = (-10.0, 5.0)


class VAE(LatentVariableModel):
    r"""p(z) = N(0, I), p(x|z) by a decoder network, q(z|x) = N(mu(x), diag(sigma(x)^2)) by an encoder network.

    Args:
        encoder: module from (B, \*shape), standardised, to (B, 2L): means, then log standard deviations.
        decoder: module from (B, L) to raw parameters (B, P, \*shape), or any shape with as many values.
        likelihood: reads the raw parameters as p(x|z).
        latent_dim: L.
        prior: p(z); N(0, I) by default.
        scaling: module from raw x to what the encoder sees; by default nothing is done.

    >>> from vaekit.likelihoods import Bernoulli
    >>> model = VAE(MLP(6, (16,), 4), MLP(2, (16,), 6), Bernoulli((6,)), latent_dim=2)
    >>> model.terms(torch.ones(3, 6), num_samples=5).log_px.shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        latent_dim: int,
        prior: Prior | None = None,
        scaling: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.scaling = scaling if scaling is not None else nn.Identity()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.prior = prior if prior is not None else StandardNormal(latent_dim)

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z|x), a diagonal normal; outside training sigma stays within exp(-10) and exp(5), whatever the row."""
        mu, log_sigma = _single(self.encoder(self.scaling(x))).chunk(2, -1)
        if not self.training:  # in training a wild sigma shows in the objective
            log_sigma = log_sigma.clamp(*LOG_SIGMA_RANGE)
        return DiagonalNormal(mu, log_sigma)

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z)."""
        params = _single(self.decoder(z.reshape(-1, self.latent_dim)))
        return self.likelihood(params.reshape(*z.shape[:-1], self.likelihood.num_params, *self.likelihood.shape))


def _single(x: Tensor) -> Tensor:
    """At least float32: where networks run in bfloat16, densities do not."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class Headed(nn.Module):
    """A network with a linear map on its flattened output: gives any encoder the width that q's parameters need.

    Args:
        body: module from (B, ...) to (B, F), or (B, ...) with F values.
        features: F.
        out_features: width of the output.
    """

    def __init__(self, body: nn.Module, features: int, out_features: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B, out_features)."""
        return self.head(self.body(x).flatten(1))


class MeanEncoder(nn.Module):
    """From raw x to posterior means: what is kept of a model to build a supervised one on.

    Args:
        scaling: from raw x to what the encoder sees.
        encoder: to (B, L), or (B, 2L) of which the means are the first half.
        latent_dim: L.
    """

    def __init__(self, scaling: nn.Module, encoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.encoder = encoder
        self.latent_dim = latent_dim

    def forward(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) in raw units, of any numeric type, to (B, L)."""
        return self.encoder(self.scaling(x.float()))[:, : self.latent_dim]


def input_scaling(likelihood: Likelihood, stats: ColumnStats) -> nn.Module:
    """The first layer that suits a kind of data.

    Binary values stay as they are, codes become indicators, whole numbers with a known end are divided by it, open
    counts become standardised logarithms and real numbers are standardised, column by column.
    """
    if isinstance(likelihood, CategoricalCodes):
        return OneHot(likelihood.num_params)
    if likelihood.name == "bernoulli":
        return nn.Identity()
    scaling = Standardise(stats.shape, log1p=likelihood.name in ("poisson", "negative_binomial"))
    if likelihood.name in ("binomial", "discretised_logistic"):
        scaling.scale.fill_(max(float(stats.high.max()), 1.0))
    elif scaling.log1p:
        scaling.loc.copy_(torch.log1p(stats.mean))
        scaling.scale.copy_((stats.std / (1 + stats.mean)).clamp_min(0.1))
    else:
        scaling.loc.copy_(stats.mean)
        scaling.scale.copy_(torch.where(stats.std > 0, stats.std, torch.inf))  # a constant column tells nothing
    return scaling


def build_networks(
    likelihood: Likelihood,
    stats: ColumnStats,
    scaling: nn.Module,
    latent_dim: int,
    *,
    hidden: Sequence[int],
    activation: str,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> tuple[nn.Module, nn.Module]:
    r"""Encoder and decoder of a VAE: MLPs, or own modules, which become part of the model as they are.

    The MLP decoder has the encoder's widths in reverse, and its last bias starts at the independent features.

    Args:
        likelihood: for the raw parameters that the decoder must give.
        stats: of the data.
        scaling: what the encoder sees comes out of it.
        latent_dim: L.
        hidden, activation: of the MLPs.
        encoder: own module from (B, \*shape) to (B, ...); the number of its features is found by a dry run.
        decoder: own module from (B, L) to (B, P, \*shape).

    Raises:
        OptionError: an own module does not take or give what it should.
    """
    zero = scaling(torch.zeros(2, *likelihood.shape))
    if encoder is None:
        encoder = MLP(zero[0].numel(), hidden, 2 * latent_dim, activation)
    else:
        encoder = Headed(encoder, dry_run("encoder", encoder, zero)[0].numel(), 2 * latent_dim)
    if decoder is None:
        out = likelihood.num_params * math.prod(likelihood.shape)
        decoder = MLP(latent_dim, tuple(reversed(hidden)), out, activation)
        with torch.no_grad():
            decoder.output.bias.copy_(likelihood.marginal(stats).reshape(-1))
    else:
        given = tuple(dry_run("decoder", decoder, torch.zeros(2, latent_dim)).shape)
        wanted = (2, likelihood.num_params, *likelihood.shape)
        swapped = given != wanted and sorted(given) == sorted(wanted) and len(given) == len(wanted) > 2
        if math.prod(given) != math.prod(wanted) or swapped:
            raise OptionError(
                f"The decoder gives shape {given} for 2 codes, but likelihood={likelihood.name!r} needs {wanted}."
            )
    return encoder, decoder


@torch.no_grad()
def dry_run(name: str, module: nn.Module, x: Tensor) -> Tensor:
    """What an own module gives for x, in evaluation mode.

    Raises:
        OptionError: the module fails on it, or gives no tensor with a row for each row.
    """
    training = module.training
    module.eval()
    try:
        out = module(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise OptionError(f"The {name} fails on an input of shape {tuple(x.shape)}: {error}") from error
    finally:
        module.train(training)
    if not isinstance(out, Tensor) or out.shape[:1] != x.shape[:1]:
        raise OptionError(f"The {name} must give one tensor with a row for each row of its input.")
    return out
