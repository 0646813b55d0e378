"""The model of a table: what a row far out may do to it."""

import torch

from vaekit.models.building import Architecture
from vaekit.models.tabular import build_tabular
from vaekit.objectives import elbo
from vaekit.randomness import isolated_rng
from vaekit.schema import Column


@isolated_rng(0)
def test_a_row_far_out_has_a_finite_bound_and_gradient_in_training():
    model = build_tabular(
        [Column(name, "real", "Float64") for name in "ab"], Architecture(latent_dim=2, hidden=(8,)), 2
    ).train()
    with torch.no_grad():
        model.encoder.linear.weight[2:] = 50.0
    x = torch.tensor([[40.0, -3.0], [-40.0, 3.0], [0.1, 0.0]])
    raw = model.encoder(model.scaling(x))[:, 2:]
    assert raw.max() > 100 and raw.min() < -100
    terms = model.terms(x, 3)
    assert bool(((terms.posterior.log_sigma >= -10) & (terms.posterior.log_sigma <= 5)).all())
    for analytic in (False, True):
        value = elbo(model.terms(x, 3), analytic=analytic)
        assert bool(torch.isfinite(value).all())
        value.sum().backward()
        assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)
