"""The command: what it prints and writes, its exit codes, and that nothing is lost."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from unittest.mock import Mock

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
import typer
from commands import complaint

import vaekit
from vaekit import VAE
from vaekit.cli import main
from vaekit.errors import WriteError
from vaekit.runs import read_metrics

QUICK = ["--set", "hidden=[16]", "--set", "latent_dim=2", "--epochs", "3"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A RUN on a small table, made once."""
    folder = tmp_path_factory.mktemp("command")
    X = np.random.default_rng(0).normal(size=(80, 3)) * [1, 2, 3]
    pl.DataFrame(X, schema=["a", "b", "c"]).write_csv(folder / "table.csv")
    assert main(["fit", str(folder / "table.csv"), "-o", str(folder / "RUN"), *QUICK]) == 0
    return folder / "RUN"


def test_a_run_holds_what_it_should(run):
    names = {path.name for path in run.iterdir()}
    assert names >= {"config.json", "model.safetensors", "metrics.jsonl", "plots", "report.md"}
    config = json.loads((run / "config.json").read_text())
    assert config["schema_version"] == 1 and config["model"] == "VAE" and config["params"]["epochs"] == 3
    assert config["data"]["n_train"] == 72 and config["data"]["n_test"] == 8
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3
    report = (run / "report.md").read_text()
    for picture in (run / "plots").glob("*.png"):
        assert f"plots/{picture.name}" in report


def test_evaluate_prints_one_json_object(run, capsys):
    assert main(["evaluate", str(run), "--samples", "20", "--json"]) == 0
    out, _ = capsys.readouterr()
    summary = json.loads(out)
    wanted = [
        "log_likelihood",
        "log_likelihood_se",
        "samples",
        "elbo",
        "reconstruction",
        "kl",
        "active_units",
        "bits_per_dim",
        "n",
    ]
    assert set(wanted) <= set(summary) and summary["samples"] == 20 and summary["n"] == 8
    assert summary["bits_per_dim"] is None
    other = run.parent / "other.csv"
    frame = pl.DataFrame(np.random.default_rng(1).normal(size=(30, 3)), schema=["a", "b", "c"])
    frame.write_csv(other)
    assert main(["evaluate", str(run), str(other), "--samples", "20", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["n"] == 30
    assert scored["log_likelihood"] == pytest.approx(vaekit.load(run).score(frame, num_samples=20), rel=1e-5)


def test_rows_trained_on_are_not_scored_as_held_out(run, capsys):
    assert main(["evaluate", str(run), str(run.parent / "table.csv"), "--samples", "20", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["n"] == 8 and "its test rows alone are scored" in err


def test_verbs_write_what_the_estimator_gives(run, tmp_path, capsys):
    table, vae = str(run.parent / "table.csv"), vaekit.load(run)
    frame = pl.read_csv(table)
    assert main(["encode", str(run), table, "-o", str(tmp_path / "z.csv")]) == 0
    codes = pl.read_csv(tmp_path / "z.csv")
    assert codes.columns == ["vae0", "vae1"]
    np.testing.assert_allclose(codes.to_numpy(), vae.transform(frame), rtol=1e-5)
    assert main(["reconstruct", str(run), table, "-o", str(tmp_path / "r.parquet")]) == 0
    assert pl.read_parquet(tmp_path / "r.parquet").columns == ["a", "b", "c"]
    assert main(["score", str(run), table, "-o", str(tmp_path / "s.csv"), "--samples", "10"]) == 0
    scores = pl.read_csv(tmp_path / "s.csv")
    np.testing.assert_allclose(scores["log_likelihood"].to_numpy(), vae.score_samples(frame, 10), rtol=1e-5)
    assert main(["sample", str(run), "-n", "5", "-o", str(tmp_path / "x.npy")]) == 0
    assert np.load(tmp_path / "x.npy").shape == (5, 3)
    assert main(["sample", str(run), "-o", str(tmp_path / "x.npy")]) == 0
    assert np.load(tmp_path / "x.npy").shape == (16, 3)
    assert capsys.readouterr().out == ""


def test_output_is_checked_before_the_work_and_never_replaces_the_data(run, tmp_path, capsys):
    table = run.parent / "table.csv"
    before = table.read_bytes()
    assert (
        complaint(capsys, "encode", run, table, "-o", table) == f"{str(table)!r} holds the data; write to another file."
    )
    assert complaint(capsys, "score", run, table, "-o", tmp_path / "no" / "s.csv").endswith(
        f"{str(tmp_path / 'no')!r}."
    )
    assert complaint(capsys, "sample", run, "-o", tmp_path / "x.txt").endswith("end it in .csv .parquet .npy .npz.")
    assert table.read_bytes() == before and not list(tmp_path.iterdir())


def test_info_and_data(run, capsys):
    assert main(["info", str(run), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["state"] == "finished" and facts["epochs"] == 3
    assert main(["data", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["available"] is True
    assert main(["info", str(run)]) == 0 and main(["data"]) == 0 and main(["evaluate", str(run)]) == 0
    assert main(["--version"]) == 0


def test_an_autoencoder(run, tmp_path, capsys):
    out = tmp_path / "AE"
    assert main(["fit", str(run.parent / "table.csv"), "-o", str(out), "--model", "autoencoder", *QUICK]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["log_likelihood"] is None and summary["mean_squared_error"] > 0
    other = pl.DataFrame(np.random.default_rng(1).normal(size=(30, 3)), schema=["a", "b", "c"])
    other.write_csv(tmp_path / "other.csv")
    assert main(["evaluate", str(out), str(tmp_path / "other.csv"), "--json"]) == 0
    summary, codes = json.loads(capsys.readouterr().out), vaekit.load(out).transform(other)
    assert (summary["active_units"], summary["latent_units"]) == (sum(codes.var(0) > 0.01), 2)
    assert main(["evaluate", str(out)]) == 0
    assert "8 rows, squared errors a value" in " ".join(capsys.readouterr().out.split())
    assert complaint(capsys, "sample", out, "-o", tmp_path / "x.csv").endswith("fit a vae.")


def test_wrong_input_is_one_sentence_and_loses_nothing(run, tmp_path, capsys):
    table = run.parent / "table.csv"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    new = tmp_path / "NEW"
    assert complaint(capsys, "fit", table, "-o", run) == (
        f"{run} exists: give --resume to go on with it, --overwrite to replace it, or another -o."
    )
    assert complaint(capsys, "fit", table, "-o", run, "--resume", "--seed", 4, *QUICK) == (
        f"{run} cannot be resumed with other settings (random_state was 0, now 4; the split is another); "
        "use --overwrite."
    )
    assert complaint(capsys, "fit", table, "-o", new, "--set", "latent_dims=3") == (
        "VAE has no parameter 'latent_dims' (did you mean 'latent_dim'?)."
    )
    assert complaint(capsys, "fit", table, "-o", new, "--set", "latent_dim=0") == (
        "latent_dim=0 must be a whole number of at least 1."
    )
    assert complaint(capsys, "fit", table, "-o", new, "--epochs", 2, "--set", "epochs=3") == (
        "--set epochs and --epochs differ: give one of them."
    )
    assert complaint(capsys, "fit", table, "-o", new, "--set", "random_state=3", "--seed", 4) == (
        "--set random_state and --seed differ: give one of them."
    )
    assert complaint(capsys, "fit", table, "-o", new, "--model", "vea") == (
        "model='vea' is not one of 'autoencoder', 'conditional', 'gae', 'pixelcnn', 'tabular', 'vae', 'vgae' (did you mean 'vae'?)."
    )
    assert complaint(capsys, "fit", "digit", "-o", new) == (
        "There is neither a data set nor a file named 'digit' (did you mean 'digits'?)."
    )
    assert complaint(capsys, "evaluate", tmp_path / "NO").startswith(f"There is no RUN at {tmp_path / 'NO'}")
    assert complaint(capsys, "fit", table, "-o", run, "--resume", "--overwrite").startswith("--resume and --overwrite")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("x")
    assert complaint(capsys, "fit", table, "-o", foreign, "--overwrite").startswith(f"{foreign} is not a RUN of vaekit")
    shutil.copytree(run, tmp_path / "mixed")
    for own in ("thesis.tex", "plots/thesis.png"):
        (tmp_path / "mixed" / own).write_text("x")
        assert complaint(capsys, "fit", table, "-o", tmp_path / "mixed", "--overwrite") == (
            f"{tmp_path / 'mixed'} holds {own!r}, which is no part of a RUN, so it is not replaced."
        )
        (tmp_path / "mixed" / own).unlink()
    holes = tmp_path / "holes.csv"
    holes.write_text("a,b\n" + "1.5,2\n" * 20 + "2.5,\n" + "3.5,1\n" * 20)
    vae = ["-o", run, "--overwrite", "--model", "vae"]
    assert "NaN in column 'b'" in complaint(capsys, "fit", holes, *vae, "--seed", 1)
    words = tmp_path / "words.csv"
    words.write_text("a,b\n" + "1,x\n" * 30)
    assert "Column 'b' holds text" in complaint(capsys, "fit", words, *vae)
    three = tmp_path / "three.csv"
    three.write_text("a,b,d\n" + "1,2,3\n" * 5)
    assert complaint(capsys, "evaluate", run, three) == (
        "The feature names should match those that were passed during fit. Feature names unseen at fit time: d Feature "
        "names seen at fit time, yet now missing: c"
    )
    assert complaint(capsys, "fit", table).startswith("Missing option")
    assert complaint(capsys, "encode", run, table, "-o", tmp_path / "x.doc").endswith(".npz.")
    assert not new.exists()
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_resume_of_a_finished_run_changes_nothing(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["fit", str(run.parent / "table.csv"), "-o", str(run), "--resume", *QUICK]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def test_a_run_without_its_model_is_not_finished(run, tmp_path, capsys):
    copy = tmp_path / "RUN"
    shutil.copytree(run, copy)
    fit = ["fit", run.parent / "table.csv", "-o", copy, "--resume", *QUICK]
    (copy / "model.safetensors").write_bytes(b"junk")
    assert f"{copy / 'model.safetensors'} is damaged and cannot be read" in complaint(capsys, *fit)
    (copy / "model.safetensors").unlink()
    lost = f"{copy} has lost its model; fit it again with 'vaekit fit ... -o {copy} --overwrite'."
    assert complaint(capsys, *fit) == complaint(capsys, "evaluate", copy) == lost
    assert main(["info", str(copy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "not finished"


def test_settings_and_configs_beyond_measure_are_one_sentence(run, tmp_path, capsys):
    table, copy = run.parent / "table.csv", tmp_path / "RUN"
    for setting in ("hidden=" + "[" * 3000, "learning_rate=" + "9" * 5000):
        assert "must be" in complaint(capsys, "fit", table, "-o", tmp_path / "NEW", "--set", setting, "--model", "vae")
    copy.mkdir()
    (copy / "config.json").write_text("[" * 100_000)
    assert complaint(capsys, "info", copy).startswith(f"{copy / 'config.json'} is damaged: ")
    config = json.loads((run / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"data": None}))
    assert "the data are others" in complaint(capsys, "fit", table, "-o", copy, "--resume", *QUICK)


def test_overwrite_replaces(run, tmp_path):
    copy = tmp_path / "RUN"
    shutil.copytree(run, copy)
    table = str(run.parent / "table.csv")
    assert main(["fit", table, "-o", str(copy), "--overwrite", "--seed", "5", *QUICK]) == 0
    assert (copy / "model.safetensors").read_bytes() != (run / "model.safetensors").read_bytes()
    shutil.rmtree(copy)
    assert main(["fit", table, "-o", str(copy), "--resume", *QUICK]) == 0  # one that is missing is started
    assert (copy / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_a_diverged_fit_keeps_a_run_that_can_be_used(run, tmp_path, capsys):
    table = run.parent / "table.csv"
    out = tmp_path / "BAD"
    bad = [table, "-o", out, "--set", "learning_rate=1e30", *QUICK]
    assert "no longer a finite number" in complaint(capsys, "fit", *bad)
    assert f"{out} cannot go on: The objective was no longer" in complaint(capsys, "fit", *bad, "--resume")
    assert not (out / "report.md").exists()
    assert main(["evaluate", str(out), "--json"]) == 0


def test_a_damaged_checkpoint_is_told(run, tmp_path, capsys):
    out = tmp_path / "RUN"
    shutil.copytree(run, out)
    (out / "report.md").unlink()
    (out / "model.safetensors").unlink()
    (out / "checkpoint" / "state.safetensors").write_bytes(b"junk")
    assert "is damaged and cannot be read" in complaint(
        capsys, "fit", run.parent / "table.csv", "-o", out, "--resume", *QUICK
    )


def test_a_fit_that_fails_leaves_the_run_that_it_was_to_replace(run, tmp_path, capsys, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}

    def full(*_):
        raise WriteError("the disk is full.")

    monkeypatch.setattr("vaekit.cli.fitting.write_model", full)
    again = ["fit", run.parent / "table.csv", "-o", copy, "--overwrite", "--seed", "5", *QUICK]
    assert complaint(capsys, *again) == "the disk is full."
    assert before == {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    slow = [*again, "--checkpoint-every", 0]  # now there is something to go on with
    assert complaint(capsys, *slow) == "the disk is full."
    aside = tmp_path / ".copy.replaced"
    assert before == {copy / path.relative_to(aside): path.read_bytes() for path in aside.rglob("*") if path.is_file()}
    assert complaint(capsys, *slow) == "the disk is full."  # which does not put the half-made one in its place
    assert (aside / "report.md").exists() and not (copy / "report.md").exists()
    monkeypatch.undo()
    resumed = ["--resume" if word == "--overwrite" else str(word) for word in slow]
    assert main(resumed) == 0 and [path.name for path in tmp_path.iterdir()] == ["copy"]
    assert (copy / "model.safetensors").read_bytes() != before[copy / "model.safetensors"]


def test_a_second_interruption_of_an_overwrite_is_gone_on_with_too(run, tmp_path, capsys, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vaekit.cli.fitting.write_model", stop)
    fit = ["fit", str(run.parent / "table.csv"), "-o", str(copy), "--seed", "5", "--checkpoint-every", "0", *QUICK]
    assert main([*fit, "--overwrite"]) == 130
    monkeypatch.undo()
    capsys.readouterr()
    assert main([*fit, "--resume"]) == 0 and "Going on after epoch 3" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_run_is_not_replaced_from_within_but_through_a_link(run, tmp_path, capsys, monkeypatch):
    copy, table = tmp_path / "copy", str(run.parent / "table.csv")
    shutil.copytree(run, copy)
    monkeypatch.chdir(copy)
    fit = ("fit", table, "--overwrite", *QUICK, "-o")
    (copy / "empty").mkdir()
    monkeypatch.chdir(copy / "empty")
    assert complaint(capsys, *fit, ".") == ". is the folder that you are in: go to another one to replace it."
    monkeypatch.chdir(copy)
    (copy / "empty").rmdir()
    assert complaint(capsys, *fit, ".") == ". is the folder that you are in: go to another one to replace it."
    assert (copy / "report.md").exists()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(copy, target_is_directory=True)
    assert main([*fit, "link", "--seed", "5"]) == 0
    assert (copy / "model.safetensors").read_bytes() != (run / "model.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "link"]


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_a_fit_killed_while_it_wrote_its_first_file_is_begun_anew(option, run, tmp_path):
    (tmp_path / "RUN" / "checkpoint").mkdir(parents=True)
    (tmp_path / "RUN" / ".config.json.0a1b2c3d.part").write_text("{")
    assert main(["fit", str(run.parent / "table.csv"), "-o", str(tmp_path / "RUN"), option, *QUICK]) == 0
    assert (tmp_path / "RUN" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert not list((tmp_path / "RUN").glob(".*"))


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_unfinished_downloads_are_no_left_overs(option, run, tmp_path, capsys):
    folder = tmp_path / "downloads"
    (folder / "sub").mkdir(parents=True)
    for name in (".film.part", "sub/thesis.part"):
        (folder / name).write_text("mine")
    assert " is not a RUN" in complaint(capsys, "fit", run.parent / "table.csv", "-o", folder, option, *QUICK)
    assert (folder / ".film.part").exists() and (folder / "sub" / "thesis.part").exists()


def test_a_finished_run_stays_where_what_lies_aside_is_none(run, tmp_path, capsys):
    copy, aside = tmp_path / "copy", tmp_path / ".copy.replaced"
    shutil.copytree(run, copy)
    aside.mkdir()
    (aside / "notes.txt").write_text("mine")
    told = complaint(capsys, "fit", run.parent / "table.csv", "-o", copy, "--overwrite", *QUICK)
    assert told == f"{aside} is not a RUN of vaekit: it has no config.json."
    assert (copy / "report.md").exists() and (aside / "notes.txt").read_text() == "mine"


def test_an_interruption_before_the_first_checkpoint_puts_the_old_run_back(run, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vaekit.estimators.trained.train", stop)
    assert main(["fit", str(run.parent / "table.csv"), "-o", str(copy), "--overwrite", *QUICK]) == 130
    assert (copy / "report.md").exists() and [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_names_that_are_not_utf8_and_names_that_look_like_markup(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9.csv")
    (tmp_path / name).write_text("a,b\n1,2\n")
    assert complaint(capsys, "fit", name, "-o", tmp_path / "RUN", *QUICK) == (
        "'caf\\udce9.csv' is no name in UTF-8, as a report must be: rename it."
    )
    folder = tmp_path / "[b]x[" / "y]"
    shutil.copytree(run, folder)
    for verb in ("info", "evaluate"):
        assert main([verb, str(folder)]) == 0
        assert "[b]x[" in capsys.readouterr().out.replace("\n", "").replace(" ", "")


def test_another_runs_checkpoint_is_not_gone_on_with(run, tmp_path, capsys, monkeypatch):
    def stopped(name, *more):
        monkeypatch.setattr("vaekit.cli.fitting.write_model", stop)
        with pytest.raises(KeyboardInterrupt):
            raise_from(["fit", table, "-o", tmp_path / name, "--checkpoint-every", 0, *QUICK, *more])
        monkeypatch.undo()

    def stop(*_):
        raise KeyboardInterrupt

    def raise_from(arguments):
        if main([str(a) for a in arguments]) == 130:
            raise KeyboardInterrupt

    table = run.parent / "table.csv"
    stopped("one")
    stopped("other", "--set", "learning_rate=0.01")
    state = tmp_path / "one" / "checkpoint" / "state.safetensors"
    shutil.copy(tmp_path / "other" / "checkpoint" / "state.safetensors", state)
    assert complaint(capsys, "fit", table, "-o", tmp_path / "one", "--resume", "--checkpoint-every", 0, *QUICK) == (
        f"{state} was written by a RUN with other settings or data, so it is not gone on with."
    )


def test_places_that_cannot_be_read_or_written(run, tmp_path, capsys):
    table, long = run.parent / "table.csv", tmp_path / ("x" * 300)
    within = table / "RUN"
    for place, said in (
        (within, f"The folder {str(within)!r} cannot be made: Not a directory."),
        (long, f"{long}: File name too long."),
    ):
        assert complaint(capsys, "fit", table, "-o", place, *QUICK) == said


def test_a_level_of_the_test_rows_alone(tmp_path, capsys):
    X = np.zeros((60, 4, 4), np.uint8)
    X[:, 0] = np.arange(60)[:, None] % 15
    X[7, 1] = 200
    np.save(tmp_path / "x.npy", X)
    fit = ["fit", tmp_path / "x.npy", "-o", tmp_path / "NEW", "--seed", 9, *QUICK]  # that sets row 7 aside
    message = complaint(capsys, *fit)
    assert message.startswith("The rows set aside for the test do not suit the others: likelihood=")
    assert message.endswith(" --seed says which are set aside.")


def start(*arguments):
    command = [sys.executable, "-c", "import sys; from vaekit.cli import main; sys.exit(main())", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_takes(unbuffered):
    command = [sys.executable, "-c", "import sys; from vaekit.cli import main; sys.exit(main())", "data", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        end = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (end.returncode, end.stderr) == (2, "vaekit: No space left on device.\n")
    read, write = os.pipe()
    os.close(read)
    end = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(write)
    assert (end.returncode, end.stderr) == (1, "")
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    end = subprocess.run(closed, stderr=subprocess.PIPE, text=True, env=environment)
    assert (end.returncode, end.stderr) == (0, "")


def test_output_that_cannot_be_encoded_is_spelled_out(run, tmp_path):
    folder = tmp_path / "RÜN"
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    config["data"]["source"] = "Übung.csv"
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-c", "import sys; from vaekit.cli import main; sys.exit(main())", "info", "RÜN"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "300"}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert told.stdout.splitlines()[0].strip() == "R\\xdcN" and "\\xdcbung.csv" in told.stdout and not told.stderr
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert json.loads(told.stdout)["data"]["source"] == "Übung.csv"


def test_a_failure_where_output_is_closed_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setattr(
        "vaekit.cli.describing.describe_data", Mock(side_effect=PermissionError(13, "Permission denied", "x"))
    )
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["data"]) == 2
    assert capsys.readouterr().err == "vaekit: x: Permission denied.\n"


def test_too_little_memory_is_a_sentence(run, tmp_path, capsys, monkeypatch):
    fit = ["fit", run.parent / "table.csv", "-o", tmp_path / "R", *QUICK]
    said = "Not enough memory; smaller batches (batch_size), networks or data need less."
    assert complaint(capsys, *fit, "--set", "hidden=[1000000000000]") == said
    full = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), full):
        monkeypatch.setattr(VAE, "_fit", Mock(side_effect=error))
        assert complaint(capsys, *fit) == said
    monkeypatch.setattr(VAE, "_fit", Mock(side_effect=RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        main([str(a) for a in fit])
    monkeypatch.setattr(VAE, "_fit", Mock(side_effect=typer.Abort()))  # which is a RuntimeError too
    assert main([str(a) for a in fit]) == 130


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(("index", "once"), [(True, 1), (False, 0)])
def test_an_index_that_pandas_wrote_is_told(tmp_path, capsys, index, once):
    pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3))).to_csv(tmp_path / "x.csv", index=index)
    assert main(["fit", str(tmp_path / "x.csv"), "-o", str(tmp_path / "R"), *map(str, QUICK)]) == 0
    assert capsys.readouterr().err.count("The first column has no name and numbers the rows") == once


@pytest.mark.usefixtures("no_report")
def test_kills_at_random_moments_end_in_the_same_bytes(run, tmp_path, capsys):
    table = run.parent / "table.csv"
    options = [
        table,
        "--epochs",
        400,
        "--set",
        "hidden=[16]",
        "--set",
        "latent_dim=2",
        "--set",
        "average=0.99",
        "--set",
        "patience=null",
    ]
    assert main([str(a) for a in ("fit", *options, "-o", tmp_path / "whole")]) == 0
    out, rng = tmp_path / "killed", random.Random(1)
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = start("fit", *options, "-o", out, "--resume", "--checkpoint-every", 0.05)
        state = out / "checkpoint" / "state.safetensors"
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and (not state.exists() or state.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(number)
        _, said = process.communicate()
        assert process.returncode == (-9 if number == signal.SIGKILL else 130)
        if number == signal.SIGTERM:
            assert f"Stopped in epoch {len(read_metrics(out)) + 1};" in said
        assert not (out / "model.safetensors").exists()
    capsys.readouterr()
    assert main([str(a) for a in ("fit", *options, "-o", out, "--resume")]) == 0
    assert "Going on after epoch" in capsys.readouterr().err
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_help_is_quick():
    """In seconds of processor time, which a busy machine does not stretch."""
    command = [sys.executable, "-c", "from vaekit.cli import main; main(['--help'])"]
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


def test_what_is_not_there_is_said_before_the_slow_imports(run, tmp_path):
    code = """
        import sys
        from vaekit.cli import main
        verbs = "fit digit -o OUT", "evaluate OUT", f"evaluate {sys.argv[1]} digit", f"encode {sys.argv[1]} digit -o z.npy"
        assert [main(verb.split()) for verb in verbs] == [2] * 4
        assert not {"torch", "sklearn"} & sys.modules.keys()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), run]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    digit = "vaekit: There is neither a data set nor a file named 'digit' (did you mean 'digits'?)."
    no_run = "vaekit: There is no RUN at OUT; 'vaekit fit DATA -o OUT' makes one."
    assert done.stderr.splitlines() == [digit, no_run, digit, digit]
