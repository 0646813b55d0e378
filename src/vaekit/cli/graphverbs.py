"""What the verbs do with a graph model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.cli.output import check_output, kept_from, write_rows
from vaekit.cli.owndata import own_graph
from vaekit.data.graphs import WRITTEN_GRAPHS, write_graph
from vaekit.errors import OptionError, a_kind
from vaekit.estimators import GAE, load
from vaekit.estimators.graph import GraphEstimator
from vaekit.runs import read_config
from vaekit.schema import Dataset, Graph


def write_links(run: Path, output: Path, *, k: int, node: str | None, device: str) -> None:
    """Write the likeliest absent links; see `vaekit links --help`."""
    import polars as pl

    check_output(output, kept_from(run), endings=(".csv", ".parquet"))
    estimator = load(run, device=device)
    if not isinstance(estimator, GraphEstimator):
        raise OptionError(f"{run} holds {a_kind(estimator)}, which knows no links; fit a graph.")
    graph = _known_graph(run, estimator)
    place: Any = node
    if node is not None and graph.names is None:
        if not node.isdecimal():
            raise OptionError(f"--node {node} must be a number from 0 to {graph.n_nodes - 1}: the nodes have no names.")
        place = int(node)
    pairs = estimator.predict_links(k, node=place, graph=graph)
    names = np.arange(graph.n_nodes) if graph.names is None else np.array(graph.names)
    ends = {"source": names[pairs[:, 0]], "target": names[pairs[:, 1]]}
    chances = estimator.predict_edges(np.stack(list(ends.values()), 1), graph)
    write_rows(pl.DataFrame(ends | {"probability": chances}), output)
    if estimator.objective == "reweighted":
        _say_reweighted("The probabilities rank the pairs, but are far too high", estimator)


def _say_reweighted(what: str, estimator: GraphEstimator) -> None:
    other = "log_likelihood" if isinstance(estimator, GAE) else "elbo"
    print(f"{what}: training weighed edges up, which a fit with --set objective={other} does not.", file=sys.stderr)


def _known_graph(run: Path, estimator: GraphEstimator) -> Graph:
    """All that is known of the RUN's graph, the edges set aside for scores included; else the graph of fit."""
    return estimator.graph_ if read_config(run).get("data") is None else own_graph(run)


def encode_graph(estimator: GraphEstimator, data: Dataset, output: Path) -> None:
    """Write the code of each node, with its name where there are names and the file has room for them."""
    import polars as pl

    if data.kind != "graph":
        raise OptionError(f"{data.name!r} was read as {data.kind} data, but the model is one of graphs.")
    codes, columns = estimator.transform(data.X), list(estimator.get_feature_names_out())
    if data.X.names is None or output.suffix.lower() not in (".csv", ".parquet"):
        write_rows(codes, output, columns)
        return
    named = pl.DataFrame(codes, schema=columns, orient="row")
    write_rows(named.insert_column(0, pl.Series("node", data.X.names)), output)


def sample_graph(run: Path, estimator: GraphEstimator, output: Path, *, n: int | None, seed: int) -> None:
    """Draw a graph from the model, by default of as many nodes as that of the fit, and write it."""
    check_output(output, kept_from(run), endings=WRITTEN_GRAPHS)
    if isinstance(estimator, GAE):
        raise OptionError(f"{run} is a graph autoencoder, which has no distribution to sample from; fit a vgae.")
    graph = estimator.sample(n, random_state=seed)  # pyright: ignore[reportAttributeAccessIssue]
    write_graph(graph, output)
    print(f"{output}: {graph.n_nodes:,} nodes, {graph.n_edges:,} edges", file=sys.stderr)
    if estimator.objective == "reweighted":
        _say_reweighted("A graph drawn from this model has far too many edges", estimator)
