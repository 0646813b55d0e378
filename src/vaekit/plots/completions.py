"""Pictures of half-seen images, completed by a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vaekit.data.rows import spaced
from vaekit.estimators.inputs import read_array
from vaekit.plots.canvas import WIDTH, figure, save, show, tile
from vaekit.plots.view import View

_ROWS, _DRAWS = 8, 8


def draw_completions(view: View, path: Path) -> str:
    """Draw test images, their upper halves, and draws of what may be below; give the caption."""
    model, shape = view.estimator, view.estimator.schema_.shape
    index = spaced(len(view.test), _ROWS)
    images = view.test[index]
    observed = np.zeros(shape, dtype=bool)
    observed[..., : shape[-2] // 2, :] = True
    draws = [
        read_array(model, model.complete(images.astype(model.schema_.dtype), observed, random_state=seed), reset=False)[
            0
        ]
        for seed in range(_DRAWS)
    ]
    seen = view.pixels(images)
    seen[:, seen.shape[1] // 2 :] = 0.6
    columns = [view.pixels(images), seen, *(view.pixels(np.asarray(draw)) for draw in draws)]
    sheet = tile(np.stack(columns, 1).reshape(-1, *seen.shape[1:]), len(columns))
    width = min(WIDTH, 0.9 * len(columns))
    fig = figure(width, width * sheet.shape[0] / sheet.shape[1] + 0.3)
    show(fig.subplots(), sheet, "test image, what is given, and draws of the rest")
    save(fig, path)
    return "Test images whose lower half is hidden, and eight draws each of what may be there, given the upper half."
