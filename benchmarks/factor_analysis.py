"""A linear VAE reaches factor analysis: log p(x) of both, of the same size, on real tables.

    python benchmarks/factor_analysis.py            # a few minutes on one core
    python benchmarks/factor_analysis.py --quick

A VAE with `hidden=()` and a Gaussian likelihood with one sigma per column is factor analysis,

    p(x) = N(b, W W^T + Psi),   Psi diagonal,

and its bound is tight at the maximum: there the posterior is a normal with linear means and one covariance for all x,
which a rotation of z (the likelihood does not see it) makes diagonal. So both programs maximise the same function, one
by stochastic gradients of a bound, one by EM, and the mean log p(x) of the training rows must agree.

The peer is scikit-learn's FactorAnalysis on standardised columns (svd_method="lapack", max_iter=20000, tol=1e-6); its
score is brought to the data's units by the log-Jacobian, -sum_d log s_d. The VAE's log p(x) is given exactly, from its
weights, and by importance samples, as a user would get it. Nats per row; the target is 0.1.
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _common import parser, record, write
from scipy.stats import multivariate_normal
from sklearn import datasets
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import ConvergenceWarning

from vaekit import VAE

TARGET = 0.1


def tables() -> dict[str, tuple[np.ndarray, int]]:
    """Name to (X, number of factors)."""
    found = {
        "diabetes (442 x 10)": (datasets.load_diabetes(scaled=False).data, 3),
        "wine cultivars (178 x 13)": (datasets.load_wine().data, 4),
        "breast cancer (569 x 30)": (datasets.load_breast_cancer().data, 5),
    }
    path = Path(os.environ.get("VAEKIT_DATA", "")) / "tables" / "wine.npz"
    if path.is_file():
        with np.load(path) as table:
            numbers = table["X"][:, table["types"] != "cat"]
        found["wine quality (6497 x 12)"] = (numbers, 4)
    else:
        print("wine quality: left out, $VAEKIT_DATA/tables/wine.npz is not there")
    return found


def by_factor_analysis(X: np.ndarray, factors: int, iterations: int) -> tuple[float, int]:
    """Mean log p(x) in the data's units, and the number of EM steps."""
    mean, std = X.mean(0), X.std(0)
    standard = (X - mean) / std
    model = FactorAnalysis(factors, svd_method="lapack", max_iter=iterations, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is in the record
        model.fit(standard)
    return float(model.score(standard) - np.log(std).sum()), model.n_iter_


def exact_log_likelihood(vae: VAE, X: np.ndarray) -> float:
    """Mean log N(x; b, W W^T + Psi) by the fitted decoder, which is affine, and its noise."""
    ends = vae.inverse_transform(np.vstack([np.zeros(vae.latent_dim), np.eye(vae.latent_dim)])).astype(np.float64)
    offset, weights = ends[0], ends[1:] - ends[0]
    noise = vae.model_.decode(vae.model_.prior().mean).variance.detach().double().numpy()
    mean, std = X.mean(0), X.std(0)  # the columns' units differ by powers of ten: work on standardised values
    weights, noise = weights / std, noise / std**2
    exact = multivariate_normal((offset - mean) / std, weights.T @ weights + np.diag(noise))
    return float(exact.logpdf((X - mean) / std).mean() - np.log(std).sum())


def by_vae(X: np.ndarray, factors: int, steps: int, samples: int, seed: int) -> dict[str, Any]:
    batch = min(len(X), 512)
    vae = VAE(
        latent_dim=factors,
        hidden=(),
        likelihood="gaussian",
        samples=8,
        epochs=-(-steps // -(-len(X) // batch)),
        batch_size=batch,
        learning_rate=0.02,
        schedule="cosine",
        validation_fraction=None,
        random_state=seed,
        device="cpu",
        verbose=0,
    )
    began = time.perf_counter()
    vae.fit(X)
    seconds = time.perf_counter() - began
    return {
        "exact": exact_log_likelihood(vae, X),
        "importance_weighted": vae.score(X, num_samples=samples),
        "elbo": float(vae.elbo(X, num_samples=samples).astype(np.float64).mean()),
        "seconds": round(seconds, 1),
    }


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    options.add_argument("--steps", type=int, default=None, help="of Adam (default 10000; quick: 200)")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args(argv)
    steps, samples = args.steps or (200 if args.quick else 10_000), 100 if args.quick else 2000
    runs: dict[str, Any] = {}
    for name, (X, factors) in tables().items():
        if args.quick and len(X) > 1000:
            continue
        X = np.asarray(X, dtype=np.float64)
        peer, iterations = by_factor_analysis(X, factors, 500 if args.quick else 20_000)
        ours = by_vae(X, factors, steps, samples, args.seed)
        runs[name] = {
            "factors": factors,
            "factor_analysis": peer,
            "factor_analysis_iterations": iterations,
            "vae": ours,
            "vae_minus_factor_analysis": ours["exact"] - peer,
            "importance_weighted_minus_exact": ours["importance_weighted"] - ours["exact"],
            "target_met": abs(ours["importance_weighted"] - peer) <= TARGET and abs(ours["exact"] - peer) <= TARGET,
        }
        print(
            f"{name}, {factors} factors: factor analysis {peer:.4f} ({iterations} steps), linear VAE exactly "
            f"{ours['exact']:.4f} ({ours['exact'] - peer:+.4f}), by {samples} samples "
            f"{ours['importance_weighted']:.4f} ({ours['importance_weighted'] - peer:+.4f}), ELBO {ours['elbo']:.4f}; "
            f"{ours['seconds']:.0f} s; {'met' if runs[name]['target_met'] else 'NOT MET'}",
            flush=True,
        )
    source = "scikit-learn's wine, breast cancer and diabetes; UCI wine quality"
    result = record(__file__, args, data=source, target=TARGET, steps=steps, samples=samples, runs=runs)
    write(args.output, result)
    return result


if __name__ == "__main__":
    main()
