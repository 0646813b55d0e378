r"""How odd the rows of a table are: their cells together, how rare they are alone, and how far out they lie.

A row is odd where its cells do not go together, though each may be common, or where cells are rare or lie far out
whatever stands beside them. Each cell gets three numbers, high where odd.

*Together*: -log of the share of training rows whose cell is no likelier given its row,

.. math:: u_d(x) = \frac{1 + \#\{i : l_d(x_i) \le l_d(x)\}}{n_d + 2}, \qquad l_d(x) = \log p(x_d | x),

with the posterior predictive likelihood of the cell given its whole row. It knows no units and no spikes of densities,
and its mean over the cells is Fisher's (1925) way to put p-values together.

*Rare*: -log p(x_d) under independent columns, whose likelihoods have the shape of their column.

*Far*: -log p(x_d), but for a constant, under a Laplace distribution about the column's median, which has no shape to
fit: :math:`|x_d - m_d| / b_d` with b_d the mean absolute distance of training rows to their median m_d, in the
column's own units. Levels without order, and columns without spread, have -log p(x_d) as before.

Each number less its column's mean over training rows, summed over the observed cells and divided by the root of how
many there are, says how odd a row is. That becomes p, the share of training rows that are at least as odd; within the
oddest tenth of them (ten at least) it falls exponentially, at the rate of their mean excess over where it starts, and
so goes on where counting ends (the tail of Pickands 1975 with shape 0). The score is the root mean square of the three
-log p, so that what is odd in one way stands out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vaekit.data.rows import Rows, spaced
from vaekit.errors import RunError
from vaekit.evaluation.imputation import conditionals
from vaekit.evaluation.likelihood import IndependentFeatures
from vaekit.models.vae import VAE
from vaekit.randomness import isolated_rng

REFERENCE = 1000  # training rows that rows are compared with
_SAMPLES = 200  # codes of each row
_EQUAL = 1e-3  # nats within which values are alike, as rounding depends on the batch
_FARTHEST = 1e20  # numbers further out count as these
_TAIL, _FEWEST = 0.1, 10  # share of the training rows that the exponential tail is fitted to, and their least number


@torch.no_grad()
def cell_numbers(model: VAE, independent: IndependentFeatures, rows: Rows) -> Iterator[Tensor]:
    """(B, 3, D) of a batch: log p(x_d | x) of each observed cell given its whole row, log p(x_d) alone, and its number.

    The likelihoods are in nats, numbers up to an affine map in their column's own units, and 0 in columns of levels
    without order. Missing cells have NaN.

    Args:
        model: in evaluation mode.
        independent: independent columns, from `fit_independent`.
        rows: coded.
    """
    columns: Any = independent()
    table: Any = independent.likelihood
    for known in conditionals(model, rows, _SAMPLES):
        given, x = known.cells().cpu(), known.x.cpu()
        own = x.clone()
        own[:, table.dense] = table.warps.expected(x[:, table.dense]).clamp(-_FARTHEST, _FARTHEST)
        own[:, table.levelled] = 0
        yield torch.stack([given, columns.cell_log_prob(x), own], 1).masked_fill(x.isnan().unsqueeze(1), math.nan)


@isolated_rng()
def reference_numbers(model: VAE, independent: IndependentFeatures, rows: Rows) -> Tensor:
    """(R, 3, D) `cell_numbers` of a thousand evenly spaced training rows."""
    some = rows.raw(torch.from_numpy(spaced(len(rows), REFERENCE)))
    return torch.cat(list(cell_numbers(model, independent, Rows(some))))


@isolated_rng()
def anomaly_scores(model: VAE, independent: IndependentFeatures, reference: Tensor | None, rows: Rows) -> Tensor:
    """(n,) of rows, NaN where no cell is observed whose column training rows had values in; see above.

    Args:
        model: in evaluation mode.
        independent: independent columns, from `fit_independent`.
        reference: from `reference_numbers`; None of a model that was saved without it.
        rows: coded.

    Raises:
        RunError: there is no reference, or that of an earlier version.
    """
    if reference is None or reference.shape[1:-1] != (3,):
        raise RunError("This model was saved without the rows that anomaly_scores compares with: fit it again.")
    centre = _odd_cells(reference, reference).nanmean(0)
    known = _oddities(reference, centre, reference)
    parts = [torch.zeros(0, dtype=torch.float32)]
    for batch in cell_numbers(model, independent, rows):
        odd = _oddities(reference, centre, batch)
        each = torch.stack([_minus_log_share(odd[:, i], known[:, i]) for i in range(3)])
        parts.append(each.double().square().mean(0).sqrt().float())
    return torch.cat(parts)


def _oddities(reference: Tensor, centre: Tensor, numbers: Tensor) -> Tensor:
    """(B, 3) how odd rows are together, rare and far; NaN where no cell is observed. `centre`: (3, D) means."""
    cells = _odd_cells(reference, numbers) - centre
    return cells.nansum(-1) / (~cells.isnan()).sum(-1).float().sqrt()


def _odd_cells(reference: Tensor, numbers: Tensor) -> Tensor:
    """(B, 3, D), high where odd; NaN where a cell, or its column in the reference, is missing."""
    known, given = reference[:, 0].T, numbers[:, 0].T  # (D, R), (D, B)
    in_order = known.nan_to_num(nan=math.inf).sort(1).values.contiguous()
    number = (~known.isnan()).sum(1)[:, None]
    below = torch.searchsorted(in_order, given.contiguous() + _EQUAL, right=True).minimum(number)
    together = -((1 + below).float() / (number + 2)).log().masked_fill(given.isnan() | (number == 0), math.nan)
    own = reference[:, 2]
    median = own.nanmedian(0).values
    spread = (own - median).abs().nanmean(0)
    rare = -numbers[:, 1]
    far = torch.where(spread > 0, (numbers[:, 2] - median).abs() / spread, rare)
    return torch.stack([together.T, rare, far], 1)


def _minus_log_share(odd: Tensor, known: Tensor) -> Tensor:
    """-log of the share of reference rows that are at least as odd, with an exponential tail."""
    in_order = known[~known.isnan()].sort().values
    number = len(in_order)
    at_least = number - torch.searchsorted(in_order, odd.nan_to_num() - _EQUAL)
    score = -((1 + at_least).float() / (1 + number)).log()
    most = max(int(_TAIL * number), _FEWEST)
    if number > most:
        start = in_order[-most - 1]
        excess = in_order[in_order > start + _EQUAL] - start
        if len(excess):
            tail = (odd - start) / excess.mean() - math.log((1 + len(excess)) / (1 + number))
            score = torch.where(odd > start + _EQUAL, tail, score)
    return torch.where(odd.isnan(), odd, score)
