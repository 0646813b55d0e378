"""Time of log p(x) by 500 importance samples for 1,000 points: vaekit beside its floor, and pythae.

    python benchmarks/likelihood.py [--pythae FOLDER]    # 3 minutes; benchmarks/_pythae.py says how to get pythae
    python benchmarks/likelihood.py --quick

The net is 784-500-20-500-784, SiLU, Bernoulli; the points are binary and as large as MNIST's. The weights are
untrained: they do not change the work.

- ours: `vaekit.evaluation.likelihood.score_rows`, which gives ELBO, reconstruction and KL besides.
- floor: the decoder's two matrix products for each sample alone, by PyTorch's own choice of library, into buffers made
  before, with as many samples at a time as is fastest here.
- floor by vaekit: the same by the products of `vaekit.nn.linear`, into new buffers; large ones go through oneDNN where
  the processor has AVX-512.
- pythae: its `get_nll` on a few points, 500 samples, 100 at a time.

All in one process, in turn, on a share of the points each time; ratios are medians over the rounds of the ratio within
a round; in brackets, ratios of the least times. Ours is measured on all points once more at the end, in one call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import _pythae
import torch
from _common import compare, interleave, parser, record, show, write
from _products import Product, linear_mm, mm

from vaekit.data.rows import Rows
from vaekit.evaluation.likelihood import score_rows
from vaekit.likelihoods import Bernoulli
from vaekit.models import VAE
from vaekit.nn import MLP

WIDTH, HIDDEN, LATENT = 784, 500, 20
TARGET = 1.6


def floor(points: int, samples: int, chunk: int, product: Product) -> Callable[[], None]:
    """The products of the decoder for `points` times `samples` codes, `chunk` at a time."""
    z, h, out = torch.randn(chunk, LATENT), torch.randn(chunk, HIDDEN), torch.empty(chunk, WIDTH)
    a, w1, w2 = torch.empty(chunk, HIDDEN), torch.randn(HIDDEN, LATENT), torch.randn(WIDTH, HIDDEN)

    def run() -> None:
        for _ in range(points * samples // chunk):
            product(z, w1.t(), a)
            product(h, w2.t(), out)

    return run


def fastest_floor(points: int, samples: int, product: Product) -> tuple[int, Callable[[], None]]:
    """The chunk size at which the floor is lowest."""
    floors = {chunk: floor(points, samples, chunk, product) for chunk in (100, 250, 500, 1000, 2000)}
    seconds = interleave({str(chunk): run for chunk, run in floors.items()}, rounds=3, warm=1)
    chunk = min(floors, key=lambda chunk: min(seconds[str(chunk)]))
    return chunk, floors[chunk]


def peer(points: torch.Tensor, samples: int, of: int) -> Callable[[], None]:
    """pythae on the first of the points; `interleave` is told of the share afterwards."""
    model = _pythae.build(WIDTH, HIDDEN, LATENT).eval()
    few = points[:of].float()

    def run() -> None:
        with torch.no_grad():
            model.get_nll(few, n_samples=samples, batch_size=100)

    return run


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    _pythae.add_option(options)
    options.add_argument("--threads", type=int, default=None, help="of torch; its own choice by default")
    options.add_argument("--points", type=int, default=None, help="default 1000; quick: 20")
    options.add_argument("--samples", type=int, default=500)
    options.add_argument("--rounds", type=int, default=None, help="default 30; quick: 3")
    args = options.parse_args(argv)
    points, rounds = args.points or (20 if args.quick else 1000), args.rounds or (3 if args.quick else 30)
    share = min(points, 20 if args.quick else 100)
    if args.threads:
        torch.set_num_threads(args.threads)
    pythae = _pythae.version(args.pythae)

    torch.manual_seed(0)
    data = (torch.rand(points, WIDTH) < 0.2).to(torch.uint8)
    encoder, decoder = MLP(WIDTH, (HIDDEN,), 2 * LATENT), MLP(LATENT, (HIDDEN,), WIDTH)
    model = VAE(encoder, decoder, Bernoulli((WIDTH,)), LATENT).eval()
    rows, part = Rows(data), Rows(data[:share])
    chunk, products = fastest_floor(share, args.samples, mm)
    chunk_by_vaekit, by_vaekit = fastest_floor(share, args.samples, linear_mm)
    works = {"ours": lambda: score_rows(model, part, args.samples), "floor": products, "floor by vaekit": by_vaekit}
    few = 5
    if pythae is not None:
        works["pythae"] = peer(data, args.samples, few)
    seconds = interleave(works, rounds)
    if pythae is not None:
        seconds["pythae"] = [each * share / few for each in seconds["pythae"]]
    table = compare(seconds, ("floor", "floor by vaekit", "pythae"), per=share, unit="point")
    show(f"{args.samples} importance samples, {share} points a round, floor at {chunk} codes at a time", table)
    began = time.perf_counter()
    scores = score_rows(model, rows, args.samples)
    whole = time.perf_counter() - began
    print(f"all {points} points in one call: {whole:.2f} s, {whole / points * 1e3:.3f} ms a point")
    met = table["ours"]["ratio_to_floor"]["median"] <= TARGET
    print(f"ours / floor at most {TARGET}: {'met' if met else 'NOT MET'}")
    result = record(
        __file__,
        args,
        peer_versions={"pythae": pythae},
        seed=0,
        rounds=rounds,
        samples=args.samples,
        points_a_round=share,
        floor_codes_at_a_time={"floor": chunk, "floor by vaekit": chunk_by_vaekit},
        times=table,
        all_points={"points": points, "seconds": round(whole, 3), "mean": float(scores.log_likelihood.mean())},
        targets_met={f"ours / floor at most {TARGET}": met},
    )
    write(args.output, result)
    return result


if __name__ == "__main__":
    main()
