"""Scores of tables: associations known by hand, distances to the nearest row, and the check of filling hidden cells."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.impute import KNNImputer

from vaekit.data.columns import infer_schema
from vaekit.data.frames import as_frame
from vaekit.evaluation import tablescores
from vaekit.evaluation.holes import hidden_cells, hide, imputation_scores
from vaekit.evaluation.tables import associations, neighbour_distances, table_values
from vaekit.evaluation.tablescores import TABLE_SCORES, near_distances, summarise_table
from vaekit.schema import TableSchema


def schema_of(table: Any, **asked: Any) -> TableSchema:
    return infer_schema(*as_frame(table), asked)[0]


def mixed(n: int = 400, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    return pl.DataFrame(
        {
            "x": size,
            "twice": np.exp(2 * size),
            "noise": rng.normal(size=n),
            "level": [["low", "mid", "top"][i] for i in np.digitize(size, [-0.5, 0.5])],
            "coin": rng.random(n) < 0.5,
        }
    )


def holed(table: pl.DataFrame, share: float = 0.1) -> pl.DataFrame:
    gone = np.random.default_rng(1).random(table.shape) < share
    return table.with_columns(
        pl.when(~pl.Series(each)).then(pl.col(name)).alias(name)
        for name, each in zip(table.columns, gone.T, strict=True)
    )


def filled(table: pl.DataFrame) -> pl.DataFrame:
    """A way to fill holes: 0, false and mid."""
    zero: dict[Any, Any] = {pl.Float64: 0.0, pl.Boolean: False, pl.String: "mid"}
    return table.with_columns(pl.col(kind).fill_null(value) for kind, value in zero.items())


def test_values_of_a_table() -> None:
    table = pl.DataFrame(
        {"n": [1.5, None, 3.5], "level": ["b", "a", None], "size": ["s", "l", "m"], "all": [None, None, None]}
    )
    schema = schema_of(table, n="real", size=["s", "m", "l"])
    np.testing.assert_array_equal(table_values(table, schema), [[1.5, 1, 0], [np.nan, 0, 2], [3.5, np.nan, 1]])
    other = table.with_columns(level=pl.Series(["c", "a", "a"]), n=pl.Series([None] * 3, dtype=pl.String))
    np.testing.assert_array_equal(table_values(other, schema)[:, :2], [[np.nan, np.nan], [np.nan, 0], [np.nan, 0]])


def test_associations_known_by_hand() -> None:
    table = mixed(4000)
    found = associations(table, schema_of(table))
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 1] == pytest.approx(1.0) and found[0, 3] > 0.9  # by rank
    for i, j in ((0, 2), (0, 4), (2, 3), (3, 4)):
        assert found[i, j] < 0.06
    # Cramér's V of a two by two table, without its bias: phi^2 = (ad - bc)^2 / (product of the sums)
    a, b, c, d = 30, 10, 15, 45
    n = a + b + c + d
    pairs = pd.DataFrame({"p": ["x"] * (a + b) + ["y"] * (c + d), "q": [*("u" * a + "v" * b), *("u" * c + "v" * d)]})
    phi = (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d)) - 1 / (n - 1)
    expected = np.sqrt(phi / (2 - 1 / (n - 1) - 1))
    assert associations(pairs, schema_of(pairs))[0, 1] == pytest.approx(expected)


def test_associations_use_rows_that_have_both_cells() -> None:
    table = pl.DataFrame(
        {"a": [1.5, 2.5, None, 4.5, 9.5], "b": [2.5, 1.5, 3.5, None, 8.5], "c": [None, 1.5, 2.5, 0.5, None]}
    )
    found = associations(table, schema_of(table))
    assert found[0, 1] == pytest.approx(0.5)  # ranks 1 2 3 against 2 1 3
    assert np.isnan(found[0, 2]) and np.isnan(found[1, 2])  # two rows have both
    same = pl.DataFrame({"a": [1.5, 2.5, 3.5], "b": [7.0, 7.0, 7.0], "c": ["u", "u", "v"]})
    schema = schema_of(same.with_columns(b=pl.Series([1.5, 2.5, 7.0])))
    assert np.isnan(associations(same, schema)[0, 1])


@pytest.mark.parametrize("levels", [2, 8])
def test_independent_columns_of_a_small_table_do_not_look_dependent(levels: int) -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        table = pl.DataFrame(
            {"p": rng.integers(0, levels, 60), "q": rng.integers(0, levels, 60), "x": rng.normal(size=60)}
        )
        table = table.with_columns(pl.col("p", "q").cast(pl.String))
        found.append(associations(table, schema_of(table))[[0, 0], [1, 2]] ** 2)
    assert np.mean(found) < 0.02


def test_distances_to_the_nearest_row() -> None:
    others = pl.DataFrame({"x": [1.0, 2.5, 3.0, 4.0], "level": ["a", "a", "b", None]})
    schema = schema_of(others)
    rows = pl.DataFrame({"x": [2.5, 2.5, None, 9.5], "level": ["a", "b", "b", None]})
    # shares of smaller values: 1/8, 3/8, 5/8, 7/8; two levels differ with 1 - (4 + 1) / 9
    expected = [0.0, min((1 / 4 + 0) / 2, (0 + 1) / 2), 0.0, 1 / 8]
    np.testing.assert_allclose(neighbour_distances(rows, others, schema), expected, atol=1e-6)
    lacking = pl.DataFrame({"x": [4.0], "level": ["a"]})
    np.testing.assert_allclose(neighbour_distances(lacking, others, schema), [(4 / 9) / 2], atol=1e-6)
    none = pl.DataFrame({"x": [None], "level": [None]})
    assert np.isnan(neighbour_distances(none, others, schema)).all()


@pytest.mark.parametrize(("samples", "held_out"), [(500, 15), (500, 100), (1000, 1000)])
def test_chance_alone_makes_samples_too_near_in_one_of_forty_models_at_most(samples, held_out, monkeypatch) -> None:
    """Of distances that are all drawn from one distribution."""
    rng = np.random.default_rng(0)
    near, held = rng.random((4000, samples)), rng.random((4000, held_out))
    monkeypatch.setattr(tablescores, "near_distances", lambda *_: (near[0], held[0]))
    nothing: Any = None
    scores = tablescores._near(nothing, nothing, nothing, nothing)
    too_near = (near < np.quantile(held, 0.05, axis=1)[:, None]).mean(1)
    assert scores["too_near"] == too_near[0]
    assert 0.0005 < (too_near > scores["too_near_by_chance"]).mean() < 0.03


def test_copies_are_found_and_fresh_rows_are_none() -> None:
    train, test = holed(mixed(300)), holed(mixed(60, seed=5))
    schema = schema_of(train)

    def copies(n: int) -> pl.DataFrame:
        return mixed(300)[np.arange(n) % 300]

    near, held_out = near_distances(train, test, schema, copies)
    assert len(near) == 540 and len(held_out) == 60 and np.median(near) < np.median(held_out)
    scores = summarise_table(train, test, schema, filled, copies)
    assert scores["too_near"] > 0.3 and scores["copies"] > 0.3 and scores["copies_held_out"] == 0
    assert scores["association_difference"] < 0.05 < scores["association_mean"]
    fresh = summarise_table(train, test, schema, filled, lambda n: mixed(n, seed=9))
    assert (
        fresh["too_near"] < fresh["too_near_by_chance"] < scores["too_near"]
        and fresh["copies"] == 0
        and set(fresh) == set(TABLE_SCORES)
    )


def test_hidden_cells_have_one_turn_each_and_a_twentieth_at_a_time() -> None:
    observed = np.random.default_rng(0).random((400, 6)) < 0.8
    hidden = hidden_cells(observed, seed=3)
    assert hidden.shape == (2, 400, 6) and not (hidden & ~observed).any() and (hidden.sum(0) <= 1).all()
    assert hidden.sum((1, 2)) / observed.sum() == pytest.approx([0.05, 0.05], abs=0.003)
    np.testing.assert_array_equal(hidden, hidden_cells(observed, seed=3))
    assert (hidden != hidden_cells(observed, seed=4)).any()
    few = hidden_cells(np.ones((10, 2), bool), seed=0)
    assert len(few) == 20 and few.sum() == 20  # every cell has had its turn


def test_hide_leaves_the_rest_as_it_was() -> None:
    table = mixed(50)
    schema = schema_of(table)
    gone = np.random.default_rng(0).random((50, 5)) < 0.3
    for given in (table, table.to_pandas().set_index(pd.Index(range(50, 0, -1)))):
        left = hide(given, schema, gone).to_native()
        for name, each in zip(table.columns, gone.T, strict=True):
            np.testing.assert_array_equal(left[name].is_null(), each)
            assert left[name].filter(~each).equals(table[name].filter(~each))


def test_errors_of_filling() -> None:
    train, test = mixed(300), mixed(100, seed=2)
    schema, values = schema_of(train), table_values(mixed(300), schema_of(train))
    asked: list[pl.DataFrame] = []

    def perfect_but_for_level(table: pl.DataFrame) -> pl.DataFrame:
        asked.append(table)
        whole = pl.concat([test] * (len(table) // 100))
        return whole.with_columns(level=pl.lit("mid"))

    scores = {each["name"]: each for each in imputation_scores(train, test, schema, perfect_but_for_level, seed=1)}
    (seen,) = asked
    gone = seen["x"].is_null()
    x = pl.concat([test] * (len(seen) // 100))["x"].filter(gone).to_numpy()
    assert scores["x"]["model"] == scores["coin"]["model"] == 0 and scores["x"]["cells"] == gone.sum() == 30
    by_mean = np.sqrt(((x - values[:, 0].mean()) ** 2).mean()) / values[:, 0].std()
    assert scores["x"]["simple"] == pytest.approx(by_mean) and scores["x"]["neighbours"] < 0.5 * by_mean
    level = pl.concat([test] * (len(seen) // 100))["level"].filter(seen["level"].is_null())
    assert scores["level"]["model"] == pytest.approx((level != "mid").mean())
    assert scores["level"]["neighbours"] < scores["level"]["simple"]


def test_nearest_neighbours_are_scikit_learns() -> None:
    train, test = mixed(80).select("x", "noise", "twice"), mixed(30, seed=2).select("x", "noise", "twice")
    schema, asked = schema_of(train), []

    def keep(table: pl.DataFrame) -> pl.DataFrame:
        asked.append(table)
        return table.fill_null(0.0)

    scores = imputation_scores(train, test, schema, keep)
    mean, spread = train.to_numpy().mean(0), train.to_numpy().std(0)
    holes = (asked[0].to_numpy() - mean) / spread
    found = np.asarray(KNNImputer().fit((train.to_numpy() - mean) / spread).transform(holes))
    truth = (np.tile(test.to_numpy(), (len(holes) // 30, 1)) - mean) / spread
    for j, each in enumerate(scores):
        gone = np.isnan(holes[:, j])
        error = np.sqrt(np.square(found[gone, j] - truth[gone, j]).mean())
        assert each["neighbours"] == pytest.approx(error)


def test_tables_with_nothing_to_score() -> None:
    train = pl.DataFrame({"x": np.arange(30) ** 2 + 0.5, "id": [f"i{i}" for i in range(30)]})
    schema = schema_of(train)
    scores = summarise_table(
        train, train[:1], schema, lambda table: table.fill_null(0.0), lambda n: train[np.arange(n) % 30]
    )
    assert scores["association_mean"] is None and scores["imputation_error_rate"] is None
    assert scores["columns"][1] == {"name": "id", "kind": "identifier", "missing": 0.0}
    assert scores["complete_rows"] == 1.0 and scores["patterns"] == []
    empty = train[:1].with_columns(x=pl.lit(None, pl.Float64))
    scores = summarise_table(train, empty, schema, lambda table: table, lambda n: train[np.arange(n) % 30])
    assert scores["neighbour_distance"] is None and scores["imputation_rmse"] is None


def test_patterns_of_holes() -> None:
    table = mixed(10).with_columns(
        x=pl.Series([None] * 4 + [0.5] * 6), noise=pl.Series([None] * 3 + [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, None])
    )
    scores = summarise_table(table, table, schema_of(mixed()), filled, mixed)
    assert scores["complete_rows"] == 0.5
    assert [(each["missing"], each["share"]) for each in scores["patterns"]] == [
        (["x", "noise"], 0.3),
        (["noise"], 0.1),
        (["x"], 0.1),
    ]
