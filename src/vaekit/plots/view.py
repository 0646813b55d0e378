"""What the pictures look at: a sample of the rows as plain numbers, their codes, and which units matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.utils import _safe_indexing  # one way to take rows of arrays, sparse matrices and data frames
from sklearn.utils.validation import _num_samples

from vaekit.data.rows import spaced
from vaekit.estimators import VAE, TabularVAE
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.density import DensityEstimator
from vaekit.estimators.inputs import read_array
from vaekit.estimators.latent import LatentEstimator
from vaekit.evaluation.likelihood import active_units
from vaekit.evaluation.representation import unit_scores
from vaekit.models.hierarchical import HierarchicalVAE

_ROWS, _VALUES = 1000, 2 * 10**7  # most rows that are looked at, and values
_FEW = 10  # with fewer test rows, the units are judged by the training rows
_PIXELS = 128  # larger pictures are thinned


@dataclass(frozen=True, eq=False)
class View:
    r"""A fitted estimator and the rows that its pictures show.

    Attributes:
        estimator: a fitted VAE, TabularVAE, Autoencoder or PixelCNN.
        train, test: up to 1000 evenly spaced rows each, (n, \*shape), float64, in the data's units; of a TabularVAE
            coded, with NaN for what is missing.
        index: which rows of X_test those are.
        codes, train_codes: (n, L) codes of them; of a VAE the posterior means; without columns where there are none.
        stddevs, train_stddevs: (n, L) posterior standard deviations, or None.
    """

    estimator: Any
    train: np.ndarray
    test: np.ndarray
    index: np.ndarray
    codes: np.ndarray
    stddevs: np.ndarray | None
    train_codes: np.ndarray
    train_stddevs: np.ndarray | None

    @classmethod
    def of(cls, estimator: RowEstimator, X_train: Any, X_test: Any) -> View:
        """Take the rows and encode them."""
        train, _, train_codes = _look(estimator, X_train)
        test, index, codes = _look(estimator, X_test)
        stddevs, train_stddevs = (codes[1], train_codes[1]) if len(codes) > 1 else (None, None)
        return cls(estimator, train, test, index, codes[0], stddevs, train_codes[0], train_stddevs)

    @property
    def draws(self) -> bool:
        """Whether rows can be drawn from the model."""
        return isinstance(self.estimator, (DensityEstimator, TabularVAE))

    @property
    def standard(self) -> bool:
        """Whether the code is N(0, I) a priori."""
        return isinstance(self.estimator, (VAE, TabularVAE)) and self.estimator.prior == "normal"

    @property
    def encodes(self) -> bool:
        """Whether rows have a code."""
        return isinstance(self.estimator, LatentEstimator)

    @property
    def paths(self) -> bool:
        """Whether codes of pictures can be joined by paths."""
        return self.draws and self.encodes and self.is_image and len(self.codes) > 1

    @property
    def layered(self) -> bool:
        """Whether the code has layers."""
        return self.is_image and isinstance(self.estimator.model_, HierarchicalVAE)

    @property
    def is_image(self) -> bool:
        """Whether a row is a picture."""
        return self.estimator.schema_.is_image

    @property
    def judged_by(self) -> str:
        """The rows that tell which units are active and by how much: "test", or "training" where those are few."""
        return "test" if len(self.codes) >= _FEW else "training"

    @property
    def judged_codes(self) -> np.ndarray:
        """(n, L) codes of those rows."""
        return self.codes if self.judged_by == "test" else self.train_codes

    @cached_property
    def importance(self) -> np.ndarray:
        r"""(L,) how much each unit matters.

        Of a VAE the mean over the rows of its KL to the prior, (mu^2 + sigma^2 - 1) / 2 - log sigma, in nats; of an
        autoencoder the variance of its code.
        """
        sigma = self.stddevs if self.judged_by == "test" else self.train_stddevs
        if sigma is None:
            return self.judged_codes.astype(np.float64).var(0)
        return unit_scores(self.judged_codes, sigma)["kl"]

    @cached_property
    def units(self) -> np.ndarray:
        """The active units, the one that matters most first; all units where none is active."""
        active = active_units(self.judged_codes)
        order = np.argsort(-self.importance, kind="stable")
        return order[active[order]] if active.any() else order

    @cached_property
    def columns(self) -> np.ndarray:
        """(n, D) the training rows, flat."""
        return self.train.reshape(len(self.train), -1)

    def name(self, column: int) -> str:
        """Name of a column."""
        names = self.estimator.schema_.columns
        return names[column] if names else f"column {column}"

    def choose(self, most: int) -> tuple[np.ndarray, str]:
        """Up to `most` columns to show, and how they were chosen, for a caption.

        Where all columns have one unit (whole numbers, sparse data) those that vary most; else evenly spaced ones
        among those that vary.
        """
        size = self.columns.shape[1]
        if size <= most:
            return np.arange(size), ""
        varying = np.flatnonzero(np.ptp(self.columns, axis=0) > 0)
        if len(varying) <= most:
            return (varying if len(varying) else np.arange(most)), f"; the {len(varying)} columns that vary"
        schema = self.estimator.schema_
        if schema.container == "sparse" or np.dtype(schema.dtype).kind in "iub":
            top = np.argsort(-self.columns[:, varying].std(0), kind="stable")[:most]
            return np.sort(varying[top]), f"; of {size:,} columns the {most} that vary most"
        spaced = np.linspace(0, len(varying) - 1, most).round().astype(int)
        return varying[spaced], f"; {most} of {size:,} columns, evenly spaced"

    def decode(self, z: np.ndarray) -> np.ndarray:
        r"""(n, \*shape) means of the data given codes, in the data's units."""
        return self.estimator._means(z)

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """Pictures (n, H, W) or (n, H, W, C), from 0 to 1 by the range of the training rows."""
        if len(self.estimator.schema_.shape) == 3:
            values = values[:, 0] if values.shape[1] == 1 else np.moveaxis(values, 1, -1)
        step = max(1, max(values.shape[1:3]) // _PIXELS)
        low, high = self.train.min(), self.train.max()
        return np.clip((values[:, ::step, ::step] - low) / ((high - low) or 1.0), 0, 1).astype(np.float32)

    def decode_pixels(self, z: np.ndarray) -> np.ndarray:
        """`pixels` of decoded codes, in the memory of a few large pictures at a time."""
        return np.concatenate([self.pixels(self.decode(part)) for part in np.array_split(z, -(-len(z) // 50))])


def _look(estimator: RowEstimator, X: Any) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    most = max(64, min(_ROWS, _VALUES // math.prod(estimator.schema_.shape)))
    index = spaced(_num_samples(X), most)
    part = _safe_indexing(X, index)
    if isinstance(estimator, TabularVAE):
        values: Any = estimator._read(part).raw(slice(None)).numpy()
    else:
        values = read_array(estimator, part, reset=False)[0]
    dense = values.toarray() if scipy.sparse.issparse(values) else values
    codes = list(estimator._codes(part)) if isinstance(estimator, LatentEstimator) else [np.empty((len(index), 0))]
    return dense.reshape(-1, *estimator.schema_.shape).astype(np.float64), index, codes
