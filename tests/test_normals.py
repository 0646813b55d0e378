"""Mixtures of normal distributions: against torch's own, and gradients against differences."""

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vaekit.likelihoods.normals import mixture_log_prob, spreads

FLOOR = 0.01


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(5, 4, 3, 2, 6, generator=generator, dtype=torch.float64)
    return raw, torch.randn(4, 6, generator=generator, dtype=torch.float64)


def test_the_log_density_is_that_of_torchs_mixture(parts):
    raw, t = parts
    weights, mu, sigma = (part.movedim(-2, -1) for part in (raw[..., 0, :, :], raw[..., 1, :, :], raw[..., 2, :, :]))
    known = MixtureSameFamily(Categorical(logits=weights), Normal(mu, spreads(sigma, FLOOR)))
    torch.testing.assert_close(mixture_log_prob(raw, t, FLOOR), known.log_prob(t))


def test_gradients_are_those_of_finite_differences(parts):
    raw, t = (part.requires_grad_() for part in parts)
    assert torch.autograd.gradcheck(lambda raw, t: mixture_log_prob(raw, t, FLOOR), (raw, t))


def test_far_values_have_finite_densities_and_gradients():
    raw = torch.zeros(3, 2, 1, requires_grad=True)
    value = mixture_log_prob(raw, torch.tensor([1e4]), FLOOR)
    value.sum().backward()
    assert value.isfinite().all()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()
