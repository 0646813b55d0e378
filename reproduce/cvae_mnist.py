"""Completing MNIST from one column (Doersch 2016, section 4): a conditional VAE against the same regressor without z.

    python reproduce/cvae_mnist.py             # hours of one core; goes on where it was stopped, model by model
    python reproduce/cvae_mnist.py --reduced   # minutes: layers of 400, 200 and 100, 3,000 steps, 1,000 test images
    python reproduce/cvae_mnist.py --quick     # on the digits: shows that the script works

Known is column 13 of 28 (from 0), 28 binary pixels; sought are the 27 other columns. The nets are those of the author's
code: layers of 1000, 500 and 250 units for the condition and for the encoder, their mirror for the decoder, 30 latent
units, Adam at 1e-3, minibatches of 100, 60,000 steps. The regressor is the conditional VAE with latent_dim=0. Ours on
top: a conditional VAE whose prior p(z|c) is learned.

Binary pixels are drawn with probability grey level / 255, column and rest in one draw. The author's code draws anew at
each visit, here each training image has five draws (one with --reduced). 2,000 training images choose the epoch. The
paper has pictures and no numbers; the number here is log p(27 columns | column) on one draw of each test image, in nats
an image: exact for the regressor, the importance-weighted bound with 1,000 samples (200 with --reduced) for the others.

Beside it, over the test images: the entropy of the pixels given z, in nats an image, which is how unsure a single
completion is of its pixels, and how much the pixels' probabilities vary with z, the standard deviation averaged over
the pixels, which is 0 for a regressor: it can only be unsure where the other can choose.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from _common import parser, previous_runs, record, write

import vaekit
from vaekit.data.datasets import load_dataset
from vaekit.evaluation import mean_and_se

MODELS: dict[str, dict[str, Any]] = {
    "regressor": {"latent_dim": 0},
    "conditional VAE": {"latent_dim": 30},
    "conditional VAE, learned prior": {"latent_dim": 30, "prior": "conditional"},
}
BATCH, CODES = 100, 20


class Task:
    """Binary images cut into a known column and the rest, and how much to do with them."""

    def __init__(self, quick: bool, reduced: bool) -> None:
        data = load_dataset("digits" if quick else "mnist")
        images, rng = np.asarray(data.X), np.random.default_rng(0)
        test = images[-200:] if quick else np.asarray(data.X_test)[: 1000 if reduced else None]
        held_out = 200 if quick else 2000
        images = images[:-200] if quick else images
        self.labels = np.asarray(data.y)[-200:] if quick else np.asarray(data.y_test)[: len(test)]
        self.column, self.top = (4, 16) if quick else (13, 255)
        self.steps, self.samples = (100, 20) if quick else (3000, 200) if reduced else (60_000, 1000)
        self.hidden = (64, 32) if quick else (400, 200, 100) if reduced else (1000, 500, 250)
        draws = 1 if quick or reduced else 5
        train = [self.drawn(images[:-held_out], rng) for _ in range(draws)]
        self.train = [np.concatenate(parts) for parts in zip(*train, strict=True)]
        self.valid, self.test = self.drawn(images[-held_out:], rng), self.drawn(test, rng)
        self.epochs = max(1, round(self.steps * BATCH / len(self.train[0])))

    def drawn(self, images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The sought columns, (n, 27 * 28), and the known one, (n, 28), of one binary draw of each image."""
        binary = (rng.integers(0, self.top, images.shape) < images).astype(np.uint8)
        rest = np.delete(binary, self.column, axis=2)
        return rest.reshape(len(images), -1), binary[:, :, self.column]

    def whole(self, rest: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The inverse of the cut: images (n, H, W)."""
        height = known.shape[1]
        return np.insert(rest.reshape(len(known), height, -1).astype(float), self.column, known, axis=2)


def fitted(name: str, task: Task, folder: Path) -> Any:
    """The model, from its folder if it is there."""
    place = folder / name.replace(",", "").replace(" ", "_")
    if place.exists():
        return vaekit.load(place)
    X, condition = task.train
    model = vaekit.ConditionalVAE(
        **MODELS[name],
        hidden=task.hidden,
        condition_hidden=task.hidden,
        activation="relu",
        likelihood="bernoulli",
        epochs=task.epochs,
        batch_size=BATCH,
        learning_rate=1e-3,
        patience=None,
        random_state=0,
        verbose=0,
        callbacks=[lambda line: print(name, line, flush=True)],
    )
    model.fit(X, condition=condition, validation_data=task.valid)
    model.save(place)
    return model


def variety(model: Any, condition: np.ndarray) -> dict[str, float]:
    """Entropy of the pixels given z, and the spread of their probabilities over z, with z from N(0, I)."""
    codes = np.random.default_rng(0).normal(size=(CODES, len(condition), model.latent_dim))
    p = np.stack([model.inverse_transform(z, condition=condition) for z in codes]).astype(np.float64)
    p = p.clip(1e-7, 1 - 1e-7)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(-1)
    return {"entropy_given_z": round(float(entropy.mean()), 3), "spread_over_z": round(float(p.std(0).mean()), 4)}


def run(name: str, model: Any, regressor: Any, task: Task) -> dict[str, Any]:
    """Scores on the test images."""
    X, condition = task.test
    scores = model.score_samples(X, num_samples=task.samples, condition=condition).astype(float)
    plain = regressor.score_samples(X, num_samples=1, condition=condition).astype(float)
    out: dict[str, Any] = {"model": name, "samples": task.samples, "n": len(X)}
    out["log_likelihood"], out["log_likelihood_se"] = mean_and_se(scores)
    out["gain_over_regressor"], out["gain_over_regressor_se"] = mean_and_se(scores - plain)
    few = model.evaluate(X, num_samples=10, condition=condition)
    out |= {key: few[key] for key in ("elbo", "kl", "independent", "active_units")}
    if MODELS[name].get("prior", "normal") == "normal":
        out |= variety(model, condition[:200])
    steps = -(-len(task.train[0]) // BATCH)
    seconds = round(sum(line["seconds"] for line in model.history_), 1)
    out |= {"steps": model.n_iter_ * steps, "best_epoch": model.best_epoch_, "training_seconds": seconds}
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in out.items()}


def draw(models: dict[str, Any], task: Task, path: Path, completions: int = 8) -> None:
    """A test image of each class, its known column, the regressor's answer and completions by several z."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    X, condition = task.test
    chosen = [int(np.flatnonzero(task.labels == label)[0]) for label in range(10)]
    X, condition = X[chosen], condition[chosen]
    codes = np.random.default_rng(1).normal(size=(completions, 10, models["conditional VAE"].latent_dim))
    shown = [
        task.whole(X, condition),
        task.whole(np.zeros_like(X), condition),
        task.whole(models["regressor"].complete(condition=condition), condition),
        *(task.whole(models["conditional VAE"].inverse_transform(z, condition=condition), condition) for z in codes),
    ]
    height, width = shown[0].shape[1:]
    sheet = np.ones((10 * (height + 1), len(shown) * (width + 1), 3))
    for j, images in enumerate(shown):
        for i, image in enumerate(images):
            colour = np.repeat(1 - image[:, :, None], 3, axis=2)
            colour[:, task.column] = colour[:, task.column] * [1.0, 0.75, 0.6] + [0.0, 0.1, 0.3]  # what is known
            top, left = i * (height + 1), j * (width + 1)
            sheet[top : top + height, left : left + width] = colour
    figure = Figure(figsize=(len(shown), 10.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(sheet.clip(0, 1), interpolation="nearest")
    axes.axis("off")
    for j, title in enumerate(("image", "known", "regressor", "conditional VAE: means of p(x|z, c), several z")):
        axes.text(j * (width + 1), -2, title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__, __file__)
    options.add_argument("--reduced", action="store_true", help="smaller layers, 3,000 steps, 1,000 test images")
    options.add_argument("--models", type=Path, default=None, help="folder of the fitted models")
    args = options.parse_args(argv)
    if args.reduced and args.output == options.get_default("output"):
        args.output = args.output.with_name("cvae_mnist_reduced.json")
    folder = args.models or Path("cvae-quick" if args.quick else "cvae-reduced" if args.reduced else "cvae-models")
    task, runs, models = Task(args.quick, args.reduced), previous_runs(args.output), {}
    for name in MODELS:
        models[name] = fitted(name, task, folder)
        if any(each["model"] == name for each in runs):
            continue
        runs.append(run(name, models[name], models["regressor"], task))
        write(args.output, record(__file__, args, runs=runs))
    draw(models, task, args.output.with_suffix(".png"))
    for each in runs:
        value = f"{each['log_likelihood']:8.2f} ({each['log_likelihood_se']:.2f})"
        gain = f"{each['gain_over_regressor']:7.2f} ({each['gain_over_regressor_se']:.2f})"
        print(f"{each['model']:32s} log p(rest | column) {value}, over the regressor {gain}")


if __name__ == "__main__":
    main()
