"""The conditional VAE against the laws in contracts.py, and against models whose evidence is known in closed form."""

import contracts as c
import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from vaekit.data.rows import Rows
from vaekit.distributions import DiagonalNormal
from vaekit.likelihoods import LIKELIHOODS
from vaekit.models import ConditionalVAE
from vaekit.models.building import Architecture
from vaekit.models.conditional import ConditionalMeanEncoder, JointEncoder, NormalPrior, build_conditional
from vaekit.nn import GreyLevels
from vaekit.objectives import elbo
from vaekit.randomness import isolated_rng
from vaekit.schema import ColumnStats

RNG = np.random.default_rng(0)


@isolated_rng(0)
def built(case: c.LikelihoodCase, width: int, how: Architecture, hidden: tuple[int, ...] = ()) -> ConditionalVAE:
    """With weights that are no special ones."""
    likelihood = case.make(torch.float32)
    model = build_conditional(likelihood, case.stats, ColumnStats.placeholder((width,)), how, hidden).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.2)
    return model


def joined(case: c.LikelihoodCase, width: int) -> np.ndarray:
    """Rows with random indicators behind them."""
    conditions = np.eye(width)[RNG.integers(0, width, len(case.data))]
    return np.hstack([case.data.reshape(len(case.data), -1), conditions])


_REAL = c.LikelihoodCase("gaussian", 3 + RNG.normal(size=(200, 4)))
_BINARY = c.LikelihoodCase("bernoulli", RNG.integers(0, 2, (200, 5, 3)), 2)
CASES = [
    c.ModelCase(name, lambda case=case, how=how, hidden=hidden: built(case, 3, how, hidden), joined(case, 3))
    for name, case, how, hidden in (
        ("mlp", _REAL, Architecture("mlp", 2, (8,)), ()),
        ("learned prior", _REAL, Architecture("mlp", 2, (8,), prior="conditional"), ()),
        ("features of the condition", _BINARY, Architecture("mlp", 2, (8,), prior="conditional"), (6, 5)),
        ("conv", _BINARY, Architecture("conv", 2, (8,), channels=(4, 6), prior="conditional"), ()),
        ("no latent units", _BINARY, Architecture("mlp", 0, (8,)), (6,)),
    )
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
@pytest.mark.parametrize(
    "law",
    [c.scores_belong_to_rows, c.bounds_are_in_order, c.weights_survive_a_state_dict],
    ids=lambda law: law.__name__,
)
def test_law(law, case):
    law(case)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_each_term_is_the_density_of_the_sample(case):
    model, x = case.make(), Rows(case.data).take(slice(0, 5))
    rows, conditions = model.split(x)
    given = model.given(conditions)
    terms = model.terms(x, 4)
    assert terms.z.shape == (4, 5, model.latent_dim) and terms.kl.shape == (5, model.latent_dim)
    torch.testing.assert_close(terms.log_px[2], given.decode(terms.z[2]).log_prob(rows))
    p, q = given.prior(given.posterior), given.posterior(rows)
    assert terms.log_pz.shape == terms.log_qz.shape == terms.log_px.shape == (4, 5)
    torch.testing.assert_close(terms.log_pz, Normal(p.mean, p.stddev).log_prob(terms.z).sum(-1))
    torch.testing.assert_close(terms.log_qz, Normal(q.mean, q.stddev).log_prob(terms.z).sum(-1))


def test_the_kl_between_normals_is_that_of_torch():
    q = DiagonalNormal(torch.randn(5, 3), torch.randn(5, 3))
    p = DiagonalNormal(torch.randn(5, 3), torch.randn(5, 3))
    expected = kl_divergence(Normal(q.mean, q.stddev), Normal(p.mean, p.stddev))
    torch.testing.assert_close(NormalPrior(p).kl_units(q), expected, rtol=1e-4, atol=1e-5)


def test_a_learned_prior_starts_at_the_standard_normal():
    how = Architecture("mlp", 2, (8,), prior="conditional")
    model = build_conditional(_REAL.make(torch.float32), _REAL.stats, ColumnStats.placeholder((3,)), how)
    p = model.given(torch.eye(3)).prior(None)
    assert torch.equal(p.mean, torch.zeros(3, 2)) and torch.equal(p.stddev, torch.ones(3, 2))


class LinearGiven:
    r"""x = b + W z + U c + noise with p(z|c) = N(M c, s^2), so that p(x|c) = N(b + (U + W M) c, s^2 W W^T + Psi).

    W is that of `contracts.LinearGaussian`, so that the posterior is a diagonal normal and q can be exact.
    """

    def __init__(self, learned: bool) -> None:
        exact, rng = c.LinearGaussian(n=50), np.random.default_rng(1)
        dim, latent = exact.W.shape
        U, M = rng.normal(size=(dim, 3)), rng.normal(size=(latent, 3)) * learned
        s = 0.6 if learned else 1.0
        psi = exact.cov - exact.W @ exact.W.T
        self.cov = s**2 * exact.W @ exact.W.T + psi
        self.mean_of = lambda conditions: exact.b + conditions @ (U + exact.W @ M).T
        self.conditions = np.eye(3)[rng.integers(0, 3, 50)]
        self.x = self.mean_of(self.conditions) + rng.multivariate_normal(np.zeros(dim), self.cov, size=50)
        inverse = np.linalg.inv(psi)
        variance = 1 / (1 / s**2 + np.diag(exact.W.T @ inverse @ exact.W))
        to_z = variance[:, None] * (exact.W.T @ inverse)
        likelihood = LIKELIHOODS["gaussian"]((dim,))
        encoder, decoder, prior = nn.Linear(dim + 3, 2 * latent), nn.Linear(latent + 3, dim), nn.Linear(3, 2 * latent)
        zero = np.zeros((latent, dim + 3))

        def fill(parameter: torch.Tensor, values: np.ndarray) -> None:
            parameter.copy_(torch.as_tensor(values, dtype=torch.float32))

        with torch.no_grad():
            sigma = torch.as_tensor(np.sqrt(np.diag(psi)), dtype=torch.float32)
            likelihood.raw_sigma.copy_(torch.log(torch.expm1(sigma - likelihood.floor)))
            fill(decoder.weight, np.hstack([exact.W, U]))
            fill(decoder.bias, exact.b)
            from_c = variance[:, None] * M / s**2 - to_z @ U
            fill(encoder.weight, np.vstack([np.hstack([to_z, from_c]), zero]))
            fill(encoder.bias, np.hstack([-to_z @ exact.b, 0.5 * np.log(variance)]))
            fill(prior.weight, np.vstack([M, 0 * M]))
            fill(prior.bias, np.hstack([np.zeros(latent), np.full(latent, np.log(s))]))
        self.model = ConditionalVAE(
            JointEncoder(encoder),
            decoder,
            likelihood,
            latent,
            features=nn.Identity(),
            prior=prior if learned else None,
        ).eval()

    @property
    def batch(self) -> torch.Tensor:
        """(50, D + C)."""
        return torch.as_tensor(np.hstack([self.x, self.conditions]), dtype=torch.float32)

    def log_evidence(self) -> np.ndarray:
        """(50,) log p(x|c)."""
        return scipy.stats.multivariate_normal(np.zeros(len(self.cov)), self.cov).logpdf(
            self.x - self.mean_of(self.conditions)
        )


@pytest.mark.parametrize("learned", [False, True])
def test_an_exact_posterior_makes_every_weight_the_evidence_given_c(learned):
    exact = LinearGiven(learned)
    with torch.no_grad():
        t = exact.model.terms(exact.batch, 20)
        bound = elbo(t).double().numpy()
    weights = (t.log_px + t.log_pz - t.log_qz).double().numpy()
    np.testing.assert_allclose(weights, np.broadcast_to(exact.log_evidence(), weights.shape), atol=2e-4)
    spread = t.log_px.std(0).double().numpy() / 20**0.5
    assert (np.abs(bound - exact.log_evidence()) <= 6 * spread).all()


@pytest.mark.parametrize("learned", [False, True])
def test_what_is_drawn_has_the_mean_given_c(learned):
    exact, n = LinearGiven(learned), 20_000
    conditions = np.repeat(np.eye(3)[1][None], n, 0)
    given = exact.model.given(torch.as_tensor(conditions, dtype=torch.float32))
    with isolated_rng(0), torch.no_grad():
        p = given.prior(given.posterior)
        x = given.decode(p.sample() if p.batch_shape else p.sample((n,))).sample().double().numpy()
    error = x.mean(0) - exact.mean_of(conditions[0])
    assert (np.abs(error) <= 5 * np.sqrt(np.diag(exact.cov) / n)).all()
    np.testing.assert_allclose(np.cov(x.T), exact.cov, atol=0.15)


def test_the_mean_encoder_takes_raw_rows_and_conditions():
    model = built(_BINARY, 3, Architecture("mlp", 2, (8,)))
    grey = torch.as_tensor(_BINARY.data[:4] * 255, dtype=torch.uint8)
    batch = torch.cat([grey.float().flatten(1) / 255, torch.eye(3)[[0, 1, 2, 2]]], 1)
    encoder = ConditionalMeanEncoder(model, GreyLevels(255))
    torch.testing.assert_close(encoder(grey, torch.eye(3)[[0, 1, 2, 2]]), model.posterior(batch).mean)
