r"""How odd the rows of a table are: their cells together, and alone.

A row is odd where its cells do not go together, though each may be common, or where cells are rare whatever stands
beside them. Each cell gets a number for either, high where odd.

*Together*: -log of the share of training rows whose cell is no likelier given its row,

.. math:: u_d(x) = \frac{1 + \#\{i : l_d(x_i) \le l_d(x)\}}{n_d + 2}, \qquad l_d(x) = \log p(x_d | x),

with the posterior predictive likelihood of the cell given its whole row. It knows no units and no spikes of densities,
and its mean over the cells is Fisher's (1925) way to put p-values together.

*Alone*: -log p(x_d) under independent columns. How far out a cell lies counts here.

Either number less its column's mean over training rows, summed over the observed cells and divided by the root of how
many there are, says how odd a row is. That becomes p, the share of training rows that are at least as odd; within the
oddest tenth of them (ten at least) it falls exponentially, at the rate of their mean excess over where it starts, and
so goes on where counting ends (the tail of Pickands 1975 with shape 0). The score is the mean of both -log p.
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
_SAMPLES = 50  # codes of each row
_EQUAL = 1e-3  # nats within which values are alike, as rounding depends on the batch
_TAIL, _FEWEST = 0.1, 10  # share of the training rows that the exponential tail is fitted to, and their least number


@torch.no_grad()
def cell_likelihoods(model: VAE, independent: IndependentFeatures, rows: Rows) -> Iterator[Tensor]:
    """(B, 2, D) of a batch, in nats: log p(x_d | x) of each observed cell given its whole row, and log p(x_d) alone.

    Missing cells have NaN.

    Args:
        model: in evaluation mode.
        independent: independent columns, from `fit_independent`.
        rows: coded.
    """
    columns: Any = independent()
    for known in conditionals(model, rows, _SAMPLES):
        given, x = known.cells(known.x).cpu(), known.x.cpu()
        alone = columns.cell_log_prob(x)
        yield torch.stack([given, alone], 1).masked_fill(x.isnan().unsqueeze(1), math.nan)


@isolated_rng()
def reference_likelihoods(model: VAE, independent: IndependentFeatures, rows: Rows) -> Tensor:
    """(R, 2, D) `cell_likelihoods` of a thousand evenly spaced training rows."""
    some = rows.raw(torch.from_numpy(spaced(len(rows), REFERENCE)))
    return torch.cat(list(cell_likelihoods(model, independent, Rows(some))))


@isolated_rng()
def anomaly_scores(model: VAE, independent: IndependentFeatures, reference: Tensor | None, rows: Rows) -> Tensor:
    """(n,) of rows, NaN where no cell is observed whose column training rows had values in; see above.

    Args:
        model: in evaluation mode.
        independent: independent columns, from `fit_independent`.
        reference: from `reference_likelihoods`; None of a model that was saved without it.
        rows: coded.

    Raises:
        RunError: there is no reference, or that of an earlier version.
    """
    if reference is None or reference.ndim != 3:
        raise RunError("This model was saved without the rows that anomaly_scores compares with: fit it again.")
    centre = _odd_cells(reference, reference).nanmean(0)
    known = _oddities(reference, centre, reference)
    parts = [torch.zeros(0, dtype=torch.float32)]
    for batch in cell_likelihoods(model, independent, rows):
        odd = _oddities(reference, centre, batch)
        parts.append(torch.stack([_minus_log_share(odd[:, i], known[:, i]) for i in range(2)]).mean(0))
    return torch.cat(parts)


def _oddities(reference: Tensor, centre: Tensor, likelihoods: Tensor) -> Tensor:
    """(B, 2) how odd rows are together, and alone; NaN where no cell is observed. `centre`: (2, D) means."""
    cells = _odd_cells(reference, likelihoods) - centre
    return cells.nansum(-1) / (~cells.isnan()).sum(-1).float().sqrt()


def _odd_cells(reference: Tensor, likelihoods: Tensor) -> Tensor:
    """(B, 2, D), high where odd; NaN where a cell, or its column in the reference, is missing."""
    known, given = reference[:, 0].T, likelihoods[:, 0].T  # (D, R), (D, B)
    in_order = known.nan_to_num(nan=math.inf).sort(1).values.contiguous()
    number = (~known.isnan()).sum(1)[:, None]
    below = torch.searchsorted(in_order, given.contiguous() + _EQUAL, right=True).minimum(number)
    together = -((1 + below).float() / (number + 2)).log().masked_fill(given.isnan() | (number == 0), math.nan)
    return torch.stack([together.T, -likelihoods[:, 1]], 1)


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
