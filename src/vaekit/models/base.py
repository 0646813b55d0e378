"""What a latent-variable model is: a joint p(x, z), a recognition model q(z|x), and the record objectives read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.distributions import DiagonalNormal
from vaekit.priors import Prior

Noise = Callable[[int, int, int], Tensor]

LOG_SIGMA_RANGE = (-10.0, 5.0)


def single(x: Tensor) -> Tensor:
    """At least float32: where networks run in bfloat16, densities do not."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def diagonal_normal(params: Tensor, *, bounded: bool) -> DiagonalNormal:
    """A normal from what a network gives.

    Args:
        params: (..., 2L): means, then log standard deviations.
        bounded: whether to keep sigma within exp(-10) and exp(5), as is done outside training, whatever the row; in
            training a wild sigma shows in the objective.
    """
    mu, log_sigma = single(params).chunk(2, -1)
    return DiagonalNormal(mu, log_sigma.clamp(*LOG_SIGMA_RANGE) if bounded else log_sigma)


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of the bound for a batch, in nats. K samples, B examples, L latent units.

    Of a single sample asked for as such, without a dimension of its own, (K, B) reads (B,) throughout.

    Attributes:
        likelihood: p(x|z), of batch shape (K, B).
        x: the batch, as the likelihood takes it.
        z: (K, B, L) samples of q(z|x).
        posterior: q(z|x) of the batch; of a hierarchy the factors q(z_i | z_<i, x) along each sample, (K, B).
        prior: the module that gives p(z).
        encoder: the model's posterior as a function, which some priors need.
        noise: (K, B, L) standard normal numbers that z was made from, where they were given.
    """

    likelihood: Distribution
    x: Any
    z: Tensor
    posterior: Distribution
    prior: Prior
    encoder: Callable[[Any], Distribution]
    noise: Tensor | None = None

    @cached_property
    def log_px(self) -> Tensor:
        """(K, B) log p(x|z)."""
        return self.likelihood.log_prob(self.x)

    @cached_property
    def log_pz(self) -> Tensor:
        """(K, B) log p(z)."""
        p = self.prior(self.encoder)
        with torch.autocast(self.z.device.type, enabled=False):  # networks may run in bfloat16, densities do not
            return p.log_prob(self.z)

    @cached_property
    def log_qz(self) -> Tensor:
        """(K, B) log q(z|x)."""
        if self.noise is not None and isinstance(self.posterior, DiagonalNormal):
            return self.posterior.noise_log_prob(self.noise)
        return self.posterior.log_prob(self.z)

    @cached_property
    def kl(self) -> Tensor | None:
        """(B, L) KL(q(z|x) || p(z)) per unit where it has a closed form, else None.

        Of a posterior that depends on the path of a sample, (K, B), the mean over the samples.
        """
        kl = self.prior.kl_units(self.posterior)
        return kl.mean(0) if kl is not None and kl.ndim == 3 else kl


class LatentVariableModel(nn.Module, ABC):
    """A model p(x, z) = p(z) p(x|z) with its recognition model q(z|x).

    A subclass gives `posterior` and `decode`; the rest follows.

    Attributes:
        latent_dim: L.
        prior: p(z).
    """

    latent_dim: int
    prior: Prior

    @abstractmethod
    def posterior(self, x: Any) -> Distribution:
        r"""q(z|x) for x of shape (B, \*shape), with batch shape (B,) and event shape (L,)."""

    @abstractmethod
    def decode(self, z: Tensor) -> Distribution:
        r"""p(x|z) for z of shape (..., L), with batch shape (...) and the event of a row's shape."""

    def target(self, x: Any) -> Any:
        """What of a batch p(x|z) is a distribution of: all of it, unless a model is given more."""
        return x

    @torch.no_grad()
    def dream(self, n: int) -> tuple[Any, Tensor]:
        r"""n draws (x, z) of p(x, z): rows (n, \*shape) and their codes (n, L), by torch's generator."""
        z = self.prior(self.posterior).sample(torch.Size((n,)))
        return self.decode(z).sample(), z

    def terms(
        self,
        x: Any,
        num_samples: int | None = 1,
        *,
        noise: Noise | None = None,
        posterior: Distribution | None = None,
    ) -> Terms:
        r"""The terms of the bound.

        Args:
            x: (B, \*shape).
            num_samples: K; None for one sample without a dimension of its own, the quickest for `elbo`, which takes it
                as `importance_weighted` does; other objectives want K.
            noise: gives the (K, B, L) standard normal numbers behind the samples; torch's generator by default. With
                it the posterior's `rsample` must take an argument `noise`, as that of `DiagonalNormal` does.
            posterior: q(z|x) where it is known already.
        """
        q = self.posterior(x) if posterior is None else posterior
        lead = torch.Size(() if num_samples is None else (num_samples,))
        if noise is None:
            eps = None
            z = q.rsample(lead)
        else:
            eps = noise(lead.numel(), *q.batch_shape, *q.event_shape)
            eps = eps[0] if num_samples is None else eps
            z = q.rsample(lead, noise=eps)  # type: ignore[call-arg]
        return Terms(self.decode(z), self.target(x), z, q, self.prior, self.posterior, eps)
