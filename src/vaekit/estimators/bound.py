"""What the estimators of a latent-variable model share: its objective, and its scores by bounds on log p(x)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.data.rows import Rows
from vaekit.estimators.base import RowEstimator
from vaekit.estimators.latent import LatentEstimator
from vaekit.estimators.options import check_draws
from vaekit.evaluation.annealing import Annealing, summarise_annealing
from vaekit.evaluation.likelihood import RowScores, score_independent, score_rows, summarise
from vaekit.models import LatentVariableModel, VariationalWeights
from vaekit.models.base import Terms
from vaekit.objectives import (
    FactorObjective,
    doubly_reparameterised,
    elbo,
    importance_weighted,
    over_weights,
    sticking_the_landing,
    total_correlation,
    wake_sleep,
)
from vaekit.randomness import isolated_rng
from vaekit.training.loop import Adversarial

_HELD_OUT_DRAWS = 10_000  # rows times samples behind a held-out bound, about
_MULTI_SAMPLE = {"iwae": importance_weighted, "dreg": doubly_reparameterised, "stl": sticking_the_landing}


class BoundTraining(RowEstimator):
    """Base of the estimators that are trained by a bound on log p(x): the objective, and the held-out score."""

    objective: str
    kl: str
    samples: int
    beta: float
    free_bits: float
    gamma: float
    discriminator: Sequence[int]
    validation_samples: int | None

    def _terms(self, model: LatentVariableModel, x: Tensor, num_samples: int | None) -> Terms:
        """The terms of the bound of a training batch."""
        return model.terms(x, num_samples)

    def _value(self, model: LatentVariableModel, n: int) -> Callable[[Tensor, float], Tensor]:
        value = self._row_value(model, n)
        if not any(isinstance(module, VariationalWeights) for module in model.modules()):
            return value
        if isinstance(value, Adversarial):
            return replace(value, value=lambda x, factor: over_weights(value.value(x, factor), model, n, beta=factor))
        return lambda x, factor: over_weights(value(x, factor), model, n, beta=factor)

    def _row_value(self, model: LatentVariableModel, n: int) -> Callable[[Tensor, float], Tensor]:
        beta, free_bits, samples = self.beta, self.free_bits, self.samples
        if self.objective in _MULTI_SAMPLE:
            bound = _MULTI_SAMPLE[self.objective]
            if samples == 1 and self.objective != "stl":
                self._say(f"objective={self.objective!r}: samples=1 makes it the ELBO; samples=5, say, a tighter bound")
            return lambda x, factor: bound(self._terms(model, x, samples), beta=beta * factor)
        if self.objective == "tc":
            return lambda x, factor: total_correlation(self._terms(model, x, samples), n, beta=beta, weight=factor)
        if self.objective == "wake_sleep":

            def both_phases(x: Tensor, factor: float) -> Tensor:
                with torch.no_grad():
                    q = model.posterior(x)
                terms = model.terms(x, samples, posterior=q)
                dreams, codes = model.dream(len(x))
                return wake_sleep(terms, model.posterior(dreams).log_prob(codes), beta=beta * factor)

            return both_phases
        kl = self.kl
        if self.objective == "factor":
            analytic = None if kl == "auto" else kl == "analytic"
            seed = np.random.SeedSequence([self.fitted_["seed"], 1]).generate_state(1).item()
            with isolated_rng(seed):  # of its own: with the fit's it would start as the encoder does
                objective = FactorObjective(
                    model.latent_dim, self.gamma, self.discriminator, beta=beta, analytic=analytic
                ).to(next(model.parameters()).device)
            return Adversarial(lambda x, weight: objective(self._terms(model, x, samples), weight), objective)

        def value(x: Tensor, factor: float) -> Tensor:
            terms = self._terms(model, x, samples if samples > 1 else None)
            analytic = terms.kl is not None if kl == "auto" else kl == "analytic"
            return elbo(terms, beta=beta * factor, free_bits=free_bits, analytic=analytic)

        return value

    def _held_out_score(self, rows: Rows) -> Callable[[LatentVariableModel], float]:
        many = self.samples if self.objective in _MULTI_SAMPLE else None
        samples = self.validation_samples or many

        def score(model: LatentVariableModel) -> float:
            scores = score_rows(model, rows, samples or max(1, min(16, _HELD_OUT_DRAWS // len(rows))))
            if samples:
                return float(scores.log_likelihood.mean())
            beta = 1.0 if self.objective == "tc" else self.beta  # there it does not weigh the KL
            return float((scores.reconstruction - beta * scores.kl).mean())

        return score

    def _scores(self, X: Any, num_samples: int) -> tuple[Rows, RowScores]:
        check_draws("num_samples", num_samples)
        rows = self._prepare(self._read(X), training=False)
        return rows, score_rows(self.model_, rows, num_samples)


class BoundEstimator(BoundTraining, LatentEstimator):
    """Base of the estimators of a model p(x, z) with its q(z|x)."""

    def _posterior(self, x: Tensor) -> Any:
        """q(z|x) of raw rows."""
        return self.model_.posterior(x)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        q = self._posterior(x)
        return q.mean, q.stddev

    def _drawn_codes(self, x: Tensor, noise: Tensor) -> Tensor:
        return self._posterior(x).rsample(noise=noise)

    def posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of q(z|x), each (n, L); of a hierarchy each layer's, given the means above it.

        Grey-scale rows under a Bernoulli likelihood are encoded as the means of their binary values.

        Args:
            X: rows, with the columns or the shape of those of the fit.

        Raises:
            DataError: X has other columns or another shape than at fit, or values that the likelihood does not know.
        """
        means, stddevs = self._codes(X)
        return means, stddevs

    def score_samples(self, X: Any, num_samples: int = 100) -> np.ndarray:
        r"""Importance-weighted bound on log p(x) of each row (Burda et al. 2016, eq. 8).

        .. math:: \log \frac1K \sum_{k=1}^K \frac{p(x, z_k)}{q(z_k|x)}, \qquad z_k \sim q(z|x)

        In expectation it rises with K to log p(x). Densities are of the data as given, in their own units.

        Args:
            X: rows, with the columns or the shape of those of the fit.
            num_samples: K; time grows with it, memory does not.

        Returns:
            (n,) float32 in nats, of each row the same, but for rounding, however many stand beside it.

        Raises:
            DataError: X has other columns or another shape than at fit, or values that the likelihood does not know.
            OptionError: `num_samples` is no whole number above 0.

        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from vaekit import VAE
        >>> X = load_iris().data
        >>> vae = VAE(2, (16,), epochs=2, random_state=0, verbose=0).fit(X)
        >>> log_px = vae.score_samples(X, num_samples=10)
        >>> np.allclose(log_px[:5], vae.score_samples(X[:5], num_samples=10), rtol=1e-4)
        True
        """
        return self._scores(X, num_samples)[1].log_likelihood.astype(np.float32)

    def score(self, X: Any, y: Any = None, num_samples: int = 100) -> float:
        """Mean of `score_samples`, in nats a row, with its arguments and errors; y is ignored."""
        return float(self._scores(X, num_samples)[1].log_likelihood.mean())

    def elbo(self, X: Any, num_samples: int = 100) -> np.ndarray:
        r"""Evidence lower bound of each row (Kingma and Welling 2013, eq. 3), (n,) float32 in nats.

        .. math:: E_{q(z|x)} \log p(x|z) - \mathrm{KL}(q(z|x)\,\|\,p(z))

        The first term is a mean over samples, the KL in closed form where it has one, else by the same samples. It
        stands for the model, whatever `beta` it was trained with.

        Args:
            X: as of `score_samples`, with the same errors.
            num_samples: of z for each row.
        """
        return self._scores(X, num_samples)[1].elbo.astype(np.float32)

    def evaluate(self, X: Any, num_samples: int = 100) -> dict[str, Any]:
        """All scores of the rows together, as `vaekit evaluate --json` prints them.

        Args:
            X: as of `score_samples`, with the same errors.
            num_samples: K of `log_likelihood`; the ELBO and its parts are means over the same samples.

        Returns:
            A dict of means over the rows in nats, each with its standard error as `..._se`: `log_likelihood` (the
            importance-weighted bound), `elbo`, `reconstruction`, `kl`, `independent` (independent features under the
            same likelihood) and `gain_over_independent`; with `n`, `samples`, `active_units`, `latent_units` and
            `bits_per_dim`. None where it has no meaning: `bits_per_dim` of real numbers, a standard error of one row.
        """
        rows, scores = self._scores(X, num_samples)
        independent = score_independent(self.independent_, rows)
        return summarise(scores, self.model_.likelihood, independent)

    def anneal(
        self, X: Any, how: Annealing | None = None, *, simulated: int = 100, num_samples: int = 100
    ) -> dict[str, Any]:
        """Bounds on log p(x) by annealed importance sampling: see `vaekit.evaluation.annealing`.

        Args:
            X: rows to score; each takes chains * temperatures * (leapfrog + 1) gradients, so a hundred say much.
            how: chains, temperatures and the rest.
            simulated: rows drawn from the model, on which chains in both directions bound the error; each takes twice
                as many gradients.
            num_samples: of the importance-weighted bound beside it.

        Returns:
            For X the importance-weighted bound (`ais_importance_weighted`), the annealed one (`ais`) and the gain; on
            simulated rows lower and upper bound and their gap (`bdmc_...`); each with its standard error over the
            rows, in nats.

        Raises:
            OptionError: a count that cannot be used.
        """
        check_draws("num_samples", num_samples)
        rows = self._prepare(self._read(X), training=False)
        return summarise_annealing(self.model_, rows, simulated, how, samples=num_samples)
