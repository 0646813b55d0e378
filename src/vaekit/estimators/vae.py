"""`VAE`: the variational autoencoder with scikit-learn's conventions."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vaekit.data.rows import Binarize, Rows
from vaekit.errors import check_choice
from vaekit.estimators.bound import BoundEstimator
from vaekit.estimators.density import DensityEstimator
from vaekit.models import LatentVariableModel
from vaekit.models.building import Architecture, build_vae
from vaekit.models.hierarchical import HierarchicalVAE, TopDownMean
from vaekit.models.vae import MeanEncoder
from vaekit.priors import Prior
from vaekit.schema import ColumnStats


class VAE(BoundEstimator, DensityEstimator):
    r"""Variational autoencoder (Kingma and Welling 2013) on vectors and images.

    Maximises, over a decoder p(x|z) and an encoder q(z|x) at once, a lower bound on log p(x):

    .. math:: \log p(x) \ge E_{q(z|x)}[\log p(x|z)] - \beta\,\mathrm{KL}(q(z|x)\,\|\,p(z)), \qquad p(z) = N(0, I)

    Args:
        latent_dim: number L of latent units.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. () makes both linear.
        activation: "silu", "relu", "tanh", "gelu", "elu", "leaky_relu", "sigmoid" or "softplus".
        network: "mlp"; for images "conv", residual convolutions, or "ladder", a hierarchy of latent maps with top-down
            inference (`vaekit.models.HierarchicalVAE`).
        channels: of "conv" and "ladder", maps at each level; each level halves the image.
        blocks: of "conv" and "ladder", residual blocks at each level.
        stochastic_layers: of "ladder", layers of latent maps; `latent_dim` is then the channels of each.
        masked_layers: gated masked layers that read a pixel given those before it and the decoder's feature map
            (Chen et al. 2017); 0 leaves the pixels independent given z. The likelihood must be "bernoulli" or
            "logistic_mixture".
        masked_channels, masked_kernel, masked_features: channels and kernel size of these layers, and channels of the
            feature map.
        encoder: own module from (B, \*shape), standardised, to features (B, F); a linear map to q's
            parameters is added.
        decoder: own module from (B, L) to the likelihood's raw parameters (B, P, \*shape); a
            `vaekit.models.VariationalWeights` makes its weights latent too, and the objective a bound over them.
        likelihood: "auto" (see `vaekit.likelihoods.choose_likelihood`), "bernoulli", "binomial", "gaussian" (a sigma
            per feature), "isotropic" (one for all), "heteroscedastic" (a sigma per point), "poisson",
            "negative_binomial", "categorical", "discretised_logistic" or "logistic_mixture".
        binarize: how grey-scale values are made binary for "bernoulli": "dynamic" (drawn anew at each visit), "static"
            (drawn once) or "threshold" (at half of the largest). Scores are of one fixed draw, keyed by the row.
        prior: "normal", N(0, I), "mixture" of Gaussians, "vamp" (Tomczak and Welling 2018), "flow" (extra `flows`), or
            a `vaekit.priors.Prior`.
        components: of the mixtures "mixture" and "vamp".
        objective: "elbo"; "iwae", the importance-weighted bound with `samples` samples (Burda et al. 2016); "dreg", the
            same with doubly reparameterised gradients (Tucker et al. 2019); "stl", with the path derivative alone
            (Roeder et al. 2017); "tc", the beta-TCVAE, where beta weighs the total correlation (Chen et al. 2018);
            "factor", the FactorVAE, where `gamma` weighs it beside the bound (Kim and Mnih 2018); "wake_sleep", no
            bound but its older rival (Hinton et al. 1995).
        kl: "analytic" (estimator B of the paper), "monte_carlo" (estimator A), or "auto": B where the prior allows it;
            of "elbo" and "factor", as the other objectives are made of samples whatever it is.
        samples: samples of z per row in training.
        beta: weight of the KL term; 1 is the bound.
        kl_warmup: epochs over which beta rises from 0 to its value.
        gamma: of "factor", weight of the total correlation, which a discriminator estimates.
        discriminator: of "factor", widths of its hidden layers; the paper has six of 1,000.
        free_bits: nats per latent unit below which the KL is not pushed.
        epochs: passes over the data, at most.
        batch_size: rows a step.
        learning_rate: step size of Adam at the start.
        schedule: "constant", "cosine" or "linear" (both to 0 at the last epoch).
        optimizer: "adam" or "adamw".
        epsilon: Adam's epsilon.
        weight_decay: 0 by default.
        clip_norm: largest norm of the gradient, or None.
        average: decay of a moving average of the weights, which is then what is kept (0.999, say), or None.
        validation_fraction: share of the rows held out to stop early and choose the best weights; None trains on every
            row, to the last epoch.
        validation_samples: importance samples of the held-out score; None scores by the objective, without
            `free_bits`, and for "tc" and "factor" without the total correlation: for beta = 1 by the ELBO, with
            "iwae", "dreg" and "stl" by their bound on log p(x), whatever beta.
        validation_every: epochs from one look at the held-out rows to the next.
        patience: epochs without a better held-out score before training stops, or None.
        precision: "float32", or "bfloat16" for the networks, faster for large ones where a processor has it.
        compile: run the step through torch.compile, once its gradients on a first batch agree with the model's.
        warm_start: go on from the weights of the last fit, with the same rows held out.
        device: "auto", "cpu", "cuda", ...
        callbacks: functions of an epoch's record.
        random_state: None, an int or a RandomState; a fit is a function of it, the data and the parameters. But fits in
            several threads at once share torch's generators: use processes, as joblib does by default.
        verbose: 0 for silence.

    Attributes:
        model_: the trained `vaekit.models.VAE` or `HierarchicalVAE`.
        encoder_: a copy of the encoder, on the CPU, as an nn.Module from raw X to posterior means.
        likelihood_: name of the likelihood in use.
        history_: a dict per epoch.
        n_iter_, best_epoch_: epochs run, and the one whose weights were kept.
        schema_: what a row of the data is.

    Raises:
        OptionError, DataError, TrainingError: see `fit`.

    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> vae = VAE(latent_dim=2, hidden=(16,), epochs=5, random_state=0, verbose=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(3, random_state=0).shape, vae.score_samples(X).shape
    ((150, 2), (3, 4), (150,))
    """

    def __init__(
        self,
        latent_dim: int = 20,
        hidden: Sequence[int] = (512,),
        *,
        activation: str = "silu",
        network: Literal["mlp", "conv", "ladder"] = "mlp",
        channels: Sequence[int] = (32, 64),
        blocks: int = 1,
        stochastic_layers: int = 3,
        masked_layers: int = 0,
        masked_channels: int = 16,
        masked_kernel: int = 3,
        masked_features: int = 8,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        likelihood: str = "auto",
        binarize: Binarize = "dynamic",
        prior: str | Prior = "normal",
        components: int = 100,
        objective: Literal["elbo", "iwae", "dreg", "stl", "tc", "factor", "wake_sleep"] = "elbo",
        kl: Literal["auto", "analytic", "monte_carlo"] = "auto",
        samples: int = 1,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        gamma: float = 10.0,
        discriminator: Sequence[int] = (256, 256, 256),
        free_bits: float = 0.0,
        epochs: int = 200,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        optimizer: str = "adam",
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        average: float | None = None,
        validation_fraction: float | None = 0.1,
        validation_samples: int | None = None,
        validation_every: int = 1,
        patience: int | None = 20,
        precision: str = "float32",
        compile: bool = False,
        warm_start: bool = False,
        device: str = "auto",
        callbacks: Sequence[Callable[[dict[str, Any]], object]] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.network = network
        self.channels = channels
        self.blocks = blocks
        self.stochastic_layers = stochastic_layers
        self.masked_layers = masked_layers
        self.masked_channels = masked_channels
        self.masked_kernel = masked_kernel
        self.masked_features = masked_features
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.binarize: Binarize = binarize
        self.prior = prior
        self.components = components
        self.objective = objective
        self.kl = kl
        self.samples = samples
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.gamma = gamma
        self.discriminator = discriminator
        self.free_bits = free_bits
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.average = average
        self.validation_fraction = validation_fraction
        self.validation_samples = validation_samples
        self.validation_every = validation_every
        self.patience = patience
        self.precision = precision
        self.compile = compile
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # -- fitting ---------------------------------------------------------------------------------------------------

    @property
    def _autoregressive(self) -> bool:
        return self._params["masked_layers"] > 0

    def _build(self, stats: ColumnStats, rows: Rows | None) -> LatentVariableModel:
        options: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(Architecture)}
        options["prior"] = copy.deepcopy(self.prior)
        examples = None
        if rows is not None and self.prior == "vamp":
            examples = rows.take(torch.randint(len(rows), (self.components,)))
        return build_vae(
            self._base_likelihood(stats),
            stats,
            Architecture(**options),
            encoder=copy.deepcopy(self.encoder),
            decoder=copy.deepcopy(self.decoder),
            examples=examples,
        )

    # -- using -----------------------------------------------------------------------------------------------------

    def _mean_encoder(self) -> MeanEncoder:
        if isinstance(self.model_, HierarchicalVAE):
            return MeanEncoder(self._grey, TopDownMean(self.model_), self.model_.latent_dim)
        scaling = self.model_.scaling if self.fitted_["grey_max"] is None else self._grey
        return MeanEncoder(scaling, self.model_.encoder, self.model_.latent_dim)

    def _posterior(self, x: Tensor) -> Any:
        return self.model_.posterior(self._grey(x))

    def _decode(self, z: Tensor) -> Tensor:
        return self.model_.decode(z).mean * (self.fitted_["grey_max"] or 1.0)

    def sample(
        self,
        n: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        prior: Literal["model", "fitted"] = "model",
    ) -> Any:
        """Draw n rows from the model: z from the prior, x from p(x|z); in a container like that of the data.

        With prior="fitted" the codes come from the mixture of `fit_prior`: from where those of the data are, but not
        from the density that `score_samples` gives.

        Grey-scale values under a Bernoulli likelihood come back as the probabilities of a one, times the largest grey
        level: a picture that can be looked at. Data of two values, 0 and another, come back as such, and so do all
        where masked layers make the pixels depend on each other.

        Raises:
            OptionError: an argument cannot be used, or prior="fitted" before `fit_prior`.
        """

        def draw(count: int) -> Tensor:
            fitted = prior == "fitted"
            z = self._fitted_codes(count) if fitted else self.model_.prior(self.model_.posterior).sample((count,))
            p = self.model_.decode(z.to(next(self.model_.parameters()).device))
            return p.sample() if self._draws_values else p.mean

        check_choice("prior", prior, ["model", "fitted"])
        return self._sample(n, random_state, draw)
