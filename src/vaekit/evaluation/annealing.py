r"""Annealed importance sampling: log p(x) closer than importance samples come, and how close that is.

A chain goes from a distribution f_0 that can be sampled to the posterior, through

.. math:: f_t(z) \propto f_0(z)^{1 - \beta_t}\, p(x, z)^{\beta_t}, \qquad 0 = \beta_0 < \ldots < \beta_T = 1

each left invariant by a step of Hamiltonian Monte Carlo. Its weight has the expectation p(x), so the mean of
log (1/C) sum_c w_c is a lower bound on log p(x) (Neal 2001; Wu et al. 2017). On data simulated from the model a
posterior sample is known, a chain can run backwards from it, and the inverse weights give an upper bound (Grosse et al.
2015): the gap between the two bounds the error of both, on data that are like the model's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from vaekit.data.rows import Rows
from vaekit.errors import Faults, check_number
from vaekit.evaluation.hamiltonian import frozen, hamiltonian_step
from vaekit.evaluation.likelihood import check_rows, codes_that_fit, mean_and_se, score_rows
from vaekit.models.base import LatentVariableModel
from vaekit.priors import StandardNormal
from vaekit.randomness import isolated_rng, row_keys, row_noise

ACCEPTANCE = 0.65  # of the Hamiltonian steps, which their lengths are tuned to (Neal 2011)
_PILOT_CHAINS = 4


@dataclass(frozen=True)
class Annealing:
    """How to anneal.

    Attributes:
        chains: C, chains for each row.
        temperatures: T, the number of steps from f_0 to the posterior.
        leapfrog: steps of the integrator in each Hamiltonian step.
        start: f_0: "posterior", the recognition model q(z|x), or "prior", as in Wu et al. (2017), which needs more
            temperatures and assumes nothing of q.
        seed: of the noise.
    """

    chains: int = 16
    temperatures: int = 500
    leapfrog: int = 5
    start: Literal["posterior", "prior"] = "posterior"
    seed: int = 0

    def check(self) -> None:
        """Raise OptionError that names every fault."""
        faults = Faults()
        for name in ("chains", "temperatures", "leapfrog"):
            faults.number(name, getattr(self, name), low=1, integer=True)
        faults.choice("start", self.start, ["posterior", "prior"])
        faults.number("seed", self.seed, low=0, integer=True)
        faults.raise_if_any()

    @property
    def seeds(self) -> dict[str, int]:
        """Seeds of their own for everything that is random, so that no number is used for two things."""
        names = ("simulation", "pilot", "pilot start", "forward", "forward start", "backward")
        return dict(zip(names, np.random.SeedSequence(self.seed).generate_state(len(names)).tolist(), strict=True))


def sigmoid_schedule(temperatures: int, steepness: float = 4.0) -> np.ndarray:
    """Inverse temperatures from 0 to 1, dense at both ends (Wu et al. 2017, section 4.1).

    >>> sigmoid_schedule(4).round(3).tolist()
    [0.0, 0.105, 0.5, 0.895, 1.0]
    """
    s = 1 / (1 + np.exp(-steepness * np.linspace(-1, 1, temperatures + 1)))
    return (s - s[0]) / (s[-1] - s[0])


def annealed_scores(
    model: LatentVariableModel, rows: Rows, how: Annealing | None = None, *, batch_size: int | None = None
) -> np.ndarray:
    """(n,) stochastic lower bounds on log p(x) in nats, by C annealed chains for each row.

    A row's value is a function of the row and the seed.

    Args:
        model: in evaluation mode.
        rows: binary or in the likelihood's units; grey-scale rows must have been `fixed`.
        how: chains, temperatures and the rest.
        batch_size: rows at a time; does not change values.

    Raises:
        DataError: there are no rows.
        OptionError: a number in `how` cannot be used.
    """
    how = how or Annealing()
    how.check()
    check_rows(rows)
    device = next(model.parameters()).device
    scores = []
    with isolated_rng(), frozen(model):
        for part in rows.chunks(batch_size or _batch(model, how, rows.shape)):
            problem = _Problem(model, rows.take(part).to(device), rows.keys(part).to(device), how)
            scores.append(_mean_weight(problem.forward(problem.tune())).cpu())
    return torch.cat(scores).double().numpy()


def bidirectional_scores(
    model: LatentVariableModel, n: int = 100, how: Annealing | None = None, *, batch_size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Stochastic lower and upper bounds, (n,) each in nats, on log p(x) of n rows simulated from the model.

    Args:
        model: in evaluation mode.
        n: rows to simulate.
        how, batch_size: as for `annealed_scores`.

    Raises:
        OptionError: `n`, or a number in `how`, cannot be used.
    """
    how = how or Annealing()
    how.check()
    check_number("simulated", n, low=1, integer=True)
    device = next(model.parameters()).device
    lower, upper = [], []
    with isolated_rng(how.seeds["simulation"]), frozen(model):
        with torch.no_grad():
            z = model.prior(model.posterior).sample((n,)).to(device)
            parts = [model.decode(part).sample() for part in z.split(256)]
        x = torch.cat(parts)
        size = batch_size or _batch(model, how, tuple(x.shape[1:]))
        for start in range(0, n, size):
            some = slice(start, start + size)
            problem = _Problem(model, x[some], row_keys(x[some].cpu()).to(device), how)
            steps = problem.tune()
            lower.append(_mean_weight(problem.forward(steps)).cpu())
            upper.append(-_mean_weight(-problem.backward(steps, z[some])).cpu())
    return torch.cat(lower).double().numpy(), torch.cat(upper).double().numpy()


def summarise_annealing(
    model: LatentVariableModel, rows: Rows, simulated: int, how: Annealing | None = None, *, samples: int = 100
) -> dict[str, Any]:
    """Scores for a report, each with its standard error over the rows, in nats.

    For the rows the importance-weighted bound by `samples` samples, the annealed one and its gain over that; for rows
    simulated from the model lower and upper bound, which hold in expectation, and the gap between them.
    """
    how = how or Annealing()
    check_number("simulated", simulated, low=1, integer=True)
    summary: dict[str, Any] = {"ais_n": len(rows), "ais_chains": how.chains, "ais_temperatures": how.temperatures}
    weighted = score_rows(model, rows, samples).log_likelihood
    summary["ais_samples"] = samples
    summary["ais_importance_weighted"], summary["ais_importance_weighted_se"] = mean_and_se(weighted)
    scores = annealed_scores(model, rows, how)
    summary["ais"], summary["ais_se"] = mean_and_se(scores)
    summary["ais_gain"], summary["ais_gain_se"] = mean_and_se(scores - weighted)
    lower, upper = bidirectional_scores(model, simulated, how)
    summary["bdmc_n"] = simulated
    summary["bdmc_lower"], summary["bdmc_lower_se"] = mean_and_se(lower)
    summary["bdmc_upper"], summary["bdmc_upper_se"] = mean_and_se(upper)
    summary["bdmc_gap"], summary["bdmc_gap_se"] = mean_and_se(upper - lower)
    return summary


def _batch(model: LatentVariableModel, how: Annealing, shape: tuple[int, ...]) -> int:
    """Rows whose chains are moved together."""
    return max(1, min(512, 2 * codes_that_fit(model, shape) // how.chains))


def _mean_weight(log_weights: Tensor) -> Tensor:
    """(C, B) to (B,): log of the mean weight."""
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))


class _Problem:
    """The annealing of a batch of rows: densities, noise and the chains themselves."""

    def __init__(self, model: LatentVariableModel, x: Tensor, keys: Tensor, how: Annealing) -> None:
        self.model, self.x, self.keys, self.how = model, x, keys, how
        self.betas = sigmoid_schedule(how.temperatures).tolist()
        with torch.no_grad():
            self.prior = model.prior(model.posterior)
            posterior: Distribution = model.posterior(x)
            self.from_prior = how.start == "prior"
            self.scale = torch.ones_like(posterior.mean) if self.from_prior else posterior.stddev
        self.posterior = posterior
        self.latent = model.latent_dim

    def _noise(self, chains: int, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
        """From a temperature's number to normal (C, B, L) and uniform (C, B) noise that belongs to the rows."""
        each = chains * (self.latent + 1)

        def draw(t: int) -> tuple[Tensor, Tensor]:
            numbers = row_noise(self.keys, seed, t * each, each).view(-1, chains, self.latent + 1).transpose(0, 1)
            return numbers[..., :-1], torch.special.ndtr(numbers[..., -1])

        return draw

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x, z) and log f_0(z), (C, B) each."""
        log_pz = self.prior.log_prob(z)
        log_joint = log_pz + self.model.decode(z).log_prob(self.x)
        return log_joint, log_pz if self.from_prior else self.posterior.log_prob(z)

    def _at(self, z: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
        """log f_t(z), its gradient, and log p(x, z) - log f_0(z)."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            log_joint, log_start = self._parts(z)
            value = beta * log_joint + (1 - beta) * log_start
            (gradient,) = torch.autograd.grad(value.sum(), z)
        return value.detach(), gradient, (log_joint - log_start).detach()

    @torch.no_grad()
    def _difference(self, z: Tensor) -> Tensor:
        log_joint, log_start = self._parts(z)
        return log_joint - log_start

    def _move(
        self, z: Tensor, beta: float, step: Tensor, normal: Tensor, uniform: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A Hamiltonian step: where it ends, log p(x, z) - log f_0(z) there, and whether it was accepted, (C, B)."""
        width = (step.unsqueeze(-1) * self.scale).expand_as(z)
        return hamiltonian_step(lambda z: self._at(z, beta), z, width, normal, uniform, self.how.leapfrog)

    def _first(self, normal: Tensor, seed: int) -> Tensor:
        """Where the chains start: (C, B, L) from f_0."""
        if not self.from_prior:
            with torch.no_grad():
                return self.posterior.rsample(normal.shape[:1], noise=normal)  # type: ignore[call-arg]
        if isinstance(self.model.prior, StandardNormal):
            return normal
        with isolated_rng(seed):  # the same for all rows
            return self.prior.sample(torch.Size((len(normal), 1))).expand_as(normal)

    def tune(self) -> list[Tensor]:
        """Length (B,) of the Hamiltonian steps at each temperature, found by a run whose weights are not used.

        The weights' expectation is p(x) only if a step does not depend on where its own chain has been.
        """
        chains = min(_PILOT_CHAINS, self.how.chains)
        draw = self._noise(chains, self.how.seeds["pilot"])
        z = self._first(draw(0)[0], self.how.seeds["pilot start"])
        step = torch.full((len(self.x),), 0.5 / self.latent**0.25, device=z.device)
        rate = torch.full_like(step, ACCEPTANCE)
        steps = []
        for t in range(1, self.how.temperatures):
            steps.append(step)
            z, _, accepted = self._move(z, self.betas[t], step, *draw(t))
            rate = 0.8 * rate + 0.2 * accepted.float().mean(0)
            step = step * torch.where(rate > ACCEPTANCE, 1.05, 0.95)
        return steps

    def forward(self, steps: list[Tensor]) -> Tensor:
        """(C, B) log weights of chains from f_0 to the posterior."""
        draw, betas = self._noise(self.how.chains, self.how.seeds["forward"]), self.betas
        z = self._first(draw(0)[0], self.how.seeds["forward start"])
        difference = self._difference(z)
        log_weights = betas[1] * difference.double()
        for t in range(1, self.how.temperatures):
            z, difference, _ = self._move(z, betas[t], steps[t - 1], *draw(t))
            log_weights += (betas[t + 1] - betas[t]) * difference
        return log_weights

    def backward(self, steps: list[Tensor], z: Tensor) -> Tensor:
        """(C, B) log weights of chains from posterior samples (B, L) to f_0: the mean of their inverses is 1 / p(x)."""
        draw, betas = self._noise(self.how.chains, self.how.seeds["backward"]), self.betas
        z = z.expand(self.how.chains, *z.shape)
        difference = self._difference(z)
        log_weights = (1 - betas[-2]) * difference.double()
        for t in reversed(range(1, self.how.temperatures)):
            z, difference, _ = self._move(z, betas[t], steps[t - 1], *draw(t))
            log_weights += (betas[t] - betas[t - 1]) * difference
        return log_weights
