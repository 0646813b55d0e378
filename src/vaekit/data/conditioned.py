"""Rows beside their conditions, taken a batch at a time as one tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vaekit.data.rows import Binarize, Rows


class ConditionedRows(Rows):
    """n rows and the condition of each; `take` gives (B, D + C): a row's D values, then its condition.

    What is said of the rows (`raw`, `keys`, `stats`, `shape`) is of the rows alone: so the noise of a row's score is
    the same under each condition, and the scores compare.

    Args:
        rows: n rows.
        condition: (n, C) float32.
    """

    def __init__(self, rows: Rows, condition: Tensor) -> None:
        super().__init__(rows.dense if rows.sparse is None else rows.sparse, rows.shape, grey_max=rows.grey_max)
        self.condition = condition.to(rows.device)

    @property
    def alone(self) -> Rows:
        """The rows without their conditions."""
        return Rows(self.dense if self.sparse is None else self.sparse, self.shape, grey_max=self.grey_max)

    def to(self, device: torch.device) -> Rows:
        """The same rows and conditions, given on a device."""
        self.condition = self.condition.to(device)
        return super().to(device)

    def take(self, index: Tensor | slice) -> Tensor:
        """(B, D + C), grey-scale rows as fresh binary draws."""
        x = super().take(index).flatten(1)
        return torch.cat([x, self.condition[index]], 1)

    def subset(self, index: Any) -> Rows:
        """The rows of an index array with their conditions."""
        return ConditionedRows(super().subset(index), self.condition[torch.as_tensor(index, device=self.device)])

    def fixed(self, mode: Binarize = "dynamic", seed: int = 0) -> Rows:
        """Grey-scale rows binarised once, with their conditions; other rows as they are."""
        return self if self.grey_max is None else ConditionedRows(super().fixed(mode, seed), self.condition)
