"""What the estimators on graphs are given, checked; and the graph of fit as tensors to save."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from vaekit.data.edges import EdgeSplit
from vaekit.data.grapharrays import graph_arrays, graph_from_arrays
from vaekit.errors import DataError, DataTypeError, OptionError, join
from vaekit.models.graph import GraphTensors
from vaekit.schema import Graph

_TEXT = ("labels", "names", "attr_names")


def check_split(name: str, split: Any) -> None:
    """Raise DataTypeError unless an argument is an EdgeSplit."""
    if not isinstance(split, EdgeSplit):
        raise DataTypeError(f"{name} must be an EdgeSplit of vaekit.data.split_edges, not a {type(split).__name__}.")


def check_feature_names(graph: Graph, fitted: Graph) -> None:
    """Raise DataError where both graphs name their features, and not the same in the same order."""
    given, known = graph.feature_names, fitted.feature_names
    if given is None or known is None or given == known:
        return
    place, (name, meant) = next(
        (i, pair) for i, pair in enumerate(zip(given, known, strict=True)) if len(set(pair)) > 1
    )
    what = "stand in another order than at" if sorted(given) == sorted(known) else "are not those of"
    raise DataError(f"The features {what} fit: column {place + 1} is {name!r} where fit had {meant!r}.")


def feature_hint(graph: Graph, fitted: Graph) -> str:
    """Which features only one of two graphs has, where both name them."""
    given, known = graph.feature_names or (), fitted.feature_names or ()
    missing, more = ([name for name in a if name not in b] for a, b in ((known, given), (given, known)))
    if not given or not known:
        return ""
    return (f" It lacks {join(missing)}." if missing else "") + (f" Fit did not have {join(more)}." if more else "")


def feature_scaling(graph: Graph) -> tuple[np.ndarray, np.ndarray] | None:
    """(F,) locations and scales by which dense features are standardised; None where all are used as they are.

    Columns that lie from 0 to 1, as indicators and shares do, stay: location 0, scale 1. Other constant ones
    become 1 or -1.
    """
    if not isinstance(graph.features, np.ndarray) or not graph.features.size:
        return None
    values = graph.features.astype(np.float64)
    low, high = values.min(0), values.max(0)
    kept, constant = (low >= 0) & (high <= 1), low == high
    if kept.all():
        return None
    scale = np.where(constant, np.abs(low), values.std(0))
    return np.where(kept | constant, 0.0, values.mean(0)), np.where(kept, 1.0, scale)


def check_validation(graph: Graph, split: EdgeSplit) -> None:
    """Raise DataError where the graph to train on is not that of the split, or holds edges that it holds out."""
    check_split("validation", split)
    if split.train.n_nodes != graph.n_nodes:
        raise DataError(f"validation is a split of {split.train.n_nodes} nodes, but the graph has {graph.n_nodes}.")
    if graph.known_by_name(split.train) and list(graph.places) != list(split.train.places):
        raise DataError("The graph has other nodes than validation, or in another order: fit split.train.")
    held = np.concatenate([split.val_edges, split.test_edges])
    seen = int((graph.adjacency[held[:, 0], held[:, 1]] > 0).sum()) if len(held) else 0
    if seen:
        raise DataError(f"The graph holds {seen:,} of the edges that validation holds out: fit split.train.")


@torch.no_grad()
def encoder_width(body: nn.Module, x: GraphTensors) -> int:
    """The width F of an own encoder's output."""
    was = body.training
    body.eval()
    try:
        out = body(x.features.dense(), x.adjacency)
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise OptionError(f"encoder={type(body).__name__} cannot take (features, adjacency): {error}") from error
    finally:
        body.train(was)
    n = x.adjacency.n_nodes
    if not isinstance(out, Tensor) or out.ndim != 2 or out.shape[0] != n:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise OptionError(f"encoder={type(body).__name__} must give (N, F) features, here ({n}, F), not {shape}.")
    return out.shape[1]


def one_node(graph: Graph, node: Any) -> int:
    """The number of a node given by number or name."""
    number = graph.index(node)
    if number.ndim:
        raise DataError(f"node must be one node, by number or name, not {node!r}.")
    return int(number)


def excluded_pairs(graph: Graph, exclude: Any) -> Any:
    """(N, N) symmetric csr_array with an entry for each pair; nodes of a graph with names are those of that name."""
    pairs = exclude
    dense = graph.n_nodes > 2 and getattr(exclude, "shape", None) == graph.adjacency.shape
    if dense or scipy.sparse.issparse(exclude) or hasattr(exclude, "edges") or hasattr(exclude, "edge_index"):
        other = Graph(exclude)
        numbers = graph.names is None and other.names is not None and all(map(str.isdecimal, other.names))
        if numbers or graph.known_by_name(other):
            pairs = np.array(list(other.places))[other.edges]
            pairs = pairs if graph.names else pairs.astype(np.int64)
        elif other.n_nodes == graph.n_nodes:
            return other.adjacency
        else:
            raise DataError(f"exclude has {other.n_nodes} nodes, but the graph has {graph.n_nodes}.")
    pairs = graph.pairs(pairs, "exclude")
    ones = np.ones(2 * len(pairs), np.float32)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return scipy.sparse.csr_array((ones, (both[:, 0], both[:, 1])), shape=graph.adjacency.shape)


def graph_tensors(graph: Graph) -> dict[str, Tensor]:
    """The graph of fit, as saved beside the weights; text as JSON in bytes."""
    arrays = graph_arrays(graph)
    for name in _TEXT:
        if name in arrays and arrays[name].dtype.kind == "U":
            arrays[f"{name}_json"] = np.frombuffer(json.dumps(arrays.pop(name).tolist()).encode(), np.uint8)
    return {f"graph.{name}": torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def graph_from_tensors(tensors: dict[str, Tensor]) -> Graph:
    """The inverse of `graph_tensors`."""
    arrays = {name.removeprefix("graph."): t.numpy() for name, t in tensors.items() if name.startswith("graph.")}
    for name in _TEXT:
        if f"{name}_json" in arrays:
            arrays[name] = np.array(json.loads(arrays.pop(f"{name}_json").tobytes()))
    return graph_from_arrays(arrays, "The graph that was saved")
