"""Time of a training step: vaekit beside its floor, a plain PyTorch loop, and pythae.

    python benchmarks/train_step.py [--pythae FOLDER]    # 3 minutes; benchmarks/_pythae.py says how to get pythae
    python benchmarks/train_step.py --quick

Two nets, 784-500-20-500-784 and 64-64-8-64-64, SiLU, Bernoulli, one sample, analytic KL, minibatches of 100 binary rows
that lie in memory as bytes, Adam at 1e-3.

- ours: epochs of `vaekit.training.train` as `VAE.fit` runs it, all that an epoch does included.
- floor: the step's 11 matrix products alone, by PyTorch's own choice of library, into buffers made before, and one
  step of fused Adam.
- floor by vaekit: the same by the products of `vaekit.nn.linear`, into new buffers; large ones go through oneDNN where
  the processor has AVX-512.
- by hand: the same step for this one model alone, its backward pass written out, into buffers made before where torch
  takes them: what PyTorch's operations allow without automatic differentiation.
- plain: the loop as a good engineer writes it in PyTorch, with fused Adam.
- pythae: epochs of its `BaseTrainer.train_step`, its default Adam and DataLoader, without its progress bar.

All in one process, in turn: an epoch of ours, then as many steps of each other one, and so on. Ratios are medians over
the rounds of the ratio within a round; in brackets, ratios of the least times. The time of a step depends on the number
of threads (`--threads`), on the machine and on what else it does; ratios hold better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import _pythae
import torch
import torch.nn.functional as F
from _common import compare, interleave, parser, record, show, write
from _products import Product, linear_mm, mm
from torch import Tensor, nn

from vaekit.data.rows import Rows
from vaekit.likelihoods import Bernoulli
from vaekit.models import VAE
from vaekit.nn import MLP
from vaekit.objectives import elbo
from vaekit.training import TrainingSettings, train

BATCH = 100
RATE = 1e-3
NETS = {"784-500-20-500-784": (784, 500, 20), "64-64-8-64-64": (64, 64, 8)}
TARGETS = {  # (net, base): at most this ratio of ours to the base
    ("784-500-20-500-784", "floor"): 1.45,
    ("784-500-20-500-784", "pythae"): round(1 / 1.7, 3),
    ("64-64-8-64-64", "plain"): 1.0,
}


def floor(width: int, hidden: int, latent: int, steps: int, product: Product) -> Callable[[], None]:
    """The matrix products of forward and backward (no gradient with respect to x), and fused Adam."""
    shapes = [(hidden, width), (2 * latent, hidden), (hidden, latent), (width, hidden)]
    w1, w2, w3, w4 = weights = [nn.Parameter(torch.randn(shape) * 0.01) for shape in shapes]
    biases = [nn.Parameter(torch.zeros(shape[0])) for shape in shapes]
    for p in (*weights, *biases):
        p.grad = torch.full_like(p, 1e-3)
    g1, g2, g3, g4 = (w.grad for w in weights)
    optimizer = torch.optim.Adam([*weights, *biases], RATE, fused=True)
    x, h, a, q, z, d, out = (
        torch.rand(BATCH, n) * 1e-3 for n in (width, hidden, hidden, 2 * latent, latent, hidden, width)
    )

    def run() -> None:
        for _ in range(steps):
            with torch.no_grad():
                product(x, w1.t(), a)
                product(h, w2.t(), q)
                product(z, w3.t(), a)
                product(h, w4.t(), out)
                product(out, w4, d)
                product(out.t(), h, g4)
                product(d, w3, z)
                product(d.t(), z, g3)
                product(q, w2, d)
                product(q.t(), h, g2)
                product(d.t(), x, g1)
            optimizer.step()

    return run


def by_hand(width: int, hidden: int, latent: int, data: Tensor) -> Callable[[], float]:
    """The bound and its gradient in as few operations as there are; an epoch gives the sum of its steps' values."""
    shapes = [(hidden, width), (2 * latent, hidden), (hidden, latent), (width, hidden)]
    w1, w2, w3, w4 = weights = [nn.Parameter(torch.randn(shape) * 0.01) for shape in shapes]
    b1, b2, b3, b4 = biases = [nn.Parameter(torch.zeros(shape[0])) for shape in shapes]
    for p in (*weights, *biases):
        p.grad = torch.zeros_like(p)
    (g1, g2, g3, g4), (s1, s2, s3, s4) = ([p.grad for p in group] for group in (weights, biases))
    optimizer = torch.optim.Adam([*weights, *biases], RATE, fused=True)
    raw = torch.empty(BATCH, width, dtype=torch.uint8)
    x, a1, h1, q, z, a2, h2, out, each, d, dz, dq = (
        torch.empty(BATCH, n)
        for n in (width, hidden, hidden, 2 * latent, latent, hidden, hidden, width, width, hidden, latent, 2 * latent)
    )
    silu, backward = torch.ops.aten.silu.out, torch.ops.aten.silu_backward.default

    def run() -> float:
        total = torch.zeros(())
        for idx in torch.randperm(len(data)).split(BATCH):
            with torch.no_grad():
                x.copy_(torch.index_select(data, 0, idx, out=raw))
                silu(torch.addmm(b1, x, w1.t(), out=a1), out=h1)
                mu, log_sigma = torch.addmm(b2, h1, w2.t(), out=q).chunk(2, -1)
                sigma, noise = log_sigma.exp(), torch.randn(BATCH, latent)
                torch.addcmul(mu, sigma, noise, out=z)
                silu(torch.addmm(b3, z, w3.t(), out=a2), out=h2)
                torch.addmm(b4, h2, w4.t(), out=out)
                torch.addcmul(F.softplus(out), out, x, value=-1, out=each)
                excess = sigma.square() - 1
                total += (each.sum() + (0.5 * (mu.square() + excess) - log_sigma).sum()) / BATCH
                out.sigmoid_().sub_(x).div_(BATCH)
                torch.mm(out.t(), h2, out=g4)
                torch.sum(out, 0, out=s4)
                back = backward(torch.mm(out, w4, out=d), a2)
                torch.mm(back.t(), z, out=g3)
                torch.sum(back, 0, out=s3)
                torch.mm(back, w3, out=dz)
                dq[:, :latent] = dz + mu / BATCH
                dq[:, latent:] = dz * noise * sigma + excess / BATCH
                torch.mm(dq.t(), h1, out=g2)
                torch.sum(dq, 0, out=s2)
                back = backward(torch.mm(dq, w2, out=d), a1)
                torch.mm(back.t(), x, out=g1)
                torch.sum(back, 0, out=s1)
            optimizer.step()
        return float(total)

    return run


def plain(width: int, hidden: int, latent: int, data: Tensor) -> Callable[[], float]:
    encoder = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))
    decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, width))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], RATE, fused=True)

    def run() -> float:
        total = torch.zeros(())
        for idx in torch.randperm(len(data)).split(BATCH):
            x = data[idx].float()
            mu, log_var = encoder(x).chunk(2, -1)
            z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
            rebuilt = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
            kl = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum()
            loss = (rebuilt + kl) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total)

    return run


def peer(width: int, hidden: int, latent: int, data: Tensor) -> Callable[[], None]:
    trainer = _pythae.trainer(_pythae.build(width, hidden, latent), data, BATCH, RATE)
    epochs: Iterator[int] = iter(range(1, 10**9))
    return lambda: trainer.train_step(next(epochs))


def measure(net: tuple[int, int, int], steps: int, rounds: int, with_pythae: bool) -> dict[str, Any]:
    """One epoch of ours after the other; between them, in a callback, the others."""
    width, hidden, latent = net
    data = (torch.rand(steps * BATCH, width) < 0.2).to(torch.uint8)
    rivals: dict[str, Callable[[], object]] = {
        "floor": floor(*net, steps, mm),
        "floor by vaekit": floor(*net, steps, linear_mm),
        "by hand": by_hand(*net, data),
        "plain": plain(*net, data),
    }
    if with_pythae:
        rivals["pythae"] = peer(*net, data)
    warm, threads = 2, torch.get_num_threads()
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}

    def between(line: dict[str, Any]) -> None:
        inside = torch.get_num_threads()  # training takes one thread for a small net: no rule for the others
        torch.set_num_threads(threads)
        times = interleave(rivals, rounds=1, warm=0) | {"ours": [line["seconds"]]}
        torch.set_num_threads(inside)
        if line["epoch"] > warm:
            for name, values in times.items():
                seconds[name] += values

    model = VAE(MLP(width, (hidden,), 2 * latent), MLP(latent, (hidden,), width), Bernoulli((width,)), latent)
    settings = TrainingSettings(epochs=warm + rounds, batch_size=BATCH, learning_rate=RATE)
    value = lambda x, factor: elbo(model.terms(x, None), beta=factor)  # noqa: E731 (as the estimator hands it over)
    train(model, Rows(data), value, settings, seed=0, callbacks=[between])
    return compare(seconds, ("floor", "floor by vaekit", "by hand", "plain", "pythae"), per=steps)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    _pythae.add_option(options)
    options.add_argument("--threads", type=int, default=None, help="of torch; its own choice by default")
    options.add_argument("--rounds", type=int, default=None, help="default 120; quick: 4")
    args = options.parse_args(argv)
    rounds = args.rounds or (4 if args.quick else 120)
    if args.threads:
        torch.set_num_threads(args.threads)
    pythae = _pythae.version(args.pythae)
    torch.manual_seed(0)
    nets, met = {}, {}
    for name, net in NETS.items():
        steps = (5 if args.quick else 50) if net[0] > 100 else (20 if args.quick else 150)
        nets[name] = measure(net, steps, rounds, with_pythae=pythae is not None)
        show(f"{name}, batch {BATCH}", nets[name])
        for (of, base), most in TARGETS.items():
            ratio = nets[name]["ours"].get(f"ratio_to_{base}")
            if of == name and ratio:
                met[f"{name}: ours / {base} at most {most}"] = ratio["median"] <= most
    for what, is_met in met.items():
        print(f"{what}: {'met' if is_met else 'NOT MET'}")
    result = record(__file__, args, peer_versions={"pythae": pythae}, seed=0, rounds=rounds, nets=nets, targets_met=met)
    write(args.output, result)
    return result


if __name__ == "__main__":
    main()
