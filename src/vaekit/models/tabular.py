"""The variational autoencoder of a table: mixed columns, missing cells (Mattei and Frellsen 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vaekit.likelihoods import Likelihood
from vaekit.likelihoods.table import TableColumns
from vaekit.models.building import Architecture, build_prior
from vaekit.models.vae import VAE
from vaekit.nn import MLP
from vaekit.nn.warp import TableFeatures
from vaekit.schema import Column, ColumnStats


class Bypassed(nn.Module):
    """An MLP with a linear map beside it, added to its output, so that what is linear need not be learned by bends.

    Args:
        in_features, hidden, out_features, activation: as of `vaekit.nn.MLP`.
    """

    def __init__(self, in_features: int, hidden: Sequence[int], out_features: int, activation: str) -> None:
        super().__init__()
        self.mlp = MLP(in_features, hidden, out_features, activation)
        self.linear = nn.Linear(in_features, out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) to (B, F)."""
        return self.mlp(x) + self.linear(x) if len(self.mlp.layers) > 1 else self.mlp(x)


def build_tabular(columns: Sequence[Column], how: Architecture, mixture: int) -> VAE:
    """A VAE of coded rows of a table, at the start of training.

    Args:
        columns: the modelled columns.
        how: latent units, hidden layers, activation and prior.
        mixture: normal distributions in the likelihood of a number.
    """
    likelihood: Likelihood = TableColumns(columns, mixture)
    features = TableFeatures(columns)
    seen = features(torch.zeros(1, len(columns))).shape[1]
    encoder = Bypassed(seen, how.hidden, 2 * how.latent_dim, how.activation)
    decoder = Bypassed(how.latent_dim, tuple(reversed(how.hidden)), likelihood.param_shape[0], how.activation)
    stats = ColumnStats.placeholder(likelihood.shape)
    with torch.no_grad():
        decoder.mlp.output.bias.copy_(likelihood.marginal(stats))
    prior = build_prior(how, likelihood, stats, None)
    return VAE(encoder, decoder, likelihood, how.latent_dim, prior=prior, scaling=features, bounded=True)


def hide_cells(x: Tensor, most: float) -> Tensor:
    """Make cells of coded rows missing: of each row a share drawn from 0 to `most`."""
    share = torch.rand(len(x), 1, device=x.device) * most
    return x.masked_fill(torch.rand_like(x) < share, torch.nan)
