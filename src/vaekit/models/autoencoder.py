"""The deterministic autoencoder."""

from __future__ import annotations

from torch import Tensor, nn

from vaekit.nn import Standardise


class Autoencoder(nn.Module):
    r"""x is rebuilt from a code z = encoder(x) by decoder(z), at least squared error of standardised values.

    .. math:: L(x) = \frac1D \sum_d \left(\frac{x_d - \hat x_d}{s_d}\right)^2

    with s the columns' standard deviations (one for all pixels of an image); a column that is constant in training is
    given back as that constant, whatever its values, and has no error there. Hinton and Salakhutdinov (2006).

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
        loc, scale = self.scaling.loc, self.scaling.scale
        return loc + scale.masked_fill(scale.isinf(), 0.0) * self.decoder(z).reshape(-1, *loc.shape)

    def errors(self, x: Tensor) -> Tensor:
        """(B,) mean squared error of each example in standardised units: what training lowers."""
        target = self.scaling(x)
        errors = self.decoder(self.encoder(target)).reshape(x.shape) - target
        return errors.masked_fill(self.scaling.scale.isinf(), 0.0).flatten(1).square().mean(1)

    def squared_errors(self, x: Tensor) -> Tensor:
        """(B,) mean squared error of each example in the data's units."""
        return (self.decode(self.encode(x)) - x).flatten(1).square().mean(1)
