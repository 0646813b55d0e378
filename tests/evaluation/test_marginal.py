"""Posterior chains and the marginal likelihood by their samples, on models whose posterior and evidence are known."""

import contracts as c
import numpy as np
import pytest
import torch

from vaekit.data.rows import Rows
from vaekit.errors import OptionError
from vaekit.evaluation import PosteriorSampling, marginal_likelihood, score_rows
from vaekit.evaluation import marginal as module
from vaekit.evaluation.hamiltonian import PosteriorChains, frozen
from vaekit.likelihoods import Bernoulli
from vaekit.models import VAE
from vaekit.nn import MLP


def test_a_normal_posterior_gives_the_evidence_of_each_row():
    """Of a linear-Gaussian model, whatever its recognition model: q = posterior leaves no variance but that of its fit."""
    exact = c.LinearGaussian(1.5, n=40)
    estimate = marginal_likelihood(exact.model, Rows(exact.x), PosteriorSampling(chains=10, moves=100))
    np.testing.assert_allclose(estimate, exact.log_evidence(), rtol=0, atol=0.03)


def test_other_posteriors_agree_with_importance_sampling():
    torch.manual_seed(3)
    model = VAE(MLP(12, (8,), 4), MLP(2, (8,), 12, "tanh"), Bernoulli((12,)), latent_dim=2).eval()
    for parameter in model.decoder.parameters():
        parameter.data *= 3
    x, _ = model.dream(30)
    estimate = marginal_likelihood(model, Rows(x), PosteriorSampling(chains=20, moves=200))
    model.encoder.output.weight.data.zero_()  # the prior as proposal
    model.encoder.output.bias.data.zero_()
    np.testing.assert_allclose(estimate, score_rows(model, Rows(x), 20_000).log_likelihood, rtol=0, atol=0.1)


def test_chains_start_at_the_posterior():
    """By draws of the prior resampled by p(x|z), so that without burn-in few moves give the evidence."""
    exact = c.LinearGaussian(n=20)
    how = PosteriorSampling(chains=100, starts=2000, burn_in=0, moves=4)
    np.testing.assert_allclose(
        marginal_likelihood(exact.model, Rows(exact.x), how), exact.log_evidence(), rtol=0, atol=0.1
    )


@pytest.mark.usefixtures("generators_untouched")
def test_a_value_belongs_to_its_row_and_the_seed():
    exact, how = c.LinearGaussian(n=12), PosteriorSampling(chains=4, burn_in=10, moves=10)
    rows = Rows(exact.x)
    whole = marginal_likelihood(exact.model, rows, how)
    some = torch.tensor([7, 2])
    parts = marginal_likelihood(exact.model, rows.subset(some), how, batch_size=1)
    np.testing.assert_allclose(parts, whole[some.numpy()], atol=1e-3)
    other = marginal_likelihood(exact.model, rows, PosteriorSampling(chains=4, burn_in=10, moves=10, seed=1))
    assert not np.allclose(other, whole, atol=1e-3)
    assert all(parameter.requires_grad for parameter in exact.model.parameters())


def test_how_many_codes_fit_does_not_change_values(monkeypatch):
    exact, how, decoded = c.LinearGaussian(n=12), PosteriorSampling(chains=4, burn_in=10, moves=10, starts=50), []
    whole = marginal_likelihood(exact.model, Rows(exact.x), how)
    monkeypatch.setattr(module, "codes_that_fit", lambda model, shape: 24)
    exact.model.decoder.register_forward_hook(lambda network, z, raw: decoded.append(len(raw)))
    few = marginal_likelihood(exact.model, Rows(exact.x), how)
    np.testing.assert_allclose(few, whole, atol=1e-3)
    assert set(decoded) == {4, 2, 24}  # starts for 6 rows, the last of them, and 4 chains of each


def test_chains_have_the_moments_of_the_posterior_at_the_rate_asked_for():
    exact = c.LinearGaussian(n=6)
    x = torch.from_numpy(exact.x)
    torch.manual_seed(0)
    chains = PosteriorChains(exact.model, x, torch.zeros(200, 6, 2), torch.full((6,), 0.1), leapfrog=5, acceptance=0.9)
    kept, rates = [], []
    with frozen(exact.model):
        for t in range(150):
            chains.move(torch.randn(200, 6, 4), 2 / (t + 1) ** 0.5 if t < 100 else 0.0)
            if t >= 100:
                kept.append(chains.z)
                rates.append(chains.rate)
    q = exact.model.posterior(x)  # which is the posterior
    z = torch.cat(kept)
    torch.testing.assert_close(z.mean(0), q.mean, rtol=0, atol=0.03)
    torch.testing.assert_close(z.std(0), q.stddev, rtol=0.05, atol=0)
    assert (torch.stack(rates).mean(0) - 0.9).abs().max() < 0.05
    with torch.no_grad():
        log_joint = exact.model.decode(chains.z).log_prob(x) + exact.model.prior(exact.model.posterior).log_prob(
            chains.z
        )
    torch.testing.assert_close(chains.log_joint, log_joint)


def test_bad_numbers_are_named():
    exact = c.LinearGaussian(n=3)
    with pytest.raises(OptionError) as error:
        marginal_likelihood(exact.model, Rows(exact.x), PosteriorSampling(chains=0, acceptance=1.0))
    assert (
        str(error.value)
        == "chains=0 must be a whole number of at least 1. acceptance=1.0 must be a number above 0 and below 1."
    )
    with pytest.raises(OptionError) as error:
        marginal_likelihood(exact.model, Rows(exact.x), PosteriorSampling(chains=1, moves=6))
    assert str(error.value) == "chains=1 and moves=6 give 3 samples to fit q(z) to; 2 latent units need at least 4."
    wide = VAE(MLP(6, (), 22), MLP(11, (), 6), Bernoulli((6,)), latent_dim=11)
    with pytest.raises(OptionError) as error:
        marginal_likelihood(wide, Rows(torch.ones(2, 6)))
    assert str(error.value) == "The estimator is for at most 10 latent units, and the model has 11."
