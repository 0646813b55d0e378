"""Graphs in files: what an edge list's lines say, what is refused, and what is written is read back."""

import gzip
import re
from pathlib import Path

import networkx
import numpy as np
import pytest
import scipy.sparse

from vaekit.data import EdgeSplit, load_dataset, read, split_edges, write_graph
from vaekit.errors import DataError, DataTypeError, OptionError, WriteError
from vaekit.schema import Graph


def edges_in(tmp_path: Path, text: str | bytes, name: str = "x.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path, error: type[DataError] = DataError) -> str:
    with pytest.raises(error) as caught:
        read(path, "graph")
    assert type(caught.value) is error
    return str(caught.value).replace(repr(str(path)), "PATH")


def by_name(graph: Graph) -> dict[frozenset[str], float]:
    """The edges with their weights, whatever the order of the nodes."""
    names = graph.names or [str(node) for node in range(graph.n_nodes)]
    return {frozenset((names[a], names[b])): float(graph.adjacency[a, b]) for a, b in graph.edges}


SEMICOLONS = "Its lines hold semicolons, but are cut at {}."
NUMBERED, NAMED = "Its nodes are numbered 0 to 2.", "Its nodes are known by name."
HEADER = "Line 1 is a header."


@pytest.mark.parametrize(
    ("text", "names", "edges", "said"),
    [
        ("0 1\n1 2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("0\t1\n1\t2", None, [[0, 1], [1, 2]], NUMBERED),
        ("0,1\n1,2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("0;1\n1;2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("Ann B;Bob\nBob;Cid\n", ("Ann B", "Bob", "Cid"), [[0, 1], [1, 2]], NAMED),
        ("source;target\na b;c\nc;d\n", ("a b", "c", "d"), [[0, 1], [1, 2]], f"{NAMED} {HEADER}"),
        ("P;1 Q\nQ R\n", ("P;1", "Q", "R"), [[0, 1], [1, 2]], f"{NAMED} {SEMICOLONS.format('blanks')}"),
        ("A;1,B;2\nB;2,C\n", ("A;1", "B;2", "C"), [[0, 1], [1, 2]], f"{NAMED} {SEMICOLONS.format('commas')}"),
        (
            '5" a;b\t3" c\n3" c\t6" d\n',
            ('5" a;b', '3" c', '6" d'),
            [[0, 1], [1, 2]],
            f"{NAMED} {SEMICOLONS.format('tabs')}",
        ),
        ("0, 1\n 1 ,2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("  0   1  \n\t1 \t 2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("0   1  \n 1  2\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("\ufeff0 1\r\n1 2\r\n", None, [[0, 1], [1, 2]], NUMBERED),
        ("0 1\r1 2", None, [[0, 1], [1, 2]], NUMBERED),
        ("# x\n\n% y, z\n0 1\n  # w\n\n1 2\n\n# end", None, [[0, 1], [1, 2]], NUMBERED),
        (
            "1 3\n3 2\n",
            ("1", "2", "3"),
            [[0, 2], [1, 2]],
            "Its nodes are named by their numbers, of which not every one from 0 to 3 occurs.",
        ),
        (
            "0 10\n9 0\n",
            ("0", "9", "10"),
            [[0, 1], [0, 2]],
            "Its nodes are named by their numbers, of which not every one from 0 to 10 occurs.",
        ),
        ("0 01\n1 2\n", ("0", "01", "1", "2"), [[0, 1], [2, 3]], NAMED),
        ("-1 0\n0 1\n", ("-1", "0", "1"), [[0, 1], [1, 2]], NAMED),
        ("b a\nc b\n", ("b", "a", "c"), [[0, 1], [0, 2]], NAMED),
        ("Ann Lee\tBob\nBob\tC, D\n", ("Ann Lee", "Bob", "C, D"), [[0, 1], [1, 2]], NAMED),
        ('"Lee, Ann",Bob\nBob,"say ""C"""\n', ("Lee, Ann", "Bob", 'say "C"'), [[0, 1], [1, 2]], NAMED),
        ('a "b\nc" d\n', ("a", '"b', 'c"', "d"), [[0, 1], [2, 3]], NAMED),
        ("99999999999999999999 1\n", ("99999999999999999999", "1"), [[0, 1]], NAMED),
        ("source,target\na,b\n", ("a", "b"), [[0, 1]], f"{NAMED} {HEADER}"),
        ("From To\n0 1\n1 2\n", None, [[0, 1], [1, 2]], f"{NUMBERED} {HEADER}"),
        ("person,friend\n0,1\n1,2\n", None, [[0, 1], [1, 2]], f"{NUMBERED} {HEADER}"),
        ('0 1 {}\n1 2 {"a": 3}\n', None, [[0, 1], [1, 2]], NUMBERED),
        ("a,b {y}\nc,b {z}\n", ("a", "b {y}", "c", "b {z}"), [[0, 1], [2, 3]], NAMED),
        ("a\tb {y}\nb {y}\tc\n", ("a", "b {y}", "c"), [[0, 1], [1, 2]], NAMED),
        ("{a} {b}\n{b} {c}\n", ("{a}", "{b}", "{c}"), [[0, 1], [1, 2]], NAMED),
        ("# x\nperson,friend\n0,1\n1,2\n", None, [[0, 1], [1, 2]], f"{NUMBERED} Line 2 is a header."),
        ("person,friend\na,b\n", ("person", "friend", "a", "b"), [[0, 1], [2, 3]], NAMED),
        (
            "Id,Target,Source,Weight,Label\n7,b,a,1,\n8,c,b,1,x\n",
            ("a", "b", "c"),
            [[0, 1], [1, 2]],
            f"{NAMED} {HEADER}",
        ),
    ],
)
def test_edge_lists(
    tmp_path: Path, text: str, names: tuple[str, ...] | None, edges: list[list[int]], said: str
) -> None:
    data = read(edges_in(tmp_path, text), "graph")
    assert (data.X.names, data.X.edges.tolist(), data.X.is_weighted) == (names, edges, False)
    assert (data.kind, data.y, data.name) == ("graph", None, str(tmp_path / "x.txt"))
    n = data.X.n_nodes
    s = "" if len(edges) == 1 else "s"
    assert data.note == f"{n} nodes and {len(edges)} edge{s} from {str(tmp_path / 'x.txt')!r}. {said}"


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0 1 2.5\n1 2 1e-3\n", [2.5, 1e-3]),
        ("a,b,w\n0,1,2\n1,2,0.5\n", [2, 0.5]),
        ("source,target,probability\n0,1,2\n1,2,0.5\n", [2, 0.5]),
        ("weight,source,target\n2,0,1\n.5,1,2\n", [2, 0.5]),
        ("id,source,target\n2,0,1\n.5,1,2\n", [1, 1]),
        ("0 1 {'weight': 2}\n1 2 {'since': 3, 'weight': 0.5, 'x': 'y'}\n", [2, 0.5]),
        ("a,b,{'weight': 2}\nb,c,{'weight': 0.5}\n", [2, 0.5]),
        ('0 1 {"weight": 2}\n1 2 {"weight": 0.5}\n', [2, 0.5]),
        ("0 1 1\n1 2 1\n", [1, 1]),
    ],
)
def test_weights(tmp_path: Path, text: str, weights: list[float]) -> None:
    graph = read(edges_in(tmp_path, text)).X
    assert [graph.adjacency[a, b] for a, b in graph.edges] == np.float32(weights).tolist()
    assert graph.is_weighted == (weights != [1, 1])


def test_what_the_rules_change_stands_in_the_note(tmp_path: Path) -> None:
    data = read(edges_in(tmp_path, "a b 1\nb a 3\na a 1\na b 2\n"))
    assert by_name(data.X) == {frozenset("ab"): 3}
    assert data.note.endswith(
        f"2 nodes and 1 edge from {str(tmp_path / 'x.txt')!r}. Its nodes are known by name. "
        "The third cell of a line is its weight, from 1 to 3. 1 self-loop dropped. 1 edge was listed more than once and counts once."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "PATH is empty."),
        ("\n# nothing\n\n", "PATH holds no edges."),
        ("source,target\n", "PATH has a header but no edges."),
        ("a,b,weight\n# none\n", "PATH has a header but no edges."),
        (
            "0\n1\n",
            "PATH line 1 has 1 cell, but an edge has two nodes, and a weight if any, with tabs, commas, semicolons or blanks between them.",
        ),
        (
            "# x\n0 1 2 3\n",
            "PATH line 2 has 4 cells, but an edge has two nodes, and a weight if any, with tabs, commas, semicolons or blanks between them (a table is read from a .csv file).",
        ),
        ("0 1\n\n# x\n1\n", "PATH line 4 has 1 cell, line 1 has 2."),
        ("0,1\n1,2,3\n", "PATH line 2 has 3 cells, line 1 has 2."),
        ("# x\n0 1 1\n1 2\n", "PATH line 3 has 2 cells, line 2 has 3."),
        ("source,target,weight\n0,1,1\n1,2\n", "PATH line 3 has 2 cells, line 1 has 3."),
        ("0,1\n,2\n", "PATH line 2 has an empty cell where a node belongs."),
        ("0,1\n2,\n", "PATH line 2 has an empty cell where a node belongs."),
        ('0,1\n2," "\n', "PATH line 2 has an empty cell where a node belongs."),
        ("0 1 1\n1 2 x\n", "PATH line 2 has the weight 'x', which is not a number."),
        ("0,1,1\n1,2,\n", "PATH line 2 has the weight '', which is not a number."),
        ("0,1,NA\n1,2,1\n", "PATH line 1 has the weight 'NA', which is not a number."),
        ("0 1 {'weight': 2}\n1 2 {}\n", "PATH line 2 has 2 cells, line 1 has 3."),
        ("0,1,\n1,2,1\n", "PATH line 1 has the weight '', which is not a number."),
        ("0 1 1\n1 2 1_0\n", "PATH line 2 has the weight '1_0', which is not a number."),
        ("0 1 1\n1 2 -0.5\n", "PATH line 2 has the weight -0.5: weights must be finite and at least 0."),
        ("0 1 nan\n1 2 1\n", "PATH line 1 has the weight nan: weights must be finite and at least 0."),
        ("0 1 1\n1 2 inf\n", "PATH line 2 has the weight inf: weights must be finite and at least 0."),
        ("0 1 1\n1 2 1e300\n", "PATH line 2 has the weight 1e300: weights must be finite and at least 0."),
        ('a,b\n"c,d\ne,f\n', "PATH line 2 cannot be split into cells: unexpected end of data."),
        ('a,b\n"c" x,d\n', "PATH line 2 cannot be split into cells: ',' expected after '\"'."),
        (b"a b\n\xff c\n", "PATH line 2 is not UTF-8 text: save the file as UTF-8."),
        (b"a b\n\0 c\n", "PATH line 2 holds a zero byte: this is not a text file."),
        (b"\x1f\x8b\x08\0\0", "PATH is damaged: it cannot be decompressed to its end."),
    ],
)
def test_faults_of_an_edge_list(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refused(edges_in(tmp_path, text)) == message


def test_gzip_is_undone(tmp_path: Path) -> None:
    for name in ("x.tsv.gz", "x.tsv", "x.txt.gz"):
        assert read(edges_in(tmp_path, gzip.compress(b"0\t1\n"), name)).X.n_edges == 1


def test_a_csv_is_a_table_unless_asked_otherwise(tmp_path: Path) -> None:
    path = edges_in(tmp_path, "source,target\na,b\n", "x.csv")
    assert read(path).kind == "table"
    assert read(path, "graph").X.names == ("a", "b")


def test_many_lines(tmp_path: Path) -> None:
    ends = np.random.default_rng(0).integers(0, 1000, (200_000, 2))
    path = edges_in(tmp_path, "\n".join(f"{a} {b}" for a, b in ends.tolist()))
    graph = read(path).X
    assert np.array_equal(graph.adjacency.toarray(), Graph.from_edges(ends).adjacency.toarray())


GRAPHML = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="w" for="edge" attr.name="weight" attr.type="double" />
  <key id="l" for="node" attr.name="label" attr.type="string" />
  <graph edgedefault="directed">
    <node id="ann"><data key="l">x</data></node><node id="bob"/><node id="eve"/>
    <edge source="ann" target="bob"><data key="w">2.5</data></edge>
    <edge source="bob" target="ann"/>
  </graph>
</graphml>
"""


def test_graphml(tmp_path: Path) -> None:
    path = edges_in(tmp_path, GRAPHML, "x.graphml")
    data = read(path)
    assert (data.X.names, data.y.tolist()) == (("ann", "bob", "eve"), ["x", "", ""])
    assert by_name(data.X) == {frozenset(("ann", "bob")): 2.5}
    message = "1 edge had two weights, of which the larger counts."
    assert data.note == f"3 nodes and 1 edge from {str(path)!r}. {message}"
    zipped = edges_in(tmp_path, gzip.compress(GRAPHML.encode()), "x.graphml.gz")
    assert read(zipped).X.names == data.X.names


def test_defaults_of_graphml(tmp_path: Path) -> None:
    path = networkx.path_graph(["ann", "bob", "eve"])
    path.edges["ann", "bob"]["weight"], path.nodes["ann"]["label"] = 5.0, "x"
    networkx.write_graphml(path, tmp_path / "x.graphml", named_key_ids=True)
    written = (tmp_path / "x.graphml").read_text()
    for name, value in (("weight", "2.5"), ("label", "y")):
        written = re.sub(rf'(<key id="{name}"[^>]*?) ?/>', rf"\1><default>{value}</default></key>", written)
    data = read(edges_in(tmp_path, written, "y.graphml"))
    other = '<key id="e" for="edge" attr.name="label" attr.type="string"><default>e</default></key><graph '
    empty = written.replace("<default>y</default>", "<default/>").replace("<graph ", other, 1)
    assert empty.count("<default") == 3
    empty = read(edges_in(tmp_path, empty, "z.graphml"))
    assert empty.y.tolist() == ["x", "", ""]
    assert data.y.tolist() == ["x", "y", "y"]
    assert by_name(data.X) == {frozenset(("ann", "bob")): 5, frozenset(("bob", "eve")): 2.5}


def test_nodes_of_graphml_and_npz_are_numbered_as_those_of_an_edge_list(tmp_path: Path) -> None:
    graph = Graph(networkx.path_graph(4))
    for ending in (".txt", ".graphml", ".npz"):
        write_graph(graph, tmp_path / f"x{ending}")
        again = read(tmp_path / f"x{ending}", "graph").X
        assert again.numbered and again.names is None
    write_graph(graph.adjacency, tmp_path / "x.npz")
    assert not read(tmp_path / "x.npz").X.numbered
    split_edges(networkx.path_graph(40), random_state=0).save(tmp_path / "split.npz")
    assert EdgeSplit.load(tmp_path / "split.npz").train.numbered


DAMAGED = "PATH is not a GraphML file, or it is damaged."
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</graphml>", "", DAMAGED),
        ("graph edgedefault", "grph edgedefault", DAMAGED),
        ("</graph>\n", "</grph>\n", DAMAGED),
        (">2.5<", ">much<", DAMAGED),
        ('key="w"', 'key="v"', DAMAGED),
        ("utf-8", "ttf-8", DAMAGED),
        ('source="bob"', "", "PATH is damaged: an edge ends at None, which is no node."),
        ('source="bob"', 'source="rob"', "PATH is damaged: an edge ends at 'rob', which is no node."),
        ("double", "complex", DAMAGED),
        (
            "<graphml",
            BOMB + "<graphml",
            "PATH declares a DOCTYPE, which is not read as its entities can grow without bound.",
        ),
        (
            "2.5",
            "-1",
            "PATH cannot be used as a graph. 1 edge weight is below 0: weights must be finite and at least 0.",
        ),
        (
            '"double"',
            '"string"',
            "PATH cannot be used as a graph. The edge attribute 'weight' of the networkx graph must hold numbers.",
        ),
    ],
)
def test_faults_of_graphml(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = GRAPHML.replace(old, new) if '"string"' not in new else GRAPHML.replace(old, new).replace("2.5", "much")
    path = edges_in(tmp_path, text, "x.graphml")
    assert refused(path, DataTypeError if "attribute" in message else DataError) == message


def test_every_byte_of_graphml_changed_is_read_or_refused(tmp_path: Path) -> None:
    for position in range(0, len(GRAPHML), 3):
        changed = bytearray(GRAPHML.encode())
        changed[position] ^= 0x15
        path = edges_in(tmp_path, bytes(changed), "x.graphml")
        try:
            assert read(path).kind == "graph"
        except DataError as error:
            assert repr(str(path)) in str(error)


def arrays() -> dict[str, np.ndarray]:
    """A path of three nodes, with features of two columns and labels."""
    return {
        "adj_data": np.ones(4, np.uint8),
        "adj_indices": np.array([1, 0, 2, 1], np.int32),
        "adj_indptr": np.array([0, 1, 3, 4], np.int32),
        "adj_shape": np.array([3, 3]),
        "attr_data": np.array([0.5, 2]),
        "attr_indices": np.array([0, 1]),
        "attr_indptr": np.array([0, 1, 1, 2]),
        "attr_shape": np.array([3, 2]),
        "labels": np.array([0, 1, -1], np.int8),
        "class_names": np.array(["x", "y"]),
    }


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays())
    for kind in (None, "graph"):
        data = read(path, kind)
        assert data.note == f"3 nodes with 2 features and 2 edges from {str(path)!r}"
        assert data.X.edges.tolist() == [[0, 1], [1, 2]]
        assert data.X.features.toarray().tolist() == [[0.5, 0], [0, 0], [0, 2]]
        assert (data.y.tolist(), data.label_names, data.X.names) == ([0, 1, -1], ("x", "y"), None)
    with pytest.raises(DataError) as caught:
        read(path, "array")
    assert str(caught.value) == f"{str(path)!r} holds a graph, which is read with --kind graph only."


def test_a_sparse_matrix_is_an_adjacency_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(np.array([[0, 2.0], [0, 0]])))
    assert read(path).kind == "array"
    data = read(path, "graph")
    assert (data.kind, by_name(data.X)) == ("graph", {frozenset("01"): 2})
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(np.ones((2, 3))))
    unfit = "PATH cannot be used as a graph. The adjacency has the shape (2, 3), but it must be square, (N, N)."
    assert refused(path) == unfit
    np.savez(path, X=np.eye(3))
    assert refused(path) == "PATH holds no graph: it has no adj_data, adj_indices, adj_indptr and adj_shape."


ADJ = "PATH is damaged: adj_data, adj_indices, adj_indptr and adj_shape do not fit."
ATTR = "PATH is damaged: attr_data, attr_indices, attr_indptr and attr_shape do not fit."
NOT = "PATH cannot be used as a graph. "


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("adj_indices", [1, 0, 3, 1], ADJ),
        ("adj_indices", [1, 0, -1, 1], ADJ),
        ("adj_indices", [1.0, 0, 2, 1], ADJ),
        ("adj_indices", [[1, 0, 2, 1]], ADJ),
        ("adj_indices", [1, 0, 2], ADJ),
        ("adj_indptr", [0, 3, 1, 4], ADJ),
        ("adj_indptr", [0, 1, 3, 5], ADJ),
        ("adj_indptr", [1, 1, 3, 4], ADJ),
        ("adj_indptr", [0, 1, 4], ADJ),
        ("adj_indptr", [], ADJ),
        ("adj_indptr", np.array([0, 2**63, 3, 4], np.uint64), ADJ),
        ("adj_shape", [3], ADJ),
        ("adj_shape", [-1, 3], ADJ),
        ("adj_shape", [4, 3], ADJ),
        ("adj_shape", np.array([2**64 - 1, 3], np.uint64), ADJ),
        ("adj_shape", np.array([3, 2**64 - 1], np.uint64), ADJ),
        ("adj_shape", [3, 2], ADJ),
        ("adj_data", ["a"] * 4, ADJ),
        ("adj_data", 1, ADJ),
        ("attr_indices", [0, 2], ATTR),
        ("attr_shape", None, "PATH has no array 'attr_shape'."),
        ("adj_shape", [3, 4], NOT + "The adjacency has the shape (3, 4), but it must be square, (N, N)."),
        ("adj_data", [1, 1, -1, 1], NOT + "1 edge weight is below 0: weights must be finite and at least 0."),
        ("attr_data", [0.5, np.nan], NOT + "features hold NaN or infinity in column 1."),
        ("attr", np.eye(2), NOT + "features has 2 rows, but the graph has 3 nodes."),
        ("labels", [0, 1], NOT + "labels has the shape (2,), but (3,) is needed: one for each node."),
        ("names", ["a", "b", "a"], NOT + "Two nodes are named 'a'."),
        ("names", "a", NOT + "There are 1 names for 3 nodes."),
    ],
)
def test_faults_of_npz(tmp_path: Path, part: str, value: object, message: str) -> None:
    given = {**arrays(), part: np.asarray(value)}
    if value is None:
        del given[part]
    np.savez(tmp_path / "x.npz", allow_pickle=False, **given)  # type: ignore[arg-type]
    assert refused(tmp_path / "x.npz") == message


def test_npz_of_other_types_is_brought_into_the_same_form(tmp_path: Path) -> None:
    given = arrays()
    given["adj_data"] = given["adj_data"].astype(">f2")
    given["adj_indices"] = given["adj_indices"].astype(">i8")
    np.savez(tmp_path / "x.npz", **given)
    graph = read(tmp_path / "x.npz").X
    assert (graph.adjacency.dtype, graph.adjacency.indices.dtype) == (np.float32, np.int32)
    assert graph.edges.tolist() == [[0, 1], [1, 2]]


GRAPHS = {
    "numbered": Graph.from_edges([[0, 1], [1, 2], [3, 2]]),
    "named": Graph.from_edges([[0, 1], [1, 2]], names=["Lee, Ann", 'say "x"', "ü 9"]),
    "comments": Graph.from_edges([[0, 1], [1, 2]], names=["#1", "%", "'c'"]),
    "numbers as names": Graph.from_edges([[0, 1], [1, 2]], names=["7", "5", "1000000"]),
    "weighted": Graph.from_edges([[0, 1], [1, 2], [0, 2]], [0.1, 1e-20, 123456789]),
    "weighted and named": Graph.from_edges([[0, 1], [1, 2]], [3, 1], names=["a b", "c\u00a0d", "source"]),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".graphml", ".npz"])
@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_written_is_read(tmp_path: Path, name: str, ending: str) -> None:
    graph, path = GRAPHS[name], tmp_path / f"x{ending}"
    write_graph(graph, path)
    again = read(path, "graph").X
    assert by_name(again) == by_name(graph)
    assert (again.names is None) == (graph.names is None)
    assert again.n_nodes == graph.n_nodes


def test_npz_holds_all_and_graphml_labels(tmp_path: Path) -> None:
    karate = load_dataset("karate").X
    sparse = scipy.sparse.random_array((5, 4), density=0.3, rng=0)
    for graph in (
        karate,
        Graph(np.zeros((5, 5)), sparse, labels=["x", "", "y", "x", "z"], names=list("a\tbc ")),
        Graph(np.zeros((5, 5)), sparse.toarray(), labels=np.arange(5.0)),
    ):
        write_graph(graph, tmp_path / "x.npz")
        again = read(tmp_path / "x.npz").X
        assert (again.adjacency != graph.adjacency).nnz == 0
        assert type(again.features) is type(graph.features)
        assert again.features is None or abs(again.features - graph.features).max() == 0
        assert (again.labels.tolist(), again.labels.dtype) == (graph.labels.tolist(), graph.labels.dtype)
        assert again.names == graph.names
    for labels in ([0, 1, -1], ["x", "", "y"], [0.5, 1.5, 2.5]):
        write_graph(Graph(np.zeros((3, 3)), labels=labels), tmp_path / "x.graphml")
        assert read(tmp_path / "x.graphml").y.tolist() == labels


def test_write_takes_what_a_graph_is_made_of(tmp_path: Path) -> None:
    write_graph(np.array([[0, 1], [0, 0]]), tmp_path / "x.tsv")
    assert (tmp_path / "x.tsv").read_text() == "source\ttarget\n0\t1\n"


def test_what_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    with pytest.raises(OptionError) as caught:
        write_graph(GRAPHS["named"], path)
    assert str(caught.value) == (
        f"{str(path)!r} does not say how to write a graph: end it in .csv .tsv .txt .graphml .npz."
    )
    for name in ("a\nb", " a", "a\t", "", "\x01"):
        for ending in (".csv", ".graphml"):
            path = tmp_path / f"x{ending}"
            with pytest.raises(OptionError) as caught:
                write_graph(Graph.from_edges([[0, 1]], names=["ok", name]), path)
            assert str(caught.value) == f"The node name {name!r} cannot be written to {str(path)!r}: end it in .npz."
    with pytest.raises(WriteError):
        write_graph(GRAPHS["named"], tmp_path / "none" / "x.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a b 2\nb c 5\n", "The third cell of a line is its weight, from 2 to 5."),
        ("source,target,year\na,b,1999\nb,c,2005\n", "Column 'year' holds weights, from 1999 to 2005."),
    ],
)
def test_the_note_says_what_the_weights_are(tmp_path: Path, text: str, said: str) -> None:
    assert read(edges_in(tmp_path, text), "graph").note.endswith(said)


def test_a_first_line_that_may_be_a_header_is_named(tmp_path: Path) -> None:
    data = read(edges_in(tmp_path, "node1,node2\nann,bob\nbob,eve\n"))
    assert data.X.n_nodes == 5
    assert data.note.endswith(
        " Its nodes are known by name. Line 1 joins 'node1' and 'node2', which no other line holds: if it is a header, "
        "name its cells source and target."
    )
    for text in (
        "ann,bob\nbob,eve\nann,eve\n",
        "ann,bob\neve,tom\n",
        "5,7\n100,200\n200,300\n",
        "source,target\nann,bob\nbob,eve\n",
    ):
        assert "if it is a header" not in read(edges_in(tmp_path, text)).note
