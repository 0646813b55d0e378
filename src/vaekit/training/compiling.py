"""Training steps through torch.compile: what it is to leave alone, and whether its gradients are right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vaekit.errors import OptionError
from vaekit.randomness import rng_state, set_rng_state

_ALIKE = {"float32": 0.02, "bfloat16": 0.1}  # of the length of a parameter's gradient: what rounding may change


def compiled(value: Callable[[Any, float], Tensor]) -> Callable[[Any, float], Tensor]:
    """The value through torch.compile, with the random numbers it has without."""
    return torch.compile(value, options={"fallback_random": True})


@contextlib.contextmanager
def left_alone(model: nn.Module) -> Iterator[None]:
    """A block in which the compiler leaves alone what modules of the model keep from it by `uncompiled`."""
    with contextlib.ExitStack() as stack:
        for module in model.modules():
            uncompiled: Any = getattr(module, "uncompiled", None)
            if uncompiled is not None:
                stack.enter_context(uncompiled())
        yield


def compare(
    networks: Sequence[nn.Module],
    value: Callable[[Any, float], Tensor],
    run: Callable[[Any, float], Tensor],
    x: Any,
    factor: float,
    autocast: contextlib.AbstractContextManager[Any],
    precision: str,
) -> None:
    """Compare the gradients of a compiled value of a batch with those of the value; all stays as it was.

    Args:
        networks: what the gradients are of.
        value: as `train` takes it.
        run: the same compiled.
        x: the batch.
        factor: the warm-up factor of the KL.
        autocast: within which values are computed.
        precision: "float32" or "bfloat16".

    Raises:
        OptionError: they differ.
    """
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    buffers = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]
    before, found = rng_state(), list[list[Tensor]]()
    for each in (value, run):
        set_rng_state(before)
        with autocast:
            values = each(x, factor)
        values.backward(torch.full_like(values, -1 / values.numel()))
        found.append([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
        for parameter in parameters:
            parameter.grad = None
        for buffer, kept in buffers:
            buffer.copy_(kept)
    set_rng_state(before)
    length = torch.stack([gradient.norm() for gradient in found[0]])
    if not length.isfinite().all():  # a fault of the value, which the loop finds
        return
    apart = torch.stack([(a - b).norm() for a, b in zip(*found, strict=True)])
    share = float((apart / (length + 0.01 * length.norm()).clamp_min(1e-30)).max())
    if not share <= _ALIKE[precision]:
        raise OptionError(
            f"compile=True: torch.compile gives other gradients than the model's ({share:.0%} of their length apart), "
            f"which is a fault of PyTorch {torch.__version__} with this model; use compile=False."
        )
