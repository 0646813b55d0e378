"""log p(x) of dynamically binarised MNIST against minutes of training: PixelCNN and VAEs on the same two cores.

    python reproduce/equal_compute.py --train            # every method, an hour each, one after the other
    python reproduce/equal_compute.py --train METHOD     # one of them; goes on where it was stopped
    python reproduce/equal_compute.py --score            # scores, the table and the figure, of what was trained
    python reproduce/equal_compute.py --train --score --quick

Each method is one `vaekit fit mnist` with the settings below, in a RUN of its own under --runs, which can be killed and
resumed. How many epochs fit into the budget is measured beforehand, on a few thousand rows; the cosine schedule ends
with the budget. Minutes are those of training alone, as metrics.jsonl has them, without the looks at held-out images.
All methods: Adam, batches of 128, gradients clipped, weights averaged, networks in bfloat16 (scores in float32), 1,000
training images held out. The curve is log p(x) of these 1,000: exact for the PixelCNN, by 100 importance samples else.
They also choose the epoch, and name the best VAE. Then, once: 500 samples on the 10,000 test images, and 5,000 samples
and annealed importance sampling on the first 1,000 of them.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import write

import vaekit
from vaekit.cli import main as command
from vaekit.data.datasets import load_dataset

BUDGET = 3600.0  # seconds of training
COMMON: dict[str, Any] = {
    "likelihood": "bernoulli",
    "batch_size": 128,
    "schedule": "cosine",
    "clip_norm": 5.0,
    "average": 0.999,
    "precision": "bfloat16",
    "patience": None,
    "validation_fraction": 1 / 60,
}
VAE = {"validation_samples": 100, "epsilon": 1e-4}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "PixelCNN": ("pixelcnn", {"layers": 6, "channels": 24, "kernel_size": 5, "learning_rate": 2e-3}),
    "MLP VAE": ("vae", {**VAE, "hidden": [400, 400], "latent_dim": 50, "learning_rate": 1e-3}),
    "MLP VAE, VampPrior": (
        "vae",
        {**VAE, "hidden": [400, 400], "latent_dim": 50, "prior": "vamp", "components": 500, "learning_rate": 1e-3},
    ),
    "conv VAE, flow prior": (
        "vae",
        {**VAE, "network": "conv", "channels": [32, 64], "latent_dim": 40, "prior": "flow", "learning_rate": 2e-3},
    ),
    "hierarchical VAE": (
        "vae",
        {
            **VAE,
            "network": "ladder",
            "channels": [32, 64],
            "latent_dim": 4,
            "stochastic_layers": 4,
            "learning_rate": 2e-3,
        },
    ),
    "VAE with masked layers": (
        "vae",
        {
            **VAE,
            "network": "conv",
            "channels": [32, 64],
            "latent_dim": 32,
            "masked_layers": 4,
            "masked_channels": 16,
            "masked_kernel": 3,
            "prior": "flow",
            "learning_rate": 2e-3,
        },
    ),
}
LOOKS = 15  # at the held-out images
WARM_UP = 0.05  # share of the epochs in which the KL's weight rises


def folder_of(runs: Path, name: str) -> Path:
    """The RUN of a method."""
    return runs / "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def seconds_per_epoch(model: str, settings: dict[str, Any], n: int) -> float:
    """Seconds that an epoch over n rows will take, from two epochs over a few of them, the second of which counts."""
    kind = {"pixelcnn": vaekit.PixelCNN, "vae": vaekit.VAE}[model]
    X = load_dataset("mnist").X[: 128 * 40]
    options = {key: value for key, value in settings.items() if key not in ("validation_fraction", "validation_every")}
    estimator = kind(**options, validation_fraction=None, epochs=2, random_state=0, verbose=0).fit(X)
    return estimator.history_[-1]["seconds"] / len(X) * n


def train(name: str, runs: Path, budget: float, quick: bool) -> None:
    """Fit one method, or go on with it."""
    model, own = METHODS[name]
    settings = COMMON | own
    plan_file = folder_of(runs, name).with_suffix(".json")
    if plan_file.exists():
        plan = json.loads(plan_file.read_text())
    else:
        each = seconds_per_epoch(model, settings, 59_000)
        epochs = 2 if quick else max(2, math.floor(budget / each))
        plan = {"seconds_per_epoch_measured": each, "epochs": epochs}
        runs.mkdir(parents=True, exist_ok=True)
        write(plan_file, plan)
    epochs = plan["epochs"]
    print(f"{name}: {epochs} epochs", flush=True)
    settings |= {"validation_every": max(1, epochs // LOOKS)}
    if model == "vae":
        settings |= {"kl_warmup": max(1, round(WARM_UP * epochs))}
        settings |= {"validation_samples": 2} if quick else {}
    arguments = ["fit", "mnist", "-o", str(folder_of(runs, name)), "--resume", "--seed", "0", "--model", model]
    arguments += ["--epochs", str(epochs), "--checkpoint-every", "60"]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    if code := command(arguments):
        raise SystemExit(code)


def curve(folder: Path) -> list[dict[str, float]]:
    """Minutes of training and log p(x) of the held-out images."""
    points, seconds = [], 0.0
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        epoch = json.loads(line)
        seconds += epoch["seconds"]
        if epoch["validation"] is not None:
            points.append({"minutes": round(seconds / 60, 2), "log_likelihood": round(epoch["validation"], 3)})
    return points
