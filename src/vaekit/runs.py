"""The RUN folder and its little sister, a saved estimator: what is in it, written whole, read back, migrated.

    config.json         schema version, model, every parameter, what was decided from the data, versions
    model.safetensors   the best weights
    metrics.jsonl       a line per epoch
    checkpoint/         what a resumed run needs
    plots/*.png, report.md

Files are JSON and safetensors; reading them runs no code.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vaekit
from vaekit.errors import RunError, WriteError
from vaekit.files import PARTIAL, make_folder, sync_folder, write_json, write_text

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_VERSION = 1
CONFIG, WEIGHTS, METRICS, REPORT = "config.json", "model.safetensors", "metrics.jsonl", "report.md"
CHECKPOINT, PLOTS = "checkpoint/state.safetensors", "plots"
PICTURES = (  # of which a RUN has some
    "associations.png",
    "completions.png",
    "curves.png",
    "interpolations.png",
    "latent.png",
    "layers.png",
    "manifold.png",
    "marginals.png",
    "neighbours.png",
    "reconstructions.png",
    "samples.png",
    "scores.png",
    "traversals.png",
)
_OWN = {
    Path(name) for name in (CONFIG, WEIGHTS, METRICS, REPORT, CHECKPOINT, *(f"{PLOTS}/{name}" for name in PICTURES))
}

# From a schema version to the function that turns its config into that of the next version.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def new_config(model: str, params: dict[str, Any], fitted: dict[str, Any] | None = None) -> dict[str, Any]:
    """A config of the present schema version, with the versions of what computes."""
    packages = ("torch", "numpy", "scipy", "scikit-learn")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "schema_version": SCHEMA_VERSION,
        "vaekit": vaekit.__version__,
        "model": model,
        "params": params,
        "fitted": fitted,
        "versions": {"python": platform.python_version(), **versions},
    }


def write_config(folder: str | Path, config: dict[str, Any], *, new: bool = False) -> None:
    """Write config.json, whole; `new` is as of `vaekit.files.written_whole`."""
    write_json(Path(folder) / CONFIG, config, new=new)


def read_config(folder: str | Path) -> dict[str, Any]:
    """Read config.json and bring it to the present schema version.

    Raises:
        RunError: no such folder, no RUN, a damaged or foreign file, or one of a newer schema.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if not folder.exists() and os.path.exists(aside := Aside(folder).place):
        raise RunError(f"There is no RUN at {folder}; the one that was to be replaced lies in {aside}.")
    if not folder.exists():
        raise RunError(f"There is no RUN at {folder}; 'vaekit fit DATA -o {folder}' makes one.")
    if not path.is_file():
        raise RunError(f"{folder} is not a RUN of vaekit: it has no {CONFIG}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or of thousands of digits or brackets
        raise RunError(f"{path} is damaged: {error}.") from error
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror or error}.") from error
    needed = {"schema_version": int, "vaekit": str, "model": str, "params": dict, "versions": dict}
    if not isinstance(config, dict) or not all(isinstance(config.get(k), kind) for k, kind in needed.items()):
        raise RunError(f"{path} was not written by vaekit: it lacks one of {', '.join(needed)}.")
    version = config["schema_version"]
    if version < 1 or not isinstance(config.get("data") or {}, dict):
        raise RunError(f"{path} is damaged: its schema_version or its data are not what vaekit writes.")
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{path} has schema version {version}, but this vaekit {vaekit.__version__} knows versions up to "
            f"{SCHEMA_VERSION}; install a newer vaekit."
        )
    while config["schema_version"] < SCHEMA_VERSION:
        config = MIGRATIONS[config["schema_version"]](config)
    return config


def is_half_written(path: Path) -> bool:
    """Whether a file is what `vaekit.files.written_whole` leaves of one of a RUN's when it is killed."""
    names = "|".join(re.escape(name.name) for name in _OWN)
    return re.fullmatch(rf"\.({names})\.[0-9a-f]{{8}}{re.escape(PARTIAL)}", path.name) is not None


def is_left_over(folder: str | Path) -> bool:
    """Whether a folder holds nothing but files of a RUN that a killed process left half written."""
    return all(is_half_written(path) for path in Path(folder).rglob("*") if path.is_symlink() or not path.is_dir())


def check_run_only(folder: str | Path) -> None:
    """Raise RunError unless a folder holds a RUN or a saved model of vaekit and nothing else: it may be replaced."""
    folder = Path(folder)
    if folder.is_dir() and is_left_over(folder):
        return
    read_config(folder)
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and name not in _OWN and not is_half_written(name):
            raise RunError(f"{folder} holds {str(name)!r}, which is no part of a RUN, so it is not replaced.")


def check_replaceable(folder: str | Path) -> None:
    """Raise RunError unless a folder, and what lies aside for it, is a saved model that another may replace."""
    old = Aside(folder)
    if Path.cwd().is_relative_to(old.folder):
        raise RunError(f"{folder} is the folder that you are in: go to another one to replace it.")
    for place in (Path(folder), old.place):
        if not place.exists():
            continue
        check_run_only(place)
        for name, what in ((REPORT, "its report"), (CHECKPOINT, "a checkpoint to go on from")):
            if (place / name).exists():
                raise RunError(f"{place} is a RUN with {what}; save to another folder.")


def write_metrics(folder: str | Path, history: list[dict[str, Any]]) -> None:
    """Write metrics.jsonl, whole: a line per epoch."""
    write_text(Path(folder) / METRICS, "".join(json.dumps(record) + "\n" for record in history))


def read_metrics(folder: str | Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl; an empty list where there is none."""
    path = Path(folder) / METRICS
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged: {error}.") from error


def write_model(
    folder: str | Path, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]
) -> None:
    """Write a trained model: metrics, weights and, last, the config that makes the folder whole."""
    from vaekit.training.checkpoint import save_tensors  # loads torch

    make_folder(folder)
    write_metrics(folder, history)
    save_tensors(Path(folder) / WEIGHTS, tensors)
    write_config(folder, config | {"weights_sha256": _checksum(Path(folder) / WEIGHTS)})


def save_model(
    folder: str | Path, config: dict[str, Any], tensors: dict[str, Tensor], history: list[dict[str, Any]]
) -> None:
    """Write a trained model to a folder that is its alone: one that is there is replaced once the new one is whole.

    Raises:
        WriteError: it cannot be written; what was there before is still there.
    """
    old = Aside(folder)
    if old.folder.is_dir() and not any(old.folder.iterdir()):  # which may be a place that cannot be renamed
        try:
            write_model(folder, config, tensors, history)
        except BaseException:
            for name in (METRICS, WEIGHTS, CONFIG):
                (old.folder / name).unlink(missing_ok=True)
            raise
        return
    part = old.folder.with_name(f".{old.folder.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        write_model(part, config, tensors, history)
        old.give_way_to(part)
    except WriteError as error:
        raise WriteError(str(error).replace(str(part), str(folder))) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


class Aside:
    """What a new RUN, or model, replaces: it lies beside that, as .NAME.replaced, until the new one is whole."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.place = self.folder.with_name(f".{self.folder.name}.replaced")

    def take(self, *, half_made: bool) -> None:
        """Move the folder out of the way; a half-made one goes, and what lies aside already, for its sake, is kept."""
        if self.place.exists():
            check_run_only(self.place)
        try:
            if half_made:
                shutil.rmtree(self.folder)
            else:
                shutil.rmtree(self.place, ignore_errors=True)
                self.folder.rename(self.place)
        except OSError as error:
            raise WriteError(f"{self.folder} cannot be replaced: {error.strerror or error}.") from error

    def give_way_to(self, new: Path) -> None:
        """Put a folder that is whole in the place of the one that is there, if any."""
        there = self.folder.exists()
        if there:
            shutil.copymode(self.folder, new)
            self.take(half_made=self.place.exists() and not (self.folder / WEIGHTS).exists())
        try:
            new.rename(self.folder)
            sync_folder(self.folder.parent)
        except BaseException as error:
            if there:
                self.put_back()
            if isinstance(error, OSError):
                raise WriteError(f"{self.folder} cannot be written: {error.strerror or error}.") from error
            raise
        if there:
            self.drop()

    def put_back(self) -> None:
        """Let what lies aside be the folder again."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.place.rename(self.folder)
        except OSError as error:
            raise WriteError(f"The RUN that was to be replaced lies in {self.place}: {error.strerror}.") from error

    def drop(self) -> None:
        """Remove what lies aside: the new one is there."""
        shutil.rmtree(self.place, ignore_errors=True)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_model(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor], list[dict[str, Any]]]:
    """Read config, weights and history.

    Raises:
        RunError: as `read_config`, or the training has not finished, or the weights are damaged.
    """
    from vaekit.training.checkpoint import load_tensors  # loads torch

    folder = Path(folder)
    config = read_config(folder)
    if not (folder / WEIGHTS).exists() or not isinstance(config.get("fitted"), dict):
        if (folder / REPORT).exists():  # which is written last
            raise RunError(f"{folder} has lost its model; fit it again with 'vaekit fit ... -o {folder} --overwrite'.")
        raise RunError(f"{folder} has no trained model yet; finish it with 'vaekit fit ... -o {folder} --resume'.")
    tensors, _ = load_tensors(folder / WEIGHTS)
    if config.get("weights_sha256") not in (None, _checksum(folder / WEIGHTS)):  # older folders have none
        raise RunError(
            f"{folder / WEIGHTS} is damaged, or of another model than {CONFIG}, as when saving was cut off: save, or "
            "fit, it again."
        )
    return config, tensors, read_metrics(folder)


def clean(folder: str | Path) -> None:
    """Remove what a killed process left half written."""
    for path in Path(folder).rglob(f".*{PARTIAL}"):
        if is_half_written(path):
            path.unlink(missing_ok=True)
