"""Adam in its fused form, with as little work around it as possible: for a small network that work is the step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw


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
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]
        self._update = adamw if decoupled else adam
        self._epsilon, self._weight_decay, self._betas = epsilon, weight_decay, betas

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        parameters, means, squares, steps = self.parameters, self.means, self.squares, self.steps
        gradients = [p.grad for p in parameters]
        if any(
            gradient is None for gradient in gradients
        ):  # an own network has parameters that this loss does not reach
            used = [i for i, gradient in enumerate(gradients) if gradient is not None]
            parameters, means, squares, steps = (
                [column[i] for i in used] for column in (parameters, means, squares, steps)
            )
        present = [gradient for gradient in gradients if gradient is not None]
        self._update(
            parameters,
            present,
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            maximize=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=learning_rate,
            eps=self._epsilon,
            weight_decay=self._weight_decay,
        )
        for parameter in parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """Moments and step counts by parameter number."""
        columns = {"mean": self.means, "square": self.squares, "step": self.steps}
        return {f"{i}/{name}": tensor for name, column in columns.items() for i, tensor in enumerate(column)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put back what `state_dict` gave."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])
