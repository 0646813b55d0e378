"""One catalogue of instances, and the laws that hold for each of them.

A new likelihood, prior, objective or model is one line in its catalogue here; the tests beside run every law on it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.integrate
import scipy.stats
import torch
from torch import Tensor, nn

from vaekit.data.rows import Rows
from vaekit.distributions import DiagonalNormal
from vaekit.evaluation.likelihood import score_rows
from vaekit.likelihoods import LIKELIHOODS, Likelihood
from vaekit.models import VAE, LatentVariableModel
from vaekit.models.base import Terms
from vaekit.models.building import Architecture, build_networks, build_vae, input_scaling
from vaekit.objectives import (
    FactorObjective,
    doubly_reparameterised,
    elbo,
    importance_weighted,
    sticking_the_landing,
    total_correlation,
)
from vaekit.priors import FittedMixture, FlowPrior, GaussianMixture, Prior, StandardNormal, VampPrior
from vaekit.randomness import isolated_rng
from vaekit.schema import ColumnStats

SIGMAS = 5.0  # a Monte Carlo mean further than this many standard errors from the exact value is wrong


# -- likelihoods -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LikelihoodCase:
    """A likelihood, its settings and shape, by the data that it is calibrated on.

    Attributes:
        kind: its name in LIKELIHOODS.
        data: (n, *shape) rows to calibrate on.
        support: number of values, from 0, whose joint probabilities are summed; None for real numbers.
        spread: standard deviation of the random raw parameters: small for counts, whose support must be cut off.
    """

    kind: str
    data: np.ndarray = field(repr=False)
    support: int | None = None
    spread: float = 1.5

    @property
    def id(self) -> str:
        return f"{self.kind}{self.data.shape[1:]}"

    @property
    def stats(self) -> ColumnStats:
        return Rows(self.data).stats()

    def make(self, dtype: torch.dtype = torch.float64) -> Likelihood:
        """The likelihood, calibrated."""
        return LIKELIHOODS[self.kind].from_stats(self.stats).to(dtype)

    def params(self, *batch: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
        """Random raw parameters (*batch, P, *shape)."""
        generator = torch.Generator().manual_seed(seed)
        shape = (*batch, self.make().num_params, *self.data.shape[1:])
        return self.spread * torch.randn(shape, generator=generator, dtype=dtype)

    def rows(self, n: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """The first n rows of the data."""
        return torch.from_numpy(self.data[:n]).to(dtype)

    def every_value(self) -> Tensor:
        """Every row of the support, one after the other."""
        assert self.support is not None
        shape = self.data.shape[1:]
        values = itertools.product(range(self.support), repeat=int(np.prod(shape)))
        return torch.tensor(list(values), dtype=torch.float64).view(-1, *shape)


def _whole(high: list[int], n: int = 200) -> np.ndarray:
    """Rows with uniform whole numbers from 0 to `high` in each column, both ends present."""
    rng = np.random.default_rng(1)
    x = np.stack([rng.integers(0, h + 1, n) for h in high], 1)
    x[0], x[1] = 0, high
    return x


def _real(scale: list[float], n: int = 300) -> np.ndarray:
    """Rows with normal columns about 3; a scale of 0 makes a constant column."""
    return 3.0 + np.random.default_rng(2).standard_normal((n, len(scale))) * scale


LIKELIHOOD_CASES = [
    LikelihoodCase("bernoulli", _whole([1, 1, 1, 1]), 2),
    LikelihoodCase("bernoulli", _whole([1] * 6).reshape(-1, 2, 3), 2),
    LikelihoodCase("bernoulli", _whole([1, 0]), 2),
    LikelihoodCase("binomial", _whole([4, 4]), 5),
    LikelihoodCase("binomial", _whole([7, 3, 1]), 8),
    LikelihoodCase("gaussian", _real([1.0, 0.01])),
    LikelihoodCase("gaussian", _real([2.0, 0.0, 50.0])),
    LikelihoodCase("gaussian", _real([1.0, 2.0, 3.0, 4.0]).reshape(-1, 2, 2)),
    LikelihoodCase("isotropic", np.add(_real([1.0, 0.5]), [0.0, 300.0])),
    LikelihoodCase("isotropic", _real([2.0, 0.0, 1.0, 0.5]).reshape(-1, 2, 2)),
    LikelihoodCase("heteroscedastic", _real([1.0, 0.01])),
    LikelihoodCase("heteroscedastic", _real([2.0, 0.0, 50.0])),
    LikelihoodCase("poisson", _whole([6, 2]), 80, 0.7),
    LikelihoodCase("poisson", _whole([0, 9]).reshape(-1, 1, 2), 80, 0.7),
    LikelihoodCase("negative_binomial", _whole([6, 2]), 400, 0.4),
    LikelihoodCase("categorical", _whole([4, 4]), 5),
    LikelihoodCase("categorical", _whole([4, 2, 0]), 5),
    LikelihoodCase("categorical", _whole([1, 1]), 2),
    LikelihoodCase("discretised_logistic", _whole([15, 15]), 16),
    LikelihoodCase("discretised_logistic", _whole([3] * 4).reshape(-1, 1, 2, 2), 4),
    LikelihoodCase("discretised_logistic", _whole([255]), 256),
    LikelihoodCase("logistic_mixture", _whole([15, 15]), 16),
    LikelihoodCase("logistic_mixture", _whole([3] * 6).reshape(-1, 3, 1, 2), 4),
    LikelihoodCase("logistic_mixture", _whole([255]), 256),
]
DISCRETE = [case for case in LIKELIHOOD_CASES if case.support is not None]
CONTINUOUS = [case for case in LIKELIHOOD_CASES if case.support is None]


def probabilities_sum_to_one(case: LikelihoodCase) -> None:
    """Over every row of the support, whatever the raw parameters."""
    p = case.make()(case.params(1))
    torch.testing.assert_close(p.log_prob(case.every_value()).exp().sum().item(), 1.0, rtol=0, atol=1e-9)


def density_integrates_to_one(case: LikelihoodCase) -> None:
    """Column by column in the data's own units, and the row's density is the product of the columns'."""
    likelihood, params, x = case.make().requires_grad_(False), case.params(), case.rows(3)
    stats, joint = case.stats, torch.zeros(3, dtype=torch.float64)
    columns = np.ndindex(*case.data.shape[1:])
    for place in columns:
        if stats.high[place] == stats.low[place]:
            continue
        single = LikelihoodCase(case.kind, case.data[(slice(None), *place)][:, None]).make()
        if case.kind in ("gaussian", "isotropic"):
            single.raw_sigma.data.fill_(float(likelihood.raw_sigma.expand(likelihood.shape)[place]))
            single.scale.fill_(float(likelihood.scale[place]))  # of all columns together, or its own anyway
        single.requires_grad_(False)
        p = single(params[(slice(None), *place)][:, None])

        def density(value: float, p: Any = p) -> float:
            return float(p.log_prob(torch.tensor([value], dtype=torch.float64)).exp())

        centre, width = float(p.mean), 12 * float(p.variance.sqrt())
        total, _ = scipy.integrate.quad(density, centre - width, centre + width, epsabs=1e-10)
        assert abs(total - 1) < 1e-8
        joint += p.log_prob(x[(slice(None), *place)][:, None])
    torch.testing.assert_close(likelihood(params).log_prob(x), joint)


def density_is_per_unit(case: LikelihoodCase) -> None:
    """The same rows in units an eighth as large lose log 8 nats for each column that varies."""
    params, x, stats = case.params(), case.rows(20), case.stats
    varying = int((stats.high > stats.low).sum())
    scaled = LikelihoodCase(case.kind, case.data * 8).make()
    lost = case.make()(params).log_prob(x) - scaled(params).log_prob(8 * x)
    torch.testing.assert_close(lost, torch.full_like(lost, varying * np.log(8)), rtol=1e-6, atol=1e-6)


def samples_follow_log_prob(case: LikelihoodCase) -> None:
    """The samples' mean is `.mean`, and the mean of their log-probability is minus the entropy."""
    n = 20_000
    p = case.make().requires_grad_(False)(case.params())
    x = p.sample((n,))
    exact = case.kind != "categorical"  # its `mean` is the mode: codes have no order
    if exact and not (case.kind == "logistic_mixture" and len(case.data.shape) == 4):  # channels at each other's means
        tolerance = SIGMAS * x.std(0) / n**0.5 + 1e-9 * (1 + p.mean.abs())
        assert bool(((x.mean(0) - p.mean).abs() <= tolerance).all())
    if case.support is not None:
        logs = p.log_prob(case.every_value())
        expected = torch.xlogy(logs.exp(), logs.exp()).sum().item()
    else:
        varies = p.variance > 0
        expected = float(-(0.5 * torch.log(2 * np.pi * np.e * p.variance[varies])).sum())
    each = p.log_prob(x)
    assert abs(each.mean().item() - expected) <= SIGMAS * each.std().item() / n**0.5


def gradients_agree_with_differences(case: LikelihoodCase) -> None:
    """By autograd and by finite differences."""
    likelihood, x = case.make(), case.rows(3)
    assert torch.autograd.gradcheck(lambda a: likelihood(a).log_prob(x), case.params(2, 3).requires_grad_())


def rows_and_samples_broadcast(case: LikelihoodCase) -> None:
    """(K, B) log-probabilities are those of each sample and row by itself."""
    likelihood, params, x = case.make(), case.params(4, 3), case.rows(3)
    values = likelihood(params).log_prob(x)
    each = [[likelihood(params[k, b]).log_prob(x[b]) for b in range(3)] for k in range(4)]
    torch.testing.assert_close(values, torch.stack([torch.stack(row) for row in each]))


def stays_finite(case: LikelihoodCase) -> None:
    """In float32, at raw parameters far beyond those of any trained network."""
    likelihood, x = case.make(torch.float32), case.rows(8, torch.float32)
    shape = (8, likelihood.num_params, *likelihood.shape)
    for signs in itertools.product((-1.0, 1.0), repeat=min(likelihood.num_params, 2)):
        for size in (0.0, 30.0, 200.0, 1e4):
            raw = torch.zeros(shape)
            for i, sign in enumerate(signs):
                raw[:, i] = sign * size
            raw.requires_grad_()
            values = likelihood(raw).log_prob(x)
            (gradient,) = torch.autograd.grad(values.sum(), raw)
            assert bool(torch.isfinite(values).all()), (signs, size)
            assert bool(torch.isfinite(gradient).all()), (signs, size)


def single_precision_is_enough(case: LikelihoodCase) -> None:
    """float32 in, float32 out, within 1e-5 of the same in float64."""
    params, x = case.params(5), case.rows(5)
    exact = case.make()(params)
    p = case.make(torch.float32)(params.float())
    assert {p.log_prob(x.float()).dtype, p.mean.dtype, p.sample().dtype} == {torch.float32}
    torch.testing.assert_close(p.log_prob(x.float()).double(), exact.log_prob(x), rtol=2e-5, atol=2e-4)


def rebuilt_from_settings(case: LikelihoodCase) -> None:
    """Settings and state dict make the same likelihood again."""
    likelihood, params, x = case.make(), case.params(5), case.rows(5)
    again = type(likelihood)(likelihood.shape, **likelihood.settings).double()
    again.load_state_dict(likelihood.state_dict())
    assert torch.equal(again(params).log_prob(x), likelihood(params).log_prob(x))


def unlinked_values_are_independent(case: LikelihoodCase) -> None:
    """What two rows have in sum is what they have with some of their values exchanged."""
    likelihood, params, x = case.make(), case.params(), case.rows(40)
    p, y = likelihood(likelihood.unlinked(params)), x.flip(0)
    exchanged = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    mixed = p.log_prob(torch.where(exchanged, x, y)) + p.log_prob(torch.where(exchanged, y, x))
    torch.testing.assert_close(mixed, p.log_prob(x) + p.log_prob(y))


def marginal_has_the_columns_means(case: LikelihoodCase) -> None:
    """At the raw parameters of `marginal`, but for the smoothing by half a row."""
    likelihood, stats = case.make(), case.stats
    p = likelihood(likelihood.marginal(stats).double())
    if case.kind == "categorical":  # the start of a fit: equal for the codes a column has
        seen = (case.stats.high + 1).log().sum()
        torch.testing.assert_close(p.log_prob(case.rows(4)), -seen.expand(4), rtol=1e-6, atol=1e-6)
        return
    span = (stats.high - stats.low).clamp_min(1.0)
    if case.kind == "binomial":  # smoothed by half a row of all failures and half a row of all successes
        span = stats.high.max()
    slack = (
        0.03 if case.kind in ("discretised_logistic", "logistic_mixture") else 1.0 / stats.n
    )  # tails cut at the ends; half a row
    assert bool(((p.mean - stats.mean).abs() <= slack * span).all())


# -- priors ------------------------------------------------------------------------------------------------------------

PRIORS: dict[str, Callable[[], Prior]] = {
    "normal, 1 unit": lambda: StandardNormal(1),
    "normal, 2 units": lambda: StandardNormal(2),
    "mixture, 1 unit": lambda: _started(GaussianMixture(1, 3)),
    "mixture, 2 units": lambda: _started(GaussianMixture(2, 4)),
    "vamp, 2 units": lambda: _Encoded(VampPrior(2, torch.randn(5, 4))),
    "fitted, 2 units": lambda: FittedMixture.fit(
        np.random.default_rng(0).normal(size=(300, 2)) @ [[1, 0.8], [0, 0.4]], 3
    ),
    "flow, 2 units": lambda: _started(FlowPrior(2, transforms=2, hidden=(8,))),
}


class _Encoded(Prior):
    """A prior of posteriors, with an encoder of its own, so that it can be called without one."""

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.prior, self.latent_dim = prior, prior.latent_dim
        self.encoder = nn.Linear(4, 2 * prior.latent_dim)

    def forward(self, encoder: Any = None) -> Any:
        return self.prior(lambda x: DiagonalNormal(*self.encoder(x).chunk(2, -1)))


def _started(prior: Prior) -> Prior:
    """With weights that are no special ones."""
    for parameter in prior.parameters():
        nn.init.normal_(parameter, std=0.4)
    return prior


# -- models ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelCase:
    """A model with random weights, and rows to look at it with."""

    id: str
    make: Callable[[], LatentVariableModel]
    data: np.ndarray = field(repr=False)


@isolated_rng(0)
def mlp_vae(case: LikelihoodCase, latent_dim: int = 3) -> VAE:
    """An MLP VAE under the case's likelihood, at the start of training."""
    likelihood = case.make(torch.float32)
    scaling = input_scaling(likelihood, case.stats)
    encoder, decoder = build_networks(
        likelihood, case.stats, scaling, Architecture(latent_dim=latent_dim, hidden=(8,), activation="tanh")
    )
    return VAE(encoder, decoder, likelihood, latent_dim, scaling=scaling).eval()


class SequenceDecoder(nn.Module):
    """Codes to (B, P, T) by a transposed view, as a recurrent network would give."""

    def __init__(self, latent_dim: int, params: int, length: int) -> None:
        super().__init__()
        self.linear = nn.Linear(latent_dim, params * length)
        self.params = params

    def forward(self, z: Tensor) -> Tensor:
        return self.linear(z).view(len(z), -1, self.params).transpose(1, 2)


@isolated_rng(0)
def own_network_vae() -> VAE:
    """A convolutional encoder and a decoder whose output does not lie in order in memory."""
    case = LikelihoodCase("heteroscedastic", _real([1.0] * 12))
    likelihood = case.make(torch.float32)
    scaling = input_scaling(likelihood, case.stats)
    encoder, decoder = build_networks(
        likelihood,
        case.stats,
        scaling,
        Architecture(latent_dim=2, hidden=(), activation="tanh"),
        encoder=nn.Sequential(nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 4, 3, stride=2), nn.Tanh()),
        decoder=SequenceDecoder(2, 2, 12),
    )
    return VAE(encoder, decoder, likelihood, 2, scaling=scaling).eval()


_BINARY = LikelihoodCase("bernoulli", _whole([1] * 15).reshape(-1, 5, 3), 2)
_COLOUR = LikelihoodCase("logistic_mixture", _whole([3] * 8).reshape(-1, 2, 2, 2), 4)


@isolated_rng(0)
def image_vae(case: LikelihoodCase, how: Architecture) -> LatentVariableModel:
    """A VAE of images, with weights that are no special ones."""
    rows = case.rows(20, torch.float32)
    model = build_vae(case.make(torch.float32), case.stats, how, examples=rows).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and "prior" not in name.split(".")[0]:
            nn.init.normal_(parameter, std=0.2)
    return model


MODEL_CASES = [
    *(ModelCase(f"mlp {case.id}", lambda case=case: mlp_vae(case), case.data) for case in LIKELIHOOD_CASES),
    ModelCase("own networks", own_network_vae, _real([1.0] * 12)),
    *(
        ModelCase(name, lambda case=case, how=how: image_vae(case, how), case.data)
        for name, case, how in (
            ("conv", _BINARY, Architecture("conv", 3, channels=(4, 6))),
            ("conv, colour", _COLOUR, Architecture("conv", 3, channels=(4,))),
            ("ladder", _BINARY, Architecture("ladder", 1, channels=(4, 6), stochastic_layers=3)),
            ("ladder, colour", _COLOUR, Architecture("ladder", 1, channels=(4,), stochastic_layers=2)),
            ("masked layers", _BINARY, Architecture("conv", 2, channels=(4,), masked_layers=2, masked_channels=4)),
            ("masked layers, colour", _COLOUR, Architecture("mlp", 2, (8,), masked_layers=1, masked_channels=4)),
            ("ladder, masked layers", _BINARY, Architecture("ladder", 1, channels=(4,), masked_layers=1)),
            ("mixture prior", _BINARY, Architecture("mlp", 2, (8,), prior="mixture", components=3)),
            ("vamp prior", _BINARY, Architecture("mlp", 2, (8,), prior="vamp", components=3)),
            ("flow prior", _BINARY, Architecture("mlp", 2, (8,), prior="flow")),
        )
    ),
]


def terms_have_their_shapes(case: ModelCase) -> None:
    """(K, B) log-densities, (B, L) divergences, and each the density of the very samples."""
    model, x = case.make(), Rows(case.data).take(slice(0, 5))
    terms, latent = model.terms(x, 4), model.latent_dim
    assert terms.z.shape == (4, 5, latent)
    assert terms.log_px.shape == terms.log_pz.shape == terms.log_qz.shape == (4, 5)
    closed = isinstance(model.prior, StandardNormal)
    assert (terms.kl is None) != closed and (terms.kl is None or terms.kl.shape == (5, latent))
    q = torch.distributions.Normal(terms.posterior.mean, terms.posterior.stddev)
    torch.testing.assert_close(terms.log_qz, q.log_prob(terms.z).sum(-1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms.log_px[2], model.decode(terms.z[2]).log_prob(x))


def one_sample_needs_no_dimension(case: ModelCase) -> None:
    """A sample asked for as such is that of K = 1 without its leading dimension, and so are its bounds."""
    model, x = case.make(), Rows(case.data).take(slice(0, 5))
    for noise in (None, lambda *shape: torch.linspace(-1, 1, math.prod(shape)).view(shape)):
        with isolated_rng(1):
            one = model.terms(x, None, noise=noise)
        with isolated_rng(1):
            many = model.terms(x, 1, noise=noise)
        for name in ("z", "log_px", "log_pz", "log_qz"):
            torch.testing.assert_close(getattr(one, name), getattr(many, name)[0], rtol=1e-4, atol=1e-4)
        for analytic in (False, True) if many.kl is not None else (False,):
            ours, theirs = (elbo(terms, beta=0.7, analytic=analytic) for terms in (one, many))
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        ours, theirs = (importance_weighted(terms, beta=0.7) for terms in (one, many))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def scores_belong_to_rows(case: ModelCase) -> None:
    """A row's scores do not depend on the batch size, the rows beside it or the caller's generator."""
    model, rows = case.make(), Rows(case.data)
    whole = score_rows(model, rows, 60, seed=3, batch_size=1000)
    few = torch.arange(len(rows) - 1, 0, -17)
    for scores, kept in (
        (score_rows(model, rows, 60, seed=3, batch_size=7), slice(None)),
        (score_rows(model, rows.subset(few), 60, seed=3, batch_size=1), few.numpy()),
        (score_rows(model, rows, 60, seed=3), slice(None)),
    ):
        names = ["log_likelihood", "elbo", "reconstruction", "kl", "means"]
        for name in (*names, *(["kl_units"] if whole.kl_units is not None else [])):
            np.testing.assert_allclose(
                getattr(scores, name), getattr(whole, name)[kept], rtol=2e-5, atol=2e-4, err_msg=name
            )


def bounds_are_in_order(case: ModelCase) -> None:
    """ELBO = IWAE_1 <= IWAE_5 <= IWAE_50 on average over the noise, and an ELBO is its reconstruction less its KL."""
    model, rows = case.make(), Rows(np.unique(case.data[:60], axis=0))
    gains = []
    for seed in range(12):
        scores = [score_rows(model, rows, k, seed=seed) for k in (1, 5, 50)]
        np.testing.assert_allclose(scores[1].elbo, scores[1].reconstruction - scores[1].kl, rtol=1e-9)
        bounds = [scores[2].elbo, *(each.log_likelihood for each in scores)]
        gains.append(np.diff([bound.mean() for bound in bounds]))
    mean, se = np.mean(gains, 0), np.std(gains, 0, ddof=1) / len(gains) ** 0.5
    assert abs(mean[0]) <= SIGMAS * se[0] + 1e-4
    assert (mean[1:] >= -3 * se[1:] - 1e-4).all()


def weights_survive_a_state_dict(case: ModelCase) -> None:
    """Another instance with the same state gives the same scores."""
    model, again, rows = case.make(), case.make(), Rows(case.data[:20])
    for parameter in again.parameters():
        nn.init.zeros_(parameter)
    again.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(score_rows(again, rows, 5).elbo, score_rows(model, rows, 5).elbo)


# -- objectives --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectiveCase:
    """An objective with its arguments.

    Attributes:
        bounds_evidence: whether its expectation is at most log p(x).
    """

    id: str
    call: Callable[[Terms], Tensor]
    bounds_evidence: bool = True


def _factor(terms: Terms) -> Tensor:
    """The FactorVAE's objective by one and the same discriminator."""
    with isolated_rng(0):
        objective = FactorObjective(terms.z.shape[-1], hidden=(8,))
    return objective(terms)


OBJECTIVES = [
    ObjectiveCase("elbo A", lambda t: elbo(t, analytic=False)),
    ObjectiveCase("elbo B", elbo),
    ObjectiveCase("beta 4", lambda t: elbo(t, beta=4.0)),
    ObjectiveCase("beta 0", lambda t: elbo(t, beta=0.0), bounds_evidence=False),
    ObjectiveCase("free bits", lambda t: elbo(t, free_bits=0.5)),
    ObjectiveCase("iwae", importance_weighted),
    ObjectiveCase("iwae, beta 0.5", lambda t: importance_weighted(t, beta=0.5), bounds_evidence=False),
    ObjectiveCase("stl", sticking_the_landing),
    ObjectiveCase("dreg", doubly_reparameterised),
    ObjectiveCase("tc", lambda t: total_correlation(t, 400)),
    ObjectiveCase("tc, beta 4", lambda t: total_correlation(t, 400, beta=4.0), bounds_evidence=False),
    ObjectiveCase("factor", _factor, bounds_evidence=False),
]


# -- a model whose evidence is known -----------------------------------------------------------------------------------


class LinearGaussian:
    r"""A linear VAE with Gaussian likelihood: p(x) = N(b, W W^T + Psi), the posterior normal with diagonal covariance.

    W = Psi^(1/2) Q diag(c) with orthonormal columns Q, so that the posterior covariance (I + W^T Psi^-1 W)^-1 is
    diagonal and a VAE can be exact.

    Args:
        off: how far q is from the posterior: its means are moved and its variances widened by this much.
    """

    def __init__(self, off: float = 0.0, *, dim: int = 5, latent_dim: int = 2, n: int = 400) -> None:
        rng = np.random.default_rng(5)
        self.b = rng.normal(size=dim) * 3
        sigma = rng.uniform(0.4, 1.5, size=dim)
        basis = np.linalg.qr(rng.normal(size=(dim, latent_dim)))[0]
        gain = np.linspace(2.0, 0.7, latent_dim)
        self.W = sigma[:, None] * basis * gain
        self.cov = self.W @ self.W.T + np.diag(sigma**2)
        self.x = rng.multivariate_normal(self.b, self.cov, size=n).astype(np.float32)
        self.model = self._model(sigma, gain, off)

    @isolated_rng(0)
    def _model(self, sigma: np.ndarray, gain: np.ndarray, off: float) -> VAE:
        dim, latent = self.W.shape
        likelihood = LIKELIHOODS["gaussian"]((dim,))
        variance = 1 / (1 + gain**2)
        to_z = variance[:, None] * (self.W / sigma[:, None] ** 2).T
        encoder, decoder = nn.Linear(dim, 2 * latent), nn.Linear(latent, dim)

        def tensor(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float32)

        with torch.no_grad():
            likelihood.raw_sigma.copy_(torch.log(torch.expm1(tensor(sigma) - likelihood.floor)))
            decoder.weight.copy_(tensor(self.W))
            decoder.bias.copy_(tensor(self.b))
            encoder.weight.copy_(tensor(np.vstack([to_z, 0 * to_z])))
            encoder.bias.copy_(tensor(np.hstack([off - to_z @ self.b, 0.5 * np.log(variance) + off])))
        return VAE(encoder, decoder, likelihood, latent).eval()

    def log_evidence(self) -> np.ndarray:
        """(n,) log p(x)."""
        return scipy.stats.multivariate_normal(self.b, self.cov).logpdf(self.x.astype(np.float64))

    def exact_elbo(self, x: Tensor, beta: float = 1.0) -> Tensor:
        """(B,) ELBO with every expectation in closed form, differentiable in the weights."""
        q, p = self.model.posterior(x), self.model.decode(self.model.posterior(x).mean)
        spread = q.variance @ self.model.decoder.weight.square().T  # (B, D) variance of W z under q
        reconstruction = p.log_prob(x) - 0.5 * (spread / p.variance).sum(-1)
        kl = 0.5 * (q.mean.square() + q.variance - 1 - q.variance.log()).sum(-1)
        return reconstruction - beta * kl
