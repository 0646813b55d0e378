"""The scripts in benchmarks/ and reproduce/ run with a tiny budget and write a whole record."""

import importlib.util
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import vaekit
from vaekit.data.datasets import load_dataset

ROOT = Path(__file__).resolve().parents[1]
RECORD = {"script", "command", "date", "quick", "options", "versions", "machine"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a script as when it is run: its own folder comes first, and the path is put back afterwards."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    monkeypatch.setattr(sys, "argv", ["script"])

    def by_path(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return by_path


def written(path: Path) -> dict[str, Any]:
    """The record, with the keys that each one has."""
    content = json.loads(path.read_text())
    assert content.keys() >= RECORD
    assert content["versions"]["torch"] and content["machine"]["cpu_count"]
    assert str(ROOT) not in path.read_text()
    return content


def test_a_quick_run_leaves_the_record_of_a_whole_one_alone(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    parse = load("benchmarks/_common.py").parser(None, str(tmp_path / "speed.py")).parse_args
    assert (parse([]).quick, parse([]).output) == (False, tmp_path / "results" / "speed.json")
    assert (parse(["--quick"]).quick, parse(["--quick"]).output.name) == (True, "speed_quick.json")
    for options in (["--quick", "--output", "a.json"], ["--output", "a.json", "--quick"]):
        assert (parse(options).quick, parse(options).output) == (True, Path("a.json"))


def test_a_record_that_is_added_to_says_what_was_called_before(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common, path = load("benchmarks/_common.py"), tmp_path / "speed.json"
    for number, day in enumerate(("2026-01-01", "2026-01-02", "2026-01-03")):
        monkeypatch.setattr(common, "_STARTED", day)
        for part in range(2):  # two writings of one call
            runs = [{"seed": seed} for seed in range(2 * number + part + 1)]
            common.write(path, {"command": day, "date": f"{day}T01:0{part}", "runs": runs})
    assert [call["command"] for call in json.loads(path.read_text())["earlier"]] == ["2026-01-01", "2026-01-02"]
    common.write(path, {"command": "anew", "date": "2026-01-04", "runs": [{"seed": 9}]})
    assert "earlier" not in json.loads(path.read_text())


def test_train_step(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    output = tmp_path / "train_step.json"
    load("benchmarks/train_step.py").main(["--quick", "--rounds", "2", "--output", str(output)])
    nets = written(output)["nets"]
    assert set(nets) == {"784-500-20-500-784", "64-64-8-64-64"}
    assert nets["784-500-20-500-784"]["ours"].keys() >= {"ms_per_step_median", "ratio_to_floor", "ratio_to_plain"}


def test_the_step_by_hand_trains_as_the_plain_one_does(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load("benchmarks/train_step.py")
    monkeypatch.setattr(script, "RATE", 5e-3)
    torch.manual_seed(0)
    rare = torch.linspace(0.05, 0.95, 12)
    data = (torch.rand(1000, 12) < rare).to(torch.uint8)
    first, last = {}, {}
    for name in ("by_hand", "plain"):
        run = getattr(script, name)(12, 16, 2, data)
        first[name], *_, last[name] = (run() / 10 for _ in range(60))
    entropy = float(-(rare * rare.log() + (1 - rare) * (1 - rare).log()).sum())  # of the columns, which are independent
    for name in first:
        assert first[name] == pytest.approx(12 * math.log(2), rel=0.1)
        assert last[name] == pytest.approx(entropy, rel=0.03)


def test_likelihood(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    output = tmp_path / "likelihood.json"
    options = ["--quick", "--points", "4", "--rounds", "1", "--samples", "500"]
    load("benchmarks/likelihood.py").main([*options, "--output", str(output)])
    assert written(output)["times"]["ours"]["ratio_to_floor"]["median"] > 0


def test_factor_analysis(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEKIT_DATA", raising=False)
    output = tmp_path / "factor_analysis.json"
    load("benchmarks/factor_analysis.py").main(["--quick", "--output", str(output)])
    runs = written(output)["runs"]
    assert len(runs) == 3
    for run in runs.values():  # 200 steps do not reach the target; both scores are of the same rows and units
        assert abs(run["vae"]["exact"] - run["factor_analysis"]) < 5
        assert abs(run["importance_weighted_minus_exact"]) < 0.5


def test_pretrained_encoder(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("benchmarks/pretrained_encoder.py")
    monkeypatch.setattr(script, "GRID", [(1e-3, 20)])
    output = tmp_path / "pretrained_encoder.json"
    script.main(["--quick", "--output", str(output)])
    for run in written(output)["runs"]:
        assert run["gain"] == pytest.approx(run["pretrained"]["test_accuracy"] - run["scratch"]["test_accuracy"])


def test_aevb_bound(
    load: Callable[[str], ModuleType], tmp_path: Path, vaekit_data: Callable[[str], Path], capsys: Any
) -> None:
    vaekit_data("mnist")
    script = load("reproduce/aevb_bound.py")
    output = tmp_path / "aevb_bound.json"
    options = ["--quick", "--rows", "5500", "--latent-dims", "3", "--output", str(output)]
    script.main(options)
    first = written(output)
    assert [run["published_test_elbo"] for run in first["runs"]] == [-123]
    assert output.with_suffix(".png").stat().st_size > 10_000
    script.main(options)  # what is there is not run again
    assert written(output)["runs"] == first["runs"]


def test_orderings_of_the_bound(load: Callable[[str], ModuleType]) -> None:
    script = load("reproduce/aevb_bound.py")
    good = {latent: {"test_elbo": bound} for latent, bound in script.PUBLISHED.items()}
    assert all(script.orderings(good).values())
    bad = {**good, 200: {"test_elbo": -110.0}, 5: {"test_elbo": -100.0}}
    assert not script.orderings(bad)["L = 200 within 4 nats of L = 20"]
    assert not script.orderings(bad)["L = 5 below L = 10"]


def test_aevb(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    script = load("reproduce/aevb.py")
    monkeypatch.setattr(script, "LATENT", {"mnist": (3, 5), "frey": (2,)})
    output = tmp_path / "aevb.json"
    options = ["--quick", "--output", str(output), "--models", str(tmp_path / "models")]
    script.main(options)
    parts = {part: written(tmp_path / f"aevb_{part}.json") for part in script.MAKE}
    assert len(parts["fig2"]["found"]) == 6 and len(parts["fig3"]["found"]) == 10
    assert len(parts["fig2"]["orderings"]) == 4 and all(run["test"] < 0 for run in parts["fig3"]["found"].values())
    for name in ("fig2", "fig3", "fig4_mnist", "fig4_frey", "fig5"):
        assert (tmp_path / f"aevb_{name}.png").stat().st_size > 10_000
    script.main([*options, "--parts", "fig3"])  # what is there is not done again
    assert written(tmp_path / "aevb_fig3.json")["found"] == parts["fig3"]["found"]
    with pytest.raises(SystemExit) as error:
        script.main(["--reduced", *options[1:]])
    assert str(error.value) == "aevb_fig2.json holds the quick budget: choose another --output."


def test_a_failed_ordering_stops_the_script(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    script = load("reproduce/aevb.py")
    monkeypatch.setattr(script.Figures, "_rows", lambda self, which: ())
    found = {f"fig3/1000/{method}/100000": {"test": value} for method, value in (("AEVB", -2.0), ("wake-sleep", -1.0))}
    monkeypatch.setitem(script.MAKE, "fig3", lambda figures, args, folder: figures.found.update(found))
    with pytest.raises(SystemExit) as error:
        script.main(["--reduced", "--parts", "fig3", "--output", str(tmp_path / "aevb.json")])
    assert str(error.value) == "Not as it must be: Fig. 3, N = 1000: wake-sleep below AEVB on test digits."


def test_conv(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, output = load("benchmarks/conv.py"), tmp_path / "conv.json"
    monkeypatch.setattr(script, "BATCH", 16)
    script.main(["--quick", "--output", str(output)])
    content = written(output)
    assert content["training"]["ours"].keys() >= {"ms_per_step_median", "ratio_to_floor", "ratio_to_plain"}
    assert content["equal_pixels"] > 0.99  # row by row and anew: the same images, but for rounding at a threshold
    assert content["drawing"]["anew"]["ratio_to_ours"]["median"] > 1


def test_equal_compute(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    script = load("reproduce/equal_compute.py")
    monkeypatch.setattr(script, "METHODS", {name: script.METHODS[name] for name in ("PixelCNN", "MLP VAE")})
    monkeypatch.setattr(script, "RIVALS", {"small": {"layers": 1, "channels": 4, "kernel_size": 3}})
    monkeypatch.setattr(script, "SLICE", 7)
    output = tmp_path / "equal_compute.json"
    script.main(["--quick", "--runs", str(tmp_path / "runs"), "--output", str(output)])
    content = written(output)
    X = load_dataset("digits").X[-40:]
    for row, samples in zip(content["table"], ({}, {"num_samples": 2}), strict=True):  # a slice at a time, or at once
        whole = vaekit.load(tmp_path / "runs" / script.slug(row["method"])).score_samples(X, **samples)
        assert row["test"] == pytest.approx(whole.mean(), abs=1e-3)
    assert content["best_vae_by_validation"] == "MLP VAE" and len(content["table"]) == 2
    assert all(row["curve"] and row["test"] < 0 for row in content["table"])
    assert output.with_suffix(".png").stat().st_size > 10_000
    same = ["--quick", "--runs", str(tmp_path / "runs"), "--output", str(output)]
    for part in (["--train"], ["--choose", "small"]):  # nothing is left
        script.main([*part, *same])
    with pytest.raises(SystemExit):
        script.main(["--train", "small", *same])
    assert "'small' is a rival, which only --choose trains." in capsys.readouterr().err
    speed = tmp_path / "parts" / "equal_compute_speed.json"  # whose precision a RUN has, wherever it is trained
    speed.write_text(re.sub('"precision": "[a-z0-9]*"', '"precision": "that of the speed"', speed.read_text()))
    asked: list[str] = []
    monkeypatch.setattr(script, "command", asked.extend)
    script.main(["--train", "MLP VAE", *same, "--runs", str(tmp_path / "anew")])
    assert "precision=that of the speed" in asked


def test_minutes_of_a_curve_are_epochs_of_the_quiet_machine(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    lines = [{"epoch": 1, "validation": None}, {"epoch": 2, "validation": -80.1234}, {"epoch": 3, "validation": -79.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert load("reproduce/equal_compute.py").curve(tmp_path, 90.0) == [
        {"minutes": 3.0, "log_likelihood": -80.123},
        {"minutes": 4.5, "log_likelihood": -79.0},
    ]


@pytest.mark.usefixtures("no_report")
def test_iwae_table1(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    script, output = load("reproduce/iwae_table1.py"), tmp_path / "iwae_table1.json"
    options = ["--quick", "--runs", str(tmp_path / "runs"), "--output", str(output)]
    script.main(options)
    runs = written(output)["runs"]
    assert [(run["binarize"], run["method"], run["published"]) for run in runs] == [
        (kind, method, value) for kind, values in script.PUBLISHED.items() for method, value in values.items()
    ]
    script, annealed = load("reproduce/ais_mnist.py"), tmp_path / "ais_mnist.json"
    for _ in range(2):  # the second time all is there
        script.main(["--quick", "--runs", str(tmp_path / "runs"), "--output", str(annealed)])
    runs = written(annealed)["runs"]
    assert [run["run"] for run in runs] == list(script.RUNS)
    images = load_dataset("digits").X[-20:]
    for run in runs:
        weighted = vaekit.load(tmp_path / "runs" / run["run"]).score_samples(images, num_samples=20)
        assert run["ais_importance_weighted"] == pytest.approx(weighted.mean(), abs=1e-4)
        assert run["ais_gain"] == pytest.approx(run["ais"] - run["ais_importance_weighted"], abs=1e-4)
        assert run["bdmc_gap"] == pytest.approx(run["bdmc_upper"] - run["bdmc_lower"], abs=1e-4)


def test_samples_mnist(load: Callable[[str], ModuleType], tmp_path: Path, capsys: Any) -> None:
    script, output = load("reproduce/samples_mnist.py"), tmp_path / "samples_mnist.json"
    sources = ("prior", "fitted", "reconstruction")
    runs = [
        {"model": "VAE", "seed": 0} | {source: dict.fromkeys(script.NAMES, value) for source in sources}
        for value in (1.0, 3.0)
    ]
    assert [(row["codes"], row["seeds"], row["frechet"], row["frechet_se"]) for row in script.summary(runs)] == [
        (source, 2, 2.0, 1.0) for source in sources
    ]
    script.main(["--quick", "--output", str(output)])
    content = written(output)
    assert len(content["table"]) == 6
    assert all(content["training_images"]["frechet"] < row["frechet"] for row in content["table"])


def test_cvae_mnist(load: Callable[[str], ModuleType], tmp_path: Path, capsys: Any) -> None:
    script, output = load("reproduce/cvae_mnist.py"), tmp_path / "cvae_mnist.json"
    options = ["--quick", "--models", str(tmp_path / "models"), "--output", str(output)]
    script.main(options)
    runs = written(output)["runs"]
    assert [run["model"] for run in runs] == list(script.MODELS)
    regressor, vae = runs[:2]
    assert regressor["log_likelihood"] == regressor["elbo"] > regressor["independent"]
    assert regressor["kl"] == regressor["spread_over_z"] == 0 < vae["spread_over_z"]
    assert output.with_suffix(".png").stat().st_size > 10_000
    script.main(options)  # what is there is not run again
    assert written(output)["runs"] == runs


def test_cutting_out_a_column_loses_nothing(load: Callable[[str], ModuleType]) -> None:
    task = load("reproduce/cvae_mnist.py").Task(quick=True, reduced=False)
    whole = task.whole(*task.test)
    assert whole.shape == (200, 8, 8) and set(np.unique(whole)) == {0, 1}
    rest, known = task.test
    np.testing.assert_array_equal(whole[:, :, task.column], known)
    np.testing.assert_array_equal(np.delete(whole, task.column, 2).reshape(200, -1), rest)


def test_impute(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEKIT_DATA", raising=False)
    script = load("benchmarks/impute.py")
    output = tmp_path / "impute.json"
    options = ["--quick", "--tables", "diabetes", "--output", str(output)]
    script.main([*options, "--methods", "mean", "ridge"])
    first = written(output)["runs"]
    script.main(options)
    content = written(output)
    assert content["runs"][:4] == first  # what is there is not run again
    summary = content["summary"]["by_table"]["diabetes MCAR"]
    assert set(summary["methods"]) == {"mean", "neighbours", "ridge", "forest", "TabularVAE"}
    assert summary["methods"]["mean"]["nrmse"]["mean"] == pytest.approx(1, abs=0.15)  # of the spread of 100 rows
    assert summary["methods"]["ridge"]["nrmse"]["mean"] < summary["methods"]["mean"]["nrmse"]["mean"]
    assert set(summary["ours_to_best_rival"]) == {"nrmse", "error_rate"}


def test_hidden_cells(load: Callable[[str], ModuleType]) -> None:
    script = load("benchmarks/impute.py")
    table = script.read_table("breast cancer")
    for seed in range(3):
        shares = script.hidden_cells(table, "MAR", seed).mean(0)
        assert (shares == 0).sum() == 9 and shares[shares > 0] == pytest.approx(0.3, abs=0.08)
        assert script.hidden_cells(table, "MCAR", seed).mean() == pytest.approx(0.3, abs=0.02)


def test_coverage_of_draws(load: Callable[[str], ModuleType]) -> None:
    script, rng = load("benchmarks/impute.py"), np.random.default_rng(0)
    for draw in (rng.normal, lambda size: rng.poisson(1.0, size)):
        values = draw(size=(101, 20_000, 1))
        table = script.Table("drawn", values[0].astype(float), {}, ["x"])
        found = script.coverage(table, values[1:].astype(float), np.ones(values[0].shape, bool), 0)
        assert found["coverage_rank"] == pytest.approx(0.9, abs=0.01)
    assert found["coverage"] > 0.95  # whole numbers: the interval holds more


def test_anomaly(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anomaly").mkdir()
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), np.arange(300) < 30
    X[y] += 8 * rng.normal(size=(30, 4))
    np.savez(tmp_path / "anomaly" / "glass.npz", X=X, y=y.astype(int))
    monkeypatch.setenv("VAEKIT_DATA", str(tmp_path))
    output = tmp_path / "anomaly.json"
    load("benchmarks/anomaly.py").main(["--quick", "--output", str(output)])
    content = written(output)
    assert [run["method"] for run in content["runs"]] == ["forest", "local", "TabularVAE"]
    assert all(run["roc_auc"] > 0.8 for run in content["runs"])
    assert sum(row["roc_auc_mean_rank"] for row in content["summary"]["overall"].values()) == pytest.approx(6)


def test_ranks_for_anomalies_are_of_the_seeds_that_all_methods_have(load: Callable[[str], ModuleType]) -> None:
    def run(table: str, method: str, seed: int, value: float) -> dict[str, object]:
        measures = {"roc_auc": value, "average_precision": 1 - value, "fit_seconds": 1.0, "score_seconds": 1.0}
        return {"table": table, "method": method, "seed": seed} | measures

    runs = [run("a", "forest", 0, 0.9), run("a", "TabularVAE", 0, 0.8), run("a", "forest", 1, 0.1)]
    runs += [run("b", "forest", 0, 0.5), run("b", "TabularVAE", 0, 0.5), run("c", "forest", 0, 0.7)]
    found = load("benchmarks/anomaly.py").summarise(runs)
    assert found["tables"] == 2 and found["by_table"]["a"]["forest"]["seeds"] == 1
    ours, forest = found["overall"]["TabularVAE"], found["overall"]["forest"]
    assert (ours["roc_auc_mean_rank"], forest["roc_auc_mean_rank"]) == (1.75, 1.25)  # 2 and 1, then a tie
    assert (ours["average_precision_mean_rank"], forest["average_precision_mean_rank"]) == (1.25, 1.75)
    assert ours["roc_auc_mean"] == pytest.approx(0.65) and forest["roc_auc_mean"] == pytest.approx(0.7)


def test_synthetic(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEKIT_DATA", raising=False)
    output = tmp_path / "synthetic.json"
    load("benchmarks/synthetic.py").main(["--quick", "--tables", "iris", "--output", str(output)])
    rows = {run["method"]: run for run in written(output)["runs"]}
    assert set(rows) == {"real", "shuffled", "TabularVAE", "TabularVAE, short"}
    assert rows["real"]["utility"] > 0.85 > 0.6 > rows["shuffled"]["utility"]
    assert rows["real"]["marginal"] == rows["shuffled"]["marginal"]
    assert rows["real"]["pairs"] < rows["shuffled"]["pairs"]


def test_big_table(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    output = tmp_path / "big_table.json"
    load("benchmarks/big_table.py").main(["--quick", "--output", str(output)])
    result = written(output)
    assert result["holes_left"] == 0 and result["took"]["fit"]["rows"] == 3000
    assert 0.1 < result["peak_gib"] < 4


def test_factors(load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("benchmarks/factors.py")
    monkeypatch.setattr("vaekit.evaluation.disentanglement._TREES", 2)
    monkeypatch.setattr(script, "GRID", {method: (name, values[:2]) for method, (name, values) in script.GRID.items()})
    output = tmp_path / "factors.json"
    options = ["--quick", "--epochs", "1", "--choice-seeds", "9", "--output", str(output)]
    script.main([*options, "--seeds", "0"])
    first = written(output)["runs"]
    script.main([*options, "--seeds", "0", "1"])
    content = written(output)
    assert content["runs"][: len(first)] == first and len(content["runs"]) > len(first)  # what is there stays

    def value(method: str, by: str, score: str, seed: int) -> float:
        wanted = {"method": method, "weights": content["chosen"][by][method], "seed": seed}
        (found,) = [run for run in content["runs"] if wanted.items() <= run.items()]
        return found[score]

    for by, weights in content["chosen"].items():
        assert weights["VAE"] == {}
        for method, (name, values) in script.GRID.items():
            tried = {run["weights"][name]: run[by] for run in first if run["method"] == method and run["seed"] == 9}
            assert list(tried) == list(values) and tried[weights[method][name]] == max(tried.values())
    summary, seeds = content["summary"], (0, 1)
    assert [(row["above"], row["below"], row["chosen_by"]) for row in summary["orderings"][::5]] == list(
        script.PUBLISHED
    )
    for row in summary["orderings"]:
        above, below = (
            [value(row[side], row["chosen_by"], row["score"], seed) for seed in seeds] for side in ("above", "below")
        )
        gaps = np.subtract(above, below)
        assert row["on_seeds"] == sum(gaps > 0) and row["holds"] == (gaps.mean() > 0)
        assert row["gap"]["mean"] == pytest.approx(gaps.mean()) and row["gap"]["median"] == pytest.approx(
            np.median(gaps)
        )
        assert row["gap"]["se"] == pytest.approx(np.std(gaps, ddof=1) / 2**0.5)
    for row in summary["scores"]:
        (by, *_) = [by for by, weights in content["chosen"].items() if weights[row["method"]] == row["weights"]]
        assert row["mig"]["mean"] == pytest.approx(np.mean([value(row["method"], by, "mig", seed) for seed in seeds]))


def test_few_labels(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    script, output = load("benchmarks/few_labels.py"), tmp_path / "few_labels.json"
    options = ["--quick", "--data", "digits", "--output", str(output)]
    script.main([*options, "--seeds", "0", "--methods", "scratch", "finetune_autoencoder", "features_linear"])
    first = written(output)["runs"]
    script.main([*options, "--seeds", "0", "1", "--methods", "features_linear"])
    script.main([*options, "--seeds", "0", "--methods", "m2", "m1_m2"])
    content = written(output)
    assert content["runs"][: len(first)] == first  # what is there is not run again
    rows = {row["method"]: row for row in content["summary"]}
    assert rows["features_linear"]["seeds"] == 2 and rows["scratch"]["seeds"] == rows["m1_m2"]["seeds"] == 1
    for row in rows.values():
        mine = [run for run in content["runs"] if run["method"] == row["method"] and run["setting"] == row["setting"]]
        assert row["test_error"] == pytest.approx(np.mean([run["test_error"] for run in mine]))


def test_few_labels_are_balanced_and_chosen_by_held_out_rows(load: Callable[[str], ModuleType]) -> None:
    script = load("benchmarks/few_labels.py")
    few = script.few_labels(np.arange(500) % 10, 50, seed=0)
    assert np.bincount(few[few >= 0]).tolist() == [5] * 10 and ((few < 0) | (few == np.arange(500) % 10)).all()
    base = {"data": "digits", "labels": 50, "method": "features", "seed": 0}
    good = {**base, "setting": {"C": 1.0}, "held_out_error": 5.0, "test_error": 9.0}
    bad = {**base, "setting": {"C": 9.0}, "held_out_error": 6.0, "test_error": 1.0}
    assert script.summarise([bad, good])[0]["test_error"] == 9.0
