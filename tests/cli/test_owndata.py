"""A RUN's own data are found from any folder, and no others are taken for them."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import complaint

from vaekit.cli import main
from vaekit.cli.output import named


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with RUNs on a table and on a graph, both named as one does from within it."""
    folder = tmp_path_factory.mktemp("fitted")
    table(folder / "t.csv", seed=0)
    (folder / "g.tsv").write_text("".join(f"{i}\t{(i + 1) % 30}\n" for i in range(30)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, run in (("t.csv", "TR"), ("g.tsv", "GR")):
            assert main(["fit", name, "-o", run, "--epochs", "1", "--set", "latent_dim=2"]) == 0
    return folder


def table(path: Path, seed: int) -> None:
    pl.DataFrame(np.random.default_rng(seed).normal(size=(40, 2)), schema=["a", "b"]).write_csv(path)


@pytest.fixture
def folder(fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder whose RUNs say that they were made in it; one is in another folder."""
    copy = tmp_path / "made"
    shutil.copytree(fitted, copy)
    for run in ("TR", "GR"):
        note(copy / run, lambda data: data.update(path=str(copy / data["source"])))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return copy


def note(run: Path, change) -> None:
    """Change what a RUN notes of its data."""
    config = json.loads((run / "config.json").read_text())
    change(config["data"])
    (run / "config.json").write_text(json.dumps(config))


def test_the_path_of_data_is_noted_but_not_that_of_a_name(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.loads((fitted / "TR" / "config.json").read_text())["data"]
    assert (data["source"], data["path"]) == ("t.csv", str(fitted / "t.csv"))
    assert named("digits") == {"source": "digits", "path": None}
    monkeypatch.setattr("os.getcwd", lambda: "/caf\udce9")  # a name that is not UTF-8
    assert named("t.csv") == {"source": "t.csv", "path": None}


def test_data_are_found_from_another_folder(folder: Path, capsys) -> None:
    assert main(["evaluate", "../made/TR", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    table(Path("t.csv"), seed=1)  # other data of the same name
    assert main(["evaluate", "../made/TR", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    Path("t.csv").write_text("")
    assert main(["evaluate", "../made/TR", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["links", "../made/GR", "-k", "2", "-o", "links.csv"]) == 0
    assert complaint(capsys, "sample", "../made/TR", "-o", folder / "t.csv") == (
        f"{str(folder / 't.csv')!r} holds the data; write to another file."
    )


def test_data_that_moved_are_named_and_their_test_rows_scored(folder: Path, capsys) -> None:
    (folder / "t.csv").rename("moved.csv")
    assert complaint(capsys, "evaluate", "../made/TR") == (
        f"../made/TR was fitted on 't.csv', which is neither here nor at {str(folder / 't.csv')!r}; name the data to "
        "score: DATA."
    )
    assert main(["evaluate", "../made/TR", "moved.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 4
    (folder / "g.tsv").unlink()
    assert complaint(capsys, "links", "../made/GR", "-o", "links.csv") == (
        f"../made/GR was fitted on 'g.tsv', which is neither here nor at {str(folder / 'g.tsv')!r}; fit it again."
    )


def test_data_that_changed_are_told(folder: Path, capsys) -> None:
    table(folder / "t.csv", seed=1)
    assert complaint(capsys, "evaluate", "../made/TR") == (
        f"{folder / 't.csv'} has changed since ../made/TR was fitted; name the data to score: DATA."
    )


def test_older_runs_note_no_path(folder: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    note(folder / "TR", lambda data: data.pop("path"))
    assert complaint(capsys, "evaluate", "../made/TR") == (
        "../made/TR was fitted on 't.csv', which is not there; name the data to score: DATA."
    )
    monkeypatch.chdir(folder)
    assert main(["evaluate", "TR", "--json"]) == 0


@pytest.mark.parametrize("change", [lambda data: data.pop("source"), lambda data: data.update(source=3)])
def test_a_run_that_does_not_name_its_data_says_so(change, folder: Path, capsys) -> None:
    for run in ("TR", "GR"):
        note(folder / run, change)
        note(folder / run, lambda data: data.pop("path"))
    said = "does not say which data it was fitted on"
    assert complaint(capsys, "evaluate", "../made/TR") == f"../made/TR {said}; name the data to score: DATA."
    assert complaint(capsys, "sample", "../made/TR", "--prior", "fitted", "-o", "x.npy") == (
        f"../made/TR {said}; fit it again."
    )
    assert complaint(capsys, "links", "../made/GR", "-o", "links.csv") == f"../made/GR {said}; fit it again."
