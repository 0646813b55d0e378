"""A default type of torch, or no gradients, that a caller has set: they change nothing, and stay as they are."""

from contextlib import contextmanager

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from vaekit import VAE, VGAE, Autoencoder, ConditionalVAE, PixelCNN, TabularVAE, VAEClassifier
from vaekit.errors import OptionError
from vaekit.evaluation import Annealing

SMALL = {"epochs": 2, "random_state": 0, "verbose": 0}
NET = {"latent_dim": 2, "hidden": (4,)}
RNG = np.random.default_rng(0)
BINARY = (RNG.random((60, 12)) < 0.4).astype("uint8")
COUNTS, REAL, Y = RNG.poisson(3, (60, 4)), RNG.normal(size=(60, 5)), np.arange(60) % 3
TABLE = pd.DataFrame({"a": REAL[:, 0], "b": np.array(["x", "y", "z"])[Y], "c": COUNTS[:, 0]})
TABLE.loc[::5, "a"] = np.nan


def vae():
    model = VAE(**NET, **SMALL, prior="vamp", components=4, objective="iwae", samples=2).fit(BINARY)
    annealed = model.anneal(BINARY[:3], Annealing(chains=2, temperatures=3), simulated=2)
    return model.transform(BINARY), model.score_samples(BINARY, 3), model.sample(3, 0), annealed["ais"]


def of_counts():
    model = VAE(**NET, **SMALL, likelihood="negative_binomial").fit(COUNTS)
    return model.reconstruct(COUNTS), model.evaluate(COUNTS, 3)["independent"]


def pixelcnn():
    model = PixelCNN(layers=1, channels=4, kernel_size=3, **SMALL).fit(BINARY.reshape(60, 3, 4))
    return model.score_samples(BINARY.reshape(60, 3, 4)), model.sample(2, 0)


def tabular():
    model = TabularVAE(2, **SMALL).fit(TABLE)
    few = TABLE[:9]
    return model.anomaly_scores(few), model.cell_scores(few).to_numpy(), model.impute(few)["a"]


def conditional():
    model = ConditionalVAE(**NET, **SMALL).fit(REAL, Y)
    return model.transform(REAL, Y), model.score_samples(REAL, Y, 3)


USES = {
    "VAE": vae,
    "VAE of counts": of_counts,
    "PixelCNN": pixelcnn,
    "TabularVAE": tabular,
    "ConditionalVAE": conditional,
    "Autoencoder": lambda: [Autoencoder(**NET, **SMALL).fit(REAL).reconstruct(REAL)],
    "VAEClassifier": lambda: [VAEClassifier("m2", **NET, **SMALL).fit(BINARY, Y).predict_proba(BINARY)],
    "VGAE": lambda: [VGAE(**SMALL).fit_transform(nx.karate_club_graph())],
}


@contextmanager
def doubles():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("use", ["VAE", "VGAE"])
def test_fits_in_inference_mode_are_refused(use):
    with torch.inference_mode(), pytest.raises(OptionError, match=r"which torch.inference_mode\(\) rules out"):
        USES[use]()


@contextmanager
def no_gradients():
    with torch.no_grad():
        yield
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("use", list(USES))
def test_surroundings_do_not_matter(use):
    expected = USES[use]()
    for surroundings in (doubles, no_gradients):
        with surroundings():
            for value, wanted in zip(USES[use](), expected, strict=True):
                assert np.asarray(value).dtype == np.asarray(wanted).dtype
                np.testing.assert_array_equal(value, wanted)
