r"""How good samples are: distances between real and generated rows in the features of a classifier.

The classifier is a small convolutional network that `train_features` trains on the labelled rows of the data set
itself; nothing is downloaded. Its features know what tells the classes apart, and its distances compare models of one
data set with each other, by one and the same classifier; they are not those of papers, which use a network trained on
ImageNet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from vaekit.data.labelled import LabelledRows
from vaekit.data.rows import Rows
from vaekit.errors import DataError, check_number, check_seed
from vaekit.nn import ConvEncoder
from vaekit.randomness import isolated_rng
from vaekit.training.loop import TrainingSettings, train


class FeatureNetwork(nn.Module):
    r"""A classifier of images; its last hidden layer gives the features.

    Args:
        shape: of an image.
        classes: number of labels.
        top: the value that stands for white.
        features: F.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, top: float, features: int = 64) -> None:
        super().__init__()
        self.shape, self.top = shape, top
        self.body = ConvEncoder(shape, (32, 64), features)
        self.head = nn.Linear(features, classes)

    def features(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) in the data's units to (B, F)."""
        return F.silu(self.body(x.float() / self.top))

    def forward(self, x: Tensor) -> Tensor:
        r"""(B, \*shape) to logits (B, classes)."""
        return self.head(self.features(x))


def train_features(X: Any, y: Any, *, epochs: int = 3, seed: int = 0) -> FeatureNetwork:
    """Train a classifier whose features are to measure samples.

    Args:
        X: (n, H, W) or (n, C, H, W) images.
        y: (n,) labels, of at least two classes.
        epochs: passes over the data.
        seed: of the weights and the order of the rows.

    Raises:
        DataError: the rows are no images, or the labels too few or missing.
        OptionError: no epochs, or `seed` is no seed.
    """
    check_number("epochs", epochs, low=1, integer=True)
    check_seed(seed)
    rows, given = Rows(np.asarray(X)), np.asarray(y)
    if missing := int((given != given).sum()):
        raise DataError(f"{missing:,} of the labels are missing: leave their images out.")
    labels = np.unique(given, return_inverse=True)
    if len(rows.shape) not in (2, 3) or len(labels[1]) != len(rows) or len(labels[0]) < 2:
        raise DataError("Features need images (n, H, W) or (n, C, H, W) and a label for each, of at least two classes.")
    with isolated_rng(seed):
        network = FeatureNetwork(rows.shape, len(labels[0]), float(rows.stats().high.max()) or 1.0)
    settings = TrainingSettings(epochs=epochs, learning_rate=1e-3, schedule="cosine")

    def value(batch: Any, factor: float) -> Tensor:
        x, target, *_ = batch
        return -F.cross_entropy(network(x), target, reduction="none")

    train(network, LabelledRows(rows, torch.from_numpy(labels[1])), value, settings, seed=seed)
    return network


@torch.no_grad()
def features_of(network: FeatureNetwork, X: Any) -> np.ndarray:
    """(n, F) features of rows, float64.

    Raises:
        DataError: the rows are not of the shape that the network was trained on, or there are none.
    """
    rows = Rows(np.asarray(X))
    if rows.shape != network.shape or not len(rows):
        raise DataError(f"The network takes images of shape {network.shape}, not an array of shape {np.shape(X)}.")
    return torch.cat([network.features(rows.raw(part)) for part in rows.chunks(512)]).double().numpy()


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Squared Fréchet distance of two normal distributions with the moments of a and b (Heusel et al. 2017, FID).

    .. math:: |\mu_a - \mu_b|^2 + \mathrm{tr}(\Sigma_a + \Sigma_b - 2 (\Sigma_a \Sigma_b)^{1/2})

    It shrinks with the number of rows, so compare equal numbers.

    Args:
        a, b: (n, F) and (m, F) features.

    >>> rng = np.random.default_rng(0)
    >>> round(frechet_distance(rng.normal(size=(4000, 2)), rng.normal(3, 1, size=(4000, 2))))
    18
    """
    a, b = _checked(a, b, 2)
    first, second = (np.atleast_2d(np.cov(part.T)) for part in (a, b))
    values, vectors = np.linalg.eigh(first)
    half = vectors * np.sqrt(values.clip(0)) @ vectors.T
    root = np.sqrt(np.linalg.eigvalsh(half @ second @ half).clip(0)).sum()  # tr (AB)^(1/2), of symmetric matrices alone
    gap = a.mean(0) - b.mean(0)
    return max(0.0, float(gap @ gap + np.trace(first + second) - 2 * root))


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy under the kernel (x . y / F + 1)^3 (Bińkowski et al. 2018, KID).

    Args:
        a, b: (n, F) and (m, F) features.
    """
    a, b = _checked(a, b, 2)
    n, m = len(a), len(b)
    aa, bb = polynomial_kernel(a), polynomial_kernel(b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * polynomial_kernel(a, b).mean())


def precision_recall(real: np.ndarray, sampled: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Precision and recall of samples (Kynkäänniemi et al. 2019): shares that lie within the other set's reach.

    A set's reach is the union of balls about its points, each as large as the distance to its k-th neighbour.

    Args:
        real, sampled: (n, F) and (m, F) features.
        neighbours: k.

    Returns:
        The share of samples within reach of the real rows, and that of real rows within reach of the samples.

    Raises:
        DataError: fewer than k + 1 rows, or not as many columns.
        OptionError: k is below 1.
    """
    check_number("neighbours", neighbours, low=1, integer=True)
    real, sampled = _checked(real, sampled, neighbours + 1)
    centre = real.mean(0)  # distances of rows far from 0 lose digits
    real, sampled = real - centre, sampled - centre
    return _within(sampled, real, neighbours), _within(real, sampled, neighbours)


def _checked(a: Any, b: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Features as float64."""
    a, b = (np.asarray(part, dtype=np.float64) for part in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        raise DataError(
            f"Features must be two matrices with as many columns and at least {least} rows, not of shapes {a.shape} "
            f"and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("Features hold NaN or infinity: the rows that they are of do, or the network failed.")
    return a, b


def _within(points: np.ndarray, others: np.ndarray, k: int) -> float:
    radii = NearestNeighbors(n_neighbors=k + 1).fit(others).kneighbors(others)[0][:, -1]
    inside = np.zeros(len(points), dtype=bool)
    for start in range(0, len(points), 1024):
        part = points[start : start + 1024]
        norms = (part**2).sum(1)[:, None] + (others**2).sum(1)
        reach = radii**2 * (1 + 1e-9) + 1e-12 * norms  # copies are 0 apart but for rounding
        inside[start : start + 1024] = (norms - 2 * part @ others.T <= reach).any(1)
    return float(inside.mean())


def sample_quality(real: np.ndarray, sampled: np.ndarray) -> dict[str, float]:
    """All scores of samples against real rows, by their features."""
    precision, recall = precision_recall(real, sampled)
    return {
        "frechet": frechet_distance(real, sampled),
        "kernel": kernel_distance(real, sampled),
        "precision": precision,
        "recall": recall,
    }
