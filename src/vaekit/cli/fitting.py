"""`vaekit fit`: from data to a RUN."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vaekit.cli.rowdata import other_labels
from vaekit.cli.split import SplitData, split_data
from vaekit.data.edgelists import ends_among
from vaekit.data.identifiers import numbers_rows
from vaekit.data.sources import is_name
from vaekit.errors import Faults, OptionError, RunError, TrainingError, changes, check_choice, did_you_mean, join
from vaekit.estimators import GAE, VAE, VGAE, Autoencoder, ConditionalVAE, PixelCNN, TabularVAE, load
from vaekit.estimators.options import check_options, plain_params, settable
from vaekit.estimators.trained import TrainedEstimator
from vaekit.files import make_folder
from vaekit.randomness import resolve_seed
from vaekit.runs import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    PLOTS,
    REPORT,
    WEIGHTS,
    Aside,
    check_run_only,
    clean,
    is_half_written,
    new_config,
    read_config,
    read_model,
    write_config,
    write_metrics,
    write_model,
)
from vaekit.training.checkpoint import Checkpoint, TrainingState, stop_on_signal
from vaekit.training.loop import Interrupted

MODELS: dict[str, type[TrainedEstimator]] = {
    "autoencoder": Autoencoder,
    "conditional": ConditionalVAE,
    "gae": GAE,
    "pixelcnn": PixelCNN,
    "tabular": TabularVAE,
    "vae": VAE,
    "vgae": VGAE,
}
GRAPH_MODELS = ("gae", "vgae")
_UNSEEN = ("verbose", "device")  # parameters that do not belong to what is computed


def fit_run(
    source: str,
    folder: Path,
    *,
    model: str | None,
    kind: str | None,
    epochs: int | None,
    seed: int,
    device: str,
    settings: list[str],
    checkpoint_every: float,
    resume: bool,
    overwrite: bool,
) -> None:
    """Train and write a RUN; see `vaekit fit --help`.

    Raises:
        OptionError, DataError, RunError: what the user got wrong; nothing is written or lost.
        TrainingError: the objective turned NaN; the last good weights are in the RUN.
        SystemExit: 130 after an interruption, with the checkpoint written.
    """
    if resume and overwrite:
        raise OptionError("--resume and --overwrite contradict each other: give one of them.")
    for name in (source, str(folder)):
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # how Python holds bytes that are not UTF-8
            raise OptionError(f"{name!a} is no name in UTF-8, as a report must be: rename it.")
    _check_place(folder, resume=resume, overwrite=overwrite)
    among = not (resume or is_name(source)) and Path(source).is_dir()
    if among and folder.resolve().is_relative_to(Path(source).resolve()):
        raise RunError(f"{folder} lies in {source}, which holds the data: choose another folder.")
    if model in GRAPH_MODELS and kind is None:
        kind = "graph"
    estimator: Any = None
    if model is not None:  # what is wrong with the options is said before the data are read
        estimator = make_estimator(model, settings, epochs=epochs, seed=seed, device=device)
    data = split_data(source, kind, seed, tabular=None if model is None else model == "tabular")
    frame: Any = getattr(data, "X_train", None)
    if data.record["kind"] == "array" and hasattr(frame, "height") and numbers_rows(frame):
        _say("The first column has no name and numbers the rows: a model takes it for a feature; save without it.")
    if estimator is None:
        if kind is None and hasattr(frame, "height") and (ends := ends_among(map(str.lower, frame.columns))):
            _say(f"A table with columns {join(ends)} may list edges: --kind graph reads it as a graph.")
        estimator = make_estimator(data.default_model, settings, epochs=epochs, seed=seed, device=device)
    data.check_model(estimator)
    old = read_config(folder) if resume and (folder / CONFIG).exists() else None
    if estimator.random_state is None:
        estimator.random_state = old["params"].get("random_state") if old else resolve_seed(None)
    config = new_config(type(estimator).__name__, plain_params(estimator)) | {"data": data.record}
    if old is not None:
        _check_same(folder, old, config)
        stopped = (old.get("fitted") or {}).get("stopped")
        if stopped:
            raise RunError(f"{folder} cannot go on: {stopped} Use --overwrite with other settings.")
        if (folder / REPORT).exists():
            read_model(folder)  # says what is wrong with it
            _say(f"{folder} is finished; nothing to do. The report: {folder / REPORT}")
            return
        if old.get("fitted") is not None and (folder / WEIGHTS).exists():
            finish_run(load(folder, device=device), data, folder)
            return

    replaced = _Replaced(folder)

    def place() -> None:
        """Make the folder, once the data have been found fit to train on and to score."""
        data.check_test(estimator)
        if not (resume or overwrite):
            replaced.replacing = False  # as long as the place may be another's
            _claim(folder, config)
            replaced.replacing = replaced.half_made
            return
        if overwrite and folder.exists():
            replaced.set_aside()
        if old is None:  # what an interrupted --overwrite may have left
            for left in (CHECKPOINT, WEIGHTS, METRICS, REPORT):
                (folder / left).unlink(missing_ok=True)
        _make_folders(folder)
        clean(folder)
        write_config(folder, config)

    checkpoint = Checkpoint(folder / CHECKPOINT, checkpoint_every, run=_identity(config))
    with replaced:
        _train(estimator, data, folder, checkpoint, checkpoint.load() if old is not None else None, place)
    finish_run(estimator, data, folder)


def make_estimator(model: str, settings: list[str], *, epochs: int | None, seed: int, device: str) -> TrainedEstimator:
    """The estimator that the options describe; OptionError names all that is wrong with them."""
    check_choice("model", model, MODELS)
    cls, faults = MODELS[model], Faults()
    known = settable(cls)
    params: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            faults.add(f"--set {setting} must have the form name=value.")
        elif name not in known and name in cls().get_params(deep=False):
            faults.add(f"{cls.__name__} takes {name!r} in Python alone, not on the command line.")
        elif name not in known:
            faults.add(f"{cls.__name__} has no parameter {name!r}{did_you_mean(name, known)}.")
        else:
            params[name] = _value(text)
    given = {"epochs": epochs, "random_state": seed or None, "device": None if device == "auto" else device}
    for name, option in (("epochs", "--epochs"), ("random_state", "--seed"), ("device", "--device")):
        if name in params and given[name] not in (None, params[name]):
            faults.add(f"--set {name} and {option} differ: give one of them.")
    faults.raise_if_any()
    if epochs is not None:
        params["epochs"] = epochs
    estimator = cls(**{"random_state": seed, "device": device, **params})
    check_options(estimator)
    return estimator


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON; thousands of digits; thousands of brackets
        return text
    return tuple(value) if isinstance(value, list) else value


def _check_place(folder: Path, *, resume: bool, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file; a RUN is a folder.")
    if overwrite and Path.cwd().is_relative_to(folder.resolve()):
        raise RunError(f"{folder} is the folder that you are in: go to another one to replace it.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (resume or overwrite):
        raise _taken(folder)
    if overwrite:
        check_run_only(folder)
    own = {CONFIG, WEIGHTS, METRICS, REPORT, PLOTS, "checkpoint"}
    there = {path.name for path in folder.iterdir() if not is_half_written(path)}
    if resume and not (folder / CONFIG).exists() and there - own:
        raise RunError(f"{folder} is not a RUN, so there is nothing to resume; choose another folder.")


def _taken(folder: Path) -> RunError:
    return RunError(f"{folder} exists: give --resume to go on with it, --overwrite to replace it, or another -o.")


def _claim(folder: Path, config: dict[str, Any]) -> None:
    """Begin a RUN where there still is none: of several fits that would, one does and the others stop."""
    _check_place(folder, resume=False, overwrite=False)
    _make_folders(folder)
    try:
        write_config(folder, config, new=True)
    except FileExistsError:
        raise _taken(folder) from None


def _make_folders(folder: Path) -> None:
    for part in (folder, (folder / CHECKPOINT).parent, folder / PLOTS):
        make_folder(part)


class _Replaced:
    """The RUN that a fit replaces, if any: it lies aside until the new one is trained.

    A fit that fails before it has a checkpoint puts it back. Where there is one to go on with, the old RUN goes once
    the new one is trained, or was stopped by its user or by NaN.
    """

    def __init__(self, folder: Path) -> None:
        self.old = Aside(folder)
        self.half_made = self.old.place.exists() and not (folder / REPORT).exists()
        self.replacing = self.half_made

    def set_aside(self) -> None:
        """Make way for the new RUN."""
        self.replacing = False
        self.old.take(half_made=self.half_made)
        self.replacing = True
        make_folder(self.old.folder)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.replacing or not self.old.place.exists():
            return
        to_go_on = (self.old.folder / CHECKPOINT).exists()
        stopped = to_go_on and kind is not None and issubclass(kind, (SystemExit, KeyboardInterrupt))
        if kind is None or stopped or issubclass(kind, TrainingError):
            self.old.drop()
        elif to_go_on:
            _say(f"The RUN that was to be replaced lies in {self.old.place}.")
        else:
            self.old.put_back()


def _identity(config: dict[str, Any]) -> str:
    """What tells one RUN's checkpoint from another's: a checksum of its settings and data."""
    params = _seen(config["params"])
    data = [config["data"].get(name) for name in ("fingerprint", "labels_fingerprint", "split_seed")]
    return hashlib.sha256(json.dumps([config["model"], params, data], sort_keys=True).encode()).hexdigest()


def _seen(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in _UNSEEN}


def _check_same(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise RunError that names what differs between the RUN and what is asked for."""
    faults = []
    if old["model"] != new["model"]:
        faults.append(f"model was {old['model']}, now {new['model']}")
    faults += changes(_seen(old["params"]), _seen(new["params"]))
    for name, what in (("fingerprint", "the data are others"), ("split_seed", "the split is another")):
        if (old.get("data") or {}).get(name) != new["data"][name]:
            faults.append(what)
    if other_labels(old, new["data"].get("labels_fingerprint")):
        faults.append("the labels are others")
    if faults:
        raise RunError(f"{folder} cannot be resumed with other settings ({'; '.join(faults)}); use --overwrite.")


def _train(
    estimator: Any,
    data: SplitData,
    folder: Path,
    checkpoint: Checkpoint,
    before: TrainingState | None,
    place: Callable[[], None],
) -> None:
    if before is not None:
        _say(f"Going on after epoch {before.epoch} of {folder}.")
    recorder = _Recorder(folder, [] if before is None else before.history)
    estimator.callbacks = [recorder]
    failure = None
    try:
        with stop_on_signal(checkpoint):
            data.fit(estimator, checkpoint, place)
    except Interrupted as stop:
        write_metrics(folder, recorder.history)
        _say(f"{stop} Go on with the same command and --resume.")
        raise SystemExit(130) from stop
    except TrainingError as error:
        failure = error
    write_model(folder, estimator._config() | {"data": data.record}, estimator._tensors(), estimator.history_)
    if failure is not None:
        raise failure


class _Recorder:
    """Callback that keeps metrics.jsonl up to date, at most every few seconds."""

    def __init__(self, folder: Path, history: list[dict[str, Any]], every: float = 5.0) -> None:
        self.folder, self.history, self.every = folder, list(history), every
        self._last = time.monotonic()

    def __call__(self, record: dict[str, Any]) -> None:
        self.history.append(record)
        if time.monotonic() - self._last >= self.every:
            write_metrics(self.folder, self.history)
            self._last = time.monotonic()


def finish_run(estimator: Any, data: SplitData, folder: Path) -> None:
    """Evaluate on the test data, draw the pictures and, last, write the report."""
    config = read_config(folder)
    _say("Evaluating on the test data ...")
    summary = data.evaluate(estimator, None)
    _say("Drawing ...")
    pictures = data.draw(estimator, folder / PLOTS)
    title = f"{config['model']} on {data.record['source']}"
    data.write_report(folder, title=title, config=config, summary=summary, pictures=pictures)
    (folder / CHECKPOINT).unlink(missing_ok=True)  # nothing is left to resume
    _say(f"The report: {folder / REPORT}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
