"""Rows with labels, taken a batch at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.data.rows import Rows

LabelledBatch = tuple[Tensor, Tensor, Tensor, Tensor]


class LabelledRows:
    r"""Rows beside the numbers of their labels, and in every batch some more of those that have one.

    Args:
        rows: n rows.
        y: (n,) int64 numbers of labels; -1 for a row without one.
        few: labelled rows drawn beside those of a batch, with replacement, at most as many as there are.
    """

    def __init__(self, rows: Rows, y: Tensor, few: int = 0) -> None:
        self.rows, self.y = rows, y.to(rows.device)
        self.labelled = torch.nonzero(self.y >= 0).squeeze(1)
        self.few = min(few, len(self.labelled))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor) -> LabelledBatch:
        r"""Rows (B, \*shape) and their labels (B,), then the labelled rows (M, \*shape) and theirs (M,)."""
        drawn = torch.randint(len(self.labelled), (self.few,)) if self.few else torch.arange(0)
        more = self.labelled[drawn.to(self.labelled.device)]
        return self.rows.take(index), self.y[index], self.rows.take(more), self.y[more]

    @property
    def work(self) -> int:
        """As of the rows."""
        return self.rows.work

    @property
    def pixels(self) -> int:
        """As of the rows."""
        return self.rows.pixels
