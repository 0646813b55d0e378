r"""How likely a model finds data: the ELBO with its parts and the importance-weighted bound, row by row.

For K samples z_k ~ q(z|x) of each row, with weights w_k = p(x|z_k) p(z_k) / q(z_k|x):

.. math::
    \text{reconstruction} = \tfrac1K \sum_k \log p(x|z_k), \qquad
    \text{ELBO} = \text{reconstruction} - \mathrm{KL}(q(z|x)\,\|\,p(z)), \qquad
    \log p(x) \ge \log \tfrac1K \sum_k w_k

the last in expectation, rising with K to log p(x) (Burda et al. 2016, theorem 1). A row's value depends on the row and
the seed only. A row is encoded once and its samples are streamed, so the decoded values in memory
do not grow with K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from vaekit.data.rows import Rows, spaced
from vaekit.errors import DataError, check_number
from vaekit.likelihoods import CategoricalCodes, Likelihood
from vaekit.models.base import LatentVariableModel
from vaekit.models.pixelcnn import PixelCNN
from vaekit.randomness import isolated_rng, row_noise
from vaekit.schema import ColumnStats
from vaekit.training.schedules import cosine

_SAMPLES = 50  # importance samples decoded at a time, at most
_VALUES = 2**20  # decoded values, that is raw parameters, at a time
_MAPS = 2**22  # values of maps of images at a time on a CPU: what its cache holds, as most maps are smaller than images
_GPU_VALUES = 2**24  # the same on a GPU, which small batches leave idle
_GPU_MAPS = 2**26  # values of maps there: 256 MiB
_FITTED_VALUES = 2**22  # raw parameters times rows in a step of `fit_independent`
_STEPS = 150  # of Adam, in which independent features are fitted


@dataclass(frozen=True, eq=False)
class RowScores:
    """Scores of n rows in nats.

    Attributes:
        log_likelihood: (n,) importance-weighted bound on log p(x).
        elbo: (n,) evidence lower bound.
        reconstruction: (n,) E_q log p(x|z).
        kl: (n,) KL(q(z|x) || p(z)).
        means: (n, L) posterior means.
        kl_units: (n, L) KL per unit, or None where it has no closed form.
        samples: K.
    """

    log_likelihood: np.ndarray
    elbo: np.ndarray
    reconstruction: np.ndarray
    kl: np.ndarray
    means: np.ndarray
    kl_units: np.ndarray | None
    samples: int


def check_rows(rows: Rows) -> None:
    """Raise DataError unless there are rows."""
    if not len(rows):
        raise DataError("There are no rows to score.")


@torch.no_grad()
def score_rows(
    model: LatentVariableModel, rows: Rows, num_samples: int, *, seed: int = 0, batch_size: int | None = None
) -> RowScores:
    """Score rows by `num_samples` importance samples each.

    Args:
        model: in evaluation mode.
        rows: binary or in the likelihood's units; grey-scale rows must have been `fixed`.
        num_samples: K.
        seed: of the noise.
        batch_size: rows at a time; by default `codes_that_fit`. Does not change values.

    Raises:
        DataError: there are no rows.
        OptionError: `num_samples` is no whole number above 0.
    """
    check_number("num_samples", num_samples, low=1, integer=True)
    check_rows(rows)
    device = next(model.parameters()).device
    latent = model.latent_dim
    collected: list[tuple[Tensor, ...]] = []
    prior: Any = None  # p(z)
    with isolated_rng():
        codes = codes_that_fit(model, rows.shape)
        samples = min(num_samples, _SAMPLES, codes)
        batch = batch_size or min(1024, codes // samples)
        for part in rows.chunks(batch):
            x = rows.take(part).to(device)
            keys = rows.keys(part).to(device)
            posterior = model.posterior(x)
            total = torch.full((len(x),), -math.inf, dtype=torch.float64, device=device)  # log of the sum of w_k
            log_px, log_ratio = torch.zeros_like(total), torch.zeros_like(total)
            kl_units = None
            for start in range(0, num_samples, samples):
                count = min(samples, num_samples - start)
                eps = row_noise(keys, seed, start * latent, count * latent).view(len(x), count, latent).transpose(0, 1)
                terms = model.terms(x, count, noise=lambda *_, eps=eps: eps, posterior=posterior)
                if prior is None or prior.batch_shape:  # one for each row; else one for all, which may be slow to make
                    prior = terms.prior(terms.encoder)
                ratio = (prior.log_prob(terms.z) - terms.log_qz).double()
                each = terms.log_px.double()
                log_px += each.sum(0)
                log_ratio += ratio.sum(0)
                total = torch.logaddexp(total, torch.logsumexp(each + ratio, 0))
                if terms.kl is not None:  # of a hierarchy it is a mean over these samples
                    share = terms.kl.double() * (count / num_samples)
                    kl_units = share if kl_units is None else kl_units + share
            kl = -log_ratio / num_samples if kl_units is None else kl_units.sum(1)
            reconstruction = log_px / num_samples
            bound = total - math.log(num_samples)
            units = torch.full((len(x), latent), math.nan) if kl_units is None else kl_units.float()
            collected.append((bound, reconstruction - kl, reconstruction, kl, posterior.mean, units))
    bound, elbo, reconstruction, kl, means, units = (
        torch.cat(column).cpu().numpy() for column in zip(*collected, strict=True)
    )
    return RowScores(bound, elbo, reconstruction, kl, means, None if np.isnan(units).any() else units, num_samples)


@torch.no_grad()
def score_density(model: PixelCNN, rows: Rows) -> np.ndarray:
    """(n,) log p(x) in nats of rows under a model with a tractable density.

    Args:
        model: in evaluation mode.
        rows: binary or in the likelihood's units; grey-scale rows must have been `fixed`.

    Raises:
        DataError: there are no rows.
    """
    check_rows(rows)
    device = next(model.parameters()).device
    batch = min(512, codes_that_fit(model, rows.shape))
    parts = [model.log_prob(rows.take(part).to(device)).double().cpu() for part in rows.chunks(batch)]
    return torch.cat(parts).numpy()


def codes_that_fit(model: nn.Module, shape: Sequence[int]) -> int:
    """Codes that are decoded at a time, at least 1: on a processor so few that its cache holds the values.

    What convolutions give is wider than the image; where it goes through memory a score takes several times as long.
    A GPU gets more, as many as a small one has memory for.

    Args:
        model: what its likelihood takes for a row, and the most channels of its convolutions, count.
        shape: of a row.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    values, maps = (_VALUES, _MAPS) if on_cpu else (_GPU_VALUES, _GPU_MAPS)
    likelihood: Any = getattr(model, "likelihood", None)  # a model of one's own may have none
    decoded = values // (math.prod(shape) if likelihood is None else likelihood.decoded_values)
    channels = max((m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)), default=0)
    if channels:
        decoded = min(decoded, maps // (channels * math.prod(shape[-2:])))
    return max(1, decoded)


def mean_and_se(values: np.ndarray) -> tuple[float, float | None]:
    """Mean over the rows and its standard error over the data; None for one row.

    >>> mean_and_se(np.array([1.0, 3.0]))
    (2.0, 1.0)
    """
    if len(values) < 2:
        return float(values.mean()), None
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def active_units(means: np.ndarray, threshold: float = 0.01) -> np.ndarray:
    """Which latent units vary with the data: Var_x(E_q[z_l]) > threshold (Burda et al. 2016, section 5.2).

    Args:
        means: (n, L) posterior means.
        threshold: least variance over the rows.

    Returns:
        (L,) booleans.
    """
    return means.var(0) > threshold


def bits_per_dim(log_likelihood: float, size: int) -> float:
    """-log p(x) in bits per value, for discrete data of `size` values a row.

    >>> bits_per_dim(-math.log(2) * 8, 8)
    1.0
    """
    return -log_likelihood / (size * math.log(2))


class IndependentFeatures(nn.Module):
    r"""The trivial model: p(x) by a likelihood whose raw parameters are the same for every row.

    Args:
        likelihood: the family, calibrated.
        bias: (P, \*shape) raw parameters.
    """

    def __init__(self, likelihood: Likelihood, bias: Tensor) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.bias = nn.Parameter(bias)

    def forward(self) -> Distribution:
        """p(x)."""
        return self.likelihood(self.likelihood.unlinked(self.bias))


def independent_features(likelihood: Likelihood, stats: ColumnStats) -> IndependentFeatures:
    """Independent features under the same likelihood, at the columns' moments.

    Args:
        likelihood: gives the family and its settings; it is not changed. Of one whose pixels know each other the base.
        stats: of the training rows, in the likelihood's units.
    """
    own = likelihood.again(stats)
    return IndependentFeatures(own, own.marginal(stats))


@isolated_rng()
@torch.enable_grad()
def fit_independent(likelihood: Likelihood, rows: Rows, *, most_rows: int = 2000) -> IndependentFeatures:
    """Fit independent features to the training rows by maximum likelihood.

    The columns' moments are that fit for most likelihoods, and frequencies with half a count more of each code for the
    categorical; else Adam goes on from them on (up to
    `most_rows` evenly spaced) rows, with the weight of half an observation pulling towards the start.

    Args:
        likelihood: gives the family and its settings; it is not changed.
        rows: the training rows, binary or in the likelihood's units.
        most_rows: rows used by Adam.

    Returns:
        As `independent_features`.
    """
    own = independent_features(likelihood, rows.stats())
    if own.likelihood.marginal_is_fitted:
        return own
    if isinstance(own.likelihood, CategoricalCodes):
        counts = torch.zeros_like(own.bias, dtype=torch.long)
        for part in rows.chunks():
            counts += own.likelihood.counts(rows.take(part).cpu())
        own.bias.data = torch.log(counts + 0.5)
        return own
    start = own.bias.detach().clone()
    used = min(most_rows, len(rows), max(100, _FITTED_VALUES // own.bias.numel()))
    x = rows.take(torch.from_numpy(spaced(len(rows), used))).cpu()
    optimizer = torch.optim.Adam(own.parameters(), lr=0.1, fused=True)
    for step in range(_STEPS):
        optimizer.param_groups[0]["lr"] = 0.1 * cosine(step, _STEPS)
        value = own().log_prob(x).mean() - 0.25 / len(x) * (own.bias - start).square().sum()
        (-value).backward()
        optimizer.step()
        optimizer.zero_grad()
    return own


@torch.no_grad()
def score_independent(independent: IndependentFeatures, rows: Rows) -> np.ndarray:
    """(n,) log-likelihood in nats of rows under a model from `fit_independent`; DataError where there are none."""
    check_rows(rows)
    distribution = independent()
    return torch.cat([distribution.log_prob(rows.take(part).cpu()) for part in rows.chunks(512)]).double().numpy()


_MEANS = ("log_likelihood", "elbo", "reconstruction", "kl", "independent", "gain_over_independent")
_UNITS = ("active_units", "latent_units", "bits_per_dim")
SUMMARY = ("n", "samples", *(name + end for name in _MEANS for end in ("", "_se")), *_UNITS)  # what evaluate names


def summarise(scores: RowScores, likelihood: Likelihood, independent: np.ndarray) -> dict[str, Any]:
    """Means over the rows with their standard errors over the data, under the names of `vaekit evaluate --json`.

    Args:
        scores: of the rows.
        likelihood: the model's; bits per dimension have a meaning for discrete ones only.
        independent: (n,) log-likelihood of the rows under independent features.
    """
    summary: dict[str, Any] = {"n": len(scores.elbo), "samples": scores.samples}
    for name in ("log_likelihood", "elbo", "reconstruction", "kl"):
        summary[name], summary[f"{name}_se"] = mean_and_se(getattr(scores, name))
    summary["independent"], summary["independent_se"] = mean_and_se(independent)
    summary["gain_over_independent"], summary["gain_over_independent_se"] = mean_and_se(
        scores.log_likelihood - independent
    )
    summary["active_units"] = int(active_units(scores.means).sum())
    summary["latent_units"] = scores.means.shape[1]
    summary["bits_per_dim"] = _bits(summary["log_likelihood"], likelihood)
    return summary


def summarise_density(scores: np.ndarray, likelihood: Likelihood, independent: np.ndarray) -> dict[str, Any]:
    """As `summarise`, of exact log-likelihoods (n,): what belongs to a latent code is null."""
    summary: dict[str, Any] = dict.fromkeys(SUMMARY) | {"n": len(scores)}
    summary["log_likelihood"], summary["log_likelihood_se"] = mean_and_se(scores)
    summary["independent"], summary["independent_se"] = mean_and_se(independent)
    summary["gain_over_independent"], summary["gain_over_independent_se"] = mean_and_se(scores - independent)
    summary["bits_per_dim"] = _bits(summary["log_likelihood"], likelihood)
    return summary


def _bits(log_likelihood: float, likelihood: Likelihood) -> float | None:
    return bits_per_dim(log_likelihood, math.prod(likelihood.shape)) if likelihood.discrete else None
