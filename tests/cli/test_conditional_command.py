"""The command on rows with labels: `--model conditional`, from fit to samples."""

import json

import numpy as np
import pytest
from commands import complaint
from PIL import Image
from sklearn.datasets import load_iris

import vaekit
from vaekit.cli import main

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
QUICK = ["--model", "conditional", "--epochs", "2", "--set", "latent_dim=2", "--set", "hidden=[8]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A RUN on rows whose labels are names, and one on images whose labels are numbers."""
    folder = tmp_path_factory.mktemp("labels")
    np.savez(folder / "iris.npz", X=X, y=NAMES)
    np.savez(folder / "bare.npz", X=X[:100])
    assert (
        main(["fit", str(folder / "iris.npz"), "-o", str(folder / "IRIS"), *QUICK, "--set", "prior=conditional"]) == 0
    )
    assert main(["fit", "digits", "-o", str(folder / "DIGITS"), *QUICK]) == 0
    return folder


def test_from_fit_to_samples(folder, tmp_path, capsys):
    run, data = folder / "IRIS", folder / "iris.npz"
    model = vaekit.load(run)
    assert main(["sample", str(run), "-n", "3", "--label", "setosa", "-o", str(tmp_path / "new.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "new.npy"), model.sample(3, 0, y="setosa"))
    assert main(["encode", str(run), str(data), "-o", str(tmp_path / "codes.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), model.transform(X, NAMES), rtol=1e-5)
    assert main(["reconstruct", str(run), str(data), "-o", str(tmp_path / "rebuilt.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "rebuilt.npy"), model.reconstruct(X, NAMES), rtol=1e-4)
    assert main(["score", str(run), str(data), "--samples", "5", "-o", str(tmp_path / "scores.npy")]) == 0
    expected = np.stack([model.score_samples(X, NAMES, 5), model.elbo(X, NAMES, 5)], 1)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, rtol=1e-4)


def test_evaluate_gives_the_keys_of_every_model_of_rows(folder, capsys):
    for run, n in ((folder / "IRIS", 15), (folder / "DIGITS", 180)):
        capsys.readouterr()
        assert main(["evaluate", str(run), "--samples", "5", "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        keys = {"log_likelihood", "log_likelihood_se", "samples", "elbo", "reconstruction", "kl", "active_units"}
        assert summary.keys() >= keys | {"bits_per_dim", "n"} and summary["n"] == n
        assert summary["elbo"] <= summary["log_likelihood"] + 0.1
    capsys.readouterr()
    assert main(["evaluate", str(folder / "DIGITS"), "digits", "--samples", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == summary


def test_the_report_says_that_scores_are_given_the_label(folder):
    report = (folder / "IRIS" / "report.md").read_text()
    assert "A conditional variational autoencoder (2 latent units, 1 hidden layer of 8, conditional prior" in report
    assert "read p(x) as p(x\\|y)" in report and "KL is in closed form" in report
    assert "--label setosa" in report and "model.sample(10, y='setosa')" in report
    assert {path.name for path in (folder / "IRIS" / "plots").iterdir()} == {"curves.png", "samples.png"}


def test_a_finished_run_is_left_as_it_is(folder, capsys):
    capsys.readouterr()
    assert main(["fit", "digits", "-o", str(folder / "DIGITS"), *QUICK, "--resume"]) == 0
    assert "is finished; nothing to do" in capsys.readouterr().err


def test_labels_that_are_missing_or_unknown(folder, tmp_path, capsys):
    run, bare = folder / "DIGITS", folder / "bare.npz"
    out = tmp_path / "x.npy"
    assert complaint(capsys, "sample", run, "-o", out) == f"{run} needs --label: one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."
    told = complaint(capsys, "sample", run, "-o", out, "--label", "ten")
    assert told == f"{run} has no label 'ten': one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9."
    needed = (
        f"A ConditionalVAE needs a label for each row, but {str(bare)!r} has none: take a data set with labels, or a "
        ".npz with X and y."
    )
    assert complaint(capsys, "fit", bare, "-o", tmp_path / "RUN", *QUICK) == needed
    assert not (tmp_path / "RUN").exists()
    np.savez(folder / "half.npz", X=X, y=NAMES, X_test=X)
    assert complaint(capsys, "fit", folder / "half.npz", "-o", tmp_path / "RUN", *QUICK) == (
        f"A ConditionalVAE needs a label for each row, but {str(folder / 'half.npz')!r} has none of X_test: take a data "
        "set with labels, or a .npz with y_test beside X_test."
    )
    for verb in ("score", "encode", "reconstruct"):
        assert complaint(capsys, verb, folder / "IRIS", bare, "-o", out) == needed
    assert complaint(capsys, "evaluate", folder / "IRIS", bare) == needed


def test_labels_are_for_conditional_models(folder, tmp_path, capsys):
    vaekit.VAE(2, (8,), epochs=1, verbose=0, random_state=0).fit(X).save(tmp_path / "vae")
    told = complaint(capsys, "sample", tmp_path / "vae", "-o", tmp_path / "x.npy", "--label", "setosa")
    assert told == f"--label is for a conditional model; {tmp_path / 'vae'} holds a VAE."
    vaekit.ConditionalVAE(2, (8,), epochs=1, verbose=0, random_state=0).fit(X[:, 1:], condition=X[:, 0]).save(
        tmp_path / "vectors"
    )
    told = complaint(capsys, "sample", tmp_path / "vectors", "-o", tmp_path / "x.npy", "--label", "setosa")
    assert told == f"{tmp_path / 'vectors'} was fitted with vectors: load it in Python and give sample its condition=."


def test_other_labels_are_other_data(tmp_path, capsys):
    data, run, other = tmp_path / "iris.npz", tmp_path / "RUN", tmp_path / "other.npz"
    np.savez(data, X=X, y=NAMES)
    np.savez(other, X=X, y=NAMES[::-1])
    assert main(["fit", str(data), "-o", str(run), *QUICK]) == 0
    told = complaint(capsys, "evaluate", run, other)
    assert told == f"{other} holds the rows that {run} was fitted on with other labels; name other data to score."
    np.savez(data, X=X, y=NAMES[::-1])
    told = complaint(capsys, "evaluate", run)
    assert told == f"The labels of {data} have changed since {run} was fitted; name the data to score: DATA."
    told = complaint(capsys, "fit", data, "-o", run, *QUICK, "--resume")
    assert told == f"{run} cannot be resumed with other settings (the labels are others); use --overwrite."


def test_names_and_numbers_of_labels_are_not_mixed_up(folder, tmp_path, capsys):
    rng = np.random.default_rng(0)
    images, out = rng.integers(0, 17, (20, 8, 8)).astype(np.uint8), tmp_path / "scores.npy"
    for name in ("3", "7", "cat"):
        path = tmp_path / ("cats" if name == "cat" else "digits") / name / "0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(images[int(name) if name.isdecimal() else 0]).save(path)
    run = folder / "DIGITS"
    assert main(["score", str(run), str(tmp_path / "digits"), "--samples", "5", "-o", str(out)]) == 0
    expected = vaekit.load(run).score_samples(images[[3, 7]], [3, 7], 5)
    np.testing.assert_allclose(np.load(out)[:, 0], expected, rtol=1e-5)
    told = complaint(capsys, "score", run, tmp_path / "cats", "-o", out)
    assert told == (
        f"The labels of {str(tmp_path / 'cats')!r} have names and those of the RUN numbers, so what goes with what is "
        "not known: give labels of the same kind as at fit."
    )


def test_without_latent_units_there_is_no_code_to_write(tmp_path, capsys):
    np.savez(tmp_path / "iris.npz", X=X, y=Y)
    run = tmp_path / "RUN"
    assert main(["fit", str(tmp_path / "iris.npz"), "-o", str(run), *QUICK, "--set", "latent_dim=0"]) == 0
    told = complaint(capsys, "encode", run, tmp_path / "iris.npz", "-o", tmp_path / "codes.csv")
    assert told == f"{run} holds a model without latent units, which has no code."


def test_subfolders_are_told_by_name(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in [*(f"{c}/{i}" for c in "ab" for i in range(10)), "only/b/0", "more/b/0", "more/c/0"]:
        path = tmp_path / ("" if name.count("/") == 2 else "all") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 4)).astype(np.uint8)).save(path)
    run, out = tmp_path / "RUN", tmp_path / "scores.npy"
    assert main(["fit", str(tmp_path / "all"), "-o", str(run), *QUICK]) == 0
    assert main(["score", str(run), str(tmp_path / "only"), "--samples", "5", "-o", str(out)]) == 0
    model, image = vaekit.load(run), np.asarray(Image.open(tmp_path / "only/b/0.png"))[None]
    np.testing.assert_allclose(np.load(out)[:, 0], model.score_samples(image, [1], 5), rtol=1e-5)
    told = f"{str(tmp_path / 'more')!r} has the label 'c', which the fit has not seen: one of 'a', 'b'."
    assert complaint(capsys, "score", run, tmp_path / "more", "-o", out) == told
    assert complaint(capsys, "evaluate", run, tmp_path / "more") == told
    for label in ("b", "1"):
        assert main(["sample", str(run), "-n", "2", "--label", label, "-o", str(out)]) == 0
        np.testing.assert_array_equal(np.load(out), model.sample(2, 0, y=1))
    assert complaint(capsys, "sample", run, "-o", out) == f"{run} needs --label: one of a, b."
