"""The verbs that use the model of a RUN."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from vaekit.cli.graphdata import GraphData
from vaekit.cli.graphverbs import encode_graph, sample_graph
from vaekit.cli.output import check_output, check_shape, kept_from, write_rows
from vaekit.cli.owndata import own_data
from vaekit.cli.printing import print_json, print_table
from vaekit.cli.rowdata import (
    REPORT_SAMPLES,
    RowData,
    fingerprint,
    labelled,
    labels_as_fitted,
    labels_fingerprint,
    other_labels,
)
from vaekit.cli.split import read_data, split_data
from vaekit.cli.tableverbs import as_fitted, given_values, write_cell_scores
from vaekit.data.rows import spaced
from vaekit.data.sources import read
from vaekit.errors import OptionError, RunError, a_kind, check_choice
from vaekit.estimators import GAE, VAE, Autoencoder, ConditionalVAE, PixelCNN, TabularVAE, VAEClassifier, load
from vaekit.estimators.graph import GraphEstimator
from vaekit.evaluation import Annealing
from vaekit.evaluation.tablescores import TABLE_SCORES
from vaekit.runs import read_config
from vaekit.schema import Dataset

_SAMPLES = 16  # rows, where nothing else is asked for


def evaluate_run(
    run: Path,
    source: str | None,
    *,
    samples: int | None,
    ais: bool,
    annealing: dict[str, int | None],
    kind: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Score test data; see `vaekit evaluate --help`."""
    given = {name: value for name, value in annealing.items() if value is not None}
    if given and not ais:
        raise OptionError(
            f"--{' and --'.join(given)} {'belong' if len(given) > 1 else 'belongs'} to --ais: give it too."
        )
    if kind is not None and source is None:
        raise OptionError("--kind says how to read DATA: name DATA too, or leave it out.")
    estimator = _load(run, device)
    _check_samples(run, estimator, samples)
    if ais and not isinstance(estimator, VAE):
        raise OptionError(f"--ais is for a VAE of rows; {run} holds {a_kind(estimator)}.")
    if isinstance(estimator, GraphEstimator):
        summary = _graph_data(run, source, kind).evaluate(estimator, samples)
        title = f"{run}: a graph of {summary['n_nodes']:,} nodes"
    else:
        own, X = _test_rows(run, source, kind, estimator)
        if own is not None:
            summary = own.evaluate(estimator, samples)
        else:
            summary = estimator.evaluate(X, num_samples=samples or REPORT_SAMPLES)
            if isinstance(estimator, TabularVAE):  # these need the training rows too
                summary |= dict.fromkeys(TABLE_SCORES)
        if ais:
            few = _safe_indexing(X, spaced(summary["n"], given.pop("rows", 100)))
            how = dataclasses.replace(Annealing(), **given)
            options = {"simulated": _num_samples(few), "num_samples": samples or REPORT_SAMPLES}
            summary |= estimator.anneal(few, how, **options)
        unit = "squared errors a value" if summary["log_likelihood"] is None else "nats a row"
        title = f"{run}: {summary['n']} rows, {unit}"
    if as_json:
        print_json(summary)
    else:
        print_table(title, summary)
        if ais:
            print(
                "ais_...: bounds of the same few rows; bdmc_...: of rows drawn from the model. Lower and upper hold in "
                "expectation: within their standard errors they may cross."
            )


def _test_rows(run: Path, source: str | None, kind: str | None, estimator: Any) -> tuple[RowData | None, Any]:
    """The RUN's own data, where they are what is scored, and the rows to score."""
    if source is None:
        own = own_data(run)
        return own, own.X_test
    config = read_config(run)
    data = read_data(source, kind or _kind(run), tabular=config["model"] == TabularVAE.__name__)
    _refuse_graph(data, source)
    if data.X_test is None and fingerprint(data) == (config.get("data") or {}).get("fingerprint"):
        if other_labels(config, labels_fingerprint(data)):
            raise RunError(
                f"{source} holds the rows that {run} was fitted on with other labels; name other data to score."
            )
        print(f"{source} is what {run} was fitted on: its test rows alone are scored.", file=sys.stderr)
        own = own_data(run, [source])
        return own, own.X_test
    y, y_test = labels_as_fitted(config, data, estimator)
    X, y = (data.X, y) if data.X_test is None else (data.X_test, y_test)
    return None, labelled(estimator, _as_fitted(X, estimator), y, source)


def _graph_data(run: Path, source: str | None, kind: str | None) -> GraphData:
    """The graph to score: the RUN's own with its split, else another one, split by the RUN's seed."""
    if source is None:
        return own_data(run)
    seed = (read_config(run).get("data") or {}).get("split_seed") or 0
    data = split_data(source, kind or "graph", seed)
    if isinstance(data, RowData):
        raise OptionError(f"{run} holds a graph model, but {source!r} was read as {data.record['kind']} data.")
    return data


def sample_run(
    run: Path, output: Path, *, n: int | None, prior: str, given: list[str], label: str | None, seed: int, device: str
) -> None:
    """Draw rows from the model; see `vaekit sample --help`."""
    check_choice("prior", prior, ["model", "fitted"])
    estimator = _load(run, device)
    if prior == "fitted" and not hasattr(estimator, "fit_prior"):
        raise OptionError(f"--prior fitted has no use here: {run} holds {a_kind(estimator)}.")
    if given and not isinstance(estimator, TabularVAE):
        raise OptionError(f"--given is for a tabular model; {run} holds {a_kind(estimator)}.")
    options: dict[str, Any] = _condition(run, estimator, label)
    if isinstance(estimator, GraphEstimator):
        sample_graph(run, estimator, output, n=n, seed=seed)
        return
    check_output(output, kept_from(run))
    check_shape(output, estimator.schema_.shape)
    if isinstance(estimator, Autoencoder) and prior == "model":
        raise OptionError(
            f"{run} is an autoencoder, which has no distribution to sample from; draw its codes from a mixture with "
            "--prior fitted, or fit a vae."
        )
    if isinstance(estimator, (VAE, TabularVAE)):
        options["prior"] = prior
    if given:
        options["given"] = given_values(given, estimator.schema_)
    if prior == "fitted" and not hasattr(estimator, "fitted_prior_"):  # a saved model may have one
        estimator.fit_prior(own_data(run, advice="fit it again.").X_train)
    write_rows(estimator.sample(n or _SAMPLES, seed, **options), output)


def _condition(run: Path, estimator: Any, label: str | None) -> dict[str, Any]:
    """The label that samples are drawn given, in its own type, as an option of `sample`."""
    if not isinstance(estimator, ConditionalVAE):
        if label is not None:
            raise OptionError(f"--label is for a conditional model; {run} holds {a_kind(estimator)}.")
        return {}
    classes = estimator.condition_.classes
    if classes is None:
        raise OptionError(f"{run} was fitted with vectors: load it in Python and give sample its condition=.")
    names = (read_config(run).get("data") or {}).get("label_names") or []
    named = {str(names[each] if each in range(len(names)) else each): each for each in classes.tolist()}
    numbers = {} if any(name.isdecimal() for name in named) else {str(each): each for each in classes.tolist()}
    known = numbers | named
    if label not in known:
        what = "needs --label" if label is None else f"has no label {label!r}"
        raise OptionError(f"{run} {what}: one of {', '.join(named)}.")
    return {"y": known[label]}


def encode_data(run: Path, source: str, output: Path, *, kind: str | None, device: str) -> None:
    """Write codes; see `vaekit encode --help`."""
    check_output(output, [source, *kept_from(run)])
    estimator = _load(run, device)
    _check_codes(run, estimator)
    if isinstance(estimator, GraphEstimator):
        encode_graph(estimator, read(source, kind or "graph"), output)
        return
    codes = [estimator.transform(X) for X in _parts(run, source, kind, estimator)]
    write_rows(np.concatenate(codes), output, list(estimator.get_feature_names_out()))


def reconstruct_data(run: Path, source: str, output: Path, *, kind: str | None, device: str) -> None:
    """Write reconstructions; see `vaekit reconstruct --help`."""
    check_output(output, [source, *kept_from(run)])
    estimator = _row_model(run, device, "reconstruct")
    _check_codes(run, estimator)
    check_shape(output, estimator.schema_.shape)
    parts = _parts(run, source, kind, estimator)
    if isinstance(estimator, TabularVAE):
        import polars as pl

        write_rows(pl.concat([estimator.reconstruct(X) for X in parts]), output)
        return
    Z = np.concatenate([estimator.transform(X) for X in parts])
    labels = [np.concatenate([X.y for X in parts])] if isinstance(estimator, ConditionalVAE) else []
    write_rows(estimator.inverse_transform(Z, *labels), output)


def score_data(
    run: Path, source: str, output: Path, *, samples: int | None, cells: bool, kind: str | None, device: str
) -> None:
    """Write scores of each row; see `vaekit score --help`."""
    check_output(output, [source, *kept_from(run)])
    estimator = _row_model(run, device, "score")
    _check_samples(run, estimator, samples)
    samples = samples or REPORT_SAMPLES
    parts = _parts(run, source, kind, estimator)
    if cells:
        write_cell_scores(run, estimator, parts, samples, output)
        return
    if isinstance(estimator, Autoencoder):
        errors = np.concatenate([-estimator.score_samples(X) for X in parts])
        write_rows(errors[:, None], output, ["mean_squared_error"])
        return
    if isinstance(estimator, PixelCNN):
        exact = np.concatenate([estimator.score_samples(X) for X in parts])
        write_rows(exact[:, None], output, ["log_likelihood"])
        return
    scored, names = [estimator._scores(X, samples)[1] for X in parts], ["log_likelihood", "elbo"]
    columns = [np.concatenate([getattr(s, name) for s in scored]) for name in names]
    if isinstance(estimator, TabularVAE):
        columns.append(np.concatenate([estimator.anomaly_scores(X) for X in parts]))
        names.append("anomaly")
    write_rows(np.stack(columns, 1), output, names)


def _load(run: Path, device: str) -> Any:
    """The estimator in a RUN, one that the verbs are for."""
    estimator = load(run, device=device)
    if isinstance(estimator, VAEClassifier):
        raise OptionError(f"{run} holds a VAEClassifier, which no verb takes; read it in Python with vaekit.load.")
    return estimator


def _row_model(run: Path, device: str, verb: str) -> Any:
    estimator = _load(run, device)
    if isinstance(estimator, GraphEstimator):
        raise OptionError(f"{run} holds a graph model, which has no rows to {verb}; see 'vaekit links' and 'evaluate'.")
    return estimator


def _check_samples(run: Path, estimator: Any, samples: int | None) -> None:
    if samples is not None and isinstance(estimator, (Autoencoder, PixelCNN, GAE)):
        raise OptionError(f"--samples is for a model that is scored by samples; {run} holds {a_kind(estimator)}.")


def _check_codes(run: Path, estimator: Any) -> None:
    if isinstance(estimator, PixelCNN):
        raise OptionError(f"{run} holds a PixelCNN, which has no latent code; fit a vae to encode and reconstruct.")
    if isinstance(estimator, ConditionalVAE) and estimator.model_.latent_dim == 0:
        raise OptionError(f"{run} holds a model without latent units, which has no code.")


def _refuse_graph(data: Dataset, source: str) -> None:
    if data.kind == "graph":
        raise OptionError(f"{source!r} is a graph, but the model is one of rows.")


def _kind(run: Path) -> str | None:
    return (read_config(run).get("data") or {}).get("asked_kind")


def _parts(run: Path, source: str, kind: str | None, estimator: Any) -> list[Any]:
    """The rows of DATA in order; of a data set with its own test part, that part comes last."""
    config = read_config(run)
    data = read_data(source, kind or _kind(run), tabular=config["model"] == TabularVAE.__name__)
    _refuse_graph(data, data.name)
    y, y_test = labels_as_fitted(config, data, estimator)
    parts = [(data.X, y)] if data.X_test is None else [(data.X, y), (data.X_test, y_test)]
    return [labelled(estimator, _as_fitted(X, estimator), y, source) for X, y in parts]


def _as_fitted(X: Any, estimator: Any) -> Any:
    return as_fitted(X, estimator.schema_) if isinstance(estimator, TabularVAE) else X
