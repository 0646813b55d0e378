"""Models: a joint p(x, z) with its recognition model q(z|x)."""

from vaekit.models.autoencoder import Autoencoder
from vaekit.models.base import LatentVariableModel, Terms
from vaekit.models.conditional import ConditionalVAE
from vaekit.models.graph import GraphAutoencoder, GraphTensors, GraphVAE, PairDecoder
from vaekit.models.heads import Classifier, RadialHead
from vaekit.models.hierarchical import HierarchicalVAE
from vaekit.models.pixelcnn import PixelCNN
from vaekit.models.semisupervised import LabelTerms, SemiSupervisedVAE
from vaekit.models.vae import VAE
from vaekit.models.weights import VariationalWeights

__all__ = [
    "VAE",
    "Autoencoder",
    "Classifier",
    "ConditionalVAE",
    "GraphAutoencoder",
    "GraphTensors",
    "GraphVAE",
    "HierarchicalVAE",
    "LabelTerms",
    "LatentVariableModel",
    "PairDecoder",
    "PixelCNN",
    "RadialHead",
    "SemiSupervisedVAE",
    "Terms",
    "VariationalWeights",
]
