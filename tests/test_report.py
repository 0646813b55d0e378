"""The report: its numbers are the summary's, and it says plainly what they are worth."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

import vaekit
from vaekit import VAE, Autoencoder
from vaekit.report import plus_minus, write_report

QUICK: dict[str, Any] = {"hidden": (16,), "epochs": 4, "random_state": 0, "verbose": 0}
IRIS = load_iris().data
IMAGES = load_digits().images[:200].astype(np.uint8)
DATA = {
    "source": "some_data.csv",
    "kind": "table",
    "note": "150 rows of 4 columns",
    "n_train": 120,
    "n_test": 30,
    "test": "10% of the rows",
    "split_seed": 11,
    "fingerprint": "abc123",
}
PICTURES = [("curves.png", "Curves | of *training*."), ("samples.png", "Samples.")]


def report(
    folder: Path, estimator: Any, X: Any, *, changes: dict[str, Any] | None = None, **data: Any
) -> tuple[str, dict[str, Any]]:
    """Fit, save, write the report and give it with the summary."""
    estimator.fit(X).save(folder)
    config = estimator._config() | {"data": DATA | data}
    summary = estimator.evaluate(X[:30]) | (changes or {})
    write_report(folder, title="VAE on flowers", config=config, summary=summary, pictures=PICTURES)
    return (folder / "report.md").read_text(encoding="utf-8"), summary


def row(text: str, name: str) -> tuple[float, float | None]:
    """Value and standard error in a row of the table of scores."""
    (found,) = re.findall(rf"^\| {re.escape(name)} \| (\S+)(?: ± (\S+))? \|", text, flags=re.MULTILINE)
    return float(found[0]), float(found[1]) if found[1] else None


def test_the_numbers_are_the_summarys(tmp_path: Path) -> None:
    text, summary = report(tmp_path, VAE(latent_dim=3, **QUICK), IRIS)
    names = {
        "log p(x), importance-weighted bound": "log_likelihood",
        "the same, independent features": "independent",
        "gain over independent features": "gain_over_independent",
        "ELBO": "elbo",
        "reconstruction": "reconstruction",
        "KL": "kl",
    }
    for name, key in names.items():
        value, error = row(text, name)
        assert value == pytest.approx(summary[key], abs=0.06 * summary[f"{key}_se"])
        assert error == pytest.approx(summary[f"{key}_se"], rel=0.06)
    assert f"| active units | {summary['active_units']} of 3 |" in text
    assert "bits per dimension |" not in text
    assert "density per unit of each column" in text


@pytest.mark.parametrize(("changes", "plain"), [({}, True), ({"beta": 4}, False), ({"free_bits": 0.1}, False)])
def test_what_training_raised_is_named_once(changes: dict[str, Any], plain: bool, tmp_path: Path) -> None:
    text, _ = report(tmp_path, VAE(latent_dim=3, **QUICK, **changes), IRIS)
    assert ("what training raises" in text, "Training weighted the KL otherwise" in text) == (plain, not plain)


@pytest.mark.parametrize("objective", ["iwae", "dreg", "stl"])
def test_a_bound_of_several_samples_explains_a_low_elbo(objective: str, tmp_path: Path) -> None:
    said = "a looser bound; training raised that of 3 samples, which may leave this far below |"
    options: dict[str, Any] = {"latent_dim": 3, "objective": objective, **QUICK}
    assert said in report(tmp_path / "several", VAE(samples=3, **options), IRIS)[0]
    assert "a looser bound |" in report(tmp_path / "one", VAE(samples=1, **options), IRIS)[0]


def test_the_first_ten_lines_say_what_it_is_and_what_it_is_worth(tmp_path: Path) -> None:
    text, summary = report(tmp_path, VAE(latent_dim=3, **QUICK), IRIS)
    top = "\n".join(text.splitlines()[:10])
    assert top.startswith("# VAE on flowers\n")
    assert "variational autoencoder (3 latent units, 1 hidden layer of 16, gaussian likelihood)" in top
    assert "some\\_data.csv: trained on 120 rows of 4 columns, scored on 30 rows" in top
    value = plus_minus(summary["log_likelihood"], summary["log_likelihood_se"])
    assert f"Held-out log p(x) = {value} nats a row** (importance-weighted bound, 100 samples, 30 rows)" in top
    assert "for independent features under the same likelihood: **a gain of" in top


def test_bits_per_dimension_of_discrete_data(tmp_path: Path) -> None:
    text, summary = report(tmp_path, VAE(latent_dim=3, **QUICK), IMAGES)
    value, error = row(text, "bits per dimension")
    assert value == pytest.approx(-summary["log_likelihood"] / (64 * np.log(2)), rel=0.01)
    assert error == pytest.approx(summary["log_likelihood_se"] / (64 * np.log(2)), rel=0.06)
    assert "density" not in text and "8 × 8 values" in text and "made binary" not in text


def test_binarised_grey_levels_are_named(tmp_path: Path) -> None:
    text, _ = report(tmp_path, VAE(latent_dim=3, likelihood="bernoulli", **QUICK), IMAGES)
    assert "Grey levels from 0 to 16 were made binary for training, drawn anew at each visit" in text
    assert "one fixed draw of each row" in text


@pytest.mark.parametrize(
    ("gain", "se", "plainly"), [(0.9, 0.5, True), (-3.0, 0.5, True), (1.1, 0.5, False), (40.0, 0.5, False)]
)
def test_no_gain_is_said_plainly(gain: float, se: float, plainly: bool, tmp_path: Path) -> None:
    changes = {"gain_over_independent": gain, "gain_over_independent_se": se}
    text, _ = report(tmp_path, VAE(latent_dim=1, **QUICK), IRIS, changes=changes)
    assert ("no evidence that this model knows more" in text) == plainly
    assert (f"gets e^{gain:.{1 if gain < 100 else 0}f} times the probability density" in text) != plainly


def test_one_test_row_has_no_standard_error(tmp_path: Path) -> None:
    estimator = VAE(latent_dim=1, **QUICK).fit(IRIS)
    config, summary = estimator._config() | {"data": DATA}, estimator.evaluate(IRIS[:1])
    write_report(tmp_path, title="t", config=config, summary=summary, pictures=[])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "One row has no standard error" in text
    assert row(text, "ELBO") == (pytest.approx(summary["elbo"], rel=1e-3), None)
    assert "None" not in text and "nan" not in text and "## Pictures" not in text
    assert "No epoch was completed." in text


def test_an_autoencoder_has_an_error_and_no_likelihood(tmp_path: Path) -> None:
    estimator = Autoencoder(latent_dim=2, **(QUICK | {"epochs": 60}))
    text, summary = report(tmp_path, estimator, IRIS)
    error = plus_minus(summary["mean_squared_error"], summary["mean_squared_error_se"])
    assert f"**Held-out mean squared error = {error}** (30 rows) against" in text
    assert f"against {summary['mean_squared_error_of_mean']:.4g} for predicting the training mean" in text
    assert "**no likelihood**" in text and "log p(x)" not in text and "vaekit sample" not in text
    assert "not below that of the mean" not in text
    assert f"Active units: {summary['active_units']} of 2 (those" in text and summary["active_units"] in (0, 1, 2)


def test_an_autoencoder_no_better_than_the_mean_is_said_plainly(tmp_path: Path) -> None:
    changes = {"mean_squared_error": 0.95, "mean_squared_error_se": 0.1, "mean_squared_error_of_mean": 1.0}
    text, _ = report(tmp_path, Autoencoder(latent_dim=2, **QUICK), IRIS, changes=changes)
    assert "The error is not below that of the mean by two standard errors" in text


def test_pictures_are_linked_with_their_captions(tmp_path: Path) -> None:
    text, _ = report(tmp_path, VAE(latent_dim=1, **QUICK), IRIS)
    assert "![curves](plots/curves.png)\n\n*Curves \\| of \\*training\\*.*" in text
    assert text.index("plots/curves.png") < text.index("plots/samples.png")


def test_how_it_came_about(tmp_path: Path) -> None:
    estimator = VAE(latent_dim=1, **QUICK)
    text, _ = report(tmp_path, estimator, IRIS)
    best = estimator.history_[estimator.best_epoch_ - 1]
    assert "4 epochs of at most 4" in text
    assert f"Kept: the weights of epoch {estimator.best_epoch_} (training objective {best['train']:.6g}" in text
    assert f"held-out objective {best['validation']:.6g})" in text
    assert "120 rows for training and 30 for the test (10% of the rows, drawn with seed 11)." in text
    assert "Of the training rows, 10% were held out to choose the epoch (seed 0)." in text
    assert text.count("150 rows of 4 columns") == 1
    assert "`abc123`" in text and f"vaekit {vaekit.__version__}" in text
    for name in estimator.get_params():
        assert f"| `{name}` | `" in text or name == "callbacks"


def test_a_test_part_of_the_data_set_has_no_seed(tmp_path: Path) -> None:
    estimator = VAE(latent_dim=1, validation_fraction=None, **QUICK)
    text, _ = report(tmp_path, estimator, IRIS, test="the data set's own test part", split_seed=None)
    assert "30 for the test (the data set's own test part)." in text and "held out to choose" not in text
    assert "Every row was trained on, so the last epoch was kept." in text


def test_the_python_in_it_runs(tmp_path: Path) -> None:
    text, _ = report(tmp_path / "a 'run'", VAE(latent_dim=1, **QUICK), IRIS)
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"X": IRIS[:5]}
    exec(code, names)
    assert names["codes"].shape == (5, 1) and names["new"].shape == (10, 4) and names["log_px"].shape == (5,)


def test_numbers_have_sensible_digits() -> None:
    assert plus_minus(-91.08123, 0.4567) == "-91.08 ± 0.46"
    assert plus_minus(12345.6, 234.5) == "12346 ± 234"
    assert plus_minus(0.00123456, 0.0000321) == "0.001235 ± 0.000032"
    assert plus_minus(3.0, 0.0) == "3 ± 0"
    assert plus_minus(3.14159, None) == "3.142"
