"""Samples of MNIST from an autoencoder and a VAE, from N(0, I) and from a mixture fitted to the codes afterwards.

    python reproduce/samples_mnist.py           # 15 to 20 minutes of a slow core for each of six fits
    python reproduce/samples_mnist.py --quick   # on the digits: shows that the script works

The question of Ghosh et al. (2020, table 1): does a density fitted to the codes after training draw better than the
prior that a VAE was trained with? Both models have convolutions of 16 and 32 channels, 16 latent units, and squared
error (of the VAE a Gaussian with one learned sigma for all pixels), on grey levels from 0 to 1; a sample is the mean of
p(x|z). 10,000 of them are compared with the 10,000 test images by features of a classifier that is trained here on the
labelled training images: distances are not comparable with the published ones, their order is. Three seeds; goes on
where it was stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, previous_runs, record, write

import vaekit
from vaekit.data.datasets import load_dataset
from vaekit.evaluation import features_of, mean_and_se, sample_quality, train_features
from vaekit.nn import ConvDecoder, ConvEncoder

LATENT, CHANNELS = 16, (16, 32)
PUBLISHED = {  # FID on ImageNet features, Ghosh et al. (2020, table 1): N(0, I), and the mixture of 10 Gaussians
    "VAE": {"prior": 19.21, "fitted": 17.66},
    "Autoencoder": {"prior": 58.73, "fitted": 10.66},
}
NAMES = ("frechet", "kernel", "precision", "recall")


def fit(kind: str, X: np.ndarray, seed: int, epochs: int) -> Any:
    common = {
        "latent_dim": LATENT,
        "epochs": epochs,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "average": 0.999,
        "validation_fraction": None,
        "patience": None,
        "random_state": seed,
        "verbose": 0,
    }
    if kind == "VAE":
        model = vaekit.VAE(likelihood="isotropic", network="conv", channels=CHANNELS, kl_warmup=1, **common)
    else:
        torch.manual_seed(seed)
        shape = X.shape[1:]
        model = vaekit.Autoencoder(
            encoder=ConvEncoder(shape, CHANNELS, 256), decoder=ConvDecoder(LATENT, CHANNELS, (1, *shape)), **common
        )
    return model.fit(X).fit_prior(X, 10, seed)


def run(kind: str, X: np.ndarray, real: np.ndarray, network: Any, n: int, seed: int, epochs: int) -> dict[str, Any]:
    """Quality of samples from N(0, I), of samples from the fitted mixture, and of reconstructions."""
    model = fit(kind, X, seed, epochs)
    torch.manual_seed(seed)
    codes = {
        "prior": torch.randn(n, LATENT).numpy(),
        "fitted": model.fitted_prior_().sample((n,)).numpy(),
        "reconstruction": model.transform(real),
    }
    there = features_of(network, real)
    out: dict[str, Any] = {"model": kind, "seed": seed}
    for name, z in codes.items():
        drawn = np.clip(model.inverse_transform(z), 0, 1)
        out[name] = {key: round(value, 4) for key, value in sample_quality(there, features_of(network, drawn)).items()}
    return out


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for kind in PUBLISHED:
        own = [each for each in runs if each["model"] == kind]
        if not own:
            continue
        for source in ("prior", "fitted", "reconstruction"):
            row: dict[str, Any] = {"model": kind, "codes": source, "seeds": len(own)}
            for name in NAMES:
                row[name], row[f"{name}_se"] = mean_and_se(np.array([each[source][name] for each in own]))
            row["published_fid"] = PUBLISHED[kind].get(source)
            table.append(row)
    return table


def main(argv: list[str] | None = None) -> None:
    args = parser(__doc__, __file__).parse_args(argv)
    data = load_dataset("digits" if args.quick else "mnist")
    images, top = np.asarray(data.X), float(np.max(data.X))
    cut = len(images) - 300 if args.quick else len(images)
    X, labels = (images[:cut] / top).astype(np.float32), np.asarray(data.y)[:cut]
    real = ((images[cut:] if args.quick else np.asarray(data.X_test)) / top).astype(np.float32)
    epochs, seeds = (2, 1) if args.quick else (20, 3)
    network = train_features(X, labels, epochs=3, seed=0)
    some = X[:: max(1, len(X) // len(real))][: len(real)]
    floor = sample_quality(features_of(network, real), features_of(network, some))
    print("training images", floor, flush=True)
    runs = previous_runs(args.output)
    for seed in range(seeds):
        for kind in PUBLISHED:
            if any(each["model"] == kind and each["seed"] == seed for each in runs):
                continue
            runs.append(run(kind, X, real, network, len(real), seed, epochs))
            print(runs[-1], flush=True)
            write(args.output, record(__file__, args, training_images=floor, table=summary(runs), runs=runs))
    for row in summary(runs):
        scores = f"{row['frechet']:8.2f}  kernel {row['kernel']:.3f}  recall {row['recall']:.2f}"
        print(f"{row['model']:12s} {row['codes']:15s} {scores}")


if __name__ == "__main__":
    main()
