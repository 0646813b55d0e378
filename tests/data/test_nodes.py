"""A graph in a folder: what its two files say of nodes, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vaekit
from vaekit.data import read
from vaekit.data.nodes import holds_graph
from vaekit.errors import DataError

EDGES = "ann,bob\nbob,cid\n"


@pytest.fixture
def folder(tmp_path):
    def written(nodes: str | None, edges: str = EDGES, name: str = "edges.csv") -> Path:
        (tmp_path / name).write_text(edges)
        if nodes is not None:
            (tmp_path / "nodes.csv").write_text(nodes)
        return tmp_path

    return written


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value).replace(str(path), "PATH")


def test_rows_are_nodes_in_their_order(folder):
    data = read(folder("age,Name,smokes,town,label\n4,dan,true,X,a\n1,cid,false,Y,b\n2,ann,true,,\n3,bob,false,X,a\n"))
    graph = data.X
    assert data.kind == "graph" and graph.names == ("dan", "cid", "ann", "bob")
    assert {tuple(sorted(graph.names[node] for node in edge)) for edge in graph.edges} == {
        ("ann", "bob"),
        ("bob", "cid"),
    }
    assert graph.feature_names == ("age", "smokes", "town=X", "town=Y")
    assert graph.features.tolist() == [[4, 1, 1, 0], [1, 0, 0, 1], [2, 1, 0, 0], [3, 0, 1, 0]]
    assert graph.labels.tolist() == ["a", "b", "", "a"]
    assert data.note.endswith("edges.csv' and nodes.csv. Column 'Name' names the nodes.")
    assert data.note.startswith("4 nodes with 4 features and 2 edges from ")


def test_weights_and_what_the_rules_change_are_kept(folder):
    nodes = "id,x\nbob,1\nann,2\ncid,3\n"
    data = read(
        folder(nodes, "source\ttarget\tweight\nann\tbob\t2.5\nbob\tann\t0.5\ncid\tcid\t1\nbob\tcid\t3\n", "edges.tsv")
    )
    assert data.X.adjacency.toarray().tolist() == [[0, 2.5, 3], [2.5, 0, 0], [3, 0, 0]]
    assert "1 self-loop dropped. 1 edge was listed more than once" in data.note


def test_numbers_name_nodes_as_they_do_in_an_edge_list(folder):
    graph = read(folder("node,x\n0,5\n1,6\n2,7\n3,8\n", "0 1\n1 2\n", "edges.txt")).X
    assert graph.names is None and graph.numbered and graph.n_nodes == 4
    graph = read(folder("node,x\n7,5\n1,6\n4,7\n", "1 4\n", "edges.txt")).X
    assert graph.names == ("7", "1", "4") and graph.edges.tolist() == [[1, 2]]
    graph = read(folder("node,x\n2,5\n1,6\n0,7\n", "0 1\n", "edges.txt")).X
    assert graph.names == ("2", "1", "0") and graph.edges.tolist() == [[1, 2]]


def test_parquet_gzip_and_categories(tmp_path):
    (tmp_path / "edges.txt.gz").write_bytes(gzip.compress(b"a b\nb c\n"))
    town = pl.Series("town", ["X", "Y", "X"], dtype=pl.Categorical)
    pl.DataFrame({"id": ["c", "b", "a"], "town": town}).write_parquet(tmp_path / "nodes.parquet")
    assert holds_graph(tmp_path)
    assert read(tmp_path).X.features.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_what_says_nothing_of_a_node_is_set_aside(folder):
    rows = "".join(f"n{i},{i % 3},{'ab'[i % 2]},{i},L{i},2020-01-{i + 1:02}\n" for i in range(9))
    data = read(folder("node,x,kind,Label,bio,born\n" + rows, "n0,n1\n"))
    assert data.X.feature_names == ("x", "kind=a", "kind=b")
    assert data.y is None
    assert (
        "Set aside: 'Label', 'bio', 'born' (empty, times, or text with a level for each node or over 50)." in data.note
    )


def test_a_table_of_names_alone_gives_the_nodes(folder):
    graph = read(folder("node\nann\nbob\ncid\ndan\n")).X
    assert graph.n_nodes == 4 and graph.features is None and graph.feature_names is None


def test_edges_alone_are_a_graph_if_one_is_asked_for(folder):
    path = folder(None)
    assert not holds_graph(path)
    assert read(path, "graph").X.names == ("ann", "bob", "cid")
    with pytest.raises(DataError, match="holds no images"):
        read(path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            "node,x\nann,1\nbob,2\n",
            "'PATH/edges.csv' holds the node 'cid', which column 'node' of 'PATH/nodes.csv' does not name.",
        ),
        (
            "node,x\nann,1\ndan,2\n",
            "'PATH/edges.csv' holds the node 'bob', which column 'node' of 'PATH/nodes.csv' does not name, nor 1 other.",
        ),
        ("node,x\nann,1\nbob,2\nann,3\n", "Column 'node' of 'PATH/nodes.csv' names the node 'ann' more than once."),
        (
            "node,x\nann,1\nNA,2\n",
            "Column 'node' of 'PATH/nodes.csv' must name every node, but 1 of its rows have no value there (an empty cell, "
            "NA, null, ...).",
        ),
        (
            "node,t=X,t\nann,1,X\nbob,2,Y\ncid,2,Y\n",
            "'PATH/nodes.csv' gives two features the name 't=X': rename a column.",
        ),
        (
            "node,x\n1.5,1\n2.5,2\n",
            "Column 'node' of 'PATH/nodes.csv' must name the nodes by text or whole numbers; it holds Float64.",
        ),
        (
            "node,x\nann,1\nbob,\ncid,\n",
            "Column 'x' of 'PATH/nodes.csv' is missing or infinite for 2 of 3 nodes: fill it (`vaekit fit` and `vaekit "
            "impute` on the table do), or leave the column out.",
        ),
        ("node\n", "'PATH/nodes.csv' has a header but no rows."),
    ],
)
def test_faults(folder, nodes, message):
    assert refused(folder(nodes)) == message


def test_blanks_categories_and_loops(tmp_path):
    (tmp_path / "edges.csv").write_text("ann,ann\n")
    (tmp_path / "nodes.csv").write_text("node, town\n ann , X\nbob,X\ncid, Y\n")
    graph = read(tmp_path).X
    assert graph.names == ("ann", "bob", "cid") and graph.n_edges == 0
    assert graph.features.tolist() == [[1, 0], [1, 0], [0, 1]]
    (tmp_path / "nodes.csv").unlink()
    pl.DataFrame({"id": pl.Series(["ann", "bob"], dtype=pl.Categorical)}).write_parquet(tmp_path / "nodes.parquet")
    assert read(tmp_path).X.names == ("ann", "bob")


def test_a_header_that_was_taken_for_an_edge_is_said(folder):
    found = refused(folder("node,x\nann,1\nbob,2\ncid,3\n", "person,friend\nann,bob\nbob,cid\n"))
    assert found.startswith(
        "'PATH/edges.csv' holds the node 'person', which column 'node' of 'PATH/nodes.csv' does not name, nor 1 other."
    )
    assert found.endswith("if it is a header, name its cells source and target.")


def test_tables_of_nodes_that_are_not_read_are_refused(folder):
    path = folder(None)
    (path / "nodes.tsv").write_text("node\tx\nann\t1\n")
    assert refused(path) == "nodes.tsv in 'PATH' is not read: nodes stand in nodes.csv or nodes.parquet."


def test_a_graph_is_no_table(folder):
    with pytest.raises(DataError, match="holds a graph, which is read with --kind graph only"):
        read(folder("node\nann\nbob\ncid\n"), "table")


def test_two_files_of_edges_are_refused(folder):
    folder("node\nann\n")
    path = folder("node\nann\n", "ann bob\n", "edges.txt")
    assert refused(path) == "The folder 'PATH' holds 'edges.csv', 'edges.txt': leave one of them."


def test_a_model_sees_the_features(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "edges.csv").write_text("".join(f"{a},{b}\n" for a, b in rng.integers(0, 30, (90, 2)) if a != b))
    (tmp_path / "nodes.csv").write_text("node,x,town\n" + "".join(f"{i},{i / 30},{'XY'[i % 2]}\n" for i in range(30)))
    graph = read(tmp_path).X
    model = vaekit.VGAE(2, epochs=2, random_state=0, verbose=0).fit(graph)
    assert model.transform(graph).shape == (30, 2)
    (tmp_path / "nodes.csv").write_text("node,x,town\n" + "".join(f"{i},{i / 30},{'XZ'[i % 2]}\n" for i in range(30)))
    with pytest.raises(DataError, match="town=Y"):
        model.transform(read(tmp_path).X)
    (tmp_path / "nodes.csv").write_text("node,x\n" + "".join(f"{i},{i / 30}\n" for i in range(30)))
    with pytest.raises(DataError, match=r"has 1 features, but VGAE was fitted with 3. It lacks 'town=X', 'town=Y'."):
        model.transform(read(tmp_path).X)
