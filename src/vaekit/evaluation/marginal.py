r"""The marginal likelihood by samples of the posterior (Kingma and Welling 2013, appendix D), for few latent units.

Hamiltonian Monte Carlo samples p(z|x); a normal distribution q(z) is fitted to half of the samples, and the rest gives

.. math:: \frac{1}{p(x)} = E_{p(z|x)}\!\left[\frac{q(z)}{p(x, z)}\right]
          \approx \frac1S \sum_s \frac{q(z_s)}{p(z_s)\, p(x|z_s)}

No recognition model is used, so that models trained in different ways are judged alike. The mean of 1/p(x) is right for
chains that have forgotten their start; its logarithm is neither a lower nor an upper bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vaekit.data.rows import Rows
from vaekit.errors import Faults
from vaekit.evaluation.hamiltonian import PosteriorChains, frozen
from vaekit.evaluation.likelihood import check_rows, codes_that_fit
from vaekit.models.base import LatentVariableModel
from vaekit.randomness import isolated_rng, row_noise

_MOST_UNITS = 10  # beyond, draws of the prior find the posterior too rarely


@dataclass(frozen=True)
class PosteriorSampling:
    """How to sample posteriors.

    Attributes:
        chains: C for each row, started from `starts` draws of the prior, resampled by p(x|z).
        starts: those draws, the same for all rows.
        burn_in: moves in which step lengths are tuned and no sample is kept.
        moves: after those, half of them for the fit of q(z) and half for the estimate; each gives C samples.
        leapfrog: steps of the integrator in each move.
        acceptance: rate that step lengths are tuned to.
        seed: of all noise.
    """

    chains: int = 8
    starts: int = 500
    burn_in: int = 100
    moves: int = 50
    leapfrog: int = 4
    acceptance: float = 0.9
    seed: int = 0

    def check(self, latent_dim: int) -> None:
        """Raise OptionError that names every fault."""
        faults = Faults()
        for name, low in (("chains", 1), ("starts", 1), ("burn_in", 0), ("moves", 2), ("leapfrog", 1)):
            faults.number(name, getattr(self, name), low=low, integer=True)
        faults.number("acceptance", self.acceptance, low=0, high=1, open_low=True, open_high=True)
        faults.number("seed", self.seed, low=0, integer=True)
        faults.raise_if_any()
        if latent_dim > _MOST_UNITS:
            faults.add(f"The estimator is for at most {_MOST_UNITS} latent units, and the model has {latent_dim}.")
        if self.chains * (self.moves // 2) <= latent_dim + 1:
            faults.add(
                f"chains={self.chains} and moves={self.moves} give {self.chains * (self.moves // 2)} samples to fit "
                f"q(z) to; {latent_dim} latent units need at least {latent_dim + 2}."
            )
        faults.raise_if_any()


def marginal_likelihood(
    model: LatentVariableModel, rows: Rows, how: PosteriorSampling | None = None, *, batch_size: int | None = None
) -> np.ndarray:
    """(n,) estimates of log p(x) in nats by samples of the posterior (Kingma and Welling 2013, appendix D).

    A row's value is a function of the row and the seed.

    Args:
        model: in evaluation mode, with at most 10 latent units.
        rows: binary or in the likelihood's units; grey-scale rows must have been `fixed`.
        how: chains, moves and the rest.
        batch_size: rows at a time; does not change values, but for rounding.

    Raises:
        DataError: there are no rows.
        OptionError: a number in `how` cannot be used, or the model has too many latent units.

    >>> from sklearn.datasets import load_iris
    >>> from vaekit import VAE
    >>> vae = VAE(2, hidden=(8,), epochs=5, random_state=0, verbose=0).fit(load_iris().data)
    >>> marginal_likelihood(vae.model_, Rows(load_iris().data[:3].astype("float32"))).shape
    (3,)
    """
    how = how or PosteriorSampling()
    how.check(model.latent_dim)
    check_rows(rows)
    start_seed, seed = np.random.SeedSequence(how.seed).generate_state(2).tolist()
    device = next(model.parameters()).device
    codes = codes_that_fit(model, rows.shape)
    size = batch_size or max(1, min(256, codes // how.chains))
    with isolated_rng(start_seed), frozen(model), torch.no_grad():
        start = model.prior(model.posterior).sample(torch.Size((how.starts,))).to(device)
        parts = []
        for part in rows.chunks(size):
            x, keys = rows.take(part).to(device), rows.keys(part).to(device)
            log_px = [model.decode(some.unsqueeze(1)).log_prob(x) for some in start.split(max(1, codes // len(x)))]
            parts.append(_estimate(model, x, keys, start, torch.cat(log_px), how, seed).cpu())
    return torch.cat(parts).numpy()


def _estimate(
    model: LatentVariableModel,
    x: Tensor,
    keys: Tensor,
    start: Tensor,
    log_px: Tensor,
    how: PosteriorSampling,
    seed: int,
) -> Tensor:
    """(B,) log p(x), from codes (starts, L) and log p(x|z) of them, (starts, B)."""
    chains, latent, n = how.chains, model.latent_dim, len(x)
    each = chains * (latent + 2)
    last = each * (how.burn_in + how.moves)
    uniform = torch.special.ndtr(row_noise(keys, seed, last, chains * how.starts)).view(n, chains, how.starts)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-6, 1 - 1e-6)))
    chosen = (log_px.T.unsqueeze(1) + gumbel).argmax(-1)  # (B, C) draws of the prior, with probability as p(x|z)
    step = torch.full((n,), 0.1, device=x.device)
    run = PosteriorChains(model, x, start[chosen.T], step, leapfrog=how.leapfrog, acceptance=how.acceptance)
    samples, log_joint = [], []
    for t in range(how.burn_in + how.moves):
        numbers = row_noise(keys, seed, t * each, each).view(n, chains, latent + 2).transpose(0, 1)
        run.move(numbers, 2 / math.sqrt(t + 1) if t < how.burn_in else 0.0)
        if t >= how.burn_in:
            samples.append(run.z)
            log_joint.append(run.log_joint)
    half = how.moves // 2
    q = _fitted(torch.cat(samples[:half]).double())
    log_ratio = q.log_prob(torch.cat(samples[half:]).double()) - torch.cat(log_joint[half:]).double()
    return math.log(len(log_ratio)) - torch.logsumexp(log_ratio, 0)


def _fitted(z: Tensor) -> torch.distributions.MultivariateNormal:
    """The normal distribution with the moments of samples (S, B, L), for each row."""
    mean = z.mean(0)
    centred = (z - mean).transpose(0, 1)  # (B, S, L)
    covariance = centred.mT @ centred / (len(z) - 1)
    least = 1e-8 * torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    return torch.distributions.MultivariateNormal(mean, covariance + least)
