"""vaekit: variational autoencoders for arrays, images, tables and graphs.

Importing it is cheap: torch and the rest are loaded when a name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vaekit.estimators import (
        GAE,
        VAE,
        VGAE,
        Autoencoder,
        ConditionalVAE,
        PixelCNN,
        TabularVAE,
        VAEClassifier,
        VAEImputer,
        load,
    )
    from vaekit.schema import Graph

_HOMES = {
    "Autoencoder": "vaekit.estimators",
    "ConditionalVAE": "vaekit.estimators",
    "GAE": "vaekit.estimators",
    "Graph": "vaekit.schema",
    "PixelCNN": "vaekit.estimators",
    "TabularVAE": "vaekit.estimators",
    "VAE": "vaekit.estimators",
    "VAEClassifier": "vaekit.estimators",
    "VAEImputer": "vaekit.estimators",
    "VGAE": "vaekit.estimators",
    "load": "vaekit.estimators",
}

__all__ = [
    "GAE",
    "VAE",
    "VGAE",
    "Autoencoder",
    "ConditionalVAE",
    "Graph",
    "PixelCNN",
    "TabularVAE",
    "VAEClassifier",
    "VAEImputer",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vaekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
