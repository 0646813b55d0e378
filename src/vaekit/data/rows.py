"""Rows in memory, in the narrowest type that holds them, taken by index a batch at a time."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from vaekit.randomness import row_keys, row_noise
from vaekit.schema import ColumnStats

Binarize = Literal["dynamic", "static", "threshold"]
_CHUNK = 4096  # rows, and
_VALUES = 2**23  # values, taken at a time, at most, where a pass over all of them is made


def spaced(n: int, most: int) -> np.ndarray:
    """Indices of up to `most` evenly spaced rows out of n.

    >>> spaced(10, 3)
    array([0, 4, 9])
    """
    return np.unique(np.linspace(0, n - 1, min(most, n)).astype(int))


class Rows:
    r"""n rows of one shape; `take` gives any of them as float32.

    Args:
        values: (n, \*shape) numbers, or an (n, D) scipy.sparse matrix, which stays sparse.
        shape: shape of a row; by default that of `values`.
        grey_max: the grey level that stands for a certain one. With it the rows are grey-scale values and what `take`
            gives are binary draws, one with probability value / grey_max, anew at each visit.
    """

    def __init__(self, values: Any, shape: tuple[int, ...] | None = None, *, grey_max: float | None = None) -> None:
        self.sparse = scipy.sparse.csr_array(values) if scipy.sparse.issparse(values) else None
        self.shape = tuple(shape) if shape is not None else tuple(values.shape[1:])
        self.dense = None if self.sparse is not None else narrowest(values).reshape(-1, *self.shape)
        self.grey_max = grey_max
        self.n = int(values.shape[0])
        self.device = torch.device("cpu") if self.dense is None else self.dense.device

    def __len__(self) -> int:
        return self.n

    def to(self, device: torch.device) -> Rows:
        """The same rows, given on a device (sparse rows stay where they are and travel by batch)."""
        self.device = device
        if self.dense is not None:
            self.dense = self.dense.to(device)
        return self

    @property
    def work(self) -> int:
        """Vectors in an example that meet every weight of a network."""
        return 1

    @property
    def pixels(self) -> int:
        """Places that meet every weight of a convolution: H W of an image."""
        return math.prod(self.shape[-2:])

    def raw(self, index: Tensor | slice) -> Tensor:
        r"""Rows as they are: (B, \*shape) in their own type."""
        if self.dense is not None:
            if isinstance(index, Tensor):
                return self.dense.index_select(0, index.to(self.dense.device))
            return self.dense[index]
        assert self.sparse is not None
        key = index.cpu().numpy() if isinstance(index, Tensor) else index
        rows = torch.from_numpy(self.sparse[key].toarray().astype(np.float32))
        return rows.to(self.device).view(-1, *self.shape)

    def take(self, index: Tensor | slice) -> Tensor:
        r"""Rows as float32, (B, \*shape); grey-scale rows as fresh binary draws from torch's global generator."""
        x = self.raw(index)
        if self.grey_max is None:
            return x.float()
        if x.dtype == torch.uint8 and self.grey_max == 255:
            return _draw_bytes(x)
        return (torch.rand(x.shape, device=x.device) * self.grey_max < x).float()

    def subset(self, index: Any) -> Rows:
        """The rows of an index array, as Rows of their own."""
        if self.sparse is not None:
            return Rows(self.sparse[np.asarray(index)], self.shape, grey_max=self.grey_max)
        assert self.dense is not None
        return Rows(self.dense[torch.as_tensor(index, device=self.dense.device)], self.shape, grey_max=self.grey_max)

    def chunks(self, size: int | None = None) -> list[slice]:
        """Slices that cover the rows in order, of `size` rows or as many as are read at ease."""
        size = size or self._at_ease
        return [slice(start, min(start + size, self.n)) for start in range(0, self.n, size)]

    @property
    def _at_ease(self) -> int:
        return max(1, min(_CHUNK, _VALUES // max(1, math.prod(self.shape))))

    def keys(self, part: slice) -> Tensor:
        """int64 keys of the content of some rows, see `vaekit.randomness.row_keys`."""
        return row_keys(self.raw(part))

    def fixed(self, mode: Binarize = "dynamic", seed: int = 0) -> Rows:
        """Grey-scale rows binarised once, so that they can be scored; other rows as they are.

        Args:
            mode: "threshold" cuts at half of `grey_max`; else a draw that is a function of the row and the seed.
            seed: seed of that draw.
        """
        if self.grey_max is None:
            return self
        size = int(np.prod(self.shape))
        parts = []
        for part in self.chunks():
            x = self.raw(part)
            level = 0.5 if mode == "threshold" else row_noise(row_keys(x), seed, 0, size, uniform=True).view(x.shape)
            parts.append((level * self.grey_max < x).to(torch.uint8))
        return Rows(torch.cat(parts), self.shape)

    def stats(self) -> ColumnStats:
        """Statistics of each column; of grey-scale rows, those of the binary draws."""
        shape = self.shape
        total, squares = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        low, high = torch.full(shape, torch.inf), torch.full(shape, -torch.inf)
        whole = torch.ones(shape, dtype=torch.bool)
        centre = self.raw(slice(0, self._at_ease)).double().mean(0).cpu()
        for part in self.chunks():
            x = self.raw(part).cpu()
            low, high = torch.minimum(low, x.amin(0).float()), torch.maximum(high, x.amax(0).float())
            if x.dtype.is_floating_point:
                whole &= (x == x.round()).all(0)
            x = x.double() - centre
            total += x.sum(0)
            squares += x.square().sum(0)
        mean = total / self.n
        std = torch.where(high > low, (squares / self.n - mean.square()).clamp_min(0).sqrt(), 0.0)
        if self.grey_max is None:
            return ColumnStats(self.n, mean + centre, std, low.double(), high.double(), whole)
        probs = (mean + centre) / self.grey_max
        ones = torch.ones(shape, dtype=torch.float64)
        return ColumnStats(self.n, probs, (probs * (1 - probs)).sqrt(), 0 * ones, ones, torch.ones_like(whole))


def _draw_bytes(x: Tensor) -> Tensor:
    """Binary draws with probability x / 255 from uint8 grey levels, by comparison with 16 random bits.

    65536 equally likely numbers are compared with 257 x, so a one has probability (x / 255) (1 - 2**-16).
    """
    words = -(-x.numel() // 4)
    bits = torch.empty(words, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    bits = bits.view(torch.int16)[: x.numel()].view(x.shape)
    return (bits < (x.to(torch.int32) * 257 - 2**15)).float()


def narrowest(values: Any) -> Tensor:
    """Numbers as a tensor of the narrowest type that holds them: uint8, int16, or float32.

    >>> narrowest(np.array([[0, 255]])).dtype, narrowest(np.array([[0.5]])).dtype
    (torch.uint8, torch.float32)
    """
    if isinstance(values, Tensor):
        return values if values.dtype in (torch.uint8, torch.int16, torch.float32) else values.float()
    array = np.asarray(values)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.dtype.kind in "iu" and array.dtype != np.uint8 and array.size:
        low, high = int(array.min()), int(array.max())
        if low >= 0 and high <= 255:
            array = array.astype(np.uint8)
        elif low >= -(2**15) and high < 2**15:
            array = array.astype(np.int16)
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.int16)):
        array = array.astype(np.float32)
    return torch.from_numpy(np.array(array, order="C"))
