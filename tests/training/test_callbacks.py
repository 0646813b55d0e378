"""Progress: nothing, plain lines or a bar; and the trackers' sentence when they are not installed."""

import copy
import sys
import threading
from types import SimpleNamespace

import pytest

from vaekit.errors import MissingDependencyError
from vaekit.training import callbacks


def record(epoch, validation=-2.0):
    return {"epoch": epoch, "train": -3.0, "validation": validation, "seconds": 0.5}


def test_plain_lines_for_the_first_and_last_epoch(capsys):
    lines = callbacks.PlainLines(3, "nats", every=60)
    for epoch in (1, 2, 3):
        lines(record(epoch))
    lines.close()
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == [
        "epoch    1/3   train     -3.000   held-out     -2.000   nats   0.50 s",
        "epoch    3/3   train     -3.000   held-out     -2.000   nats   0.50 s",
    ]


def test_the_last_line_is_not_lost_when_training_stops_early(capsys):
    lines = callbacks.PlainLines(30, "nats", every=60)
    lines(record(1))
    lines(record(2, None))
    lines.close()
    assert capsys.readouterr().err.splitlines()[-1] == "epoch    2/30   train     -3.000   nats   0.50 s"


def test_nothing_for_verbose_0():
    assert callbacks.make_reporter(0, 3, "nats") is None


def test_the_bar_shows_score_and_trend(capsys):
    bar = callbacks.ProgressBar(2, "nats")
    bar(record(1, -4.0))
    bar(record(2, -2.0))
    bar.close()
    assert "held-out -2.000 nats (+2.000 an epoch)" in capsys.readouterr().err.replace("\n", " ")


def test_the_tensorboard_log_opens_at_the_first_epoch_and_is_not_copied(monkeypatch):
    opened, written = [], []

    class Writer:
        def __init__(self, folder):
            opened.append(folder)
            self.lock = threading.Lock()

        def add_scalar(self, *what):
            written.append(what)

        def flush(self):
            pass

    writer = SimpleNamespace(SummaryWriter=Writer)
    for name, module in (("tensorboard", SimpleNamespace()), ("torch.utils.tensorboard.writer", writer)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(writer=writer))
    callback = callbacks.TensorBoardCallback("logs")
    assert opened == []
    for each in (callback, callback, copy.deepcopy(callback)):
        each(record(1, -2.0))
    assert opened == ["logs", "logs"] and ("validation", -2.0, 1) in written


def test_weights_and_biases_logs_to_the_run_that_is_active_at_the_epoch(monkeypatch):
    logged = []
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(log=None))  # no run yet
    callback = callbacks.WandbCallback()
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(log=lambda numbers, step: logged.append((numbers, step))))
    callback(record(3, -2.0))
    assert logged[0][0]["validation"] == -2.0 and logged[0][1] == 3


@pytest.mark.parametrize(("cls", "module"), [("MLflowCallback", "mlflow"), ("WandbCallback", "wandb")])
def test_a_missing_tracker_says_what_to_install(monkeypatch, cls, module):
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"needs the package {module}: pip install 'vaekit\[track\]'\."):
        getattr(callbacks, cls)()
