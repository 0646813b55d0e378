"""What is known of rows survives JSON; a graph is the same however it is given, and says what does not fit."""

import json
import re
import warnings

import networkx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch

from vaekit.data.rows import Rows
from vaekit.errors import DataError, DataTypeError
from vaekit.schema import ArraySchema, ColumnStats, Graph

SCHEMAS = [
    ArraySchema((5,), "float64"),
    ArraySchema((28, 28), "uint8"),
    ArraySchema((3, 8, 8), "uint8", "numpy"),
    ArraySchema((4,), "int64", "sparse"),
    ArraySchema((2,), "float64", "pandas", ("a", "ü"), ("Float64", "Int8"), ("float64", "int8[pyarrow]")),
    ArraySchema((1,), "float32", "polars", ("a",), ("Float32",)),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_json_and_back(schema):
    assert ArraySchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    ("shape", "size", "image"),
    [
        ((5,), 5, False),
        ((28, 28), 784, True),
        ((1, 8, 8), 64, True),
        ((3, 8, 8), 192, True),
        ((4, 8, 8), 256, True),
        ((2, 8, 8), 128, False),
        ((3, 8, 8, 8), 1536, False),
    ],
)
def test_size_and_images(shape, size, image):
    schema = ArraySchema(shape, "uint8")
    assert (schema.size, schema.is_image) == (size, image)


def test_spreads_of_all_values_and_about_the_means_of_columns():
    data = np.random.default_rng(0).normal([3.0, 50.0, 7.0], [2.0, 0.1, 0.0], (40, 3))
    stats = Rows(data).stats()
    np.testing.assert_allclose(stats.overall_std, data.std())
    np.testing.assert_allclose(stats.pooled_std, ((data[:, 0].var() + data[:, 1].var()) / 2) ** 0.5)
    assert Rows(data[:, 2:]).stats().pooled_std == 0


def test_placeholder_columns_lie_between_0_and_1():
    stats = ColumnStats.placeholder((2, 3))
    assert stats.shape == (2, 3) and stats.mean.dtype == torch.float64
    assert bool((stats.low == 0).all()) and bool((stats.high == 1).all()) and bool((stats.std == 1).all())


def path_of(n):
    """The adjacency of a path 0 - 1 - ... - (n - 1)."""
    return np.eye(n, k=1) + np.eye(n, k=-1)


def weights(graph):
    return {(a, b): float(graph.adjacency[a, b]) for a, b in graph.edges.tolist()}


ONE_WAY = "an edge counts in both directions."
DENSE = np.array([[0, 2, 0], [1, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize(
    "adjacency",
    [
        DENSE,
        DENSE.tolist(),
        DENSE.astype(np.uint8),
        DENSE.astype(">i8"),
        DENSE.astype(np.float16),
        pd.DataFrame(DENSE),
        *(getattr(scipy.sparse, f"{form}_array")(DENSE) for form in ("csr", "csc", "coo", "lil", "dok", "bsr")),
        scipy.sparse.csr_matrix(DENSE.astype(np.int8)),
        scipy.sparse.coo_array(([1.0, 1, 1, 0, 3], ([0, 0, 1, 2, 2], [1, 1, 0, 0, 1])), shape=(3, 3)),
    ],
    ids=lambda a: f"{type(a).__name__} {getattr(a, 'dtype', '')}",
)
def test_every_adjacency_is_the_same_graph(adjacency):
    graph = Graph(adjacency)
    assert weights(graph) == {(0, 1): 2, (1, 2): 3}
    changed = ("1 edge had two weights, of which the larger counts.", f"1 edge pointed one way; {ONE_WAY}")
    assert graph.notes[-2:] == changed
    assert graph.notes[:-2] in ((), ("1 stored entry of weight zero is no edge.",))
    matrix = graph.adjacency
    assert isinstance(matrix, scipy.sparse.csr_array) and matrix.dtype == np.float32 and matrix.has_sorted_indices
    assert (matrix != matrix.T).nnz == 0 and not matrix.diagonal().any() and (matrix.data != 0).all()


def test_a_graph_leaves_what_it_is_given_as_it_was():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 0, 2], [0, 0, 0], [0, 1, 0]]))
    matrix.data[1] = 0
    before = matrix.copy()
    Graph(matrix, features=np.eye(3), labels=[0, 1, 0])
    assert np.array_equal(matrix.data, before.data) and np.array_equal(matrix.indices, before.indices)


def test_duplicate_entries_of_a_matrix_add_up_and_are_no_direction():
    matrix = scipy.sparse.csr_array(([1, 1, 2], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    graph = Graph(matrix)
    assert (weights(graph), graph.notes) == ({(0, 1): 2}, ())


def test_what_the_rules_drop_is_said():
    graph = Graph(np.array([[1, 0.5], [0, 3]]))
    assert graph.notes == ("2 self-loops dropped.", f"1 edge pointed one way; {ONE_WAY}")
    assert Graph(graph, labels=[1, 2]).notes == graph.notes
    listed = Graph.from_edges([[0, 1], [1, 0], [0, 1], [1, 1]], [1, 3, 2, 9])
    assert listed.notes == ("1 self-loop dropped.", "1 edge was listed more than once and counts once.")
    assert weights(listed) == {(0, 1): 3} and listed.is_weighted
    assert Graph(np.array([[0, 2], [1, 0]])).notes == ("1 edge had two weights, of which the larger counts.",)
    assert Graph(path_of(3)).notes == () and not Graph(path_of(3)).is_weighted


def test_a_graph_of_a_graph_keeps_what_is_not_given_anew():
    graph = Graph(path_of(2), np.eye(2), [0, 1], ["a", "b"])
    again = Graph(graph, names=["c", "d"])
    assert again.names == ("c", "d") and again.labels.tolist() == [0, 1] and again.n_features == 2
    assert repr(again) == "Graph(2 nodes, 1 edge, 2 features)"


@pytest.mark.parametrize("kind", [networkx.Graph, networkx.DiGraph, networkx.MultiGraph, networkx.MultiDiGraph])
def test_networkx(kind):
    made = kind([("b", "a"), ("a", "b"), ("c", "c")])
    made.add_edge("b", "c", weight=2.5)
    graph = Graph(made)
    assert graph.names == ("b", "a", "c")
    assert weights(graph) == {(0, 1): 1, (0, 2): 2.5}
    notes = ["1 self-loop dropped."]
    notes += ["1 edge was listed more than once and counts once."] if kind is networkx.MultiGraph else []
    notes += [f"1 edge pointed one way; {ONE_WAY}"] if made.is_directed() else []
    assert graph.notes == tuple(notes)


def test_networkx_nodes():
    assert Graph(networkx.path_graph(3)).names is None
    assert Graph(networkx.Graph([(1, 0)])).names == ("1", "0")
    assert Graph(networkx.grid_2d_graph(1, 2)).names == ("(0, 0)", "(0, 1)")
    assert Graph(networkx.empty_graph(2), names="ab").names == ("a", "b")
    with pytest.raises(DataError, match=r"^Two nodes are named '1'\.$"):
        Graph(networkx.Graph([(1, "1")]))
    made = networkx.Graph()
    made.add_edge(0, 1, weight="much")
    with pytest.raises(DataTypeError, match=r"^The edge attribute 'weight' of the networkx graph must hold numbers\.$"):
        Graph(made)


class Data:
    """What a torch_geometric Data looks like."""

    def __init__(self, edges, num_nodes, **more):
        self.edge_index, self.num_nodes = torch.tensor(edges).T, num_nodes
        for name, value in more.items():
            setattr(self, name, value)


def check_geometric(make):
    edges = [[0, 1], [1, 0], [1, 2]]
    graph = Graph(make(edges, 4, x=torch.eye(4), y=torch.tensor([[0], [1], [0], [1]])))
    assert (graph.n_nodes, weights(graph)) == (4, {(0, 1): 1, (1, 2): 1})
    assert graph.notes == (f"1 edge pointed one way; {ONE_WAY}",)
    assert graph.features.tolist() == np.eye(4).tolist() and graph.labels.tolist() == [0, 1, 0, 1]
    assert Graph(make(edges, 4, y=torch.tensor([1]))).labels is None
    assert weights(Graph(make(edges, 3, edge_weight=torch.tensor([1.0, 4, 2])))) == {(0, 1): 4, (1, 2): 2}
    assert weights(Graph(make(edges, 3, edge_attr=torch.tensor([[1.0], [4], [2]])))) == {(0, 1): 4, (1, 2): 2}
    assert not Graph(make(edges, 3, edge_attr=torch.ones(3, 2) * 7)).is_weighted
    assert Graph(make(edges, 3, x=torch.eye(3).to_sparse())).features.tolist() == np.eye(3).tolist()
    assert Graph(make(edges, 3, x=torch.eye(3)), features=np.ones((3, 2)), labels=[5, 6, 7]).n_features == 2
    with pytest.raises(DataError, match=r"^edge_index row 2 is \(1, 2\), but the nodes are 0 to 1\.$"):
        Graph(make(edges, 2))


def test_what_looks_like_torch_geometric():
    check_geometric(Data)


@pytest.mark.parametrize(("given", "name"), [(None, "NoneType"), ([[0, 1], [1, 2]], "list")])
def test_edges_that_are_no_tensor(given, name):
    data = Data([[0, 1]], 3)
    data.edge_index = given
    with pytest.raises(DataTypeError) as error:
        Graph(data)
    assert str(error.value) == f"edge_index must be a tensor (2, m) of edges, not of type {name}."


def test_torch_geometric():
    data = pytest.importorskip("torch_geometric.data")

    def make(edges, num_nodes, **more):
        return data.Data(edge_index=torch.tensor(edges).T, num_nodes=num_nodes, **more)

    check_geometric(make)


OTHER = (
    "A graph is given by a scipy.sparse or numpy adjacency, a networkx graph, a torch_geometric Data or a "
    "vaekit.Graph, not by "
)


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (np.zeros((2, 3)), "The adjacency has the shape (2, 3), but it must be square, (N, N)."),
        (scipy.sparse.csr_array((2, 3)), "The adjacency has the shape (2, 3), but it must be square, (N, N)."),
        (np.zeros(3), "The adjacency has the shape (3,), but (N, N) is needed."),
        (scipy.sparse.coo_array([1.0, 0]), "The adjacency has the shape (2,), but (N, N) is needed."),
        (np.zeros((2, 2, 2)), "The adjacency has the shape (2, 2, 2), but (N, N) is needed."),
        ([[0, 1], [1]], "The adjacency is no array: its rows have several lengths."),
        (np.zeros((0, 0)), "The graph has no nodes."),
        (networkx.Graph(), "The graph has no nodes."),
        (np.array([[0, -1], [np.nan, 0]]), "1 edge weight is NaN or infinite: weights must be finite and at least 0."),
        (
            np.array([[0, 1e300], [np.inf, 0]]),
            "2 edge weights are NaN or infinite: weights must be finite and at least 0.",
        ),
        (np.array([[0, -1], [-1, 0]]), "2 edge weights are below 0: weights must be finite and at least 0."),
    ],
)
def test_adjacencies_that_are_none(adjacency, message):
    with pytest.raises(DataError) as caught:
        Graph(adjacency)
    assert str(caught.value) == message and not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (None, OTHER + "a NoneType."),
        ({"a": "b"}, OTHER + "a dict."),
        ("karate", OTHER + "values of type <U6."),
        (np.eye(2) * 1j, OTHER + "values of type complex128."),
        (scipy.sparse.csr_array(np.eye(2) * 1j), "The adjacency holds values of type complex128 where weights belong."),
    ],
)
def test_what_is_no_adjacency(adjacency, message):
    with pytest.raises(DataTypeError) as caught:
        Graph(adjacency)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"features": np.eye(2)}, "features has 2 rows, but the graph has 3 nodes."),
        ({"features": np.ones(3)}, "features has the shape (3,), but (N, F) is needed: a row for each node."),
        ({"features": np.ones((3, 0))}, "features has no columns; leave features out where there are none."),
        ({"features": [[1], [2, 3], [4]]}, "features is no array: its rows have several lengths."),
        ({"features": [["a"]] * 3}, "features hold values of type <U1 where numbers belong."),
        ({"features": [[1, np.nan], [np.inf, 2], [1, 1]]}, "features hold NaN or infinity in column 0, 1."),
        ({"features": [[1e300, 1]] * 3}, "features hold NaN or infinity in column 0."),
        (
            {"features": scipy.sparse.csr_array([[0, np.nan], [0, 0], [1, 0]])},
            "features hold NaN or infinity in column 1.",
        ),
        ({"labels": [0, 1]}, "labels has the shape (2,), but (3,) is needed: one for each node."),
        ({"labels": np.eye(3)}, "labels has the shape (3, 3), but (3,) is needed: one for each node."),
        ({"names": "ab"}, "There are 2 names for 3 nodes."),
        ({"names": [1, "1", 2]}, "Two nodes are named '1'."),
    ],
)
def test_what_does_not_fit_the_nodes(known, message):
    with pytest.raises(DataError) as caught:
        Graph(path_of(3), **known)
    assert str(caught.value) == message


def test_labels_may_be_text_and_missing():
    assert Graph(path_of(3), labels=["a", None, "b"]).labels.tolist() == ["a", "", "b"]
    assert Graph(path_of(3), labels=pd.Series([0, -1, 1])).labels.tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ([[0, 1], [1, 3]], {"n_nodes": 3}, "edges row 1 is (1, 3), but the nodes are 0 to 2."),
        ([[0, 1], [-1, 0]], {}, "edges row 1 is (-1, 0), but the nodes are 0 to 1."),
        ([[0, 1]], {"names": "a"}, "edges row 0 is (0, 1), but the nodes are 0 to 0."),
        ([[0, 1, 2]], {}, "edges has the shape (1, 3), but (m, 2) is needed: two nodes a row."),
        ([[0, 1], [2]], {}, "edges is no array: its rows have several lengths."),
        ([[0.0, 1]], {}, "edges holds values of type float64 where numbers of nodes belong."),
        ([["a", "b"]], {}, "edges holds values of type <U1 where numbers of nodes belong."),
        ([[0, 1]], {"weights": [1, 2]}, "There are 2 weights for 1 edges."),
        ([[0, 1]], {"weights": [-1]}, "1 edge weight is below 0: weights must be finite and at least 0."),
        ([], {}, "The graph has no nodes."),
    ],
)
def test_edges_that_are_none(edges, options, message):
    with pytest.raises(DataError) as caught:
        Graph.from_edges(edges, **options)
    assert str(caught.value) == message


def test_the_number_of_nodes_of_a_list():
    assert Graph.from_edges([[0, 4]]).n_nodes == 5
    assert Graph.from_edges([], n_nodes=2).n_edges == 0
    assert Graph.from_edges({(0, 1), (1, 2)}).n_edges == Graph.from_edges(iter([[0, 1], [1, 2]])).n_edges == 2
    assert Graph.from_edges([[0, 1]], names=iter("ab")).names == ("a", "b")
    assert Graph.from_edges([[0, 1]], features=scipy.sparse.eye_array(6)).n_nodes == 6
    assert Graph.from_edges([[0, 1]], labels=[0, 1, 2]).n_nodes == 3


def test_nodes_and_pairs_by_name_and_number():
    graph = Graph.from_edges([[0, 1], [1, 2]], names=["ann", "bob", "7"])
    assert graph.index([["ann", "7"]]).tolist() == [[0, 2]] and graph.index(1) == 1
    assert graph.pairs([["bob", "ann"]]).tolist() == [[1, 0]] and graph.pairs([]).shape == (0, 2)
    assert graph.pairs(np.array([[0, 2]], np.uint8)).dtype == np.int64
    for nodes, error, message in (
        (["bobb"], DataError, "There is no node named 'bobb' (did you mean 'bob'?)."),
        ([3], DataError, "There is no node 3: the nodes are 0 to 2."),
        ([-1], DataError, "There is no node -1: the nodes are 0 to 2."),
        ([0.5], DataTypeError, "Nodes are given by number or name, not by values of type float64."),
    ):
        with pytest.raises(error) as caught:
            graph.index(nodes)
        assert str(caught.value) == message
    for pairs, message in (
        ([[0, 3]], "pairs row 0 is (0, 3), but the nodes are 0 to 2."),
        ([0, 1], "pairs has the shape (2,), but (m, 2) is needed: two nodes a row."),
    ):
        with pytest.raises(DataError) as caught:
            graph.pairs(pairs)
        assert str(caught.value) == message
    with pytest.raises(DataError) as caught:
        Graph(path_of(2)).index("a")
    assert str(caught.value) == "The nodes of this graph have no names: give numbers from 0 to 1."


def numbered():
    """A path whose nodes have numbers for names, in another order."""
    return Graph(networkx.path_graph([3, 1, 2, 4]))


def test_numbers_that_are_names_of_other_nodes_warn():
    graph = numbered()
    assert graph.names == ("3", "1", "2", "4")
    said = "The nodes have numbers for names, and whole numbers are places in their order: 2 is the node named '2'"
    with pytest.warns(UserWarning) as found:
        assert graph.index([0, 3]).tolist() == [0, 3]
    assert found[0].filename == __file__
    assert str(found[0].message) == said.replace(
        "2 is the node named '2'", "3 is the node named '4'; give names as text, '3'."
    )
    with pytest.warns(UserWarning, match="numbers for names"):
        assert graph.pairs([[2, 3]]).tolist() == [[2, 3]]
    with pytest.raises(DataError) as error:
        graph.index(4)
    assert str(error.value) == "There is no node 4: the nodes are 0 to 3; give names as text, '4'."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert graph.index([1, 2, 0][1:]).tolist() == [2, 0]  # as 2 is in its place, and no node is named 0
        assert graph.pairs([["3", "4"]]).tolist() == [[0, 3]]
        assert Graph(graph, names="abcd").index([3, 1]).tolist() == [3, 1]


def test_nodes_are_known_by_name_where_both_graphs_have_names_or_numbers_for_names():
    graph, bare, text = numbered(), Graph(networkx.path_graph(4)), Graph(numbered(), names="abcd")
    rows = Graph(bare.adjacency)
    assert bare.numbered and Graph(bare).numbered and bare.with_edges(bare.edges).numbered
    assert not (rows.numbered or graph.numbered or Graph(bare, names="abcd").numbered)
    assert graph.known_by_name(bare) and bare.known_by_name(graph) and graph.known_by_name(text)
    assert bare.known_by_name(text) and not bare.known_by_name(Graph(bare))
    assert not any(rows.known_by_name(other) or other.known_by_name(rows) for other in (graph, bare, text, rows))
    assert bare.places == {"0": 0, "1": 1, "2": 2, "3": 3} and text.places == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_pandas_tables_are_taken_by_the_names_of_the_nodes():
    table = pd.DataFrame({"a": [0, 0, 0], "c": [2, 0, 0], "b": [0, 3, 0]}, index=["a", "b", "c"], dtype=float)
    table.loc["c", "b"], table.loc["b", "b"] = 3, 0  # edges a-c of 2 and b-c of 3
    graph = Graph(table)
    assert graph.names == ("a", "b", "c") and graph.edges.tolist() == [[0, 2], [1, 2]]
    assert graph.adjacency[[0, 2]].max() == 3 and graph.adjacency[0, 2] == 2
    known = pd.DataFrame({"x": [1.0, 2, 3]}, index=list("cab"))
    graph = Graph(table, known, known["x"])
    assert graph.features.ravel().tolist() == graph.labels.tolist() == [2, 3, 1]
    assert Graph(table, known.reset_index(drop=True)).features.ravel().tolist() == [1, 2, 3]
    numbers = known.set_axis([2, 0, 1], axis=0)
    assert Graph(networkx.path_graph(3), numbers).features.ravel().tolist() == [2, 3, 1]
    assert Graph(table.to_numpy(), numbers).features.ravel().tolist() == [1, 2, 3]  # rows without names are in order
    assert Graph(pd.DataFrame(table.to_numpy())).names is None
    assert Graph(networkx.to_pandas_adjacency(networkx.karate_club_graph())).names is None
    assert Graph(table.astype("Int64")).edges.tolist() == [[0, 2], [1, 2]]
    assert Graph(table, known, names=list("pqr")).features.ravel().tolist() == [2, 3, 1]
    assert Graph(table, labels=pd.Categorical(list("aba"))).labels.tolist() == ["a", "b", "a"]
    with pytest.raises(DataError, match=r"Graph.from_edges takes a list of edges\.$"):
        Graph(pd.DataFrame({"source": [0, 1, 2], "target": [1, 2, 3]}, index=[4, 5, 7]))
    assert Graph(pd.DataFrame(table.to_numpy(), columns=list("xyz"))).names == ("x", "y", "z")
    assert Graph.from_edges([[0, 1], [1, 2]], features=numbers).features.ravel().tolist() == [1, 2, 3]


def test_a_plain_index_beside_nodes_named_by_numbers_in_another_order():
    graph, known = networkx.path_graph([2, 0, 1, 3]), pd.DataFrame({"age": [10.0, 11, 12, 13]})
    message = "The nodes are named 0 to 3 in another order, and the index of a pandas table is 0, 1, ...: "
    for given in ({"features": known}, {"labels": known["age"]}):
        with pytest.raises(DataError, match=re.escape(message)):
            Graph(graph, **given)
    assert Graph(graph, known.loc[list(graph)]).features.ravel().tolist() == [12, 10, 11, 13]
    assert Graph(graph, known.to_numpy()).features.ravel().tolist() == [10, 11, 12, 13]
    assert Graph(networkx.path_graph([2, 4, 1, 3]), known).features.ravel().tolist() == [10, 11, 12, 13]
    assert Graph(graph, known, names=list("abcd")).features.ravel().tolist() == [10, 11, 12, 13]


def test_one_axis_of_a_pandas_adjacency_without_names_of_its_own():
    table = networkx.to_pandas_adjacency(networkx.path_graph(4))
    for shuffled in (table.loc[[2, 0, 1, 3]], table[[2, 0, 1, 3]]):
        graph = Graph(shuffled)
        called = np.array(graph.names)[graph.edges].tolist()
        assert {frozenset(edge) for edge in called} == {frozenset("01"), frozenset("12"), frozenset("23")}
    for index in ([1, 2, 3, 4], [101, 102, 103, 104]):
        assert Graph(pd.DataFrame(table.to_numpy(), index=index)).names == tuple(map(str, index))
        assert Graph(pd.DataFrame(table.to_numpy(), columns=index)).names == tuple(map(str, index))
    counts = pd.crosstab(pd.Series([0, 0, 1, 2, 2]), pd.Series([1, 2, 3, 3, 1]))
    with pytest.raises(DataError, match=r"^The index and the columns of the adjacency name different nodes\.$"):
        Graph(counts)


def test_what_is_masked_in_an_array_is_no_part_of_a_graph():
    full = np.array([[0, 1, 9], [1, 0, 1], [9, 1, 0]])
    hidden = np.ma.masked_equal(full, 9)
    assert Graph(np.ma.masked_array(full)).n_edges == 3
    for call, what in (
        (lambda: Graph(hidden), "The adjacency"),
        (lambda: Graph(full, hidden), "features"),
        (lambda: Graph(full, labels=hidden[0]), "labels"),
    ):
        with pytest.raises(DataError, match=f"^{what} is an array with masked values: fill or drop them first"):
            call()


def test_what_else_could_be_meant_is_said():
    for edges in (pd.DataFrame({"s": ["a", "b"], "t": ["b", "c"]}), [("a", "b"), ("b", "c")]):
        with pytest.raises(
            DataTypeError, match=r"; networkx\.Graph takes a list of pairs, networkx\.from_pandas_edgelist"
        ):
            Graph(edges)
    path, table = networkx.path_graph(3), pd.DataFrame({"x": [1.0, 2, 3], "age": [1, np.nan, 2]})
    with pytest.raises(DataError, match=r"^features hold NaN or infinity in column 'age'\.$"):
        Graph(path, table)
    with pytest.raises(DataTypeError, match=r"where numbers belong; pandas\.get_dummies makes columns of numbers\.$"):
        Graph(path, table.assign(town=list("abc")))


def test_columns_of_several_types_of_numbers_are_features():
    table = pd.get_dummies(pd.DataFrame({"age": [1.0, 2, 3], "town": list("xyx")})).astype({"age": "Float64"})
    features = Graph(networkx.path_graph(3), table).features
    np.testing.assert_array_equal(features, [[1, 1, 0], [2, 0, 1], [3, 1, 0]])
    with pytest.raises(DataTypeError, match="features hold values of type complex128"):
        Graph(networkx.path_graph(3), pd.DataFrame({"x": [1 + 2j, 1, 1]}))


def test_what_has_no_order_is_no_list_of_labels():
    with pytest.raises(DataError, match="labels has the shape"):
        Graph(networkx.path_graph(3), labels={"a", "b", "c"})


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_missing_labels_of_pandas_are_none(kind):
    labels = pd.Series(["a", "b", None], dtype=kind)
    assert Graph(networkx.path_graph(3), labels=labels).labels.tolist() == ["a", "b", ""]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_of_features_keep_their_names(kind):
    path = networkx.path_graph(3)
    graph = Graph(path, kind({"x": [1.0, 2, 3], "y": [0.0, 0, 1]}))
    assert (
        graph.feature_names == Graph(graph).feature_names == graph.with_edges(graph.edges).feature_names == ("x", "y")
    )
    assert Graph(graph, graph.features).feature_names is Graph(path, pd.DataFrame(np.eye(3))).feature_names is None


@pytest.mark.parametrize("index", [list("abd"), list("aab")])
def test_pandas_tables_of_other_nodes(index):
    table = pd.DataFrame(np.eye(3, k=1), index=list("abc"), columns=list("abc"))
    with pytest.raises(
        DataError, match=r"^The index of a pandas table must hold the name of each node once, unlike here '.':"
    ):
        Graph(table, pd.DataFrame({"x": [1.0, 2, 3]}, index=index))
    with pytest.raises(DataError, match=r"^The index and the columns of the adjacency name different nodes\.$"):
        Graph(table.set_axis(index, axis=1))


def test_small_integers_do_not_overflow():
    many = scipy.sparse.coo_array((np.ones(256, np.int8), (np.zeros(256, int), np.ones(256, int))), shape=(2, 2))
    assert Graph(many).adjacency[0, 1] == 256


def test_labels_are_a_copy_in_native_bytes():
    labels = np.array([1, 2, 3], dtype=">i4")
    graph = Graph(np.eye(3, k=1), labels=labels)
    labels[0] = 9
    assert graph.labels.tolist() == [1, 2, 3] and graph.labels.dtype.isnative


def test_some_of_the_edges():
    graph = Graph.from_edges([[0, 1], [1, 2], [2, 3]], [5, 6, 7], names="abcd", labels=range(4))
    some = graph.with_edges(np.array([[2, 3], [1, 0]]))
    assert weights(some) == {(0, 1): 5, (2, 3): 7} and some.names == graph.names and some.notes == ()
    assert some.labels.tolist() == [0, 1, 2, 3] and graph.with_edges(np.zeros((0, 2), int)).n_edges == 0


def test_weights_too_small_for_float32_are_edges_all_the_same():
    graph = Graph(np.array([[0, 1e-50], [0, 0]]))
    assert graph.n_edges == 1 and graph.adjacency.data.min() > 0


def test_stored_zeros_are_told():
    matrix = scipy.sparse.csr_array(([1.0, 1.0, 0.0], ([0, 1, 1], [1, 0, 2])), shape=(3, 3))
    assert Graph(matrix).notes == ("1 stored entry of weight zero is no edge.",)
    assert Graph.from_edges([[0, 1], [1, 2], [0, 2]], weights=[1, 0, 0]).n_edges == 1


def test_notes_stay_with_a_part_of_the_edges():
    graph = Graph.from_edges([[0, 0], [0, 1], [1, 2]])
    assert graph.with_edges(graph.edges[:1]).notes == graph.notes == ("1 self-loop dropped.",)
