"""The command on graphs: RUNs, links, codes, samples, and what is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import networkx as nx
import numpy as np
import polars as pl
import pytest
from commands import complaint

import vaekit
from vaekit.cli import main
from vaekit.cli.graphdata import graph_fingerprint
from vaekit.data import read
from vaekit.schema import Graph

KEYS = {"auc", "ap", "elbo", "n_nodes", "n_edges", "spectral_auc", "spectral_ap", "nmi", "accuracy", "majority"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A RUN on the karate club, made once."""
    folder = tmp_path_factory.mktemp("graphs") / "RUN"
    assert main(["fit", "karate", "-o", str(folder), "--epochs", "30"]) == 0
    return folder


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """An edge list with names, and a RUN on it."""
    folder = tmp_path_factory.mktemp("named")
    graph = nx.les_miserables_graph()
    lines = [f"{a},{b},{w}" for a, b, w in graph.edges(data="weight")]
    (folder / "edges.csv").write_text("source,target,weight\n" + "\n".join(lines) + "\n")
    arguments = ["fit", str(folder / "edges.csv"), "--model", "gae", "-o", str(folder / "RUN"), "--epochs", "20"]
    assert main(arguments) == 0
    return folder


def test_a_run_holds_what_it_should(run):
    config = json.loads((run / "config.json").read_text())
    assert config["model"] == "VGAE" and config["data"]["kind"] == "graph"
    parts = [config["data"][f"n_{part}_edges"] for part in ("train", "validation", "test")]
    assert parts == [68, 3, 7] and config["data"]["n_edges"] == sum(parts)
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 30
    report = (run / "report.md").read_text()
    for picture in (run / "plots").glob("*.png"):
        assert f"plots/{picture.name}" in report
    assert {"curves.png", "latent.png"} <= {path.name for path in (run / "plots").iterdir()}


def test_too_few_validation_edges_choose_nothing(run):
    """Three edges tell no epoch from another: the last one is kept."""
    config = json.loads((run / "config.json").read_text())
    assert config["fitted"]["best_epoch"] == 30
    assert all(json.loads(line)["validation"] is None for line in (run / "metrics.jsonl").read_text().splitlines())


def test_evaluate_prints_one_json_object(run, capsys):
    assert main(["evaluate", str(run), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert set(summary) >= KEYS and summary["n_nodes"] == 34 and summary["n_edges"] == 78
    assert 0 <= summary["auc"] <= 1 and summary["elbo"] < 0
    assert main(["evaluate", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == summary


def test_links_are_the_likeliest_absent_ones_of_the_whole_graph(run, tmp_path, capsys):
    out = tmp_path / "links.csv"
    assert main(["links", str(run), "-k", "5", "-o", str(out)]) == 0
    assert "but are far too high: training weighed edges up" in capsys.readouterr().err
    frame = pl.read_csv(out)
    assert frame.columns == ["source", "target", "probability"] and frame.height == 5
    graph = read("karate").X
    pairs = frame.select("source", "target").to_numpy()
    assert (graph.adjacency[pairs[:, 0], pairs[:, 1]] == 0).all()
    loaded = vaekit.load(run)
    assert np.array_equal(pairs, loaded.predict_links(5, graph=graph))
    np.testing.assert_allclose(frame["probability"], loaded.predict_edges(pairs, graph), rtol=1e-6)


def test_links_do_not_take_the_place_of_the_graph(tmp_path, capsys):
    graph = tmp_path / "g.csv"
    graph.write_text("source,target\n" + "".join(f"{i},{(i + 1) % 12}\n" for i in range(12)))
    text = graph.read_text()
    assert main(["fit", str(graph), "-o", str(tmp_path / "RUN"), "--model", "vgae", "--epochs", "2"]) == 0
    for verb in (["links", "-k", "2"], ["sample", "-n", "4"]):
        capsys.readouterr()
        assert main([verb[0], str(tmp_path / "RUN"), *verb[1:], "-o", str(graph)]) == 2
        assert "holds the data; write to another file" in capsys.readouterr().err
    assert graph.read_text() == text


def test_links_of_a_named_node(named, tmp_path):
    out = tmp_path / "links.parquet"
    assert main(["links", str(named / "RUN"), "-k", "3", "--node", "Valjean", "-o", str(out)]) == 0
    frame = pl.read_parquet(out)
    assert frame["source"].to_list() == ["Valjean"] * 3 and not set(frame["target"]) & {"Valjean", "Cosette"}


def test_codes_carry_names(named, run, tmp_path):
    out = tmp_path / "codes.csv"
    assert main(["encode", str(named / "RUN"), str(named / "edges.csv"), "-o", str(out)]) == 0
    frame = pl.read_csv(out)
    assert frame.columns[:2] == ["node", "gae0"] and frame.height == 77
    assert main(["encode", str(run), "karate", "-o", str(tmp_path / "codes.npy")]) == 0
    codes = np.load(tmp_path / "codes.npy")
    np.testing.assert_allclose(codes, vaekit.load(run).transform(read("karate").X), rtol=1e-6)


@pytest.mark.parametrize("ending", [".tsv", ".graphml", ".npz"])
def test_a_sampled_graph_can_be_read_again(run, tmp_path, ending, capsys):
    out = tmp_path / f"new{ending}"
    assert main(["sample", str(run), "-n", "20", "-o", str(out), "--seed", "3"]) == 0
    assert read(out, kind="graph").X.n_edges == vaekit.load(run).sample(20, random_state=3).n_edges
    assert "has far too many edges" in capsys.readouterr().err


def test_a_sampled_graph_has_the_nodes_of_the_graph_unless_asked(run, tmp_path, capsys):
    out = tmp_path / "new.npz"
    assert main(["sample", str(run), "-o", str(out)]) == 0
    assert read(out, kind="graph").X.n_nodes == 34 and "34 nodes" in capsys.readouterr().err


def test_a_graph_too_small_to_split_is_trained_on_whole(tmp_path, capsys):
    (tmp_path / "path.tsv").write_text("a\tb\nb\tc\nc\td\n")
    assert main(["fit", str(tmp_path / "path.tsv"), "-o", str(tmp_path / "RUN"), "--epochs", "5"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "RUN"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["auc"] is None and summary["ap"] is None and summary["n_edges"] == 3
    assert "too few" in (tmp_path / "RUN" / "report.md").read_text()


def test_wrong_input_is_one_sentence(run, named, tmp_path, capsys):
    new = tmp_path / "new"
    wrong = {
        (
            "fit",
            "karate",
            "-o",
            new,
            "--model",
            "vae",
        ): "'karate' is a graph, which a VAE cannot take; use --model vgae.",
        ("fit", "digits", "-o", new, "--model", "gae"): "The data set 'digits' is no graph.",
        ("fit", "karate", "-o", new, "--set", "decoder=inner"): (
            "decoder='inner' is not one of 'inner_product', 'bernoulli_poisson'."
        ),
        ("links", run, "--node", "40", "-o", tmp_path / "l.csv"): "There is no node 40: the nodes are 0 to 33.",
        ("links", run, "--node", "Hi", "-o", tmp_path / "l.csv"): (
            "--node Hi must be a number from 0 to 33: the nodes have no names."
        ),
        ("links", named / "RUN", "--node", "Valjan", "-o", tmp_path / "l.csv"): (
            "There is no node named 'Valjan' (did you mean 'Valjean'?)."
        ),
        ("links", run, "-o", tmp_path / "l.npy"): (
            f"{str(tmp_path / 'l.npy')!r} does not say how to write it: end it in .csv .parquet."
        ),
        ("score", run, "karate", "-o", tmp_path / "s.csv"): (
            f"{run} holds a graph model, which has no rows to score; see 'vaekit links' and 'evaluate'."
        ),
        ("sample", named / "RUN", "-o", tmp_path / "g.tsv"): (
            f"{named / 'RUN'} is a graph autoencoder, which has no distribution to sample from; fit a vgae."
        ),
        ("evaluate", named / "RUN", "--samples", "5"): (
            f"--samples is for a model that is scored by samples; {named / 'RUN'} holds a GAE."
        ),
        ("evaluate", run, "--kind", "graph"): "--kind says how to read DATA: name DATA too, or leave it out.",
        ("encode", run, "digits", "-o", tmp_path / "c.csv"): "The data set 'digits' is no graph.",
        ("encode", named / "RUN", "karate", "-o", tmp_path / "c.csv"): (
            "This GAE was fitted without features, so it knows only the 77 nodes it was fitted on; the graph given has "
            "34. Fit with features to embed nodes not seen in training."
        ),
    }
    for arguments, sentence in wrong.items():
        assert complaint(capsys, *arguments) == sentence
    assert not new.exists() and not list(tmp_path.iterdir())


def test_a_run_of_rows_knows_no_links(tmp_path, capsys):
    pl.DataFrame(np.random.default_rng(0).normal(size=(40, 2))).write_csv(tmp_path / "t.csv")
    quick = ["--epochs", "1", "--set", "hidden=[4]", "--set", "latent_dim=1"]
    assert main(["fit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "RUN"), *quick]) == 0
    sentence = f"{tmp_path / 'RUN'} holds a VAE, which knows no links; fit a graph."
    assert complaint(capsys, "links", tmp_path / "RUN", "-o", tmp_path / "l.csv") == sentence
    assert complaint(capsys, "encode", tmp_path / "RUN", "karate", "-o", tmp_path / "c.csv") == (
        "'karate' is a graph, but the model is one of rows."
    )


def test_a_changed_graph_is_told(tmp_path, capsys):
    path = tmp_path / "ring.tsv"
    path.write_text("".join(f"{i}\t{(i + 1) % 30}\n" for i in range(30)))
    assert main(["fit", str(path), "-o", str(tmp_path / "RUN"), "--epochs", "2"]) == 0
    path.write_text(path.read_text() + "0\t15\n")
    assert complaint(capsys, "links", tmp_path / "RUN", "-o", tmp_path / "l.csv") == (
        f"{path} has changed since {tmp_path / 'RUN'} was fitted; fit it again."
    )
    assert "has changed" in complaint(capsys, "evaluate", tmp_path / "RUN")


@pytest.mark.usefixtures("no_report")
def test_a_kill_then_resume_ends_in_the_same_bytes(tmp_path):
    """As for rows: SIGKILL at a random moment, then --resume, gives the weights of the run never stopped."""
    graph = nx.random_geometric_graph(300, 0.1, seed=0)
    (tmp_path / "g.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in graph.edges))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = ["fit", str(tmp_path / "g.tsv"), "--epochs", "200", "--resume", "-o"]
    assert main([*command, str(whole)]) == 0
    program = [sys.executable, "-c", "import sys; from vaekit.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*program, *command, str(broken), "--checkpoint-every", "0.05"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        if (broken / "checkpoint" / "state.safetensors").exists():
            break
        time.sleep(0.01)
    time.sleep(random.Random(0).uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert main([*command, str(broken)]) == 0
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_the_fingerprint_of_a_graph_is_of_what_it_holds():
    graph = read("karate").X
    other = Graph(graph.adjacency, labels=graph.labels)
    other.numbered = not graph.numbered
    assert graph_fingerprint(other) == graph_fingerprint(graph) != graph_fingerprint(graph.with_edges(graph.edges[1:]))


@pytest.mark.usefixtures("no_report")
def test_a_table_that_may_list_edges_is_said_to(tmp_path, capsys):
    lines = [f"n{i % 7},n{i % 5},{i % 3}" for i in range(40)]
    (tmp_path / "edges.csv").write_text("\n".join(["Source,Target,messages", *lines]) + "\n")
    fit = ["fit", str(tmp_path / "edges.csv"), "-o", str(tmp_path / "RUN"), "--epochs", "1", "--overwrite"]
    said = "A table with columns 'source', 'target' may list edges: --kind graph reads it as a graph."
    for more, once in (([], 1), (["--kind", "table"], 0), (["--kind", "graph"], 0)):
        assert main([*fit, *more]) == 0
        assert capsys.readouterr().err.count(said) == once
