"""The FactorVAE as an objective of VAE, and codes that are edited, walked along and joined."""

import itertools

import numpy as np
import pytest
import torch

import vaekit
from vaekit import VAE
from vaekit.errors import OptionError
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
