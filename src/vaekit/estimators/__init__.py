"""The scikit-learn face: estimators, and `load`."""

from vaekit.estimators.autoencoder import Autoencoder
from vaekit.estimators.classifier import VAEClassifier
from vaekit.estimators.conditional import ConditionalVAE
from vaekit.estimators.imputer import VAEImputer
from vaekit.estimators.loading import load
from vaekit.estimators.pixelcnn import PixelCNN
from vaekit.estimators.tabular import TabularVAE
from vaekit.estimators.vae import VAE
from vaekit.estimators.vgae import GAE, VGAE

__all__ = [
    "GAE",
    "VAE",
    "VGAE",
    "Autoencoder",
    "ConditionalVAE",
    "PixelCNN",
    "TabularVAE",
    "VAEClassifier",
    "VAEImputer",
    "load",
]
