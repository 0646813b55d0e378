r"""How odd the rows of a table are: by their cells given the rest of the row, and by their columns alone.

A row is odd where its cells do not go together, though each may be common, or where cells are rare whatever stands
beside them. Two numbers say so, high where odd.

*Together.* With l_d(x) = log p(x_d | x), the posterior predictive likelihood of a cell given its row, the share of
training rows whose cell is no likelier (to a thousandth of a nat, below which is rounding),

.. math:: u_d(x) = \frac{1 + \#\{i : l_d(x_i) \le l_d(x)\}}{n_d + 2},

knows no units and no spikes of densities; the cells of a row are put together as Fisher (1925) did with p-values,
-mean over d of log u_d(x).

*Alone.* Minus the mean over d of log p(x_d) under independent columns, each less its mean over training rows. How far
out a cell lies counts here.

Each becomes the share of training rows, p, in which it is no lower; beyond the highest tenth of them an exponential
tail with their mean excess goes on where counting ends (the generalised Pareto tail of Pickands 1975 with shape 0). The
score is the mean of both -log p: 1 in the mean of rows like those of training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaekit.data.rows import Rows
from vaekit.errors import RunError
from vaekit.evaluation.imputation import conditionals
from vaekit.evaluation.likelihood import IndependentFeatures
from vaekit.models.vae import VAE

REFERENCE = 1000  # training rows that rows are compared with
_SAMPLES = 50  # codes of each row
_EQUAL = 1e-3  # nats within which cells are as likely
_TAIL = 0.1  # share of the training rows that the exponential tail is fitted to
_LEAST = 1e-2  # of a mean excess, where the highest tenth is all alike


@torch.no_grad()
def cell_likelihoods(model: VAE, alone: IndependentFeatures, rows: Rows, num_samples: int = _SAMPLES) -> Tensor:
    """(n, 2D) nats: log p(x_d | x) of each observed cell given its whole row, then log p(x_d) alone; NaN elsewhere.

    Args:
        model: in evaluation mode.
        alone: independent columns, from `fit_independent`.
        rows: coded.
        num_samples: K codes of each row, weighted by importance.
    """
    columns = alone()
    parts = [torch.zeros(0, 2 * rows.shape[0])]
    for known in conditionals(model, rows, num_samples):
        given, x = known.cells(known.x).cpu(), known.x.cpu()
        both = torch.stack([given, columns.cell_log_prob(x)], 1).masked_fill(x.isnan().unsqueeze(1), math.nan)  # type: ignore[attr-defined]
        parts.append(both.flatten(1))
    return torch.cat(parts)


def reference_rows(model: VAE, alone: IndependentFeatures, rows: Rows) -> Tensor:
    """(R, 2D) `cell_likelihoods` of a thousand evenly spaced training rows."""
    some = rows.raw(torch.linspace(0, len(rows) - 1, min(REFERENCE, len(rows))).long())
    return cell_likelihoods(model, alone, Rows(some))


def anomaly_scores(model: VAE, alone: IndependentFeatures, reference: Tensor | None, rows: Rows) -> Tensor:
    """(n,) of rows, NaN where no cell is observed; see above.

    Args:
        model: in evaluation mode.
        alone: independent columns, from `fit_independent`.
        reference: from `reference_rows`; None of a model that was saved without it.
        rows: coded.

    Raises:
        RunError: there is no reference, or that of an earlier version.
    """
    if reference is None or reference.shape[1] != 2 * rows.shape[0]:
        raise RunError("This model was saved without the rows that anomaly_scores compares with: fit it again.")
    ours, theirs = _oddities(reference, cell_likelihoods(model, alone, rows)), _oddities(reference, reference)
    return torch.stack([_minus_log_share(a, b) for a, b in zip(ours, theirs, strict=True)]).mean(0)


def _oddities(reference: Tensor, likelihoods: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row how odd it is together, and alone; NaN where no cell is observed."""
    (known, known_alone), (given, alone) = reference.chunk(2, 1), likelihoods.chunk(2, 1)
    in_order = known.nan_to_num(nan=math.inf).sort(0).values.T.contiguous()
    below = torch.searchsorted(in_order, given.T.contiguous() + _EQUAL, right=True)  # (D, n)
    number = (~known.isnan()).sum(0)[:, None]
    shares = (1 + below.minimum(number)) / (number + 2)
    together = -shares.log().masked_fill(given.T.isnan(), math.nan).nanmean(0)
    return together, -(alone - known_alone.nanmean(0)).nanmean(1)


def _minus_log_share(values: Tensor, reference: Tensor) -> Tensor:
    """-log of the share of reference rows that are no less odd, with an exponential tail."""
    in_order = reference[~reference.isnan()].sort().values
    number = len(in_order)
    if not number:
        return torch.full_like(values, math.nan)
    start = torch.quantile(in_order, 1 - _TAIL)
    excess = (in_order[in_order >= start] - start).mean().clamp_min(_LEAST)
    above = number - torch.searchsorted(in_order, values.nan_to_num(), right=False)
    counted = -((1 + above) / (1 + number)).log()
    tail = -math.log(_TAIL) + (values - start) / excess
    return torch.where(values > start, tail, counted.clamp_max(-math.log(_TAIL))) + 0 * values  # NaN stays NaN
