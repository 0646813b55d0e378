"""The deterministic autoencoder."""

from __future__ import annotations

from torch import Tensor, nn

from vaekit.nn import Standardise


class Autoencoder(nn.Module):
    r"""x is rebuilt from a code z = encoder(x) by decoder(z), at least squared error of standardised values.

    .. math:: L(x) = \frac1D \sum_d \left(\frac{x_d - \hat x_d}{s_d}\right)^2

    with s the columns' standard deviations (one for all pixels of an image). Hinton and Salakhutdinov (2006).

    Args:
        encoder: module from (B, \*shape), standardised, to (B, L).
        decoder: module from (B, L) to (B, \*shape), standardised, or any shape with as many values.
        scaling: the standardisation.
        latent_dim: L.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, scaling: Standardise, latent_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.scaling = scaling
        self.latent_dim = latent_dim

    def encode(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) in the data's units to codes (B, L)."""
        return self.encoder(self.scaling(x))

    def decode(self, z: Tensor) -> Tensor:
        r"""Codes (B, L) to (B, \*shape) in the data's units."""
        loc = self.scaling.loc
        return loc + self.scaling.scale * self.decoder(z).reshape(-1, *loc.shape)

    def errors(self, x: Tensor) -> Tensor:
        """(B,) mean squared error of each example in standardised units: what training lowers."""
        target = self.scaling(x)
        return (self.decoder(self.encoder(target)).reshape(x.shape) - target).flatten(1).square().mean(1)

    def squared_errors(self, x: Tensor) -> Tensor:
        """(B,) mean squared error of each example in the data's units."""
        return (self.decode(self.encode(x)) - x).flatten(1).square().mean(1)
