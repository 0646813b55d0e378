"""DATA: a name, or a path; and what is said where it is neither."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vaekit.data import read
from vaekit.errors import DataError, OptionError


def refused(source: str, kind: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(source, kind)
    return str(caught.value)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, vaekit.data, vaekit.data.datasets, vaekit.data.sources, vaekit.data.tables\n"
        "print(sorted({'torch', 'pandas', 'polars', 'matplotlib', 'sklearn', 'PIL', 'pooch'} & set(sys.modules)))\n"
        "print(vaekit.data.__all__, set(vaekit.data.__all__) <= set(dir(vaekit.data)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        result.stdout == "[]\n['EdgeSplit', 'FactorImages', 'dataset_names', 'factor_images', 'load_dataset', 'read', "
        "'split_edges', 'write_graph'] True\n"
    )


def test_no_other_names() -> None:
    import vaekit.data

    with pytest.raises(AttributeError, match=r"^module 'vaekit.data' has no attribute 'reed'$"):
        _ = vaekit.data.reed  # type: ignore[attr-defined]


def test_a_name_wins_unless_a_path_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert read("digits").X.shape == (1797, 8, 8)
    assert refused("./digits") == f"The folder 'digits' holds no images ({ENDINGS})."
    np.save("digits.npy", np.eye(2))
    assert read("digits.npy").X.shape == (2, 2)
    assert read(Path("digits.npy")).name == "digits.npy"


ENDINGS = ".png .jpg .jpeg .bmp .gif .tif .tiff .webp"


def test_a_name_as_another_kind() -> None:
    flat = read("digits", "array")
    assert (flat.kind, flat.X.shape) == ("array", (1797, 64))
    assert np.array_equal(flat.X, read("digits").X.reshape(-1, 64))
    assert read("digits", "images").kind == "images"
    message = "The data set 'digits' has the shape (1797, 8, 8), but a table has the shape (n, D): "
    assert refused("digits", "table") == message + "--kind array flattens each row."
    assert refused("digits", "graph") == "The data set 'digits' is no graph."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("minst", "There is neither a data set nor a file named 'minst' (did you mean 'mnist'?)."),
        (
            "xyz",
            "There is neither a data set nor a file named 'xyz'; the data sets are digits, shapes, mnist, "
            "mnist-static, fashion-mnist, frey-face, karate, cora, citeseer, pubmed.",
        ),
        ("x.csv", "There is no file 'x.csv'."),
        ("faces.npy", "There is no file 'faces.npy' (did you mean 'face.npy'?)."),
        ("sub/digits", "There is no file 'sub/digits'."),
        ("edge.tsv", "There is no file 'edge.tsv' (did you mean 'edges.tsv'?)."),
        ("one.png", "'one.png' is a single image: give the folder that holds the images."),
        (
            "notes.md",
            "'notes.md' does not say what it is: .csv, .parquet, .npy, .npz, IDX files, folders of images, .graphml and "
            "edge lists (.tsv, .txt) are read.",
        ),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("face.npy", "edges.tsv", "one.png", "notes.md"):
        Path(name).write_text("a\tb\n")
    assert refused(source) == message


def test_a_graph_as_another_kind(tmp_path: Path) -> None:
    for name in ("x.txt", "x.tsv.gz", "x.graphml"):
        path = tmp_path / name
        path.write_text("1 2\n")
        message = f"{str(path)!r} is read as a graph only: save table data as .csv, .parquet, .npy or .npz."
        assert refused(str(path), "table") == message
    assert refused("karate", "array") == "The data set 'karate' is a graph, which is read with --kind graph only."
    assert read("karate", "graph").kind == "graph"


def test_another_kind_as_a_graph(tmp_path: Path) -> None:
    for name in ("x.npy", "x.parquet", "x.idx.gz"):
        (tmp_path / name).write_text("1 2\n")
        message = f"{str(tmp_path / name)!r} is no graph: edge lists (.csv, .tsv, .txt), .graphml and .npz are."
        assert refused(str(tmp_path / name), "graph") == message
    assert refused(str(tmp_path), "graph") == (
        f"The folder {str(tmp_path)!r} holds no edges.csv (or edges.tsv, edges.txt), so it is no graph."
    )
    (tmp_path / "out.links").write_text("1 2\n")
    assert read(tmp_path / "out.links", "graph").X.names == ("1", "2")


def test_no_such_kind() -> None:
    message = "kind='image' is not one of 'array', 'table', 'images', 'graph' (did you mean 'images'?)."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        read("digits", "image")
