"""The training loop: what it optimises, what it keeps, and that a stop in the middle changes nothing."""

import gc
import itertools

import numpy as np
import pytest
import torch
from torch import nn

import vaekit
from vaekit.data.rows import Rows
from vaekit.errors import OptionError, TrainingError
from vaekit.training.checkpoint import Checkpoint, TrainingState
from vaekit.training.loop import Adversarial, Interrupted, TrainingSettings, train
from vaekit.training.optimizer import FusedAdam


class Line(nn.Module):
    """y = w x + b, with noise and dropout in training so that the generator matters."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 1)
        self.norm = nn.BatchNorm1d(3)

    def value(self, x, factor):
        noise = 0.1 * torch.randn(len(x))
        return -(self.linear(nn.functional.dropout(self.norm(x), 0.1))[:, 0] - x.sum(1) + noise).square()


ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def run(settings=None, *, seed=0, adversarial=False, **more):
    model = Line()
    settings = settings or TrainingSettings(epochs=6, batch_size=8, learning_rate=0.05)
    value = rivals(model) if adversarial else model.value
    state = train(model, Rows(ROWS), value, settings, seed=seed, **more)
    return model, state


def rivals(model):
    """The line's value, and a network beside it that learns from noise and pushes the line's offset."""
    network = nn.Linear(1, 1)

    def value(x, factor):
        learned = -(network(torch.randn(len(x), 1))[:, 0] - 1).square()
        push = network.weight.detach()[0, 0] * model.linear.bias
        return model.value(x, factor) + push + learned - learned.detach()

    return Adversarial(value, network)


def equal(a, b):
    return all(torch.equal(t, b.state_dict()[name]) for name, t in a.state_dict().items())


def test_a_step_leaves_no_tensor_behind():
    model, alive = Line(), []

    def value(x, factor):
        alive.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
        return model.value(x, factor)

    gc.collect()  # of what other tests have left
    gc.freeze()  # what is there does not count, and takes seconds to count
    try:
        train(model, Rows(ROWS), value, TrainingSettings(epochs=1, batch_size=2), seed=0)
    finally:
        gc.unfreeze()
    assert len(alive) == 25 and alive[-1] == alive[2]  # the optimiser's are there from the first step on


def test_it_learns_and_is_a_function_of_the_seed():
    (a, state), (b, _), (c, _) = run(), run(), run(seed=1)
    assert state.history[-1]["train"] > state.history[0]["train"] + 0.5
    assert [record["epoch"] for record in state.history] == [1, 2, 3, 4, 5, 6]
    assert equal(a, b) and not equal(a, c)


def test_averages_have_the_buffers_of_what_was_trained():
    settings = {"epochs": 6, "batch_size": 8, "learning_rate": 0.05}
    plain, _ = run(TrainingSettings(**settings))
    averaged, _ = run(TrainingSettings(**settings, average=0.9))
    assert not torch.equal(averaged.linear.weight, plain.linear.weight)
    for buffer, trained in zip(averaged.norm.buffers(), plain.norm.buffers(), strict=True):
        assert torch.equal(buffer, trained) and bool(trained.any())


def test_patience_waits_for_a_second_look():
    settings = TrainingSettings(epochs=40, batch_size=8, learning_rate=0.0, validate_every=10, patience=5)
    state = run(settings, validate=lambda model: 0.0)[1]
    assert state.epoch == 20 and state.best_epoch == 10


def test_callbacks_cannot_disturb_it():
    plain, _ = run()
    disturbed, _ = run(callbacks=[lambda record: torch.rand(100)])
    assert equal(plain, disturbed)


def test_the_callers_generator_is_left_as_it_was():
    model = Line()
    before = torch.get_rng_state()
    train(model, Rows(ROWS), model.value, TrainingSettings(epochs=1), seed=3)
    assert torch.equal(before, torch.get_rng_state())


class StopAt(Checkpoint):
    """Asks for a stop at the n-th look at the clock."""

    def __init__(self, path, n):
        super().__init__(path)
        self.looks, self.n = itertools.count(1), n

    @property
    def due(self):
        self.stop_requested = next(self.looks) == self.n
        return self.stop_requested


@pytest.mark.parametrize(("average", "adversarial"), [(None, False), (0.9, False), (None, True)])
@pytest.mark.parametrize("stops", [(3,), (7,), (1, 1, 20), (14, 2)])
def test_stopping_and_resuming_ends_in_the_same_bits(tmp_path, stops, average, adversarial):
    settings = TrainingSettings(
        epochs=6, batch_size=8, learning_rate=0.05, schedule="cosine", average=average, kl_warmup=2, patience=4
    )

    def validate(model):
        return -float(model.linear.weight.detach().square().sum())

    whole, expected = run(settings, validate=validate, adversarial=adversarial)
    path = tmp_path / "state.safetensors"
    for n in stops:
        with pytest.raises(Interrupted):
            checkpoint = StopAt(path, n)
            state = Checkpoint(path).load()
            run(settings, validate=validate, adversarial=adversarial, checkpoint=checkpoint, state=state)
    resumed, state = run(settings, validate=validate, adversarial=adversarial, state=Checkpoint(path).load())
    assert equal(whole, resumed)
    assert state.best_epoch == expected.best_epoch
    drop = {"seconds"}
    assert [{k: v for k, v in r.items() if k not in drop} for r in state.history] == [
        {k: v for k, v in r.items() if k not in drop} for r in expected.history
    ]


@pytest.mark.parametrize("adversarial", [False, True])
def test_compiled_steps_are_compared_and_the_comparison_leaves_no_trace(monkeypatch, adversarial):
    seen = []

    def compiled(value, options):
        assert options == {"fallback_random": True}
        return lambda x, factor: (seen.append(len(x)), value(x, factor))[1]

    monkeypatch.setattr(torch, "compile", compiled)
    settings = {"epochs": 2, "batch_size": 8, "learning_rate": 0.05}
    plain, state = run(TrainingSettings(**settings), adversarial=adversarial)
    other, state_too = run(TrainingSettings(**settings, compile=True), adversarial=adversarial)
    assert equal(plain, other) and len(seen) == 1 + 2 * 7
    assert [epoch["train"] for epoch in state.history] == [epoch["train"] for epoch in state_too.history]


def test_wrong_gradients_of_a_compiler_are_refused(monkeypatch):
    def compiled(value, **_):
        def wrong(x, factor):
            values = value(x, factor)
            return 1.2 * values - 0.2 * values.detach()

        return wrong

    monkeypatch.setattr(torch, "compile", compiled)
    with pytest.raises(
        OptionError, match=r"^compile=True: torch.compile gives other gradients .* use compile=False\.$"
    ):
        run(TrainingSettings(epochs=1, batch_size=8, compile=True))
    X = (np.random.default_rng(0).random((40, 6)) < 0.5).astype("uint8")
    model = vaekit.VAE(2, hidden=(4,), epochs=2, random_state=0, verbose=0).fit(X)
    before = model.score_samples(X, 3)
    with pytest.raises(OptionError, match="compile=True"):
        model.set_params(compile=True).fit(X)
    np.testing.assert_array_equal(model.score_samples(X, 3), before)


def test_a_compiler_whose_gradients_are_no_numbers_is_refused(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda value, **_: lambda x, factor: value(x, factor) * torch.nan)
    with pytest.raises(OptionError, match="compile=True"):
        run(TrainingSettings(epochs=1, batch_size=8, compile=True))


def test_the_best_epoch_is_kept():
    scores = iter([1.0, 3.0, 2.0, 2.5, 0.0, 0.0])
    weights = []

    def validate(model):
        weights.append(model.linear.weight.detach().clone())
        return next(scores)

    model, state = run(validate=validate)
    assert state.best_epoch == 2 and state.best_score == 3.0
    assert torch.equal(model.linear.weight, weights[1])


def test_patience_counts_from_the_end_of_the_warm_up():
    settings = TrainingSettings(epochs=30, batch_size=8, patience=2, kl_warmup=5)
    _, state = run(settings, validate=lambda model: 0.0)
    assert state.best_epoch == 1 and len(state.history) == 7


@pytest.mark.parametrize("bad", [float("nan"), -float("inf")])
def test_a_held_out_score_that_is_no_number_stops_and_says_so(bad):
    scores = iter([1.0, bad])
    message = (
        rf"^The score of the held-out rows was {bad} after epoch 2: training has stopped and the weights of epoch 1 "
    )
    with pytest.raises(TrainingError, match=message):
        run(TrainingSettings(epochs=5, batch_size=8), validate=lambda model: next(scores))


def test_train_is_the_mean_over_rows_not_over_batches():
    values = iter(torch.arange(50.0).split(8))
    model = Line()

    def value(x, factor):
        return next(values) + 0 * model.linear.weight.sum()

    state = train(model, Rows(ROWS), value, TrainingSettings(epochs=1, batch_size=8), seed=0)
    assert state.history[0]["train"] == pytest.approx(24.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_names_its_step(bad):
    steps = itertools.count(1)
    model = Line()

    def value(x, factor):
        return model.value(x, factor) + (bad if next(steps) == 10 else 0.0)

    with pytest.raises(
        TrainingError, match=r"at step 10 \(epoch 2\): training has stopped and the weights of epoch 1 are"
    ):
        train(model, Rows(ROWS), value, TrainingSettings(epochs=5, batch_size=8), seed=0)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_before_the_first_look_the_last_epoch_is_kept():
    """Steps are 7 an epoch; the value is no number from the fourth on, and the first look would be after the fifth."""
    settings = TrainingSettings(epochs=9, batch_size=8, learning_rate=0.05, validate_every=5)
    model, three = Line(), Line()
    steps = itertools.count()
    train(three, Rows(ROWS), three.value, TrainingSettings(epochs=3, batch_size=8, learning_rate=0.05), seed=0)

    def value(x, factor):
        return model.value(x, factor) * (float("nan") if next(steps) >= 21 else 1)

    with pytest.raises(TrainingError, match=r"\(epoch 4\): training has stopped and the weights of epoch 3 are kept"):
        train(model, Rows(ROWS), value, settings, seed=0, validate=lambda model: 0.0)
    assert equal(model, three)


def test_a_processor_without_bfloat16_is_warned_of(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    settings = TrainingSettings(epochs=1, batch_size=50, precision="bfloat16")
    with pytest.warns(UserWarning) as seen:
        run(settings)
    assert str(seen[0].message) == (
        "This processor has no bfloat16 arithmetic and imitates it, many times slower than float32: "
        "precision='float32' suits it better."
    )


@pytest.mark.parametrize("decoupled", [False, True])
def test_fused_adam_is_torchs(decoupled):
    def make():
        torch.manual_seed(0)
        return nn.Linear(4, 3)

    ours, theirs = make(), make()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    reference = kind(theirs.parameters(), lr=0.01, eps=1e-4, weight_decay=0.1)
    optimizer = FusedAdam(ours.parameters(), epsilon=1e-4, weight_decay=0.1, decoupled=decoupled)
    for i in range(20):
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(i))
        for model in (ours, theirs):
            model(x).square().mean().backward()
        optimizer.step(0.01)
        reference.step()
        reference.zero_grad()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_a_network_beside_the_model_is_trained_by_its_own_adam():
    model = Line()
    value = rivals(model)
    reference = nn.Linear(1, 1)
    reference.load_state_dict(value.network.state_dict())
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.05, betas=(0.5, 0.9))
    value = Adversarial(
        lambda x, factor: model.value(x, factor) - (value.network(x[:, :1])[:, 0] - 1).square(), value.network
    )
    seen = []
    rows = Rows(ROWS)
    take = rows.take
    rows.take = lambda index: seen.append(take(index)) or seen[-1]
    train(model, rows, value, TrainingSettings(epochs=2, batch_size=8, learning_rate=0.05), seed=0)
    for x in seen:
        (reference(x[:, :1])[:, 0] - 1).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.testing.assert_close(value.network.weight, reference.weight)


def test_parameters_without_a_gradient_wait_and_keep_their_own_count():
    def make():
        return [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3).double())]

    ours, theirs = make(), make()
    optimizer = FusedAdam(ours, epsilon=1e-4, weight_decay=0, decoupled=False)
    reference = torch.optim.Adam(theirs, lr=0.1, eps=1e-4)
    for i in range(12):
        for always, seldom, double in (ours, theirs):
            loss = (always - i).square().sum() + (double + i).square().sum()
            (loss + (seldom * i).square().sum() if i % 3 == 2 else loss).backward()
        optimizer.step(0.1)
        reference.step()
        reference.zero_grad()
        if i == 5:  # as in a checkpoint
            saved, optimizer = optimizer.state_dict(), FusedAdam(ours, epsilon=1e-4, weight_decay=0, decoupled=False)
            optimizer.load_state_dict(saved)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)
    assert optimizer.counts == [12, 4, 12]


@pytest.mark.parametrize("scalar", [False, True], ids=["a value a row", "one value"])
def test_a_step_follows_the_gradient_of_the_mean(scalar):
    """With epsilon far above the root of the second moment, a step is the gradient times rate / epsilon."""
    model = Line()
    before = model.linear.bias.detach().clone()
    value = lambda x, factor: model.linear(x).mean() if scalar else model.linear(x)[:, 0]  # noqa: E731
    train(model, Rows(ROWS), value, TrainingSettings(epochs=1, batch_size=50, learning_rate=1e3, epsilon=1e4), seed=0)
    torch.testing.assert_close(model.linear.bias - before, torch.full((1,), 0.1), rtol=1e-3, atol=0)


def test_checkpoint_round_trip_and_damage(tmp_path):
    from vaekit.errors import RunError

    checkpoint = Checkpoint(tmp_path / "state.safetensors")
    assert checkpoint.load() is None
    state = TrainingState(2, 3, -1.5, 1, [{"epoch": 1}], {"model": {"a/b": torch.ones(2)}, "rng": {}})
    checkpoint.save(state)
    loaded = checkpoint.load()
    assert loaded is not None and torch.equal(loaded.tensors["model"]["a/b"], torch.ones(2))
    assert (loaded.epoch, loaded.step, loaded.best_score, loaded.best_epoch, loaded.history) == (
        2,
        3,
        -1.5,
        1,
        [{"epoch": 1}],
    )
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:50])
    with pytest.raises(RunError, match="is damaged and cannot be read"):
        checkpoint.load()
