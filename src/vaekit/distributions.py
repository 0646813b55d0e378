"""Distributions that torch.distributions lacks, or has in a form that is too slow or not exact enough here."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, constraints

_LOG_2PI = math.log(2 * math.pi)
_TOGETHER = 2**19  # values computed at once, where those at all nodes would fill the memory


def summed(each: Callable[..., Tensor], like: Tensor, *nodes: Tensor) -> Tensor:
    """The sum of a function over nodes, (..., N), in memory of as many nodes at a time as are small.

    Args:
        each: from some of the nodes to values there, (..., S, N).
        like: of as many values as there are at a node.
        nodes: (S, N) or (S, 1) each, the arguments of `each`.

    >>> summed(lambda node: node.square(), torch.zeros(1), torch.tensor([[1.0], [3.0]]))
    tensor([10.])
    """
    some = _TOGETHER // max(1, like.numel())
    some = some if some >= 8 else 1  # a sum over a few is slower than one at a time
    parts = zip(*(part.split(some) for part in nodes), strict=True)
    return functools.reduce(torch.add, (each(*part).sum(-2) for part in parts))


class DiagonalNormal(Distribution):
    r"""Normal vector with independent units, by mean and log standard deviation.

    .. math:: \log q(z) = -\tfrac12 \sum_l \left[(z_l-\mu_l)^2 / \sigma_l^2 + 2\log\sigma_l + \log 2\pi\right]

    Args:
        mu: (..., L) means.
        log_sigma: (..., L) logarithms of the standard deviations.

    >>> q = DiagonalNormal(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.kl_units()
    tensor([[0., 0.],
            [0., 0.],
            [0., 0.]])
    """

    arg_constraints = {"mu": constraints.real_vector, "log_sigma": constraints.real_vector}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.real_vector  # pyright: ignore[reportAssignmentType]
    has_rsample = True

    def __init__(self, mu: Tensor, log_sigma: Tensor) -> None:
        self.mu = mu
        self.log_sigma = log_sigma
        super().__init__(mu.shape[:-1], mu.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """(..., L) means."""
        return self.mu

    @property
    def stddev(self) -> Tensor:
        """(..., L) standard deviations."""
        return self.log_sigma.exp()

    @property
    def variance(self) -> Tensor:
        """(..., L) variances."""
        return (2 * self.log_sigma).exp()

    def rsample(self, sample_shape: Any = (), noise: Tensor | None = None) -> Tensor:
        """Reparameterised samples mu + sigma * noise; `noise` is standard normal, drawn unless given."""
        shape = self._extended_shape(torch.Size(sample_shape))
        if noise is None:
            noise = torch.randn(shape, dtype=self.mu.dtype, device=self.mu.device)
        return torch.addcmul(self.mu, noise, self.stddev)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, summed over the L units."""
        standard = (value - self.mu) * (-self.log_sigma).exp()
        return -0.5 * (standard.square().sum(-1) + value.shape[-1] * _LOG_2PI) - self.log_sigma.sum(-1)

    def noise_log_prob(self, noise: Tensor) -> Tensor:
        """Log-density at mu + sigma * noise; exact also where mu is so large that the sum rounds the noise away."""
        return -0.5 * (noise.square().sum(-1) + noise.shape[-1] * _LOG_2PI) - self.log_sigma.sum(-1)

    def detach(self) -> DiagonalNormal:
        """The same distribution, whose parameters pass no gradient on."""
        return DiagonalNormal(self.mu.detach(), self.log_sigma.detach())

    def entropy(self) -> Tensor:
        """Differential entropy in nats."""
        return self.log_sigma.sum(-1) + 0.5 * self.mu.shape[-1] * (1 + _LOG_2PI)

    def kl_units(self) -> Tensor:
        r"""KL divergence to the standard normal in nats, per unit: (mu^2 + sigma^2 - 1 - 2 log sigma) / 2.

        Kingma and Welling (2013), appendix B.
        """
        return 0.5 * (torch.expm1(2 * self.log_sigma) + self.mu * self.mu) - self.log_sigma


class DiagonalMixture(Distribution):
    r"""Mixture of C normal vectors with independent units.

    Squared distances are taken as matrix products, in float64 and from the mean of the means: where the means spread by
    s about it, what cancels leaves an error of about 1e-16 (s / sigma)^2 nats.

    Args:
        logits: (C,) of the weights.
        mu: (C, L) means.
        log_sigma: (C, L) logarithms of the standard deviations.

    >>> p = DiagonalMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1))
    >>> round(float(p.log_prob(torch.zeros(1)).exp()), 4)
    0.242
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.real_vector  # pyright: ignore[reportAssignmentType]

    def __init__(self, logits: Tensor, mu: Tensor, log_sigma: Tensor) -> None:
        self.logits, self.mu, self.log_sigma = logits, mu, log_sigma
        super().__init__(torch.Size(), mu.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """(L,) mean."""
        return torch.softmax(self.logits, 0) @ self.mu

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """(..., L) samples."""
        with torch.no_grad():
            shape = torch.Size(sample_shape)
            chosen = torch.multinomial(torch.softmax(self.logits, 0), max(1, shape.numel()), replacement=True)
            drawn = DiagonalNormal(self.mu[chosen], self.log_sigma[chosen]).rsample()
            return drawn[: shape.numel()].view(self._extended_shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats."""
        z, mu, log_sigma = (part.double() for part in (value.reshape(-1, value.shape[-1]), self.mu, self.log_sigma))
        centre = mu.detach().mean(0)
        z, mu = z - centre, mu - centre
        precision = (-2 * log_sigma).exp()
        distance = z.square() @ precision.T - 2 * (z @ (precision * mu).T) + (precision * mu.square()).sum(1)
        constant = torch.log_softmax(self.logits.double(), 0) - log_sigma.sum(1) - 0.5 * mu.shape[1] * _LOG_2PI
        return torch.logsumexp(constant - 0.5 * distance, -1).view(value.shape[:-1]).to(value.dtype)


class FactorisedBernoulli(Distribution):
    r"""Independent binary values, by logits.

    .. math:: \log p(x) = \sum_d x_d l_d - \log(1 + e^{l_d})

    Args:
        logits: (..., \*event) logits.
        event_dims: number of trailing dimensions that make up one event.

    >>> p = FactorisedBernoulli(torch.zeros(3, 4), 1)
    >>> bool(torch.allclose(p.log_prob(torch.ones(3, 4)), torch.full((3,), 4 * math.log(0.5))))
    True
    """

    arg_constraints = {"logits": constraints.real}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]
    support = constraints.boolean  # pyright: ignore[reportAssignmentType]

    def __init__(self, logits: Tensor, event_dims: int) -> None:
        self.logits = logits
        split = logits.ndim - event_dims
        super().__init__(logits.shape[:split], logits.shape[split:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Probabilities of a one."""
        return torch.sigmoid(self.logits)

    @property
    def variance(self) -> Tensor:
        """p (1 - p)."""
        return self.mean * torch.sigmoid(-self.logits)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Zeros and ones."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            return (torch.rand(shape, device=self.logits.device) < self.mean).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, summed over the event; `value` may lack leading sample dimensions."""
        first = -len(self._event_shape)
        logits, value = self.logits.flatten(first), value.flatten(first).to(self.logits.dtype)
        if value.shape != logits.shape:
            logits, value = torch.broadcast_tensors(logits, value)
        return F.binary_cross_entropy_with_logits(logits, value, reduction="none").sum(-1).neg()


class DiscretisedLogistic(Distribution):
    r"""Whole numbers 0 .. levels-1 from a logistic variable rounded to the nearest; the two ends take the tails.

    .. math:: P(x) = \sigma((x + \tfrac12 - \mu)/s) - \sigma((x - \tfrac12 - \mu)/s)

    with the first term 1 at the last level and the second 0 at the first, so that the probabilities sum to one
    (Kingma et al. 2016, Improved variational inference with inverse autoregressive flow, appendix).

    Args:
        mu: location, in levels.
        scale: s > 0, in levels.
        levels: number of levels.

    >>> p = DiscretisedLogistic(torch.tensor(2.5), torch.tensor(1.0), 8)
    >>> round(float(p.log_prob(torch.arange(8.0)).exp().sum()), 5)
    1.0
    """

    arg_constraints = {"mu": constraints.real, "scale": constraints.positive}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(self, mu: Tensor, scale: Tensor, levels: int) -> None:
        self.mu, self.scale, self.levels = mu, scale, levels
        super().__init__(torch.broadcast_shapes(mu.shape, scale.shape), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """E[x], the sum over thresholds k of P(x >= k); exact."""
        mu, scale = (part.expand(self.batch_shape)[..., None, None] for part in (self.mu, self.scale))
        thresholds = torch.arange(self.levels - 1, device=mu.device, dtype=mu.dtype)[:, None] + 0.5
        return summed(lambda k: torch.sigmoid((mu - k) / scale), mu, thresholds).squeeze(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Levels as floating-point numbers."""
        shape = self._extended_shape(torch.Size(sample_shape))
        with torch.no_grad():
            uniform = torch.rand(shape, device=self.mu.device).clamp(1e-7, 1 - 1e-7)
            return (self.mu + self.scale * torch.logit(uniform)).round().clamp(0, self.levels - 1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of each value in nats.

        For b < a, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), and a - b = 1/s everywhere but
        at the ends: no difference of nearly equal numbers is taken.
        """
        inverse = 1 / self.scale
        centred = (value - self.mu) * inverse
        below_upper = F.logsigmoid(centred + 0.5 * inverse)
        above_lower = F.logsigmoid(0.5 * inverse - centred)
        within = below_upper + above_lower + torch.log(-torch.expm1(-inverse))
        within = torch.where(value <= 0, below_upper, within)
        return torch.where(value >= self.levels - 1, above_lower, within)


class Factorised(Distribution):
    """Independent elements read as one event, some of which may count nothing.

    Args:
        base: distribution whose batch shape ends in the event.
        event_dims: number of trailing dimensions that make up one event.
        counted: booleans of the event's shape; where False (columns that never vary) an element adds 0 nats, whatever
            its value, and samples are its mean.
    """

    arg_constraints = {}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    def __init__(self, base: Distribution, event_dims: int, counted: Tensor | None = None) -> None:
        self.base, self.counted = base, counted
        split = len(base.batch_shape) - event_dims
        super().__init__(base.batch_shape[:split], base.batch_shape[split:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Mean of each element."""
        return self.base.mean

    @property
    def variance(self) -> Tensor:
        """Variance of each element."""
        variance = self.base.variance
        return variance if self.counted is None else torch.where(self.counted, variance, 0.0)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """One value for each element."""
        x = self.base.sample(torch.Size(sample_shape))
        return x if self.counted is None else torch.where(self.counted, x, self.base.mean)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, summed over the event."""
        each = self.base.log_prob(value)
        if self.counted is not None:
            each = torch.where(self.counted, each, 0.0)
        return each.flatten(each.ndim - len(self._event_shape)).sum(-1)
