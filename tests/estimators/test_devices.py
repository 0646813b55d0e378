"""A GPU gives what the processor gives.

    VAEKIT_TEST_GPU=1 python -m pytest tests/estimators/test_devices.py

Without the variable, or a GPU that torch can use, these tests are skipped.
"""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

import vaekit
from vaekit import GAE, VAE, VGAE, Autoencoder, ConditionalVAE, PixelCNN, TabularVAE, VAEClassifier
from vaekit.evaluation import Annealing
from vaekit.randomness import rng_state

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU, or it is not asked for by VAEKIT_TEST_GPU=1"
)

RNG = np.random.default_rng(0)
COMMON = {"epochs": 2, "batch_size": 16, "random_state": 0, "verbose": 0}
NET = {"latent_dim": 2, "hidden": (8,)}
BINARY = (RNG.random((60, 16)) < 0.4).astype("uint8")
COUNTS, REAL, Y = RNG.poisson(3, (60, 4)), RNG.normal(size=(60, 5)), np.arange(60) % 3
IMAGES = RNG.integers(0, 256, (60, 8, 8), dtype=np.uint8)
TABLE = pd.DataFrame({"a": REAL[:, 0], "b": np.array(["x", "y", "z"])[Y], "c": COUNTS[:, 0], "d": REAL[:, 1] > 0})
TABLE.loc[::5, "a"] = np.nan
GRAPH = nx.karate_club_graph()


VECTORS = {
    "codes": lambda m, X: m.transform(X),
    "scores": lambda m, X: m.score_samples(X, 5),
    "means": lambda m, X: m.reconstruct(X),
    "generated": lambda m, X: m.inverse_transform(m.transform(X)[:3]),
    "report": lambda m, X: [v for v in m.evaluate(X, 3).values() if isinstance(v, float)],
}
ROWS = {"scores": lambda m, X: m.score_samples(X)}
TABLES = {
    "codes": lambda m, X: m.transform(X),
    "scores": lambda m, X: m.score_samples(X, 5),
    "anomalies": lambda m, X: m.anomaly_scores(X),
    "cells": lambda m, X: m.cell_scores(X).to_numpy(),
    "imputed": lambda m, X: m.impute(X)["a"].to_numpy(),
}
PAIRS = {
    "codes": lambda m, X: m.transform(X),
    "odds": lambda m, X: m.score_edges(np.array([[0, 1], [4, 30]])),
    "links": lambda m, X: m.predict_links(5),
}
GIVEN = {
    "codes": lambda m, X, y: m.transform(X, y),
    "scores": lambda m, X, y: m.score_samples(X, y, 5),
    "means": lambda m, X, y: m.reconstruct(X, y),
}
CLASSES = {"classes": lambda m, X, y: m.predict_proba(X)}


def vae(X, **options):
    return lambda device: VAE(**options, **COMMON, device=device).fit(X), VECTORS, (X,)


MLP = {**NET, "validation_fraction": 0.2}
CASES = {
    "bernoulli": vae(BINARY, **MLP),
    "grey": vae(IMAGES, **MLP, likelihood="bernoulli"),
    "gaussian": vae(REAL, **MLP),
    "counts": vae(COUNTS, **MLP, likelihood="negative_binomial"),
    "categorical": vae(COUNTS, **MLP, likelihood="categorical"),
    "vamp, iwae": vae(BINARY, **MLP, prior="vamp", components=4, objective="iwae", samples=2),
    "mixture, dreg": vae(BINARY, **MLP, prior="mixture", components=4, objective="dreg", samples=2),
    "flow": vae(REAL, **MLP, prior="flow", average=0.9),
    "factor": vae(REAL, **MLP, objective="factor", discriminator=(8,)),
    "bfloat16": vae(BINARY, **MLP, precision="bfloat16"),
    "conv": vae(IMAGES, network="conv", channels=[4], latent_dim=2),
    "ladder": vae(IMAGES, network="ladder", channels=[4, 4], latent_dim=2, stochastic_layers=2),
    "masked layers": (
        lambda device: VAE(
            network="conv", channels=[4], latent_dim=2, masked_layers=1, masked_channels=4, **COMMON, device=device
        ).fit(BINARY.reshape(-1, 4, 4)),
        {
            name: VECTORS[name] for name in ("codes", "scores", "report")
        },  # means are of draws, which a device has its own of
        (BINARY.reshape(-1, 4, 4),),
    ),
    "autoencoder": (
        lambda device: Autoencoder(**NET, **COMMON, device=device).fit(REAL),
        {name: VECTORS[name] for name in ("codes", "means", "generated")},
        (REAL,),
    ),
    "PixelCNN": (
        lambda device: PixelCNN(layers=1, channels=4, kernel_size=3, **COMMON, device=device).fit(IMAGES),
        ROWS,
        (IMAGES,),
    ),
    "table": (lambda device: TabularVAE(2, **COMMON, device=device).fit(TABLE), TABLES, (TABLE,)),
    "conditional": (lambda device: ConditionalVAE(**NET, **COMMON, device=device).fit(REAL, Y), GIVEN, (REAL, Y)),
    "conditional conv": (
        lambda device: ConditionalVAE(network="conv", channels=[4], latent_dim=2, **COMMON, device=device).fit(
            IMAGES, Y
        ),
        GIVEN,
        (IMAGES, Y),
    ),
    **{
        f"classifier, {method}": (
            lambda device, method=method: VAEClassifier(method, **NET, **COMMON, device=device).fit(BINARY, Y),
            CLASSES,
            (BINARY, Y),
        )
        for method in ("m2", "features", "finetune")
    },
    **{
        f"{cls.__name__}, {objective}": (
            lambda device, cls=cls, objective=objective: cls(
                2, objective=objective, epochs=3, random_state=0, verbose=0, device=device
            ).fit(GRAPH),
            PAIRS,
            (GRAPH,),
        )
        for cls, objective in ((VGAE, "elbo"), (VGAE, "reweighted"), (GAE, "log_likelihood"))
    },
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_weights_give_the_same_numbers(name, tmp_path):
    fit, verbs, arguments = CASES[name]
    fit("cuda").save(tmp_path / "run")
    on_gpu, on_cpu = (vaekit.load(tmp_path / "run", device=device) for device in ("cuda", "cpu"))
    assert {p.device.type for p in on_gpu.model_.parameters()} == {"cuda"}
    assert {p.device.type for p in on_cpu.model_.parameters()} == {"cpu"}
    for verb, use in verbs.items():
        found, expected = (np.asarray(use(model, *arguments), dtype=float) for model in (on_gpu, on_cpu))
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3, err_msg=verb)


@pytest.mark.filterwarnings("ignore:This processor has no bfloat16")
@pytest.mark.parametrize("name", CASES)
def test_training_goes_as_on_the_processor(name):
    fit = CASES[name][0]
    first, again, other = fit("cuda"), fit("cuda"), fit("cpu")
    assert {p.device.type for p in first.model_.parameters()} == {"cuda"}
    losses = [[epoch["train"] for epoch in model.history_] for model in (first, again, other)]
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)  # atomic sums may come in another order
    np.testing.assert_allclose(losses[0], losses[2], rtol=0.3, atol=1.0)  # other random numbers, as many steps


@pytest.mark.parametrize("name", ["gaussian", "grey", "flow", "conv"])
def test_what_was_drawn_is_drawn_again(name):
    model = CASES[name][0]("cuda")
    np.testing.assert_array_equal(model.sample(4, 0), model.sample(4, 0))
    prior = model.fit_prior(CASES[name][2][0], 2)
    assert np.isfinite(np.asarray(prior.sample(4, 0), dtype=float)).all()


def test_annealing_agrees_with_importance_sampling():
    model = CASES["gaussian"][0]("cuda")
    how = Annealing(chains=8, temperatures=50)
    found = model.anneal(REAL[:20], how, simulated=20)
    assert found["ais"] == pytest.approx(model.score_samples(REAL[:20], 2000).mean(), abs=0.1)


def test_images_are_completed():
    images = (IMAGES[:20] > 99).astype("uint8")
    model = PixelCNN(layers=1, channels=4, kernel_size=3, **COMMON, device="cuda").fit(images)
    known = np.zeros((8, 8), dtype=bool)
    known[:4] = True
    found = np.asarray(model.complete(images[:2], known, 0)).reshape(2, 8, 8)
    np.testing.assert_array_equal(found[:, :4], images[:2, :4])
    assert set(np.unique(found)) <= {0, 1}


def test_generators_of_the_gpu_are_left_as_they_were():
    torch.rand(1, device="cuda")
    before = rng_state()
    CASES["bernoulli"][0]("cuda").sample(3, 0)
    after = rng_state()
    assert all(torch.equal(before[kind], after[kind]) for kind in before) and "cuda" in before
