"""Priors p(z) over the latent code."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, MultivariateNormal

from vaekit.distributions import DiagonalMixture, DiagonalNormal
from vaekit.errors import MissingDependencyError

_NONE = torch.Size()


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


class GaussianMixture(Prior):
    """A mixture of normal distributions with diagonal covariances, all learned.

    Args:
        latent_dim: L.
        components: C.

    >>> GaussianMixture(3, 10)().sample((5,)).shape
    torch.Size([5, 3])
    """

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.logits = nn.Parameter(torch.zeros(components))
        self.mu = nn.Parameter(torch.randn(components, latent_dim))
        self.log_sigma = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> DiagonalMixture:
        """p(z) = sum_c w_c N(mu_c, diag(sigma_c^2))."""
        return DiagonalMixture(self.logits, self.mu, self.log_sigma)


class VampPrior(Prior):
    r"""A mixture of the posteriors of learned pseudo-inputs (Tomczak and Welling 2018, eq. 9).

    .. math:: p(z) = \sum_c w_c\, q(z \mid u_c)

    with the weights learned too. Training moves the pseudo-inputs, in units of `spread`; they start at rows of the
    data.

    Args:
        latent_dim: L.
        pseudo_inputs: (C, \*shape) rows as the encoder takes them.
        spread: (\*shape) size of the values; 1 by default.

    >>> prior = VampPrior(2, torch.zeros(4, 6))
    >>> prior(lambda u: DiagonalNormal(u[:, :2], u[:, 2:4])).sample().shape
    torch.Size([2])
    """

    spread: Tensor

    def __init__(self, latent_dim: int, pseudo_inputs: Tensor, spread: Tensor | None = None) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.logits = nn.Parameter(torch.zeros(len(pseudo_inputs)))
        self.register_buffer("spread", torch.ones(pseudo_inputs.shape[1:]) if spread is None else spread)
        self.scaled_inputs = nn.Parameter(pseudo_inputs.float() / self.spread)

    @property
    def pseudo_inputs(self) -> Tensor:
        """(C, \\*shape) as the encoder takes them."""
        return self.spread * self.scaled_inputs

    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> DiagonalMixture:
        """The mixture of the posteriors that `encoder` gives for the pseudo-inputs, diagonal normal ones."""
        if encoder is None:
            raise TypeError("A VampPrior is made of posteriors: call it with the model's encoder.")
        q = encoder(self.pseudo_inputs)
        if not isinstance(q, DiagonalNormal):
            raise TypeError("A VampPrior needs diagonal normal posteriors.")
        return DiagonalMixture(self.logits, q.mu, q.log_sigma)


class FlowPrior(Prior):
    """A normalising flow on a standard normal: rational-quadratic splines by zuko (extra `flows`).

    Durkan et al. (2019), Neural spline flows; the transformations are autoregressive over the units, so a density takes
    one pass and a sample L of them.

    Args:
        latent_dim: L.
        transforms: number of transformations.
        hidden: widths of the networks in them.
    """

    def __init__(self, latent_dim: int, transforms: int = 2, hidden: Sequence[int] = (128, 128)) -> None:
        super().__init__()
        try:
            import zuko
        except ImportError as error:
            raise MissingDependencyError(
                "prior='flow' needs zuko: pip install zuko (it comes with the extra 'flows')."
            ) from error
        self.latent_dim = latent_dim
        self.flow = zuko.flows.NSF(latent_dim, transforms=transforms, hidden_features=tuple(hidden))
        self._made, self._density = _made, _density

    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> Distribution:
        """p(z) by the change of variables."""
        return self._made(self.latent_dim, self.flow, self._density)

    @contextlib.contextmanager
    def uncompiled(self) -> Iterator[None]:
        """Have torch.compile leave the densities of this flow alone within a block.

        Inductor of PyTorch 2.13 gives wrong gradients of the splines on a CPU, as far off as they are long.
        """
        disable: Any = torch.compiler.disable
        self._made, self._density = disable(_made), disable(_density)
        try:
            yield
        finally:
            self._made, self._density = _made, _density


def _made(latent_dim: int, flow: nn.Module, density: Callable[[nn.Module, Tensor], Tensor]) -> Distribution:
    return _Flow(latent_dim, flow, density)


def _density(flow: nn.Module, value: Tensor) -> Tensor:
    return flow().log_prob(value)


class _Flow(Distribution):
    """A flow's distribution; `density` gives its log-density of values."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, latent_dim: int, flow: nn.Module, density: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__(event_shape=torch.Size((latent_dim,)), validate_args=False)
        self._flow, self._density = flow, density

    def log_prob(self, value: Tensor) -> Tensor:
        return self._density(self._flow, value)

    def rsample(self, sample_shape: torch.Size = _NONE) -> Tensor:
        return self._flow().rsample(sample_shape)


class FittedMixture(Prior):
    """A mixture of normal distributions with full covariances, fitted to the codes of a trained model (ex post).

    Ghosh et al. (2020), From variational to deterministic autoencoders, section 4.

    Args:
        weights: (C,).
        means: (C, L).
        factors: (C, L, L) lower triangular factors of the covariances.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, weights: Tensor, means: Tensor, factors: Tensor) -> None:
        super().__init__()
        self.latent_dim = means.shape[1]
        for name, value in (("weights", weights), ("means", means), ("factors", factors)):
            self.register_buffer(name, value)

    @classmethod
    def fit(cls, codes: Any, components: int = 10, seed: int = 0) -> FittedMixture:
        """By the EM algorithm of scikit-learn.

        Args:
            codes: (n, L) numpy array.
            components: C, at most n.
            seed: of its start.
        """
        import numpy as np
        from sklearn.mixture import GaussianMixture as EM

        em = EM(min(components, len(codes)), random_state=seed, reg_covar=1e-6).fit(codes)
        factors = np.linalg.cholesky(np.asarray(em.covariances_))
        return cls(*(torch.from_numpy(part).float() for part in (em.weights_, em.means_, factors)))

    def forward(self, encoder: Callable[[Tensor], Distribution] | None = None) -> Distribution:
        """p(z) = sum_c w_c N(mu_c, Sigma_c)."""
        parts = MultivariateNormal(self.means, scale_tril=self.factors, validate_args=False)
        return MixtureSameFamily(Categorical(self.weights, validate_args=False), parts, validate_args=False)


PRIORS = ("normal", "mixture", "vamp", "flow")
