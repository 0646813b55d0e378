"""Variational Graph Auto-Encoders (Kipf and Welling 2016), Table 1: link prediction in three citation graphs.

    python reproduce/vgae_table1.py                # some three hours on one core, nearly all of them Pubmed's
    python reproduce/vgae_table1.py --one-split    # ten starts on one split, as the paper has them: as long again
    python reproduce/vgae_table1.py --quick        # a minute

The paper's protocol: a tenth of the edges for the test, a twentieth for validation, as many absent pairs for each; no
selection, 200 full-batch steps of Adam at 0.01, scored with the means at the last step; the defaults of `GAE` and
`VGAE`. Figures are means over the seeds with their standard errors. The paper's are over ten random starts on one
split; how much a figure owes to its split they cannot tell. So seed k makes split k and the k-th start; with
`--one-split` all starts k are on the split of seed 0, the default of `split_edges`. The test edges of a run are scored
once. The record, of both, is written after each run, and a script that was stopped goes on with it; to start afresh,
remove it or give another --output.

Spectral clustering is the paper's baseline: inner products of 128 eigenvectors of the normalised training adjacency
(see `vaekit.evaluation.spectral_embedding` for the choices that the paper leaves open).
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, previous_runs, record, write

# AUC and AP in %; Table 1.
PUBLISHED = {
    "spectral": {"cora": (84.6, 88.5), "citeseer": (80.5, 85.0), "pubmed": (84.2, 87.8)},
    "GAE, no features": {"cora": (84.3, 88.1), "citeseer": (78.7, 84.1), "pubmed": (82.2, 87.4)},
    "VGAE, no features": {"cora": (84.0, 87.7), "citeseer": (78.9, 84.1), "pubmed": (82.7, 87.5)},
    "GAE": {"cora": (91.0, 92.0), "citeseer": (89.5, 89.9), "pubmed": (96.4, 96.5)},
    "VGAE": {"cora": (91.4, 92.6), "citeseer": (90.8, 92.0), "pubmed": (94.4, 94.7)},
}


def run_one(model: str, data: str, seed: int, split_seed: int, epochs: int) -> dict[str, Any]:
    """Split, fit and score once; AUC and AP in %."""
    from vaekit import GAE, VGAE
    from vaekit.data import load_dataset, split_edges
    from vaekit.evaluation import spectral_scores

    split = split_edges(load_dataset(data).X, random_state=split_seed)
    began = time.perf_counter()
    if model == "spectral":
        scores: dict[str, Any] = spectral_scores(split.train, split.test_edges, split.test_negatives, dim=128)
    else:
        kind = VGAE if model.startswith("VGAE") else GAE
        estimator = kind(
            use_features="no features" not in model, epochs=epochs, device="cpu", random_state=seed, verbose=0
        )
        scores = estimator.fit(split.train).evaluate(split, num_samples=1)
    seconds = time.perf_counter() - began
    return {
        "model": model,
        "data": data,
        "seed": seed,
        "split": split_seed,
        "auc": 100 * scores["auc"],
        "ap": 100 * scores["ap"],
        "seconds": round(seconds, 1),
    }


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard error over the seeds, of many splits and of one, beside the published figures."""
    lines = []
    for one_split in (False, True):
        kept = [run for run in runs if run["split"] == (0 if one_split else run["seed"])]
        for model, by_data in PUBLISHED.items():
            for data, published in by_data.items():
                ours = [run for run in kept if (run["model"], run["data"]) == (model, data)]
                if len(ours) > int(one_split):  # one run alone is split 0 of many
                    lines.append({"model": model, "data": data, "one_split": one_split} | figures(ours, published))
    return lines


def figures(runs: list[dict[str, Any]], published: tuple[float, float]) -> dict[str, Any]:
    """AUC and AP of some runs of one model on one graph."""
    line: dict[str, Any] = {"seeds": len(runs)}
    for name, value in zip(("auc", "ap"), published, strict=True):
        values = [run[name] for run in runs]
        line[name] = round(statistics.mean(values), 2)
        line[f"{name}_se"] = round(statistics.stdev(values) / len(values) ** 0.5, 2) if len(values) > 1 else None
        line[f"{name}_published"] = value
    line["within_a_point_or_above"] = all(line[n] >= line[f"{n}_published"] - 1 for n in ("auc", "ap"))
    return line


def main() -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--data", nargs="+", default=["cora", "citeseer", "pubmed"], help="which graphs")
    options.add_argument("--models", nargs="+", choices=list(PUBLISHED), default=list(PUBLISHED), help="which models")
    options.add_argument("--seeds", type=int, default=10, help="number of seeds")
    options.add_argument("--one-split", action="store_true", help="all on the split of seed 0, as in the paper")
    args = options.parse_args()
    epochs, seeds = (3, 1) if args.quick else (200, args.seeds)
    data_sets = ["cora"] if args.quick else args.data
    runs = [] if args.quick else previous_runs(args.output)
    for data in data_sets:
        for model in args.models:
            for seed in range(seeds):
                split = 0 if args.one_split else seed
                key = {"model": model, "data": data, "seed": seed, "split": split}
                if any(key.items() <= run.items() for run in runs) or (model == "spectral" and seed and args.one_split):
                    continue
                run = run_one(model, data, seed, split, epochs)
                runs.append(run)
                print(f"{data}, {model}, seed {seed}: AUC {run['auc']:.2f}, AP {run['ap']:.2f}", flush=True)
                write(args.output, record(__file__, args, epochs=epochs, table=summary(runs), runs=runs))
    for line in summary(runs):
        splits = "one split" if line["one_split"] else "splits"
        cells = (f"{n.upper()} {line[n]:.2f} ({line[f'{n}_se']}), {line[f'{n}_published']}" for n in ("auc", "ap"))
        print(f"{line['data']:9} {line['model']:18} {splits:9} {line['seeds']} seeds: {'; '.join(cells)} published")


if __name__ == "__main__":
    main()
