"""Tables in: types, missing values, and each fault with its line. Results out: as they were, whole or not at all."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from polars.testing import assert_frame_equal

from vaekit.data import largetables, read
from vaekit.data.csvtext import MISSING
from vaekit.data.largetables import read_large
from vaekit.data.tables import write_table
from vaekit.errors import DataError, DataTypeError, OptionError, WriteError


def refused(path: Path, kind: str | None = None, error: type[DataError] = DataError) -> str:
    with pytest.raises(error) as caught:
        read(path, kind)
    return str(caught.value).replace(repr(str(path)), "PATH")


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "x.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_csv_types_and_missing_values(tmp_path: Path) -> None:
    text = 'a,b,c,label\n1,0.5,true,"x, y"\n2,,false,NA\n3,NaN,,z\n'
    data = read(csv(tmp_path, text))
    expected = pl.DataFrame(
        {"a": [1, 2, 3], "b": [0.5, None, None], "c": [True, False, None], "label": ["x, y", None, "z"]}
    )
    assert_frame_equal(data.X, expected)
    assert (data.kind, data.y) == ("table", None)
    assert data.note == f"3 rows of 4 columns from {str(tmp_path / 'x.csv')!r}"
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert_frame_equal(read(tmp_path / "x.csv.gz").X, expected)


@pytest.mark.parametrize("word", MISSING)
def test_words_for_missing_values(tmp_path: Path, word: str) -> None:
    path = csv(tmp_path, f"a,b\n1,x\n{word},y\n3,{word}\n")
    large = read_large(str(path))
    assert large is not None
    for X in (read(path).X, large.X.collect()):
        assert X["a"].to_list() == [1, None, 3] and X["b"].to_list() == ["x", "y", None]


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    """In memory and a batch at a time; not those of which none has one, nor 0.5, nor of an array."""
    path = tmp_path / "t.csv"
    path.write_text("zip,padded,n,x,zero\n02134, 02,7,0.5,0\n90210,11,-3,0.25,10\nNA,12,4,0.5,0\n")
    large = read_large(str(path))
    assert large is not None
    for X in (read(path).X, large.X.collect()):
        assert X["zip"].to_list() == ["02134", "90210", None] and X["padded"].dtype == pl.String
        assert X["n"].dtype.is_integer() and X["x"].dtype.is_float() and X["zero"].dtype.is_integer()
    long = ["89014103211118510720", "89014103211118510727", "12345678901234567890"]
    path.write_text("\n".join(["id,stamp,x", *(f"{number},1600000000000000000,1e20" for number in long)]) + "\n")
    large = read_large(str(path))
    assert large is not None
    for X in (read(path, "table").X, large.X.collect()):
        assert X["id"].to_list() == long and X["stamp"].dtype == pl.Int64 and X["x"].dtype == pl.Float64
    path.write_text("a,b\n007,1\n008,2\n")
    assert read(path, "array").X["a"].to_list() == [7, 8]


@pytest.mark.parametrize("digits", ["３０", "٣٠", "३०", "3.３", "9" * 60])
def test_digits_that_are_no_numbers_here_are_text(tmp_path: Path, digits: str) -> None:
    path = csv(tmp_path, f"a,b,c\n{digits},1,x\n20,+2.5,y\nNA,,z\n")
    large = read_large(str(path))
    assert large is not None
    for X in (read(path).X, large.X.collect()):
        assert X["a"].to_list() == [digits, "20", None] and X["b"].to_list() == [1, 2.5, None]


def test_numbers_with_a_plus_are_numbers_but_telephones(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "delta,share,phone,code\n+7,+0.5,+4930901820,+05\n-3000000,+1,+4930901821,11\n+2000000,-2,+4930901822,12\n",
    )
    large = read_large(str(path))
    assert large is not None
    for X in (read(path).X, large.X.collect()):
        assert X["delta"].to_list() == [7, -3_000_000, 2_000_000] and X["share"].to_list() == [0.5, 1, -2]
        assert X["phone"].dtype == X["code"].dtype == pl.String
    assert read(path).note.endswith(
        "a telephone's plus or very many digits keep 'phone', 'code' text, which --kind array reads as numbers"
    )


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_cells_cut_by_other_signs_than_commas(tmp_path: Path, separator: str, word: str) -> None:
    rows = [
        '"half"!share!n!zip!words!"sum"',
        "0,5!1.5!1!01234!a,b!1,234",
        "-12,25!2!NA!90210!3,5!12",
        "3! 4 !!11111!x!",
    ]
    path = csv(tmp_path, "\n".join(rows).replace("!", separator) + "\n")
    large = read_large(str(path))
    how = f", separated by {word} (so that 0,5 is a half)"
    assert large is not None and f"{how}, read a batch at a time; leading zeros" in large.note
    assert large.note.replace(", read a batch at a time", "") == read(path).note
    for X in (read(path).X, large.X.collect()):
        assert X["half"].to_list() == [0.5, -12.25, 3] and X["share"].to_list() == [1.5, 2, 4]
        assert X["n"].to_list() == [1, None, None] and X["zip"].to_list() == ["01234", "90210", "11111"]
        assert X["words"].to_list() == ["a,b", "3,5", "x"]
        assert X["sum"].to_list() == ["1,234", "12", None]  # which may be a thousand


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("half;name,n\n1;2,3\n", [("1;2", 3)]),  # the first that cuts
        ("Preis, netto;n\n1;2\n", [(1, 2)]),  # the first that cuts alike
        ('"a";"b"\n1,5;2\n', [(1.5, 2)]),
        ("P(a|b)\n1\n2\n", [(1,), (2,)]),
        ("x\ty\n1\n\n2\n", [(1,), (None,), (2,)]),
        ("a;b\n1,5e3;2\n", [(1500.0, 2)]),
    ],
)
def test_what_separates_cells_cuts_the_first_lines_alike(
    tmp_path: Path, text: str, rows: list[tuple[Any, ...]]
) -> None:
    assert read(csv(tmp_path, text)).X.rows() == rows


def test_commas_of_a_large_file_are_told_from_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch, or of some rows, they may all look like those of thousands."""
    monkeypatch.setattr(largetables, "BATCH", 20)
    rows = [f"{1 + i % 9},{100 + i};{i};{1 + i},{100 + i}" for i in range(90)]
    rows[70] = "0,5;70;1,234"
    path = csv(tmp_path, "\n".join(["decimal;n;either", *rows]) + "\n")
    large, whole = read_large(str(path)), read(path).X
    assert large is not None and whole.schema == {"decimal": pl.Float64, "n": pl.Int64, "either": pl.String}
    assert_frame_equal(large.X.collect(), whole)
    assert_frame_equal(large.X.slice(5, 3).collect(), whole.slice(5, 3))
    assert_frame_equal(large.X.filter(pl.col("n") == 17).collect(), whole.filter(pl.col("n") == 17))


def test_a_csv_of_numbers_is_an_array_unless_asked_otherwise(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n3,4\n")
    assert (read(path).kind, read(path, "table").kind) == ("array", "table")
    path = csv(tmp_path, "a,b\n1,true\n3,false\n")
    assert (read(path).kind, read(path, "array").kind) == ("table", "array")
    assert read(path, "array").X["b"].dtype == pl.Boolean


def test_types_are_told_from_all_rows(tmp_path: Path) -> None:
    rows = "".join(f"{i},1\n" for i in range(20_000))
    data = read(csv(tmp_path, f"a,b\n{rows}x,2.5\n"))
    assert data.X.schema == {"a": pl.String, "b": pl.Float64}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\ufeffa,b\n1,2\n", [(1, 2)]),
        ("a,b\r\n1,2\r\n\r\n\r\n", [(1, 2)]),
        ("a,b\r1,2\r3,x\r\r", [(1, "2"), (3, "x")]),
        ("a, b\n1, 2\n3, NA\n", [(1, 2), (3, None)]),
        ('a,b\n"x\ny",2\n', [("x\ny", 2)]),
        ("0,1\n5,7\n", [(5, 7)]),
        ("a\n1\n\n3\n", [(1,), (None,), (3,)]),
        ("a,b\n1,\n2,3\n", [(1, None), (2, 3)]),
    ],
)
def test_ways_to_write_a_csv(tmp_path: Path, text: str, rows: list[tuple[Any, ...]]) -> None:
    frame = read(csv(tmp_path, text)).X
    assert frame.rows() == rows
    assert all(name == name.strip("\ufeff ") for name in frame.columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n", "PATH line 3 has 2 cells, its header has 3."),
        ("a,b,c\n1,2,3\n4,5,6\n7,8,9,10\n", "PATH line 4 has 4 cells, its header has 3."),
        ('a,b\n"x\ny",1\n2\n', "PATH line 4 has 1 cell, its header has 2."),
        ("a,b\n1,2\n\n3,4\n", "PATH line 3 is empty, its header has 2 cells."),
        ('a,b\n1,2\n3,"x\n4,5\n', "PATH line 3 cannot be split into cells: unexpected end of data."),
        (b"a,b\n1,x\n2,\xe9\n", "PATH line 3 is not UTF-8 text: save the file as UTF-8."),
        (b"\xff\xfea\0,\0", "PATH line 1 is not UTF-8 text: save the file as UTF-8."),
        (b"a,b\n1,\0\n", "PATH line 2 holds a zero byte: this is not a text file."),
        ("", "PATH is empty."),
        ("\n\n", "PATH is empty."),
        ("a,b\n", "PATH has a header but no rows."),
        ("a,b,a\n1,2,3\n", "PATH has two columns named 'a'."),
        ("a;b\n1;2\n3\n", "PATH line 3 has 1 cell, its header has 2."),
        ("a;b;a\n1;2;3\n", "PATH has two columns named 'a'."),
        (
            "1.5,2.5\n3.5,4.5\n",
            "PATH line 1 holds only numbers where the names of the columns belong: add a header.",
        ),
    ],
)
def test_faults_of_a_csv(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refused(csv(tmp_path, text)) == message


@pytest.mark.parametrize("cell", [r'"5\" pipe"', '"5" pipe"', '"5""'])
def test_two_badly_quoted_cells_do_not_swallow_the_rows_between_them(tmp_path: Path, cell: str) -> None:
    """The last column has no missing cell, by which polars would show them; in memory and a batch at a time."""
    rows = [f"{i / 2},{cell if i in (20, 30) else 'ab'[i % 2]},{i % 7}" for i in range(60)]
    path = csv(tmp_path, "\n".join(["id,note,b", *rows]) + "\n")
    message = "PATH line 22 cannot be split into cells: ',' expected after '\"'."
    assert refused(path) == message
    with pytest.raises(DataError) as caught:
        read_large(str(path))
    assert str(caught.value) == message.replace("PATH", repr(str(path)))


def test_quotes_and_lines_in_cells_that_are_well_quoted(tmp_path: Path) -> None:
    long = 'a line\nwith "words", ' * 10_000
    frame = pl.DataFrame({"n": range(6), "words": ['5" pipe', "a\nb", "x, y", long, '"', "z"]})
    path = tmp_path / "x.csv"
    frame.write_csv(path)
    large = read_large(str(path))
    assert large is not None
    for X in (read(path).X, large.X.collect()):
        assert_frame_equal(X, frame)


@pytest.mark.parametrize("separator", [",", ";"])
def test_quotes_in_cells_that_are_not_quoted(tmp_path: Path, separator: str) -> None:
    """Are read as pandas does; of a large file, the line is told."""
    words = ['"a', '5" pipe', "x", "", 'say "hi"', "y", '6""', "x, y;\nz"]
    rows = [f"{i},{word},{i % 3}" for i, word in enumerate(words[1:-1])]
    text = "\n".join(["n,words,m", '7,"""a",1', *rows, '8,"x, y;\nz",2']) + "\n"
    path = csv(tmp_path, text if separator == "," else re.sub(r",(?! )", separator, text))
    X = read(path).X
    assert X["words"].to_list() == [word or None for word in words] and X["m"].to_list() == [1, 0, 1, 2, 0, 1, 2, 2]
    with pytest.raises(DataError) as caught:
        read_large(str(path))
    assert str(caught.value) == (
        f"{str(path)!r} line 3 has a quote in a cell that does not begin with one: put such cells in quotes and double "
        'the quotes in them, as in "5"" pipe".'
    )


def test_line_ends_of_old_macs_in_a_large_file_are_told(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\r1,2\r3,4\r")
    with pytest.raises(
        DataError, match=r"has lines that end in CR, as on old Macs: the lines of a file as large end in"
    ):
        read_large(str(path))


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    for target in ("gone.csv", "x.csv"):  # and to itself
        (tmp_path / "x.csv").unlink(missing_ok=True)
        (tmp_path / "x.csv").symlink_to(target)
        assert refused(tmp_path / "x.csv") == "PATH is a link that leads nowhere: mend it, or name the file itself."


def test_a_table_as_another_kind(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,town\n1,x\n")
    message = "PATH has columns that are not numbers ('town'): read it with --kind table."
    assert refused(path, "array", DataTypeError) == message
    message = "PATH is a table, whose rows have no shape of an image: save images as .npy or .npz."
    assert refused(path, "images") == message
    cells = "PATH line 2 has the weight 'x', which is not a number."
    assert refused(csv(tmp_path, "source,target,kind\n1,2,x\n"), "graph") == cells


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "a": pl.Series([1, 2], dtype=pl.UInt8),
            "b": pl.Series([0.5, None], dtype=pl.Float32),
            "c": [True, None],
            "d": pl.Series(["x", "y"], dtype=pl.Categorical),
            "e": pl.Series(["1.5", "2.5"]).cast(pl.Decimal(10, 2)),
        }
    )
    path = tmp_path / "x.parquet"
    frame.write_parquet(path)
    data = read(path)
    assert_frame_equal(data.X, frame.with_columns(pl.col("e").cast(pl.Float64)))
    assert data.kind == "table"

    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert refused(path) == "PATH is not a .parquet file, or it is damaged."
    path.write_bytes(whole[:4] + bytes(len(whole) - 12) + whole[-8:])
    assert refused(path) == "PATH is damaged: its columns cannot be read."
    pl.DataFrame({"a": [[1, 2]]}).write_parquet(path)
    message = "PATH has a column 'a' of type List(Int64): only numbers, true/false, text and dates fit."
    assert refused(path, error=DataTypeError) == message
    frame.head(0).write_parquet(path)
    assert refused(path) == "PATH has no rows."


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_written_table_is_read_back(tmp_path: Path, ending: str) -> None:
    frame = pl.DataFrame({"a": [0.1, None], "b": ["x,\n", 'say "y"'], "c": [True, False], "d": [1, -2]})
    write_table(frame, tmp_path / f"x{ending}")
    assert_frame_equal(read(tmp_path / f"x{ending}").X, frame)
    write_table(frame.to_pandas(), tmp_path / f"x{ending}")
    assert_frame_equal(read(tmp_path / f"x{ending}").X, frame)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npy", ".npz"])
def test_a_written_array_is_read_back(tmp_path: Path, ending: str) -> None:
    X = np.random.default_rng(0).normal(size=(5, 3))
    write_table(X, tmp_path / f"x{ending}")
    back = read(tmp_path / f"x{ending}").X
    if isinstance(back, pl.DataFrame):
        assert back.columns == ["x0", "x1", "x2"]
        back = back.to_numpy()
    assert np.array_equal(back, X)


def test_kinds_of_arrays_in_npy_and_npz(tmp_path: Path) -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    write_table(images, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert file.files == ["X"]
        assert np.array_equal(file["X"], images)
        assert file["X"].dtype == np.uint8
    write_table(pl.DataFrame({"a": [1.5, None], "b": [True, False]}), tmp_path / "x.npy")
    assert np.array_equal(np.load(tmp_path / "x.npy"), [[1.5, 1], [np.nan, 0]], equal_nan=True)
    write_table(np.array([0.5, 1.5]), tmp_path / "x.csv", columns=["log_likelihood"])
    assert (tmp_path / "x.csv").read_text() == "log_likelihood\n0.5\n1.5\n"
    write_table(scipy.sparse.eye_array(3, format="csr"), tmp_path / "s.npz")
    assert np.array_equal(read(tmp_path / "s.npz").X.toarray(), np.eye(3))


@pytest.mark.parametrize(
    ("table", "name", "message"),
    [
        (np.eye(2), "x.xlsx", "PATH does not say how to write it: end it in .csv .parquet .npy .npz."),
        (np.zeros((2, 2, 2)), "x.csv", "The shape (2, 2, 2) is no table to write to PATH: use .npy or .npz."),
        (
            pl.DataFrame({"a": ["x"], "b": [1]}),
            "x.npy",
            "Columns of text ('a') cannot be written to PATH: use .csv or .parquet.",
        ),
        (
            np.array([[None]], dtype=object),
            "x.npz",
            "Python objects cannot be written to PATH: give numbers or text.",
        ),
        (scipy.sparse.eye_array(2), "x.csv", "A sparse matrix cannot be written to PATH: end it in .npz."),
        (
            pl.DataFrame({"a": [[1, 2]]}),
            "x.csv",
            "Columns of type List(Int64) ('a') cannot be written to PATH: use .parquet.",
        ),
    ],
)
def test_what_a_file_cannot_hold(tmp_path: Path, table: Any, name: str, message: str) -> None:
    path = tmp_path / name
    with pytest.raises(OptionError, match=f"^{re.escape(message.replace('PATH', repr(str(path))))}$"):
        write_table(table, path)
    assert list(tmp_path.iterdir()) == []


def test_something_else_is_no_table(tmp_path: Path) -> None:
    message = "A list cannot be written as a table: give a DataFrame, an array or a sparse matrix."
    with pytest.raises(DataTypeError, match=f"^{message}$"):
        write_table([1, 2], tmp_path / "x.csv")
    with pytest.raises(WriteError, match="cannot be written: there is no folder"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "no" / "x.csv")
