r"""Shortest paths through the latent space, as the decoder's pictures measure length.

A straight line between two codes may cross a region that the decoder makes nothing of. The path whose pictures change
least in all,

.. math:: E(z_0, \ldots, z_n) = n \sum_{i=1}^{n} \|g(z_i) - g(z_{i-1})\|^2,

with both ends fixed and g(z) the mean of p(x|z), is a geodesic of the metric that g pulls back to the latent space
(Arvanitidis et al. 2018; Shao et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaekit.errors import check_number


def straight_line(a: Tensor, b: Tensor, points: int) -> Tensor:
    """(points, L) codes on the segment from a to b, both included.

    >>> straight_line(torch.zeros(1), torch.ones(1), 3)[:, 0]
    tensor([0.0000, 0.5000, 1.0000])
    """
    share = torch.linspace(0, 1, points, device=a.device).unsqueeze(1)
    return (1 - share) * a + share * b


def energy(decode: Callable[[Tensor], Tensor], path: Tensor) -> Tensor:
    """n times the sum of squared steps between the decoded points of a path of n steps; at least its length squared."""
    pictures = decode(path).flatten(1)
    return (len(path) - 1) * (pictures[1:] - pictures[:-1]).square().sum()


def geodesic(
    decode: Callable[[Tensor], Tensor],
    a: Tensor,
    b: Tensor,
    points: int = 10,
    *,
    steps: int = 200,
    learning_rate: float = 0.02,
) -> Tensor:
    r"""A path of least energy from a to b: Adam from the straight line; never one of more energy than that.

    Args:
        decode: from codes (n, L) to means (n, \*shape), differentiable.
        a, b: (L,) codes.
        points: on the path, ends included.
        steps: of Adam.
        learning_rate: relative to the distance of a and b.

    Returns:
        (points, L).

    Raises:
        OptionError: fewer than two points, fewer than no steps, or a learning rate that is not above 0.
    """
    check_number("points", points, low=2, integer=True)
    check_number("steps", steps, low=0, integer=True)
    check_number("learning_rate", learning_rate, low=0, open_low=True)
    best = straight_line(a, b, points)
    if points < 3 or torch.equal(a, b):
        return best
    inner = best[1:-1].clone().requires_grad_()
    optimizer = torch.optim.Adam([inner], lr=learning_rate * float((b - a).norm()))
    least = float("inf")
    with torch.enable_grad():
        for _ in range(steps + 1):
            path = torch.cat([a[None], inner, b[None]])
            value = energy(decode, path)
            if float(value.detach()) < least:
                least, best = float(value.detach()), path.detach().clone()
            (inner.grad,) = torch.autograd.grad(value, inner)
            optimizer.step()
    return best
