"""Reading a saved estimator, or a RUN, back."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import Tensor, nn

from vaekit.errors import OptionError, RunError
from vaekit.estimators.autoencoder import Autoencoder
from vaekit.estimators.classifier import PRETRAINED, VAEClassifier
from vaekit.estimators.conditional import ConditionalVAE
from vaekit.estimators.options import check_device
from vaekit.estimators.pixelcnn import PixelCNN
from vaekit.estimators.tabular import TabularVAE
from vaekit.estimators.trained import TrainedEstimator
from vaekit.estimators.vae import VAE
from vaekit.estimators.vgae import GAE, VGAE
from vaekit.runs import CONFIG, read_model

ESTIMATORS: dict[str, type[TrainedEstimator]] = {
    kind.__name__: kind for kind in (Autoencoder, ConditionalVAE, GAE, PixelCNN, TabularVAE, VAE, VAEClassifier, VGAE)
}


def load(
    path: str | Path,
    device: str = "auto",
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    prior: nn.Module | None = None,
) -> Any:
    """Read a fitted estimator from a folder written by `save` or by `vaekit fit`.

    Args:
        path: the folder.
        device: where its network is to lie.
        encoder, decoder, prior: the own modules it was fitted with, if any; only their weights are in the file.

    Returns:
        The estimator, fitted.

    Raises:
        RunError: the folder is missing, damaged, foreign, of a newer schema, or its training has not finished.
        OptionError: own networks are missing, or given for a model that has none.
    """
    check_device(device)
    config, tensors, history = read_model(path)
    own = {"encoder": encoder, "decoder": decoder, "prior": prior}
    return _rebuilt(config, tensors, history, path, device, own)


def _rebuilt(
    config: dict[str, Any],
    tensors: dict[str, Tensor],
    history: list[dict[str, Any]],
    path: str | Path,
    device: str,
    own: dict[str, nn.Module | None],
) -> TrainedEstimator:
    """The estimator of a config, own modules filled in; within a classifier, the one whose encoder it took."""
    name, params = config["model"], dict(config["params"])
    if name not in ESTIMATORS:
        raise RunError(f"{Path(path) / CONFIG} names a model {name!r} that this vaekit does not have.")
    inner = config["fitted"].get("pretrained")
    base = None
    if inner is not None:
        parts = {n.removeprefix(PRETRAINED): t for n, t in tensors.items() if n.startswith(PRETRAINED)}
        base, own = _rebuilt(inner, parts, inner.pop("history"), path, device, own), dict.fromkeys(own)
        if isinstance(params["pretrained"], dict):
            saved = params["pretrained"]
            params["pretrained"] = copy.deepcopy(base) if saved["fitted"] else clone(base)
            if saved.get("frozen"):
                params["pretrained"] = FrozenEstimator(params["pretrained"])
    for part, given in own.items():
        named = params.get(part) if isinstance(params.get(part), dict) else None  # a graph model's decoder is a name
        if named is not None and part == "prior" and given is not None and type(given).__name__ != named["module"]:
            raise OptionError(f"{path} was fitted with a prior {named['module']}, not {type(given).__name__}.")
        if named is not None and given is None:
            raise OptionError(
                f"{path} was fitted with its own {part} ({named['module']}), of which only the weights are saved: "
                f"pass {part}=<such a module> to load."
            )
        if named is None and given is not None:
            raise OptionError(f"{path} was not fitted with its own {part}; load it without {part}=.")
        if named is not None:
            params[part] = given
    params["device"] = device
    params = {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()}
    try:
        estimator = ESTIMATORS[name](**params)
        if base is not None:
            vars(estimator)["pretrained_"] = base
        estimator._params = estimator._plain_params() | config["params"]  # older folders may lack some
        estimator._restore(config, tensors, history)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        if any(part is not None for part in own.values()):
            raise OptionError(f"The networks given do not fit the weights in {path}: {error}") from error
        raise RunError(f"{path} is damaged: its parts do not fit together ({error}).") from error
    return estimator
