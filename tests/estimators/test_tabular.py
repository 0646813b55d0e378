"""`TabularVAE` keeps its promises: densities in the columns' units, observed cells untouched, exact conditionals."""

import copy
import datetime
import itertools
import math
import pickle
import threading
from collections.abc import Callable

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import vaekit
from vaekit import TabularVAE, VAEImputer
from vaekit.data import coding
from vaekit.data.frames import as_frame, missing_in
from vaekit.errors import DataError, DataTypeError, OptionError
from vaekit.likelihoods.table import TableDistribution
from vaekit.priors import StandardNormal
from vaekit.randomness import isolated_rng

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "batch_size": 32, "verbose": 0, "random_state": 0}
N = 80


def holes(values, first: int):
    """The values, with every fifth one missing."""
    return [None if i % 5 == first else value for i, value in enumerate(values)]


def pandas() -> pd.DataFrame:
    """Every type of a column that pandas has, with holes, and columns that are set aside."""
    rng = np.random.default_rng(0)
    town = holes(rng.choice(list("abc"), N).tolist(), 0)
    when = pd.Series(pd.date_range("2020-03-01", periods=N, freq="7h")).where(np.arange(N) % 5 != 1)
    frame = pd.DataFrame(
        {
            "real": pd.Series(holes(rng.normal(size=N), 0), dtype=float),
            "single": pd.Series(holes(rng.normal(size=N).round(2), 1), dtype="float32"),
            "whole": pd.Series(holes(rng.poisson(4, N), 2), dtype="Int64"),
            "plain": rng.integers(-5, 5, N),
            "id": [f"i{i}" for i in range(N)],
            "price": pd.Series(holes(rng.lognormal(size=N), 3), dtype="Float64"),
            "rain": np.where(rng.random(N) < 0.3, 0.0, rng.lognormal(size=N)),
            "flag": pd.Series(holes(rng.random(N) < 0.5, 4), dtype="boolean"),
            "objects": pd.Series(holes((rng.random(N) < 0.5).tolist(), 4), dtype=object),
            "truth": rng.random(N) < 0.4,
            "text": pd.Series(town, dtype="string"),
            "object": pd.Series(town, dtype=object),
            "kind": pd.Series(town, dtype="category"),
            "grade": pd.Categorical(town, categories=["c", "b", "a"], ordered=True),
            "size": pd.Categorical(holes([1, 2, 3, 2] * (N // 4), 2), categories=[3, 2, 1], ordered=True),
            "gone": [None] * N,
            "when": when,
            "zoned": when.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
            "ns": when.astype("datetime64[ns]"),
            "one": [7] * N,
            "arrow": pd.Series(holes(rng.poisson(4, N).tolist(), 2), dtype="int64[pyarrow]"),
        }
    )
    frame.loc[3, "rain"] = np.nan
    return frame.set_axis(pd.Index(range(100, 100 + N), name="key"))


def polars() -> pl.DataFrame:
    frame = pl.from_pandas(pandas()[["real", "whole", "id", "price", "rain", "flag", "truth", "text", "when", "one"]])
    return frame.with_columns(
        pl.col("text").cast(pl.Enum(["c", "b", "a"])).alias("grade"),
        pl.col("text").cast(pl.Categorical).alias("kind"),
        pl.col("when").dt.date().alias("day"),
        pl.col("when").dt.cast_time_unit("ms").alias("ms"),
        pl.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin").alias("zoned"),
        pl.col("whole").cast(pl.UInt8).alias("byte"),
        pl.when(pl.col("real") > 0.5).then(float("nan")).otherwise(pl.col("real")).alias("nan"),
        pl.lit(None).alias("gone"),
    )


def numpy() -> np.ndarray:
    return np.column_stack([pandas()[name].astype(float) for name in ("real", "whole", "rain", "truth")])


TABLES = {
    "pandas": pandas,
    "polars": polars,
    "pyarrow": lambda: polars().drop("grade", "kind").to_arrow(),
    "numpy": numpy,
}
SET_ASIDE = ("id", "one", "gone")


@pytest.fixture(scope="module", autouse=True)
def short_baseline():
    """Independent columns are fitted in a few steps: a quarter of the time of fits that are this small goes there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vaekit.evaluation.likelihood._STEPS", 10)
        yield


@pytest.fixture(scope="module", params=TABLES)
def table(request):
    return TABLES[request.param]()


@pytest.fixture(scope="module")
def fitted(table):
    return TabularVAE(**SMALL).fit(table)


def columns_of(table) -> dict[str, tuple[object, np.ndarray, list]]:
    """Of each column its type, which cells are missing, and its cells."""
    if isinstance(table, np.ndarray):
        return {f"x{j}": (table.dtype, np.isnan(table[:, j]), table[:, j].tolist()) for j in range(table.shape[1])}
    if isinstance(table, pd.DataFrame):
        return {name: (table[name].dtype, table[name].isna().to_numpy(), table[name].tolist()) for name in table}
    frame = pl.from_arrow(table) if isinstance(table, pa.Table) else table
    out = {}
    for name in table.schema.names if isinstance(table, pa.Table) else table.columns:
        missing = frame[name].is_null() | (
            frame[name].is_nan().fill_null(True) if frame[name].dtype.is_float() else False
        )
        out[name] = (
            table.schema.field(name) if isinstance(table, pa.Table) else frame.schema[name],
            missing.to_numpy(),
            frame[name].to_list(),
        )
    return out


def same(a, b) -> bool:
    if isinstance(a, pa.Table):
        return a.schema == b.schema and bool(pl.from_arrow(a).equals(pl.from_arrow(b)))  # which holds NaN equal to NaN
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a.equals(b)


# -- imputing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"statistic": "median"}, {"draws": 1}], ids=["mean", "median", "draw"])
def test_imputing_fills_what_is_missing_and_touches_nothing_else(table, fitted, options):
    before = copy.deepcopy(table)
    found = fitted.impute(table, num_samples=20, **options)
    (filled,) = found if "draws" in options else (found,)
    assert type(filled) is type(table) and same(table, before)
    old, new = columns_of(table), columns_of(filled)
    assert list(new) == list(old)
    for name, (dtype, missing, cells) in old.items():
        assert new[name][0] == dtype, name
        assert not new[name][1].any() or name in SET_ASIDE, name
        kept = [i for i in range(N) if not missing[i]]
        assert [new[name][2][i] for i in kept] == [cells[i] for i in kept], name
    if isinstance(table, pd.DataFrame):
        assert filled.index.equals(table.index)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_what_is_imputed_does_not_depend_on_the_rows_beside(statistic):
    X = np.random.default_rng(0).normal(size=(60, 3)).cumsum(1)
    X[::3, 0] = X[1::3, 1] = X[2::6, 2] = np.nan
    vae = TabularVAE(**SMALL).fit(X)
    whole = vae.impute(X, statistic=statistic, num_samples=20)
    for some in (slice(7, 8), slice(30, 60), slice(None, None, -1)):
        part = vae.impute(X[some], statistic=statistic, num_samples=20)
        np.testing.assert_allclose(part, whole[some], rtol=1e-4, atol=1e-5)


def test_columns_named_by_whole_numbers_keep_their_names(tmp_path):
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(N, 3)).cumsum(1), columns=[0, 2, 10], index=range(N, 2 * N)
    )
    frame.iloc[::3, 0] = np.nan
    frame.columns.name = "site"
    before = frame.copy()
    vae = TabularVAE(**SMALL).fit(frame)
    vae.save(tmp_path / "folder")
    again = vaekit.load(tmp_path / "folder")
    made = [again.sample(2), again.impute(frame), *again.impute(frame, 1), again.cell_scores(frame)]
    made += [again.reconstruct(frame), vae.as_imputer().fit_transform(frame)]
    for table in made:
        assert list(table.columns) == [0, 2, 10]
    assert again.impute(frame).index.equals(frame.index) and frame.equals(before)
    assert again.impute(frame).columns.name == frame.columns.name == "site"
    texts = again.impute(frame.set_axis(["0", "2", "10"], axis=1))
    assert list(texts.columns) == ["0", "2", "10"] and np.array_equal(texts, again.impute(frame))
    assert said(OptionError, lambda: vae.sample(given={2: 0.0})) == (
        "given names a column 2 that is not there (did you mean '2'?)."
    )


def test_imputed_cells_are_values_of_their_columns(fitted, table):
    if isinstance(table, pd.DataFrame):
        filled = fitted.impute(table, num_samples=20)
        missing = table.isna()
        assert set(filled["text"][missing["text"]]) <= set("abc")
        assert set(filled["grade"][missing["grade"]]) <= set("abc")
        assert set(filled["size"][missing["size"]]) <= {1, 2, 3}
        assert {type(value) for value in filled["objects"]} == {bool}
        assert (filled["price"] > 0).all() and (filled["rain"] >= 0).all() and (filled["whole"] >= 0).all()


def test_a_table_without_holes_comes_back_as_it_is():
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=N), "n": np.arange(N) % 7})
    assert TabularVAE(**SMALL).fit(frame).impute(frame).equals(frame)


def test_columns_may_come_in_any_order_and_keep_it(fitted, table):
    if isinstance(table, np.ndarray):
        return
    names = list(columns_of(table))
    turned = table[names[::-1]] if isinstance(table, pd.DataFrame) else table.select(names[::-1])
    filled = fitted.impute(turned, num_samples=20)
    assert list(columns_of(filled)) == names[::-1]
    whole = fitted.impute(table, num_samples=20)
    for name, (_, _, cells) in columns_of(whole).items():
        missing = columns_of(filled)[name][1]
        assert missing.any() or columns_of(filled)[name][2] == cells, name
    np.testing.assert_allclose(fitted.score_samples(turned, 5), fitted.score_samples(table, 5), rtol=1e-6)


def test_draws_differ_and_average_to_the_mean():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    frame = pd.DataFrame({"x": z + 0.3 * rng.normal(size=200), "y": 2 * z + 0.3 * rng.normal(size=200)})
    frame.loc[::10, "y"] = np.nan
    vae = TabularVAE(**{**SMALL, "epochs": 40, "patience": None}, learning_rate=0.02).fit(frame)
    m, missing = 200, frame["y"].isna()
    drawn = np.stack([each.loc[missing, "y"] for each in vae.impute(frame, m, random_state=3)])
    assert len(np.unique(drawn)) > 0.99 * drawn.size  # float32 has few enough numbers for two to meet by chance
    mean, se = drawn.mean(0), drawn.std(0, ddof=1) / m**0.5
    expected = vae.impute(frame, num_samples=200).loc[missing, "y"].to_numpy()
    assert (np.abs(mean - expected) <= 5 * se + 0.03 * drawn.std(0)).all()
    assert np.corrcoef(expected, frame.loc[missing, "x"])[0, 1] > 0.9
    again, other = vae.impute(frame, 2, random_state=3)[0], vae.impute(frame, 2, random_state=4)[0]
    assert vae.impute(frame, 2, random_state=3)[0].equals(again) and not again.equals(other)


@pytest.mark.parametrize(
    ("kind", "value"), [("real", 5.0), ("count", 5), ("positive", 5.0), ("datetime", "2020-01-01")]
)
def test_numbers_that_were_all_the_same_are_filled_with_that(kind, value):
    cells = pd.Series([pd.Timestamp(value) if kind == "datetime" else value] * 40)
    frame = pd.DataFrame({"x": cells.where(cells.index % 4 > 0), "y": np.random.default_rng(0).normal(size=40)})
    vae = TabularVAE(**SMALL, schema={"x": kind}).fit(frame)
    for statistic in ("mean", "median"):
        assert (vae.impute(frame, statistic=statistic)["x"] == cells).all()


def test_imputed_draws_alone_have_variances_inflated_by_the_cells_that_were_there(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    frame = pd.DataFrame({"x": x, "y": x + 0.2 * rng.normal(size=60), "rain": np.where(x > 0, x, 0)})
    frame.loc[:9, "y"] = np.nan
    vae = TabularVAE(**{**SMALL, "epochs": 60, "patience": None}, learning_rate=0.02).fit(frame)
    vae.save(tmp_path / "model")
    likelihood, given = vae.model_.likelihood, {"x": 0.5}
    np.testing.assert_allclose(likelihood.n_observed, [60, 50, 60 * (1 - vae.schema_.all_columns[2].zeros)])
    mean, new, draw = vae.impute(frame), vae.sample(3, 0, given=given), vae.impute(frame, 1)[0]
    assert vaekit.load(tmp_path / "model").impute(frame, 1)[0].equals(draw)
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableDistribution, "inflated", lambda self, coefficients: asked.append(coefficients) or self)
        assert not vae.impute(frame, 1)[0].equals(draw) and asked == [SMALL["latent_dim"]]
    likelihood.n_observed.fill_(1.0)
    assert vae.impute(frame).equals(mean) and vae.sample(3, 0, given=given).equals(new)
    assert (vae.impute(frame, 1)[0] - mean)["y"].std() > 1.3 * (draw - mean)["y"].std() > 0


def test_a_cell_of_a_level_not_seen_at_fit_stays_as_it_is():
    frame = pd.DataFrame({"town": ["a", "b", "c", None] * 20, "x": np.random.default_rng(0).normal(size=80)})
    vae = TabularVAE(**SMALL).fit(frame)
    with pytest.warns(UserWarning, match="which no training row did"):
        filled = vae.impute(frame.replace({"town": {"a": "new"}}))
    assert (filled["town"][::4] == "new").all() and filled["town"].notna().all()


def test_warnings_point_at_the_line_of_the_caller():
    frame = pl.DataFrame({"town": ["a", "b", "c", None] * 20, "x": np.random.default_rng(0).normal(size=80)})
    vae = TabularVAE(**SMALL).fit(frame)
    new = frame.with_columns(town=pl.lit("new"))
    calls: list[Callable[[], object]] = [
        lambda: vae.impute(new),
        lambda: vae.set_output(transform="pandas").transform(new),
        lambda: new.pipe(vae.impute),
        lambda: cross_val_score(vae, pl.concat([new.head(5), frame]), cv=KFold(2)),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match="which no training row did") as said:
            call()
        assert said[0].filename == __file__
    with pytest.warns(UserWarning, match="which no training row did") as said:
        thread = threading.Thread(target=vae.impute, args=(new,))
        thread.start()
        thread.join()
    assert said[0].filename == coding.__file__  # as no line is the caller's


# -- scores ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "factor"), [("real", 8), ("real", 1 / 1024), ("positive", 8), ("positive", 3)])
def test_the_score_is_per_unit_of_each_column(kind, factor):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (N, 2)) if kind == "real" else rng.lognormal(1, 0.7, (N, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    scaled = frame.assign(b=frame["b"] * factor)
    options = {**SMALL, "epochs": 20, "learning_rate": 0.01, "schema": {"a": kind, "b": kind}}
    one, other = TabularVAE(**options).fit(frame), TabularVAE(**options).fit(scaled)
    lost = one.score(frame, num_samples=4000) - other.score(scaled, num_samples=4000)
    assert lost == pytest.approx(math.log(factor), abs=0.02)  # other last digits, other noise


def test_scores_are_functions_of_the_row(table, fitted):
    whole = fitted.score_samples(table, 20)
    assert np.isfinite(whole).all() and whole.dtype == np.float32
    order = np.random.default_rng(0).permutation(N)
    for rows in (order, order[:7]):
        some = (
            table.iloc[rows]
            if isinstance(table, pd.DataFrame)
            else table.take(rows)
            if isinstance(table, pa.Table)
            else table[rows]
        )
        np.testing.assert_allclose(fitted.score_samples(some, 20), whole[rows], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(fitted.transform(some), fitted.transform(table)[rows], rtol=1e-4, atol=1e-5)
    assert fitted.score(table, num_samples=20) == pytest.approx(whole.mean(), rel=1e-5)


def test_a_row_without_a_cell_scores_about_nothing():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "y": rng.choice(["a", "b", "c"], 300)})
    frame.loc[::10] = None
    vae = TabularVAE(**{**SMALL, "epochs": 30}, learning_rate=0.01).fit(frame)
    empty = vae.score_samples(frame.iloc[:1], 4000)
    assert abs(empty[0]) < 0.05
    assert vae.impute(frame.iloc[:1]).notna().all().all()
    assert np.isnan(vae.cell_scores(frame.iloc[:1]).to_numpy(float)).all()


def test_cell_scores_of_a_lazy_table_say_what_to_do(fitted):
    with pytest.raises(OptionError) as caught:
        fitted.cell_scores(pl.LazyFrame({"x": [1.0]}))
    assert str(caught.value) == ("cell_scores needs a table in memory: collect the LazyFrame, or some rows of it.")


def test_what_is_not_fitted_says_so():
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    for method in ("impute", "cell_scores", "anomaly_scores", "score_samples"):
        with pytest.raises(NotFittedError, match="This TabularVAE instance is not fitted yet"):
            getattr(TabularVAE(), method)(frame)


def test_the_bound_rises_with_the_samples(fitted, table):
    scores = [fitted.score_samples(table, num_samples=k) for k in (1, 5, 25, 125)]
    for fewer, more in itertools.pairwise(scores):
        assert (more - fewer).mean() > -3 * (more - fewer).std() / N**0.5
    assert fitted.elbo(table, 500).mean() < scores[2].mean() and scores[0].mean() < scores[3].mean()


def test_missing_columns_score_as_what_is_left(fitted, table):
    """A column of which no cell is there."""
    if not isinstance(table, pd.DataFrame):
        return
    gone = table.assign(price=pd.Series(pd.NA, index=table.index, dtype="Float64"))
    assert np.isfinite(fitted.score_samples(gone, 5)).all()
    assert (fitted.impute(gone, num_samples=5)["price"] > 0).all()


def test_numbers_beyond_all_reason_have_finite_scores():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=N), "p": rng.lognormal(size=N), "n": rng.poisson(3, N)})
    vae = TabularVAE(**SMALL).fit(frame)
    wild = pd.DataFrame({"x": [1e20, -1e300, 0.1, 0.2], "p": [1.0, np.nan, 1e300, 1e-300], "n": [2**24, 3, 3, 3]})
    scores = vae.score_samples(wild, 20)
    assert np.isfinite(scores).all() and (scores < vae.score_samples(frame, 20).min()).all()
    assert (vae.cell_scores(wild, 20).iloc[[0, 1], 0] < -1e6).all()
    assert np.isfinite(vae.impute(wild)["p"]).all()


# -- a small table of levels, whose probabilities are known by quadrature ----------------------------------------------

LEVELS = {"smokes": (False, True), "town": ("a", "b", "c"), "grade": ("low", "mid", "high")}
ROWS = pd.DataFrame(list(itertools.product(*LEVELS.values())), columns=list(LEVELS))


@pytest.fixture(scope="module")
def levels():
    """A model of levels whose weights are drawn, so that its columns depend on each other."""
    frame = pd.concat([ROWS] * 10, ignore_index=True)
    vae = TabularVAE(**{**SMALL, "latent_dim": 1}, schema={"grade": list(LEVELS["grade"])}).fit(frame)
    with isolated_rng(2), torch.no_grad():
        for parameter in vae.model_.decoder.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    return vae


@pytest.fixture(scope="module")
def joint(levels) -> np.ndarray:
    z = torch.linspace(-8, 8, 4001)
    weights = torch.distributions.Normal(0.0, 1.0).log_prob(z).exp() * (z[1] - z[0])
    with torch.no_grad():
        each = levels.model_.decode(z[:, None, None]).log_prob(levels._read(ROWS).raw(slice(None))).exp()
    found = (weights[:, None].double() * each).sum(0).numpy().reshape([len(values) for values in LEVELS.values()])
    assert found.sum() == pytest.approx(1, abs=1e-3)
    return found / found.sum()


def frequencies(sample: pd.DataFrame) -> np.ndarray:
    return np.array([((sample == row).all(axis=1)).mean() for _, row in ROWS.iterrows()]).reshape(2, 3, 3)


def agree(found: np.ndarray, exact: np.ndarray, n: int, factor: float = 1.0) -> bool:
    return bool((np.abs(found - exact) <= 5 * np.sqrt(factor * exact * (1 - exact) / n) + 1e-3).all())


def test_scores_are_log_probabilities(levels, joint):
    assert np.abs(joint - joint.sum(axis=(1, 2), keepdims=True) * joint.sum(axis=0, keepdims=True)).max() > 0.005
    np.testing.assert_allclose(levels.score_samples(ROWS, 5000), np.log(joint).ravel(), atol=0.1)


def test_samples_have_the_models_frequencies(levels, joint):
    n = 10_000
    assert agree(frequencies(levels.sample(n, random_state=0)), joint, n)


@pytest.mark.parametrize("given", [{"smokes": True}, {"town": "c"}, {"grade": "low", "smokes": False}], ids=str)
def test_samples_given_cells_have_the_conditional_frequencies(levels, joint, given):
    n = 6000
    sample = levels.sample(n, random_state=0, given=given)
    for name, value in given.items():
        assert (sample[name] == value).all()
    exact = joint.copy()
    for axis, (name, values) in enumerate(LEVELS.items()):
        for place, value in enumerate(values):
            if name in given and value != given[name]:
                np.moveaxis(exact, axis, 0)[place] = 0
    assert agree(frequencies(sample), exact / exact.sum(), n, factor=2)  # codes are drawn from codes that were drawn


def test_scores_of_cells_are_differences_of_scores(levels, joint):
    found = levels.cell_scores(ROWS, 4000)
    assert list(found.columns) == list(LEVELS) and len(found) == len(ROWS)
    for axis, name in enumerate(LEVELS):
        exact = np.log(joint / joint.sum(axis=axis, keepdims=True))
        np.testing.assert_allclose(found[name], exact.ravel(), atol=0.1)
        rest = ROWS.astype(object)
        rest[name] = None
        differences = levels.score_samples(ROWS, 5000) - levels.score_samples(rest, 5000)
        np.testing.assert_allclose(found[name], differences, atol=0.2)


def test_the_likeliest_level_is_imputed(levels, joint):
    given = ROWS.astype(object)
    given["town"] = None
    filled = levels.impute(given, num_samples=4000)
    by_town = joint.transpose(0, 2, 1)
    clear = np.sort(by_town, -1)[..., -1] - np.sort(by_town, -1)[..., -2] > 0.2 * by_town.max(-1)
    expected = np.array(LEVELS["town"])[by_town.argmax(-1)]
    for i, row in filled.iterrows():
        place = int(row["smokes"]), LEVELS["grade"].index(row["grade"])
        assert not clear[place] or row["town"] == expected[place], i


# -- given values of other kinds ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[pandas, polars])
def of_every_kind(request):
    return TabularVAE(**SMALL).fit(request.param())


@pytest.mark.parametrize(
    "given",
    [
        {"real": 0.25},
        {"whole": 3},
        {"price": 2.5},
        {"rain": 0.0},
        {"flag": True},
        {"text": "b"},
        {"when": datetime.datetime(2020, 3, 4, 5)},
    ],
    ids=str,
)
def test_given_values_are_in_every_row(of_every_kind, given, monkeypatch):
    monkeypatch.setattr("vaekit.evaluation.imputation._GIVEN", 500)
    sample = of_every_kind.sample(5, random_state=0, given=given)
    ((name, value),) = given.items()
    assert list(sample[name]) == [value] * 5


def test_an_own_prior_may_look_at_the_encoder():
    class Prior(StandardNormal):
        def forward(self, encode=None):
            assert encode is not None
            return super().forward(encode)

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
    drawn = [TabularVAE(**options, prior=prior).fit(frame).sample(5, 0) for prior in (Prior(2), "normal")]
    pd.testing.assert_frame_equal(*drawn)


def test_samples_are_of_the_types_of_the_fit(table, fitted):
    if isinstance(table, pa.Table):
        return
    sample = fitted.sample(6, random_state=0)
    assert type(sample) is type(table)
    assert {name: column[0] for name, column in columns_of(sample).items()} == {
        n: c[0] for n, c in columns_of(table).items()
    }
    rebuilt = fitted.inverse_transform(fitted.transform(table))
    assert list(columns_of(rebuilt)) == list(columns_of(table))


# -- saving, copying, going on -----------------------------------------------------------------------------------------


def test_saved_and_loaded_is_the_same(table, fitted, tmp_path):
    fitted.save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run")
    assert loaded.schema_ == fitted.schema_ and loaded.get_params() == fitted.get_params()
    assert same(loaded.impute(table, num_samples=20), fitted.impute(table, num_samples=20))
    assert np.array_equal(loaded.score_samples(table, 5), fitted.score_samples(table, 5))
    assert same(loaded.sample(4, random_state=0), fitted.sample(4, random_state=0))
    assert loaded.evaluate(table, 5) == fitted.evaluate(table, 5)


def test_pickle_copy_and_clone(table, fitted):
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert same(twin.impute(table, num_samples=20), fitted.impute(table, num_samples=20))
    cloned = clone(TabularVAE(**SMALL, schema={"real": "real"}))
    assert cloned.get_params()["schema"] == {"real": "real"} and not hasattr(cloned, "model_")


@pytest.mark.usefixtures("generators_untouched")
def test_a_fit_is_a_function_of_data_parameters_and_seed(table, fitted):
    again = TabularVAE(**SMALL).fit(table)
    assert np.array_equal(again.score_samples(table, 5), fitted.score_samples(table, 5))
    assert same(again.impute(table, 1, num_samples=20)[0], fitted.impute(table, 1, num_samples=20)[0])
    other = TabularVAE(**{**SMALL, "random_state": 1}).fit(table)
    assert not np.allclose(other.transform(table), fitted.transform(table))


def test_warm_start_goes_on():
    frame = pandas()
    vae = TabularVAE(**SMALL, warm_start=True).fit(frame)
    first = vae.transform(frame)
    vae.fit(frame)
    assert vae.n_iter_ == 4 and not np.allclose(vae.transform(frame), first)


def test_hidden_cells_are_explained_but_not_seen():
    """With everything hidden the encoder learns nothing, and q is the same for all rows."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "y": rng.normal(size=200)})
    vae = TabularVAE(**{**SMALL, "epochs": 5}, hide=0.0).fit(frame)
    blind = TabularVAE(**{**SMALL, "epochs": 5}, hide=1.0).fit(frame)
    assert vae.history_[-1]["train"] != blind.history_[-1]["train"]
    assert np.isfinite(blind.score_samples(frame, 5)).all()


def test_independent_columns_gain_nothing_and_dependent_ones_do():
    rng = np.random.default_rng(0)
    z = rng.normal(size=300)
    frame = pd.DataFrame({"x": z + 0.2 * rng.normal(size=300), "y": np.where(z > 0, "up", "down")})
    options = {**SMALL, "epochs": 30, "learning_rate": 0.02}
    assert TabularVAE(**options).fit(frame).evaluate(frame, 50)["gain_over_independent"] > 0.3
    noise = frame.apply(lambda column: rng.permutation(column))
    assert abs(TabularVAE(**options).fit(noise).evaluate(noise, 50)["gain_over_independent"]) < 0.15


# -- in scikit-learn ---------------------------------------------------------------------------------------------------

# a check compares to the last digit, and products with narrower matrices round by a row's place in the batch
CHECKED = TabularVAE(**{**SMALL, "latent_dim": 8, "hidden": (16,)})


@parametrize_with_checks([CHECKED, CHECKED.as_imputer()])
@pytest.mark.filterwarnings(
    "ignore:.*SCIPY_ARRAY_API", "ignore::sklearn.exceptions.SkipTestWarning", "ignore:Column 'x"
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_an_array_of_other_columns_than_at_fit():
    X = np.random.default_rng(0).normal(size=(40, 3))
    vae = TabularVAE(**SMALL).fit(X)
    for call in (vae.transform, vae.impute, TabularVAE(**SMALL).as_imputer().fit(X).transform):
        assert said(DataError, lambda call=call: call(X[:, :2])) == (
            "X has 2 features, but TabularVAE is expecting 3 features as input."
        )


# -- in pipelines ------------------------------------------------------------------------------------------------------


def test_an_imputer_in_a_pipeline():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    X = np.column_stack([z + 0.3 * rng.normal(size=200) for _ in range(4)])
    y = (z > 0).astype(int)
    X[rng.random(X.shape) < 0.3] = np.nan
    imputer = TabularVAE(**{**SMALL, "epochs": 8}, learning_rate=0.02).as_imputer(num_samples=20)
    pipeline = make_pipeline(imputer, StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.85
    assert (
        cross_val_score(
            make_pipeline(StandardScaler(), TabularVAE(**SMALL).as_imputer(), LogisticRegression()), X, y, cv=2
        ).mean()
        > 0.7
    )
    filled = imputer.fit_transform(X)
    assert np.array_equal(filled[~np.isnan(X)], X[~np.isnan(X)]) and np.isfinite(filled).all()
    assert not hasattr(imputer.estimator, "model_") and imputer.get_params()["estimator__latent_dim"] == 2
    search = GridSearchCV(pipeline, {"vaeimputer__estimator__latent_dim": [1, 2]}, cv=2).fit(X, y)
    assert search.best_params_["vaeimputer__estimator__latent_dim"] in (1, 2)


def test_an_imputer_names_its_columns(table):
    imputer = TabularVAE(**SMALL).as_imputer(statistic="median", num_samples=10).fit(table)
    names = list(columns_of(table))
    assert list(imputer.get_feature_names_out()) == list(imputer.get_feature_names_out(names)) == names
    expected = TabularVAE(**SMALL).fit(table).impute(table, statistic="median", num_samples=10)
    assert same(imputer.transform(table), expected)


def test_names_of_columns_go_through_a_pipeline(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 2))
    df = pd.DataFrame(X, columns=["age", "height"])
    pipeline = make_pipeline(StandardScaler(), TabularVAE(**SMALL).as_imputer()).fit(df)
    assert list(pipeline.get_feature_names_out()) == ["age", "height"]
    imputer = pipeline[-1]
    assert list(imputer.get_feature_names_out()) == ["x0", "x1"]
    assert list(imputer.fit(df).feature_names_in_) == list(imputer.get_feature_names_out()) == ["age", "height"]
    assert said(ValueError, lambda: imputer.get_feature_names_out(["age", "weight"])) == (
        "input_features is not equal to feature_names_in_"
    )
    vae = TabularVAE(**SMALL).fit(df)
    assert list(vae.feature_names_in_) == ["age", "height"]
    vae.fit(X).save(tmp_path / "folder")
    for each in (vae, vaekit.load(tmp_path / "folder"), imputer.fit(X), imputer.fit(pd.DataFrame(X))):
        assert not hasattr(each, "feature_names_in_") and each.n_features_in_ == 2  # as scikit-learn has it


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, lambda columns: pd.DataFrame(columns).set_axis([4, 7], axis=1)]
)
def test_an_imputer_gives_the_columns_in_the_order_of_the_fit(make):
    rng = np.random.default_rng(0)
    df = make({"a": rng.normal(size=60), "b": 100 + rng.normal(size=60)})
    y = np.asarray(df)[:, 0]
    turned = df[list(df.columns)[::-1]]
    imputer = TabularVAE(**SMALL).as_imputer().fit(df)
    assert same(imputer.transform(turned), df)
    if isinstance(turned, pl.DataFrame):
        assert same(imputer.transform(turned.lazy()).collect(), df)
    pipeline = make_pipeline(imputer, LinearRegression()).set_output(transform="pandas").fit(df, y)
    np.testing.assert_allclose(pipeline.predict(turned), y, atol=1e-6)


def test_what_is_masked_in_an_array_is_missing():
    X = np.random.default_rng(0).normal(size=(60, 3))
    gone = np.zeros(X.shape, dtype=bool)
    gone[::5, 2] = True
    masked = np.ma.masked_array(np.where(gone, -999, X), gone)
    vae, holed = TabularVAE(**SMALL).fit(masked), np.where(gone, np.nan, X)
    np.testing.assert_array_equal(vae.impute(masked), TabularVAE(**SMALL).fit(holed).impute(holed))


def test_a_table_has_no_encoder_of_raw_rows(fitted):
    with pytest.raises(AttributeError, match="build on its `transform`"):
        fitted.encoder_  # noqa: B018


def test_an_imputer_takes_a_frozen_model_as_it_is(table):
    vae = TabularVAE(**SMALL).fit(table)
    imputer = VAEImputer(FrozenEstimator(vae), num_samples=10).fit(table[:5])
    assert imputer.estimator_.estimator is vae
    assert same(imputer.transform(table), vae.impute(table, num_samples=10))


# -- bad input ---------------------------------------------------------------------------------------------------------


def said(error, call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_tables_that_cannot_be_fitted():
    vae = TabularVAE(**SMALL)
    assert said(DataError, lambda: vae.fit(pd.DataFrame({"x": [1.5, np.inf, 2.0]}))) == (
        "Column 'x' holds infinity: replace it, or make it missing."
    )
    assert said(DataError, lambda: vae.fit(pd.DataFrame({"x": [None, None]}))) == "Every cell of the table is missing."
    assert said(DataTypeError, lambda: vae.fit({"x": [1.0, 2.0]})) == (
        "A table is a pandas or polars DataFrame, a pyarrow Table or an (n, D) array, not a dict."
    )
    assert said(OptionError, lambda: TabularVAE(**SMALL, schema={"y": "real"}).fit(pandas())) == (
        "schema names a column 'y' that is not there."
    )
    assert not hasattr(vae, "model_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schema": "real"}, "schema='real' must map names of columns to kinds, such as {'age': 'count'}."),
        ({"mixture": 0}, "mixture=0 must be a whole number of at least 1."),
        ({"hide": 1.5}, "hide=1.5 must be a number of at least 0 and at most 1."),
        ({"batch_size": 0}, "batch_size=0 must be a whole number of at least 1 and at most 2147483648, or None."),
        ({"prior": "vamp"}, "prior='vamp' is not one of 'normal', 'mixture', 'flow'."),
    ],
)
def test_options(options, message):
    assert said(OptionError, lambda: TabularVAE(**{**SMALL, **options}).fit(pandas())) == message


@pytest.fixture(scope="module")
def of_pandas():
    return TabularVAE(**SMALL).fit(pandas())


@pytest.mark.parametrize("method", ["transform", "score_samples", "impute", "cell_scores", "elbo", "posterior"])
def test_other_tables_than_at_fit(of_pandas, method):
    call, frame = getattr(of_pandas, method), pandas()
    assert (
        said(DataError, lambda: call(frame.drop(columns="price")))
        == "Column 'price' of the fit is missing: add it, with empty cells if nothing else is known."
    )
    assert (
        said(DataError, lambda: call(frame.assign(more=1))) == "Column 'more' is not among those of the fit: drop it."
    )
    assert said(DataTypeError, lambda: call(frame.assign(real="x"))) == (
        "Column 'real' is of type String, but was Float64 (real) at fit: make its cells numbers."
    )
    assert (
        said(DataError, lambda: call(frame.assign(whole=-1)))
        == "Column 'whole' holds -1, but was never below 0 at fit."
    )


def test_calls_that_cannot_be(of_pandas):
    frame = pandas()
    assert (
        said(OptionError, lambda: of_pandas.impute(frame, statistic="mode"))
        == "statistic='mode' is not one of 'mean', 'median'."
    )
    assert said(OptionError, lambda: of_pandas.impute(frame, 2, statistic="median")) == (
        "statistic= has no use beside draws=, which fills in draws: leave one of them out."
    )
    assert said(OptionError, lambda: of_pandas.impute(frame, 0)) == "draws=0 must be a whole number of at least 1."
    assert (
        said(OptionError, lambda: of_pandas.impute(frame, num_samples=0))
        == "num_samples=0 must be a whole number of at least 1."
    )
    assert said(OptionError, lambda: of_pandas.sample(0)) == "n=0 must be a whole number of at least 1."
    assert said(OptionError, lambda: of_pandas.sample(3, given={"pirce": 2.0})) == (
        "given names a column 'pirce' that is not there (did you mean 'price'?)."
    )
    assert (
        said(OptionError, lambda: of_pandas.sample(3, given={"id": "i3"}))
        == "given names the column 'id', which is no part of the model."
    )
    assert (
        said(DataError, lambda: of_pandas.sample(3, given={"text": "x"}))
        == "Column 'text' has no level 'x': 'a', 'b', 'c' were there at fit."
    )
    of_pandas.fit_prior(frame, components=1)
    assert said(OptionError, lambda: of_pandas.sample(3, given={"text": "a"}, prior="fitted")) == (
        "given= needs the model's own prior: prior='model'."
    )


def test_columns_of_times_without_any_are_drawn_without_any():
    x = np.random.default_rng(0).normal(size=30)
    none = pl.DataFrame({"day": [None] * 30, "ms": None}, {"day": pl.Date, "ms": pl.Datetime("ms", "Europe/Berlin")})
    of_polars = none.with_columns(x=pl.Series(x))
    nat = pd.Series([pd.NaT] * 30)
    of_pandas = pd.DataFrame({"x": x, "day": nat.astype("datetime64[s]"), "ms": nat.dt.tz_localize("UTC")})
    for frame in (of_polars, of_polars.to_arrow(), of_pandas):
        drawn, frame = (as_frame(table)[0] for table in (TabularVAE(**SMALL).fit(frame).sample(4), frame))
        assert drawn.schema == frame.schema
        assert all(drawn[name].is_null().all() == (name != "x") for name in drawn.columns)


def test_arrow_types_of_pandas_come_back():
    when = pd.date_range("2020-03-01", periods=60, freq="7h")
    frame = pd.DataFrame(
        {
            "x": pd.Series(np.random.default_rng(0).normal(size=60)).astype("float[pyarrow]"),
            "time": pd.Series(when).astype("timestamp[us][pyarrow]"),
            "zoned": pd.Series(when.tz_localize("UTC")).astype("timestamp[us, tz=UTC][pyarrow]"),
            "day": pd.Series(when.date).astype("date32[day][pyarrow]"),
            "count": pd.Series(np.arange(60) % 7).astype("int8[pyarrow]"),
            "flag": pd.Series([True, False] * 30).astype("bool[pyarrow]"),
            "word": pd.Series(["a", "b", "a"] * 20).astype(pd.ArrowDtype(pa.string())),
        }
    )
    holes = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.2)
    vae = TabularVAE(**SMALL).fit(holes)
    for made in (vae.sample(5), vae.impute(holes)):
        assert made.dtypes.equals(frame.dtypes) and made.notna().all(axis=None)


@pytest.mark.parametrize("name", ["x", "k", "day", "flag"])
def test_a_table_without_values_of_a_column_gets_them_in_the_type_of_the_fit(name):
    """As columns of Python's None, or of a type of nulls; constant and modelled ones alike."""
    rng, day = np.random.default_rng(0), datetime.datetime(2020, 1, 1)
    frame = pl.DataFrame(
        {"y": rng.normal(size=40), "x": rng.normal(size=40), "k": [7.0] * 40, "day": [day] * 40, "flag": [True] * 40}
    )
    for table, empty in (
        (frame, frame.with_columns(pl.lit(None).alias(name))),
        (frame.to_pandas(), frame.to_pandas().assign(**{name: None})),
    ):
        vae = TabularVAE(**SMALL).fit(table)
        filled = as_frame(vae.impute(empty))[0]
        assert filled.schema == as_frame(table)[0].schema and not filled[name].is_null().any()
    later = frame.with_columns(pl.lit(None).alias(name)).lazy()
    assert vae.fit(frame).impute(later).collect().schema == frame.schema
    whole = frame.with_columns(pl.lit(None, pl.Int64).alias("x"))
    assert (
        vae.impute(whole).schema == vae.impute(whole.lazy()).collect().schema == whole.schema
    )  # a type that says more


def test_true_and_false_as_categories():
    truth = pd.Categorical([True, False, None, True] * 20)
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=80), "truth": truth})
    vae = TabularVAE(**SMALL).fit(frame)
    assert (
        vae.sample(20).truth.isin([True, False]).all()
        and vae.sample(3, given={"truth": True}).truth.tolist() == [True] * 3
    )
    filled = vae.impute(frame)
    assert filled.dtypes.equals(frame.dtypes) and filled.truth.notna().all()
    assert (filled.truth == frame.truth)[frame.truth.notna()].all()


@pytest.mark.parametrize("draws", [None, 2])
def test_constant_columns_are_filled_with_their_value(draws):
    x = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame(
        {"x": x, "y": x[::-1], "k": np.where(x > 0, 7.0, np.nan), "word": ["w", None] * 30, "gone": [None] * 60}
    )
    vae = TabularVAE(**SMALL).fit(frame)
    for filled in [vae.impute(frame)] if draws is None else vae.impute(frame, draws):
        assert (filled.k == 7).all() and (filled.word == "w").all() and filled.gone.isna().all()
    assert vae.sample(2, given={"k": 7.0}).k.tolist() == [7.0, 7.0]


def test_impute_gives_a_new_table_and_rounds_into_whole_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)) * 3, columns=["a", "b"])
    vae = TabularVAE(**SMALL).fit(frame)
    filled = vae.impute(frame)
    filled.iloc[0, 0] = 99.0
    assert frame.iloc[0, 0] != 99.0
    whole = pl.DataFrame(
        {"a": [None, 1, None, -4], "b": [0.5, 1.0, -2.0, 3.0]}, schema={"a": pl.Int64, "b": pl.Float64}
    )
    means = vae.impute(whole.with_columns(pl.col("a").cast(pl.Float64)))["a"]
    assert vae.impute(whole)["a"].to_list() == means.round().to_list()


def test_a_table_filled_with_counts_can_be_scored():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.poisson(40, 80).astype(float), "x": rng.normal(size=80)})
    frame.loc[:9, "age"] = np.nan
    vae = TabularVAE(**SMALL).fit(frame)
    assert vae.schema_.modelled[0].kind == "count"
    for filled in (vae.impute(frame, statistic="median"), vae.impute(frame, 1)[0]):
        assert filled["age"].dtype == float and (filled["age"] % 1 == 0).all()
        assert np.isfinite(vae.score_samples(filled)).all()
    with pytest.raises(DataError, match=r"\(if impute filled in means: a draw, or the median, is a count\)\.$"):
        vae.score_samples(vae.impute(frame))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_reconstructed_rows_keep_what_is_set_aside(make):
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(60) + 2**60, "x": rng.normal(size=60), "name": [f"n {i}" for i in range(60)]}
    vae = TabularVAE(**SMALL).fit(make(columns))
    assert [column.kind for column in vae.schema_.all_columns] == ["identifier", "real", "identifier"]
    some: dict = {name: values[5:8] for name, values in columns.items()}
    names = some["name"] = ["n 5", None, "n 7"]
    given = [kind(some) for kind in (pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table)]
    for table in (*given, pd.DataFrame(some).astype({"name": "string"})):
        rows = vae.reconstruct(table)
        assert type(rows) is type(make(some))
        assert [int(i) for i in np.asarray(rows["id"])] == [2**60 + 5, 2**60 + 6, 2**60 + 7]
        found = nw.from_native(rows, eager_only=True)["name"]
        assert [None if gone else name for name, gone in zip(found, missing_in(found), strict=True)] == names
    frame = pl.DataFrame(some | {"id": [2**60 + 5, None, 2**60 + 7]})
    found = nw.from_native(vae.reconstruct(frame), eager_only=True)["id"]
    assert found[0] == 2**60 + 5 and missing_in(found).tolist() == [False, True, False] and found[2] == 2**60 + 7
    array = np.column_stack([np.arange(60), rng.normal(size=(60, 2))])
    assert TabularVAE(**SMALL).fit(array).reconstruct(array[5:8])[:, 0].tolist() == [5, 6, 7]


def test_the_imputer_takes_a_seed():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    table.iloc[::4, 0] = np.nan
    vae = TabularVAE(**SMALL)
    first, again, other = (
        vae.as_imputer(statistic="median", num_samples=5, random_state=seed).fit_transform(table) for seed in (1, 1, 2)
    )
    assert first.equals(again) and not first.equals(other)


def test_a_model_of_days_takes_pandas_times():
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(40)]
    table = pl.DataFrame({"day": [*days[:39], None], "x": np.arange(40.0) / 3})
    vae = TabularVAE(**SMALL).fit(table)
    frame = pd.DataFrame({"day": pd.to_datetime(table["day"].to_list()), "x": table["x"].to_numpy()})
    filled = vae.impute(frame)
    assert filled["day"].dtype == frame["day"].dtype
    assert filled["day"].notna().all()
    pd.testing.assert_series_equal(filled["day"][:39], frame["day"][:39])


def test_drawn_counts_have_no_minus_zero():
    table = pd.DataFrame({"n": np.random.default_rng(0).poisson(0.5, 60).astype(float), "x": np.arange(60.0) ** 1.5})
    drawn = TabularVAE(**SMALL).fit(table).sample(200, random_state=0)["n"]
    assert not np.signbit(drawn).any()


def test_given_must_be_a_mapping():
    vae = TabularVAE(**SMALL).fit(pandas()[["real", "text"]])
    with pytest.raises(OptionError, match="given must map names of columns to a value each, but is a DataFrame"):
        vae.sample(2, given=pandas()[["text"]])
