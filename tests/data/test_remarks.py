"""What is said of columns that may not be what their user means."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from vaekit.data.columns import infer_schema
from vaekit.data.frames import as_frame
from vaekit.errors import DataError


def test_running_numbers_with_gaps_are_an_identifier_and_sparse_ones_are_not():
    rng = np.random.default_rng(0)
    kept = rng.permutation(100)[:90]
    frame = pd.DataFrame({"id": 1001 + kept, "visits": 3 * rng.permutation(90)})
    schema, _ = infer_schema(*as_frame(frame))
    assert [column.kind for column in schema.all_columns] == ["identifier", "count"]


@pytest.mark.parametrize("asked", [None, "categorical"])
def test_text_among_numbers_is_told(asked):
    frame = pl.DataFrame({"x": [*(str(i / 4) for i in range(40)), "n. a.", None], "y": range(0, 420, 10)})
    _, notes = infer_schema(*as_frame(frame), {} if asked is None else {"x": asked})
    but = "column 'x' is text, though all its cells but 'n. a.' (1 of 41) are numbers"
    assert notes[-1] == f"{but}: leave such cells empty, or correct them"
    mixed = frame.with_columns(
        x=pl.when(pl.int_range(42) % 4 == 0).then(pl.concat_str(pl.lit("a"), pl.int_range(42) % 3)).otherwise("x")
    )
    codes = frame.with_columns(x=pl.concat_str(pl.lit("0"), pl.int_range(42)).replace("07", "K1"))
    for other in (mixed, codes):
        assert not any("is text, though" in note for note in infer_schema(*as_frame(other))[1])


NUMERALS, JANUARY = [str(i / 4) for i in range(40)], [f"2020-01-{1 + i % 28:02}" for i in range(40)]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            ["?"] * 20 + NUMERALS,
            "all its cells but '?' (20 of 60) are numbers: leave such cells empty, or correct them",
        ),
        (["?", "lost", *NUMERALS], "nine cells of ten are numbers: '?' is not"),
        (NUMERALS, "all its cells are numbers: make them numbers, or name its kind in schema"),
        (JANUARY, "all its cells are dates: make them dates, or name its kind in schema"),
        (
            [*JANUARY, "not yet"],
            "all its cells but 'not yet' (1 of 41) are dates: leave such cells empty, or correct them",
        ),
        (["?"] * 50 + NUMERALS, None),
        (["00"] * 5 + NUMERALS, None),
        (["02134", "10001", "90210"] * 20, None),
        ([f"20{i}_01" for i in range(10, 50)], None),
        (
            [*JANUARY, "2020-02-30"],
            "all its cells but '2020-02-30' (1 of 41) are dates: leave such cells empty, or correct them",
        ),
        (["+4930901820", "+4930901821", "+4930901822"] * 20, None),
    ],
)
def test_text_that_may_be_meant_for_numbers_or_dates_is_told(cells, told):
    frame = pl.DataFrame({"x": cells, "y": np.arange(len(cells)) / 7})
    _, notes = infer_schema(*as_frame(frame))
    assert [note for note in notes if "is text, though" in note] == (
        [f"column 'x' is text, though {told}"] if told else []
    )
    if told is not None and ("schema" in told or "20 of 60" in told):  # else a slip, whatever was asked for
        assert not any("though" in note for note in infer_schema(*as_frame(frame), {"x": "categorical"})[1])


def test_numbers_of_rows_of_which_some_stand_twice_are_said():
    note = "column 'id' may number the rows, some twice: the kind identifier sets it aside"
    for twice, n in ((8, 200), (0, 200), (30, 200), (8, 30)):
        ids = [*range(1001, 1001 + n), *range(1001, 1001 + twice)]
        frame = pl.DataFrame({"id": ids, "x": [0.5 + i % 7 for i in ids]})
        schema, notes = infer_schema(*as_frame(frame))
        assert (note in notes) == (twice == 8 and n == 200)
        assert schema.all_columns[0].kind == ("count" if twice else "identifier")


@pytest.mark.parametrize(
    "cell", ["1,234.50", "1.234,5", "12%", "$15", "3,14", "31/12/2020", "31.12.2020", "1/31/20 12:30", "2020/12/31"]
)
def test_cells_that_look_like_numbers_or_dates_are_told(cell):
    frame = pl.DataFrame({"x": [cell.replace("1", str(1 + i % 8)) for i in range(60)], "y": np.arange(60) / 7})
    _, notes = infer_schema(*as_frame(frame))
    assert any("'x' is text, though its cells look like numbers or dates" in note for note in notes), notes


@pytest.mark.parametrize(
    "cell",
    ["1a", "a 1", "02134", "555-1234", "2020-01-0x", "10.10.30.4", "1.0.10", "1/12/2020 we saw 0 birds", "12-34-56-78"],
)
def test_other_text_is_text(cell):
    frame = pl.DataFrame({"x": [cell.replace("1", str(1 + i % 8)) for i in range(60)], "y": np.arange(60) / 7})
    _, notes = infer_schema(*as_frame(frame))
    assert not any("look like" in note for note in notes), notes


def test_infinity_in_a_column_of_text_is_told():
    frame = pl.DataFrame({"x": ["1.5", "2.5", "Inf", *(str(i / 4) for i in range(57))], "y": np.arange(60) / 7})
    _, notes = infer_schema(*as_frame(frame))
    assert any("'x' is text, though all its cells but 'Inf' (1 of 60) are numbers" in note for note in notes)


def test_a_table_of_such_cells_alone_is_refused_with_the_hint():
    frame = pl.DataFrame({"x": [f"{1 + i},{100 + i}.50" for i in range(60)]})
    with pytest.raises(
        DataError, match=r"no column that can be used .*'x' is text, though its cells look like numbers"
    ):
        infer_schema(*as_frame(frame))
