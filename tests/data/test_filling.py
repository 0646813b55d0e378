"""Filled tables where the table to fill has other types than that of the fit; `test_coding` has those of the same."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from vaekit import TabularVAE
from vaekit.data.columns import infer_schema
from vaekit.data.filling import fill_table
from vaekit.data.frames import as_frame, finish

N = 60
TIMES = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N) * 37 % 400, "D")
FITTED = pd.DataFrame(
    {
        "text": np.array(["a", "b", "c"])[np.arange(N) % 3],
        "kind": pd.Categorical(np.array(["x", "y", "z"])[np.arange(N) % 3]),
        "grade": pd.Categorical(np.array(["l", "m", "h"])[np.arange(N) % 3], categories=["l", "m", "h"], ordered=True),
        "flag": np.arange(N) % 2 == 0,
        "when": TIMES,
        "count": np.arange(N) % 7,
        "real": np.sin(np.arange(N)),
        "only": "one",
        "once": TIMES[0],
    },
    index=range(100, 100 + N),
)


def filled(table, name: str, rows: list[int], values):
    """The column after these rows of it are filled, by the schema of `FITTED`."""
    schema, _ = infer_schema(*as_frame(FITTED))
    columns = tuple(column for column in schema.all_columns if column.name == name)
    frame = as_frame(table)[0]
    whole = fill_table(frame, type(schema)(columns, "pandas"), {name: (np.array(rows), values)})
    return finish(whole, "pandas")[name]


VALUES = {
    "text": ["c", "a", "b"],
    "kind": ["z", "x", "y"],
    "grade": ["h", "l", "m"],
    "flag": np.array([1.0, 0.0, 1.0]),
    "when": np.array([18262.0, 18263.0, 18300.5]),
    "count": np.array([3.0, 0.0, 6.0]),
    "real": np.array([0.5, -0.5, 0.25]),
    "only": None,
    "once": None,
}


@pytest.mark.parametrize("gone", [np.nan, pd.NaT])
@pytest.mark.parametrize("name", list(VALUES))
def test_a_column_without_any_value_takes_the_values_of_the_fit(name, gone):
    """As pandas has it of type float64 where a file had empty cells alone."""
    table = FITTED.head(3).assign(**{name: gone})[[name]]
    found = filled(table, name, [0, 1, 2], VALUES[name])
    expected = [FITTED[name].iloc[0]] * 3 if VALUES[name] is None else VALUES[name]
    if name == "when":
        expected = pd.Timestamp("1970-01-01") + pd.to_timedelta(expected, "D")
    assert found.tolist() == list(expected) and found.index.equals(table.index)
    assert found.dtype.kind == FITTED[name].dtype.kind or name == "count"


def test_a_column_without_any_value_takes_the_zone_of_the_fit():
    fitted = pd.DataFrame({"when": TIMES.tz_localize("Europe/Berlin"), "real": FITTED["real"].to_numpy()})
    vae = TabularVAE(2, (8,), epochs=1, random_state=0, verbose=0).fit(fitted)
    found = vae.impute(fitted.head(3).assign(when=pd.Series([pd.NaT] * 3, dtype="datetime64[ns]")))
    assert found["when"].notna().all() and found["when"].dtype == vae.sample(1)["when"].dtype


def test_ordered_levels_of_a_fit_fill_a_table_of_pyarrow():
    vae = TabularVAE(2, (8,), epochs=1, random_state=0, verbose=0).fit(FITTED)
    few = FITTED.head(4).reset_index(drop=True).assign(grade=FITTED["grade"].iloc[:4].where([True, False] * 2).array)
    found = vae.impute(pa.Table.from_pandas(few))["grade"].to_pylist()
    assert found[0::2] == few["grade"].iloc[0::2].tolist() and set(found) <= {"l", "m", "h"}


def test_categories_that_a_table_does_not_list_are_added():
    few = FITTED[["kind"]].iloc[[0, 3, 6]].copy()
    few["kind"] = few["kind"].cat.remove_unused_categories()
    few.iloc[1] = None
    found = filled(few, "kind", [1], ["z"])
    assert found.tolist() == ["x", "z", "x"] and found.cat.categories.tolist() == ["x", "y", "z"]
    few = FITTED[["grade"]].iloc[[1, 4]].copy()
    few["grade"] = few["grade"].cat.remove_unused_categories()
    few.iloc[1] = None
    assert filled(few, "grade", [1], ["l"]).dtype == FITTED["grade"].dtype
    other = pd.DataFrame({"text": pd.Categorical(["q", None])})
    found = filled(other, "text", [1], ["b"])
    assert found.tolist() == ["q", "b"] and found.cat.categories.tolist() == ["q", "b"]
    enum = pl.DataFrame({"text": pl.Series(["a", None], dtype=pl.Enum(["a"]))})
    assert filled(enum, "text", [1], ["c"]).to_list() == ["a", "c"]


def test_dates_are_the_nearest():
    dates = pl.DataFrame({"day": TIMES}).select(pl.col("day").dt.date())
    schema, _ = infer_schema(*as_frame(dates))
    holes = dates.with_columns(day=pl.when(pl.int_range(N) < 3).then(None).otherwise("day"))
    whole = fill_table(as_frame(holes)[0], schema, {"day": (np.arange(3), np.array([18262.4, 18262.6, 18263.0]))})
    assert [str(day) for day in whole["day"].to_list()[:3]] == ["2020-01-01", "2020-01-02", "2020-01-02"]


def test_times_of_another_zone_become_those_of_the_table():
    fitted = pd.DataFrame({"when": TIMES.tz_localize("UTC")})
    schema, _ = infer_schema(*as_frame(fitted))
    for zone in ("America/New_York", "Europe/Berlin"):
        table = pd.DataFrame({"when": TIMES.tz_localize(zone)[:3]})
        table.iloc[1] = pd.NaT
        whole = fill_table(as_frame(table)[0], schema, {"when": (np.array([1]), np.array([18262.5]))}).to_native()
        assert whole.dtypes.equals(table.dtypes)
        assert whole["when"][1] == pd.Timestamp("2020-01-01 12:00", tz="UTC") and whole["when"][2] == table["when"][2]


@pytest.mark.parametrize("fit", [pl.String, pl.Categorical, pl.Enum(["x", "y", "z"])])
def test_batches_of_a_lazy_table_have_the_types_that_it_says(fit):
    """Where no cell of a column has a value, or its type lists fewer levels."""
    x = np.sin(np.arange(N))
    fitted = pl.DataFrame({"k": pl.Series(["x", "y", "z"] * (N // 3)).cast(fit), "x": x})
    model = TabularVAE(2, (4,), epochs=2, random_state=0, verbose=0).fit(fitted)
    few = ["x"] + [None] * 9
    for given in (
        pl.Series(few, dtype=pl.Enum(["x"])),
        pl.Series(few, dtype=pl.String),
        pl.Series(few, dtype=pl.Categorical),
        pl.Series([None] * 10, dtype=pl.Float64),
        pl.Series([float("nan")] * 10),
        pl.Series([None] * 10),
    ):
        table = pl.DataFrame({"k": given, "x": x[:10]})
        now, later = model.impute(table), model.impute(table.lazy()).collect()
        assert now["k"].null_count() == later["k"].null_count() == 0
        assert now["k"].cast(pl.String).to_list() == later["k"].cast(pl.String).to_list()
        if given.dtype in (pl.String, pl.Categorical):
            assert now["k"].dtype == later["k"].dtype == given.dtype
