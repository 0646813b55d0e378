"""`ConditionalVAE`: conventions, conditions of every kind, completion, and bad input word for word."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import scipy.stats
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

import vaekit
from vaekit import ConditionalVAE
from vaekit.errors import DataError, DataTypeError, OptionError

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]

_ALONE = "the check calls transform or score_samples without the conditions of the rows, which have no meaning then"
EXPECTED_FAILED_CHECKS = dict.fromkeys(
    (
        "check_dict_unchanged",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit_idempotent",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformer_preserve_dtypes",
    ),
    _ALONE,
)


@parametrize_with_checks([ConditionalVAE(**SMALL)], expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS)
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API", "ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    return ConditionalVAE(**{**SMALL, "epochs": 60, "learning_rate": 0.01}).fit(X, NAMES)


# -- conditions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y - 1,
        NAMES,
        NAMES.astype(object),
        pd.Series(NAMES, dtype="category"),
        pl.Series(NAMES),
        Y == 1,
        Y.astype(float),
    ],
    ids=["ints", "-1", "strings", "objects", "categories", "polars", "booleans", "floats"],
)
def test_labels_of_every_kind(y, tmp_path):
    cvae = ConditionalVAE(**SMALL).fit(X, y)
    assert cvae.classes_.tolist() == sorted(set(np.asarray(y).tolist()))
    one = cvae.classes_[0]
    np.testing.assert_array_equal(cvae.sample(4, 0, y=one), cvae.sample(4, 0, y=[one] * 4))
    cvae.save(tmp_path)
    loaded = vaekit.load(tmp_path)
    assert np.array_equal(loaded.classes_, cvae.classes_) and loaded.classes_.dtype == cvae.classes_.dtype
    assert np.array_equal(loaded.score_samples(X, y, 5), cvae.score_samples(X, y, 5))
    assert np.array_equal(loaded.sample(4, 0, y=one), cvae.sample(4, 0, y=one))


@pytest.mark.parametrize("prior", ["normal", "conditional"])
def test_vectors(prior, tmp_path):
    cvae = ConditionalVAE(**SMALL, prior=prior, condition_hidden=(6,)).fit(X[:, 2:], condition=X[:, :2])
    frame = pd.DataFrame(X[:, :2])
    scores = cvae.score_samples(X[:, 2:], condition=X[:, :2])
    assert np.array_equal(cvae.score_samples(X[:, 2:], condition=frame), scores)
    assert cvae.sample(3, 0, condition=X[0, :2]).shape == (3, 2)
    np.testing.assert_array_equal(cvae.sample(3, 0, condition=X[0, :2]), cvae.sample(3, 0, condition=X[[0, 0, 0], :2]))
    cvae.save(tmp_path)
    assert vaekit.load(tmp_path).evaluate(X[:, 2:], condition=X[:, :2]) == cvae.evaluate(X[:, 2:], condition=X[:, :2])
    with pytest.raises(AttributeError, match="fitted with vectors, so it has no classes_"):
        cvae.classes_  # noqa: B018


def test_a_column_is_a_vector_of_one_number():
    cvae = ConditionalVAE(**SMALL).fit(X[:, 1:], condition=X[:, 0])
    scores = cvae.score_samples(X[:, 1:], condition=X[:, 0])
    assert np.array_equal(cvae.score_samples(X[:, 1:], condition=X[:, :1]), scores)
    assert cvae.sample(3, 0, condition=[5.0]).shape == (3, 3)
    assert cvae.sample(3, 0, condition=[5.0, 6.0, 7.0]).shape == (3, 3)


def test_a_condition_in_other_units_says_the_same():
    kinds = {**SMALL, "epochs": 5}
    one = ConditionalVAE(**kinds).fit(X[:, 2:], condition=X[:, :2])
    other = ConditionalVAE(**kinds).fit(X[:, 2:], condition=1000 * X[:, :2] - 7)
    scores = other.score_samples(X[:, 2:], condition=1000 * X[:, :2] - 7)
    np.testing.assert_allclose(scores, one.score_samples(X[:, 2:], condition=X[:, :2]), atol=0.02)


def test_a_constant_condition_says_nothing():
    cvae = ConditionalVAE(**SMALL).fit(X, condition=np.full(150, 7.0))
    scores = cvae.score_samples(X, condition=[7.0])
    assert np.isfinite(scores).all() and np.array_equal(scores, cvae.score_samples(X, condition=[9.0]))


# -- what it gives -----------------------------------------------------------------------------------------------------


def test_the_right_label_is_likelier(iris):
    by_class = np.stack([iris.score_samples(X, name) for name in iris.classes_], 1)
    assert (iris.classes_[by_class.argmax(1)] == NAMES).mean() > 0.8  # Bayes' rule with equal class frequencies
    np.testing.assert_allclose(by_class[Y == 2, 2], iris.score_samples(X[Y == 2], NAMES[Y == 2]), rtol=1e-5)


def test_scores_are_functions_of_row_and_condition(iris):
    whole = iris.score_samples(X, NAMES, 20)
    np.testing.assert_allclose(iris.score_samples(X[40:67], NAMES[40:67], 20), whole[40:67], rtol=1e-4, atol=1e-4)
    assert iris.score(X, NAMES, 20) == pytest.approx(whole.mean(), rel=1e-5)
    assert (iris.elbo(X, NAMES, 20) <= whole + 0.5).mean() > 0.95
    summary = iris.evaluate(X, NAMES, 20)
    assert summary["log_likelihood"] == pytest.approx(whole.mean(), rel=1e-5) and summary["n"] == 150
    gain = summary["log_likelihood"] - summary["independent"]
    assert summary["gain_over_independent"] == pytest.approx(gain)


@pytest.mark.usefixtures("generators_untouched")
def test_a_fit_is_a_function_of_data_parameters_and_seed():
    a, b = (ConditionalVAE(**SMALL).fit(X, NAMES) for _ in range(2))
    other = ConditionalVAE(**{**SMALL, "random_state": 1}).fit(X, NAMES)
    assert np.array_equal(a.transform(X, NAMES), b.transform(X, NAMES))
    assert not np.allclose(a.transform(X, NAMES), other.transform(X, NAMES))
    assert np.array_equal(ConditionalVAE(**SMALL).fit_transform(X, NAMES), a.transform(X, NAMES))
    assert np.array_equal(a.complete(NAMES[:9]), b.complete(NAMES[:9]))


def test_without_latent_units_it_is_a_regression_whose_density_is_exact():
    """x|c ~ N(2c, 0.5^2): its mean log-density is that of the truth, within what 2,000 rows and a short fit allow."""
    rng = np.random.default_rng(0)
    condition = rng.normal(size=(2000, 1))
    x = 2 * condition + 0.5 * rng.normal(size=(2000, 1))
    options = {**SMALL, "latent_dim": 0, "hidden": (), "epochs": 60, "learning_rate": 0.02, "likelihood": "gaussian"}
    cvae = ConditionalVAE(**options).fit(x, condition=condition)
    truth = scipy.stats.norm(2 * condition, 0.5).logpdf(x)[:, 0]
    scores = cvae.score_samples(x, condition=condition, num_samples=1)
    assert abs(scores.mean() - truth.mean()) < 0.01
    assert np.array_equal(scores, cvae.score_samples(x, condition=condition, num_samples=60))
    assert np.array_equal(scores, cvae.elbo(x, condition=condition))
    np.testing.assert_allclose(cvae.complete(condition=[[-1.0], [1.0]])[:, 0], [-2, 2], atol=0.1)
    assert cvae.transform(x, condition=condition).shape == (2000, 0)


@pytest.mark.parametrize("prior", ["normal", "conditional"])
def test_completions_have_the_mean_and_the_spread_of_what_is_missing(prior):
    """Three columns that the condition moves by 5, and one common factor by 2: all three go together."""
    rng = np.random.default_rng(0)
    condition = rng.integers(0, 2, (1500, 1))
    x = 5 * condition + 2 * rng.normal(size=(1500, 1)) + rng.normal(size=(1500, 3))
    options = {**SMALL, "latent_dim": 1, "hidden": (), "epochs": 60, "learning_rate": 0.02, "schedule": "cosine"}
    cvae = ConditionalVAE(**options, likelihood="gaussian", prior=prior).fit(x, condition=condition)
    known = np.array([[0], [1]])
    mean = cvae.complete(condition=known, num_samples=2000)
    np.testing.assert_allclose(mean, np.array([[0.0] * 3, [5.0] * 3]), atol=0.4)
    draws = np.stack(cvae.complete(condition=known, draws=1000))
    assert draws.shape == (1000, 2, 3)
    np.testing.assert_allclose(draws.mean(0), mean, atol=5 * 2 / 1000**0.5)
    np.testing.assert_allclose(draws.std(0), 5**0.5, atol=0.25)
    assert np.corrcoef(draws[:, 0].T).min() == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_grey_images(network, tmp_path):
    digits = load_digits()
    images, y = digits.images[:300].astype("uint8"), digits.target[:300]
    options = {**SMALL, "network": network, "channels": (4,), "likelihood": "bernoulli"}
    cvae = ConditionalVAE(**options).fit(images, y)
    assert cvae.fitted_["grey_max"] == 16
    samples = cvae.sample(5, 0, y=[0, 1, 2, 3, 4])
    assert samples.shape == (5, 8, 8) and samples.dtype == np.uint8
    assert cvae.reconstruct(images, y).shape == images.shape and cvae.complete([3, 4]).max() <= 16
    scores = cvae.score_samples(images, y, 5)
    assert np.array_equal(scores, cvae.score_samples(images, y, 5)) and (scores < 0).all()
    cvae.save(tmp_path)
    assert np.array_equal(vaekit.load(tmp_path).score_samples(images, y, 5), scores)
    indicators = torch.eye(10)[torch.as_tensor(y)]
    codes = cvae.encoder_(torch.as_tensor(images), indicators).detach().numpy()
    np.testing.assert_allclose(codes, cvae.transform(images, y), rtol=1e-4, atol=1e-5)
    cvae = ConditionalVAE(**options, binarize="threshold").fit(images, y)
    codes = cvae.encoder_(torch.as_tensor(images), indicators).detach().numpy()
    np.testing.assert_allclose(codes, cvae.transform(16.0 * (images > 8), y), rtol=1e-4, atol=1e-5)


def test_containers_come_back():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"], index=range(10, 160))
    cvae = ConditionalVAE(**SMALL).fit(frame, NAMES)
    for rows in (cvae.sample(3, 0, y="setosa"), cvae.complete(["setosa"]), cvae.complete(["setosa"], draws=1)[0]):
        assert list(rows.columns) == ["a", "b", "c", "d"]
    rebuilt = cvae.reconstruct(frame, NAMES)
    assert list(rebuilt.index) == list(frame.index)
    numbered = ConditionalVAE(**SMALL).fit(pd.DataFrame(X, index=frame.index), NAMES)
    rebuilt = numbered.reconstruct(pd.DataFrame(X, index=frame.index), NAMES)
    assert list(rebuilt.columns) == [0, 1, 2, 3] and rebuilt.index.equals(frame.index)
    for rows in (numbered.sample(3, 0, y="setosa"), numbered.complete(["setosa"], draws=1)[0]):
        assert list(rows.columns) == [0, 1, 2, 3]
    counts = scipy.sparse.csr_array(np.random.default_rng(0).poisson(0.3, (60, 12)))
    sparse = ConditionalVAE(**SMALL).fit(counts, np.arange(60) % 2)
    dense = ConditionalVAE(**SMALL).fit(counts.toarray(), np.arange(60) % 2)
    assert scipy.sparse.issparse(sparse.sample(4, 0, y=1))
    np.testing.assert_allclose(
        sparse.score_samples(counts, 1, 5), dense.score_samples(counts.toarray(), 1, 5), rtol=1e-5
    )


def test_pickle_clone_warm_start_and_validation_data():
    cvae = ConditionalVAE(**SMALL, warm_start=True).fit(X, NAMES, validation_data=(X[::3], NAMES[::3]))
    codes = cvae.transform(X, NAMES)
    assert np.array_equal(pickle.loads(pickle.dumps(cvae)).transform(X, NAMES), codes)
    assert not hasattr(clone(cvae), "model_")
    assert cvae.history_[0]["validation"] is not None
    cvae.fit(X, NAMES)
    assert cvae.n_iter_ == 4 and not np.allclose(cvae.transform(X, NAMES), codes)
    vectors = ConditionalVAE(**SMALL).fit(X, condition=X[:, :1], validation_data=(X, X[:, :1]))
    assert vectors.history_[0]["validation"] is not None


def test_names_of_the_codes(iris):
    assert list(iris.get_feature_names_out()) == ["conditionalvae0", "conditionalvae1"]
    frame = ConditionalVAE(**SMALL).set_output(transform="pandas").fit_transform(X, NAMES)
    assert list(frame.columns) == ["conditionalvae0", "conditionalvae1"]


@pytest.mark.parametrize("objective", ["elbo", "iwae", "dreg", "stl"])
@pytest.mark.parametrize("prior", ["normal", "conditional"])
def test_objectives_train(objective, prior):
    settings = {**SMALL, "epochs": 15, "learning_rate": 0.01, "patience": None}
    cvae = ConditionalVAE(**settings, objective=objective, prior=prior, samples=3, kl_warmup=2).fit(X, NAMES)
    assert cvae.history_[-1]["train"] > cvae.history_[0]["train"]


# -- bad input ---------------------------------------------------------------------------------------------------------


NEITHER = (
    "A ConditionalVAE requires y to be passed, but the target y is None: give labels as y=, or vectors as condition=."
)


@pytest.mark.parametrize(
    ("y", "condition", "error", "message"),
    [
        (None, None, OptionError, NEITHER),
        (Y, X, OptionError, "Give labels as y= or vectors as condition=, not both."),
        (Y[:-1], None, DataError, "X has 150 rows, but y has 149."),
        (None, X[:-2], DataError, "X has 150 rows, but condition has 148."),
        (np.where(Y == 1, np.nan, Y), None, DataError, "Input y contains NaN: every row needs its label."),
        (pd.Series([None, *NAMES[1:]]), None, DataError, "Input y contains NaN: every row needs its label."),
        (
            pd.Series([pd.NA, *Y[1:]], dtype="Int64").astype(object),
            None,
            DataError,
            "Input y contains NaN: every row needs its label.",
        ),
        ([*NAMES[1:], 3], None, DataTypeError, "y holds both strings and other labels; make all of them strings."),
        (
            X[:, 0],
            None,
            DataError,
            "y holds real numbers, which are no labels (Unknown label type: continuous); give them as condition=.",
        ),
        (
            np.array([b"a"] * 150),
            None,
            DataTypeError,
            "y holds values of type |S1; labels are numbers or strings.",
        ),
        (None, np.zeros((150, 2, 2)), DataError, "condition must have the shape (n, C), not (150, 2, 2)."),
        (None, 1.5, DataError, "condition must have the shape (n, C), not be the single value 1.5."),
    ],
)
def test_conditions_at_fit(y, condition, error, message):
    with pytest.raises(error) as caught:
        y = np.array(y, dtype=object) if isinstance(y, list) else y
        ConditionalVAE(**SMALL).fit(X, y, condition=condition)
    assert str(caught.value) == message


def test_nan_in_a_condition():
    condition = X.copy()
    condition[3, 1] = np.nan
    with pytest.raises(ValueError, match="Input condition contains NaN"):
        ConditionalVAE(**SMALL).fit(X, condition=condition)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, OptionError, NEITHER),
        ({"condition": X}, OptionError, "This ConditionalVAE was fitted with labels: give y=, not condition=."),
        ({"y": NAMES[:3]}, DataError, "X has 150 rows, but y has 3."),
        (
            {"y": "rose"},
            DataError,
            "y holds the label 'rose', which was not there at fit: 'setosa', 'versicolor', 'virginica' were.",
        ),
        (
            {"y": [*NAMES[:-2], "rose", "lily"]},
            DataError,
            "y holds the labels 'lily', 'rose', which were not there at fit: 'setosa', 'versicolor', 'virginica' were.",
        ),
    ],
)
def test_conditions_after_a_fit_with_labels(given, error, message, iris):
    for call in (iris.transform, iris.score_samples, iris.elbo, iris.evaluate, iris.reconstruct):
        with pytest.raises(error) as caught:
            call(X, **given)
        assert str(caught.value) == message
    with pytest.raises(error) as caught:
        iris.sample(150, **given)
    assert str(caught.value) == message.replace("X has", "The sample has")


def test_conditions_after_a_fit_with_vectors():
    cvae = ConditionalVAE(**SMALL).fit(X, condition=X[:, :3])
    with pytest.raises(DataError) as caught:
        cvae.score_samples(X, condition=X[:, :1])
    assert str(caught.value) == "condition has 1 column, but ConditionalVAE was fitted with 3."
    with pytest.raises(OptionError) as caught:
        cvae.sample(2, y="setosa")
    assert str(caught.value) == "This ConditionalVAE was fitted with vectors: give condition=, not y=."
    with pytest.raises(DataError) as caught:
        cvae.inverse_transform(np.zeros((2, 5)), condition=X[:2, :3])
    assert str(caught.value) == "Z has 5 columns, but the code has 2 units."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": -1}, "latent_dim=-1 must be a whole number of at least 0."),
        (
            {"latent_dim": 0, "prior": "conditional"},
            "prior='conditional' is of latent units, of which latent_dim=0 leaves none: choose prior='normal'.",
        ),
        ({"prior": "vamp"}, "prior='vamp' is not one of 'normal', 'conditional'."),
        ({"objective": "tc"}, "objective='tc' is not one of 'elbo', 'iwae', 'dreg', 'stl'."),
        ({"network": "ladder"}, "network='ladder' is not one of 'mlp', 'conv'."),
        ({"condition_hidden": 5}, "condition_hidden=5 must be a tuple of layer widths, such as (512,)."),
        (
            {"network": "conv"},
            "network='conv' needs images, (n, H, W) or (n, C, H, W), but a row of X has shape (4,): reshape X.",
        ),
    ],
)
def test_options(options, message):
    with pytest.raises(OptionError) as caught:
        ConditionalVAE(**{**SMALL, **options}).fit(X, Y)
    assert str(caught.value) == message


def test_the_mean_of_codes_without_an_order_is_refused():
    codes = np.random.default_rng(0).integers(0, 4, (60, 3))
    cvae = ConditionalVAE(**SMALL, likelihood="categorical").fit(codes, np.arange(60) % 2)
    with pytest.raises(OptionError, match="Codes without an order have no mean: ask for draws="):
        cvae.complete([0, 1])
    assert set(np.unique(cvae.complete([0, 1], draws=1)[0])) <= {0, 1, 2, 3}


def test_validation_data_must_be_a_pair():
    with pytest.raises(OptionError, match=r"validation_data must be a pair: \(X, y\), or \(X, condition\)"):
        ConditionalVAE(**SMALL).fit(X, Y, validation_data=X)
