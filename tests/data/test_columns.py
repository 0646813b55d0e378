"""What kind of values a column holds: every rule, every override, and one plain sentence for what cannot be."""

import datetime

import dateutil.tz
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import scipy.stats
import torch

from vaekit.data.columns import MOST_LEVELS, fit_warp, infer_schema, scattered
from vaekit.data.frames import as_frame
from vaekit.errors import DataError, DataTypeError, OptionError
from vaekit.schema import Column, TableSchema

N = 60
RNG = np.random.default_rng(0)
DAYS = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=i % 9) for i in range(N)]
COUNTS = RNG.poisson(3, N).tolist()


def cycle(*values):
    return (list(values) * N)[:N]


def infer(values, asked=None, make=pl.DataFrame) -> tuple[Column, list[str]]:
    table = make({"x": values, "other": np.arange(len(values)) * 0.5 - 1})
    schema, notes = infer_schema(*as_frame(table), {} if asked is None else {"x": asked})
    return schema.all_columns[0], notes


def said(error, *args, **options) -> str:
    with pytest.raises(error) as caught:
        infer(*args, **options)
    return str(caught.value)


# -- the rules ---------------------------------------------------------------------------------------------------------

RULES = [
    ("no value", [None] * N, "constant"),
    ("one number", [3.5] * N, "constant"),
    ("one text", cycle("a", None), "constant"),
    ("one truth", [True] * N, "constant"),
    ("one time", [DAYS[0]] * N, "constant"),
    ("true and false", cycle(True, False, None), "binary"),
    ("two whole numbers", cycle(1, 2), "binary"),
    ("two numbers", cycle(0.5, -1.5), "binary"),
    ("two texts", cycle("yes", "no", None), "binary"),
    ("three texts", cycle("a", "b", "c", None), "categorical"),
    ("texts that are few", [f"t{i}" for i in range(20)], "categorical"),
    ("texts of which none comes twice", [f"t{i}" for i in range(N)], "identifier"),
    ("texts of which most come once", [f"t{i % 40}" for i in range(N)], "text"),
    ("texts of which each comes twice", [f"t{i % 30}" for i in range(N)], "categorical"),
    ("times", DAYS, "datetime"),
    ("running whole numbers", list(range(7, 7 + N)), "identifier"),
    ("running whole numbers, shuffled", RNG.permutation(N).tolist(), "identifier"),
    ("running whole numbers, one missing", [None, *range(1, N)], "identifier"),
    ("a few running whole numbers", list(range(10)), "count"),
    ("whole numbers with gaps", [2 * i for i in range(N)], "count"),
    ("whole numbers from 0", COUNTS, "count"),
    ("whole numbers as real ones", [float(v) for v in COUNTS], "count"),
    ("whole numbers below 0", [v - 2 for v in COUNTS], "real"),
    ("whole numbers that float32 does not hold", [2**25 + 7 * v for v in COUNTS], "real"),
    ("numbers", RNG.normal(size=N).tolist(), "real"),
    ("skewed numbers above 0", RNG.lognormal(size=N).tolist(), "positive"),
    ("skewed numbers on both sides of 0", (RNG.lognormal(size=N) - 0.5).tolist(), "real"),
    ("numbers above 0 that are not skewed", RNG.uniform(1.2, 2.1, N).tolist(), "real"),
    ("numbers and zeros", cycle(0.0, 1.5, 2.5), "positive"),
]


@pytest.mark.parametrize(("values", "kind"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_rules(values, kind):
    assert infer(values)[0].kind == kind
    assert infer(values, make=pa.table)[0].kind == kind
    assert infer(values, make=pd.DataFrame)[0].kind == kind


@pytest.mark.parametrize(
    ("series", "kind", "levels"),
    [
        (pd.Series(cycle(1, 2, None, 5), dtype="Int64"), "count", ()),
        (pd.Series(cycle(True, None, False), dtype="boolean"), "binary", (False, True)),
        (pd.Series(cycle(True, None, False), dtype=object), "binary", (False, True)),
        (pd.Series(cycle(1, 4.0, None, 3), dtype=object), "count", ()),
        (pd.Series(cycle("a", "b", "c", None), dtype=object), "categorical", ("a", "b", "c")),
        (pd.Series(pd.Categorical(cycle("a", "b", "c"), categories=list("cbaz"))), "categorical", ("c", "b", "a", "z")),
        (
            pd.Series(pd.Categorical(cycle("a", "b", "c"), categories=list("cbaz"), ordered=True)),
            "ordinal",
            ("c", "b", "a", "z"),
        ),
        (pd.Series(pd.Categorical(cycle("a", "b"), categories=list("cba"), ordered=True)), "binary", ("b", "a")),
        (pd.Series(pd.Categorical(cycle(1, 2, 3), categories=[3, 1, 2], ordered=True)), "ordinal", (3, 1, 2)),
        (pd.Series(cycle("x", "y", None, "z"), dtype="string"), "categorical", ("x", "y", "z")),
        (pd.Series(cycle("a"), dtype="category"), "constant", ("a",)),
        (pd.Series(cycle(1, None, 4, 3), dtype="int64[pyarrow]"), "count", ()),
        (pd.Series(pd.date_range("2020", periods=N, tz="Europe/Berlin")), "datetime", ()),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pd.Series) else "",
)
def test_types_of_pandas(series, kind, levels):
    column, _ = infer(series, make=pd.DataFrame)
    assert (column.kind, column.levels) == (kind, levels)
    assert column.native == str(series.dtype)


@pytest.mark.parametrize(
    ("series", "kind", "levels"),
    [
        (pl.Series(cycle("a", "b", "c"), dtype=pl.Enum(["c", "b", "a", "z"])), "ordinal", ("c", "b", "a", "z")),
        (pl.Series(cycle("b", "c", "a"), dtype=pl.Categorical), "categorical", ("a", "b", "c")),
        (pl.Series(cycle(1, 2, 7), dtype=pl.UInt8), "count", ()),
        (pl.Series(cycle("1.50", "2.25", "-3.10")).cast(pl.Decimal(10, 2)), "real", ()),
        (pl.Series(cycle(float("nan"), 1.5, -2.0, 0.1, None)), "real", ()),
        (pl.Series([day.date() for day in DAYS]), "datetime", ()),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_types_of_polars(series, kind, levels):
    column, _ = infer(series)
    assert (column.kind, column.levels) == (kind, levels)


def test_an_array_has_numbered_columns():
    X = np.column_stack([RNG.normal(size=N), COUNTS, np.arange(N) % 2])
    schema, _ = infer_schema(*as_frame(X))
    assert [(column.name, column.kind) for column in schema.all_columns] == [
        ("x0", "real"),
        ("x1", "count"),
        ("x2", "binary"),
    ]
    assert schema.container == "numpy"


def test_notes_name_what_is_left_out():
    table = pl.DataFrame(
        {
            "id": [f"t{i}" for i in range(N)],
            "row": range(N),
            "note": [f"t{i % 40}" for i in range(N)],
            "gone": [None] * N,
        }
        | {"one": [1] * N, "x": RNG.normal(size=N)}
    )
    schema, notes = infer_schema(*as_frame(table))
    assert [column.name for column in schema.modelled] == ["x"]
    assert notes == [
        "columns set aside as identifiers: 'id', 'row'",
        "columns set aside as free text: 'note'",
        "columns without any value: 'gone'",
        "columns with a single value: 'one'",
    ]


# -- what is learned ---------------------------------------------------------------------------------------------------


def test_shares_are_frequencies_smoothed_by_half_a_row():
    column, _ = infer(cycle("a", "a", "b", "c", None))
    np.testing.assert_allclose(column.shares, np.array([24.5, 12.5, 12.5]) / 49.5)


def test_rare_levels_share_a_code():
    values = [f"t{i}" for i in range(100) for _ in range(120 - i)]
    column, notes = infer(values)
    assert column.levels == tuple(f"t{i}" for i in range(100))
    assert (column.codes, column.pool) == (MOST_LEVELS, 100 - MOST_LEVELS + 1)
    assert notes == ["rare levels that share one code: 'x' (37)"]
    assert sum(column.shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("step", "seconds"), [("D", 86400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("us", 1e-6)]
)
def test_steps_of_times(step, seconds):
    times = pd.Series(pd.date_range("2020", periods=N, freq=step)).sample(frac=1, random_state=0)
    assert infer(times, make=pd.DataFrame)[0].step == pytest.approx(seconds)


@pytest.mark.parametrize(("places", "kept"), [(0, 0), (1, 1), (3, 3), (6, 6), (9, None)])
def test_decimal_places(places, kept):
    values = (RNG.normal(size=N) * 3).round(places)
    assert infer(values.tolist(), "real")[0].decimals == kept


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (np.append(np.exp(RNG.normal(size=N)).round(2), 2.5e9), 2),
        (np.append(np.exp(RNG.normal(size=N)), 2.5e9), None),
        (RNG.normal(size=N) * 1e-11, None),
        (np.append(RNG.normal(size=N) * 1e-11, 0.5), None),
        (RNG.integers(-3, 4, N) * 0.1 + 0.2, 1),
        (RNG.integers(1, 9, N) * 1e12 + 0.25, 2),
    ],
)
def test_decimal_places_are_those_of_every_value_whatever_their_size(values, kept):
    column, _ = infer(values.tolist(), "real")
    assert column.decimals == kept


def test_rows_that_alternate_are_all_looked_at():
    rng = np.random.default_rng(0)
    pulse, ratio = np.round(rng.normal(70, 10, 20_000)), rng.normal(0.5, 0.1, 20_000)
    column, _ = infer(np.stack([pulse, ratio], 1).ravel())
    assert column.decimals is None and 0.5 < column.warp.centre < 65 and column.warp.scale > 20  # both were seen
    index = scattered(100_000, 20_000)
    assert len(np.unique(index)) == 20_000 and 0.45 < (index % 5).mean() / 4 < 0.55 and np.ptp(np.diff(index)) <= 8
    assert scattered(7, 20).tolist() == list(range(7)) and scattered(7, 7).tolist() == list(range(7))


def test_zeros_of_a_positive_column_are_counted_and_left_out_of_its_warp():
    numbers = RNG.lognormal(1, 0.5, 300).tolist()
    column, alone = infer([0.0] * 100 + numbers)[0], infer(numbers, "positive")[0]
    assert (column.kind, column.zeros, column.low) == ("positive", 100.5 / 401, 0.0)
    assert column.warp == alone.warp and alone.zeros == 0.5 / 301 and alone.low == min(numbers)


@pytest.mark.parametrize(
    "values",
    [
        scipy.stats.norm(40, 7).rvs(2000, random_state=0),
        scipy.stats.t(4).rvs(2000, random_state=0),
        scipy.stats.gamma(3).rvs(2000, random_state=0),
        -scipy.stats.gumbel_r(5, 2).rvs(2000, random_state=0),
    ],
    ids=["normal", "heavy tails", "skewed to the right", "skewed to the left"],
)
def test_a_warp_makes_values_about_normal(values):
    warp = fit_warp(values)
    sinh_of = np.arcsinh((values - warp.centre) / warp.scale)
    t = (np.sinh(warp.tail * sinh_of - warp.skew) - warp.mean) / warp.spread
    assert (t.mean(), t.std()) == pytest.approx((0, 1), abs=1e-6)
    assert abs(scipy.stats.skew(t)) < 0.25 and abs(scipy.stats.kurtosis(t)) < 0.5


def test_a_warp_keeps_a_normal_column_as_it_is():
    warp = fit_warp(scipy.stats.norm(40, 7).rvs(20_000, random_state=0))
    assert (warp.skew, warp.tail) == pytest.approx((0, 1), abs=0.05)


def test_a_schema_survives_json():
    import json

    table = pd.DataFrame(
        {"a": cycle("x", "y", "z"), "n": COUNTS, "t": DAYS, "p": RNG.lognormal(size=N), "b": cycle(True, False)}
    )
    schema, _ = infer_schema(*as_frame(table))
    assert TableSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


# -- what the user says ------------------------------------------------------------------------------------------------

OVERRIDES = [
    (COUNTS, "real"),
    (COUNTS, "positive"),
    (COUNTS, "ordinal"),
    (COUNTS, "categorical"),
    (COUNTS, "text"),
    (COUNTS, "identifier"),
    (list(range(N)), "count"),
    (list(range(N)), "real"),
    (cycle(0, 1), "count"),
    (cycle(0, 1), "ordinal"),
    (cycle("a", "b", "c"), "ordinal"),
    ([f"t{i % 40}" for i in range(N)], "categorical"),
    (RNG.uniform(1, 2, N).tolist(), "positive"),
    ([3.5] * N, "constant"),
    ([3.5] * N, "real"),
    (DAYS, "identifier"),
    ([DAYS[0]] * N, "datetime"),
]


@pytest.mark.parametrize(("values", "kind"), OVERRIDES)
def test_overrides(values, kind):
    assert infer(values, kind)[0].kind == kind


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table])
def test_the_levels_of_an_ordinal_column(make):
    column, _ = infer(cycle("low", "high", None), ["low", "mid", "high"], make=make)
    assert (column.kind, column.levels) == ("ordinal", ("low", "mid", "high"))
    np.testing.assert_allclose(column.shares, np.array([20.5, 0.5, 20.5]) / 41.5)
    assert infer(cycle(1, 2, 5), (5, 2, 1), make=make)[0].levels == (5, 2, 1)


IMPOSSIBLE = [
    (OptionError, COUNTS, "cuont", "schema gives column 'x' the kind 'cuont', which is not one of 'real', 'positive', 'count', 'binary', 'ordinal', 'categorical', 'datetime', 'constant', 'text', 'identifier' (did you mean 'count'?)."),
    (OptionError, COUNTS, 5, "schema gives column 'x' 5: give a kind, or a list of two levels at least, numbers or text, each once."),
    (OptionError, COUNTS, [], "schema gives column 'x' []: give a kind, or a list of two levels at least, numbers or text, each once."),
    (OptionError, COUNTS, [0, False, 1], "schema gives column 'x' [0, False, 1]: give a kind, or a list of two levels at least, numbers or text, each once."),
    (OptionError, COUNTS, [0, 1, float("nan")], "schema gives column 'x' [0, 1, nan]: give a kind, or a list of two levels at least, numbers or text, each once."),
    (OptionError, COUNTS, [0, 1, None], "schema gives column 'x' [0, 1, None]: give a kind, or a list of two levels at least, numbers or text, each once."),
    (OptionError, COUNTS, ["a", "b", "a"], "schema gives column 'x' ['a', 'b', 'a']: give a kind, or a list of two levels at least, numbers or text, each once."),
    (DataError, [1.5, -2.0, 3.0], "positive", "Column 'x' holds -2, so it cannot be positive."),
    (DataError, [0.0, 0.0], "positive", "Column 'x' holds no number above 0, so it cannot be positive."),
    (DataError, [1, -2, 3], "count", "Column 'x' holds -2, so it cannot be count."),
    (DataError, [1.5, 2.0], "count", "Column 'x' holds other values than whole numbers up to 2**24, so it cannot be a count."),
    (DataError, [2**24 + 2, 1], "count", "Column 'x' holds other values than whole numbers up to 2**24, so it cannot be a count."),
    (DataError, [1, 2, 3], "binary", "Column 'x' holds 3 different values, so it is not binary."),
    (DataError, [2, 2], "binary", "Column 'x' holds a single value, so it is not binary."),
    (DataError, [2, 2], "ordinal", "Column 'x' holds a single value, so it is not ordinal."),
    (DataError, ["a", "a"], "categorical", "Column 'x' holds a single value, so it is not categorical."),
    (DataError, [1, 2, 3], "constant", "Column 'x' holds 3 different values, so it is not constant."),
    (DataError, DAYS[:3], "constant", "Column 'x' holds 3 different values, so it is not constant."),
    (DataError, [1, 2, 3], "datetime", "Column 'x' holds no times, so it cannot be datetime."),
    (DataError, DAYS, "real", "Column 'x' holds times, so it cannot be real."),
    (DataError, DAYS, "categorical", "Column 'x' holds times, so it cannot be categorical."),
    (DataError, DAYS, ["a", "b"], "Column 'x' holds times, so it cannot be ordinal."),
    (DataError, ["a", "b"], "real", "Column 'x' is text, so it cannot be real: make its cells numbers, and empty where these are missing."),
    (DataError, ["a", "b"], "datetime", "Column 'x' is text, so it cannot be datetime: make its cells times, and empty where these are missing."),
    (DataError, ["a", "b"], ["a", "c"], "Column 'x' holds 'b', which is not one of its levels 'a', 'c'."),
    (DataError, ["a", "b"], [0, 1], "Column 'x' holds 'a', which is not one of its levels 0, 1."),
    (DataError, [1, 2, 4], [1, 2, 3], "Column 'x' holds 4, which is not one of its levels 1, 2, 3."),
    (DataError, [1, 2, 4], ["a", "b"], "Column 'x' holds 1, which is not one of its levels 'a', 'b'."),
    (DataTypeError, ["a", "b"], ["a", 1], "Column 'x' has levels 'a', 1: make them all text, or all numbers."),
]  # fmt: skip


@pytest.mark.parametrize(("error", "values", "asked", "message"), IMPOSSIBLE, ids=[f"{case[2]}" for case in IMPOSSIBLE])
@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table])
def test_overrides_that_cannot_be(error, values, asked, message, make):
    assert said(error, values, asked, make=make) == message


def test_a_column_that_is_not_there():
    with pytest.raises(OptionError) as caught:
        infer_schema(*as_frame(pd.DataFrame({"age": [1, 2], "height": [1.5, 2.5]})), {"agee": "real"})
    assert str(caught.value) == "schema names a column 'agee' that is not there (did you mean 'age'?)."


# -- tables that cannot be used ----------------------------------------------------------------------------------------

NO_PLACE = "numbers, true and false, text, categories and times do; drop it or turn it into one of these."


def refused(error, table) -> str:
    with pytest.raises(error) as caught:
        infer_schema(*as_frame(table))
    return str(caught.value)


def test_tables_without_anything_to_learn_from():
    assert refused(DataError, pd.DataFrame({"a": []})) == "The table has no rows."
    assert refused(DataError, pd.DataFrame(index=range(4))) == (
        "The table has 0 feature(s) (shape=(4, 0)) while a minimum of 1 is required."
    )
    assert refused(DataError, pd.DataFrame({"a": [1]})) == (
        "The table has 1 sample, but there is nothing to learn from fewer than 2."
    )
    assert (
        refused(DataError, pl.DataFrame({"a": [None] * 4, "b": [float("nan")] * 4}))
        == "Every cell of the table is missing."
    )
    table = pl.DataFrame({"a": [None] * N, "b": [f"t{i}" for i in range(N)], "c": [2] * N})
    assert refused(DataError, table) == (
        "The table has no column that can be used (columns set aside as identifiers: 'b'; columns without any value: 'a'; "
        "columns with a single value: 'c')."
    )


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity(value):
    assert refused(DataError, pd.DataFrame({"x": [1.5, value, -2.5]})) == (
        "Column 'x' holds infinity: replace it, or make it missing."
    )


@pytest.mark.parametrize("value", [1e300, -2e150])
def test_numbers_without_a_square(value):
    table = pd.DataFrame({"a": np.arange(30.0) / 4, "b": [1.5, value, *range(28)]})
    for schema in (None, {"b": "real"}):
        with pytest.raises(DataError) as caught:
            infer_schema(*as_frame(table), schema)
        assert str(caught.value) == (
            f"Column 'b' holds {value:g}, whose square is no number: make it missing, or divide the column by a constant."
        )
    few = pd.DataFrame({"constant": [value] * 30, "binary": [0, value] * 15})
    assert [column.kind for column in infer_schema(*as_frame(few))[0].all_columns] == ["constant", "binary"]
    large = pd.DataFrame({"positive": np.random.default_rng(0).lognormal(0, 1, 300) * 1e148})
    assert infer_schema(*as_frame(large))[0].all_columns[0].kind == "positive"


def test_names_of_columns():
    twice = "Two columns are named 'a': give each its own name."
    assert refused(DataError, pd.DataFrame([[1, 2]], columns=["a", "a"])) == twice
    assert refused(DataError, pa.table([[1], [2]], names=["a", "a"])) == twice
    assert refused(DataError, pd.DataFrame([[1, 2]], columns=[1, 1])) == twice.replace("'a'", "'1'")
    said = "Names of columns must be text, or whole numbers alone, but {} not: rename them first."
    assert refused(DataError, pd.DataFrame([[1, 2]], columns=["a", 3])) == said.format("3 is")
    assert refused(DataError, pd.DataFrame([[1, 2]], columns=[0.5, 1.5])) == said.format("0.5, 1.5 are")
    assert refused(DataError, pd.DataFrame([[1, 2]], columns=[False, True])) == said.format("False, True are")


@pytest.mark.parametrize(
    "table", [{"a": [1]}, pd.Series([1]), "table.csv", None], ids=["dict", "Series", "str", "NoneType"]
)
def test_what_is_no_table(table, request):
    assert refused(DataTypeError, table) == (
        f"A table is a pandas or polars DataFrame, a pyarrow Table or an (n, D) array, not a {type(table).__name__}."
    )


RESHAPE = "Reshape your data, with X.reshape(-1, 1) where they are a single column."


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), f"An array of shape (3,) is no table. {RESHAPE}"),
        (np.ones((2, 2, 2)), f"An array of shape (2, 2, 2) is no table. {RESHAPE}"),
        ([1.0, 2.0], f"An array of shape (2,) is no table. {RESHAPE}"),
        (np.array([["a", "b"]]), "An array of shape (1, 2) and type <U1 is no table of numbers."),
        (np.ones((2, 2)) * 1j, "Complex data not supported: the numbers of a table are real."),
        (scipy.sparse.eye_array(3), "A table is not given as a sparse matrix: X.toarray() makes it dense."),
        (
            np.array([["a", 1.0]], dtype=object),
            "A ndarray is no table of numbers: could not convert string to float: 'a'; give the table that it came from.",
        ),
    ],
    ids=["vector", "cube", "list", "text", "complex", "sparse", "objects"],
)
def test_arrays_that_are_no_table(array, message):
    assert refused(DataTypeError, array) == message


@pytest.mark.parametrize("make", [np.ndarray.tolist, lambda X: X.astype(object), torch.from_numpy, lambda X: X])
def test_lists_and_what_is_like_an_array_are_arrays(make):
    X = np.column_stack([RNG.normal(size=N), COUNTS])
    X[3, 0] = np.nan
    frame, container = as_frame(make(X))
    assert container == "numpy" and frame.columns == ["x0", "x1"]
    np.testing.assert_array_equal(frame.to_numpy(), X)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([1, "a", 2.5], "float and int and str"),
        ([True, "a"], "bool and str"),
        ([[1], [2]], "list"),
        ([datetime.date(2020, 1, 1), 2, 3], "date and int"),
        ([b"a", b"b", b"c"], "bytes"),
    ],
)
def test_python_objects(values, kinds):
    assert refused(DataTypeError, pd.DataFrame({"x": pd.Series(values, dtype=object)})) == (
        f"Column 'x' holds Python objects of type {kinds}: give it one type of numbers, text, categories or times."
    )


@pytest.mark.parametrize("kind", [datetime.date, datetime.datetime])
def test_times_as_python_objects(kind):
    values = pd.Series([kind(2020, 1, day) for day in (1, 2, 3)], dtype=object)
    assert refused(DataTypeError, pd.DataFrame({"x": values})) == (
        f"Column 'x' holds Python objects of type {kind.__name__}: make times of them, as pandas.to_datetime does."
    )


@pytest.mark.parametrize(
    ("table", "dtype"),
    [
        (pl.DataFrame({"x": [[1, 2], [3]]}), "List(Int64)"),
        (pl.DataFrame({"x": [datetime.timedelta(1), None]}), "Duration(time_unit='us')"),
        (pl.DataFrame({"x": [datetime.time(3), None]}), "Time"),
        (pl.DataFrame({"x": [b"a", b"b"]}), "Binary"),
        (pl.DataFrame({"x": pl.Series([1, 2], dtype=pl.Int128)}), "Int128"),
        (pd.DataFrame({"x": pd.Series([1j, 2j])}), "complex128"),
        (
            pd.DataFrame({"x": pd.Series([1, 2], dtype=pd.ArrowDtype(pa.decimal128(5, 2)))}),
            "decimal128(5, 2)[pyarrow]",
        ),
        (pd.DataFrame({"x": pd.period_range("2020", periods=3, freq="M")}), "period[M]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_types_that_have_no_place(table, dtype):
    assert refused(DataTypeError, table) == f"Column 'x' is of type {dtype}, which has no place in a table: {NO_PLACE}"


def test_categories_of_times():
    times = pd.Categorical(list(pd.date_range("2020", periods=3)) * 2)
    assert refused(DataTypeError, pd.DataFrame({"x": times})) == (
        "Column 'x' has levels Timestamp('2020-01-01 00:00:00'), Timestamp('2020-01-02 00:00:00'), "
        "Timestamp('2020-01-03 00:00:00'): make them all text, or all numbers."
    )


def test_whole_numbers_beyond_what_floats_tell_apart_are_identifiers():
    frame = pl.DataFrame({"id": [2**60 + i % 5 for i in range(60)], "x": np.arange(60) / 7})
    schema, _ = infer_schema(*as_frame(frame))
    assert schema.all_columns[0].kind == "identifier"
    for kind in ("categorical", "ordinal", "constant"):
        with pytest.raises(DataError, match=r"Column 'id' holds whole numbers above 2\*\*53, not all of which"):
            infer_schema(*as_frame(frame), {"id": kind})
    _, notes = infer_schema(*as_frame(frame))
    assert "column 'id' holds whole numbers above 2**53: the kind real takes them for numbers" in notes
    assert infer_schema(*as_frame(frame), {"id": "real"})[0].all_columns[0].kind == "real"


@pytest.mark.parametrize("few", [False, True])
def test_whole_numbers_of_python_beyond_what_floats_tell_apart_are_identifiers(few):
    numbers = pd.Series([2**60 + (i % 2 if few else i) for i in range(60)] + [None], dtype=object)
    schema, _ = infer_schema(*as_frame(pd.DataFrame({"id": numbers, "x": np.arange(61) / 7})))
    assert schema.all_columns[0].kind == "identifier"


def test_categories_of_whole_numbers_beyond_what_floats_tell_apart_are_refused():
    frame = pd.DataFrame({"id": pd.Categorical([2**60, 2**60 + 1, 2**60 + 2] * 20)})
    for table, asked in ((frame, None), (frame.astype("int64"), {"id": [2**60, 2**60 + 1, 2**60 + 2]})):
        with pytest.raises(DataError, match=r"Column 'id' holds whole numbers above 2\*\*53, .*: make it text to"):
            infer_schema(*as_frame(table), asked)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("count", np.arange(60) % 7),
        ("binary", np.arange(60) % 2 + 3),
        ("constant", np.full(60, 4)),
        ("real", np.arange(60) / 7 - 3),
    ],
)
def test_objects_may_be_numbers_of_numpy(kind, values):
    frame = pd.DataFrame({"n": pd.Series(list(values), dtype=object), "y": np.arange(60) / 7})
    column = infer_schema(*as_frame(frame))[0].all_columns[0]
    assert column.kind == kind and {type(level) for level in column.levels} <= {int, float}


@pytest.mark.parametrize("cell", [np.datetime64("2020-01-01", "ns"), np.timedelta64(1, "D")])
def test_objects_that_are_times_of_numpy_are_refused(cell):
    array = np.empty(60, dtype=object)
    array[:] = [cell] * 60
    frame = pd.DataFrame({"y": np.arange(60) / 7})
    frame["n"] = pd.Series(array, dtype=object)
    with pytest.raises(DataTypeError, match="holds Python objects of type"):
        infer_schema(*as_frame(frame))


@pytest.mark.parametrize("zone", [dateutil.tz.tzlocal(), datetime.timezone(datetime.timedelta(hours=2), "CEST")])
def test_zones_without_a_name_are_refused(zone):
    frame = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=60).tz_localize(zone), "y": np.arange(60) / 7})
    with pytest.raises(DataTypeError, match=r"Column 't' is of type .*, which has no place in a table"):
        infer_schema(*as_frame(frame))
