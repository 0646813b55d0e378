"""Time of a training step of a convolutional VAE, and of drawing images from a PixelCNN.

    python benchmarks/conv.py [--pythae FOLDER]    # 4 minutes; benchmarks/_pythae.py says how to get pythae
    python benchmarks/conv.py --quick

The VAE: 28 x 28 binary images, two levels of 32 and 64 channels with a residual block each, 20 latent units, SiLU,
Bernoulli, one sample, analytic KL, minibatches of 128 rows that lie in memory as bytes, Adam at 1e-3.

- ours: epochs of `vaekit.training.train` as `VAE(network="conv").fit` runs it, all that an epoch does included.
- floor: its convolutions and linear maps alone, forward and backward, channels last, one after the other.
- plain: the same modules in PyTorch's default memory format, in the loop of benchmarks/train_step.py.
- pythae: the same modules in its VAE, epochs of its `BaseTrainer.train_step`, its default Adam and DataLoader.
- bfloat16: the steps of ours with the networks in bfloat16, without what `train` does around them.

All in one process, in turn, as in benchmarks/train_step.py. Then 16 images from a PixelCNN of 6 layers of 16 channels:
ours, and computing the whole network anew for every pixel, in turn; both give the same images, bit for bit where the
sums happen to round alike, which is checked by the share of equal pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import _pythae
import torch
import torch.nn.functional as F
from _common import compare, interleave, parser, record, show, write
from torch import Tensor, nn

from vaekit.data.rows import Rows
from vaekit.likelihoods import Autoregressive, Bernoulli
from vaekit.models import VAE, PixelCNN
from vaekit.nn import ConvDecoder, ConvEncoder
from vaekit.objectives import elbo
from vaekit.training import TrainingSettings, train
from vaekit.training.optimizer import FusedAdam

BATCH, RATE, SHAPE, LATENT, CHANNELS = 128, 1e-3, (28, 28), 20, (32, 64)
FASTER = 5.0  # how much drawing is to gain


def networks() -> tuple[ConvEncoder, ConvDecoder]:
    return ConvEncoder(SHAPE, CHANNELS, 2 * LATENT), ConvDecoder(LATENT, CHANNELS, (1, *SHAPE))


class PlainEncoder(nn.Module):
    """The layers of a ConvEncoder in the default memory format."""

    def __init__(self, encoder: ConvEncoder) -> None:
        super().__init__()
        self.of = encoder.to(memory_format=torch.contiguous_format)

    def forward(self, x: Tensor) -> Tensor:
        return self.of.output(F.silu(self.of.levels(x.view(-1, 1, *SHAPE))).flatten(1))


class PlainDecoder(nn.Module):
    """The layers of a ConvDecoder in the default memory format."""

    def __init__(self, decoder: ConvDecoder) -> None:
        super().__init__()
        self.of = decoder.to(memory_format=torch.contiguous_format)

    def forward(self, z: Tensor) -> Tensor:
        maps = self.of.input(z).view(-1, *self.of.smallest)
        return self.of.output(F.silu(self.of.levels(maps))) + self.of.offset


def floor(steps: int) -> Callable[[], None]:
    """Every convolution and linear map on inputs of its own: what no arrangement of them can avoid."""
    works: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        works.append((module, inputs[0].detach().clone(), torch.rand_like(output)))

    encoder, decoder = networks()
    layers = [m for part in (encoder, decoder) for m in part.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    decoder(encoder(torch.rand(BATCH, *SHAPE))[:, :LATENT])
    for hook in hooks:
        hook.remove()

    def run() -> None:
        for _ in range(steps):
            for i, (layer, x, gradient) in enumerate(works):
                x.requires_grad_(i > 0)  # the image needs no gradient
                wanted = [*([x] if i > 0 else []), *layer.parameters()]
                torch.autograd.grad(layer(x), wanted, gradient)

    return run


def plain(data: Tensor) -> Callable[[], None]:
    encoder, decoder = networks()
    encode, decode = PlainEncoder(encoder), PlainDecoder(decoder)
    optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], RATE, fused=True)

    def run() -> None:
        for idx in torch.randperm(len(data)).split(BATCH):
            x = data[idx].float()
            mu, log_var = encode(x).chunk(2, -1)
            z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
            rebuilt = F.binary_cross_entropy_with_logits(decode(z)[:, 0], x, reduction="sum")
            kl = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum()
            loss = (rebuilt + kl) / len(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def peer(data: Tensor) -> Callable[[], None]:
    encoder, decoder = networks()
    model = _pythae.of_networks(PlainEncoder(encoder), PlainDecoder(decoder), (1, *SHAPE), LATENT)
    trainer, epochs = _pythae.trainer(model, data.unsqueeze(1), BATCH, RATE), iter(range(1, 10**9))
    return lambda: trainer.train_step(next(epochs))


def reduced(data: Tensor) -> Callable[[], None]:
    """Our step in bfloat16."""
    encoder, decoder = networks()
    model = VAE(encoder, decoder, Bernoulli(SHAPE), LATENT)
    optimizer = FusedAdam(model.parameters(), epsilon=1e-8, weight_decay=0.0, decoupled=False)
    rows = Rows(data)

    def run() -> None:
        for idx in torch.randperm(len(rows)).split(BATCH):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                value = elbo(model.terms(rows.take(idx), None)).mean()
            (-value).backward()
            optimizer.step(RATE)

    return run


def training(steps: int, rounds: int, with_pythae: bool) -> dict[str, Any]:
    """One epoch of ours after the other; between them, in a callback, the others."""
    data = (torch.rand(steps * BATCH, *SHAPE) < 0.2).to(torch.uint8)
    rivals = {"floor": floor(steps), "plain": plain(data), "bfloat16": reduced(data)}
    if with_pythae:
        rivals["pythae"] = peer(data)
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}

    def between(line: dict[str, Any]) -> None:
        times = interleave(rivals, rounds=1, warm=0) | {"ours": [line["seconds"]]}
        if line["epoch"] > 1:
            for name, values in times.items():
                seconds[name] += values

    encoder, decoder = networks()
    model = VAE(encoder, decoder, Bernoulli(SHAPE), LATENT)
    settings = TrainingSettings(epochs=1 + rounds, batch_size=BATCH, learning_rate=RATE)
    value = lambda x, factor: elbo(model.terms(x, None), beta=factor)  # noqa: E731 (as the estimator hands it over)
    train(model, Rows(data), value, settings, seed=0, callbacks=[between])
    return compare(seconds, ("floor", "plain", "pythae"), per=steps)


def drawing(rounds: int, side: int, images: int) -> tuple[dict[str, Any], float]:
    """Ours against the whole network for each pixel, and the share of pixels in which the two images agree."""
    torch.manual_seed(0)
    own = Autoregressive(Bernoulli((side, side)), features=0, layers=6, channels=16, kernel_size=5)
    model, drawn = PixelCNN(own).eval(), {}

    @torch.no_grad()
    def anew() -> None:
        torch.manual_seed(1)
        x = torch.zeros(images, 1, side, side)
        for i in range(side):
            for j in range(side):
                x[:, :, i, j] = Bernoulli((1, 1, 1))(own.network(x)[:, None, :, i : i + 1, j : j + 1]).sample()[
                    ..., 0, 0
                ]
        drawn["anew"] = x[:, 0]

    def ours() -> None:
        torch.manual_seed(1)
        drawn["ours"] = model.sample(images)

    seconds = interleave({"ours": ours, "anew": anew}, rounds, warm=1)
    return compare(seconds, ("ours",), per=images, unit="image"), float((drawn["ours"] == drawn["anew"]).float().mean())


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = parser(__doc__, __file__)
    _pythae.add_option(options)
    args = options.parse_args(argv)
    peer_version = _pythae.version(args.pythae)
    torch.manual_seed(0)
    steps, rounds = (2, 1) if args.quick else (10, 15)
    vae = training(steps, rounds, peer_version is not None)
    show("a training step", vae)
    images, agree = drawing(*((1, 10, 4) if args.quick else (3, 28, 16)))
    show("an image from a PixelCNN", images)
    gain = images["anew"]["ratio_to_ours"]["median"]
    found = {"drawing, whole network anew to ours": {"found": gain, "target": FASTER, "met": gain >= FASTER}}
    result = record(
        __file__, args, pythae=peer_version, training=vae, drawing=images, equal_pixels=agree, targets=found
    )
    write(args.output, result)
    return result


if __name__ == "__main__":
    main()
