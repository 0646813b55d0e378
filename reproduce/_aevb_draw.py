"""The figures of `aevb.py`, in the layout of the paper."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from vaekit.plots.canvas import show, tile
from vaekit.randomness import isolated_rng

COLOURS = {"AEVB": "C3", "wake-sleep": "C2", "MCEM": "C0"}


def draw_bounds(found: dict[str, Any], latent: dict[str, tuple[int, ...]], path: Path) -> None:
    """Fig. 2: the bound against training samples seen, a row of panels for each data set."""
    names = {"mnist": "MNIST", "frey": "Frey Face"}
    columns = max(map(len, latent.values()))
    figure = _figure(3 * columns, 2.7 * len(latent))
    for row, (which, sizes) in enumerate(latent.items()):
        for column, size in enumerate(sizes):
            axes = figure.add_subplot(len(latent), columns, row * columns + column + 1)
            tops = []
            for method in ("AEVB", "wake-sleep"):
                run = found.get(f"fig2/{which}/{size}/{method}")
                if run:
                    axes.plot(run["seen"], run["held_out_bound"], color=COLOURS[method], label=f"{method}, held out")
                    axes.plot(run["seen"], run["train_bound"], color=COLOURS[method], ls=":", label=f"{method}, train")
                    tops += [*run["held_out_bound"], *run["train_bound"]]
            if tops:
                high, low = max(tops), float(np.quantile(tops, 0.15))
                axes.set_ylim(low - 0.1 * (high - low), high + 0.05 * (high - low))
            _axes(axes, f"{names[which]}, L = {size}", "bound, nats per image" if column == 0 else "")
            if row == column == 0:
                axes.legend(fontsize=7)
    _save(figure, path)


def draw_likelihoods(found: dict[str, Any], sizes: Iterable[int], path: Path) -> None:
    """Fig. 3: log p(x) against training samples seen, a panel for each number of training rows."""
    sizes = list(sizes)
    figure = _figure(4.6 * len(sizes), 3.4)
    for column, size in enumerate(sizes):
        axes = figure.add_subplot(1, len(sizes), column + 1)
        for method, colour in COLOURS.items():
            points = {
                int(key.rsplit("/", 1)[1]): value
                for key, value in found.items()
                if key.startswith(f"fig3/{size}/{method}/")
            }
            seen = sorted(points)
            for name, style in (("train", ":"), ("test", "-")):
                if seen:
                    values = [points[each][name] for each in seen]
                    axes.plot(seen, values, style, color=colour, marker=".", label=f"{method}, {name}")
        _axes(axes, f"N = {size:,}", "log p(x), nats per image" if column == 0 else "")
        axes.legend(fontsize=7)
    _save(figure, path)


def draw_samples(models: list[Any], path: Path) -> None:
    """Fig. 5: means of p(x|z), z from the prior, a sheet for each model."""
    figure = _figure(3 * len(models), 3.2)
    for column, model in enumerate(models):
        with isolated_rng(0):
            z = model.model_.prior(model.model_.posterior).sample((100,)).numpy()
        images = np.asarray(model.inverse_transform(z), dtype=float)
        sheet = tile(images / images.max(), 10)
        show(figure.add_subplot(1, len(models), column + 1), sheet, f"{model.latent_dim} latent units")
    _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _axes(axes: Axes, title: str, ylabel: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("training samples seen", fontsize=8)
    axes.set_ylabel(ylabel, fontsize=8)
    axes.tick_params(labelsize=8, which="both")
    axes.grid(alpha=0.3)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=75)
