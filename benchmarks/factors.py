"""Which objective finds the factors? MIG, DCI, SAP and the FactorVAE score of four methods on images of known factors.

    python benchmarks/factors.py            # 26 fits to choose the weights, 32 to report: about 3 hours on one core
    python benchmarks/factors.py --quick    # a minute: shows that the script works, nothing else

The images are all 6,144 of `vaekit.data.factor_images()`: 3 shapes, 4 scales, 8 rotations, 8 x 8 positions, binary,
32 x 32. Every method has the same network (1024-256-256-10 and back, Bernoulli), 200 epochs of Adam at batches of 128
and a rate of 1e-3 on a cosine, and all images for training; nothing but its objective differs. Scores are of posterior
means of all images. beta of the beta-VAE and the beta-TCVAE and gamma of the FactorVAE are each chosen by the mean MIG
over two seeds of their own; eight other seeds are reported. A run that was stopped goes on where it was.

The orderings that were published for dSprites are looked at by every score: beta-VAE above VAE (Higgins et al. 2017, by
a score of theirs), FactorVAE above beta-VAE (Kim and Mnih 2018, by theirs), beta-TCVAE above beta-VAE (Chen et al.
2018, by MIG). Locatello et al. (2019) found that seeds and weights move the scores as much as methods do; so each
difference stands beside its standard error.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _common import parser, previous_runs, record, write

from vaekit import VAE
from vaekit.data import FactorImages, factor_images
from vaekit.evaluation import dci, factor_vae_score, mean_and_se, mig, sap

METHODS: dict[str, dict[str, Any]] = {
    "VAE": {},
    "beta-VAE": {"objective": "elbo"},
    "FactorVAE": {"objective": "factor"},
    "beta-TCVAE": {"objective": "tc"},
}
GRID: dict[str, tuple[str, tuple[float, ...]]] = {
    "beta-VAE": ("beta", (2.0, 4.0, 8.0, 16.0)),
    "FactorVAE": ("gamma", (10.0, 35.0, 100.0, 300.0, 1000.0)),
    "beta-TCVAE": ("beta", (2.0, 4.0, 8.0, 16.0)),
}
SHAPE = [0]  # the one factor without order
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "mig": lambda codes, factors: {"mig": mig(codes, factors)},
    "sap": lambda codes, factors: {"sap": sap(codes, factors, SHAPE)},
    "factor_vae_score": lambda codes, factors: {"factor_vae_score": factor_vae_score(codes, factors)},
    "dci": lambda codes, factors: dci(codes, factors, SHAPE),
}
SCORES = ("mig", "sap", "factor_vae_score", "disentanglement", "completeness", "informativeness")
PUBLISHED = (("beta-VAE", "VAE"), ("FactorVAE", "beta-VAE"), ("beta-TCVAE", "beta-VAE"))  # the first above the second


def run(made: FactorImages, method: str, weights: dict[str, Any], seed: int, epochs: int) -> dict[str, Any]:
    """Fit and score."""
    vae = VAE(
        latent_dim=10,
        hidden=(256, 256),
        likelihood="bernoulli",
        epochs=epochs,
        batch_size=128,
        learning_rate=1e-3,
        schedule="cosine",
        validation_fraction=None,
        random_state=seed,
        device="cpu",
        verbose=0,
        **METHODS[method],
        **weights,
    )
    began = time.perf_counter()
    vae.fit(made.images)
    seconds = {"fit": time.perf_counter() - began}
    codes, scores = vae.transform(made.images), {}
    for name, metric in METRICS.items():
        began = time.perf_counter()
        scores |= metric(codes, made.factors)
        seconds[name] = time.perf_counter() - began
    bound = vae.evaluate(made.images, num_samples=10)
    return {
        "method": method,
        "weights": weights,
        "seed": seed,
        "epochs": epochs,
        **scores,
        **{name: bound[name] for name in ("elbo", "reconstruction", "kl", "active_units")},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def over_seeds(values: list[float]) -> dict[str, Any]:
    """Mean, its standard error, which one seed has not, and median."""
    mean, se = mean_and_se(np.array(values))
    return {"mean": mean, "se": se, "median": statistics.median(values)}


def chosen(runs: list[dict[str, Any]], method: str, seeds: list[int]) -> dict[str, float]:
    """The weight of the grid with the highest mean MIG over the seeds."""
    if method not in GRID:
        return {}
    name, values = GRID[method]

    def score(value: float) -> float:
        picked = [r["mig"] for r in runs if r["method"] == method and r["weights"] == {name: value}]
        return statistics.mean(picked)

    runs = [r for r in runs if r["seed"] in seeds]
    return {name: max(values, key=score)}


def summarise(runs: list[dict[str, Any]], weights: dict[str, dict[str, float]], seeds: list[int]) -> dict[str, Any]:
    """Each method's scores over the seeds, the published orderings, and the metrics' times."""
    kept = {
        method: [
            r for s in seeds for r in runs if (r["method"], r["weights"], r["seed"]) == (method, weights[method], s)
        ]
        for method in METHODS
    }
    names = (*SCORES, "elbo", "reconstruction", "kl", "active_units")
    table = {m: {name: over_seeds([r[name] for r in rows]) for name in names} for m, rows in kept.items()}
    orderings = []
    for above, below in PUBLISHED:
        for score in SCORES[:-1]:
            pairs = zip(kept[above], kept[below], strict=True)  # the same seeds in the same order
            gaps = [a[score] - b[score] for a, b in pairs]
            row = {"above": above, "below": below, "score": score, "gap": over_seeds(gaps)}
            orderings.append(row | {"holds": row["gap"]["mean"] > 0, "on_seeds": sum(gap > 0 for gap in gaps)})
    spread = {
        score: {
            "between_methods": statistics.pstdev([table[method][score]["mean"] for method in METHODS]),
            "between_seeds": statistics.mean([statistics.pstdev([r[score] for r in rows]) for rows in kept.values()]),
        }
        for score in SCORES
    }
    seconds = {name: statistics.median(r["seconds"][name] for r in runs) for name in ("fit", *METRICS)}
    return {"scores": table, "orderings": orderings, "spread": spread, "seconds_median": seconds}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    options.add_argument("--epochs", type=int, default=None, help="of each fit (default 200; quick: 20)")
    options.add_argument("--seeds", type=int, nargs="+", default=list(range(8)), help="that are reported")
    options.add_argument("--choice-seeds", type=int, nargs="+", default=[100, 101], help="that choose the weights")
    args = options.parse_args(argv)
    epochs = args.epochs or (20 if args.quick else 200)
    made = factor_images(16, scales=2, rotations=2, positions=4) if args.quick else factor_images()
    runs = previous_runs(args.output)

    def need(method: str, weights: dict[str, float], seed: int) -> None:
        key = {"method": method, "weights": weights, "seed": seed, "epochs": epochs}
        if any(key.items() <= r.items() for r in runs):
            return
        runs.append(run(made, method, weights, seed, epochs))
        write(args.output, record(__file__, args, runs=runs))
        shown = "  ".join(f"{name} {runs[-1][name]:.3f}" for name in SCORES)
        print(f"{method} {weights} seed {seed}: {shown}  ({runs[-1]['seconds']['fit']:.0f} s)", flush=True)

    for method, (name, values) in GRID.items():
        for value in values:
            for seed in args.choice_seeds:
                need(method, {name: value}, seed)
    runs_of_now = [r for r in runs if r["epochs"] == epochs]
    weights = {method: chosen(runs_of_now, method, args.choice_seeds) for method in METHODS}
    for seed in args.seeds:
        for method in METHODS:
            need(method, weights[method], seed)
    summary = summarise([r for r in runs if r["epochs"] == epochs], weights, args.seeds)
    result = record(__file__, args, images=len(made.images), chosen=weights, summary=summary, runs=runs)
    write(args.output, result)
    for method, scores in summary["scores"].items():
        print(f"{method} {weights[method]}: " + "  ".join(f"{name} {scores[name]['mean']:.3f}" for name in SCORES))
    for row in summary["orderings"]:
        gap = f"{row['gap']['mean']:+.3f} ({row['gap']['se']}), on {row['on_seeds']} of {len(args.seeds)} seeds"
        print(f"{row['above']} above {row['below']} by {row['score']}: {gap}")
    return result


if __name__ == "__main__":
    main()
