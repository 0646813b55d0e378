"""Averages of the weights along training, which are often better than the last ones."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage:
    """An exponential moving average of a model's weights (Polyak and Juditsky 1992), a few operations a step.

    Args:
        model: what is trained; `module` starts as a copy of it.
        decay: weight of what was before; at step t at most (1 + t) / (10 + t), so that the start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        self._model, self._decay, self._count = model, decay, 0
        self._weights = [parameter.data for parameter in model.parameters()]
        self._averages = [parameter.data for parameter in self.module.parameters()]

    def update(self) -> None:
        """Take in the model's weights as they are now; the first ones are taken whole."""
        decay = min(self._decay, (1 + self._count) / (10 + self._count)) if self._count else 0.0
        get_ema_multi_avg_fn(decay)(self._averages, self._weights, self._count)
        self._count += 1

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Take the model's buffers, such as those of batch normalisation, which are not averaged."""
        for mine, buffer in zip(self.module.buffers(), self._model.buffers(), strict=True):
            mine.copy_(buffer)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages and the number of steps."""
        return {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()} | {
            "n_averaged": torch.tensor(self._count)
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        parts = {name.removeprefix("module."): tensor for name, tensor in state.items() if name != "n_averaged"}
        self.module.load_state_dict(parts)
        self._count = int(state["n_averaged"])
