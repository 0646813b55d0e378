"""Checks of the estimators' parameters, all faults in one message, and the form in which they are saved."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from vaekit.errors import Faults
from vaekit.likelihoods import LIKELIHOODS
from vaekit.models.graph import DECODERS
from vaekit.nn import ACTIVATIONS
from vaekit.priors import PRIORS, Prior, VampPrior
from vaekit.training.schedules import SCHEDULES


def check_options(estimator: BaseEstimator) -> None:
    """Raise one OptionError that names every fault of the estimator's parameters."""
    params = estimator.get_params(deep=False)
    faults = Faults()
    if "latent_dim" in params:
        _check_network(faults, params)
    _check_training(faults, params)
    if "batch_size" in params:
        _check_rows(faults, params)
    if "likelihood" in params:
        _check_density(faults, params)
    if "alpha" in params:
        _check_classifier(faults, params)
    if "stochastic_layers" in params:
        _check_images(faults, params)
    if "condition_hidden" in params:
        _check_conditional(faults, params)
    if "prior" in params:
        _check_probabilistic(faults, params)
    if "schema" in params:
        _check_table(faults, params)
    if "kernel_size" in params:
        _check_masked(faults, params["layers"], params["channels"], params["kernel_size"])
    if "use_features" in params:
        _check_graph(faults, params)
    faults.raise_if_any()


def _check_network(faults: Faults, params: dict[str, Any]) -> None:
    faults.number("latent_dim", params["latent_dim"], low=0 if "condition_hidden" in params else 1, integer=True)
    _check_widths(faults, "hidden", params["hidden"])
    faults.choice("activation", params["activation"], ACTIVATIONS)
    for name in ("encoder", "decoder"):
        if name == "decoder" and "use_features" in params:  # of a graph model, a name
            continue
        if params.get(name) is not None and not isinstance(params[name], nn.Module):
            faults.add(f"{name}={params[name]!r} must be a torch.nn.Module, or None.")


def _check_widths(faults: Faults, name: str, widths: Any) -> None:
    if not isinstance(widths, (tuple, list)):
        faults.add(f"{name}={widths!r} must be a tuple of layer widths, such as (512,).")
        return
    for width in widths:
        faults.number(name, width, low=1, integer=True)


def _check_training(faults: Faults, params: dict[str, Any]) -> None:
    faults.number("epochs", params["epochs"], low=1, integer=True)
    faults.number("learning_rate", params["learning_rate"], low=0, open_low=True)
    faults.choice("schedule", params["schedule"], SCHEDULES)
    faults.choice("optimizer", params["optimizer"], ["adam", "adamw"])
    faults.number("epsilon", params["epsilon"], low=0, open_low=True)
    faults.number("weight_decay", params["weight_decay"], low=0)
    faults.number("clip_norm", params["clip_norm"], low=0, open_low=True, optional=True)
    faults.number("average", params["average"], low=0, high=1, open_low=True, open_high=True, optional=True)
    faults.number("patience", params["patience"], low=1, integer=True, optional=True)
    faults.number(
        "verbose", int(params["verbose"]) if isinstance(params["verbose"], bool) else params["verbose"], low=0
    )
    _check_device(faults, params["device"])
    _check_seed(faults, params["random_state"])
    callbacks = params["callbacks"]
    if callbacks is not None and not (isinstance(callbacks, (list, tuple)) and all(map(callable, callbacks))):
        faults.add("callbacks must be a list of functions of an epoch's record, or None.")


def _check_rows(faults: Faults, params: dict[str, Any]) -> None:
    """Check what only estimators on rows have."""
    faults.number("batch_size", params["batch_size"], low=1, high=2**31, integer=True, optional="schema" in params)
    faults.number(
        "validation_fraction",
        params.get("validation_fraction"),
        low=0,
        high=1,
        open_low=True,
        open_high=True,
        optional=True,
    )
    faults.choice("precision", params.get("precision", "float32"), ["float32", "bfloat16"])
    for name in ("warm_start", "compile"):
        faults.choice(name, params.get(name, False), [False, True])
    faults.number("validation_every", params.get("validation_every", 1), low=1, integer=True)


def _check_graph(faults: Faults, params: dict[str, Any]) -> None:
    """Check what only estimators on graphs have."""
    faults.choice("decoder", params["decoder"], DECODERS)
    faults.choice("objective", params["objective"], ["reweighted", "elbo" if "beta" in params else "log_likelihood"])
    for name in ("use_features", "unit_features", "unit_length"):
        faults.choice(name, params[name], [False, True])
    faults.choice("edge_bias", params["edge_bias"], [None, False, True])
    faults.number("dropout", params["dropout"], low=0, high=1, open_high=True)
    if "beta" in params:
        faults.number("beta", params["beta"], low=0)
        faults.number("kl_warmup", params["kl_warmup"], low=0)
        faults.number("samples", params["samples"], low=1, integer=True)


def _check_density(faults: Faults, params: dict[str, Any]) -> None:
    """Check what estimators with a density of rows have."""
    faults.choice("likelihood", params["likelihood"], ["auto", *LIKELIHOODS])
    faults.choice("binarize", params["binarize"], ["dynamic", "static", "threshold"])


def _check_classifier(faults: Faults, params: dict[str, Any]) -> None:
    """Check what a classifier has."""
    faults.choice("method", params["method"], ["finetune", "features", "m2"])
    faults.choice("head", params["head"], ["linear", "radial", "spreading"])
    faults.number("C", params["C"], low=0, open_low=True)
    faults.number("alpha", params["alpha"], low=0)
    faults.choice("label_sum", params["label_sum"], ["exact", "sampled"])


def _check_probabilistic(faults: Faults, params: dict[str, Any]) -> None:
    """Check what a model with a prior and a bound has."""
    conditional = "condition_hidden" in params
    if conditional:
        faults.choice("prior", params["prior"], ["normal", "conditional"])
    elif not isinstance(params["prior"], Prior):
        faults.choice("prior", params["prior"], [name for name in PRIORS if name != "vamp" or "schema" not in params])
    if "components" in params:
        faults.number("components", params["components"], low=1, integer=True)
    penalties = [] if conditional else ["tc", "factor", "wake_sleep"] if "gamma" in params else ["tc"]
    faults.choice("objective", params["objective"], ["elbo", "iwae", "dreg", "stl", *penalties])
    faults.choice("kl", params["kl"], ["auto", "analytic", "monte_carlo"])
    faults.number("samples", params["samples"], low=1, integer=True)
    faults.number("validation_samples", params["validation_samples"], low=1, integer=True, optional=True)
    faults.number("beta", params["beta"], low=0)
    faults.number("kl_warmup", params["kl_warmup"], low=0)
    faults.number("free_bits", params["free_bits"], low=0)
    own = isinstance(params["prior"], Prior) and type(params["prior"]).kl_units is not Prior.kl_units
    closed = conditional or own or params["prior"] == "normal"
    analytic = closed and params["kl"] != "monte_carlo"
    if params["free_bits"] and (not analytic or params["objective"] != "elbo"):
        faults.add(
            f"free_bits={params['free_bits']!r} needs objective='elbo' and a KL in closed form: prior='normal', or an "
            "own one with kl_units, and not kl='monte_carlo'."
        )
    if params["objective"] == "dreg" and params.get("compile"):
        faults.add("objective='dreg' hooks a gradient, which torch.compile loses: choose compile=False, or 'iwae'.")
    if params["kl"] == "analytic" and not closed:
        faults.add("kl='analytic' needs prior='normal', or an own one with kl_units: others have no KL in closed form.")


def _check_conditional(faults: Faults, params: dict[str, Any]) -> None:
    """Check what a conditional VAE has."""
    faults.choice("network", params["network"], ["mlp", "conv"])
    _check_maps(faults, params["channels"])
    faults.number("blocks", params["blocks"], low=0, integer=True)
    _check_widths(faults, "condition_hidden", params["condition_hidden"])
    if params["prior"] == "conditional" and params["latent_dim"] == 0:
        faults.add("prior='conditional' is of latent units, of which latent_dim=0 leaves none: choose prior='normal'.")


def _check_maps(faults: Faults, channels: Any) -> None:
    if not isinstance(channels, (tuple, list)) or not channels:
        faults.add(f"channels={channels!r} must be a tuple with the maps of each level, such as (32, 64).")
    else:
        for width in channels:
            faults.number("channels", width, low=1, integer=True)


def _check_images(faults: Faults, params: dict[str, Any]) -> None:
    """Check what a VAE on vectors and images has."""
    faults.choice("network", params["network"], ["mlp", "conv", "ladder"])
    faults.number("gamma", params["gamma"], low=0)
    _check_widths(faults, "discriminator", params["discriminator"])
    _check_maps(faults, params["channels"])
    for name, low in (("blocks", 0), ("stochastic_layers", 1), ("masked_layers", 0), ("masked_features", 1)):
        faults.number(name, params[name], low=low, integer=True)
    _check_masked(faults, None, params["masked_channels"], params["masked_kernel"], "masked_channels", "masked_kernel")
    if params["network"] == "ladder" and params["objective"] in ("dreg", "stl", "tc", "factor", "wake_sleep"):
        faults.add(f"objective={params['objective']!r} needs one layer of latent units, not network='ladder'.")
    vamp = params["prior"] == "vamp" or isinstance(params["prior"], VampPrior)
    dreams = params["objective"] == "wake_sleep"
    if dreams and vamp:
        faults.add("objective='wake_sleep' trains p and q apart, but prior='vamp' is made of q: choose another prior.")
    modules = params["encoder"].modules() if isinstance(params["encoder"], nn.Module) else ()
    if (vamp or dreams) and any(getattr(module, "running_mean", None) is not None for module in modules):
        option = "prior='vamp'" if vamp else "objective='wake_sleep'"
        faults.add(
            f"{option} runs the encoder on rows that are no data, which "
            "would spoil the statistics of its batch normalisation: choose another, or layer normalisation."
        )


def _check_table(faults: Faults, params: dict[str, Any]) -> None:
    """Check what a model of tables has; the schema is checked against the table."""
    faults.number("mixture", params["mixture"], low=1, integer=True)
    faults.number("hide", params["hide"], low=0, high=1)
    if params["schema"] is not None and not isinstance(params["schema"], Mapping):
        faults.add(f"schema={params['schema']!r} must map names of columns to kinds, such as {{'age': 'count'}}.")


def _check_masked(
    faults: Faults, layers: Any, channels: Any, kernel: Any, name: str = "channels", kernel_name: str = "kernel_size"
) -> None:
    """Check the sizes of masked layers."""
    if layers is not None:
        faults.number("layers", layers, low=1, integer=True)
    faults.number(name, channels, low=1, integer=True)
    faults.number(kernel_name, kernel, low=3, integer=True)
    if isinstance(kernel, (int, np.integer)) and kernel > 2 and kernel % 2 == 0:
        faults.add(f"{kernel_name}={kernel} must be odd: as many pixels on the left as on the right.")


def _check_device(faults: Faults, device: Any) -> None:
    if device == "auto":
        return
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        faults.add(f"device={device!r} is not 'auto', 'cpu', 'cuda' or another device of torch.")
        return
    if kind == "cuda" and not torch.cuda.is_available():
        faults.add(f"device={device!r} asks for a GPU, but torch finds none; use device='auto' or 'cpu'.")
        return
    try:
        torch.zeros(1, device=device).item()
    except torch.OutOfMemoryError:  # it is there, but full
        return
    except (RuntimeError, AssertionError, ImportError):  # by the kind of device, and by how torch was built
        faults.add(f"device={device!r} is none that torch can compute on here; use device='auto' or 'cpu'.")


def check_device(device: str) -> None:
    """Raise OptionError unless `device` is one that torch has here."""
    faults = Faults()
    _check_device(faults, device)
    faults.raise_if_any()


def check_draws(name: str, value: Any, random_state: Any = None) -> None:
    """Raise OptionError unless `value` is a number of draws, and `random_state` can be a seed."""
    faults = Faults()
    faults.number(name, value, low=1, integer=True)
    _check_seed(faults, random_state)
    faults.raise_if_any()


def _check_seed(faults: Faults, random_state: Any) -> None:
    if random_state is not None and not isinstance(random_state, np.random.RandomState):
        faults.number("random_state", random_state, low=0, high=2**32 - 1, integer=True)


def settable(cls: type[BaseEstimator]) -> list[str]:
    """Names of the parameters that are plain values: own networks and callbacks are objects, which no text gives."""
    objects = {"encoder", "callbacks", *(() if "use_features" in inspect.signature(cls).parameters else ("decoder",))}
    return [name for name in inspect.signature(cls).parameters if name not in objects]


def plain_params(estimator: BaseEstimator) -> dict[str, Any]:
    """Parameters as JSON types; own networks by the name of their class, since only their weights are saved."""
    plain: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "callbacks":
            continue
        if isinstance(value, nn.Module):
            value = {"module": type(value).__name__}
        elif name == "random_state" and value is not None and not isinstance(value, int):
            value = getattr(estimator, "fitted_", {}).get("seed")
        plain[name] = _plain(value)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, torch.device):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value
