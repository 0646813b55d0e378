"""Files that the verbs write: what could not be written, or would replace the data, is refused before the work."""

import os
from pathlib import Path

import pytest

from vaekit.cli import main
from vaekit.cli.output import check_output
from vaekit.errors import OptionError


def refusal(path: Path, source: Path) -> str:
    with pytest.raises(OptionError) as caught:
        check_output(path, [str(source)])
    return str(caught.value)


def test_files_of_a_folder_that_is_the_data_are_not_replaced(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "g", tmp_path / "nodes.csv"
    (source / "sub").mkdir(parents=True)
    elsewhere.write_text("x")
    (source / "nodes.csv").symlink_to(elsewhere)
    (tmp_path / "alias.csv").symlink_to(source / "edges.csv")
    (source / "edges.csv").write_text("x")
    (source / "sub" / "edges.csv").write_text("x")
    names = ("g/edges.csv", "g/sub/edges.csv", "g/nodes.csv", "nodes.csv", "alias.csv")
    for path in (tmp_path / name for name in names):
        assert refusal(path, source) == f"{str(path)!r} holds the data; write to another file."
    (tmp_path / "other.csv").write_text("x")
    for name in ("other.csv", "g/new.csv"):
        check_output(tmp_path / name, [str(source)])


def test_links_do_not_replace_the_edges_of_the_folder_they_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g").mkdir()
    edges = tmp_path / "g" / "edges.csv"
    edges.write_text("source,target\n" + "".join(f"{i},{(i + 1) % 12}\n" for i in range(12)))
    (tmp_path / "g" / "nodes.csv").write_text("node,x\n" + "".join(f"{i},{i % 3}\n" for i in range(12)))
    before = edges.read_bytes()
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "g", "-o", "GR", "--epochs", "2"]) == 0
    capsys.readouterr()
    assert main(["links", "GR", "-k", "3", "-o", os.path.join("g", "edges.csv")]) == 2
    assert capsys.readouterr().err == "vaekit: 'g/edges.csv' holds the data; write to another file.\n"
    assert edges.read_bytes() == before
