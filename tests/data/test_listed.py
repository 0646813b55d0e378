"""Dictionaries of pyarrow, as categories of pandas, keep their levels, their order and their type."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from vaekit import TabularVAE

PLACES = [None if place < 0 else int(place) for place in np.random.default_rng(0).integers(-1, 3, 60)]
GRADES, SIZES = ["low", "mid", "high", "never"], [30, 10, 20]
NUMBERS = np.random.default_rng(1).normal(size=60)


def dictionary(levels: list[Any], index: pa.DataType, *, ordered: bool, values: pa.DataType | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(PLACES, index), pa.array(levels, values), ordered=ordered)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.table(
        {
            "grade": dictionary(GRADES, pa.int8(), ordered=True),
            "size": dictionary(SIZES, pa.int32(), ordered=False),
            "rank": dictionary([1.5, 2.5, 3.5], pa.int8(), ordered=True),
            "town": dictionary(["a", "b", "c"], pa.int16(), ordered=False, values=pa.large_string()),
            "day": pa.DictionaryArray.from_arrays(pa.array([None] * 60, pa.int8()), pa.array([], pa.date32())),
            "x": np.arange(60.0),
        }
    )


@pytest.fixture(scope="module")
def fitted(table: pa.Table) -> TabularVAE:
    return TabularVAE(2, (8,), epochs=2, random_state=0, verbose=0).fit(table)


def test_kinds_and_levels(fitted: TabularVAE) -> None:
    found = {column.name: (column.kind, column.levels) for column in fitted.schema_.all_columns}
    assert found["grade"] == ("ordinal", tuple(GRADES)) and found["rank"] == ("ordinal", (1.5, 2.5, 3.5))
    assert found["size"] == ("categorical", tuple(SIZES)) and found["town"] == ("categorical", ("a", "b", "c"))


def test_tables_that_come_out_have_the_types_of_those_that_went_in(fitted: TabularVAE, table: pa.Table) -> None:
    for made in (fitted.impute(table), fitted.impute(table, 1)[0]):
        assert made.schema == table.schema and made["grade"].null_count == 0
        assert made["size"].combine_chunks().dictionary.to_pylist() == SIZES
    for made in (
        fitted.sample(5, 0),
        fitted.sample(5, 0, given={"size": 20, "grade": "mid"}),
        fitted.reconstruct(table),
    ):
        for name in ("grade", "size", "rank", "town", "x"):
            assert made.schema.field(name) == table.schema.field(name)
        assert made["grade"].combine_chunks().dictionary.to_pylist() == GRADES
        assert set(made["size"].to_pylist()) <= set(SIZES)
    assert made.num_rows == 60


def test_chunks_with_dictionaries_of_their_own(fitted: TabularVAE, table: pa.Table) -> None:
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int32()), pa.array([20, 30]))
    few = table.slice(0, 3).set_column(1, "size", other)
    whole = pa.concat_tables([table, few])
    assert whole["size"].num_chunks == 2
    assert fitted.impute(whole)["size"].to_pylist()[60:62] == [20, 30]
    assert np.array_equal(fitted.transform(whole)[60:], fitted.transform(few))


def test_levels_that_are_numbers_fill_a_column_of_another_library(fitted: TabularVAE, table: pa.Table) -> None:
    numbers = pl.DataFrame({name: table[name].to_pylist() for name in table.column_names})
    filled = fitted.impute(numbers)
    assert filled["size"].dtype == pl.Int64 and filled["size"].to_list() == fitted.impute(table)["size"].to_pylist()
    categories = fitted.impute(table.to_pandas())["grade"].dtype
    assert categories == pd.CategoricalDtype(GRADES, ordered=True)


def quick(column: Any, **options: Any) -> tuple[TabularVAE, pa.Table]:
    table = pa.table({"c": column, "x": NUMBERS})
    return TabularVAE(2, (8,), epochs=1, random_state=0, verbose=0, **options).fit(table), table


def test_a_dictionary_without_values_gets_the_type_of_the_fit() -> None:
    none = pa.array([None] * 60, pa.string()).dictionary_encode()
    for column in (
        pa.array(NUMBERS),
        pa.array([True, False] * 30),
        dictionary(SIZES, pa.int8(), ordered=False),
    ):
        vae, table = quick(column)
        filled = vae.impute(table.set_column(0, "c", none))["c"]
        assert filled.type == column.type and filled.null_count == 0


def test_levels_that_the_dictionary_does_not_list_are_added() -> None:
    vae, _ = quick(dictionary(["b", "a", "c"], pa.int8(), ordered=True), schema={"c": ["a", "b", "c", "z"]})
    assert vae.sample(3, 0, given={"c": "z"})["c"].to_pylist() == ["z"] * 3
    vae, _ = quick(dictionary([1, 2, 3], pa.int8(), ordered=False), schema={"c": [1, 2, 2.5, 3]})
    assert vae.sample(2, 0)["c"].type.value_type == pa.float64()  # int64 holds no 2.5


def test_types_that_are_too_small_for_all_levels_of_the_fit() -> None:
    many = pa.chunked_array(
        [dictionary([f"{name}{i}" for i in range(100)], pa.int8(), ordered=False)[:30] for name in "ab"]
    )
    vae, table = quick(many)
    assert vae.sample(2, 0)["c"].type.index_type == pa.int32()
    other = table.set_column(0, "c", dictionary(["a0", "a1", "a2"], pa.int8(), ordered=False))
    filled = vae.impute(other)["c"]
    assert filled.null_count == 0 and filled.type == other["c"].type


def test_an_ordered_type_with_one_level_in_use_is_constant() -> None:
    ordered = pa.DictionaryArray.from_arrays(pa.array([1, None] * 30, pa.int8()), pa.array(GRADES), ordered=True)
    vae, table = quick(ordered)
    assert vae.schema_.all_columns[0].kind == "constant" and vae.impute(table)["c"].to_pylist() == ["mid"] * 60


def test_truth_fills_categories_of_pandas() -> None:
    truth = pa.DictionaryArray.from_arrays(pa.array([0, 1, None] * 20, pa.int8()), pa.array([True, False]))
    vae, table = quick(truth)
    filled = vae.impute(table.to_pandas())["c"]
    assert filled.notna().all() and filled.tolist()[0] is True and list(filled.cat.categories) == [True, False]


@pytest.mark.parametrize("levels", [[0.0, 1.0, float("inf")], [2**60, 2**60 + 1, 5], ["a", "b", "a"]])
def test_levels_that_cannot_be_told_apart_as_numbers_count_as_text(levels: list[Any]) -> None:
    vae, table = quick(dictionary(levels, pa.int8(), ordered=True))
    column = vae.schema_.all_columns[0]
    assert column.native == "" and all(isinstance(level, str) for level in column.levels)
    assert vae.impute(table)["c"].null_count == 0
