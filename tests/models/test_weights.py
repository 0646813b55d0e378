"""Variational Bayes over weights, on Bayesian linear regression, where posterior and evidence are known."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

import vaekit
from vaekit import VAE
from vaekit.data.rows import Rows
from vaekit.errors import OptionError
from vaekit.models import VariationalWeights
from vaekit.nn import MLP
from vaekit.objectives import over_weights
from vaekit.training.loop import TrainingSettings, train

PRIOR, NOISE = 1.5, 0.7


class Regression(nn.Module):
    """y ~ N(w . x, NOISE^2) of rows (x, y), with orthogonal columns x, so that the weights' posterior is diagonal."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.x = np.linalg.qr(rng.normal(size=(24, 2)))[0] * [3.0, 1.0]
        self.y = self.x @ [1.0, -0.6] + NOISE * rng.normal(size=24)
        self.rows = Rows(np.column_stack([self.x, self.y]).astype(np.float32))
        self.weights = VariationalWeights(nn.Linear(2, 1, bias=False), sigma=0.3, prior_sigma=PRIOR)
        self.variance = 1 / (1 / PRIOR**2 + np.array([9.0, 1.0]) / NOISE**2)
        self.mean = self.variance * (self.x.T @ self.y) / NOISE**2

    def value(self, rows, factor):
        """(B,) bounds on log p(y|x)."""
        mean = self.weights(rows[:, :2]).squeeze(1)
        return over_weights(torch.distributions.Normal(mean, NOISE).log_prob(rows[:, 2]), self, 24, beta=factor)

    def log_evidence(self):
        """log p(y|X), the weights integrated out."""
        covariance = PRIOR**2 * self.x @ self.x.T + NOISE**2 * np.eye(24)
        return scipy.stats.multivariate_normal(np.zeros(24), covariance).logpdf(self.y)

    def bound(self, draws=1000):
        """Mean over draws of the weights, and its standard error."""
        x = self.rows.take(slice(None))
        with torch.no_grad():
            values = torch.stack([self.value(x, 1.0).sum() for _ in range(draws)]).double()
        return float(values.mean()), float(values.std() / draws**0.5)


def test_at_the_posterior_the_bound_is_the_evidence():
    exact = Regression()
    weight = exact.weights.network.weight
    weight.data = torch.tensor(exact.mean, dtype=torch.float32)[None]
    exact.weights.log_sigma[0].data = 0.5 * torch.tensor(exact.variance, dtype=torch.float32).log()[None]
    value, se = exact.bound()
    assert abs(value - exact.log_evidence()) < 4 * se < 0.2
    weight.data += 0.2  # elsewhere it is lower by KL(q || posterior)
    value, se = exact.bound()
    gap = 0.5 * (0.2**2 / exact.variance).sum()
    assert abs(exact.log_evidence() - gap - value) < 4 * se


def test_training_finds_the_posterior():
    """By the trainer of every other model, with minibatches."""
    model = Regression()
    settings = TrainingSettings(epochs=400, batch_size=12, learning_rate=0.02, schedule="cosine")
    train(model, model.rows, model.value, settings, seed=0)
    means = model.weights.network.weight.detach().numpy()[0]
    sigmas = model.weights.log_sigma[0].exp().detach().numpy()[0]
    np.testing.assert_allclose((means - model.mean) / model.variance**0.5, 0, atol=0.1)
    np.testing.assert_allclose(sigmas, model.variance**0.5, rtol=0.1)
    model.train()
    value, se = model.bound()
    assert model.log_evidence() - 0.05 - 4 * se < value < model.log_evidence() + 4 * se


def test_the_divergence_is_that_of_two_normals():
    weights = VariationalWeights(MLP(3, (4,), 2), sigma=0.2, prior_sigma=0.5)
    means = torch.nn.utils.parameters_to_vector(weights.network.parameters())
    p, q = torch.distributions.Normal(0.0, 0.5), torch.distributions.Normal(means, 0.2)
    torch.testing.assert_close(weights.kl(), torch.distributions.kl_divergence(q, p).sum())


def test_the_divergence_counts_by_its_weight():
    model, values = (
        nn.Sequential(VariationalWeights(nn.Linear(2, 1)), VariationalWeights(nn.Linear(1, 3))),
        torch.rand(4),
    )
    for beta in (0.0, 0.3, 1.0):
        expected = values - beta / 50 * (model[0].kl() + model[1].kl())
        torch.testing.assert_close(over_weights(values, model, 50, beta=beta), expected)


def test_a_decoder_of_random_weights_is_fitted_saved_and_loaded(tmp_path):
    X = np.random.default_rng(0).integers(0, 2, (60, 6))
    decoder = VariationalWeights(MLP(2, (8,), 6))
    vae = VAE(2, hidden=(8,), decoder=decoder, epochs=3, random_state=0, verbose=0).fit(X)
    fitted = vae.model_.decoder
    assert decoder.log_sigma[0].unique().numel() == 1 < fitted.log_sigma[0].unique().numel()  # a copy was trained
    np.testing.assert_array_equal(vae.score_samples(X), vae.score_samples(X))  # at the means of the weights
    vae.save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run", decoder=VariationalWeights(MLP(2, (8,), 6)))
    np.testing.assert_array_equal(loaded.score_samples(X), vae.score_samples(X))


@pytest.mark.parametrize("objective", ["elbo", "wake_sleep", "factor", "iwae"])
def test_the_estimator_takes_the_divergence_off_every_objective(objective):
    """With much divergence to pay per row, its weights end closer to the prior than those of a point estimate."""
    X = np.random.default_rng(0).integers(0, 2, (40, 6))
    options = {"hidden": (8,), "objective": objective, "epochs": 30, "learning_rate": 0.02, "validation_fraction": None}
    vae = VAE(2, **options, decoder=VariationalWeights(MLP(2, (8,), 6)), random_state=0, verbose=0).fit(X)
    first = vae.history_[0]["train"]
    point = VAE(2, **options, decoder=MLP(2, (8,), 6), random_state=0, verbose=0).fit(X)
    start = float(VariationalWeights(MLP(2, (8,), 6)).kl().detach()) / len(X)
    assert first == pytest.approx(point.history_[0]["train"] - start, abs=0.5)
    decoders = vae.model_.decoder.network, point.model_.decoder
    norms = [torch.nn.utils.parameters_to_vector(each.parameters()).norm() for each in decoders]
    assert norms[0] < norms[1]


def test_a_spread_that_is_no_spread_is_refused():
    with pytest.raises(OptionError) as error:
        VariationalWeights(nn.Linear(2, 1), sigma=0.0, prior_sigma=-1)
    assert str(error.value) == "sigma=0.0 must be a number above 0. prior_sigma=-1 must be a number above 0."
