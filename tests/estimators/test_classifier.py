"""`VAEClassifier`: scikit-learn's conventions, what each method learns, saving, and bad input."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import vaekit
from vaekit import GAE, VAE, Autoencoder, Graph, PixelCNN, VAEClassifier
from vaekit.errors import DataError, DataTypeError, OptionError, TrainingError
from vaekit.likelihoods import LIKELIHOODS
from vaekit.models import SemiSupervisedVAE

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
TRAINED = {"epochs": 25, "learning_rate": 0.02, "verbose": 0, "random_state": 0}
CASES = {
    "finetune": VAEClassifier(pretrained=VAE(**SMALL), **TRAINED),
    "features": VAEClassifier("features", pretrained=VAE(**SMALL), **TRAINED),
    "m2": VAEClassifier("m2", latent_dim=2, hidden=(8,), **TRAINED),
}
EACH = pytest.mark.parametrize("method", CASES)


def expected_failures(estimator):
    return {"check_classifiers_classes": "one of its classes is -1, which marks rows without a label here"}


@parametrize_with_checks(list(CASES.values()), expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API", "ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


X, Y = load_iris(return_X_y=True)
FEW = np.where(np.arange(150) % 10 == 0, Y, -1)


def small(method, **options):
    """A classifier that is quick to fit."""
    return clone(CASES[method]).set_params(**options)


# -- labels ------------------------------------------------------------------------------------------------------------

NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize(
    "y",
    [
        np.where(FEW < 0, -1, NAMES[Y].astype(object)),
        np.where(FEW < 0, None, NAMES[Y].astype(object)),
        [None if few < 0 else str(NAMES[few]) for few in FEW],
        pd.Series(np.where(FEW < 0, None, NAMES[Y].astype(object)), dtype=object),
        pl.Series([None if few < 0 else str(NAMES[few]) for few in FEW]),
    ],
    ids=["-1 among objects", "None", "list", "pandas", "polars"],
)
def test_strings_with_missing_ones(y):
    fitted = small("features").fit(X, y)
    assert list(fitted.classes_) == list(NAMES) and fitted.classes_.dtype == object
    same = small("features").fit(X, FEW)
    np.testing.assert_array_equal(fitted.predict(X), NAMES[same.predict(X)])


def test_numbers_among_objects_are_numbers():
    fitted = small("features").fit(X, [None if few < 0 else int(few) + 3 for few in FEW])
    assert fitted.classes_.tolist() == [3, 4, 5] and fitted.classes_.dtype.kind == "i"


@EACH
def test_a_class_with_one_row_works(method):
    y = FEW.copy()
    y[np.flatnonzero(y == 2)[1:]] = -1
    assert small(method).fit(X, y).predict_proba(X).shape == (150, 3)


@EACH
def test_two_classes_and_all_rows_labelled(method):
    fitted = small(method).fit(X, Y == 0)
    assert fitted.classes_.dtype == bool and fitted.score(X, Y == 0) > 0.95


# -- what is learned ---------------------------------------------------------------------------------------------------


def test_unlabelled_rows_help_m2():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    rows = (rng.random((600, 24)) < np.where(y[:, None] == np.arange(24) % 2, 0.7, 0.3)).astype(float)
    few = np.where(np.arange(600) < 4, y, -1)
    m2 = VAEClassifier("m2", latent_dim=2, hidden=(16,), **TRAINED | {"epochs": 30, "learning_rate": 0.01})
    alone = clone(m2).fit(rows[:4], y[:4]).score(rows, y)
    assert m2.fit(rows, few).score(rows, y) > max(0.95, alone + 0.05)


def test_m2_from_two_labels_a_row_learns_as_well_and_is_saved(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 600)
    rows = (rng.random((600, 24)) < np.where(y[:, None] == np.arange(24) % 4, 0.9, 0.2)).astype(float)
    few, widths = np.where(np.arange(600) < 8, y, -1), set()
    terms = SemiSupervisedVAE.terms

    def counted(self, *args, **kwargs):
        made = terms(self, *args, **kwargs)
        widths.add(made.log_px.shape[1])
        return made

    monkeypatch.setattr(SemiSupervisedVAE, "terms", counted)
    options = TRAINED | {"epochs": 30, "learning_rate": 0.01}
    m2 = VAEClassifier("m2", latent_dim=2, hidden=(16,), label_sum="sampled", **options).fit(rows, few)
    assert widths == {2} and m2.score(rows, y) > 0.95
    m2.save(tmp_path / "m2")
    again = vaekit.load(tmp_path / "m2")
    assert again.label_sum == "sampled" and np.array_equal(again.predict_proba(rows), m2.predict_proba(rows))


def test_features_keep_the_encoder_and_finetuning_moves_it():
    vae = VAE(**SMALL | {"epochs": 20}).fit(X)
    kept = VAEClassifier("features", vae, **TRAINED).fit(X, FEW)
    moved = VAEClassifier("finetune", vae, **TRAINED).fit(X, FEW)
    rows = kept._read(X).raw(slice(None)).float()
    codes = vae.transform(X)
    np.testing.assert_allclose(kept.model_.encoder(rows).detach().numpy(), codes, atol=1e-5)
    assert np.abs(moved.model_.encoder(rows).detach().numpy() - codes).max() > 0.01
    np.testing.assert_array_equal(vae.transform(X), codes)
    assert len(moved.history_) == TRAINED["epochs"] and kept.history_ == []
    assert moved.history_[-1]["train"] > moved.history_[0]["train"]


def test_heads_on_digits():
    images, digit = load_digits(return_X_y=True)
    vae = VAE(16, (64,), likelihood="bernoulli", epochs=25, learning_rate=3e-3, random_state=0, verbose=0).fit(images)
    few = np.where(np.arange(len(digit)) < 100, digit, -1)
    scores = {}
    for head in ("linear", "radial", "spreading"):
        fitted = VAEClassifier("features", vae, head=head, random_state=0, verbose=0).fit(images, few)
        scores[head] = fitted.score(images[100:], digit[100:])
    assert scores["linear"] > 0.7 and scores["radial"] > 0.7
    assert scores["spreading"] > max(scores["linear"], scores["radial"]) + 0.03


@EACH
def test_images_in_any_shape(method):
    images, digit = load_digits().images[:100], load_digits().target[:100]
    fitted = VAEClassifier(method, None if method == "m2" else VAE(**SMALL), **SMALL).fit(images, digit)
    flat = fitted.predict_proba(images.reshape(100, -1))
    np.testing.assert_array_equal(fitted.predict_proba(images), flat)
    assert fitted.schema_.shape == (8, 8)


def test_grey_levels_are_read_as_the_means_of_their_draws():
    images = load_digits().data[:100]
    options = SMALL | {"likelihood": "bernoulli"}
    fitted = VAEClassifier("m2", **options).fit(images, load_digits().target[:100])
    x = fitted._read(images).raw(slice(None)).float() / 16
    np.testing.assert_allclose(fitted.predict_proba(images), fitted.model_.label_posterior(x).probs.detach(), atol=1e-6)


def test_the_default_is_a_vae_with_the_options_of_the_classifier():
    fitted = VAEClassifier("features", latent_dim=3, hidden=(7,), verbose=0, random_state=0)
    fitted.fit(X[::5], Y[::5])
    assert isinstance(fitted.pretrained_, VAE) and fitted.pretrained_.latent_dim == 3
    assert fitted.pretrained_.hidden == (7,) and fitted.likelihood_ == "gaussian"


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_m2_under_every_likelihood_survives_saving(likelihood, tmp_path):
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 2 if likelihood == "bernoulli" else 5, (60, 3, 4))
    rows = rng.normal(size=(60, 6)) if likelihood in ("gaussian", "isotropic", "heteroscedastic") else whole
    options = {**SMALL, "likelihood": likelihood}
    fitted = VAEClassifier("m2", **options).fit(rows, np.where(np.arange(60) < 30, np.arange(60) % 3, -1))
    assert fitted.likelihood_ == likelihood and np.isfinite(fitted.history_[-1]["train"])
    fitted.save(tmp_path)
    np.testing.assert_array_equal(vaekit.load(tmp_path).predict_proba(rows), fitted.predict_proba(rows))


def test_the_encoder_of_a_ladder_and_sparse_rows(tmp_path):
    images = (np.random.default_rng(0).random((40, 8, 8)) > 0.5).astype(int)
    y = np.where(np.arange(40) < 20, np.arange(40) % 2, -1)
    ladder = VAE(3, network="ladder", channels=(4,), stochastic_layers=2, epochs=1, random_state=0, verbose=0)
    fitted = VAEClassifier("finetune", ladder, epochs=2, random_state=0, verbose=0).fit(images, y)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(vaekit.load(tmp_path).predict_proba(images), fitted.predict_proba(images))
    sparse = scipy.sparse.csr_array(images.reshape(40, -1))
    for method in CASES:
        dense = small(method).fit(images.reshape(40, -1), y).predict_proba(images.reshape(40, -1))
        np.testing.assert_allclose(small(method).fit(sparse, y).predict_proba(sparse), dense, atol=1e-4)


@pytest.mark.parametrize("label_sum", ["exact", "sampled"])
def test_m2_that_diverges_keeps_the_last_good_weights(label_sum):
    m2 = small("m2", learning_rate=1e30, label_sum=label_sum)
    with pytest.raises(TrainingError, match="no longer a finite number"):
        m2.fit(X, FEW)
    assert np.isfinite(m2.predict_proba(X)).all()


# -- conventions -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("generators_untouched")
@EACH
def test_a_fit_is_a_function_of_data_parameters_and_seed(method):
    options = {} if method == "m2" else {"pretrained": VAE(**SMALL | {"random_state": None})}
    a, b = (small(method, **options).fit(X, FEW).predict_proba(X) for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.allclose(a, small(method, random_state=1, **options).fit(X, FEW).predict_proba(X))


@EACH
def test_validation_data_choose_the_weights(method):
    fitted = small(method, patience=3).fit(X[::2], FEW[::2], validation_data=(X[1::2], Y[1::2]))
    if method == "features":
        assert fitted.best_epoch_ == fitted.n_iter_ == 0
        return
    scores = [record["validation"] for record in fitted.history_]
    assert fitted.best_epoch_ == int(np.argmax(scores)) + 1
    kept = np.log(fitted.predict_proba(X[1::2])[np.arange(75), Y[1::2]].astype(float)).mean()
    assert max(scores) == pytest.approx(kept, abs=1e-4)


def test_clone_takes_a_fit_away_and_a_frozen_one_stays(tmp_path):
    vae = VAE(**SMALL).fit(X)
    assert not hasattr(clone(VAEClassifier(pretrained=vae)).pretrained, "model_")
    frozen = clone(VAEClassifier("features", FrozenEstimator(vae), verbose=0)).fit(X, FEW)
    np.testing.assert_array_equal(frozen.pretrained_.transform(X), vae.transform(X))
    frozen.save(tmp_path)
    loaded = clone(vaekit.load(tmp_path)).fit(X, FEW)
    np.testing.assert_array_equal(loaded.pretrained_.transform(X), vae.transform(X))
    never = VAEClassifier("features", FrozenEstimator(VAE(**SMALL)), verbose=0)
    with pytest.raises(NotFittedError, match="This VAE instance is not fitted yet"):
        never.fit(X, FEW)


def test_a_later_fit_of_the_vae_leaves_the_classifier_as_it_was(tmp_path):
    vae = VAE(**SMALL).fit(X)
    fitted = VAEClassifier("features", vae, **TRAINED).fit(X, FEW)
    before = fitted.predict_proba(X)
    vae.set_params(latent_dim=3).fit(X[:50, :3])
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
    fitted.save(tmp_path)
    loaded = vaekit.load(tmp_path)
    loaded.pretrained.set_params(latent_dim=3).fit(X[:, :3])
    np.testing.assert_array_equal(loaded.predict_proba(X), before)


def test_m1_and_m2_stacked_and_a_grid_search():
    stacked = make_pipeline(VAE(**SMALL), small("m2")).fit(X, FEW)
    assert stacked.predict(X).shape == (150,)
    search = GridSearchCV(small("features"), {"C": [0.1, 10.0], "pretrained__latent_dim": [1, 2]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.7


# -- saving ------------------------------------------------------------------------------------------------------------


@EACH
def test_save_then_load_is_the_identity(method, tmp_path):
    fitted = small(method).fit(X, FEW)
    fitted.save(tmp_path)
    loaded = vaekit.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.history_ == fitted.history_ and loaded.best_epoch_ == fitted.best_epoch_
    assert loaded.classes_.dtype == fitted.classes_.dtype and str(loaded.get_params()) == str(fitted.get_params())
    if method != "m2":
        np.testing.assert_array_equal(loaded.pretrained_.transform(X), fitted.pretrained_.transform(X))
        assert loaded.pretrained_.history_ == fitted.pretrained_.history_
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(twin.predict_proba(X), fitted.predict_proba(X))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_from_a_saved_folder(kind, tmp_path):
    base = kind(**SMALL).fit(X)
    base.save(tmp_path / "base")
    from_folder = VAEClassifier("features", tmp_path / "base", **TRAINED).fit(X, FEW)
    in_memory = VAEClassifier("features", base, **TRAINED).fit(X, FEW)
    np.testing.assert_array_equal(from_folder.predict_proba(X), in_memory.predict_proba(X))
    in_memory.save(tmp_path / "memory")
    assert hasattr(vaekit.load(tmp_path / "memory").pretrained, "model_")
    from_folder.save(tmp_path / "folder")
    (tmp_path / "base" / "config.json").unlink()  # what is saved is whole without it
    loaded = vaekit.load(tmp_path / "folder")
    assert loaded.pretrained == str(tmp_path / "base")
    np.testing.assert_array_equal(loaded.predict_proba(X), in_memory.predict_proba(X))


def test_strings_are_saved_and_own_networks_given_again(tmp_path):
    own = nn.Sequential(nn.Linear(4, 5), nn.Tanh())
    names = np.where(FEW < 0, None, NAMES[Y].astype(object))
    fitted = VAEClassifier(pretrained=VAE(**SMALL, encoder=own), **TRAINED).fit(X, names)
    fitted.save(tmp_path)
    with pytest.raises(OptionError, match=r"was fitted with its own encoder \(Sequential\), of which only the weights"):
        vaekit.load(tmp_path)
    loaded = vaekit.load(tmp_path, encoder=own)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


# -- bad input ---------------------------------------------------------------------------------------------------------


def said(error, call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


BAD_LABELS = {
    "none": (np.full(150, -1), DataError, "y has no label: every row is marked as one without."),
    "one class": (np.where(FEW > 0, -1, FEW), DataError, "y has one class only, 0; a classifier needs at least two."),
    "NaN": (
        np.where(FEW < 0, np.nan, FEW),
        DataError,
        "Input y contains NaN; mark rows without a label by -1, or None where labels are strings.",
    ),
    "NaN among strings": (
        pd.Series(np.where(FEW < 0, np.nan, NAMES[Y].astype(object))),
        DataError,
        "Input y contains NaN; mark rows without a label by -1, or None where labels are strings. What pandas made NaN "
        "is None again after y.astype(object).where(y.notna(), None).",
    ),
    "infinity": (np.where(FEW < 0, np.inf, FEW), DataError, "Input y contains infinity, which is no label."),
    "-1 as a string": (
        np.where(FEW < 0, "-1", NAMES[Y]),
        DataTypeError,
        "y is an array of strings that holds '-1'; for rows without a label make it an array of objects with None or "
        "the number -1 there.",
    ),
    "mixed": (
        np.where(Y == 0, 7, NAMES[Y].astype(object)),
        DataTypeError,
        "y holds both strings and other labels; make all of them strings, but for -1 or None.",
    ),
    "two columns": (np.eye(3)[Y], DataError, "y should be a 1d array, got an array of shape (150, 3) instead."),
    "complex": (
        Y * 1j,
        DataTypeError,
        "Labels must be strings, whole numbers or booleans, but y holds some of type complex128.",
    ),
    "length": (FEW[:9], DataError, "X has 150 rows, but y has 9 labels."),
    "None": (None, DataError, "A classifier requires y to be passed, but the target y is None."),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels(case):
    y, error, message = BAD_LABELS[case]
    assert said(error, lambda: small("m2").fit(X, y)) == message


@EACH
def test_labels_at_score(method):
    fitted = small(method).fit(X, np.where(FEW == 2, -1, FEW))
    with pytest.warns(UserWarning, match="y holds labels that fit has not seen, 2: errors."):
        score = fitted.score(X, Y)
    assert score == pytest.approx(fitted.score(X[Y < 2], Y[Y < 2]) * 2 / 3)
    assert said(DataError, lambda: fitted.score(X, FEW)) == ("A score needs a label for every row, but 135 have none.")
    with pytest.warns(UserWarning, match="'red'"):
        assert fitted.score(X, np.full(150, "red")) == 0


def test_weights_at_score():
    fitted = small("features").fit(X, FEW)
    right = fitted.predict(X) == Y
    assert fitted.score(X, Y, np.where(right, 3, 1)) == pytest.approx(3 * right.sum() / (150 + 2 * right.sum()))
    assert fitted.score(X, Y, list(right)) == 1
    for bad in (2.0, np.ones(3), np.ones((150, 2)), np.zeros(150), -np.ones(150), [np.nan] * 150, ["a"] * 150):
        assert said(DataError, lambda bad=bad: fitted.score(X, Y, bad)) == (
            "sample_weight must hold a finite number from 0 up for each of the 150 rows, and not 0 for all."
        )


def test_bad_validation_labels():
    fit = small("m2").fit
    y = np.where(FEW == 2, -1, FEW)
    assert (
        said(DataError, lambda: fit(X, y, validation_data=(X, Y))) == "validation_data holds labels that y has not: 2."
    )
    assert said(DataError, lambda: fit(X, y, validation_data=(X, y))) == (
        "validation_data needs a label for every row, but 140 have none."
    )


def test_bad_validation_data_are_refused_before_anything_is_trained():
    base = VAE(**SMALL, callbacks=[lambda record: pytest.fail("a VAE was trained")])
    fit = VAEClassifier("features", base, **TRAINED).fit
    assert said(OptionError, lambda: fit(X, Y, validation_data=X)) == "validation_data must be a pair: (X, y)."
    assert said(DataError, lambda: fit(X, Y, validation_data=(X, Y + 1))).endswith("labels that y has not: 3.")


def test_pretrained_that_do_not_fit(tmp_path):
    VAE(**SMALL).fit(X[:, :3]).save(tmp_path / "narrow")
    ring = np.roll(np.eye(12, dtype=int), 1, 0)
    GAE(latent_dim=2, epochs=1, verbose=0).fit(Graph(ring + ring.T)).save(tmp_path / "graph")
    images = np.random.default_rng(0).integers(0, 2, (20, 4, 4))
    cnn = PixelCNN(layers=1, channels=4, kernel_size=3, epochs=1, verbose=0).fit(images)

    def refusal(error, pretrained) -> str:
        return said(error, lambda: VAEClassifier("finetune", pretrained, **TRAINED).fit(X, FEW))

    assert refusal(DataError, str(tmp_path / "narrow")) == (
        f"pretrained='{tmp_path / 'narrow'}' is a VAE of rows of shape (3,), but X has rows of shape (4,)."
    )
    assert refusal(DataError, VAE(**SMALL).fit(X[:, :3])) == (
        "pretrained is a VAE of rows of shape (3,), but X has rows of shape (4,)."
    )
    kind = "but must be a VAE or Autoencoder, or a folder of one."
    assert refusal(OptionError, tmp_path / "graph") == f"pretrained='{tmp_path / 'graph'}' is a GAE, {kind}"
    assert refusal(OptionError, cnn) == f"pretrained is a PixelCNN, {kind}"
    assert refusal(ValueError, tmp_path / "no").startswith(f"There is no RUN at {tmp_path / 'no'}")


def test_bad_options():
    bad = VAEClassifier("m3", head="svm", C=0, alpha=-1, label_sum="most", latent_dim=0)
    assert said(OptionError, lambda: bad.fit(X, FEW)) == (
        "latent_dim=0 must be a whole number of at least 1. method='m3' is not one of 'finetune', 'features', 'm2'. "
        "head='svm' is not one of 'linear', 'radial', 'spreading'. C=0 must be a number above 0. "
        "alpha=-1 must be a number of at least 0. label_sum='most' is not one of 'exact', 'sampled'."
    )
    assert said(OptionError, lambda: VAEClassifier("m2", VAE(**SMALL)).fit(X, FEW)) == (
        "method='m2' trains networks of its own, so pretrained=None; to put it on a code, M1 + M2, use "
        "sklearn.pipeline.make_pipeline(VAE(...), VAEClassifier('m2'))."
    )
