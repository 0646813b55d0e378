"""The command on tables too large for memory: the same verbs, the rows read a batch at a time."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from commands import complaint
from polars.testing import assert_frame_equal

import vaekit
from vaekit.cli import main
from vaekit.cli.rowdata import MOST_SEEN
from vaekit.cli.split import read_data, split_data
from vaekit.data import largetables, read, streams
from vaekit.data.tables import write_table

QUICK = ["--set", "hidden=[8]", "--set", "latent_dim=2", "--epochs", "3"]
KINDS = ["csv", "parquet"]


def people(n: int = 400) -> pl.DataFrame:
    """Numbers, counts, yes or no, text levels and times, with holes."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    table = pl.DataFrame(
        {
            "height": (170 + 8 * size).round(1),
            "visits": rng.poisson(np.exp(1 + 0.5 * size)),
            "member": size + rng.normal(size=n) > 0,
            "town": [["Bonn", "Ulm", "Jena"][i] for i in np.digitize(size, [-0.4, 0.4])],
            "joined": [datetime.date(2020, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 900, n)],
        }
    )
    columns = zip(table.columns, (rng.random((n, 5)) < 0.1).T, strict=True)
    return table.with_columns(pl.when(~pl.Series(gone)).then(pl.col(name)).alias(name) for name, gone in columns)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some hundred bytes are large, and 70 rows a batch."""
    for ending in largetables.LARGE:
        monkeypatch.setitem(largetables.LARGE, ending, 300)
    monkeypatch.setattr(streams, "BATCH", 70)
    monkeypatch.setattr(largetables, "BATCH", 70)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A RUN of each kind of file, beside the file."""
    folder = tmp_path_factory.mktemp("large")
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for ending in largetables.LARGE:
            patch.setitem(largetables.LARGE, ending, 300)
        patch.setattr(streams, "BATCH", 70)
        for kind in KINDS:
            write_table(people(), folder / f"people.{kind}")
            made[kind] = folder / kind
            assert main(["fit", str(folder / f"people.{kind}"), "-o", str(made[kind]), *QUICK]) == 0
    return made


def data_of(run: Path) -> Path:
    return run.parent / f"people.{run.name}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_file_is_the_table_it_is_in_memory(kind: str, runs: dict[str, Path]) -> None:
    path = data_of(runs[kind])
    data, whole = read_data(str(path), None, tabular=None), read(path)
    assert isinstance(data.X, pl.LazyFrame) and data.kind == "table"
    assert data.note == f"400 rows of 5 columns from '{path}', read a batch at a time"
    assert_frame_equal(data.X.collect(), whole.X)
    assert isinstance(read_data(str(path), None, tabular=False).X, pl.DataFrame)


def test_the_split_is_drawn_by_the_seed(runs: dict[str, Path]) -> None:
    path = data_of(runs["csv"])
    parts = [split_data(str(path), None, seed) for seed in (0, 0, 1)]
    assert [(p.record["n_train"], p.record["n_test"]) for p in parts] == [(360, 40)] * 3
    assert parts[0].X_test.equals(parts[1].X_test) and not parts[0].X_test.equals(parts[2].X_test)
    both = pl.concat([parts[0].X_train.collect(), parts[0].X_test])
    assert_frame_equal(both, read(path).X, check_row_order=False)
    assert len(parts[0].X_seen) == 360 <= MOST_SEEN


@pytest.mark.parametrize("kind", KINDS)
def test_fit_gives_a_report(kind: str, runs: dict[str, Path], capsys: Any) -> None:
    run = runs[kind]
    config = json.loads((run / "config.json").read_text())
    assert config["model"] == "TabularVAE" and (run / "report.md").exists()
    assert "read a batch at a time" in (run / "report.md").read_text()
    assert {path.name for path in (run / "plots").iterdir()} >= {"marginals.png", "latent.png", "neighbours.png"}
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)
    assert own["n"] == 40 and own["columns"]
    assert main(["evaluate", str(run), str(data_of(run)), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == own and "its test rows alone are scored" in err
    assert main(["fit", str(data_of(run)), "-o", str(run), "--resume", *QUICK]) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_impute_is_that_in_memory(kind: str, runs: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    run, out = runs[kind], tmp_path / f"filled.{kind}"
    assert main(["impute", str(run), str(data_of(run)), "-o", str(out)]) == 0
    missing = sum(people().null_count().row(0))
    assert f"{missing} missing cells filled\n" in capsys.readouterr().err
    expected = vaekit.load(run).impute(read(data_of(run)).X)
    assert_frame_equal(read(out).X, expected, abs_tol=1e-5, rel_tol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_impute_fills_levels_that_the_type_of_a_column_does_not_list(tmp_path: Path) -> None:
    levels = ["Bonn", "Jena", "Ulm"]
    fitted, later = tmp_path / "fitted.parquet", tmp_path / "later.parquet"
    table = people().with_columns(pl.col("town").cast(pl.Enum(levels)))
    table.write_parquet(fitted)
    assert main(["fit", str(fitted), "-o", str(tmp_path / "RUN"), *QUICK]) == 0
    fewer = table.with_columns(pl.col("town").cast(pl.String).replace("Jena", None).cast(pl.Enum(["Ulm", "Bonn"])))
    fewer.write_parquet(later)
    out = tmp_path / "filled.parquet"
    assert main(["impute", str(tmp_path / "RUN"), str(later), "-o", str(out)]) == 0
    expected = vaekit.load(tmp_path / "RUN").impute(fewer)
    filled = pl.read_parquet(out)
    assert filled.schema["town"] == pl.Enum(levels) and "Jena" in filled["town"]
    assert_frame_equal(filled, expected, abs_tol=1e-5, rel_tol=1e-5)


def test_score_and_encode(runs: dict[str, Path], tmp_path: Path) -> None:
    run, path = runs["parquet"], data_of(runs["parquet"])
    vae, table = vaekit.load(run), people()
    assert main(["encode", str(run), str(path), "-o", str(tmp_path / "codes.npy")]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "codes.npy"), vae.transform(table), atol=1e-5)
    assert main(["score", str(run), str(path), "-o", str(tmp_path / "s.csv"), "--samples", "5"]) == 0
    scores = pl.read_csv(tmp_path / "s.csv")["log_likelihood"].to_numpy()
    np.testing.assert_allclose(scores, vae.score_samples(table, 5), atol=1e-3)
    assert main(["score", str(run), str(path), "-o", str(tmp_path / "c.parquet"), "--samples", "5", "--cells"]) == 0
    cells = vae.cell_scores(table, 5).fill_nan(None)
    assert_frame_equal(pl.read_parquet(tmp_path / "c.parquet"), cells, abs_tol=1e-3)


def test_only_numbers_are_an_array_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rng = np.random.default_rng(0)
    write_table(rng.normal(size=(60, 2)), path)
    assert read_data(str(path), None, tabular=None).kind == "array"
    assert isinstance(read_data(str(path), "table", tabular=None).X, pl.LazyFrame)
    assert main(["fit", str(path), "-o", str(tmp_path / "RUN"), "--model", "tabular", *QUICK]) == 0
    assert main(["evaluate", str(tmp_path / "RUN")]) == 0


def test_padded_numbers_and_times_of_a_csv(tmp_path: Path) -> None:
    lines = [f"{i}, {i}.5,2020-01-01 10:{i % 60:02}:00,2020-02-{1 + i % 28:02}T10:30:00Z,a {i % 3}" for i in range(200)]
    (tmp_path / "x.csv").write_text("\n".join([" n, padded ,time,zone,word", *lines, "7,NA,,,"]))
    lazy = read_data(str(tmp_path / "x.csv"), None, tabular=None).X
    assert isinstance(lazy, pl.LazyFrame)
    assert_frame_equal(lazy.collect(), read(tmp_path / "x.csv").X)
    assert_frame_equal(lazy.tail(2).collect(engine="streaming"), read(tmp_path / "x.csv").X.tail(2))


def test_faults_are_told_in_a_sentence(runs: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    run, path = runs["csv"], tmp_path / "x.csv"
    rows = "".join(f"{i},a\n" for i in range(200))

    def fault(text: bytes, where: Path = path) -> str:
        where.write_bytes(text)
        return complaint(capsys, "fit", where, "-o", tmp_path / "RUN")

    assert fault(f"a,b\n{rows}7\n".encode()) == f"'{path}' line 202 has 1 cell, its header has 2."
    assert fault(f"a,b\n{rows}7,8,9\n".encode()) == f"'{path}' line 202 has 3 cells, its header has 2."
    assert (
        fault(f"a,b\n{rows}7,".encode() + b"\xff\n") == f"'{path}' line 202 is not UTF-8 text: save the file as UTF-8."
    )
    cut = f"a,b\n{rows}7,é".encode()[:-1]  # within a letter
    assert fault(cut) == f"'{path}' line 202 is not UTF-8 text: save the file as UTF-8."
    assert fault(f"a,a\n{rows}".encode()) == f"'{path}' has two columns named 'a'."
    assert fault(f"a,b\n{rows}7,\0\n".encode()) == f"'{path}' line 202 holds a zero byte: this is not a text file."
    damaged = tmp_path / "x.parquet"
    assert fault(b"PAR1" + b"x" * 400, damaged) == f"'{damaged}' is not a .parquet file, or it is damaged."
    whole = data_of(runs["parquet"]).read_bytes()
    assert "damaged" in fault(whole[:4] + bytes(200) + whole[204:], damaged)
    assert not (tmp_path / "RUN").exists()
    out = complaint(capsys, "impute", run, data_of(run), "-o", tmp_path / "f.csv", "--draws", "2")
    assert out == f"--draws needs a table in memory, but '{data_of(run)}' is read a batch at a time: leave it out."
    people().drop("town").write_csv(path)
    assert "town" in complaint(capsys, "impute", run, path, "-o", tmp_path / "f.csv")
    people().with_columns(height=pl.lit(float("inf"))).write_parquet(damaged)
    assert "infinity" in complaint(capsys, "impute", run, damaged, "-o", tmp_path / "f.csv")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.csv", "x.parquet"]
