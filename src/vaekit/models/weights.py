"""A distribution over the weights of a network: variational Bayes for the parameters too."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.errors import Faults


class VariationalWeights(nn.Module):
    r"""A network whose weights are random: q(w) = N(mu, diag(sigma^2)), p(w) = N(0, prior_sigma^2 I).

    In training every call draws the weights anew, w = mu + sigma * eps, once for the whole batch; in evaluation they
    are their means. With the decoder of a VAE made so, the bound on log p(X) of all n rows is (Kingma and Welling 2013,
    appendix F, eqs. 17 to 19, with the weights' KL in closed form)

    .. math:: \sum_i \mathcal L(w, \phi; x_i) - \mathrm{KL}(q(w)\,\|\,p(w)), \qquad w \sim q(w)

    `vaekit.objectives.over_weights` takes the KL off a batch's values; an estimator of bounds that is given such a
    network as `decoder=` does so by itself.

    Args:
        network: its parameters are the means, where they start.
        sigma: standard deviation of q(w) at the start.
        prior_sigma: standard deviation of p(w).

    Raises:
        OptionError: a standard deviation is not above 0.

    >>> layer = VariationalWeights(nn.Linear(3, 2), sigma=0.5)
    >>> x = torch.ones(4, 3)
    >>> bool((layer(x) == layer(x)).all()), bool((layer.eval()(x) == layer(x)).all())
    (False, True)
    """

    def __init__(self, network: nn.Module, sigma: float = 0.01, prior_sigma: float = 1.0) -> None:
        super().__init__()
        faults = Faults()
        for name, value in (("sigma", sigma), ("prior_sigma", prior_sigma)):
            faults.number(name, value, low=0, open_low=True)
        faults.raise_if_any()
        self.network = network
        self.prior_sigma = prior_sigma
        self.log_sigma = nn.ParameterList(torch.full_like(p, math.log(sigma)) for p in network.parameters())

    def sample(self) -> dict[str, Tensor]:
        """A reparameterised draw of the weights, by name."""
        return {
            name: mu + log_sigma.exp() * torch.randn_like(mu)
            for (name, mu), log_sigma in zip(self.network.named_parameters(), self.log_sigma, strict=True)
        }

    def forward(self, *inputs: Any) -> Any:
        """What the network gives, with drawn weights in training and their means otherwise."""
        if not self.training:
            return self.network(*inputs)
        return torch.func.functional_call(self.network, self.sample(), inputs)

    def kl(self) -> Tensor:
        """KL(q(w) || p(w)) in nats, summed over the weights (appendix B, for any standard deviation of the prior)."""
        shift = math.log(self.prior_sigma)
        parts = [
            0.5 * (mu.square() + (2 * log_sigma).exp()) / self.prior_sigma**2 - 0.5 - log_sigma + shift
            for mu, log_sigma in zip(self.network.parameters(), self.log_sigma, strict=True)
        ]
        return torch.stack([part.sum() for part in parts]).sum()
