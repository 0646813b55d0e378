"""The FactorVAE as an objective of VAE, and codes that are edited, walked along and joined."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

import vaekit
from vaekit import VAE, Autoencoder
from vaekit.errors import DataError, OptionError
from vaekit.training.checkpoint import Checkpoint
from vaekit.training.loop import Interrupted

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 3, "batch_size": 8, "verbose": 0, "random_state": 0}
FACTOR = {**SMALL, "objective": "factor", "discriminator": (8,)}
X = np.random.default_rng(0).integers(0, 2, (60, 6))


class StopAt(Checkpoint):
    """Asks for a stop at the n-th look at the clock."""

    def __init__(self, path, n):
        super().__init__(path)
        self.looks, self.n = itertools.count(1), n

    @property
    def due(self):
        self.stop_requested = next(self.looks) == self.n
        return self.stop_requested


def test_a_stopped_fit_with_a_discriminator_ends_in_the_same_bits(tmp_path):
    whole = VAE(**FACTOR).fit(X)
    path = tmp_path / "state.safetensors"
    for n in (3, 10):
        with pytest.raises(Interrupted):
            VAE(**FACTOR)._fit(X, checkpoint=StopAt(path, n))
    resumed = VAE(**FACTOR)._fit(X, checkpoint=Checkpoint(path))
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, resumed.model_.state_dict()[name])
    assert {"network", "network_optimizer"} <= Checkpoint(path).load().tensors.keys()


@pytest.mark.usefixtures("generators_untouched")
def test_the_saved_model_has_no_discriminator(tmp_path):
    fitted = VAE(**FACTOR).fit(X)
    fitted.save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run")
    assert loaded.get_params() == fitted.get_params()
    assert np.array_equal(loaded.transform(X), fitted.transform(X))
    assert fitted.model_.state_dict().keys() == VAE(**SMALL).fit(X).model_.state_dict().keys()


def test_without_gamma_the_fit_is_that_of_the_bound():
    """But for the generator, from which the permutations are drawn too."""
    scores = [VAE(**{**options, "epochs": 15}).fit(X).score(X) for options in ({**FACTOR, "gamma": 0.0}, SMALL)]
    assert scores[0] == pytest.approx(scores[1], abs=0.1)


def test_a_ladder_and_odd_weights_are_refused():
    images = np.zeros((9, 4, 4), dtype=np.uint8)
    with pytest.raises(OptionError) as error:
        VAE(**{**FACTOR, "gamma": -1, "discriminator": 8, "network": "ladder"}).fit(images)
    assert str(error.value) == (
        "gamma=-1 must be a number of at least 0. discriminator=8 must be a tuple of layer widths, such as (512,). "
        "objective='factor' needs one layer of latent units, not network='ladder'."
    )


# -- moving through the code -------------------------------------------------------------------------------------------

FACTORS = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (75, 1))
ROWS = FACTORS @ np.array([[3.0, 3.0, 0.0], [0.0, 1.0, 2.0]]) + 0.1 * np.random.default_rng(2).normal(size=(300, 3))


@pytest.fixture(scope="module", params=[VAE, Autoencoder])
def linear(request):
    """A linear model of rows that have, or have not, each of two attributes, which add (3, 3, 0) and (0, 1, 2)."""
    options = {"latent_dim": 2, "hidden": (), "epochs": 60, "learning_rate": 0.02, "verbose": 0, "random_state": 0}
    return request.param(**options).fit(ROWS)


def test_an_attribute_is_added_and_taken_away(linear):
    vector = linear.attribute_vector(ROWS, FACTORS[:, 0])
    codes = linear.transform(ROWS)
    has = FACTORS[:, 0] == 1
    np.testing.assert_allclose(vector, codes[has].mean(0) - codes[~has].mean(0))
    edited = linear.edit(ROWS[~has], vector)
    np.testing.assert_allclose((edited - linear.reconstruct(ROWS[~has])).mean(0), [3, 3, 0], atol=0.3)
    np.testing.assert_allclose(linear.edit(edited, vector, strength=-1.0), linear.reconstruct(ROWS[~has]), atol=0.5)
    np.testing.assert_allclose(linear.edit(ROWS, vector, 0), linear.reconstruct(ROWS))


def test_a_traversal_starts_at_the_row(linear):
    code = linear.transform(ROWS[7:8])
    values = [-1.5, float(code[0, 1]), 2.0]
    walked = linear.traverse(ROWS[7:8], 1, values)
    np.testing.assert_allclose(walked[1], linear.reconstruct(ROWS[7:8])[0], rtol=1e-5)
    for value, row in zip(values, walked, strict=True):
        np.testing.assert_allclose(row, linear.inverse_transform([[code[0, 0], value]])[0], rtol=1e-5)


def test_an_interpolation_joins_two_reconstructions(linear):
    between = linear.interpolate(ROWS[:1], ROWS[1:2], 5)
    a, b = linear.reconstruct(ROWS[:2])
    for share, row in zip((0, 0.25, 0.5, 0.75, 1), between, strict=True):  # of a linear decoder
        np.testing.assert_allclose(row, (1 - share) * a + share * b, rtol=1e-4, atol=1e-4)


def test_edits_keep_the_container():
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"], index=range(100, 400))
    vae = VAE(**SMALL).fit(frame)
    edited = vae.edit(frame[:5], vae.attribute_vector(frame, FACTORS[:, 0] == 1))
    assert list(edited.columns) == ["a", "b", "c"] and edited.index.equals(frame.index[:5])
    assert vae.traverse(frame[:1], 0).shape == (7, 3) and vae.interpolate(frame[:1], frame[1:2]).shape == (10, 3)
    images = np.random.default_rng(0).integers(0, 2, (30, 4, 4), dtype=np.uint8)
    assert VAE(**SMALL).fit(images).traverse(images[:1], 1, [0.0, 1.0]).shape == (2, 4, 4)


def test_what_cannot_be_edited(linear):
    bad = [
        (lambda: linear.attribute_vector(ROWS, [1, 0]), DataError, "The attribute must be True or False for each of the 300 rows."),
        (lambda: linear.attribute_vector(ROWS, FACTORS[:, 0] + 1), DataError, "The attribute must be True or False for each of the 300 rows."),
        (lambda: linear.attribute_vector(ROWS, np.ones(300)), DataError, "Every row has the attribute; some must have it, others not."),
        (lambda: linear.attribute_vector(ROWS, np.zeros(300)), DataError, "No row has the attribute; some must have it, others not."),
        (lambda: linear.edit(ROWS, [1.0]), DataError, "An attribute must be 2 finite numbers, one for each latent unit."),
        (lambda: linear.edit(ROWS, [1.0, np.nan]), DataError, "An attribute must be 2 finite numbers, one for each latent unit."),
        (lambda: linear.edit(ROWS, [1.0, 1.0], np.inf), OptionError, "strength=inf must be a number."),
        (lambda: linear.traverse(ROWS, 0), DataError, "There are 300 rows where one is needed, such as X[:1]."),
        (lambda: linear.traverse(ROWS[:1], 2), OptionError, "unit=2 must be a whole number of at least 0 and at most 1."),
        (lambda: linear.traverse(ROWS[:1], 0, [[1.0]]), DataError, "values must be a list of finite numbers."),
        (lambda: linear.interpolate(ROWS[:1], ROWS[:1], 1), OptionError, "points=1 must be a whole number of at least 2."),
    ]  # fmt: skip
    for call, error, message in bad:
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message
