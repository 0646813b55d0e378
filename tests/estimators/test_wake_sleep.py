"""Wake-sleep: the gradient of each phase, its fixed point, and the estimator that is trained so."""

import contracts as c
import numpy as np
import pytest
import torch
from torch import nn

import vaekit
from vaekit import VAE
from vaekit.errors import OptionError
from vaekit.objectives import elbo, wake_sleep

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 3, "verbose": 0, "random_state": 0}
X = np.random.default_rng(0).integers(0, 2, (300, 1)) * np.ones((1, 6), dtype=int)  # all ones, or all zeros


def gradients(module):
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in module.parameters()])


def test_each_network_has_the_gradient_of_its_own_phase():
    exact = c.LinearGaussian(0.5, n=50)
    model, x = exact.model, torch.from_numpy(exact.x)
    torch.manual_seed(0)
    with torch.no_grad():
        q = model.posterior(x)
    dreams, codes = model.dream(50)
    assert not dreams.requires_grad and not codes.requires_grad
    terms = model.terms(x, 3, posterior=q)
    value = wake_sleep(terms, model.posterior(dreams).log_prob(codes))
    torch.testing.assert_close(value, elbo(terms))
    value.mean().backward(retain_graph=True)
    both = gradients(model.encoder), gradients(model.decoder)
    model.zero_grad()
    terms.log_px.mean().backward()
    torch.testing.assert_close(both[1], gradients(model.decoder))
    assert not gradients(model.encoder).any()
    model.zero_grad()
    model.posterior(dreams).log_prob(codes).mean().backward()
    torch.testing.assert_close(both[0], gradients(model.encoder))


@pytest.mark.parametrize(("off", "at_rest"), [(0.0, True), (0.3, False)])
def test_dreams_pull_q_to_the_posterior(off, at_rest):
    """The expected gradient of the sleep phase is zero where q is the posterior, and only there."""
    model = c.LinearGaussian(off).model
    torch.manual_seed(1)
    each = []
    for _ in range(30):
        dreams, codes = model.dream(2000)
        model.zero_grad()
        model.posterior(dreams).log_prob(codes).mean().backward()
        each.append(gradients(model.encoder))
    each = torch.stack(each)
    deviations = each.mean(0).abs() / (each.std(0) / 30**0.5)
    assert (deviations.max() < 4) == at_rest


def test_dreams_are_draws_of_the_model():
    exact = c.LinearGaussian()
    torch.manual_seed(0)
    x, z = exact.model.dream(40_000)
    scale = np.sqrt(np.diag(exact.cov))
    np.testing.assert_allclose(
        np.cov(x.numpy().T) / np.outer(scale, scale), exact.cov / np.outer(scale, scale), atol=0.03
    )
    cross = np.cov(x.numpy().T, z.numpy().T)[:5, 5:]
    np.testing.assert_allclose(cross / scale[:, None], exact.W / scale[:, None], atol=0.03)


@pytest.mark.usefixtures("generators_untouched")
def test_an_estimator_is_trained_saved_and_loaded(tmp_path):
    fits = [
        VAE(**{**SMALL, "objective": "wake_sleep", "epochs": n, "learning_rate": 0.02, "patience": None}).fit(X)
        for n in (1, 60)
    ]
    assert fits[1].score(X) > fits[0].score(X) + 0.5
    fits[1].save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run")
    assert loaded.objective == "wake_sleep"
    np.testing.assert_array_equal(loaded.elbo(X), fits[1].elbo(X))


def test_what_has_no_q_of_its_own_is_refused():
    with pytest.raises(OptionError) as error:
        VAE(**SMALL, objective="wake_sleep", prior="vamp").fit(X)
    assert str(error.value) == (
        "objective='wake_sleep' trains p and q apart, but prior='vamp' is made of q: choose another prior."
    )
    batch_norm = nn.Sequential(nn.Linear(X.shape[1], 8), nn.BatchNorm1d(8))
    for option in ({"objective": "wake_sleep"}, {"prior": "vamp"}):
        with pytest.raises(OptionError, match="runs the encoder on rows that are no data") as error:
            VAE(**SMALL, **option, encoder=batch_norm).fit(X)
        assert all(f"{name}={value!r}" in str(error.value) for name, value in option.items())
    with pytest.raises(OptionError) as error:
        VAE(**SMALL, objective="wake_sleep", network="ladder").fit(np.zeros((9, 4, 4), dtype=np.uint8))
    assert str(error.value) == "objective='wake_sleep' needs one layer of latent units, not network='ladder'."
