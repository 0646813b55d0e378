"""The verbs that use a RUN, and `data`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.cli.fitting import fingerprint_of, split_data
from vaekit.data.datasets import dataset_info, dataset_names
from vaekit.data.sources import read
from vaekit.data.tables import WRITTEN, write_table
from vaekit.errors import OptionError, RunError, WriteError
from vaekit.estimators import Autoencoder, load
from vaekit.runs import REPORT, WEIGHTS, read_config, read_metrics
from vaekit.schema import Dataset


def evaluate_run(run: Path, source: str | None, *, samples: int, kind: str | None, device: str, as_json: bool) -> None:
    """Score test data; see `vaekit evaluate --help`."""
    estimator = load(run, device=device)
    if source is None:
        X = _own_test_rows(run)
    else:
        data = read(source, kind or _kind(run))
        X = data.X if data.X_test is None else data.X_test
        own = (read_config(run).get("data") or {}).get("fingerprint")
        if data.X_test is None and fingerprint_of(data.X, None) == own:
            print(f"{source} is what {run} was fitted on: its test rows alone are scored.", file=sys.stderr)
            X = _own_test_rows(run)
    summary = estimator.evaluate(X, num_samples=samples)
    if as_json:
        _print_json(summary)
    else:
        _print_table(f"{run}: {summary['n']} rows, nats a row", summary)


def _own_test_rows(run: Path) -> Any:
    record = read_config(run).get("data")
    if record is None:
        raise RunError(f"{run} does not say which data it was fitted on; name them: vaekit evaluate {run} DATA.")
    data = split_data(record["source"], record.get("asked_kind"), record.get("split_seed") or 0)
    if data.record["fingerprint"] != record.get("fingerprint"):
        raise RunError(f"{record['source']} has changed since {run} was fitted; name the data to score: DATA.")
    return data.X_test


def describe_run(run: Path, *, as_json: bool) -> None:
    """Say what a RUN is; see `vaekit info --help`."""
    config, history = read_config(run), read_metrics(run)
    state = "finished" if (run / REPORT).exists() else "trained" if (run / WEIGHTS).exists() else "not finished"
    facts = {
        "model": config["model"],
        "state": state,
        "epochs": len(history),
        "best_epoch": (config.get("fitted") or {}).get("best_epoch"),
        "data": config.get("data"),
        "fitted": config.get("fitted"),
        "params": config["params"],
        "vaekit": config["vaekit"],
        "versions": config["versions"],
        "schema_version": config["schema_version"],
    }
    if as_json:
        _print_json(facts)
        return
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": v for inner, v in value.items()}
        else:
            flat[name] = value
    _print_table(str(run), flat)


def sample_run(run: Path, output: Path, *, n: int, seed: int, device: str) -> None:
    """Draw rows from the model; see `vaekit sample --help`."""
    _check_output(output)
    estimator = load(run, device=device)
    if isinstance(estimator, Autoencoder):
        raise OptionError(f"{run} is an autoencoder, which has no distribution to sample from; fit a vae.")
    _write(estimator.sample(n, random_state=seed), output)


def encode_data(run: Path, source: str, output: Path, *, kind: str | None, device: str) -> None:
    """Write codes; see `vaekit encode --help`."""
    _check_output(output, source)
    estimator = load(run, device=device)
    codes = [estimator.transform(X) for X in _parts(read(source, kind or _kind(run)))]
    _write(np.concatenate(codes), output, list(estimator.get_feature_names_out()))


def reconstruct_data(run: Path, source: str, output: Path, *, kind: str | None, device: str) -> None:
    """Write reconstructions; see `vaekit reconstruct --help`."""
    _check_output(output, source)
    estimator = load(run, device=device)
    Z = [estimator.transform(X) for X in _parts(read(source, kind or _kind(run)))]
    _write(estimator.inverse_transform(np.concatenate(Z)), output)


def score_data(run: Path, source: str, output: Path, *, samples: int, kind: str | None, device: str) -> None:
    """Write scores of each row; see `vaekit score --help`."""
    _check_output(output, source)
    estimator = load(run, device=device)
    parts = _parts(read(source, kind or _kind(run)))
    if isinstance(estimator, Autoencoder):
        errors = np.concatenate([-estimator.score_samples(X) for X in parts])
        _write(errors[:, None], output, ["mean_squared_error"])
        return
    scored = [estimator._scores(X, samples)[1] for X in parts]
    columns = [np.concatenate([getattr(s, name) for s in scored]) for name in ("log_likelihood", "elbo")]
    _write(np.stack(columns, 1), output, ["log_likelihood", "elbo"])


def describe_data(name: str | None, *, as_json: bool) -> None:
    """List data sets or describe one; see `vaekit data --help`."""
    names = dataset_names() if name is None else (name,)
    facts = []
    for known in names:
        info = dataset_info(known)
        facts.append(
            {
                "name": info.name,
                "what": info.what,
                "size": info.size,
                "kind": info.kind,
                "licence": info.licence,
                "available": info.available(),
            }
        )
    if as_json:
        _print_json({"data_sets": facts} if name is None else facts[0])
    elif name is not None:
        _print_table(name, {k: v for k, v in facts[0].items() if k != "name"})
    else:
        _print_table("data sets", {f["name"]: f"{f['what']} ({f['size']})" for f in facts})


def _kind(run: Path) -> str | None:
    return (read_config(run).get("data") or {}).get("asked_kind")


def _parts(data: Dataset) -> list[Any]:
    """The rows of DATA in order; of a data set with its own test part, that part comes last."""
    return [data.X] if data.X_test is None else [data.X, data.X_test]


def _check_output(path: Path, source: str | None = None) -> None:
    """Refuse before the work what could not be written after it, or would replace the data."""
    if path.suffix.lower() not in WRITTEN:
        raise OptionError(f"{str(path)!r} does not say how to write it: end it in {' '.join(WRITTEN)}.")
    if not path.parent.is_dir():
        raise WriteError(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}.")
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise OptionError(f"{str(path)!r} holds the data; write to another file.")


def _write(table: Any, path: Path, columns: list[str] | None = None) -> None:
    write_table(table, path, columns)
    print(f"{path}: {table.shape[0]} rows", file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: null stands for them."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_table(title: str, facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in facts.items():
        if value is not None:
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    Console().print(table)
