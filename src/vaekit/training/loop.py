"""The training loop."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vaekit.errors import OptionError, TrainingError, VaekitError, warn
from vaekit.randomness import isolated_rng, rng_state, set_rng_state
from vaekit.training.averaging import MovingAverage
from vaekit.training.checkpoint import Checkpoint, TrainingState
from vaekit.training.compiling import compare, compiled, left_alone
from vaekit.training.optimizer import FusedAdam
from vaekit.training.schedules import SCHEDULES, warm_up

Value = Callable[[Any, float], Tensor]
Callback = Callable[[dict[str, Any]], object]
_LOOK = 200  # steps between looks at whether the loss is still a number
_SMALL_WORK = 30_000_000  # multiply-adds of a forward pass below which a second thread costs more than it gives


class Examples(Protocol):
    """What is trained on: rows, or a graph as the only example."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Any:
        """A batch, by the numbers of its examples, where the model is."""
        ...

    @property
    def work(self) -> int:
        """Vectors in an example that meet every weight: 1 for a row, N for a graph."""
        ...

    @property
    def pixels(self) -> int:
        """Places of an example that meet every weight of a convolution: H W of an image, else 1."""
        ...


@dataclass(frozen=True, eq=False)
class Adversarial:
    """A value with a network of its own, such as a discriminator, whose gradient it carries beside the model's.

    The loop trains the network at the model's learning rate, by Adam with the decays 0.5 and 0.9 (Kim and Mnih 2018,
    appendix), and writes it into checkpoints; it is no part of the model.

    Attributes:
        value: as `train` takes it.
        network: on the model's device.
    """

    value: Value
    network: nn.Module

    def __call__(self, x: Any, factor: float) -> Tensor:
        """The value of a batch."""
        return self.value(x, factor)


class Interrupted(VaekitError):
    """The run was asked to stop and has written its checkpoint."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: passes over the rows, at most.
        batch_size: rows a step.
        learning_rate: step size at the start of the schedule.
        schedule: "constant", "cosine" or "linear".
        optimizer: "adam" or "adamw", both fused.
        epsilon: added to the root of Adam's second moment.
        weight_decay: 0 by default.
        clip_norm: largest norm of the gradient, or None.
        average: decay of the exponential moving average of the weights that is evaluated and kept, or None; at step t
            it is at most (1 + t) / (10 + t), so that the start is soon forgotten.
        kl_warmup: epochs over which beta rises from 0 to its value.
        validate_every: epochs from one validation to the next; the last epoch is always validated.
        patience: epochs without a better validation score, after the warm-up, before training stops; None: never.
        precision: "float32", or "bfloat16" for the networks (a processor that has no such arithmetic is warned of).
        compile: whether to run the step through torch.compile; its gradients are compared with the model's own first.
    """

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: str = "constant"
    optimizer: str = "adam"
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    average: float | None = None
    kl_warmup: float = 0.0
    validate_every: int = 1
    patience: int | None = None
    precision: str = "float32"
    compile: bool = False


def train(
    model: nn.Module,
    rows: Examples,
    value: Value,
    settings: TrainingSettings,
    *,
    seed: int,
    state: TrainingState | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Checkpoint | None = None,
) -> TrainingState:
    r"""Maximise the mean of `value` over the rows; `model` ends with the best weights.

    Args:
        model: its parameters are trained in place.
        rows: the training data, on the device of the model: `Rows`, or other examples.
        value: from a batch, of rows (B, \*shape), and the warm-up factor of the KL to (B,) values in nats; an
            `Adversarial` one has a network that is trained too.
        settings: how to train.
        seed: fixes the order of the rows and all noise.
        state: where to go on from; changed in place. A new run by default.
        validate: score of a model on held-out data, higher is better; its best epoch is kept, before the first look and
            without one the last.
        callbacks: called with the record of each epoch.
        checkpoint: where to write the state every so often.

    Returns:
        The final state with its history.

    Raises:
        OptionError: within torch.inference_mode(), or compiled gradients are not the model's; nothing has changed then.
        TrainingError: the value, or the held-out score, turned NaN or infinite; `model` holds the last good weights.
        Interrupted: the checkpoint was asked to stop and has been written.
    """
    if torch.is_inference_mode_enabled():
        raise OptionError("Training needs gradients, which torch.inference_mode() rules out: fit outside of it.")
    small = settings.batch_size * _multiply_adds(model, rows) < _SMALL_WORK
    threads = _threads(1 if small else torch.get_num_threads())
    compiling = left_alone(model) if settings.compile else contextlib.nullcontext()
    with isolated_rng(seed), torch.enable_grad(), threads, compiling:
        return _train(model, rows, value, settings, state or TrainingState(), validate, callbacks, checkpoint)


def _multiply_adds(model: nn.Module, rows: Examples) -> int:
    """Those of an example's forward pass, about."""
    return rows.work * sum(p.numel() * (rows.pixels if p.ndim == 4 else 1) for p in model.parameters())


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """Run a block with that many threads, and put torch's number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    model: nn.Module,
    rows: Examples,
    value: Value,
    settings: TrainingSettings,
    state: TrainingState,
    validate: Callable[[nn.Module], float] | None,
    callbacks: Sequence[Callback],
    checkpoint: Checkpoint | None,
) -> TrainingState:
    device = next(model.parameters()).device
    optimizer = FusedAdam(
        model.parameters(),
        epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
        decoupled=settings.optimizer == "adamw",
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer}  # what a checkpoint holds the state of
    adversary, networks = None, [model]
    if isinstance(value, Adversarial):
        networks.append(value.network)
        adversary = FusedAdam(value.network.parameters(), epsilon=settings.epsilon, betas=(0.5, 0.9))
        parts |= {"network": value.network, "network_optimizer": adversary}
    averaged = None if settings.average is None else MovingAverage(model, settings.average)
    if averaged is not None:
        parts["average"] = averaged
    judged = model if averaged is None else averaged.module

    state.tensors.setdefault("best", _snapshot(judged))
    if "model" in state.tensors:
        for name, part in parts.items():
            part.load_state_dict(state.tensors[name])
        set_rng_state(state.tensors["rng"])

    run = compiled(value) if settings.compile else value
    autocast = contextlib.nullcontext()
    if settings.precision == "bfloat16":
        onednn = torch.backends.mkldnn.is_available()
        if device.type == "cpu" and onednn and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            warn(
                "This processor has no bfloat16 arithmetic and imitates it, many times slower than float32: "
                "precision='float32' suits it better."
            )
        autocast = torch.autocast(device.type, dtype=torch.bfloat16)
    factor = SCHEDULES[settings.schedule]
    sizes = [len(part) for part in torch.arange(len(rows)).split(settings.batch_size)]
    if len(sizes) > 1 and sizes[-1] == 1:  # batch norm cannot take a single row
        sizes[-2:] = [sizes[-2] + 1]
    steps = len(sizes)
    total, warm = settings.epochs * steps, settings.kl_warmup * steps

    compared = False
    while state.epoch < settings.epochs and not _out_of_patience(state, settings):
        began = time.monotonic() - state.seconds
        epoch_rng, first = rng_state(), state.step
        values = torch.zeros(steps, device=device)  # one tensor: small ones that stay would break up the free memory
        if first:  # resumed within an epoch: draw its order again, then go on where it stood
            epoch_rng = state.tensors["epoch_rng"]
            values[:first] = state.tensors["values"]["mean"]
            set_rng_state(epoch_rng)
        order = torch.randperm(len(rows)).to(device).split(sizes)
        if first:
            set_rng_state(state.tensors["rng"])
        model.train()
        for step in range(first, steps):
            now = state.epoch * steps + step
            learning_rate = settings.learning_rate * factor(now, total)
            x = rows.take(order[step])
            if run is not value and not compared:
                compare(networks, value, run, x, warm_up(now, warm), autocast, settings.precision)
                compared = True
            with autocast:
                each = run(x, warm_up(now, warm))
            each.backward(torch.full_like(each, -1 / each.numel()))  # of minus the mean
            if settings.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimizer.step(learning_rate)
            if adversary is not None:
                adversary.step(learning_rate)
            if averaged is not None:
                averaged.update()
            values[step] = each.detach().mean()
            state.step, state.seconds = step + 1, time.monotonic() - began
            if state.step % _LOOK == 0 or state.step == steps:
                _check_finite(model, values, state, settings, state.epoch * steps)
            if checkpoint is not None and state.step < steps and checkpoint.due:
                _check_finite(model, values, state, settings, state.epoch * steps)
                _save(checkpoint, state, parts, epoch_rng, values)

        trained = time.monotonic()
        state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
        if averaged is not None:
            averaged.copy_buffers()
        judged.eval()
        due = state.epoch % settings.validate_every == 0 or state.epoch == settings.epochs
        score = float(validate(judged)) if validate is not None and due else None
        if score is not None and not math.isfinite(score):
            _keep_best(model, state)
            raise TrainingError(
                f"The score of the held-out rows was {score} after epoch {state.epoch}: {_kept(state)}. Look among "
                f"them for values far beyond the others, or try a smaller learning_rate (now "
                f"{settings.learning_rate:g}) or clip_norm=1."
            )
        if state.best_score is None or (score is not None and score > state.best_score):  # until it is judged, the last
            state.best_score, state.best_epoch = score, state.epoch
            state.tensors["best"] = _snapshot(judged)
        record = {
            "epoch": state.epoch,
            "train": float((values.cpu() * torch.tensor(sizes)).sum() / len(rows)),
            "validation": score,
            "beta_factor": float(warm_up(now, warm)),
            "learning_rate": float(learning_rate),
            "seconds": trained - began,  # of training alone, and of every sitting
        }
        state.history.append(record)
        with isolated_rng():
            for callback in callbacks:
                callback(record)
        if checkpoint is not None and checkpoint.due:
            _save(checkpoint, state, parts, rng_state(), values)

    _keep_best(model, state)
    return state


def _out_of_patience(state: TrainingState, settings: TrainingSettings) -> bool:
    if settings.patience is None or state.best_score is None or state.step or state.epoch % settings.validate_every:
        return False
    return state.epoch - max(state.best_epoch, math.ceil(settings.kl_warmup)) >= settings.patience


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _save(
    checkpoint: Checkpoint,
    state: TrainingState,
    parts: dict[str, Any],
    epoch_rng: dict[str, Tensor],
    values: Tensor,
) -> None:
    state.tensors |= {name: dict(part.state_dict()) for name, part in parts.items()}
    state.tensors |= {"rng": rng_state(), "epoch_rng": epoch_rng, "values": {"mean": values[: state.step].clone()}}
    checkpoint.save(state)
    if checkpoint.stop_requested:
        raise Interrupted(f"Stopped in epoch {state.epoch + 1}; the checkpoint is written.")


def _check_finite(
    model: nn.Module, values: Tensor, state: TrainingState, settings: TrainingSettings, before: int
) -> None:
    """Give up where a value of this epoch or a weight is not finite; `before`: steps of the epochs before."""
    bad = (~torch.isfinite(values[: state.step])).nonzero()
    if len(bad):
        _give_up(model, state, settings, before + int(bad[0]) + 1)
    if not torch.isfinite(nn.utils.get_total_norm(list(model.parameters()))):
        _give_up(model, state, settings, before + state.step)


def _give_up(model: nn.Module, state: TrainingState, settings: TrainingSettings, step: int) -> None:
    _keep_best(model, state)
    raise TrainingError(
        f"The objective was no longer a finite number at step {step} (epoch {state.epoch + (state.step > 0)}): "
        f"{_kept(state)}. Try a smaller learning_rate (now {settings.learning_rate:g}) or clip_norm=1."
    )


def _keep_best(model: nn.Module, state: TrainingState) -> None:
    model.load_state_dict(state.tensors["best"])
    model.eval()


def _kept(state: TrainingState) -> str:
    kept = f"the weights of epoch {state.best_epoch}" if state.best_epoch else "the weights before training"
    return f"training has stopped and {kept} are kept"
