"""The variational autoencoder of Kingma and Welling (2013)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import Likelihood
from vaekit.models.base import LatentVariableModel, diagonal_normal, single
from vaekit.priors import Prior, StandardNormal


class VAE(LatentVariableModel):
    r"""p(z) = N(0, I), p(x|z) by a decoder network, q(z|x) = N(mu(x), diag(sigma(x)^2)) by an encoder network.

    Args:
        encoder: module from (B, \*shape), standardised, to (B, 2L): means, then log standard deviations.
        decoder: module from (B, L) to raw parameters (B, P, \*shape), or any shape with as many values.
        likelihood: reads the raw parameters as p(x|z).
        latent_dim: L.
        prior: p(z); N(0, I) by default.
        scaling: module from raw x to what the encoder sees; by default nothing is done.
        bounded: whether q's sigma stays within exp(-10) and exp(5) in training too, so that a row far out, where an
            encoder says what it was never taught, cannot end it.

    >>> import torch
    >>> from vaekit.likelihoods import Bernoulli
    >>> from vaekit.nn import MLP
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
        *,
        bounded: bool = False,
    ) -> None:
        super().__init__()
        self.bounded = bounded
        self.scaling = scaling if scaling is not None else nn.Identity()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.prior = prior if prior is not None else StandardNormal(latent_dim)

    def posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z|x), a diagonal normal; outside training sigma stays within exp(-10) and exp(5), whatever the row."""
        return diagonal_normal(self.encoder(self.scaling(x)), bounded=self.bounded or not self.training)

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z)."""
        params = single(self.decoder(z.reshape(-1, self.latent_dim)))
        return self.likelihood(params.reshape(*z.shape[:-1], *self.likelihood.param_shape))


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
