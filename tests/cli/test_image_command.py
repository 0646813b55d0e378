"""The command on images: PixelCNN, annealed importance sampling, samples from a fitted mixture."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
from commands import complaint
from sklearn.datasets import load_digits

import vaekit
from vaekit import VAE
from vaekit.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two RUNs on a few binary images."""
    folder = tmp_path_factory.mktemp("images")
    np.save(folder / "digits.npy", (load_digits().images[:150] > 7).astype(np.uint8))
    common = [str(folder / "digits.npy"), "--kind", "images", "--epochs", "2"]
    small = ["--model", "pixelcnn", "--set", "layers=1", "--set", "channels=4"]
    assert main(["fit", *common, "-o", str(folder / "PIXELS"), *small]) == 0
    assert main(["fit", *common, "-o", str(folder / "VAE"), "--set", "latent_dim=2", "--set", "hidden=[8]"]) == 0
    return folder


def test_a_pixelcnn_from_fit_to_samples(folder, tmp_path, capsys):
    run, data = folder / "PIXELS", folder / "digits.npy"
    report = (run / "report.md").read_text()
    assert "A PixelCNN, a density without a latent code (1 gated layer of 4 channels, bernoulli likelihood)" in report
    assert "nats a row** (exact, 15 rows)" in report and "ELBO" not in report and "encode" not in report
    assert {path.name for path in (run / "plots").iterdir()} == {"curves.png", "samples.png", "completions.png"}
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["elbo"] is None and summary["samples"] is None and summary["log_likelihood"] < 0
    assert main(["sample", str(run), "-n", "3", "-o", str(tmp_path / "new.npy")]) == 0
    model = vaekit.load(run)
    np.testing.assert_array_equal(np.load(tmp_path / "new.npy"), model.sample(3, random_state=0))
    assert main(["score", str(run), str(data), "-o", str(tmp_path / "scores.csv")]) == 0
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == "log_likelihood" and len(lines) == 151
    for verb in ("encode", "reconstruct"):
        told = complaint(capsys, verb, run, data, "-o", tmp_path / "codes.npy")
        assert told == f"{run} holds a PixelCNN, which has no latent code; fit a vae to encode and reconstruct."


def test_annealing_stands_beside_the_other_scores(folder, capsys):
    options = ["--rows", "6", "--temperatures", "5", "--chains", "2", "--samples", "5"]
    capsys.readouterr()
    assert main(["evaluate", str(folder / "VAE"), "--ais", *options, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["n"] == 15 and summary["ais_n"] == summary["bdmc_n"] == 6
    assert (summary["ais_chains"], summary["ais_temperatures"]) == (2, 5)
    assert summary["ais"] < 0 and summary["ais_se"] > 0 and summary["bdmc_gap_se"] > 0
    told = complaint(capsys, "evaluate", folder / "VAE", "--rows", "6", "--chains", "2")
    assert told == "--chains and --rows belong to --ais: give it too."
    told = complaint(capsys, "evaluate", folder / "PIXELS", "--ais")
    assert told == f"--ais is for a VAE of rows; {folder / 'PIXELS'} holds a PixelCNN."
    told = complaint(capsys, "evaluate", folder / "PIXELS", "--samples", "5")
    assert told == f"--samples is for a model that is scored by samples; {folder / 'PIXELS'} holds a PixelCNN."
    told = complaint(capsys, "evaluate", folder / "VAE", "--kind", "nonsense", "--json")
    assert told == "--kind says how to read DATA: name DATA too, or leave it out."


def test_samples_from_a_mixture_fitted_to_the_codes(folder, tmp_path, capsys):
    run, out = folder / "VAE", tmp_path / "new.npy"
    assert main(["sample", str(run), "-n", "4", "-o", str(out), "--prior", "fitted"]) == 0
    drawn = np.load(out)
    assert drawn.shape == (4, 8, 8) and drawn.dtype == np.uint8
    assert main(["sample", str(run), "-n", "4", "-o", str(tmp_path / "again.npy"), "--prior", "fitted"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), drawn)
    told = complaint(capsys, "sample", run, "-o", out, "--prior", "fited")
    assert told == "prior='fited' is not one of 'model', 'fitted' (did you mean 'fitted'?)."
    told = complaint(capsys, "sample", folder / "PIXELS", "-o", out, "--prior", "fitted")
    assert told == f"--prior fitted has no use here: {folder / 'PIXELS'} holds a PixelCNN."


def test_images_are_no_table_which_is_said_before_the_work(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(VAE, "sample", Mock(side_effect=AssertionError))
    monkeypatch.setattr("vaekit.cli.verbs.read_data", Mock(side_effect=AssertionError))
    for name in ("x.csv", "x.parquet"):
        out = tmp_path / name
        said = f"Rows of shape (8, 8) are no table to write to {str(out)!r}: use .npy or .npz."
        assert complaint(capsys, "sample", folder / "VAE", "-n", "3", "-o", out) == said
        assert complaint(capsys, "reconstruct", folder / "VAE", folder / "digits.npy", "-o", out) == said
