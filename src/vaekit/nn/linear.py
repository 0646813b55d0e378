"""Linear maps through the faster of the two libraries that PyTorch multiplies matrices with on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# PyTorch hands float32 products to MKL, which does not take AVX-512 on AMD's processors; oneDNN does, and takes half
# the time. On Intel's both take it, and which is faster is not measured.
_WIDE = (
    torch.backends.mkldnn.is_available()
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)
_SMALL = 10_000  # weights below which it does not pay however many the rows
_LARGE = 8_000_000  # multiplications from which the call of oneDNN pays, forward and backward


class _OneDNNLinear(torch.autograd.Function):
    """x W^T + b by oneDNN; its gradients are two more products of the same kind."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        bias = None if bias is None else bias.contiguous()  # its strides are not looked at
        return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _ = inputs
        to_x, to_weight, _ = ctx.needs_input_grad
        ctx.save_for_backward(x if to_weight else None, weight if to_x else None)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        return (
            linear(grad, weight.t()) if to_x else None,
            linear(grad.t(), x.t()) if to_weight else None,
            grad.sum(0) if to_bias else None,
        )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b, as `torch.nn.functional.linear` gives it up to rounding.

    Large products of float32 matrices on a CPU with AVX-512 are done by oneDNN, all others by PyTorch's own choice.

    Args:
        x: (B, D), or (..., D).
        weight: (F, D).
        bias: (F,), or None.

    >>> linear(torch.ones(1, 3), torch.eye(3), torch.tensor([0.0, 1.0, 2.0]))
    tensor([[1., 2., 3.]])
    """
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if not _WIDE or tracing or weight.numel() < _SMALL or torch.compiler.is_compiling():
        return F.linear(x, weight, bias)
    if x.numel() * weight.shape[0] < _LARGE or not _suits(x, weight, bias):
        return F.linear(x, weight, bias)
    return _OneDNNLinear.apply(x, weight, bias)  # type: ignore[no-any-return]


def _suits(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN's operator, which checks little, takes these tensors, and nothing but a backward pass follows."""
    tensors = (x, weight) if bias is None else (x, weight, bias)
    return (
        x.ndim == weight.ndim == 2
        and x.shape[1] == weight.shape[1]
        and (bias is None or bias.shape == weight.shape[:1])
        and all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        and torch.backends.mkldnn.enabled  # pyright: ignore[reportAttributeAccessIssue]
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
    )


class Linear(nn.Linear):
    """`torch.nn.Linear` by `linear`: the same weights under the same names.

    >>> Linear(3, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, D), or (..., D), to (B, F)."""
        return linear(input, self.weight, self.bias)
