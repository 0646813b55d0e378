"""The scikit-learn face: estimators, and `load`."""

from vaekit.estimators.autoencoder import Autoencoder
from vaekit.estimators.loading import load
from vaekit.estimators.vae import VAE

__all__ = ["VAE", "Autoencoder", "load"]
