"""Priors p(z) over the latent code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal


class Prior(nn.Module, ABC):
    """A distribution over z of shape (L,)."""

    latent_dim: int

    @abstractmethod
    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> Distribution:
        """p(z); `encoder` is the model's posterior, for priors that are made of posteriors."""

    def kl_units(self, posterior: Distribution) -> Tensor | None:
        """KL(q(z|x) || p(z)) per unit, (B, L) in nats, where it has a closed form; else None."""
        return None


class StandardNormal(Prior):
    """N(0, I).

    >>> StandardNormal(3)().log_prob(torch.zeros(3)).exp()
    tensor(0.0635)
    """

    zero: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.register_buffer("zero", torch.zeros(latent_dim), persistent=False)

    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> DiagonalNormal:
        """N(0, I) over (L,)."""
        return DiagonalNormal(self.zero, self.zero)

    def kl_units(self, posterior: Distribution) -> Tensor | None:
        """Closed form for a diagonal normal posterior (Kingma and Welling 2013, appendix B)."""
        return posterior.kl_units() if isinstance(posterior, DiagonalNormal) else None
