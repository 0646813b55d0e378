"""Few labels: a classifier that starts from `encoder_`, trained without labels, beside the same network from scratch.

    python benchmarks/pretrained_encoder.py            # about 5 minutes on one core
    python benchmarks/pretrained_encoder.py --quick    # the digits of scikit-learn only

An estimator is fitted to all training images without their labels. Its `encoder_` is an nn.Module from raw images to
codes; a linear layer on it makes a classifier, all of which is then trained on a few labelled images:

    classifier = nn.Sequential(estimator.encoder_, nn.Linear(estimator.latent_dim, 10))

The rival is the same network with fresh weights. Both choose their learning rate from the same three by the mean
accuracy on held-out training images, which neither the fits nor the labelled images touch; test images are looked at
once. Five seeds draw the labelled images (as many of each class) and the fresh weights; the standard error is over
them. The encoder is fitted once for all seeds.
"""

from __future__ import annotations

import copy
import statistics
import time
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from _common import parser, record, write
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from vaekit import VAE, Autoencoder
from vaekit.data import load_dataset

SEEDS = range(5)
GRID = [(3e-3, 200), (1e-3, 200), (3e-4, 200)]  # learning rate, steps
CLASSES = 10


class Images(NamedTuple):
    X: np.ndarray  # for the estimator
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def read(name: str) -> Images:
    data = load_dataset(name)
    X, y, X_test, y_test = data.X, data.y, data.X_test, data.y_test
    if X_test is None:
        X, X_test, y, y_test = train_test_split(X, y, test_size=500, stratify=y, random_state=0)
    X, X_held, y, y_held = train_test_split(X, y, test_size=min(2000, len(X) // 5), stratify=y, random_state=0)
    return Images(X, y, X_held, y_held, X_test, y_test)


def estimators(name: str, quick: bool) -> dict[str, Autoencoder | VAE]:
    """What learns from the images alone; the second hides half of the pixels from an encoder that must rebuild all."""
    passes = 5 if quick else {"digits": 200, "mnist": 10}[name]
    size, hidden = {"digits": (64, 128), "mnist": (784, 512)}[name]
    shared: dict[str, Any] = {"schedule": "cosine", "device": "cpu", "random_state": 0, "verbose": 0, "epochs": passes}
    shared |= {"hidden": (hidden,), "batch_size": 128, "validation_fraction": None}
    return {
        "Autoencoder": Autoencoder(latent_dim=32, **shared),
        "Autoencoder, denoising": Autoencoder(latent_dim=32, encoder=denoising(size, hidden), **shared),
        "VAE": VAE(latent_dim=32, likelihood="bernoulli", **shared),
    }


def denoising(size: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(size, hidden), nn.SiLU())


def fresh(encoder: nn.Module) -> nn.Module:
    """The same network with new weights; the scaling of the input stays."""
    encoder = copy.deepcopy(encoder)
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    return encoder


def few_labels(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Indices of `count` rows, as many of each class."""
    generator = np.random.default_rng(seed)
    each = [generator.choice(np.flatnonzero(y == label), count // CLASSES, replace=False) for label in range(CLASSES)]
    return np.concatenate(each)


def fit_classifier(classifier: nn.Module, x: Tensor, y: Tensor, rate: float, steps: int) -> nn.Module:
    optimizer = torch.optim.Adam(classifier.parameters(), rate, fused=True)
    classifier.train()
    for _ in range(steps):
        some = torch.randint(len(x), (min(100, len(x)),))
        optimizer.zero_grad()
        F.cross_entropy(classifier(x[some]), y[some]).backward()
        optimizer.step()
    return classifier.eval()


@torch.no_grad()
def accuracy(classifier: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    guesses = torch.cat([classifier(part).argmax(1) for part in torch.from_numpy(X).split(2000)])
    return float((guesses == torch.from_numpy(y)).double().mean())


def run_arm(encoder: nn.Module, start_fresh: bool, images: Images, labels: int) -> dict[str, Any]:
    """Train with every setting of the grid and seed; test accuracy of the setting that held-out images choose."""
    held: dict[tuple[float, int], float] = {}
    kept: dict[tuple[float, int], list[nn.Module]] = {}
    latent = int(encoder.latent_dim)  # type: ignore[arg-type]
    for setting in GRID:
        kept[setting] = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            few = few_labels(images.y, labels, seed)
            body = fresh(encoder) if start_fresh else copy.deepcopy(encoder)
            classifier = nn.Sequential(body, nn.Linear(latent, CLASSES))
            x, y = torch.from_numpy(images.X[few]), torch.from_numpy(images.y[few])
            kept[setting].append(fit_classifier(classifier, x, y, *setting))
        held[setting] = statistics.mean(accuracy(each, images.X_held, images.y_held) for each in kept[setting])
    best = max(GRID, key=lambda setting: held[setting])
    test = [accuracy(classifier, images.X_test, images.y_test) for classifier in kept[best]]
    return {
        "learning_rate": best[0],
        "steps": best[1],
        "held_out_accuracy": held[best],
        "test_accuracy": statistics.mean(test),
        "test_accuracy_se": statistics.stdev(test) / len(SEEDS) ** 0.5,
        "test_accuracy_by_seed": test,
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    args = options.parse_args(argv)
    sizes = {"digits": (50,)} if args.quick else {"digits": (50,), "mnist": (100, 1000)}
    runs: list[dict[str, Any]] = []
    for name, counts in sizes.items():
        images = read(name)
        for kind, estimator in estimators(name, args.quick).items():
            began = time.perf_counter()
            encoder = estimator.fit(images.X).encoder_
            seconds = time.perf_counter() - began
            for labels in counts:
                pretrained = run_arm(encoder, False, images, labels)
                scratch = run_arm(encoder, True, images, labels)
                pairs = zip(pretrained["test_accuracy_by_seed"], scratch["test_accuracy_by_seed"], strict=True)
                gains = [a - b for a, b in pairs]
                gain, gain_se = statistics.mean(gains), statistics.stdev(gains) / len(gains) ** 0.5
                runs.append(
                    {
                        "data": name,
                        "labels": labels,
                        "encoder": kind,
                        "pretrained": pretrained,
                        "scratch": scratch,
                        "gain": gain,
                        "gain_se": gain_se,
                        "seconds_without_labels": round(seconds, 1),
                    }
                )
                print(
                    f"{name}, {labels} labels, encoder_ of {kind}: test accuracy {pretrained['test_accuracy']:.4f} "
                    f"({pretrained['test_accuracy_se']:.4f}), from scratch {scratch['test_accuracy']:.4f} "
                    f"({scratch['test_accuracy_se']:.4f}), gain {gain:+.4f} ({gain_se:.4f})",
                    flush=True,
                )
    result = record(__file__, args, seeds=list(SEEDS), grid=GRID, runs=runs)
    write(args.output, result)
    return result


if __name__ == "__main__":
    main()
