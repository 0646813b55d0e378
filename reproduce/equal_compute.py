"""log p(x) of dynamically binarised MNIST against minutes of training: PixelCNN and VAEs on the same two cores.

    python reproduce/equal_compute.py --speed            # minutes: how long an epoch of each takes, on a quiet machine
    python reproduce/equal_compute.py --choose [RIVAL]   # the PixelCNN's width and depth, at a third of the budget each
    python reproduce/equal_compute.py --train [METHOD]   # all, an hour each, or one; goes on where it was stopped
    python reproduce/equal_compute.py --score [METHOD]   # scores of what was trained, the table and the figure: hours
    python reproduce/equal_compute.py --quick            # all of it on the digits: shows that the script works

Each method is one `vaekit fit mnist` with the settings below, in a RUN of its own under --runs, which can be killed and
resumed; what lies in reproduce/runs is trained and only scored. An hour of two cores buys it as many epochs as --speed
says: the median of interleaved rounds, A B C ... A B C ..., on two threads with nothing else running. So it does not
matter what else the machine does while a method trains, nor whether a GPU takes these epochs, and a minute in the
figure is a minute of that quiet machine.
The cosine schedule ends with the budget. --compile trains through torch.compile, for those who wait; the minutes remain
those of the plain networks, of all methods alike.
All methods: Adam, batches of 64, gradients clipped, weights averaged, networks in bfloat16 where the processor that
--speed ran on has it (scores in float32), 1,000 training images held out. The curve is
log p(x) of these 1,000: exact for the PixelCNN, by 100 importance samples else. They also choose the epoch, and name
the best VAE. Then, once: 100 and 500 samples on the 10,000 test images, and 5,000 samples and annealed importance
sampling on 1,000 of them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, record, write

import vaekit
from vaekit.cli import main as command
from vaekit.data.datasets import load_dataset
from vaekit.evaluation import Annealing, mean_and_se
from vaekit.likelihoods import Autoregressive

BUDGET = 3600.0  # seconds of training
NATIVE = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
BATCH, TRAINED = 64, 59_000  # rows a step; rows that are not held out
COMMON: dict[str, Any] = {
    "likelihood": "bernoulli",
    "batch_size": BATCH,
    "schedule": "cosine",
    "clip_norm": 5.0,
    "average": 0.999,
    "patience": None,
    "validation_fraction": 1 / 60,
}
VAE = {"validation_samples": 100, "epsilon": 1e-4}
RIVALS: dict[str, dict[str, Any]] = {  # kernel size, layers, channels
    "5 x 5, 6 layers of 16": {"layers": 6, "channels": 16, "kernel_size": 5},
    "5 x 5, 6 layers of 32": {"layers": 6, "channels": 32, "kernel_size": 5},
    "3 x 3, 12 layers of 16": {"layers": 12, "channels": 16, "kernel_size": 3},
}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "PixelCNN": ("pixelcnn", {"learning_rate": 2e-3}),  # and what --choose chose of RIVALS
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
LOOKS = 8  # at the held-out images, at most
SLICE = 1000  # images scored between two writings of the record
WARM_UP = 0.05  # share of the epochs in which the KL's weight rises


def settings_of(name: str, args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Model and settings of a method, or of one of the rivals."""
    if name in RIVALS:
        model, own = METHODS["PixelCNN"]
        return model, COMMON | own | RIVALS[name]
    model, own = METHODS[name]
    if name == "PixelCNN":
        own = own | RIVALS[json.loads(part(args, "choice").read_text())["chosen"]]
    return model, COMMON | own


def steps_per_second(name: str, args: argparse.Namespace, precision: str) -> float:
    """Training steps a second, from a short fit whose second epoch counts."""
    model, settings = settings_of(name, args)
    del settings["validation_fraction"]
    steps = 300 if "hidden" in settings else 30
    X = load_dataset(data(args)).X[: BATCH * steps]
    kind = {"pixelcnn": vaekit.PixelCNN, "vae": vaekit.VAE}[model]
    fit = {"precision": precision, "validation_fraction": None, "epochs": 2, "random_state": 0, "verbose": 0}
    estimator = kind(**settings, **fit).fit(X)
    return math.ceil(len(X) / BATCH) / estimator.history_[-1]["seconds"]


def measure(args: argparse.Namespace) -> None:
    """Write the speed of every method."""
    rounds, names = (1 if args.quick else 5), [*RIVALS, *(name for name in METHODS if name != "PixelCNN")]
    precision = "bfloat16" if NATIVE else "float32"
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names:
            speeds[name].append(round(steps_per_second(name, args, precision), 3))
            print(f"round {turn + 1}: {name}: {speeds[name][-1]:.2f} steps a second", flush=True)
    table = {}
    for name, values in speeds.items():
        each = math.ceil(TRAINED / BATCH) / statistics.median(values)
        epochs = 2 if args.quick else max(2, math.floor(BUDGET / each))
        found = {"steps_per_second": values, "seconds_per_epoch": round(each, 2), "epochs": epochs}
        table[name] = found | {"precision": precision}
    write(part(args, "speed"), record(__file__, args, threads=torch.get_num_threads(), speed=table))


def speed_of(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of an epoch, how many of them fit into the budget, and the precision."""
    if name == "PixelCNN":
        name = json.loads(part(args, "choice").read_text())["chosen"]
    return json.loads(part(args, "speed").read_text())["speed"][name]


def choose(args: argparse.Namespace) -> None:
    """Train every rival for a third of the budget; the best by the held-out images is the PixelCNN."""
    found = {}
    for name in [args.method] if args.method in RIVALS else RIVALS:
        epochs = max(1, speed_of(name, args)["epochs"] // 3)
        train(name, args, epochs)
        points = curve(args.runs / slug(name), speed_of(name, args)["seconds_per_epoch"])
        found[name] = {"epochs": epochs, "validation": max(p["log_likelihood"] for p in points)}
    if len(found) < len(RIVALS):
        return
    chosen = max(found, key=lambda name: found[name]["validation"])
    write(part(args, "choice"), record(__file__, args, rivals=found, chosen=chosen))
    print(f"PixelCNN: {chosen}", flush=True)


def data(args: argparse.Namespace) -> str:
    """Name of the data set."""
    return "digits" if args.quick else "mnist"


def part(args: argparse.Namespace, name: str) -> Path:
    """A file of the record that is written on its own."""
    return args.output.parent / "parts" / f"{args.output.stem}_{slug(name)}.json"


def slug(name: str) -> str:
    """A method's name in file names."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def train(name: str, args: argparse.Namespace, epochs: int | None = None) -> None:
    """Fit one method, or go on with it."""
    model, settings = settings_of(name, args)
    epochs, out = epochs or speed_of(name, args)["epochs"], args.runs / slug(name)
    if (out / "model.safetensors").exists():
        print(f"{name}: is trained", flush=True)
        return
    settings |= {"validation_every": math.ceil(epochs / LOOKS), "precision": speed_of(name, args)["precision"]}
    settings |= {"compile": args.compile}
    if model == "vae":
        settings |= {"kl_warmup": max(1, round(WARM_UP * epochs))} | ({"validation_samples": 2} if args.quick else {})
    print(f"{name}: {epochs} epochs", flush=True)
    arguments = ["fit", data(args), "-o", str(out), "--resume", "--seed", "0", "--model", model]
    arguments += ["--epochs", str(epochs), "--checkpoint-every", "60"]
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    if code := command(arguments):
        raise SystemExit(code)


def curve(folder: Path, seconds_per_epoch: float) -> list[dict[str, float]]:
    """Minutes of training on a quiet machine, and log p(x) of the held-out images."""
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {"minutes": round(e["epoch"] * seconds_per_epoch / 60, 2), "log_likelihood": round(e["validation"], 3)}
        for e in epochs
        if e["validation"] is not None
    ]


def score(name: str, args: argparse.Namespace) -> None:
    """Scores of one method, written a slice of the images at a time: it goes on where it was stopped."""
    path, speed = part(args, name), speed_of(name, args)
    result: dict[str, Any] = json.loads(path.read_text())["result"] if path.exists() else {}
    points = curve(args.runs / slug(name), speed["seconds_per_epoch"])
    result |= {"method": name, "validation": max(p["log_likelihood"] for p in points), "curve": points}
    estimator, source = vaekit.load(args.runs / slug(name)), load_dataset(data(args))
    result["parameters"] = sum(p.numel() for p in estimator.model_.parameters())
    X = source.X[-40:] if args.quick else source.X_test
    few = X[::10]
    many, most = (2, 3) if args.quick else (500, 5000)

    def done(key: str, rows: Any, **options: Any) -> None:
        if key in result:
            return
        values = result.setdefault(f"{key}_so_far", [])
        while len(values) < len(rows):
            some = rows[len(values) : len(values) + SLICE]
            values += estimator.score_samples(some, **options).astype(float).round(4).tolist()
            write(path, record(__file__, args, result=result))
        result[key], result[f"{key}_se"] = mean_and_se(np.array(result.pop(f"{key}_so_far")))
        write(path, record(__file__, args, result=result))
        print(f"{name}: {key} {result[key]:.2f} ({result[f'{key}_se']:.2f})", flush=True)

    if isinstance(estimator, vaekit.PixelCNN):
        done("test", X)
        done("test_1000", few)
        return
    model = estimator.model_
    if isinstance(model.likelihood, Autoregressive) and not args.quick:  # 1.4 times as fast, to 1e-5 nats the same
        model.decoder.compile()
        model.likelihood.network.compile()
    done("test_100_samples", X, num_samples=2 if args.quick else VAE["validation_samples"])
    done("test", X, num_samples=many)
    done("test_1000", few, num_samples=most)
    if "ais" not in result:
        how = Annealing(chains=2, temperatures=5 if args.quick else 50, leapfrog=3)
        estimator = vaekit.load(args.runs / slug(name))  # not compiled
        result |= estimator.anneal(few, how, simulated=10 if args.quick else 200)
        write(path, record(__file__, args, result=result))
        print(f"{name}: ais {result['ais']:.2f}, gap {result['bdmc_gap']:.3f}", flush=True)


def gather(args: argparse.Namespace) -> None:
    """The record of all methods that were scored, the best VAE by the held-out images, and the figure."""
    results = [json.loads(part(args, name).read_text())["result"] for name in METHODS if part(args, name).exists()]
    vaes = [result for result in results if result["method"] != "PixelCNN"]
    best = max(vaes, key=lambda result: result["validation"])["method"] if vaes else None
    speed = json.loads(part(args, "speed").read_text())
    write(args.output, record(__file__, args, speed=speed["speed"], best_vae_by_validation=best, table=results))
    for result in results:
        print(
            f"{result['method']:24s} held out {result['validation']:.2f}, test {result.get('test', float('nan')):.2f}"
        )
    draw(results, args.output.with_suffix(".png"))


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """The curves."""
    fig = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = fig.subplots()
    for i, result in enumerate(results):
        minutes, values = zip(*[(p["minutes"], p["log_likelihood"]) for p in result["curve"]], strict=True)
        rival = result["method"] == "PixelCNN"
        axes.plot(
            minutes,
            values,
            marker="o",
            ms=3,
            lw=2.2 if rival else 1.4,
            color="#333333" if rival else f"C{i}",
            label=result["method"],
        )
    axes.axhline(-81.45, color="#999999", lw=0.8, ls="--")
    across = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "top", "clip_on": True}
    axes.text(0.995, -81.5, "PixelCNN, published", fontsize=8, color="#777777", **across).set_in_layout(False)
    highest = max(result["validation"] for result in results)
    axes.set(xlabel="minutes of training on two cores", ylabel="log p(x) of held-out images, nats")
    axes.set_xlim(0, None)
    axes.set_ylim(highest - 15, highest + 1.5)
    axes.legend(frameon=False, fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    FigureCanvasAgg(fig).print_png(path, metadata={"Software": None})


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--runs", type=Path, default=Path(__file__).parent / "runs", help="folder of the RUNs")
    steps = ("speed", "choose", "train", "score")
    for step in steps:
        options.add_argument(f"--{step}", action="store_true", help="only this part")
    options.add_argument("--compile", action="store_true", help="train through torch.compile; takes a C++ compiler")
    options.add_argument("method", nargs="?", choices=[*METHODS, *RIVALS], help="only this one")
    args = options.parse_args(argv)
    if args.method in RIVALS and (args.train or args.score or not args.choose):
        options.error(f"{args.method!r} is a rival, which only --choose trains.")
    chosen = [args.method] if args.method else list(METHODS)
    every = not any(getattr(args, step) for step in steps)
    if args.speed or every:
        measure(args)
    if args.choose or every:
        choose(args)
    if args.train or every:
        for name in chosen:
            train(name, args)
    if args.score or every:
        for name in chosen:
            score(name, args)
        gather(args)


if __name__ == "__main__":
    main()
