"""Classifiers on a latent code: an encoder with a head, and heads fitted to the codes of labelled rows."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import kneighbors_graph
from torch import Tensor, nn
from torch.distributions import Categorical

_RIDGE = 1e-3  # added to the kernel's diagonal, so that float32 holds the weights
_MOST_CENTRES = 1000
_NEIGHBOURS, _SPREAD, _ROUNDS = 10, 0.99, 100  # of `spread_labels`


class Classifier(nn.Module):
    r"""p(y|x): an encoder, and a head from its codes to one number for each class.

    Args:
        encoder: module from raw x, (B, \*shape), to codes (B, L).
        head: module from codes to logits (B, C): an `nn.Linear` or a `RadialHead`.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def label_posterior(self, x: Tensor) -> Categorical:
        """p(y|x), of batch shape (B,)."""
        return Categorical(logits=self.head(self.encoder(x)).float(), validate_args=False)


class RadialHead(nn.Module):
    r"""Logits by the distances to given codes, as those of a kernel machine.

    .. math:: a_c(z) = b_c + \sum_m w_{cm}\, e^{-\gamma |z - z_m|^2}

    Args:
        latent_dim: L.
        centres: number M of codes z_m.
        classes: C.
    """

    centres: Tensor
    gamma: Tensor

    def __init__(self, latent_dim: int, centres: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(centres, latent_dim))
        self.register_buffer("gamma", torch.tensor(1.0))
        self.output = nn.Linear(centres, classes)

    def forward(self, z: Tensor) -> Tensor:
        """(B, L) to (B, C)."""
        far = torch.cdist(z, self.centres, compute_mode="donot_use_mm_for_euclid_dist").square()
        return self.output(torch.exp(-self.gamma * far))


def fit_linear_head(z: np.ndarray, y: np.ndarray, C: float) -> nn.Linear:
    """Multinomial logistic regression on codes.

    Args:
        z: (n, L) codes; one scale for all units, so that those that say little stay small.
        y: (n,) numbers of the classes, all of which occur.
        C: inverse strength of the L2 penalty on weights of codes of unit spread, as in scikit-learn.
    """
    loc, scale = z.mean(0), _spread(z)
    weight, bias = _regress((z - loc) / scale, y, C)
    return _linear(weight / scale, bias - weight @ loc / scale)


def fit_radial_head(z: np.ndarray, y: np.ndarray, C: float, seed: int) -> RadialHead:
    r"""Kernel logistic regression on codes, with a Gaussian kernel.

    The penalty is on the norm of the logits in the kernel's space, as in a support vector machine:
    with K the kernel between the centres, logistic regression on k(z) (K + ridge)^(-1/2).

    Args:
        z, y, C: as of `fit_linear_head`; the codes are the centres, or 1,000 of them drawn by the seed.
        seed: of that draw.
    """
    n, latent_dim = z.shape
    chosen = np.arange(n)
    if n > _MOST_CENTRES:
        chosen = np.sort(np.random.default_rng(seed).choice(n, _MOST_CENTRES, replace=False))
    gamma = 1 / (latent_dim * _spread(z) ** 2)
    kernel = np.exp(-gamma * _squared_distances(z, z[chosen]))
    values, vectors = np.linalg.eigh(kernel[chosen])
    root = (vectors / np.sqrt(values.clip(min=0) + _RIDGE)) @ vectors.T
    weight, bias = _regress(kernel @ root, y, C)
    head = RadialHead(latent_dim, len(chosen), len(bias))
    head.centres = torch.from_numpy(z[chosen]).float()
    head.gamma.fill_(gamma)
    head.output = _linear(weight @ root, bias)
    return head


def spread_labels(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Labels for all codes, from those of a few, over a graph of nearest neighbours (Zhou et al. 2004, section 2).

    .. math:: F \leftarrow \alpha S F + (1 - \alpha) Y, \qquad S = D^{-1/2} A D^{-1/2}

    with A the graph in which one of two is among the ten nearest of the other. Each class is then scaled to the share
    that it has among the labels (class mass normalisation, Zhu et al. 2003, section 4).

    Args:
        z: (n, L) codes.
        y: (n,) numbers of the classes; -1 where there is no label.

    Returns:
        (n,) numbers of the classes; those given stay, and -1 stays where no path leads to a label.
    """
    graph = kneighbors_graph(z, min(_NEIGHBOURS, len(z) - 1))
    graph = graph.maximum(graph.T)
    root = scipy.sparse.diags_array(1 / np.sqrt(np.asarray(graph.sum(1)).ravel()))
    step = root @ graph @ root
    given = np.eye(y.max() + 1)[y] * (y >= 0)[:, None]
    spread = given
    for _ in range(_ROUNDS):
        spread = _SPREAD * (step @ spread) + (1 - _SPREAD) * given
    spread *= given.sum(0) / spread.sum(0)
    return np.where(y >= 0, y, np.where(spread.sum(1) > 0, spread.argmax(1), -1))


def _spread(z: np.ndarray) -> float:
    return float(np.sqrt(z.var(0).mean())) or 1.0


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).square().numpy()


def _regress(features: np.ndarray, y: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (classes, F) and biases of the logits."""
    regression = LogisticRegression(C=C, max_iter=2000).fit(features, y)
    weight, bias = regression.coef_, regression.intercept_
    if len(bias) == 1:  # of two classes scikit-learn gives the logit of the second
        weight, bias = np.vstack([0 * weight, weight]), np.array([0.0, bias[0]])
    return weight, bias


def _linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight))
        linear.bias.copy_(torch.from_numpy(bias))
    return linear
