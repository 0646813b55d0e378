"""Files that the verbs write: what could not be written, or would replace the data, is refused before the work."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from commands import complaint
from PIL import Image

from vaekit import VAE
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


QUICK = ["--epochs", "1", "--set", "latent_dim=2", "--set", "hidden=[8]"]
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


def test_no_verb_replaces_the_data_of_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, new, run = (tmp_path / name for name in ("own.csv", "new.csv", "RUN"))
    lines = ["a,b,c", *(",".join(f"{value:.3f}" for value in row) for row in X)]
    for path in (own, new):
        path.write_text("\n".join(lines) + "\n")
    assert main(["fit", str(own), "-o", str(run), *QUICK]) == 0
    before = own.read_bytes()
    for verb in ("score", "encode", "reconstruct", "impute"):
        told = complaint(capsys, verb, run, new, "-o", own)
        assert told == f"{str(own)!r} holds the data; write to another file."
    assert own.read_bytes() == before


def test_a_run_does_not_lie_among_the_images_it_is_fitted_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(12):
        Image.fromarray(np.full((4, 4), 20 * i, np.uint8)).save(tmp_path / f"{i}.png")
    told = complaint(capsys, "fit", tmp_path, "-o", tmp_path / "sub" / "RUN")
    assert told == f"{tmp_path / 'sub' / 'RUN'} lies in {tmp_path}, which holds the data: choose another folder."
    assert not (tmp_path / "sub").exists()


def test_labels_that_are_times_are_no_obstacle(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=X, y=np.repeat(np.datetime64("2020-01-01"), 40))
    assert main(["fit", str(tmp_path / "d.npz"), "-o", str(tmp_path / "RUN"), *QUICK]) == 0
    assert main(["evaluate", str(tmp_path / "RUN")]) == 0


def test_a_report_on_sparse_rows_names_files_that_take_them(tmp_path: Path) -> None:
    scipy.sparse.save_npz(tmp_path / "s.npz", scipy.sparse.csr_array((X > 1).astype(np.float32)))
    assert main(["fit", str(tmp_path / "s.npz"), "-o", str(tmp_path / "RUN"), *QUICK]) == 0
    report = (tmp_path / "RUN" / "report.md").read_text()
    assert "-o samples.npz" in report and "-o rebuilt.npz" in report


def test_a_saved_mixture_is_drawn_from(tmp_path: Path) -> None:
    vae = VAE(2, (8,), epochs=1, random_state=0, verbose=0).fit(X).fit_prior(X, components=2)
    vae.save(tmp_path / "saved")
    out = tmp_path / "new.npy"
    assert main(["sample", str(tmp_path / "saved"), "-n", "4", "--prior", "fitted", "-o", str(out)]) == 0
    np.testing.assert_allclose(np.load(out), vae.sample(4, 0, prior="fitted"), rtol=1e-5)


def test_samples_are_refused_where_nothing_is_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "x.npy", tmp_path / "RUN"
    np.save(data, X)
    assert main(["fit", str(data), "-o", str(run), "--model", "autoencoder", *QUICK]) == 0
    told = complaint(capsys, "score", run, data, "-o", tmp_path / "s.npy", "--samples", "5")
    assert told == f"--samples is for a model that is scored by samples; {run} holds an Autoencoder."
    assert main(["score", str(run), str(data), "-o", str(tmp_path / "s.npy")]) == 0
