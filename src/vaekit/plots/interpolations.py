"""Pictures between pictures, and of what each layer of a hierarchy decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaekit.data.rows import spaced
from vaekit.evaluation.geodesics import geodesic, straight_line
from vaekit.models.hierarchical import HierarchicalVAE
from vaekit.plots.canvas import INK, WIDTH, figure, save, show, tile
from vaekit.plots.view import View
from vaekit.randomness import isolated_rng

_STEPS, _PAIRS, _DRAWS = 10, 3, 10


def draw_interpolations(view: View, path: Path) -> str:
    """Draw paths between the codes of test images, straight and geodesic; give the caption."""
    model = view.estimator.model_
    device = next(model.parameters()).device
    ends = torch.from_numpy(view.codes[spaced(len(view.codes), 2 * _PAIRS)]).to(device)
    exact = not view.estimator._autoregressive  # else the mean is an average of draws, without a gradient

    def decode(z: Tensor) -> Tensor:
        return model.decode(z).mean

    rows, labels = [], []
    for a, b in zip(ends[0::2], ends[1::2], strict=False):
        rows.append(straight_line(a, b, _STEPS))
        labels.append("straight")
        if exact:
            rows.append(geodesic(decode, a, b, _STEPS, steps=100))
            labels.append("geodesic")
    sheet = tile(view.decode_pixels(torch.cat(rows).cpu().numpy()), _STEPS)
    _labelled(sheet, labels, path)
    between = "along a straight line" + (" and along the path on which the pictures change least" if exact else "")
    return f"From one test image's code to another's, {between}, each code as the mean of x given it."


def draw_layers(view: View, path: Path) -> str:
    """Draw images that share the upper layers of a hierarchy's code; give the caption."""
    model = view.estimator.model_
    assert isinstance(model, HierarchicalVAE)
    units, device = model.units, next(model.parameters()).device
    with isolated_rng(0):
        first = torch.randn(1, model.latent_dim)
        rows = []
        for layer in range(len(units) + 1):
            z = torch.randn(_DRAWS, model.latent_dim)
            kept = sum(units[:layer])
            z[:, :kept] = first[:, :kept]
            rows.append(z)
    codes = torch.cat(rows).to(device).cpu().numpy()
    sizes = ["×".join(map(str, layer.shape)) for layer in model.layers]  # type: ignore[arg-type]
    labels = ["all drawn anew", *(f"{'+ ' if i else ''}layer {i + 1} ({size})" for i, size in enumerate(sizes))]
    _labelled(tile(view.decode_pixels(codes), _DRAWS), labels, path)
    return (
        "What each layer decides: in every row down one more layer of the code is kept, from the top; the rest is "
        "drawn anew."
    )


def _labelled(sheet: np.ndarray, labels: list[str], path: Path) -> None:
    margin = 1.9
    width = WIDTH - margin
    fig = figure(WIDTH, min(width * sheet.shape[0] / sheet.shape[1] + 0.2, 1.4 * WIDTH))
    axes = fig.subplots()
    show(axes, sheet)
    for i, label in enumerate(labels):
        y = 1 - (i + 0.5) / len(labels)
        axes.text(-0.01, y, label, transform=axes.transAxes, ha="right", va="center", fontsize=9, color=INK)
    save(fig, path)
