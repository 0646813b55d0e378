"""The report on a model of a graph."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.errors import count
from vaekit.report.frame import source_line, training_part, write_parts
from vaekit.report.graphscores import headline, label_part, score_part
from vaekit.report.markdown import bullets, line
from vaekit.runs import read_metrics

_MODELS = {"VGAE": "variational graph auto-encoder", "GAE": "graph auto-encoder"}


def write_graph_report(
    folder: str | Path,
    *,
    title: str,
    config: dict[str, Any],
    summary: dict[str, Any],
    pictures: Sequence[tuple[str, str]],
) -> None:
    """Write report.md, whole, into a RUN.

    Args:
        folder: the RUN; its metrics.jsonl is read for the facts of training.
        title: of the report.
        config: the RUN's, with what is known of the graph and its split under "data".
        summary: scores of the test edges, of a baseline on the same, and of the codes against the labels; None stands
            for what could not be scored.
        pictures: file name under plots/ and caption of each, in order.

    Raises:
        WriteError: the folder is missing or cannot be written.
    """
    n = config["data"]["n_validation_edges"]
    chosen = (
        f"The held-out score is the mean of AUC and AP of {count(n, 'validation edge')} against as many pairs "
        "without an edge; the test edges had no say."
    )
    unchosen = "No edges were held out to choose the epoch, so the last one was kept."
    if n:
        unchosen = f"The {count(n, 'validation edge')} are too few to tell epochs apart, so the last one was kept."
    training = training_part(
        config,
        read_metrics(folder),
        held="held-out score",
        chosen=chosen,
        unchosen=unchosen,
    )
    write_parts(
        folder,
        title=title,
        config=config,
        scores=[
            _opening(config),
            headline(config, summary),
            *score_part(config, summary),
            *label_part(config, summary),
        ],
        pictures=pictures,
        training=training,
        data=_data(config),
        use=_use(folder, config),
    )


def _opening(config: dict[str, Any]) -> str:
    data, params, features = config["data"], config["params"], config["fitted"]["n_features_in"]
    hidden = params.get("hidden") or ()
    layers = "no hidden layer"
    if hidden:
        layers = f"{count(len(hidden), 'hidden graph convolution')} of {', '.join(map(str, hidden))}"
    if params.get("encoder"):
        layers = "an encoder of its own"
    decoder = f"{params['decoder'].replace('_', ' ')} decoder"
    what = f"{count(features, 'feature')} a node" if features else "no node features used"
    trained = f"trained on {count(data['n_train_edges'], 'edge')}"
    if data["epoch_chosen"]:
        trained += f", the epoch chosen by {data['n_validation_edges']:,} others"
    if data["n_test_edges"]:
        trained += (
            f", scored on {count(data['n_test_edges'], 'test edge')} that neither training nor the choice of the epoch "
            "has seen"
        )
    return (
        f"A {_MODELS[config['model']]} ({count(params['latent_dim'], 'latent unit')} a node, {layers}, {decoder}) of "
        f"{line(data['source'])}, a graph of {count(data['n_nodes'], 'node')} and {count(data['n_edges'], 'edge')} "
        f"({what}): {trained}."
    )


def _data(config: dict[str, Any]) -> str:
    data, seed = config["data"], config["data"].get("split_seed")
    if not data["n_test_edges"]:
        return bullets(
            [source_line(data), f"All edges were trained on; for the test {data['test']}.", _fingerprint(data)]
        )
    drawn = "" if seed is None else f", drawn with seed {seed}"
    return bullets(
        [
            source_line(data),
            f"{count(data['n_train_edges'], 'edge')} for training, {data['n_validation_edges']:,} for validation, "
            f"{data['n_test_edges']:,} for the test ({data['test']}{drawn}); to each of the latter two as many pairs "
            "that are no edges of the whole graph.",
            "In training every pair that is no training edge counts as absent, the held-out edges and the pairs that "
            "they are scored against alike.",
            _fingerprint(data),
        ]
    )


def _fingerprint(data: dict[str, Any]) -> str:
    return f"Fingerprint of edges, weights, features, labels and names: `{data['fingerprint']}`."


def _use(folder: str | Path, config: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Lines of Python and of the shell."""
    params, data = config["params"], config["data"]
    samples = config["model"] == "VGAE" and params["objective"] == "elbo"  # else far denser than the data
    run = shlex.quote(str(folder))
    own = ", encoder=encoder" if params.get("encoder") else ""
    python = [
        "import vaekit",
        "",
        f"model = vaekit.load({str(folder)!r}{own})",
        "codes = model.transform()             # of the nodes of the training graph, one row each",
        "p = model.predict_edges([[0, 1]])     # probability of an edge; nodes by number, or name if they have names",
        "links = model.predict_links(10)       # likeliest pairs that are no training edge; exclude= leaves out more",
    ]
    shell = [
        f"vaekit evaluate {run}",
        f"vaekit links {run} -k 10 -o links.csv      # likeliest pairs that are no edge of the whole graph",
        f"vaekit encode {run} {shlex.quote(str(data['source']))} -o codes.csv  # by all edges, the test's too",
    ]
    if samples:
        python.append("new = model.sample()                  # a graph drawn from the model")
        shell.append(f"vaekit sample {run} -n {data['n_nodes']} -o new.graphml")
    return python, shell
