"""Bad input gets one plain sentence: each message word for word."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from torch import nn

from vaekit import GAE, VAE, Autoencoder, TabularVAE, VAEClassifier
from vaekit.errors import DataError, DataTypeError, OptionError, TrainingError

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def said(error, *fits) -> str:
    with pytest.raises(error) as caught:
        for fit in fits:
            fit()
    return str(caught.value)


def test_all_faults_of_the_options_in_one_message(iris):
    vae = VAE(latent_dim=0, likelihood="gausian", learning_rate=-1, epochs=1.5)
    assert said(OptionError, lambda: vae.fit(iris)) == (
        "latent_dim=0 must be a whole number of at least 1. epochs=1.5 must be a whole number of at least 1. "
        "learning_rate=-1 must be a number above 0. likelihood='gausian' is not one of 'auto', 'bernoulli', 'binomial', "
        "'gaussian', 'isotropic', 'heteroscedastic', 'poisson', 'negative_binomial', 'categorical', "
        "'discretised_logistic', 'logistic_mixture' "
        "(did you mean 'gaussian'?)."
    )
    assert not hasattr(vae, "n_features_in_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 512}, "hidden=512 must be a tuple of layer widths, such as (512,)."),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0 must be a number above 0 and below 1, or None."),
        (
            {"free_bits": 0.1, "objective": "iwae"},
            "free_bits=0.1 needs objective='elbo' and a KL in closed form: prior='normal', or an own one with kl_units, and not "
            "kl='monte_carlo'.",
        ),
        (
            {"objective": "dreg", "compile": True},
            "objective='dreg' hooks a gradient, which torch.compile loses: choose compile=False, or 'iwae'.",
        ),
        ({"device": "cuda:99"}, "device='cuda:99' asks for a GPU, but torch finds none; use device='auto' or 'cpu'."),
        ({"device": "meta"}, "device='meta' is none that torch can compute on here; use device='auto' or 'cpu'."),
        ({"device": "gpu"}, "device='gpu' is not 'auto', 'cpu', 'cuda' or another device of torch."),
        ({"encoder": "mlp"}, "encoder='mlp' must be a torch.nn.Module, or None."),
        ({"batch_size": True}, "batch_size=True must be a whole number of at least 1 and at most 2147483648."),
    ],
)
def test_options(options, message, iris):
    assert said(OptionError, lambda: VAE(**{**SMALL, **options}).fit(iris)) == message


def test_nan_and_infinity_name_their_columns(iris):
    frame = pd.DataFrame(iris.copy(), columns=["a", "b", "c", "d"])
    frame.loc[3, "b"] = np.nan
    assert said(DataError, lambda: VAE(**SMALL).fit(frame)) == (
        "Input X contains NaN in column 'b'; fill or drop these values (scikit-learn's SimpleImputer does) before "
        "fitting, or take a TabularVAE."
    )
    frame.loc[5, "d"] = np.inf
    assert said(DataError, lambda: Autoencoder(**SMALL).fit(frame)) == (
        "Input X contains NaN and infinity in columns 'b', 'd'; fill or drop these values (scikit-learn's SimpleImputer "
        "does) before fitting."
    )


def test_text_columns_are_named():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "town": ["a", "b", "c"]})
    assert said(DataTypeError, lambda: VAE(**SMALL).fit(frame)) == (
        "Column 'town' holds text or other values that are not numbers; drop it or encode it as numbers, or take a "
        "TabularVAE."
    )


def test_rows_and_columns(iris):
    assert "minimum of 2 is required" in said(ValueError, lambda: VAE(**SMALL).fit(iris[:1]))
    assert "minimum of 2 is required" in said(ValueError, lambda: VAE(**SMALL).fit(iris[:0]))
    vae = VAE(**SMALL).fit(iris)
    assert said(ValueError, lambda: vae.transform(iris[:, :3])) == (
        "X has 3 features, but VAE is expecting 4 features as input."
    )
    images = np.zeros((9, 4, 4), dtype=np.uint8)
    images[::2] = 3
    fitted = VAE(**SMALL).fit(images)
    assert said(DataError, lambda: fitted.transform(np.zeros((2, 8, 2), dtype=np.uint8))) == (
        "X has rows of shape (8, 2), but VAE was fitted on rows of shape (4, 4)."
    )
    assert said(DataError, lambda: vae.inverse_transform(np.zeros((1, 3)))) == (
        "Z has 3 columns, but the code has 2 units."
    )


@pytest.mark.parametrize("cls", [VAE, Autoencoder, TabularVAE])
def test_validation_data_are_rows_or_a_pair(cls, iris):
    X, y = iris, np.zeros(len(iris))
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
    for bad in ([X, y], [pd.DataFrame(X), y], (X, y, y), (X,)):
        told = said(OptionError, lambda bad=bad: cls(**options).fit(X, validation_data=bad))
        assert told == "validation_data must be X, or a pair: (X, y)."
    codes = [cls(**options).fit(X, validation_data=good).transform(X) for good in (X, X.tolist(), (X, y))]
    assert np.array_equal(codes[0], codes[1]) and np.array_equal(codes[0], codes[2])


def test_values_outside_the_support(iris):
    assert said(DataError, lambda: VAE(**SMALL, likelihood="poisson").fit(iris)) == (
        "likelihood='poisson' holds for whole numbers from 0 up, but columns 0, 1, 2, 3 hold other values (from 0.1 to "
        "7.9); choose a likelihood that allows them and fit again."
    )
    assert said(DataError, lambda: VAE(**SMALL, likelihood="bernoulli").fit(-iris)).startswith(
        "likelihood='bernoulli' holds for the values 0 and 1, but columns 0, 1, 2, 3 hold other values"
    )
    levels = np.random.default_rng(0).integers(0, 9, (40, 3))
    vae = VAE(**SMALL, likelihood="discretised_logistic").fit(levels)
    assert said(DataError, lambda: vae.score_samples(levels + 5)).startswith(
        "likelihood='discretised_logistic' holds for whole numbers from 0 to 8, but columns 0, 1, 2 hold other values"
    )
    grey = VAE(**SMALL, likelihood="bernoulli").fit(levels)
    assert said(DataError, lambda: grey.score_samples(levels + 5)) == (
        "X holds values from 5 to 13, but the grey levels at fit went from 0 to 8."
    )


def test_a_loss_that_is_no_number_keeps_the_last_good_weights(iris):
    vae = VAE(**{**SMALL, "epochs": 50, "learning_rate": 1e30})
    message = said(TrainingError, lambda: vae.fit(iris))
    assert message.startswith(
        "The objective was no longer a finite number at step 2 (epoch 1): training has stopped and "
    )
    assert message.endswith("Try a smaller learning_rate (now 1e+30) or clip_norm=1.")
    assert np.isfinite(vae.transform(iris)).all()


@pytest.mark.parametrize("dtype", ["M8[D]", "m8[D]"])
def test_times_are_no_numbers(dtype):
    X = np.arange(20).reshape(10, 2).astype(dtype)
    message = "X holds times: turn them into numbers, or take a TabularVAE for a DataFrame of them."
    assert said(DataTypeError, lambda: VAE(**SMALL).fit(X)) == message


def test_own_networks_that_do_not_fit(iris):
    message = said(OptionError, lambda: VAE(**SMALL, encoder=nn.Linear(3, 5)).fit(iris))
    assert message.startswith("The encoder fails on an input of shape (2, 4): ")
    assert said(OptionError, lambda: VAE(**SMALL, decoder=nn.Linear(2, 5)).fit(iris)) == (
        "The decoder gives shape (2, 5) for 2 codes, but likelihood='gaussian' needs (2, 1, 4)."
    )
    wanted = "The decoder gives shape (2, 5) for 2 codes, but a row needs (2, 4)."
    assert said(OptionError, lambda: Autoencoder(**SMALL, decoder=nn.Linear(2, 5)).fit(iris)) == wanted
    turned = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3)))
    assert said(OptionError, lambda: Autoencoder(**SMALL, decoder=turned).fit(iris[:120].reshape(40, 3, 4))) == (
        "The decoder gives shape (2, 4, 3) for 2 codes, but a row needs (2, 3, 4)."
    )


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
def test_a_fit_that_is_refused_leaves_the_estimator_as_it_was(iris, kind):
    fitted = kind(**SMALL).fit(iris)
    before, codes = dict(vars(fitted)), fitted.transform(iris)
    said(ValueError, lambda: fitted.fit(iris[:50], validation_data=iris[:, :3]))
    if kind is VAE:
        said(DataError, lambda: fitted.set_params(likelihood="poisson").fit(iris))
        fitted.set_params(likelihood="auto")
    assert dict(vars(fitted)) == before
    np.testing.assert_array_equal(fitted.transform(iris), codes)
    new = kind(**SMALL)
    said(ValueError, lambda: new.fit(iris[:50], validation_data=iris[:, :3]))
    assert dict(vars(new)) == dict(vars(kind(**SMALL)))


def test_so_does_one_of_a_classifier_and_of_a_graph(iris):
    y = load_iris().target
    classifier = VAEClassifier("m2", **SMALL).fit(iris, y)
    before = dict(vars(classifier))
    said(DataError, lambda: classifier.fit(iris[:, :3], np.zeros(150, int)))
    assert dict(vars(classifier)) == before
    graph = GAE(2, (4,), epochs=2, random_state=0, verbose=0).fit(nx.karate_club_graph())
    before, codes = dict(vars(graph)), graph.transform()
    said(OptionError, lambda: graph.set_params(encoder=nn.Linear(3, 4)).fit(nx.path_graph(5)))
    graph.set_params(encoder=None)
    assert dict(vars(graph)) == before
    np.testing.assert_array_equal(graph.transform(), codes)
