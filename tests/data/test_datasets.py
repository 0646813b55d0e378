"""Named data sets: what they hold, where they are looked for, and what is said of a wrong or missing one."""

import gzip
import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pooch
import pytest
import scipy.io

from vaekit.data import dataset_names, datasets, load_dataset
from vaekit.data.catalogue import File
from vaekit.data.datasets import dataset_info
from vaekit.errors import DataError

Find = Callable[[str], Path]
Server = tuple[str, Path]  # its address and the folder it serves


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    return tmp_path / "cache" / "vaekit"


@pytest.fixture
def alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no VAEKIT_DATA."""
    monkeypatch.delenv("VAEKIT_DATA", raising=False)
    return cache


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, server: Server) -> tuple[np.ndarray, np.ndarray]:
    """A small data set named `tiny` of two files, served by this computer: its X and y."""
    address, folder = server
    X, y = np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.array([2, 0, 1], np.uint8)
    for name, array in (("X", X), ("y", y)):
        np.savez(folder / f"{name}.npz", array)
    known = replace(
        dataset_info("mnist"),
        name="tiny",
        row=(2, 2),
        checksums={"X": sha(X), "y": sha(y)},
        forms=(tuple(File(f"{name}.npz", partial(_part, name), f"{address}/{name}.npz") for name in "Xy"),),
    )
    monkeypatch.setattr(datasets, "CATALOGUE", (known,))
    return X, y


def _part(name: str, path: Path) -> dict[str, np.ndarray]:
    from vaekit.data.arrays import load_npz

    return {name: load_npz(path)["arr_0"]}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder
        running.shutdown()
        thread.join()


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    digits, own = load_dataset("digits"), load_digits()
    assert digits.X.dtype == np.uint8
    assert np.array_equal(digits.X, own.images)  # type: ignore[attr-defined]
    assert np.array_equal(digits.y, own.target)  # type: ignore[attr-defined]
    assert (digits.X_test, digits.y_test, digits.kind) == (None, None, "images")
    assert digits.note == "digits: 1,797 rows of 8 x 8 uint8 from scikit-learn"


@pytest.mark.parametrize(
    ("name", "size", "test_size", "row", "labels"),
    [
        ("mnist", 60_000, 10_000, (28, 28), [5, 0, 4, 1, 9]),
        ("fashion-mnist", 60_000, 10_000, (28, 28), [9, 0, 0, 3, 0]),
        ("mnist-static", 60_000, 10_000, (28, 28), None),
        ("frey-face", 1965, None, (28, 20), None),
    ],
)
def test_real_data(
    vaekit_data: Find, name: str, size: int, test_size: int | None, row: tuple[int, int], labels: list[int] | None
) -> None:
    vaekit_data(name)
    data = load_dataset(name)
    assert (data.X.shape, data.X.dtype, data.kind) == ((size, *row), np.uint8, "images")
    assert (None if data.X_test is None else data.X_test.shape) == (None if test_size is None else (test_size, *row))
    assert (None if data.y is None else data.y[:5].tolist()) == labels
    assert dataset_info(name).available()
    assert dataset_info(name).size.startswith(f"{size:,} ")


def test_the_karate_club_is_the_classical_one() -> None:
    karate = load_dataset("karate")
    assert karate.note == "karate: 34 nodes and 78 edges from networkx"
    assert (karate.kind, karate.label_names) == ("graph", ("Mr. Hi", "Officer"))
    assert (karate.X.n_nodes, karate.X.n_edges, karate.X.is_weighted, karate.X.names) == (34, 78, False, None)
    assert (karate.y.dtype, karate.y[[0, 33]].tolist(), int(karate.y.sum())) == (np.int64, [0, 1], 17)
    assert karate.X.labels is karate.y


@pytest.mark.parametrize(
    ("name", "nodes", "edges", "features", "labels"),
    [
        ("cora", 2708, 5278, 1433, {"Theory": 351, "Neural Networks": 818, "Rule Learning": 180}),
        ("citeseer", 3327, 4552, 3703, {"AI": 249, "ML": 590, "HCI": 508}),
        ("pubmed", 19717, 44324, 500, {}),
    ],
)
def test_real_graphs(
    vaekit_data: Find, name: str, nodes: int, edges: int, features: int, labels: dict[str, int]
) -> None:
    vaekit_data(name)
    data = load_dataset(name)
    assert (data.X.n_nodes, data.X.n_edges, data.X.n_features) == (nodes, edges, features)
    assert (data.kind, data.X.notes, len(data.y)) == ("graph", (), nodes)
    assert dataset_info(name).size == f"{nodes:,} nodes, {edges:,} edges, {features:,} features"
    for label, size in labels.items():
        assert (data.y == data.label_names.index(label)).sum() == size  # type: ignore[union-attr]


def test_a_graph_that_cannot_be_downloaded(alone: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("cora")
    assert str(caught.value) == (
        "The data set 'cora' is not here, and there is no address known to download it from; VAEKIT_DATA may point to "
        "a folder that has it as 'cora/cora.npz'."
    )


def test_a_graph_of_other_content_is_refused(vaekit_data: Find, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(np.load(vaekit_data("cora") / "cora.npz", allow_pickle=False))
    monkeypatch.delenv("VAEKIT_DATA")
    (cache / "cora").mkdir(parents=True)
    path = cache / "cora" / "cora.npz"
    np.savez(path, **{name: array for name, array in whole.items() if name != "labels"})
    with pytest.raises(DataError) as caught:
        load_dataset("cora")
    assert str(caught.value) == f"{str(path.parent)!r} does not hold the data set 'cora': it has no 'labels'."
    np.savez(path, **{**whole, "labels": np.roll(whole["labels"], 1)})
    with pytest.raises(DataError) as caught:
        load_dataset("cora")
    assert str(caught.value) == f"{str(path)!r} does not hold the data set 'cora': the content has another checksum."


def test_the_static_binary_mnist_is_larochelles(
    vaekit_data: Find, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written as text, the rows are the files he gave out, byte for byte; and those files give the same rows."""
    monkeypatch.setenv("VAEKIT_DATA", str(vaekit_data("mnist-static").parent))
    data = load_dataset("mnist-static")
    assert set(np.unique(data.X)) == {0, 1}
    published = {
        "train": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        "valid": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
        "test": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    }
    folder = cache / "mnist-static"
    folder.mkdir(parents=True)
    for (name, checksum), rows in zip(published.items(), (data.X[:50_000], data.X[50_000:], data.X_test), strict=True):
        text = np.full((len(rows), 2 * 784), ord(" "), np.uint8)
        text[:, ::2] = rows.reshape(-1, 784) + ord("0")
        text[:, -1] = ord("\n")
        assert sha(text) == checksum
        text.tofile(folder / f"binarized_mnist_{name}.amat")
    monkeypatch.delenv("VAEKIT_DATA")
    again = load_dataset("mnist-static")
    assert np.array_equal(again.X, data.X)
    assert np.array_equal(again.X_test, data.X_test)


def test_frey_face_from_the_file_of_its_maker(vaekit_data: Find, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAEKIT_DATA", str(vaekit_data("frey-face").parent))
    X = load_dataset("frey-face").X
    monkeypatch.delenv("VAEKIT_DATA")
    (cache / "frey-face").mkdir(parents=True)
    path = cache / "frey-face" / "frey_rawface.mat"
    scipy.io.savemat(path, {"ff": X.reshape(-1, 560).T})
    assert np.array_equal(load_dataset("frey-face").X, X)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError) as caught:
        load_dataset("frey-face")
    assert str(caught.value) == f"{str(path)!r} is not a MATLAB file with an array 'ff', or it is damaged."


def test_a_file_of_other_content_is_refused(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own" / "frey-face"
    folder.mkdir(parents=True)
    np.savez(folder / "frey_face.npz", images=np.zeros((1965, 28, 20), np.uint8))
    monkeypatch.setenv("VAEKIT_DATA", str(tmp_path / "own"))
    path = repr(str(folder / "frey_face.npz"))
    with pytest.raises(DataError) as caught:
        load_dataset("frey-face")
    assert str(caught.value) == f"{path} does not hold the data set 'frey-face': the content has another checksum."
    np.savez(folder / "frey_face.npz", faces=np.zeros(3))
    with pytest.raises(DataError) as caught:
        load_dataset("frey-face")
    assert str(caught.value) == f"{path} holds no array 'images' of uint8."


def test_a_download_is_kept_and_used_again(alone: Path, tiny: tuple[np.ndarray, np.ndarray], server: Server) -> None:
    assert not dataset_info("tiny").available()
    data = load_dataset("tiny")
    assert np.array_equal(data.X, tiny[0])
    assert data.y.tolist() == [2, 0, 1]
    assert sorted(os.listdir(alone / "tiny")) == ["X.npz", "y.npz"]
    assert dataset_info("tiny").available()
    for name in "Xy":
        (server[1] / f"{name}.npz").unlink()
    assert np.array_equal(load_dataset("tiny").X, tiny[0])


def test_only_what_is_missing_is_downloaded(
    alone: Path,
    tmp_path: Path,
    tiny: tuple[np.ndarray, np.ndarray],
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "own" / "tiny").mkdir(parents=True)
    (server[1] / "X.npz").rename(tmp_path / "own" / "tiny" / "X.npz")
    monkeypatch.setenv("VAEKIT_DATA", str(tmp_path / "own"))
    assert np.array_equal(load_dataset("tiny").X, tiny[0])
    assert os.listdir(alone / "tiny") == ["y.npz"]


def test_a_failed_download_says_what_to_do(alone: Path, tiny: object, server: Server) -> None:
    address, folder = server
    advice = "VAEKIT_DATA may point to a folder that has it as 'tiny/y.npz'."
    (folder / "y.npz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError) as caught:
        load_dataset("tiny")
    wrong = f"The data set 'tiny' is not here, and what {address}/y.npz gave is not the file expected; {advice}"
    assert str(caught.value) == wrong
    assert os.listdir(alone / "tiny") == ["X.npz"]
    (folder / "y.npz").unlink()
    with pytest.raises(DataError) as caught:
        load_dataset("tiny")
    lost = f"The data set 'tiny' is not here, and {address}/y.npz could not be downloaded"
    assert str(caught.value) == f"{lost} (the server answered 404); {advice}"
    assert os.listdir(alone / "tiny") == ["X.npz"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ConnectionError", "no connection"),
        ("ReadTimeout", "no answer in time"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_download_without_a_net(
    alone: Path, monkeypatch: pytest.MonkeyPatch, error: str | OSError, reason: str
) -> None:
    import requests.exceptions

    def fetch(url: str, target: Path) -> None:
        target.write_bytes(b"half")
        raise error if isinstance(error, OSError) else getattr(requests.exceptions, error)("HTTPSConnectionPool(...)")

    monkeypatch.setattr(datasets, "_fetch", fetch)
    with pytest.raises(DataError) as caught:
        load_dataset("mnist")
    assert str(caught.value) == (
        "The data set 'mnist' is not here, and https://ossci-datasets.s3.amazonaws.com/mnist/"
        f"train-images-idx3-ubyte.gz could not be downloaded ({reason}); VAEKIT_DATA may point to a folder that has "
        "it as 'mnist/train-images-idx3-ubyte.gz'."
    )
    assert os.listdir(alone / "mnist") == []


def test_names_and_what_is_known_of_them(alone: Path) -> None:
    for name in dataset_names():
        known = dataset_info(name)
        assert known.name == name
        assert known.what
        assert known.licence
        assert known.available() == (name in ("digits", "shapes", "karate"))
        assert all(file.url.startswith("http") for form in known.forms[:1] for file in form) or known.kind == "graph"
    with pytest.raises(DataError) as caught:
        load_dataset("fashion")
    assert str(caught.value) == "There is no data set named 'fashion' (did you mean 'fashion-mnist'?)."
    with pytest.raises(DataError) as caught:
        load_dataset("?")
    names = "digits, shapes, mnist, mnist-static, fashion-mnist, frey-face, karate, cora, citeseer, pubmed"
    assert str(caught.value) == f"There is no data set named '?'; there are {names}."
