"""Adam in its fused form, with as little work around it as possible: for a small network that work is the step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class FusedAdam:
    """Adam (Kingma and Ba 2015), or AdamW (Loshchilov and Hutter 2019), by torch's own fused kernel.

    The same update as `torch.optim.Adam(fused=True)`, without that class's look at every parameter at every step.

    Args:
        parameters: leaves of the graph; those that need no gradient are left alone.
        epsilon: added to the root of the second moment.
        weight_decay: decoupled from the gradient where `decoupled`, else added to it.
        decoupled: AdamW.
        betas: decay of the first and of the second moment.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        epsilon: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.parameters: list[Tensor] = [p for p in parameters if p.requires_grad]
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self._kinds = [(p.device, p.dtype) for p in self.parameters]
        self.counts = [0] * len(self.parameters)  # steps that each has seen
        self._update: Any = torch._fused_adamw_ if decoupled else torch._fused_adam_  # pyright: ignore[reportPrivateImportUsage]
        self._epsilon, self._weight_decay, self._betas = epsilon, weight_decay, betas

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        groups: dict[tuple[tuple[torch.device, torch.dtype], int], list[tuple[Tensor, Tensor, Tensor, Tensor]]] = {}
        for i, parameter in enumerate(self.parameters):
            if (gradient := parameter.grad) is not None:  # an own network has parameters that this loss does not reach
                self.counts[i] = count = self.counts[i] + 1
                row = (parameter, gradient, self.means[i], self.squares[i])
                groups.setdefault((self._kinds[i], count), []).append(row)
        for ((device, _), count), rows in groups.items():  # one, as a rule
            self._update(
                *(list(column) for column in zip(*rows, strict=True)),
                [],
                [torch.full((), float(count), device=device)] * len(rows),
                amsgrad=False,
                maximize=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=learning_rate,
                eps=self._epsilon,
                weight_decay=self._weight_decay,
            )
            for parameter, *_ in rows:
                parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Moments and step counts by parameter number."""
        columns = {"mean": self.means, "square": self.squares, "step": [torch.tensor(float(n)) for n in self.counts]}
        return {f"{i}/{name}": tensor for name, column in columns.items() for i, tensor in enumerate(column)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        for i in range(len(self.parameters)):
            self.means[i].copy_(state[f"{i}/mean"])
            self.squares[i].copy_(state[f"{i}/square"])
            self.counts[i] = int(state[f"{i}/step"])
