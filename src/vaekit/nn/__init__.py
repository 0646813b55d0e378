"""Networks: tensors in, tensors out, no probability."""

from vaekit.nn.conv import ConvDecoder, ConvEncoder
from vaekit.nn.graph import GCN, Adjacency, Features, GraphConvolution
from vaekit.nn.linear import Linear
from vaekit.nn.masked import MaskedNetwork
from vaekit.nn.mlp import ACTIVATIONS, MLP
from vaekit.nn.scaling import GreyLevels, OneHot, Standardise
from vaekit.nn.warp import TableFeatures, Warps

__all__ = [
    "ACTIVATIONS",
    "GCN",
    "MLP",
    "Adjacency",
    "ConvDecoder",
    "ConvEncoder",
    "Features",
    "GraphConvolution",
    "GreyLevels",
    "Linear",
    "MaskedNetwork",
    "OneHot",
    "Standardise",
    "TableFeatures",
    "Warps",
]
