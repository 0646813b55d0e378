"""How far 5,000 importance samples are off: annealed importance sampling of the VAE and IWAEs of `iwae_table1.py`.

    python reproduce/ais_mnist.py           # those RUNs of iwae_table1.py that are there; 20 minutes each
    python reproduce/ais_mnist.py --quick

On 1,000 test images, every tenth, the bound by 5,000 samples of the recognition model and that by 16 annealed chains
of 200 temperatures from it; on 200 images simulated from the model an annealed lower and an upper bound (bidirectional
Monte Carlo), whose gap bounds the error of either on those images. Wu et al. (2017) do so for their decoders. Goes on
where it was stopped.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, previous_runs, record, write

import vaekit
from vaekit.data.datasets import load_dataset
from vaekit.evaluation import Annealing

RUNS = ("dynamic_vae", "dynamic_iwae_k_5", "dynamic_iwae_k_50")


def anneal(folder: Path, quick: bool) -> dict[str, Any]:
    """Both bounds of the test images, and the sandwich."""
    source = load_dataset("digits" if quick else "mnist")
    X = source.X[-20:] if quick else source.X_test[::10]
    how = Annealing(chains=2, temperatures=5) if quick else Annealing(temperatures=200)
    began = time.perf_counter()
    found = vaekit.load(folder).anneal(X, how, simulated=5 if quick else 200, num_samples=20 if quick else 5000)
    return {"run": folder.name} | found | {"minutes": round((time.perf_counter() - began) / 60, 1)}


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--runs", type=Path, default=Path("iwae-runs"), help="folder of the RUNs")
    args = options.parse_args(argv)
    runs = previous_runs(args.output)
    there = [name for name in RUNS if (args.runs / name / "model.safetensors").exists()]
    if not there:
        raise SystemExit(f"No RUN in {args.runs}: run iwae_table1.py first, or name its folder with --runs.")
    for name in there:
        if any(each["run"] == name for each in runs):
            continue
        found = anneal(args.runs / name, args.quick)
        runs.append(found)
        shown = f"{found['ais_importance_weighted']:.2f} by importance, {found['ais']:.2f} by annealing"
        print(f"{name}: {shown}, gap {found['bdmc_gap']:.3f}", flush=True)
        write(args.output, record(__file__, args, runs=runs))


if __name__ == "__main__":
    main()
