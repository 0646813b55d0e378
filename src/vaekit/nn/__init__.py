"""Networks: tensors in, tensors out, no probability."""

from vaekit.nn.mlp import ACTIVATIONS, MLP
from vaekit.nn.scaling import Divide, OneHot, Standardise

__all__ = ["ACTIVATIONS", "MLP", "Divide", "OneHot", "Standardise"]
