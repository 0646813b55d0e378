"""Which objective finds the factors? MIG, DCI, SAP and the FactorVAE score of four methods on images of known factors.

    python benchmarks/factors.py            # 18 fits to choose the weights, up to 40 to report: 6 hours of a slow core
    python benchmarks/factors.py --quick    # a minute: shows that the script works, nothing else

The images are 81,000 of `vaekit.data.factor_images`: 3 shapes, 6 scales, 20 rotations, 15 x 15 positions, binary,
32 x 32. Every method has the same network (1024-256-256-10 and back, Bernoulli), 30 epochs of Adam at batches of 128
and a rate of 1e-3 on a cosine, and all images for training; nothing but its objective differs. Scores are of the
posterior means of 10,000 images, drawn once.

Three orderings were published for dSprites: beta-VAE above VAE (Higgins et al. 2017, by a score of which that of the
FactorVAE is the heir), FactorVAE above beta-VAE (Kim and Mnih 2018, by theirs), beta-TCVAE above beta-VAE (Chen et al.
2018, by MIG). For each, the weights of both methods are chosen by the mean of its own score over two seeds, among three
weights a method; eight other seeds are reported. Locatello et al. (2019) found that seeds and weights move the scores
as much as methods do; so each difference stands beside its standard error. A run that was stopped goes on where it was.
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
    "beta-VAE": ("beta", (2.0, 4.0, 8.0)),
    "FactorVAE": ("gamma", (5.0, 10.0, 35.0)),
    "beta-TCVAE": ("beta", (2.0, 4.0, 8.0)),
}
SHAPE = [0]  # the one factor without order
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, float]]] = {
    "mig": lambda codes, factors: {"mig": mig(codes, factors)},
    "sap": lambda codes, factors: {"sap": sap(codes, factors, SHAPE)},
    "factor_vae_score": lambda codes, factors: {"factor_vae_score": factor_vae_score(codes, factors)},
    "dci": lambda codes, factors: dci(codes, factors, SHAPE),
}
SCORES = ("mig", "sap", "factor_vae_score", "disentanglement", "completeness", "informativeness")
PUBLISHED = (  # the first above the second, by this score
    ("beta-VAE", "VAE", "factor_vae_score"),
    ("FactorVAE", "beta-VAE", "factor_vae_score"),
    ("beta-TCVAE", "beta-VAE", "mig"),
)
SCORED = 10_000  # images


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
    some = np.random.default_rng(0).permutation(len(made.images))[:SCORED]
    codes, scores = vae.transform(made.images[some]), {}
    for name, metric in METRICS.items():
        began = time.perf_counter()
        scores |= metric(codes, made.factors[some])
        seconds[name] = time.perf_counter() - began
    bound = vae.evaluate(made.images[some], num_samples=10)
    return {
        "method": method,
        "weights": weights,
        "seed": seed,
        "epochs": epochs,
        "images": len(made.images),
        **scores,
        **{name: bound[name] for name in ("elbo", "reconstruction", "kl", "active_units")},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def over_seeds(values: list[float]) -> dict[str, Any]:
    """Mean, its standard error, which one seed has not, and median."""
    mean, se = mean_and_se(np.array(values))
    return {"mean": mean, "se": se, "median": statistics.median(values)}


def chosen(runs: list[dict[str, Any]], method: str, score: str, seeds: list[int]) -> dict[str, float]:
    """The weight of the grid with the highest mean score over the seeds."""
    if method not in GRID:
        return {}
    name, values = GRID[method]

    def mean(value: float) -> float:
        return statistics.mean(r[score] for r in runs if r["weights"] == {name: value})

    runs = [r for r in runs if r["method"] == method and r["seed"] in seeds]
    return {name: max(values, key=mean)}


def summarise(
    runs: list[dict[str, Any]], weights: dict[str, dict[str, dict[str, float]]], seeds: list[int]
) -> dict[str, Any]:
    """Each method's scores over the seeds, the published orderings, and the metrics' times.

    Args:
        runs: all.
        weights: by score and method, what was chosen.
        seeds: that are reported.
    """

    def rows(method: str, score: str) -> list[dict[str, Any]]:
        key = (method, weights[score][method])
        return [next(r for r in runs if (r["method"], r["weights"], r["seed"]) == (*key, seed)) for seed in seeds]

    names = (*SCORES, "elbo", "reconstruction", "kl", "active_units")
    table: list[dict[str, Any]] = []
    orderings = []
    for above, below, by in PUBLISHED:
        for method in (below, above):
            shown = {"method": method, "weights": weights[by][method]}
            if not any(shown.items() <= row.items() for row in table):
                table.append(shown | {name: over_seeds([r[name] for r in rows(method, by)]) for name in names})
        for score in SCORES[:-1]:
            gaps = [a[score] - b[score] for a, b in zip(rows(above, by), rows(below, by), strict=True)]
            row = {"above": above, "below": below, "chosen_by": by, "score": score, "gap": over_seeds(gaps)}
            orderings.append(row | {"holds": row["gap"]["mean"] > 0, "on_seeds": sum(gap > 0 for gap in gaps)})
    seconds = {name: statistics.median(r["seconds"][name] for r in runs) for name in ("fit", *METRICS)}
    return {"scores": table, "orderings": orderings, "seconds_median": seconds}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    options.add_argument("--epochs", type=int, default=None, help="of each fit (default 30; quick: 20)")
    options.add_argument("--seeds", type=int, nargs="+", default=list(range(8)), help="that are reported")
    options.add_argument("--choice-seeds", type=int, nargs="+", default=[100, 101], help="that choose the weights")
    args = options.parse_args(argv)
    epochs = args.epochs or (20 if args.quick else 30)
    sizes = (
        {"scales": 2, "rotations": 2, "positions": 4} if args.quick else {"scales": 6, "rotations": 20, "positions": 15}
    )
    made = factor_images(16 if args.quick else 32, **sizes)
    runs = [r for r in previous_runs(args.output) if r.get("images") == len(made.images)]

    def need(method: str, weights: dict[str, float], seed: int) -> None:
        key = {"method": method, "weights": weights, "seed": seed, "epochs": epochs, "images": len(made.images)}
        if any(key.items() <= r.items() for r in runs):
            return
        runs.append(run(made, method, weights, seed, epochs))
        write(args.output, record(__file__, args, runs=runs))
        shown = "  ".join(f"{name} {runs[-1][name]:.3f}" for name in SCORES)
        print(f"{method} {weights} seed {seed}: {shown}  ({runs[-1]['seconds']['fit']:.0f} s)", flush=True)

    for seed in args.choice_seeds:
        for method, (name, values) in GRID.items():
            for value in values:
                need(method, {name: value}, seed)
    runs_of_now = [r for r in runs if r["epochs"] == epochs]
    weights = {
        score: {method: chosen(runs_of_now, method, score, args.choice_seeds) for method in METHODS}
        for score in dict.fromkeys(by for *_, by in PUBLISHED)
    }
    for seed in args.seeds:
        for above, below, by in PUBLISHED:
            for method in (below, above):
                need(method, weights[by][method], seed)
    summary = summarise([r for r in runs if r["epochs"] == epochs], weights, args.seeds)
    result = record(__file__, args, images=len(made.images), chosen=weights, summary=summary, runs=runs)
    write(args.output, result)
    for row in summary["scores"]:
        print(f"{row['method']} {row['weights']}: " + "  ".join(f"{name} {row[name]['mean']:.3f}" for name in SCORES))
    for row in summary["orderings"]:
        gap = f"{row['gap']['mean']:+.3f} ({row['gap']['se']}), on {row['on_seeds']} of {len(args.seeds)} seeds"
        print(f"{row['above']} above {row['below']} by {row['score']}, chosen by {row['chosen_by']}: {gap}")
    return result


if __name__ == "__main__":
    main()
