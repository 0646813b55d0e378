"""Auto-Encoding Variational Bayes (Kingma and Welling 2013), Figure 2: the bound on MNIST for 3 to 200 latent units.

    python reproduce/aevb_bound.py            # about half an hour on one core; goes on where it was stopped
    python reproduce/aevb_bound.py --quick    # a minute

As in the paper: one hidden layer of 500 tanh units in encoder and decoder, Bernoulli likelihood, N(0, I) prior, one
sample a point, analytic KL, minibatches of 100.

Not as in the paper: Adam at 1e-3 on a cosine to zero, in place of Adagrad with a step chosen by hand; torch's initial
weights, and no prior on the weights; fewer samples seen (the paper's curves end at 1e8). The paper does not say how
it turns grey levels into Bernoulli values. Here they are binarised dynamically: each pixel is one with probability
grey level / 255, drawn anew at each visit in training. Scores are of one fixed binary draw of each image, so they bound
a normalised likelihood. Without such a draw (grey levels in the cross-entropy) the value would be no likelihood.

The epoch whose weights are kept is chosen by the bound on 5,000 held-out training images; test images are looked at
once, at the end. The published values were read off the figure: take them as +-5 nats.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, record, write

PUBLISHED = {3: -123.0, 5: -113.0, 10: -105.0, 20: -101.0, 200: -103.0}
HELD_OUT = 5000


def run_one(latent_dim: int, X: np.ndarray, X_test: np.ndarray, epochs: int, seed: int, quick: bool) -> dict[str, Any]:
    """Train with one number of latent units and score it."""
    from vaekit import VAE
    from vaekit.evaluation.likelihood import mean_and_se

    vae = VAE(
        latent_dim=latent_dim,
        hidden=(500,),
        activation="tanh",
        likelihood="bernoulli",
        binarize="dynamic",
        epochs=epochs,
        batch_size=100,
        learning_rate=1e-3,
        schedule="cosine",
        patience=None,
        device="cpu",
        random_state=seed,
        verbose=0,
        callbacks=[lambda line: _say(latent_dim, epochs, line)],
    )
    began = time.perf_counter()
    vae.fit(X[:-HELD_OUT], validation_data=X[-HELD_OUT:])
    seconds = time.perf_counter() - began
    few = X_test[: 200 if quick else 2000]
    bound, bound_se = mean_and_se(vae.elbo(X_test, num_samples=2 if quick else 10).astype(np.float64))
    likelihood, likelihood_se = mean_and_se(vae.score_samples(few, num_samples=100).astype(np.float64))
    train = vae.elbo(X[: len(few) * 5], num_samples=2 if quick else 10)
    seen = [line["epoch"] * (len(X) - HELD_OUT) for line in vae.history_]
    return {
        "latent_dim": latent_dim,
        "test_elbo": bound,
        "test_elbo_se": bound_se,
        "test_log_likelihood_100_samples": likelihood,
        "test_log_likelihood_se": likelihood_se,
        "test_log_likelihood_rows": len(few),
        "train_elbo": float(train.astype(np.float64).mean()),
        "held_out_elbo": vae.history_[vae.best_epoch_ - 1]["validation"],
        "published_test_elbo": PUBLISHED.get(latent_dim),
        "active_units": vae.evaluate(few, num_samples=1)["active_units"],
        "best_epoch": vae.best_epoch_,
        "training_samples_seen": seen[-1],
        "seconds": round(seconds, 1),
        "curve": {
            "training_samples_seen": seen,
            "train_elbo": [line["train"] for line in vae.history_],
            "held_out_elbo": [line["validation"] for line in vae.history_],
        },
    }


def _say(latent_dim: int, epochs: int, line: dict[str, Any]) -> None:
    if line["epoch"] % 10 == 0 or line["epoch"] == epochs:
        print(
            f"L = {latent_dim}: epoch {line['epoch']}/{epochs}, train {line['train']:.2f}, "
            f"held out {line['validation']:.2f}, {line['seconds']:.1f} s",
            flush=True,
        )


def orderings(runs: dict[int, dict[str, Any]]) -> dict[str, bool]:
    """What must hold whatever the optimiser: more units help up to 20, and 180 units too many do little harm."""
    bounds = {latent: run["test_elbo"] for latent, run in runs.items()}
    held = {f"L = {a} below L = {b}": bounds[a] < bounds[b] for a, b in ((3, 5), (5, 10), (10, 20))}
    held["L = 200 within 4 nats of L = 20"] = abs(bounds[200] - bounds[20]) < 4
    return held


def draw(runs: dict[int, dict[str, Any]], path: Path) -> None:
    """The bound against training samples seen, the paper's final values at the right edge."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, (latent, run) in enumerate(sorted(runs.items())):
        curve, colour = run["curve"], f"C{number}"
        axes.plot(curve["training_samples_seen"], curve["train_elbo"], color=colour, lw=1, ls=":")
        axes.plot(curve["training_samples_seen"], curve["held_out_elbo"], color=colour, label=f"L = {latent}")
        axes.plot(1e8, PUBLISHED[latent], "x", color=colour, ms=7)
    axes.set_xscale("log")
    axes.set_ylim(-160, -90)
    axes.set_xlabel("training samples seen")
    axes.set_ylabel("bound, nats per image")
    axes.set_title("MNIST: held-out (solid) and training (dotted) bound; x: the paper's final test bound", fontsize=10)
    axes.legend()
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    """Run what is missing, then write the record and the figure."""
    options = parser(__doc__, __file__)
    options.add_argument("--epochs", type=int, default=None, help="passes over 55,000 images (default 60; quick: 1)")
    options.add_argument("--latent-dims", type=int, nargs="+", default=list(PUBLISHED), choices=list(PUBLISHED))
    options.add_argument("--rows", type=int, default=None, help="use the first images only (quick: 7,000)")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args(argv)
    epochs, rows = args.epochs or (1 if args.quick else 60), args.rows or (7000 if args.quick else None)

    from vaekit.data import load_dataset

    data = load_dataset("mnist")
    X, X_test = data.X.reshape(len(data.X), -1)[:rows], data.X_test.reshape(len(data.X_test), -1)
    if args.quick:
        X_test = X_test[:1000]
    runs: dict[int, dict[str, Any]] = {}
    for latent in args.latent_dims:
        asked = {"epochs": epochs, "rows": len(X), "test_rows": len(X_test), "seed": args.seed, "quick": args.quick}
        part = args.output.parent / "parts" / f"{args.output.stem}-{latent}.json"
        kept = json.loads(part.read_text()) if part.exists() else {}
        if kept.get("asked") != asked:
            kept = {"asked": asked, "run": run_one(latent, X, X_test, epochs, args.seed, args.quick)}
            write(part, kept)
        run = runs[latent] = kept["run"]
        print(
            f"L = {latent}: test ELBO {run['test_elbo']:.2f} ({run['test_elbo_se']:.2f}), published "
            f"{PUBLISHED[latent]:.0f} +-5; log p(x) by 100 samples {run['test_log_likelihood_100_samples']:.2f}; train "
            f"{run['train_elbo']:.2f}; active {run['active_units']}; {run['seconds']:.0f} s",
            flush=True,
        )
    held = orderings(runs) if set(runs) == set(PUBLISHED) else {}
    result = record(
        __file__,
        args,
        source="Kingma and Welling (2013), Figure 2: final values as recalled, +-5 nats",
        epochs=epochs,
        held_out_rows=HELD_OUT,
        orderings=held,
        runs=list(runs.values()),
    )
    write(args.output, result)
    draw(runs, args.output.with_suffix(".png"))
    for what, holds in held.items():
        print(f"{what}: {'holds' if holds else 'FAILS'}")
    if not args.quick:
        assert all(held.values()), f"Not as it must be: {[what for what, holds in held.items() if not holds]}"
    return result


if __name__ == "__main__":
    main()
