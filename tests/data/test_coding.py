"""Tables as numbers and back, against pandas and polars themselves, and one sentence for what a column cannot hold."""

import dataclasses
import datetime
import functools
import math
import re

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from vaekit.data.coding import code_given, code_table, make_table, point_values, score_table, values_of
from vaekit.data.columns import infer_schema
from vaekit.data.filling import fill_table
from vaekit.data.frames import as_frame, finish, series_of
from vaekit.data.times import from_local, to_local
from vaekit.errors import DataError, DataTypeError, OptionError
from vaekit.nn.warp import Warps
from vaekit.schema import Column

N = 60
RNG = np.random.default_rng(1)
ZONE = "Europe/Berlin"


def holes(values, first: int):
    """The values, with every fifth one missing."""
    return [None if i % 5 == first else value for i, value in enumerate(values)]


def cycle(*values):
    return (list(values) * N)[:N]


COLUMNS = {
    "real": holes(RNG.normal(size=N).tolist(), 0),
    "rounded": holes(RNG.normal(size=N).round(2).tolist(), 1),
    "count": holes(RNG.poisson(4, N).tolist(), 2),
    "price": holes(RNG.lognormal(size=N).tolist(), 3),
    "rain": cycle(0.0, 0.5, 1.25, 7.0),
    "flag": holes(cycle(True, False, False), 4),
    "town": holes(cycle("a", "b", "c", "b"), 0),
    "when": holes([datetime.datetime(2020, 3, 1) + datetime.timedelta(hours=7 * i) for i in range(N)], 1),
    "one": [7] * N,
    "gone": [None] * N,
    "id": [f"i{i}" for i in range(N)],
}


def polars() -> pl.DataFrame:
    frame = pl.DataFrame(COLUMNS)
    return frame.with_columns(
        pl.col("town").cast(pl.Enum(["c", "b", "a"])).alias("grade"),
        pl.col("town").cast(pl.Categorical).alias("kind"),
        pl.col("when").dt.date().alias("day"),
        pl.col("when").dt.cast_time_unit("ms").alias("ms"),
        pl.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone(ZONE).alias("zoned"),
        pl.col("count").cast(pl.UInt8).alias("byte"),
        pl.col("rounded").cast(pl.Decimal(10, 2)).alias("decimal"),
        pl.col("real").cast(pl.Float32).alias("single"),
    )


def pandas() -> pd.DataFrame:
    frame = pd.DataFrame(COLUMNS)
    frame["grade"] = pd.Categorical(frame["town"], categories=["c", "b", "a"], ordered=True)
    frame["size"] = pd.Categorical(cycle(1, 2, 3, None), categories=[3, 2, 1], ordered=True)
    frame["kind"] = frame["town"].astype("category")
    frame["text"] = frame["town"].astype("string")
    frame["object"] = pd.Series(COLUMNS["town"], dtype=object)
    frame["objects"] = pd.Series(COLUMNS["flag"], dtype=object)
    frame["zoned"] = frame["when"].dt.tz_localize("UTC").dt.tz_convert(ZONE)
    frame["ns"] = frame["when"].astype("datetime64[ns]")
    frame["flag"] = frame["flag"].astype("boolean")
    frame["whole"] = frame["count"].astype("Int64")
    frame["byte"] = pd.Series(cycle(1, 2, 200), dtype="uint8")
    frame["arrow"] = frame["whole"].astype("int64[pyarrow]")
    frame["single"] = frame["real"].astype("float32")
    return frame.set_axis(pd.Index(range(100, 100 + N), name="key"))


def numpy() -> np.ndarray:
    return np.column_stack([pandas()[name].astype(float) for name in ("real", "count", "rain")])


TABLES = {
    "polars": polars,
    "pandas": pandas,
    "pyarrow": lambda: polars().drop("grade", "kind").to_arrow(),
    "numpy": numpy,
}


@pytest.fixture(params=TABLES)
def table(request):
    return TABLES[request.param]()


def learned(table):
    """The table as narwhals sees it, its schema, and its codes."""
    frame, container = as_frame(table)
    schema, _ = infer_schema(frame, container)
    return frame, schema, code_table(frame, schema)


@functools.cache
def of_polars():
    return learned(polars())


def cells(series) -> list:
    """The cells of a narwhals series, None where missing."""
    return [
        None if missing or value != value else value for value, missing in zip(series, series.is_null(), strict=True)
    ]


def same(a, b) -> bool:
    """Whether two tables agree in every cell, name and type."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    return a.schema == b.schema and a.equals(b) if isinstance(a, (pl.DataFrame, pa.Table)) else a.equals(b)


# -- codes and back ----------------------------------------------------------------------------------------------------


def test_codes_are_values_again(table):
    """Each observed cell, coded and read again, in its own type."""
    frame, schema, codes = learned(table)
    for j, column in enumerate(schema.modelled):
        seen = ~np.isnan(codes[:, j])
        backend = "polars" if schema.container == "numpy" else schema.container
        found = series_of(column, values_of(codes[seen, j].astype(np.float64), column), backend)
        expected = frame[column.name].filter(seen.tolist())
        assert found.dtype == expected.dtype, column.name
        if column.kind in ("real", "positive") and column.decimals is None:
            np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-5, atol=1e-6)
        else:
            assert cells(found) == cells(expected), column.name


def test_codes_are_numbers_warped_and_places_of_levels():
    frame, schema, codes = of_polars()
    at = {column.name: (column, codes[:, j]) for j, column in enumerate(schema.modelled)}
    column, found = at["price"]
    values = frame["price"].to_numpy().astype(float)
    warp = column.warp
    inner = warp.tail * np.arcsinh((np.log(values) - warp.centre) / warp.scale) - warp.skew
    np.testing.assert_allclose(found, (np.sinh(inner) - warp.mean) / warp.spread, rtol=1e-5, atol=1e-6)
    assert np.array_equal(np.isneginf(at["rain"][1]), frame["rain"].to_numpy() == 0)
    np.testing.assert_array_equal(at["count"][1], frame["count"].to_numpy().astype(float))
    np.testing.assert_array_equal(at["grade"][1][1:4], [1, 0, 1])  # b, c, b of c < b < a
    np.testing.assert_array_equal(at["flag"][1][:3], [1, 0, 0])


def test_times_are_days_since_1970_wherever_they_are():
    times = pd.date_range("2020-01-01", periods=N, freq="9h", tz="UTC")
    for series in (times, times.tz_convert(ZONE), times.tz_convert(None), times.as_unit("ms"), times.as_unit("ns")):
        _, schema, codes = learned(pd.DataFrame({"t": series}))
        days = Warps(schema.modelled)(pd_days(times)[:, None])[:, 0].numpy()
        np.testing.assert_allclose(codes[:, 0], days, atol=2e-4)
        assert schema.modelled[0].step == 3600.0


def pd_days(times):
    import torch

    return torch.tensor((times - pd.Timestamp("1970", tz="UTC")) / pd.Timedelta(days=1), dtype=torch.float32)


def test_columns_may_come_in_any_order(table):
    if isinstance(table, np.ndarray):
        pytest.skip("an array's columns have no names")
    frame, schema, codes = learned(table)
    turned = frame.select(list(reversed(frame.columns)))
    np.testing.assert_array_equal(code_table(turned, schema), codes)


def test_other_values_of_a_column_that_had_one_are_said():
    frame = pl.DataFrame({"x": range(30), "land": ["DE"] * 30, "one": [1.0] * 30, "yes": [True] * 30})
    schema, _ = infer_schema(*as_frame(frame), {"x": "count"})
    codes = code_table(as_frame(frame)[0], schema)
    said = "Column '%s' holds other values than %s, its only one at fit: it is no part of the model, so they are passed over."
    for name, value, word in (("land", "XX", "'DE'"), ("one", 2.0, "1.0")):
        with pytest.warns(UserWarning, match=re.escape(said % (name, word))):
            other = code_table(as_frame(frame.with_columns(pl.lit(value).alias(name)))[0], schema)
        np.testing.assert_array_equal(other, codes)
    lists, times = pl.Series([["DE"]] * 30), pl.Series([datetime.timedelta(1)] * 30)
    for changes in (
        {"land": pl.lit(None, pl.String), "one": pl.lit(None, pl.Float64)},
        {"land": lists, "one": pl.col("one").cast(pl.Float32), "yes": pl.lit(False)},
        {"land": times, "one": pl.col("one").cast(pl.Int8)},
    ):  # no warning
        np.testing.assert_array_equal(code_table(as_frame(frame.with_columns(**changes))[0], schema), codes)
    mixed = frame.to_pandas().assign(land=pd.Series([1, "DE"] * 15, dtype=object))
    np.testing.assert_array_equal(code_table(as_frame(mixed)[0], schema), codes)


def test_samples_are_rounded_as_the_column_was():
    _, schema, _ = of_polars()
    at = {column.name: column for column in schema.modelled}
    t = RNG.normal(size=200)
    rounded = values_of(t, at["rounded"])
    np.testing.assert_array_equal(rounded, rounded.round(2))
    hours = values_of(t, at["when"]) * 24
    np.testing.assert_allclose(hours, hours.round(), atol=1e-6)
    assert values_of(np.array([-math.inf, 0.3]), at["rain"])[0] == 0
    least = values_of(np.array([-9.0]), dataclasses.replace(at["price"], decimals=1))
    assert least.tolist() == [0.1]  # of a column that held no zero


# -- filling -----------------------------------------------------------------------------------------------------------


def test_filling_changes_the_missing_cells_and_nothing_else(table):
    frame, schema, codes = learned(table)
    rows, filled = {}, {}
    for j, column in enumerate(schema.modelled):
        rows[column.name] = np.flatnonzero(np.isnan(codes[:, j]))
        code = np.nanmax(codes[:, j])
        filled[column.name] = (rows[column.name], values_of(np.full(len(rows[column.name]), code), column))
    whole = fill_table(frame, schema, filled)
    assert whole.columns == frame.columns and whole.schema == frame.schema
    for column in schema.all_columns:
        before, after = frame[column.name], whole[column.name]
        kept = np.ones(len(frame), bool)
        kept[rows.get(column.name, [])] = False
        assert cells(before.filter(kept.tolist())) == cells(after.filter(kept.tolist()))
        if column.modelled:
            assert not np.isnan(code_table(whole, schema)).any()
    if isinstance(table, pd.DataFrame):
        assert (finish(whole, "pandas").dtypes == table.dtypes).all() and finish(whole, "pandas").index.equals(
            table.index
        )
    if isinstance(table, pa.Table):
        assert finish(whole, "pyarrow").schema == table.schema


def test_nothing_to_fill_is_the_same_table(table):
    frame, schema, _ = learned(table)
    assert same(finish(fill_table(frame, schema, {}), schema.container), table)


def test_made_tables_are_of_the_types_of_the_fit(table):
    frame, schema, codes = learned(table)
    values = [
        values_of(np.nan_to_num(part[:4], nan=1.0), column)
        for part, column in zip(codes.T, schema.modelled, strict=True)
    ]
    made = make_table(schema, 4, values)
    assert made.columns == frame.columns
    assert [str(made[name].dtype) for name in made.columns] == [str(frame[name].dtype) for name in frame.columns]
    if isinstance(table, pd.DataFrame):
        assert (made.to_native().dtypes == table.dtypes).all()
    if not isinstance(table, np.ndarray):
        assert made["one"].to_list() == [7] * 4
        assert made["id"].is_null().all() and made["gone"].is_null().all()


def test_running_identifiers_count_from_0():
    _, schema, _ = learned(pl.DataFrame({"id": range(5, 5 + N), "x": RNG.normal(size=N)}))
    assert make_table(schema, 3, [np.zeros(3)])["id"].to_list() == [0, 1, 2]


def test_scores_stand_where_their_cells_do(table):
    frame, schema, codes = learned(table)
    scores = score_table(frame, schema, codes.astype(np.float64))
    assert scores.columns == frame.columns
    for j, column in enumerate(schema.modelled):
        np.testing.assert_array_equal(scores[column.name].to_numpy(), codes[:, j].astype(np.float64))
    for column in schema.all_columns:
        assert column.modelled or np.isnan(scores[column.name].to_numpy()).all()
    if isinstance(table, pd.DataFrame):
        assert finish(scores, "pandas").index.equals(table.index)


# -- points ------------------------------------------------------------------------------------------------------------


def shares(*weights):
    return tuple(weight / sum(weights) for weight in weights)


def test_points_become_values():
    numbers = Column("x", "ordinal", "Int64", levels=(1, 2, 10), shares=shares(1, 1, 1))
    np.testing.assert_allclose(point_values(np.array([0.0, 0.5, 1.25]), numbers), [1, 1.5, 4])
    texts = Column("x", "ordinal", "String", levels=("low", "mid", "high"), shares=shares(1, 1, 1))
    assert point_values(np.array([0.4, 0.6, 1.9]), texts) == ["low", "mid", "high"]
    listed = Column(
        "x", "ordinal", "Enum(categories=[1, 2, 10])", "category", levels=(1, 2, 10), shares=shares(1, 1, 1)
    )
    np.testing.assert_array_equal(point_values(np.array([0.4, 0.6, 1.9]), listed), [1, 2, 10])
    colour = Column("x", "categorical", "String", levels=("r", "g", "b"), shares=shares(1, 1, 1))
    assert point_values(np.array([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), colour) == ["g", "r"]


def test_the_likeliest_level_is_no_rare_one_by_the_weight_of_its_company():
    column = Column("x", "categorical", "String", levels=("a", "b", "c", "d"), shares=shares(4, 3, 2, 1), pool=3)
    assert point_values(np.array([[0.4, 0.6], [0.2, 0.8]]), column) == ["a", "b"]  # 0.6 and 0.8 halved


# -- given values ------------------------------------------------------------------------------------------------------


def test_given_values_are_coded_as_those_of_a_table():
    table = polars()
    _, schema, codes = learned(table)
    for i, row in enumerate(table.to_dicts()):
        given = {column.name: row[column.name] for column in schema.modelled if row[column.name] is not None}
        np.testing.assert_allclose(code_given(given, schema), codes[i], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "value",
    [
        "2020-03-03T13:00:00",
        datetime.datetime(2020, 3, 3, 13),
        datetime.datetime(2020, 3, 3, 12, tzinfo=datetime.UTC),
        pd.Timestamp("2020-03-03 12:00", tz="UTC"),
        np.datetime64("2020-03-03T13:00:00"),
    ],
)
def test_a_time_without_a_zone_is_one_in_its_columns(value):
    _, schema, _ = of_polars()
    exact = code_given({"zoned": datetime.datetime(2020, 3, 3, 12, tzinfo=datetime.UTC)}, schema)
    np.testing.assert_array_equal(code_given({"zoned": value}, schema), exact)


GIVEN = [
    (OptionError, {"twon": "a"}, "given names a column 'twon' that is not there (did you mean 'town'?)."),
    (OptionError, {"id": "i3"}, "given names the column 'id', which is no part of the model."),
    (DataError, {"one": 8}, "Column 'one' has no level 8: it held only 7 at fit."),
    (DataError, {"town": "x"}, "Column 'town' has no level 'x': 'a', 'b', 'c' were there at fit."),
    (DataError, {"flag": "yes"}, "Column 'flag' has no level 'yes': False, True were there at fit."),
    (DataError, {"real": "much"}, "Column 'real' holds no value 'much': give a number."),
    (DataError, {"real": None}, "Column 'real' holds no value None: give a number."),
    (DataError, {"when": "soon"}, "Column 'when' holds no value 'soon': give a time."),
    (DataError, {"when": None}, "Column 'when' holds no value None: give a time."),
    (DataError, {"when": pd.NaT}, "Column 'when' holds no value NaT: give a time."),
    (DataError, {"when": 5}, "Column 'when' holds no value 5: give a time."),
    (DataError, {"when": True}, "Column 'when' holds no value True: give a time."),
    (
        DataError,
        {"when": datetime.datetime(2020, 3, 3, tzinfo=datetime.UTC)},
        "Column 'when' holds no value datetime.datetime(2020, 3, 3, 0, 0, tzinfo=datetime.timezone.utc): give a time "
        "without a zone.",
    ),
    (
        DataError,
        {"when": "2020-03-03T00:00:00+00:00"},
        "Column 'when' holds no value '2020-03-03T00:00:00+00:00': give a time without a zone.",
    ),
    (DataError, {"real": math.inf}, "Column 'real' holds infinity: replace it, or make it missing."),
    (DataError, {"real": math.nan}, "Column 'real' holds no value nan: give a number."),
    (DataError, {"count": -1}, "Column 'count' holds -1, but was never below 0 at fit."),
    (DataError, {"count": 1.5}, "Column 'count' holds no value 1.5: give a whole number that Int64 holds."),
    (DataError, {"count": math.inf}, "Column 'count' holds infinity: replace it, or make it missing."),
    (DataError, {"price": -1.5}, "Column 'price' holds -1.5, but was never below 0 at fit."),
]


@pytest.mark.parametrize(("error", "given", "message"), GIVEN, ids=[str(case[1]) for case in GIVEN])
def test_given_values_that_cannot_be(error, given, message):
    _, schema, _ = of_polars()
    with pytest.raises(error) as caught:
        code_given(given, schema)
    assert str(caught.value) == message


# -- other tables than at fit ------------------------------------------------------------------------------------------


def refused(error, change) -> str:
    _, schema, _ = of_polars()
    with pytest.raises(error) as caught:
        code_table(as_frame(change(polars()))[0], schema)
    return str(caught.value)


def with_values(name, values):
    return lambda frame: frame.with_columns(pl.Series(name, values, strict=False))


def test_columns_that_are_missing_or_too_many():
    assert (
        refused(DataError, lambda f: f.drop("town"))
        == "Column 'town' of the fit is missing: add it, with empty cells if nothing else is known."
    )
    assert refused(DataError, lambda f: f.rename({"town": "Town"})) == (
        "Column 'town' of the fit is missing (did you mean 'Town'?)."
    )
    assert (
        refused(DataError, lambda f: f.drop("real", "id"))
        == "Columns 'real', 'id' of the fit are missing: add them, with empty cells if nothing else is known."
    )
    extra = pl.lit(1).alias("extra")
    assert refused(DataError, lambda f: f.with_columns(extra)) == (
        "Column 'extra' is not among those of the fit: drop it."
    )
    assert refused(DataError, lambda f: f.with_columns(extra, extra.alias("more"))) == (
        "Columns 'extra', 'more' are not among those of the fit: drop them."
    )


def test_a_table_without_rows():
    assert refused(DataError, lambda f: f.head(0)) == "The table has no rows."


def test_numbers_beyond_all_reason_keep_finite_codes():
    _, schema, _ = learned(pl.DataFrame({"x": RNG.normal(size=N), "p": RNG.lognormal(size=N)}))
    table = pl.DataFrame({"x": [1e20, -1e300, 3.0], "p": [1e300, 1e-300, 2.0]})
    codes = code_table(as_frame(table)[0], schema)
    np.testing.assert_array_equal(codes[:2, 0], [1e9, -1e9])
    assert np.isfinite(codes).all() and (np.abs(codes[2]) < 10).all()


OTHER_VALUES = [
    (DataTypeError, "real", ["x"] * N, "Column 'real' is of type String, but was Float64 (real) at fit: make its cells numbers."),
    (DataTypeError, "town", [1.5] * N, "Column 'town' is of type Float64, but was String (categorical) at fit: make its cells text."),
    (DataTypeError, "flag", ["yes"] * N, "Column 'flag' is of type String, but was Boolean (binary) at fit: make its cells true or false."),
    (DataTypeError, "when", [1.5] * N, "Column 'when' is of type Float64, but was Datetime(time_unit='us', time_zone=None) (datetime) at fit: make its cells times."),
    (DataTypeError, "when", [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * N, "Column 'when' has a time zone, but had times without one at fit: convert it."),
    (DataTypeError, "zoned", [datetime.datetime(2020, 1, 1)] * N, "Column 'zoned' has no time zone, but had times in Europe/Berlin at fit: convert it."),
    (DataTypeError, "count", [datetime.date(2020, 1, 1)] * N, "Column 'count' is of type Date, but was Int64 (count) at fit: make its cells numbers."),
    (DataTypeError, "town", [datetime.date(2020, 1, 1)] * N, "Column 'town' is of type Date, but was String (categorical) at fit: make its cells text."),
    (DataError, "real", [math.inf] * N, "Column 'real' holds infinity: replace it, or make it missing."),
    (DataError, "count", cycle(3, -2, -1), "Column 'count' holds -2, but was never below 0 at fit."),
    (DataError, "count", cycle(3, 2.5), "Column 'count' holds values that are no counts, but it held only counts at fit (if impute filled in means: a draw, or the median, is a count)."),
    (DataError, "count", cycle(3, 2**25), "Column 'count' holds 3.35544e+07, but a count goes up to 2**24."),
    (DataError, "price", cycle(1.5, -0.5), "Column 'price' holds -0.5, but was never below 0 at fit."),
]  # fmt: skip


@pytest.mark.parametrize(("error", "name", "values", "message"), OTHER_VALUES)
def test_other_values_than_at_fit(error, name, values, message):
    assert refused(error, with_values(name, values)) == message


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("real", [3] * N),
        ("count", [3.0] * N),
        ("flag", cycle(0, 1)),
        ("town", pl.Series(cycle("b", "c"), dtype=pl.Categorical)),
        ("grade", cycle("b", "c")),
        ("when", [datetime.date(2020, 1, 1)] * N),
        ("real", [None] * N),
        ("town", [None] * N),
    ],
)
def test_the_same_values_in_another_type_will_do(name, values):
    _, schema, _ = of_polars()
    codes = code_table(as_frame(with_values(name, values)(polars()))[0], schema)
    place = [column.name for column in schema.modelled].index(name)
    assert np.isnan(codes[:, place]).all() == all(value is None for value in values)


@pytest.mark.parametrize(
    "make", [lambda f: f, lambda f: f.to_pandas(), lambda f: f.to_arrow()], ids=["polars", "pandas", "pyarrow"]
)
def test_levels_that_the_fit_has_not_seen_are_missing_with_a_warning(make):
    fitted = pl.DataFrame({"town": cycle("a", "b", "c"), "size": cycle(1, 2), "x": RNG.normal(size=N)})
    _, schema, _ = learned(make(fitted))
    other = fitted.with_columns(pl.Series("town", cycle("a", "y", "z", "y")))
    with pytest.warns(UserWarning) as caught:
        codes = code_table(as_frame(make(other))[0], schema)
    assert [str(warning.message) for warning in caught] == [
        "Column 'town' holds 'y', 'z', which no training row did: the model takes such cells for missing."
    ]
    np.testing.assert_array_equal(codes[:4, 0], [0, math.nan, math.nan, math.nan])
    with pytest.warns(
        UserWarning,
        match=r"^Column 'size' holds 3, which no training row did: the model takes such cells for missing\.$",
    ):
        code_table(as_frame(make(fitted.with_columns(pl.Series("size", cycle(1, 3)))))[0], schema)


@pytest.mark.parametrize("kind", ["real", "positive", "count"])
def test_means_stay_within_the_columns_range(kind):
    column = Column("x", kind, "Float64", low=0.5, high=4.0)
    np.testing.assert_array_equal(point_values(np.array([0.1, 2.0, 1e6]), column), [0.5, 2.0, 4.0])


def test_another_type_in_a_constant_column_is_refused():
    day = datetime.datetime(2020, 1, 1)
    fitted = {"land": ["DE"] * 30, "one": [1.0] * 30, "yes": [True] * 30, "day": [day] * 30}
    others = {"land": ([1], "text"), "one": (["1"], "numbers"), "yes": (["no"], "true or false"), "day": ([3], "times")}
    for of in (pl.DataFrame, pd.DataFrame):
        frame = of({"x": range(30)} | fitted)
        schema, _ = infer_schema(*as_frame(frame), {"x": "count"})
        for name, (cells, wanted) in others.items():
            changed = of({"x": range(30)} | fitted | {name: cells * 30})
            with pytest.raises(
                DataTypeError, match=rf"^Column '{name}' is of type .*\(constant\).*its cells {wanted}\."
            ):
                code_table(as_frame(changed)[0], schema)


@pytest.mark.parametrize("value", [pd.NA, np.array(["a"]), ["a"], None])
def test_what_is_no_value_is_no_level(value):
    _, schema, _ = of_polars()
    with pytest.raises(DataError, match=r"^Column 'town' has no level .*: 'a', 'b', 'c' were there at fit\.$"):
        code_given({"town": value}, schema)


def test_a_constant_time_can_be_given():
    frame = pl.DataFrame({"x": RNG.normal(size=N), "when": [datetime.datetime(2020, 1, 1)] * N})
    schema, _ = infer_schema(*as_frame(frame))
    for value in (datetime.datetime(2020, 1, 1), "2020-01-01", datetime.date(2020, 1, 1)):
        assert np.isnan(code_given({"when": value}, schema)).all()
    with pytest.raises(DataError, match="has no level '2021-01-01': it held only 2020-01-01 00:00:00 at fit"):
        code_given({"when": "2021-01-01"}, schema)


@pytest.mark.parametrize("one", [pd.Categorical([3] * N), np.full(N, True, dtype=object), [7] * N, ["a"] * N])
def test_another_value_of_a_constant_column_is_told(one):
    frame, container = as_frame(pd.DataFrame({"x": RNG.normal(size=N), "c": one}))
    schema, _ = infer_schema(frame, container)
    with pytest.raises(DataError, match="Column 'c' has no level 99: it held only"):
        code_given({"c": 99}, schema)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "UTC", "UTC+02:00"]
)
def test_days_of_a_zone_stay_days_there(zone):
    """Summer time or not; in Sao Paulo it began at midnight until 2018."""
    days = pd.date_range("2016-01-01", periods=900, freq="D")
    zone = datetime.timezone(datetime.timedelta(hours=2)) if zone == "UTC+02:00" else zone
    whole = pd.Series(days).dt.tz_localize(zone, nonexistent="shift_forward", ambiguous=True)
    frame, schema, codes = learned(pd.DataFrame({"t": whole[whole.dt.hour == 0]}))
    (column,) = schema.modelled
    assert column.step == 86400.0
    drawn = values_of(codes[:, 0].astype(float) + RNG.normal(size=len(codes)) * 0.3, column)
    times = finish(series_of(column, drawn, "pandas").to_frame(), "pandas")["t"]
    assert str(times.dt.tz) == str(zone) and (times.dt.hour == 0).mean() > 0.99
    again = series_of(column, values_of(codes[:, 0].astype(float), column), "pandas")
    assert cells(again) == cells(frame["t"])


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "UTC-03:30", None])
def test_clocks_go_there_and_back(zone):
    dtype = nw.Datetime("us", zone)
    days = 17_000 + np.arange(0, 900, 0.125)
    local = to_local(days, dtype)
    np.testing.assert_allclose(from_local(local, dtype), days, atol=1 / 24 + 1e-9)  # twice an hour in autumn
    assert (np.abs(from_local(local, dtype) - days) > 1e-6).sum() <= 3
    expected = pd.to_datetime(days, unit="D", utc=True).tz_convert(zone).tz_localize(None)
    np.testing.assert_allclose(local, (expected - pd.Timestamp("1970")) / pd.Timedelta(days=1), atol=1e-9)
