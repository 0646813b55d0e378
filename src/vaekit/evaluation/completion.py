"""What belongs to known conditions: means and draws that do not depend on which conditions stand beside them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.models.base import LatentVariableModel
from vaekit.models.conditional import ConditionalVAE
from vaekit.randomness import row_keys, seed_generators

_BATCH = 1024  # rows at a time


def _codes(given: LatentVariableModel, eps: Tensor) -> Tensor:
    """Codes from p(z|c) by standard normal noise (..., B, L)."""
    p: Any = given.prior(given.posterior)
    return p.mean + p.stddev * eps if p.batch_shape else eps


@torch.no_grad()
def mean_given(model: ConditionalVAE, c: Tensor, num_samples: int) -> Tensor:
    r"""E[x|c] by noise that all conditions share: (n, \*shape).

    Args:
        model: in evaluation mode.
        c: (n, C) conditions.
        num_samples: K codes for each.
    """
    noise, means = torch.randn(num_samples, model.latent_dim).to(c.device), []
    for part in c.split(_BATCH):
        given = model.given(part)
        each = (given.decode(_codes(given, eps.expand(len(part), -1))).mean for eps in noise)
        means.append((sum(each, torch.zeros(())) / num_samples).cpu())
    return torch.cat(means)


@torch.no_grad()
def draws_given(model: ConditionalVAE, c: Tensor, draws: int, seed: int, *, values: bool) -> Tensor:
    r"""Draws from p(x|c), (draws, n, \*shape), by noise that depends on seed and condition alone.

    The second of two rows with one condition has noise of its own, and so on. Seeds the global generators.

    Args:
        model: in evaluation mode.
        c: (n, C) conditions.
        draws: number of draws.
        seed: of the noise.
        values: whether to draw x itself; else its mean given the code.
    """
    seen, rows = Counter(), []
    for one, key in zip(c.split(1), row_keys(c).tolist(), strict=True):
        state = np.random.SeedSequence([seed, key, seen[key]]).generate_state(1, np.uint64)
        seed_generators(int(state[0]) >> 1)
        seen[key] += 1
        given, parts = model.given(one), []
        for eps in torch.randn(draws, 1, model.latent_dim).to(c.device).split(_BATCH):
            p = given.decode(_codes(given, eps))
            parts.append((p.sample() if values else p.mean).cpu())
        rows.append(torch.cat(parts))
    return torch.cat(rows, 1)
