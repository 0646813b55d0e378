r"""Hamiltonian Monte Carlo over codes (Neal 2011): the step, and chains on the posterior p(z|x) of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from vaekit.models.base import LatentVariableModel


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Within the block the model's parameters need no gradient, so that that of z alone is computed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def hamiltonian_step(
    at: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    z: Tensor,
    width: Tensor,
    normal: Tensor,
    uniform: Tensor,
    leapfrog: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of Hamiltonian Monte Carlo, which leaves a density f invariant.

    Args:
        at: from z to log f(z) (C, B), its gradient (C, B, L), and a value of z to be carried along (C, B).
        z: (C, B, L) where the chains stand.
        width: (C, B, L) length of a leapfrog step in each unit.
        normal: (C, B, L) standard normal numbers, the momenta.
        uniform: (C, B) uniform ones, for acceptance.
        leapfrog: steps of the integrator.

    Returns:
        Where the chains stand then, the carried value there, and whether the step was accepted, (C, B).
    """
    value, gradient, carried = at(z)
    momentum, new, new_value, new_carried = normal, z, value, carried
    for _ in range(leapfrog):
        momentum = momentum + 0.5 * width * gradient
        new = new + width * momentum
        new_value, gradient, new_carried = at(new)
        momentum = momentum + 0.5 * width * gradient
    log_ratio = new_value - value - 0.5 * (momentum.square() - normal.square()).sum(-1)
    accepted = (torch.log(uniform) < log_ratio) & torch.isfinite(log_ratio)
    return (
        torch.where(accepted.unsqueeze(-1), new, z),
        torch.where(accepted, new_carried, carried),
        accepted,
    )


class PosteriorChains:
    r"""C chains on the posterior p(z|x) \propto p(x, z) of each of B rows, with a step length for each row.

    Each chain multiplies the step by a factor from 0.8 to 1.2, drawn anew for each move, so that trajectories are not
    all of half a period (Neal 2011, section 3.2).

    Args:
        model: gives p(x, z); wrap the moves in `frozen(model)` where its weights need no gradient.
        x: (B, \*shape).
        z: (C, B, L) where the chains start.
        step: (B,) first step lengths.
        leapfrog: steps of the integrator in each move.
        acceptance: the aim.

    Attributes:
        z, step: as they are now.
        rate: (B,) share of the last moves that was accepted.
        log_joint: (C, B) log p(x, z) after the last move.
    """

    def __init__(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, step: Tensor, *, leapfrog: int, acceptance: float
    ) -> None:
        self.model, self.x, self.z, self.step = model, x, z, step
        self.leapfrog, self.acceptance = leapfrog, acceptance
        self.rate = torch.full_like(step, torch.nan)
        self.log_joint = torch.full(z.shape[:-1], torch.nan)
        with torch.no_grad():
            self._prior = model.prior(model.posterior)

    def _at(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_joint = self._prior.log_prob(z) + self.model.decode(z).log_prob(self.x)
            (gradient,) = torch.autograd.grad(log_joint.sum(), z)
        return log_joint.detach(), gradient, log_joint.detach()

    def move(self, noise: Tensor, gain: float = 0.0) -> None:
        """One Hamiltonian step.

        Args:
            noise: (C, B, L + 2) standard normal numbers.
            gain: log step grows by so many times what the rate of acceptance is above the aim.
        """
        uniform = torch.special.ndtr(noise[..., -2:])
        width = self.step * (0.8 + 0.4 * uniform[..., 0])
        self.z, self.log_joint, accepted = hamiltonian_step(
            self._at, self.z, width.unsqueeze(-1).expand_as(self.z), noise[..., :-2], uniform[..., 1], self.leapfrog
        )
        self.rate = accepted.float().mean(0)
        self.step = self.step * torch.exp(gain * (self.rate - self.acceptance))
