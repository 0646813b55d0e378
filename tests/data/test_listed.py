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
