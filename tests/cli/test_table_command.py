"""The command on tables: mixed columns with holes in, filled, scored and sampled tables out, each fault in a sentence."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from commands import complaint
from polars.testing import assert_frame_equal

import vaekit
from vaekit.cli import main
from vaekit.cli.rowdata import fingerprint_of
from vaekit.cli.tableverbs import given_values
from vaekit.data import read

QUICK = ["--set", "hidden=[8]", "--set", "latent_dim=2", "--epochs", "3"]


def people(n: int = 90) -> pl.DataFrame:
    """Identifiers, numbers, counts, yes or no, text levels and dates, with holes."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    table = pl.DataFrame(
        {
            "id": [f"P{i}" for i in range(n)],
            "height": (170 + 8 * size).round(1),
            "visits": rng.poisson(np.exp(1 + 0.5 * size)),
            "member": size + rng.normal(size=n) > 0,
            "town": [["Bonn", "Ulm", "Jena"][i] for i in np.digitize(size, [-0.4, 0.4])],
            "joined": [datetime.date(2020, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 900, n)],
        }
    )
    holes = rng.random((n, 5)) < 0.1
    columns = zip(table.columns[1:], holes.T, strict=True)
    return table.with_columns(pl.when(~pl.Series(gone)).then(pl.col(name)).alias(name) for name, gone in columns)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN on a small table, made once, beside people.csv."""
    folder = tmp_path_factory.mktemp("table")
    people().write_csv(folder / "people.csv")
    assert main(["fit", str(folder / "people.csv"), "-o", str(folder / "RUN"), *QUICK]) == 0
    return folder / "RUN"


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of a model that is none of tables."""
    folder = tmp_path_factory.mktemp("vae")
    pl.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), schema=["a", "b"]).write_csv(folder / "x.csv")
    assert main(["fit", str(folder / "x.csv"), "-o", str(folder / "RUN"), *QUICK]) == 0
    return folder / "RUN"


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "x.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_table_with_holes_gets_a_tabular_model(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    kinds = {column["name"]: column["kind"] for column in config["fitted"]["schema"]["columns"]}
    assert config["model"] == "TabularVAE" and config["data"]["kind"] == "table"
    assert kinds == {
        "id": "identifier",
        "height": "real",
        "visits": "count",
        "member": "binary",
        "town": "categorical",
        "joined": "datetime",
    }
    pictures = {path.name for path in (run / "plots").iterdir()}
    assert pictures == {"curves.png", "marginals.png", "associations.png", "neighbours.png", "latent.png"}
    assert all(f"plots/{name}" in (run / "report.md").read_text() for name in pictures)


@pytest.mark.usefixtures("no_report")
def test_kinds_and_default_models(tmp_path: Path) -> None:
    whole = table(tmp_path, "a,b\n" + "".join(f"{i},{i * i % 7}.5\n" for i in range(30)))
    assert (read(whole).kind, read(whole, "table").kind) == ("array", "table")
    assert read(table(tmp_path, "a,b\n1,\n3,2.5\n")).kind == "table"
    pl.DataFrame({"a": [1.0, float("nan")]}).write_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").kind == "table"
    whole = table(tmp_path, "a,b\n" + "".join(f"{i * i % 11},{i * i % 7}.5\n" for i in range(30)))
    for name, options, model in (("1", ["--kind", "table"], "TabularVAE"), ("2", ["--model", "tabular"], "TabularVAE")):
        out = tmp_path / name
        schema = ["--set", 'schema={"a": "real"}', "--epochs", "1", "--set", "hidden=[4]"]
        assert main(["fit", str(whole), "-o", str(out), *options, *schema]) == 0
        config = json.loads((out / "config.json").read_text())
        assert config["model"] == model and config["params"]["schema"] == {"a": "real"}
        assert config["fitted"]["schema"]["columns"][0]["kind"] == "real"


def test_dates_and_times_of_a_csv(tmp_path: Path) -> None:
    text = "day,time,zone,text\n2020-02-29,2020-01-01 10:30,2020-01-01T10:30:00Z,2020-01-01\n,,,soon\n"
    frame = read(table(tmp_path, text)).X
    assert frame["day"].to_list() == [datetime.date(2020, 2, 29), None]
    assert frame["time"].to_list() == [datetime.datetime(2020, 1, 1, 10, 30), None]
    assert frame.schema["zone"] == pl.Datetime("us", "UTC") and frame.schema["text"] == pl.String
    assert read(table(tmp_path, "day\n2020-02-30\n2020-01-01\n")).X.schema["day"] == pl.String


def test_the_fingerprint_sees_values_types_and_holes() -> None:
    frame = people()
    assert fingerprint_of(frame) == fingerprint_of(people()) != fingerprint_of(frame[1:])
    none = pl.DataFrame({"a": [None, "x"]})
    empty = pl.DataFrame({"a": ["", "x"]})
    assert len({fingerprint_of(f) for f in (none, empty, none.cast(pl.Categorical))}) == 3
    times = pl.DataFrame({"a": [datetime.date(2020, 1, 1)]})
    assert fingerprint_of(times) != fingerprint_of(times.cast(pl.Datetime))


def test_impute(run: Path, tmp_path: Path, capsys: Any) -> None:
    source = run.parent / "people.csv"
    assert main(["impute", str(run), str(source), "-o", str(tmp_path / "full.csv")]) == 0
    frame, full = read(source).X, read(tmp_path / "full.csv").X
    n = sum(frame.null_count().row(0))
    assert capsys.readouterr().err.splitlines() == [f"{tmp_path / 'full.csv'}: 90 rows", f"{n} missing cells filled"]
    assert full.schema == frame.schema and not any(full.null_count().row(0))
    for name in frame.columns:
        seen = frame[name].is_not_null()
        assert full[name].filter(seen).equals(frame[name].filter(seen))
    assert_frame_equal(full, vaekit.load(run).impute(frame))
    assert main(["impute", str(run), str(source), "-o", str(tmp_path / "m.parquet"), "--statistic", "median"]) == 0
    median = pl.read_parquet(tmp_path / "m.parquet")
    assert_frame_equal(median, vaekit.load(run).impute(frame, statistic="median"))


def test_codes_come_back_as_they_were_written(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "t.csv"
    rows = [
        f"{z},{x:.2f}" for z, x in zip(rng.choice(["02134", "00501", "90210"], 60), rng.normal(size=60), strict=True)
    ]
    path.write_text("\n".join(["zip,x", *rows, ",1.0"]) + "\n")
    assert main(["fit", str(path), "-o", str(tmp_path / "R"), *QUICK]) == 0
    few = tmp_path / "few.csv"
    few.write_text("zip,x\n90210,1.5\n90210,\n")
    for source in (path, few):
        assert main(["impute", str(tmp_path / "R"), str(source), "-o", str(tmp_path / "full.csv")]) == 0
        given, full = (p.read_text().splitlines()[1:] for p in (source, tmp_path / "full.csv"))
        assert [a.split(",")[0] or b.split(",")[0] for a, b in zip(given, full, strict=True)] == [
            b.split(",")[0] for b in full
        ]
        assert set(b.split(",")[0] for b in full) <= {"02134", "00501", "90210"}
    for verb, options in (("score", []), ("score", ["--cells"]), ("encode", []), ("reconstruct", [])):
        assert main([verb, str(tmp_path / "R"), str(few), "-o", str(tmp_path / "out.csv"), *options]) == 0
    assert main(["evaluate", str(tmp_path / "R"), str(few), "--samples", "2"]) == 0


def test_draws_stand_below_each_other(run: Path, tmp_path: Path) -> None:
    source, out = run.parent / "people.csv", tmp_path / "draws.parquet"
    assert main(["impute", str(run), str(source), "-o", str(out), "--draws", "3", "--seed", "5"]) == 0
    drawn = pl.read_parquet(out)
    tables = vaekit.load(run).impute(read(source).X, draws=3, random_state=5)
    assert drawn.columns[0] == "draw" and drawn["draw"].to_list() == [m for m in (1, 2, 3) for _ in range(90)]
    for m, each in enumerate(tables, start=1):
        assert_frame_equal(drawn.filter(pl.col("draw") == m).drop("draw"), each)


def test_the_types_of_a_few_rows_are_those_of_the_fit(run: Path, tmp_path: Path) -> None:
    few = table(tmp_path, "id,height,visits,member,town,joined\nX1,170,,,,\nX2,,3,true,Ulm,\n")
    assert main(["impute", str(run), str(few), "-o", str(tmp_path / "o.parquet")]) == 0
    full, fitted = pl.read_parquet(tmp_path / "o.parquet"), people()
    assert full.schema == fitted.schema and not any(full.null_count().row(0))
    assert full["height"][1] != round(full["height"][1])


def test_scores(run: Path, tmp_path: Path) -> None:
    source, model = run.parent / "people.csv", vaekit.load(run)
    frame = read(source).X
    assert main(["score", str(run), str(source), "-o", str(tmp_path / "s.csv"), "--samples", "10"]) == 0
    rows = pl.read_csv(tmp_path / "s.csv")
    np.testing.assert_allclose(rows["log_likelihood"], model.score_samples(frame, 10), rtol=1e-5)
    np.testing.assert_allclose(rows["anomaly"], model.anomaly_scores(frame), rtol=1e-5)
    np.testing.assert_allclose(rows["elbo"], model.elbo(frame, 10), rtol=1e-5)
    cells = ["score", str(run), str(source), "-o", str(tmp_path / "c.parquet"), "--cells", "--samples", "10"]
    assert main(cells) == 0
    scored = pl.read_parquet(tmp_path / "c.parquet")
    assert scored.columns == frame.columns and scored["id"].null_count() == 90
    assert scored["town"].is_null().equals(frame["town"].is_null())
    np.testing.assert_allclose(
        scored["height"].drop_nulls(), model.cell_scores(frame, 10)["height"].drop_nans(), rtol=1e-5
    )


def test_samples_given_some_columns(run: Path, tmp_path: Path) -> None:
    given = ["town=Ulm", "member=false", "visits=2", "joined=2020-05-01"]
    options = [word for each in given for word in ("--given", each)]
    assert main(["sample", str(run), "-n", "6", "-o", str(tmp_path / "s.parquet"), *options]) == 0
    drawn = pl.read_parquet(tmp_path / "s.parquet")
    assert drawn.schema == people().schema and drawn["height"].n_unique() > 1
    fixed = drawn.select("town", "member", "visits", "joined").unique().rows()
    assert fixed == [("Ulm", False, 2, datetime.date(2020, 5, 1))]
    assert main(["sample", str(run), "-n", "6", "-o", str(tmp_path / "f.csv"), "--prior", "fitted"]) == 0
    assert pl.read_csv(tmp_path / "f.csv").height == 6


def test_encode_reconstruct_and_info(run: Path, tmp_path: Path, capsys: Any) -> None:
    source = str(run.parent / "people.csv")
    assert main(["encode", str(run), source, "-o", str(tmp_path / "z.csv")]) == 0
    assert pl.read_csv(tmp_path / "z.csv").columns == ["tabularvae0", "tabularvae1"]
    assert main(["reconstruct", str(run), source, "-o", str(tmp_path / "r.parquet")]) == 0
    assert pl.read_parquet(tmp_path / "r.parquet").schema == people().schema
    capsys.readouterr()
    assert main(["info", str(run)]) == 0
    assert "visits (count)" in capsys.readouterr().out


def test_evaluate(run: Path, tmp_path: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)
    assert own["n"] == 9 and own["bits_per_dim"] is None and own["gain_over_independent"] is not None
    assert own["imputation_rmse"] > 0 and 0 <= own["imputation_error_rate"] <= 1 and own["copies"] < 0.05
    assert [each["name"] for each in own["columns"]] == people().columns
    people(40).write_csv(tmp_path / "other.csv")
    assert main(["evaluate", str(run), str(tmp_path / "other.csv"), "--json"]) == 0
    other = json.loads(capsys.readouterr().out)
    assert other["n"] == 40 and set(other) == set(own) and other["imputation_rmse"] is None
    assert main(["evaluate", str(run)]) == 0 and "neighbour_distance" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_levels_that_the_fit_has_not_seen_are_told_in_a_sentence(run: Path, tmp_path: Path, capsys: Any) -> None:
    other = table(tmp_path, "id,height,visits,member,town,joined\nX1,170.5,1,true,Köln,2020-01-01\n")
    capsys.readouterr()
    assert main(["encode", str(run), str(other), "-o", str(tmp_path / "z.csv")]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "vaekit: Column 'town' holds 'Köln', which no training row did: the model takes such cells for missing.",
        f"{tmp_path / 'z.csv'}: 1 rows",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n,\n" + "NA,\n" * 10, "Every cell of the table is missing."),
        ("a,b,a\n1,x,2\n", "PATH has two columns named 'a'."),
        ("a,b\n1,x\n2\n", "PATH line 3 has 1 cell, its header has 2."),
        (b"a,b\n1,x\n2,\xe9\n", "PATH line 3 is not UTF-8 text: save the file as UTF-8."),
        (
            "a,b\n" + "".join(f"{i}.5,y\n" for i in range(20)) + "inf,x\n" * 9,
            "Column 'a' holds infinity: replace it, or make it missing.",
        ),
        ("a,b\n" + "inf,x\n1.5,y\n" * 9, "Column 'a' holds infinity: replace it, or make it missing."),
        (
            "a,b,c\n" + "".join(f"1,word{i},\n" for i in range(40)),
            "The table has no column that can be used (columns set aside as identifiers: 'b'; columns without any "
            "value: 'c'; columns with a single value: 'a').",
        ),
        ("a,b\n1,x\n2,y\n", "PATH has 2 rows; a fit that sets test rows aside needs at least 3."),
    ],
)
def test_tables_that_cannot_be_fitted(text: str | bytes, message: str, tmp_path: Path, capsys: Any) -> None:
    path = table(tmp_path, text)
    said = complaint(capsys, "fit", path, "-o", tmp_path / "NEW", *QUICK)
    assert said.replace(repr(str(path)), "PATH") == message
    assert not (tmp_path / "NEW").exists()


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"x": "count"}', "schema names a column 'x' that is not there."),
        (
            '{"a": "cuont"}',
            "schema gives column 'a' the kind 'cuont', which is not one of 'real', 'positive', 'count', 'binary', "
            "'ordinal', 'categorical', 'datetime', 'constant', 'text', 'identifier' (did you mean 'count'?).",
        ),
        ('{"a": "count"}', "Column 'a' holds -3, so it cannot be count."),
        ("count", "schema='count' must map names of columns to kinds, such as {'age': 'count'}."),
    ],
)
def test_a_schema_that_does_not_fit(schema: str, message: str, tmp_path: Path, capsys: Any) -> None:
    path = table(tmp_path, "a,b\n" + "-3,x\n4,y\n5,x\n" * 9)
    assert complaint(capsys, "fit", path, "-o", tmp_path / "NEW", "--set", f"schema={schema}") == message


def test_test_rows_that_do_not_suit_the_others(tmp_path: Path, capsys: Any) -> None:
    values = np.random.default_rng(0).poisson(9, 60)
    path = table(tmp_path, "a,b\n0.5,u\n" + "".join(f"{v},{'uv'[i % 2]}\n" for i, v in enumerate(values)))
    fit = ["fit", path, "-o", tmp_path / "NEW", "--seed", 22, *QUICK]  # that sets the fraction aside
    assert complaint(capsys, *fit) == (
        "The rows set aside for the test do not suit the others: Column 'a' holds values that are no counts, but it held "
        "only counts at fit (if impute filled in means: a draw, or the median, is a count). "
        """So give the column a kind that suits all, as in --set 'schema={"NAME": "real"}'."""
    )
    assert not (tmp_path / "NEW").exists()


HEAD = "id,height,visits,member,town,joined\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,height,visits,member,town\nX,1,1,true,Ulm\n",
            "Column 'joined' of the fit is missing: add it, with empty cells if nothing else is known.",
        ),
        (HEAD.replace("\n", ",age\n") + "X,1,1,,,,3\n", "Column 'age' is not among those of the fit: drop it."),
        (
            HEAD + "X,tall,,,,\n",
            "Column 'height' is of type String, but was Float64 (real) at fit: make its cells numbers.",
        ),
        (
            HEAD + "X,1,,,7,\n",
            "Column 'town' is of type Int64, but was String (categorical) at fit: make its cells text.",
        ),
        (
            HEAD + "X,1,,,,7\n",
            "Column 'joined' is of type Int64, but was Date (datetime) at fit: make its cells times.",
        ),
        (HEAD + "X,1,-1,,,\n", "Column 'visits' holds -1, but was never below 0 at fit."),
        (HEAD + "X,inf,,,,\n", "Column 'height' holds infinity: replace it, or make it missing."),
    ],
)
def test_other_tables_than_at_fit(run: Path, text: str, message: str, tmp_path: Path, capsys: Any) -> None:
    assert complaint(capsys, "impute", run, table(tmp_path, text), "-o", tmp_path / "o.csv") == message
    assert complaint(capsys, "score", run, table(tmp_path, text), "-o", tmp_path / "o.csv") == message
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["town=Paris"], "Column 'town' has no level 'Paris': 'Bonn', 'Jena', 'Ulm' were there at fit."),
        (["member=perhaps"], "Column 'member' has no level 'perhaps': False, True were there at fit."),
        (["twon=Ulm"], "given names a column 'twon' that is not there (did you mean 'town'?)."),
        (["id=P1"], "given names the column 'id', which is no part of the model."),
        (["height=tall"], "Column 'height' holds no value 'tall': give a number."),
        (["height=inf"], "Column 'height' holds infinity: replace it, or make it missing."),
        (["height=nan"], "--given height=nan gives no value."),
        (["joined=soon"], "Column 'joined' holds no value 'soon': give a time."),
        (["town"], "--given town must have the form column=value."),
        (["town=Ulm", "town=Bonn"], "--given names the column 'town' twice."),
    ],
)
def test_given_values_that_were_never_seen(
    run: Path, given: list[str], message: str, tmp_path: Path, capsys: Any
) -> None:
    options = [word for each in given for word in ("--given", each)]
    assert complaint(capsys, "sample", run, "-o", tmp_path / "s.csv", *options) == message


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000], ids=["digits", "brackets"])
def test_given_values_that_json_cannot_hold_are_text(run: Path, text: str) -> None:
    assert given_values([f"member={text}"], vaekit.load(run).schema_) == {"member": text}


def test_verbs_that_have_no_meaning(run: Path, vae: Path, tmp_path: Path, capsys: Any) -> None:
    x, out = vae.parent / "x.csv", tmp_path / "o.csv"
    assert complaint(capsys, "impute", vae, x, "-o", out) == (
        f"{vae} holds a VAE, which does not fill missing cells; fit a tabular model: --model tabular."
    )
    assert complaint(capsys, "score", vae, x, "-o", out, "--cells") == (
        f"--cells is for a tabular model; {vae} holds a VAE."
    )
    assert complaint(capsys, "sample", vae, "-o", out, "--given", "a=1") == (
        f"--given is for a tabular model; {vae} holds a VAE."
    )
    assert complaint(capsys, "evaluate", run, "--ais") == f"--ais is for a VAE of rows; {run} holds a TabularVAE."
    assert complaint(capsys, "fit", "digits", "-o", tmp_path / "NEW", "--model", "tabular") == (
        "A TabularVAE takes a table, but 'digits' holds images: --kind array flattens each."
    )
    assert complaint(capsys, "impute", run, "digits", "-o", out) == (
        "'digits' was read as images data, but the model is one of tables."
    )
    source = run.parent / "people.csv"
    assert complaint(capsys, "impute", run, source, "-o", tmp_path / "o.npy") == (
        f"{str(tmp_path / 'o.npy')!r} does not say how to write it: end it in .csv .parquet."
    )
    assert complaint(capsys, "impute", run, source, "-o", source) == (
        f"{str(source)!r} holds the data; write to another file."
    )
    assert complaint(capsys, "impute", run, source, "-o", out, "--statistic", "mode") == (
        "statistic='mode' is not one of 'mean', 'median'."
    )
    for statistic in ("mean", "median"):
        assert complaint(capsys, "impute", run, source, "-o", out, "--draws", "2", "--statistic", statistic) == (
            "--statistic has no use beside --draws, which fills in draws: leave one of them out."
        )
    drawn = table(tmp_path, HEAD.replace("\n", ",draw\n") + "X,1,1,,,,3\n")
    assert complaint(capsys, "impute", run, drawn, "-o", out, "--draws", "2") == (
        f"{str(drawn)!r} has a column 'draw', which is what --draws calls its own: rename it."
    )
    assert not list(tmp_path.glob("o.*"))


def test_a_vae_on_holes_and_text_says_what_it_needs(run: Path, tmp_path: Path, capsys: Any) -> None:
    said = complaint(capsys, "fit", run.parent / "people.csv", "-o", tmp_path / "NEW", "--model", "vae")
    assert re.match(r"Columns 'id', 'town', 'joined' hold text or other values that are not numbers;", said)


def test_resume_of_a_finished_run_changes_nothing(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(["fit", str(run.parent / "people.csv"), "-o", str(run), "--resume", *QUICK]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def test_reconstructed_rows_keep_their_identifiers(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"id": range(1001, 1061), "x": [0.1 * i for i in range(60)], "y": [i % 7 / 3 for i in range(60)]}
    )
    rows.write_csv(tmp_path / "x.csv")
    out = tmp_path / "rebuilt.csv"
    fit = ["fit", str(tmp_path / "x.csv"), "--kind", "table", "-o", str(tmp_path / "RUN"), "--epochs", "1"]
    assert main(fit) == 0
    assert main(["reconstruct", str(tmp_path / "RUN"), str(tmp_path / "x.csv"), "-o", str(out)]) == 0
    assert pl.read_csv(out)["id"].to_list() == rows["id"].to_list()
