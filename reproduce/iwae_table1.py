"""Burda et al. (2016), tables 1 and 3, one stochastic layer: VAE and IWAE on dynamic and static MNIST, on a budget.

    python reproduce/iwae_table1.py           # hours: six fits of --epochs passes; goes on where it was stopped
    python reproduce/iwae_table1.py --quick   # on the digits: shows that the script works

Their network (two hidden layers of 200, tanh, 50 latent units), their minibatches of 20 and their Adam (epsilon 1e-4),
but --epochs passes over the data where they made 3,280, and a cosine from 1e-3 to 0 where they had eight steps down to
1e-4. VAE is their k = 1. Test log p(x) by 5,000 importance samples, once, on the 10,000 test images. Static: one draw
of each image (ours; theirs is Larochelle's). 2% of the training images choose the epoch by the objective.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, previous_runs, record, write

import vaekit
from vaekit.cli import main as command
from vaekit.data.datasets import load_dataset
from vaekit.evaluation import mean_and_se

SETTINGS: dict[str, Any] = {
    "likelihood": "bernoulli",
    "hidden": [200, 200],
    "activation": "tanh",
    "latent_dim": 50,
    "batch_size": 20,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "epsilon": 1e-4,
    "validation_fraction": 0.02,
    "patience": None,
}
METHODS = {
    "VAE": {"objective": "elbo"},
    "IWAE, k = 5": {"objective": "iwae", "samples": 5},
    "IWAE, k = 50": {"objective": "iwae", "samples": 50},
}
PUBLISHED = {  # log p(x) by 5,000 samples
    "dynamic": {"VAE": -86.76, "IWAE, k = 5": -85.54, "IWAE, k = 50": -84.78},
    "static": {"VAE": -88.71, "IWAE, k = 5": -87.63, "IWAE, k = 50": -87.10},
}


def run(method: str, binarize: str, args: Any) -> dict[str, Any]:
    """Fit, or go on, and score."""
    source = "digits" if args.quick else "mnist"
    folder = args.runs / "_".join(
        [binarize, *(word for word in method.lower().replace(",", "").split() if word != "=")]
    )
    arguments = ["fit", source, "-o", str(folder), "--resume", "--seed", "0", "--model", "vae"]
    arguments += ["--epochs", str(2 if args.quick else args.epochs)]
    for key, value in (SETTINGS | METHODS[method] | {"binarize": binarize}).items():
        arguments += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    if code := command(arguments):
        raise SystemExit(code)
    data, model = load_dataset(source), vaekit.load(folder)
    X = data.X[-50:] if args.quick else data.X_test
    value, se = mean_and_se(model.score_samples(X, num_samples=10 if args.quick else 5000).astype(float))
    seconds = sum(json.loads(line)["seconds"] for line in (folder / "metrics.jsonl").read_text().splitlines())
    return {
        "method": method,
        "binarize": binarize,
        "log_likelihood": round(value, 3),
        "se": None if se is None else round(se, 3),
        "published": PUBLISHED[binarize][method],
        "epochs": model.n_iter_,
        "best_epoch": model.best_epoch_,
        "training_minutes": round(seconds / 60, 1),
    }


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--runs", type=Path, default=Path("iwae-runs"), help="folder of the RUNs")
    options.add_argument("--epochs", type=int, default=60, help="passes over the data")
    args = options.parse_args(argv)
    runs = previous_runs(args.output)
    for binarize in PUBLISHED:
        for method in METHODS:
            if any(each["method"] == method and each["binarize"] == binarize for each in runs):
                continue
            runs.append(run(method, binarize, args))
            print(runs[-1], flush=True)
            write(args.output, record(__file__, args, runs=runs))


if __name__ == "__main__":
    main()
