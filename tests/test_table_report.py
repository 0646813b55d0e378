"""The report and the pictures of a table's model: the numbers are the summary's, each with what it is worth."""

import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from vaekit import TabularVAE
from vaekit.evaluation.tablescores import summarise_table
from vaekit.plots import draw_table
from vaekit.report import write_table_report
from vaekit.runs import PICTURES

DATA = {
    "source": "some_data.csv",
    "kind": "table",
    "note": "120 rows of 7 columns",
    "n_train": 100,
    "n_test": 20,
    "test": "10% of the rows",
    "split_seed": 11,
    "fingerprint": "abc123",
}


def table(n: int = 120) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    made = pl.DataFrame(
        {
            "na|me": [f"word {i}" for i in range(n)],
            "size": size.round(3),
            "cost": np.exp(1.5 * size) * (rng.random(n) < 0.8),
            "visits": rng.poisson(3, n),
            "town": [["Bonn", "Ulm", "Jena"][i] for i in np.digitize(size, [-0.5, 0.5])],
            "day": [datetime.date(2020, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 300, n)],
            "land": ["x_y"] * n,
        }
    )
    return made.with_columns(size=pl.when(pl.Series(rng.random(n) < 0.9)).then("size"))


X = table()
TRAIN, TEST = X[:100], X[100:]


@pytest.fixture(scope="module")
def model() -> TabularVAE:
    return TabularVAE(latent_dim=2, hidden=(8,), epochs=4, random_state=0, verbose=0).fit(TRAIN)


@pytest.fixture(scope="module")
def summary(model: TabularVAE) -> dict[str, Any]:
    scores = summarise_table(TRAIN, TEST, model.schema_, model.impute, lambda n: model.sample(n, random_state=0))
    return model.evaluate(TEST) | scores


def report(folder: Path, model: TabularVAE, summary: dict[str, Any]) -> str:
    model.save(folder)
    config = model._config() | {"data": DATA}
    pictures = [("curves.png", "Curves.")]
    write_table_report(folder, title="TabularVAE on people", config=config, summary=summary, pictures=pictures)
    return (folder / "report.md").read_text(encoding="utf-8")


def test_the_first_lines_say_what_it_is_and_what_it_is_worth(
    tmp_path: Path, model: TabularVAE, summary: dict[str, Any]
) -> None:
    top = report(tmp_path, model, summary).splitlines()
    assert top[2] == (
        "A variational autoencoder of mixed columns (2 latent units, 1 hidden layer of 8) of some\\_data.csv: trained on "
        "100 rows of 7 columns (5 of them modelled), scored on 20 rows that neither training nor the choice of the "
        "weights has seen."
    )
    assert top[4].startswith("**Held-out log p(x) = ") and "for independent columns under the same likelihood" in top[4]


def test_filling_is_told_beside_simpler_ways(tmp_path: Path, model: TabularVAE, summary: dict[str, Any]) -> None:
    text = report(tmp_path, model, summary)
    own, near, simple = (summary[f"imputation_rmse{end}"] for end in ("", "_neighbours", "_simple"))
    assert (
        f"numbers to within {own:.2f} of their standard deviation (nearest neighbours {near:.2f}, mean or mode {simple:.2f}), "
        in text
    )
    cells = {each["name"]: each for each in summary["columns"]}["town"]
    (row,) = re.findall(r"^\| town \| \d+ \|.*$", text, flags=re.MULTILINE)
    assert row.replace("*", "") == "| town | {} | {:.0%} | {:.0%} | {:.0%} |".format(
        *(cells[key] for key in ("cells", "model", "neighbours", "simple"))
    )
    assert row.count("**") in (2, 4, 6)
    better = {"imputation_rmse": 0.1, "imputation_error_rate": 0.0}
    assert "A simpler method" not in report(tmp_path / "better", model, summary | better)
    worse = better | {"imputation_error_rate": 1.0}
    assert "**A simpler method fills at least as well here.**" in report(tmp_path / "worse", model, summary | worse)


def test_columns_and_holes(tmp_path: Path, model: TabularVAE, summary: dict[str, Any]) -> None:
    text = report(tmp_path, model, summary)
    missing = TRAIN["size"].null_count() / 100
    low, high = TRAIN["size"].min(), TRAIN["size"].max()
    assert "| na\\|me | identifier |  | set aside: as many values as rows |" in text
    assert f"| size | real | {missing:.1%} | {low:.6g} to {high:.6g} |" in text
    assert re.search(r"\| cost \| positive \|  \| \S+ to \S+; \d\d\.\d% zeros \|", text)
    assert re.search(r"\| town \| categorical \|  \| (\w+ \d\d%, ){2}\w+ \d\d% \|", text)
    assert f"| day | datetime |  | {TRAIN['day'].min()} to {TRAIN['day'].max()} |" in text
    assert "| land | constant |  | always x\\_y |" in text
    assert f"Of the training rows {1 - missing:.1%} have every cell of the modelled columns." in text
    assert f"and nothing beside it: size in {missing:.1%}." in text
    whole = report(tmp_path / "whole", model, summary | {"patterns": [], "complete_rows": 1.0})
    assert "No cell of the modelled columns is missing in training rows." in whole


@pytest.mark.parametrize(("too_near", "plainly"), [(0.02, False), (0.10, False), (0.5, True)])
def test_copied_rows_are_said_plainly(
    too_near: float, plainly: bool, tmp_path: Path, model: TabularVAE, summary: dict[str, Any]
) -> None:
    changes = (
        {"too_near": too_near, "copies": 0.2, "copies_held_out": 0.0}
        if plainly
        else {"too_near": too_near, "copies": 0}
    )
    text = report(tmp_path, model, summary | changes)
    assert ("**more than chance, so the model may repeat rows that it was trained on**" in text) == plainly
    assert ("**no sign that rows are copied**" in text) != plainly
    assert f"seldom more than {summary['too_near_by_chance']:.1%}: **" in text
    line = "20.0% of samples, and 0.0% of held-out rows, are equal to a training row in every observed cell."
    assert (line in text) == plainly


def test_nothing_is_said_of_what_could_not_be_scored(
    tmp_path: Path, model: TabularVAE, summary: dict[str, Any]
) -> None:
    columns = [{key: each[key] for key in ("name", "kind", "missing")} for each in summary["columns"]]
    nothing = {"columns": columns, "association_mean": None, "neighbour_distance": None}
    text = report(tmp_path, model, summary | nothing)
    assert "## Filling" not in text and "## Samples" not in text and "None" not in text and "nan" not in text


def test_the_python_in_it_runs(tmp_path: Path, model: TabularVAE, summary: dict[str, Any]) -> None:
    text = report(tmp_path / "a 'run'", model, summary)
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {"X": TEST}
    exec(code, names)
    assert names["full"].shape == TEST.shape and names["new"].height == 10 and names["log_px"].shape == (20,)
    assert names["codes"].shape == (20, 2) and names["cells"].shape == TEST.shape
    assert "--given town=" in text


def test_pictures(tmp_path: Path, model: TabularVAE) -> None:
    drawn = dict(draw_table(model, TRAIN, TEST, tmp_path))
    assert list(drawn) == ["curves.png", "marginals.png", "associations.png", "neighbours.png", "latent.png"]
    assert sorted(drawn) == sorted(path.name for path in tmp_path.iterdir()) and {*drawn} <= {*PICTURES}
    for name in drawn:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG" and np.asarray(picture.convert("L")).min() < 120
    assert drawn["marginals.png"] == "Each column's observed values in training and in 1,000 rows drawn from the model."
    assert drawn["latent.png"] == (
        "Codes of 20 test rows, coloured by 'town', the column whose levels lie furthest apart."
    )


def test_pictures_of_one_column_and_of_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    options: dict[str, Any] = {"latent_dim": 1, "hidden": (4,), "epochs": 1, "random_state": 0, "verbose": 0}
    one = pl.DataFrame({"$x_1$": rng.normal(size=60)})
    names = [name for name, _ in draw_table(TabularVAE(**options).fit(one[:50]), one[:50], one[50:], tmp_path / "one")]
    assert names == ["curves.png", "marginals.png", "neighbours.png", "latent.png"]
    kinds = {f"n{j}": rng.normal(size=60) for j in range(30)} | {"t": [f"t{i % 12}" for i in range(60)]}
    many = pl.DataFrame(kinds)
    drawn = dict(draw_table(TabularVAE(**options).fit(many[:50]), many[:50], many[50:], tmp_path / "many"))
    assert drawn["marginals.png"].endswith("; 12 of 31 columns, evenly spaced.")
    assert drawn["associations.png"].endswith("; 30 of 31 columns, evenly spaced.")
