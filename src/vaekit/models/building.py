"""Models made to measure: networks, likelihood and prior from options and the data's statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vaekit.errors import OptionError
from vaekit.likelihoods import Autoregressive, CategoricalCodes, Gaussian, Likelihood
from vaekit.models.base import LatentVariableModel
from vaekit.models.hierarchical import HierarchicalVAE
from vaekit.models.vae import VAE
from vaekit.nn import MLP, ConvDecoder, ConvEncoder, Linear, OneHot, Standardise
from vaekit.nn.conv import as_maps
from vaekit.priors import FlowPrior, GaussianMixture, Prior, StandardNormal, VampPrior
from vaekit.schema import ColumnStats

_CHANNELS = (1, 3, 4)  # of images


@dataclass(frozen=True)
class Architecture:
    """What the networks of a VAE are made of; see `vaekit.VAE` for each.

    Attributes:
        network: "mlp", "conv" or "ladder".
        latent_dim: L; of a ladder the channels of each latent map.
        hidden: widths of an MLP.
        activation: of every network.
        channels: of each level's maps, of "conv" and "ladder".
        blocks: residual blocks at each level.
        stochastic_layers: of a ladder.
        masked_layers: gated layers of an autoregressive likelihood; 0 for independent values.
        masked_channels, masked_kernel, masked_features: of those layers and the feature map that they are given.
        prior: "normal", "mixture", "vamp" or "flow", or a module.
        components: of the prior where it is a mixture.
    """

    network: str = "mlp"
    latent_dim: int = 20
    hidden: Sequence[int] = (512,)
    activation: str = "silu"
    channels: Sequence[int] = (32, 64)
    blocks: int = 1
    stochastic_layers: int = 3
    masked_layers: int = 0
    masked_channels: int = 16
    masked_kernel: int = 3
    masked_features: int = 8
    prior: str | Prior = "normal"
    components: int = 100


def build_vae(
    base: Likelihood,
    stats: ColumnStats,
    how: Architecture,
    *,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    examples: Tensor | None = None,
) -> LatentVariableModel:
    r"""A VAE, at the start of training.

    Args:
        base: likelihood of a value, calibrated.
        stats: of the data.
        how: the rest.
        encoder, decoder: own modules, which become part of the model as they are.
        examples: (components, \*shape) rows as the model takes them, at which pseudo-inputs start.

    Raises:
        OptionError: parts do not fit the data or each other.
    """
    check_images(base.shape, how)
    likelihood = base
    if how.masked_layers:
        check_autoregressive(base, "masked_layers")
        likelihood = Autoregressive(
            base,
            features=how.masked_features,
            layers=how.masked_layers,
            channels=how.masked_channels,
            kernel_size=how.masked_kernel,
        )
        likelihood.start(stats)
    scaling = input_scaling(base, stats)
    if how.network == "ladder":
        if how.prior != "normal" or encoder is not None or decoder is not None:
            raise OptionError("network='ladder' has a prior and networks of its own: prior='normal', no own modules.")
        model = HierarchicalVAE(
            likelihood,
            how.channels,
            latent=how.latent_dim,
            layers=how.stochastic_layers,
            blocks=how.blocks,
            activation=how.activation,
            scaling=scaling,
        )
        with torch.no_grad():
            model.offset.copy_(likelihood.marginal(stats))
        return model
    encoder, decoder = build_networks(likelihood, stats, scaling, how, encoder=encoder, decoder=decoder)
    prior = build_prior(how, base, stats, examples)
    return VAE(encoder, decoder, likelihood, how.latent_dim, prior=prior, scaling=scaling)


def check_images(shape: tuple[int, ...], how: Architecture) -> None:
    """Raise OptionError where networks of images are asked for rows that are none."""
    if how.network == "mlp" and not how.masked_layers:
        return
    what = f"network={how.network!r}" if how.network != "mlp" else f"masked_layers={how.masked_layers}"
    if len(shape) not in (2, 3):
        raise OptionError(
            f"{what} needs images, (n, H, W) or (n, C, H, W), but a row of X has shape {shape}: reshape X."
        )
    check_channels(shape, what)


def check_channels(shape: tuple[int, ...], what: str) -> None:
    """Raise OptionError where images (H, W, C) stand for (C, H, W)."""
    if len(shape) == 3 and shape[0] not in _CHANNELS and shape[2] in _CHANNELS and min(shape[:2]) > shape[2]:
        raise OptionError(
            f"{what} needs images as (n, C, H, W), but a row of X has shape {shape}, which looks like (H, W, C): "
            "X.transpose(0, 3, 1, 2) brings the channels to the front."
        )


def check_autoregressive(base: Likelihood, what: str) -> None:
    """Raise OptionError unless pixels of that likelihood can be read one after the other."""
    if base.name not in ("bernoulli", "logistic_mixture"):
        raise OptionError(
            f"{what} needs binary pixels or whole levels, likelihood='bernoulli' or 'logistic_mixture', "
            f"not {base.name!r}. Levels of grey between 0 and 1 become whole as np.round(255 * X)."
        )


def build_prior(how: Architecture, base: Likelihood, stats: ColumnStats, examples: Tensor | None) -> Prior:
    """The prior by its name, or as it is."""
    latent_dim = how.latent_dim
    if isinstance(how.prior, Prior):
        if how.prior.latent_dim != latent_dim:
            raise OptionError(f"The prior has {how.prior.latent_dim} units, but latent_dim is {latent_dim}.")
        return how.prior
    if how.prior == "mixture":
        return GaussianMixture(latent_dim, how.components)
    if how.prior == "vamp":
        if isinstance(base, CategoricalCodes):
            raise OptionError(
                "prior='vamp' needs inputs that can be moved a little, which codes without an order cannot."
            )
        spread = torch.full(base.shape, float(stats.high.max()) / 2) if base.discrete else stats.std
        start = torch.zeros(how.components, *base.shape) if examples is None else examples.cpu()
        return VampPrior(latent_dim, start, torch.where(spread > 0, spread, 1.0).float())
    if how.prior == "flow":
        return FlowPrior(latent_dim)
    if how.prior == "normal":
        return StandardNormal(latent_dim)
    raise OptionError(f"prior={how.prior!r} is neither a name nor a vaekit.priors.Prior.")


class Headed(nn.Module):
    """A network with a linear map on its flattened output: gives any encoder the width that q's parameters need.

    Args:
        body: module from (B, ...) to (B, F), or (B, ...) with F values.
        features: F.
        out_features: width of the output.
    """

    def __init__(self, body: nn.Module, features: int, out_features: int) -> None:
        super().__init__()
        self.body = body
        self.head = Linear(features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) to (B, out_features)."""
        return self.head(self.body(x).reshape(len(x), -1))


def input_scaling(likelihood: Likelihood, stats: ColumnStats) -> nn.Module:
    """The first layer that suits a kind of data.

    Binary values stay as they are, codes become indicators, whole numbers with a known end are divided by it, open
    counts become standardised logarithms and real numbers are standardised, by the spread that their likelihood has.
    """
    if isinstance(likelihood, CategoricalCodes):
        return OneHot(likelihood.num_params)
    if likelihood.name == "bernoulli":
        return nn.Identity()
    scaling = Standardise(stats.shape, log1p=likelihood.name in ("poisson", "negative_binomial"))
    if likelihood.name in ("binomial", "discretised_logistic", "logistic_mixture"):
        scaling.scale.fill_(max(float(stats.high.max()), 1.0))
    elif scaling.log1p:
        scaling.loc.copy_(torch.log1p(stats.mean))
        scaling.scale.copy_((stats.std / (1 + stats.mean)).clamp_min(0.1))
    else:
        scaling.loc.copy_(stats.mean)
        spread = likelihood.scale if isinstance(likelihood, Gaussian) else stats.std
        scaling.scale.copy_(torch.where(stats.std > 0, spread, torch.inf))  # a constant column tells nothing
    return scaling


def build_networks(
    likelihood: Likelihood,
    stats: ColumnStats,
    scaling: nn.Module,
    how: Architecture,
    *,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
) -> tuple[nn.Module, nn.Module]:
    r"""Encoder and decoder of a VAE: MLPs, convolutions, or own modules, which become part of the model as they are.

    The decoder mirrors the encoder; the last bias of an MLP starts at the independent features.

    Args:
        likelihood: for the raw parameters that the decoder must give.
        stats: of the data.
        scaling: what the encoder sees comes out of it.
        how: the sizes.
        encoder: own module from (B, \*shape) to (B, ...); the number of its features is found by a dry run.
        decoder: own module from (B, L) to (B, P, \*shape).

    Raises:
        OptionError: an own module does not take or give what it should.
    """
    zero = scaling(torch.zeros(2, *likelihood.shape))
    latent_dim = how.latent_dim
    if encoder is not None:
        encoder = Headed(encoder, dry_run("encoder", encoder, zero)[0].numel(), 2 * latent_dim)
    else:
        image = how.network == "conv"
        seen = zero.reshape(2, -1, *likelihood.shape[-2:]).shape[1:] if image else (zero[0].numel(),)
        encoder = build_encoder(tuple(seen), 2 * latent_dim, how)
    if decoder is None:
        return encoder, build_decoder(likelihood, stats, how)
    check_decoder(decoder, latent_dim, (likelihood.num_params, *likelihood.shape), f"likelihood={likelihood.name!r}")
    return encoder, decoder


def check_decoder(decoder: nn.Module, latent_dim: int, shape: tuple[int, ...], what: str) -> None:
    """Raise OptionError unless an own decoder gives as many numbers a code as `what`, of that shape, needs.

    Another shape may hold them, with neighbouring axes in one; but axes in another order would be taken for each other.
    """
    given, wanted = tuple(dry_run("decoder", decoder, torch.zeros(2, latent_dim)).shape), (2, *shape)
    if len(shape) > 2:
        swapped = not _joined(given, wanted)
    else:  # of a vector, whose only axis may come in parts
        swapped = given != wanted and sorted(given) == sorted(wanted) and len(given) == len(wanted)
    if math.prod(given) != math.prod(wanted) or swapped:
        raise OptionError(f"The decoder gives shape {given} for 2 codes, but {what} needs {wanted}.")


def _joined(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a shape is another with some neighbouring axes in one, but for axes of length 1."""
    left = [size for size in wanted if size != 1]
    for size in given:
        while size > 1 and left and size % left[0] == 0:
            size //= left.pop(0)
        if size > 1:
            return False
    return not left


def build_encoder(shape: tuple[int, ...], out_features: int, how: Architecture) -> nn.Module:
    """An MLP on vectors (D,), or convolutions on maps (C, H, W)."""
    if how.network == "conv":
        return ConvEncoder(shape, how.channels, out_features, how.blocks, how.activation)
    return MLP(shape[0], how.hidden, out_features, how.activation)


@torch.no_grad()
def build_decoder(likelihood: Likelihood, stats: ColumnStats, how: Architecture) -> nn.Module:
    """From codes to the likelihood's raw parameters, the mirror of the encoder; starts at the independent features."""
    if how.network == "conv":
        channels, height, width = as_maps(likelihood.shape)
        maps = (likelihood.num_params * channels, height, width)
        decoder = ConvDecoder(how.latent_dim, how.channels, maps, how.blocks, how.activation)
        decoder.offset.copy_(likelihood.marginal(stats).reshape(maps))
        return decoder
    out = likelihood.num_params * math.prod(likelihood.shape)
    mlp = MLP(how.latent_dim, tuple(reversed(how.hidden)), out, how.activation)
    mlp.output.bias.copy_(likelihood.marginal(stats).reshape(-1))
    return mlp


@torch.no_grad()
def dry_run(name: str, module: nn.Module, x: Tensor) -> Tensor:
    """What an own module gives for x, in evaluation mode.

    Raises:
        OptionError: the module fails on it, or gives no tensor with a row for each row.
    """
    training = module.training
    module.eval()
    try:
        out = module(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise OptionError(f"The {name} fails on an input of shape {tuple(x.shape)}: {error}") from error
    finally:
        module.train(training)
    if not isinstance(out, Tensor) or out.shape[:1] != x.shape[:1]:
        raise OptionError(f"The {name} must give one tensor with a row for each row of its input.")
    return out
