"""Edges set aside: no pair on two sides, no edge among the negatives, the same for the same seed."""

from collections import Counter
from pathlib import Path

import networkx
import numpy as np
import pytest
import scipy.sparse

from vaekit.data import EdgeSplit, load_dataset, read, split_edges
from vaekit.errors import DataError, OptionError, WriteError
from vaekit.schema import Graph

PARTS = ("val_edges", "val_negatives", "test_edges", "test_negatives")


def random_graph(n: int, density: float, seed: int = 0, **known: object) -> Graph:
    rng = np.random.default_rng(seed)
    return Graph(np.triu(rng.random((n, n)) < density, 1) * rng.integers(1, 5, (n, n)), **known)  # type: ignore[arg-type]


GRAPHS = {
    "karate": load_dataset("karate").X,
    "sparse": random_graph(400, 0.01),
    "dense": random_graph(30, 0.6),
    "a star": Graph.from_edges([[0, i] for i in range(1, 60)]),
    "a cycle, nodes alone": Graph.from_edges([[i, (i + 1) % 40] for i in range(40)], n_nodes=50),
}


@pytest.mark.parametrize("val", [0, 0.05, 0.3])
@pytest.mark.parametrize("test", [0, 0.1, 0.15])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.usefixtures("generators_untouched")
def test_laws(name: str, val: float, test: float) -> None:
    graph = GRAPHS[name]
    split = split_edges(graph, val, test, random_state=3)
    whole = set(map(tuple, graph.edges.tolist()))
    sides = [split.train.edges, *(getattr(split, part) for part in PARTS)]
    assert [(pairs.dtype, pairs.shape[1]) for pairs in sides] == [(np.int64, 2)] * 5
    assert all(
        (pairs[:, 0] < pairs[:, 1]).all() and (pairs >= 0).all() and (pairs < graph.n_nodes).all() for pairs in sides
    )
    train, val_edges, val_negatives, test_edges, test_negatives = (list(map(tuple, pairs.tolist())) for pairs in sides)
    assert sorted([*train, *val_edges, *test_edges]) == sorted(whole)
    assert not whole & {*val_negatives, *test_negatives}
    assert len({*val_negatives, *test_negatives}) == len(val_negatives) + len(test_negatives)
    assert len(val_edges) == len(val_negatives) == int(val * len(whole) + 1e-9)
    assert len(test_edges) == len(test_negatives) == int(test * len(whole) + 1e-9)
    assert split.train.n_nodes == graph.n_nodes
    a, b = split.train.edges.T
    assert np.array_equal(split.train.adjacency[a, b], graph.adjacency[a, b])


def test_what_is_known_of_the_nodes_stays() -> None:
    features = scipy.sparse.eye_array(30).tocsr()
    graph = random_graph(30, 0.5, features=features, labels=range(30), names=[f"n{i}" for i in range(30)])
    train = split_edges(graph).train
    assert abs(train.features - features).max() == 0
    assert (train.labels.tolist(), train.names) == (graph.labels.tolist(), graph.names)


def test_the_seed_alone_decides() -> None:
    karate = GRAPHS["karate"]

    def drawn(random_state: object, graph: object = karate) -> list[list[list[int]]]:
        split = split_edges(graph, random_state=random_state)  # type: ignore[arg-type]
        return [getattr(split, part).tolist() for part in PARTS]

    assert drawn(0) == drawn(0) == drawn(np.int64(0)) == drawn(0, karate.adjacency)
    assert drawn(0) != drawn(1) != drawn(2)
    assert drawn(np.random.RandomState(5)) == drawn(np.random.RandomState(5))
    state = np.random.RandomState(5)
    assert drawn(state) != drawn(state)
    assert drawn(None) != drawn(None)
    made = networkx.Graph(karate.edges.tolist())
    made.add_nodes_from(range(34))
    assert len(drawn(0, made)[2]) == 7


def test_the_edges_are_those_of_the_seed() -> None:
    split = split_edges(Graph.from_edges([[i, i + 1] for i in range(20)]))
    assert (split.val_edges.tolist(), split.test_edges.tolist()) == ([[11, 12]], [[2, 3], [10, 11]])
    assert (split.val_negatives.tolist(), split.test_negatives.tolist()) == ([[5, 11]], [[7, 17], [0, 12]])


@pytest.mark.parametrize(("n", "density"), [(6, 0.5), (12, 0.12)])
def test_every_absent_pair_is_equally_likely(n: int, density: float) -> None:
    graph = random_graph(n, density, seed=1)
    absent = n * (n - 1) // 2 - graph.n_edges
    size = int(0.5 * graph.n_edges)
    counts: Counter[tuple[int, ...]] = Counter()
    for seed in range(600):
        counts.update(map(tuple, split_edges(graph, 0, 0.5, seed).test_negatives.tolist()))
    assert len(counts) == absent
    p = size / absent
    assert all(abs(count / 600 - p) < 5 * np.sqrt(p * (1 - p) / 600) for count in counts.values())


def test_all_absent_pairs_are_drawn_where_all_are_needed() -> None:
    n = 9
    graph = Graph.from_edges([[i, j] for i in range(n) for j in range(i + 1, n) if (i + j) % 4])
    absent = n * (n - 1) // 2 - graph.n_edges
    split = split_edges(graph, 0, absent / graph.n_edges)
    assert sorted(map(tuple, split.test_negatives.tolist())) == [
        (i, j) for i in range(n) for j in range(i + 1, n) if (i + j) % 4 == 0
    ]


def test_a_split_of_a_large_graph(vaekit_data: object) -> None:
    graph = read(vaekit_data("cora") / "cora.npz").X  # type: ignore[operator]
    split = split_edges(graph)
    assert (len(split.test_edges), len(split.val_edges), split.train.n_edges) == (527, 263, 4488)
    wide = split_edges(Graph.from_edges([[i, i + 1] for i in range(0, 2_000_000, 1000)], n_nodes=3_000_000))
    assert wide.test_negatives.min() >= 0
    assert wide.test_negatives[:, 1].max() < 3_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": -0.1}, "val=-0.1 must be a number of at least 0 and below 1."),
        (
            {"val": "a", "test": 1},
            "val='a' must be a number of at least 0 and below 1. test=1 must be a number of at least 0 and below 1.",
        ),
        (
            {"val": 0.5, "test": 0.5},
            "val=0.5 and test=0.5 must be below 1 together, so that edges are left to train on.",
        ),
        ({"random_state": -1}, "random_state=-1 must be a whole number of at least 0 and at most 4294967295."),
        ({"random_state": "a"}, "random_state='a' must be a whole number of at least 0 and at most 4294967295."),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        split_edges(GRAPHS["karate"], **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (Graph.from_edges([[0, 1]]), {}, "The graph has 1 edge, of which val=0.05 sets none aside."),
        (np.zeros((3, 3)), {"val": 0}, "The graph has 0 edges, of which test=0.1 sets none aside."),
        (
            np.ones((5, 5)),
            {"val": 0.1, "test": 0.2},
            "Of the pairs of the graph's nodes, 10 are edges and 0 are not, but 3 that are not are needed, one for each "
            "edge set aside.",
        ),
        (np.ones((2, 3)), {}, "The adjacency has the shape (2, 3), but it must be square, (N, N)."),
    ],
)
def test_graphs_that_cannot_be_split(graph: object, options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError) as caught:
        split_edges(graph, **options)
    assert str(caught.value) == message


def test_nothing_set_aside_of_no_edges() -> None:
    assert split_edges(np.zeros((3, 3)), 0, 0).train.n_edges == 0


def test_save_and_load(tmp_path: Path) -> None:
    for graph in (GRAPHS["karate"], random_graph(20, 0.5, features=np.eye(20), names=list("abcdefghijklmnopqrst"))):
        split = split_edges(graph)
        split.save(tmp_path / "x.npz")
        again = EdgeSplit.load(tmp_path / "x.npz")
        assert all(np.array_equal(getattr(again, part), getattr(split, part)) for part in PARTS)
        assert (again.train.adjacency != split.train.adjacency).nnz == 0
        assert again.train.names == split.train.names
        assert again.train.n_features == split.train.n_features
    with pytest.raises(OptionError) as caught:
        split.save(tmp_path / "x.json")
    assert str(caught.value) == f"{str(tmp_path / 'x.json')!r} does not say how to write it: end it in .npz."
    with pytest.raises(WriteError):
        split.save(tmp_path / "none" / "x.npz")


NO = "PATH holds no split of a graph's edges"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_edges": None}, NO + "."),
        ({"adj_data": None}, NO + "."),
        (
            {"val_edges": np.zeros((3, 2), np.float32)},
            NO + ": val_edges has the shape (3, 2) and the type float32, not (m, 2) and int64.",
        ),
        (
            {"val_edges": np.zeros(3, np.int64)},
            NO + ": val_edges has the shape (3,) and the type int64, not (m, 2) and int64.",
        ),
        ({"val_edges": [[2, 1]] * 3}, NO + ": val_edges has a row that is no pair i < j of the nodes 0 to 33."),
        (
            {"test_negatives": [[0, 34]] * 7},
            NO + ": test_negatives has a row that is no pair i < j of the nodes 0 to 33.",
        ),
        ({"test_negatives": [[0, 33]]}, NO + ": 7 test_edges have 1 test_negatives."),
        ({"val_negatives": [[0, 33]] * 3}, NO + ": a pair stands in two of its parts, or twice in one."),
        ({"val_negatives": "test_negatives"}, NO + ": a pair stands in two of its parts, or twice in one."),
        ({"val_negatives": "train"}, NO + ": a pair stands in two of its parts, or twice in one."),
        ({"adj_indices": [99]}, "PATH is damaged: adj_data, adj_indices, adj_indptr and adj_shape do not fit."),
    ],
)
def test_a_file_that_holds_no_split(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "x.npz"
    split = split_edges(GRAPHS["karate"])
    split.save(path)
    arrays = dict(np.load(path, allow_pickle=False))
    for name, value in change.items():
        if value is None:
            del arrays[name]
        elif isinstance(value, str):
            arrays[name] = split.train.edges[:3] if value == "train" else arrays[value][:3]
        else:
            arrays[name] = np.asarray(value)
    np.savez(path, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError) as caught:
        EdgeSplit.load(path)
    assert str(caught.value).replace(repr(str(path)), "PATH") == message


def test_a_split_of_ones_own_is_checked() -> None:
    graph = Graph.from_edges([[0, 1], [1, 2], [2, 3]])
    split = EdgeSplit(graph, [], [], [[0, 2]], [[0, 3]])
    assert split.val_edges.shape == (0, 2) and split.test_edges.dtype == np.int64
    with pytest.raises(DataError) as error:
        EdgeSplit(graph, [], [], [[0, 2]], [[0, 1]])
    assert (
        str(error.value) == "This is no split of a graph's edges: a pair stands in two of its parts, or twice in one."
    )
