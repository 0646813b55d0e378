r"""How odd the rows of a table are, told by how rare their cells would be among rows that were trained on.

Likelihoods of columns have units and spikes, and add up to what the widest-spread columns say. So each cell is first
compared with its own column: with l_d(x) = log p(x_d | x), the posterior predictive likelihood of the cell given its
whole row, the share of training rows whose cell is no likelier (to a thousandth of a nat, below which is rounding),

.. math:: u_d(x) = \frac{1 + \#\{i : l_d(x_i) \le l_d(x)\}}{n_d + 2},

is uniform for rows like those where cells are continuous, and larger, as p-values of discrete tests are, where many
cells are as likely. The cells of a row are put together as Fisher (1925) did with p-values, -mean over d of log u_d(x):
1 in the mean of rows like the others where columns are continuous, less where levels are common; at most log(n_d + 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaekit.data.rows import Rows
from vaekit.errors import RunError
from vaekit.evaluation.imputation import conditionals
from vaekit.models.vae import VAE

REFERENCE = 1000  # training rows that cells are compared with
_SAMPLES = 50  # codes of each row
_EQUAL = 1e-3  # nats within which cells are as likely


@torch.no_grad()
def predictive_scores(model: VAE, rows: Rows, num_samples: int = _SAMPLES) -> Tensor:
    """(n, D) log p(x_d | x) of each observed cell given its whole row, itself included, in nats; NaN elsewhere.

    Args:
        model: in evaluation mode.
        rows: coded.
        num_samples: K codes of each row, weighted by importance.
    """
    parts = [
        known.cells(known.x).masked_fill(known.x.isnan(), math.nan) for known in conditionals(model, rows, num_samples)
    ]
    return torch.cat([torch.zeros(0, rows.shape[0]), *(part.cpu() for part in parts)])


def reference_scores(model: VAE, rows: Rows) -> Tensor:
    """(R, D) `predictive_scores` of a thousand evenly spaced training rows, in order of size, NaN last."""
    some = rows.raw(torch.linspace(0, len(rows) - 1, min(REFERENCE, len(rows))).long())
    return predictive_scores(model, Rows(some)).sort(0).values


def anomaly_scores(model: VAE, reference: Tensor | None, rows: Rows) -> Tensor:
    """(n,) of rows, NaN where no cell is observed; see above.

    Args:
        model: in evaluation mode.
        reference: from `reference_scores`; None of a model that was saved without it.
        rows: coded.

    Raises:
        RunError: there is no reference.
    """
    if reference is None:
        raise RunError("This model was saved without the scores that anomaly_scores compares with: fit it again.")
    scores = predictive_scores(model, rows).T.contiguous()  # (D, n)
    below = torch.searchsorted(reference.nan_to_num(nan=math.inf).T.contiguous(), scores + _EQUAL, right=True)
    number = (~reference.isnan()).sum(0)[:, None]
    shares = (1 + below.minimum(number)) / (number + 2)
    return -shares.log().masked_fill(scores.isnan(), math.nan).nanmean(0)
