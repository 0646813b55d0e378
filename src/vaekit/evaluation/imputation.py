r"""What a model of a table says of missing cells, by self-normalised importance sampling.

For z_k ~ q(z|x_o) with weights w_k = p(x_o|z_k) p(z_k) / q(z_k|x_o), x_o the observed cells of a row:

.. math:: E[f(x_m)|x_o] \approx \sum_k \frac{w_k}{\sum_j w_j} E[f(x_m)|z_k]

and draws of x_m take z_k with these shares as probabilities (Mattei and Frellsen 2019, section 3.3). The expectation
of a cell given z_k is in closed form or by quadrature, so it adds no noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vaekit.data.rows import Rows
from vaekit.likelihoods.table import TableDistribution
from vaekit.models.vae import VAE
from vaekit.randomness import isolated_rng, row_noise

DRAWS = 4096  # rows drawn at a time
_DECODED = 20_000  # rows times samples decoded at a time, at most
_VALUES = 2**22  # and parameters of them
_GIVEN = 10_000  # codes, at least, among which those that suit the given cells are drawn


@dataclass(frozen=True, eq=False)
class Conditional:
    """What is known of a batch of rows given their observed cells.

    Attributes:
        part: which rows.
        x: (B, D) coded rows.
        log_weights: (K, B) logarithms of normalised importance weights.
        given: p(x|z_k), of batch shape (K, B).
        given_each: (K, B, D) log p(x_d|z_k) of the observed cells, 0 where one is missing.
    """

    part: slice
    x: Tensor
    log_weights: Tensor
    given: TableDistribution
    given_each: Tensor

    def points(self, statistic: str = "mean") -> Tensor:
        """(B, S) conditional expectations as `TableDistribution.points` orders them, or with medians of numbers."""
        points = torch.einsum("kb,kbs->bs", self.log_weights.exp(), self.given.points())
        if statistic == "median":
            points[:, : self.given.kinds.numbers] = self.given.medians(self.log_weights)
        return points

    def draws(self, number: int, coefficients: int = 0) -> Tensor:
        """(number, B, D) coded rows: of each a code drawn by its weight, and values given it.

        Args:
            number: of draws of each row.
            coefficients: as of `vaekit.likelihoods.table.TableDistribution.inflated`; 0 leaves variances as they are.
        """
        chosen = torch.multinomial(self.log_weights.exp().T, number, replacement=True).T  # (number, B)
        given = self.given.take(chosen)
        return (given.inflated(coefficients) if coefficients else given).sample()

    def cells(self, values: Tensor | None = None) -> Tensor:
        """(B, D) log p(x_d | x_o) of cells with those values, by default the row's own, in nats."""
        each = self.given_each if values is None else self.given.cell_log_prob(values)
        return torch.logsumexp(self.log_weights.unsqueeze(-1) + each, 0)


@torch.no_grad()
def conditionals(model: VAE, rows: Rows, num_samples: int, seed: int = 0) -> Iterator[Conditional]:
    """What is known of rows, a batch at a time. It draws nothing from torch's generators; `Conditional.draws` does.

    Args:
        model: in evaluation mode.
        rows: coded.
        num_samples: K.
        seed: of the noise, which is keyed by the row, so that a row's result does not depend on its neighbours.
    """
    device = next(model.parameters()).device
    latent = model.latent_dim
    prior = model.prior(model.posterior)
    for part in rows.chunks(max(1, _codes(model) // num_samples)):
        x = rows.take(part).to(device)
        eps = row_noise(rows.keys(part).to(device), seed, 0, num_samples * latent)
        eps = eps.view(len(x), num_samples, latent).transpose(0, 1)
        terms = model.terms(x, num_samples, noise=lambda *_, eps=eps: eps)
        given: Any = terms.likelihood
        each = given.cell_log_prob(x)
        log_weights = (each.sum(-1) + prior.log_prob(terms.z) - terms.log_qz).log_softmax(0)
        yield Conditional(part, x, log_weights, given, each)


def fill_rows(model: VAE, rows: Rows, draws: int | None, statistic: str, num_samples: int, seed: int) -> list[Tensor]:
    """What `Conditional.points` gives for all rows, (n, S), or what `Conditional.draws` gives, m times (n, D).

    Args:
        model: in evaluation mode.
        rows: coded.
        draws: m; None gives points. Variances of draws are inflated, with the latent units as coefficients.
        statistic: of points.
        num_samples, seed: as of `conditionals`; `seed` is of the draws too.
    """
    found: list[list[Tensor]] = [[] for _ in range(draws or 1)]
    with isolated_rng(seed):
        for known in conditionals(model, rows, num_samples, seed):
            each = [known.points(statistic)] if draws is None else known.draws(draws, model.latent_dim)
            for parts, part in zip(found, each, strict=True):
                parts.append(part.cpu())
    return [torch.cat(parts) for parts in found]


def _codes(model: VAE) -> int:
    """Codes decoded at a time, the fewer the wider a row is."""
    return min(_DECODED, _VALUES // model.likelihood.decoded_values)


def draws_given(model: VAE, row: Tensor, n: int, seed: int) -> Tensor:
    """(n, D) coded rows with the observed cells of one, (D,), and the others drawn given them."""
    parts = []
    for start in range(0, n, DRAWS):
        (known,) = conditionals(model, Rows(row[None]), _GIVEN, seed + start)
        with isolated_rng(seed + start):
            drawn = known.draws(min(DRAWS, n - start))[:, 0].cpu()
        parts.append(torch.where(torch.isnan(row), drawn, row))
    return torch.cat(parts)


@isolated_rng()
@torch.no_grad()
def cell_scores(model: VAE, rows: Rows, num_samples: int, seed: int = 0) -> Tensor:
    r"""(n, D) log p(x_d | x_{-d}) of each observed cell given the others of its row, in nats; NaN elsewhere.

    Each column is left out in turn and looked at from codes of the rest, so a cell does not vouch for itself.
    """
    out = torch.full((len(rows), rows.shape[0]), math.nan, dtype=torch.float32)
    every = rows.take(slice(0, len(rows)))
    for d in range(rows.shape[0]):
        seen = (~torch.isnan(every[:, d])).nonzero()[:, 0]
        if not len(seen):
            continue
        rest = every[seen].clone()
        rest[:, d] = math.nan
        for known in conditionals(model, Rows(rest), num_samples, seed):
            values = every[seen[known.part]].to(known.x.device)
            out[seen[known.part], d] = known.cells(values)[:, d].cpu()
    return out
