"""The label as a latent variable, M2 of Kingma et al. (2014), Semi-supervised learning with deep generative models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import Likelihood
from vaekit.models.base import diagonal_normal, single
from vaekit.models.building import input_scaling
from vaekit.nn import MLP
from vaekit.schema import ColumnStats


class LabelledMLP(nn.Module):
    """An MLP of a vector and a label, whose first layer is W x + V y, so that all labels of a row share W x.

    Args:
        in_features: D.
        classes: C.
        hidden, out_features, activation: as of `vaekit.nn.MLP`.
    """

    def __init__(
        self, in_features: int, classes: int, hidden: Sequence[int], out_features: int, activation: str
    ) -> None:
        super().__init__()
        self.mlp = MLP(in_features, hidden, out_features, activation)
        self.label = nn.Linear(classes, self.mlp.layers[0].out_features, bias=False)  # type: ignore[arg-type]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., D) and (..., C) indicators, which broadcast, to (..., F)."""
        first, *rest = self.mlp.layers
        h = first(x) + self.label(y)
        for layer in rest:
            h = layer(self.mlp.activation(h))
        return h


@dataclass(frozen=True, eq=False)
class LabelTerms:
    """The terms of the bound of a batch for S labels of each row, in nats. K samples, C classes, B rows, L units.

    Attributes:
        log_px: (K, S, B) log p(x|y,z), z from q(z|x,y).
        kl: (S, B, L) KL(q(z|x,y) || p(z)) per unit.
        log_py: (C,) log p(y).
        log_qy: (B, C) log q(y|x).
        labels: (S, B) numbers of the labels; None: all C, in their order.
    """

    log_px: Tensor
    kl: Tensor
    log_py: Tensor
    log_qy: Tensor
    labels: Tensor | None = None


class SemiSupervisedVAE(nn.Module):
    r"""M2 of Kingma et al. (2014): the label is a latent variable beside z, seen in some rows.

    .. math:: p(x, y, z) = p(y)\,N(z; 0, I)\,p(x|y,z), \qquad q(y, z|x) = q(y|x)\,N(z; \mu(x,y), \sigma^2(x,y))

    Args:
        likelihood: reads the decoder's raw parameters as p(x|y,z).
        classes: number C of labels.
        latent_dim: L.
        hidden: widths of the hidden layers of all three networks; the decoder has them in reverse.
        activation: of all three.
        stats: of the data, for the scaling and the start of the decoder.

    >>> from vaekit.likelihoods import Bernoulli
    >>> stats = ColumnStats.placeholder((6,))
    >>> model = SemiSupervisedVAE(Bernoulli((6,)), classes=3, latent_dim=2, hidden=(8,), activation="tanh", stats=stats)
    >>> terms = model.terms(torch.ones(4, 6), num_samples=5)
    >>> terms.log_px.shape, terms.kl.shape, terms.log_qy.shape
    (torch.Size([5, 3, 4]), torch.Size([3, 4, 2]), torch.Size([4, 3]))
    >>> model.terms(torch.ones(4, 6), given=torch.tensor([0, 1, 2, -1])).labels[0, :3]
    tensor([0, 1, 2])
    """

    log_py: Tensor

    def __init__(
        self,
        likelihood: Likelihood,
        classes: int,
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        stats: ColumnStats,
    ) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.scaling = input_scaling(likelihood, stats)
        size = self.scaling(torch.zeros(1, *likelihood.shape)).numel()
        out = likelihood.num_params * stats.mean.numel()
        self.classifier = MLP(size, hidden, classes, activation)
        self.encoder = LabelledMLP(size, classes, hidden, 2 * latent_dim, activation)
        self.decoder = LabelledMLP(latent_dim, classes, tuple(reversed(hidden)), out, activation)
        with torch.no_grad():
            self.decoder.mlp.output.bias.copy_(likelihood.marginal(stats).reshape(-1))
        self.register_buffer("log_py", torch.full((classes,), 1 / classes).log())

    def label_posterior(self, x: Tensor) -> Categorical:
        """q(y|x), of batch shape (B,)."""
        return Categorical(logits=self.classifier(self.scaling(x)).float(), validate_args=False)

    def posterior(self, x: Tensor, y: Tensor) -> DiagonalNormal:
        r"""q(z|x,y) for x of shape (B, \*shape) and indicators y (..., C) that broadcast with (B, C)."""
        return diagonal_normal(self.encoder(self.scaling(x).flatten(1), y), bounded=not self.training)

    def decode(self, z: Tensor, y: Tensor) -> torch.distributions.Distribution:
        """p(x|y,z) for z (..., L) and indicators y (..., C) that broadcast."""
        params = single(self.decoder(z, y))
        return self.likelihood(params.reshape(*params.shape[:-1], *self.likelihood.param_shape))

    def terms(self, x: Tensor, num_samples: int = 1, *, given: Tensor | None = None) -> LabelTerms:
        r"""The terms of the bound of rows x, (B, \*shape), under every label, or under two of each row.

        Two with `given`, (B,) numbers of the labels, -1 where there is none: the one given or, if there is none, the
        likeliest by q(y|x), and one drawn from q(y|x) without it.
        """
        log_qy = self.label_posterior(x).logits
        every = torch.eye(len(self.log_py), device=x.device)
        labels = None if given is None else _two_labels(log_qy.detach(), given)
        y = every.unsqueeze(1) if labels is None else every[labels]  # (C, 1, C) or (2, B, C)
        q = self.posterior(x, y)
        z = q.rsample(torch.Size((num_samples,)))
        return LabelTerms(self.decode(z, y).log_prob(x), q.kl_units(), self.log_py, log_qy, labels)


def _two_labels(log_q: Tensor, given: Tensor) -> Tensor:
    """(2, B): the label given or the likeliest, and one of the others, drawn.

    Drawn Gumbel's way, as `torch.multinomial` stops at NaN, which training is to find and name.
    """
    first = torch.where(given < 0, log_q.argmax(1), given)
    noise = -torch.empty_like(log_q).exponential_().log()
    second = (log_q + noise).scatter(1, first.unsqueeze(1), -torch.inf).argmax(1)
    return torch.stack([first, second])
