"""Tables read a batch at a time give what the same tables give in memory."""

import errno

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from vaekit import TabularVAE
from vaekit.data import streams
from vaekit.data.coding import code_table
from vaekit.data.columns import infer_schema
from vaekit.data.frames import as_frame
from vaekit.data.streams import TableRows, as_lazy, code_lazy, infer_lazy
from vaekit.errors import DataError, DataTypeError, WriteError


@pytest.fixture
def frame(monkeypatch) -> pl.DataFrame:
    """300 rows of four kinds, with holes; read 70 at a time."""
    monkeypatch.setattr(streams, "BATCH", 70)
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "x": rng.normal(size=300),
            "count": rng.poisson(3.0, 300),
            "word": rng.choice(["a", "b", "c"], 300),
            "day": np.datetime64("2020-01-01") + rng.integers(0, 99, 300).astype("timedelta64[D]"),
        }
    )
    return table.with_columns(pl.when(pl.int_range(300) % 4 > 0).then(pl.col("x", "word")))


def test_codes_are_those_of_the_table_in_memory(frame):
    schema, _ = infer_schema(*as_frame(frame))
    lazy_schema, notes = infer_lazy(frame.lazy(), None)
    assert lazy_schema == schema and notes == []
    expected = code_table(as_frame(frame)[0], schema)
    np.testing.assert_array_equal(code_lazy(frame.lazy(), schema).raw(slice(None)).numpy(), expected)


def test_a_disk_too_small_for_the_codes_is_told_before_it_is_full(frame, monkeypatch, tmp_path):
    schema, _ = infer_schema(*as_frame(frame))

    def full(descriptor, start, size):
        assert size == 4 * 300 * 4
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(WriteError) as caught:
        code_lazy(frame.lazy(), schema)
    assert str(caught.value) == (
        f"The codes of the table take 0.0 GiB in {tmp_path}: No space left on device; set TMPDIR to a larger disk."
    )
    assert not list(tmp_path.iterdir())


def test_levels_are_counted_over_all_rows(frame, monkeypatch):
    monkeypatch.setattr(streams, "_LOOKED_AT", 100)
    late = frame.with_columns(word=pl.when(pl.int_range(300) == 298).then(pl.lit("rare")).otherwise("word"))
    schema, _ = infer_lazy(late.lazy(), None)
    assert schema.all_columns[2] == infer_schema(*as_frame(late))[0].all_columns[2]
    many = frame.with_columns(word=pl.concat_str(pl.lit("w"), pl.int_range(300) % 120))
    column = infer_lazy(many.lazy(), {"word": "categorical"})[0].all_columns[2]
    assert column == infer_schema(*as_frame(many), {"word": "categorical"})[0].all_columns[2]
    assert column.pool == 57 and column.codes == 64


ASKED = {"code": "categorical"}


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.String])
def test_levels_asked_for_are_those_of_all_rows(dtype, monkeypatch):
    monkeypatch.setattr(streams, "_LOOKED_AT", 100)
    table = pl.DataFrame({"zip": [3, 7, 9] * 100, "x": [0.5, float("nan"), 1.5, 2.0] * 75})
    late = table.with_columns(pl.when(pl.int_range(300) > 297).then(50).otherwise("zip").cast(dtype).alias("zip"))
    levels = pl.Series([3, 7, 9, 50], dtype=pl.Int64).cast(dtype).to_list()
    for kind in ("categorical", levels):
        found, _ = infer_lazy(late.lazy(), {"zip": kind})
        expected, _ = infer_schema(*as_frame(late), {"zip": kind})
        assert found.all_columns[0] == expected.all_columns[0] and {*found.all_columns[0].levels} == {*levels}
        assert [column.n_observed for column in found.all_columns] == [300, 225]
        code_lazy(late.lazy(), found)
    with pytest.raises(DataError, match=r"^Column 'zip' holds .*, which is not one of its levels"):
        infer_lazy(late.lazy(), {"zip": levels[:3]})


def test_rare_levels_are_pooled_by_all_rows(monkeypatch):
    monkeypatch.setattr(streams, "_LOOKED_AT", 100)
    table = pl.DataFrame({"code": [*range(400), *[-1, -2, -3] * 600]})
    (found, notes), (expected, same) = (infer_lazy(table.lazy(), ASKED), infer_schema(*as_frame(table), ASKED))
    assert found == expected and notes == same and notes[-1].startswith("rare levels that share one code: 'code'")


ODD = {
    "x": [-5.0, 2.5, 2.0],  # in a column of 1, 2, 3
    "one": [8.0, 7.0],
    "word": ["v", "u"],
    "gone": ["late", None],
    "two": [1],
    "kind": ["d"],
    "sort": ["d"],
}


@pytest.mark.parametrize(("name", "odd"), [(name, odd) for name, values in ODD.items() for odd in values])
def test_one_row_of_another_kind_is_seen_among_those_not_looked_at(name, odd, monkeypatch):
    monkeypatch.setattr(streams, "_LOOKED_AT", 100)
    table = pl.DataFrame(
        {
            "x": [1.0, 2.0, 3.0, 4.0] * 75,
            "one": [7.0] * 300,
            "word": ["u"] * 300,
            "gone": pl.Series([None] * 300, dtype=pl.String),
            "id": [None, *range(299)],
            "two": [0, 2] * 150,
            "kind": pl.Series(["a", "c"] * 150, dtype=pl.Enum(["a", "b", "c", "d"])),
            "sort": pl.Series(["a", "c"] * 150, dtype=pl.Categorical),
            "far": [7 * i for i in range(300)],
        }
    )
    late = table.with_columns(pl.when(pl.int_range(300) == 298).then(pl.lit(odd)).otherwise(name).alias(name))
    found, notes = infer_lazy(late.lazy(), None)
    expected, expected_notes = infer_schema(*as_frame(late))
    for column, other in zip(found.all_columns, expected.all_columns, strict=True):
        for part in ("kind", "levels", "shares", "pool", "low", "high", "n_observed"):
            assert getattr(column, part) == getattr(other, part), (column.name, part)
    assert notes == expected_notes
    code_lazy(late.lazy(), found)


def test_a_column_without_a_place_is_named_where_not_all_rows_are_looked_at(monkeypatch):
    monkeypatch.setattr(streams, "_LOOKED_AT", 10)
    table = pl.DataFrame({"x": range(30), "lists": [[1, 2]] * 30})
    with pytest.raises(DataTypeError, match=r"^Column 'lists' is of type List\(Int64\), which has no place in a table"):
        infer_lazy(table.lazy(), None)


def test_fit_and_impute_agree_with_those_in_memory(frame, tmp_path):
    frame.write_parquet(tmp_path / "table.parquet")
    vae = TabularVAE(latent_dim=2, hidden=(8,), epochs=2, random_state=0, verbose=0)
    in_memory, streamed = vae.fit(frame).impute(frame), vae.fit(str(tmp_path / "table.parquet")).impute(frame.lazy())
    assert isinstance(streamed, pl.LazyFrame) and streamed.collect_schema() == frame.schema
    streamed.sink_parquet(tmp_path / "filled.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "filled.parquet"), in_memory, abs_tol=1e-5)
    assert_frame_equal(streamed.head(5).collect(), in_memory.head(5), abs_tol=1e-5)
    chosen = pl.col("word") == "a"
    assert_frame_equal(streamed.select("word").filter(chosen).collect(), in_memory.select("word").filter(chosen))
    with pytest.raises(DataError) as error:  # at the call, not when it is collected
        vae.impute(frame.lazy().drop("word"))
    assert str(error.value) == (
        "Column 'word' of the fit is missing: add it, with empty cells if nothing else is known."
    )
    with pytest.raises(DataError, match=r"^Column 'more' is not among those of the fit: drop it\.$"):
        vae.impute(frame.lazy().with_columns(more=1))


def test_rows_chosen_of_mapped_rows():
    rows = TableRows(torch.arange(10.0).view(5, 2)).subset([4, 2, 0]).subset([2, 0])
    assert len(rows) == 2
    assert rows.raw(slice(0, 2)).tolist() == [[0.0, 1.0], [8.0, 9.0]]


def test_what_cannot_be_streamed(frame, tmp_path):
    assert as_lazy(frame) is None
    with pytest.raises(DataError, match=r"^There is no file 'nowhere.parquet'\.$"):
        as_lazy("nowhere.parquet")
    (tmp_path / "t.xlsx").write_text("")
    with pytest.raises(DataError, match=r"is read a batch at a time only where it is a \.parquet or \.csv file"):
        as_lazy(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"^The table has no rows\.$"):
        infer_lazy(frame.head(0).lazy(), None)
