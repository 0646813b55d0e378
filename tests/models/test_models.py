"""Every model against the laws in contracts.py, and the autoencoder against its formula and against PCA."""

import dataclasses
import itertools
import math
import re

import contracts as c
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from vaekit.data.rows import Rows
from vaekit.errors import OptionError
from vaekit.likelihoods import LIKELIHOODS, Autoregressive, Bernoulli, LogisticMixture
from vaekit.models import VAE, Autoencoder, PixelCNN
from vaekit.models.building import (
    Architecture,
    build_networks,
    check_decoder,
    check_images,
    dry_run,
    input_scaling,
)
from vaekit.models.hierarchical import StochasticLayer
from vaekit.models.vae import MeanEncoder
from vaekit.nn import MLP, Standardise
from vaekit.objectives import elbo


@pytest.mark.parametrize("case", c.MODEL_CASES, ids=[case.id for case in c.MODEL_CASES])
@pytest.mark.parametrize(
    "law",
    [
        c.terms_have_their_shapes,
        c.one_sample_needs_no_dimension,
        c.scores_belong_to_rows,
        c.bounds_are_in_order,
        c.weights_survive_a_state_dict,
    ],
    ids=lambda law: law.__name__,
)
def test_law(law, case):
    law(case)


def test_exact_posterior_makes_every_weight_the_evidence():
    """log p(x|z) + log p(z) - log q(z|x) = log p(x) for every single sample."""
    exact = c.LinearGaussian()
    with torch.no_grad():
        t = exact.model.terms(torch.from_numpy(exact.x), 20)
    weights = (t.log_px + t.log_pz - t.log_qz).double().numpy()
    np.testing.assert_allclose(weights, np.broadcast_to(exact.log_evidence(), weights.shape), atol=1e-4)


def test_the_closed_form_elbo_is_the_expectation_of_the_estimate():
    exact = c.LinearGaussian(off=0.4, n=50)
    x = torch.from_numpy(exact.x)
    with torch.no_grad():
        each = exact.model.terms(x, 4000)
        error = elbo(each) - exact.exact_elbo(x)
    assert bool((error.abs() <= 5 * each.log_px.std(0) / 4000**0.5).all())


def test_given_noise_and_posterior_are_used():
    model = c.mlp_vae(c.LIKELIHOOD_CASES[0])
    x = c.LIKELIHOOD_CASES[0].rows(3, torch.float32)
    asked = []

    def noise(*shape):
        asked.append(shape)
        return torch.zeros(shape)

    q = model.posterior(x)
    t = model.terms(x, 4, noise=noise, posterior=q)
    assert asked == [(4, 3, model.latent_dim)] and t.posterior is q
    torch.testing.assert_close(t.z, q.mean.expand(4, -1, -1))


@pytest.mark.parametrize("case", c.LIKELIHOOD_CASES, ids=[case.id for case in c.LIKELIHOOD_CASES])
def test_densities_are_float32_where_networks_are_bfloat16(case):
    model, x = c.mlp_vae(case), case.rows(5, torch.float32)
    noise = torch.randn(1, 5, model.latent_dim)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        t = model.terms(x, 1, noise=lambda *_: noise)
        value = elbo(t)
    assert {t.log_px.dtype, t.kl.dtype, t.z.dtype, value.dtype} == {torch.float32}
    value.mean().backward()


@pytest.mark.parametrize("name", [name for name in c.PRIORS if "vamp" not in name])  # whose encoder may be in it
def test_priors_are_float32_where_networks_are_bfloat16(name):
    case, prior = c.LIKELIHOOD_CASES[0], c.PRIORS[name]()
    model, z = c.mlp_vae(case), torch.randn(2, 5, prior.latent_dim)
    t = dataclasses.replace(model.terms(case.rows(5, torch.float32), 2), z=z, prior=prior)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = dataclasses.replace(t).log_pz
    torch.testing.assert_close(value, t.log_pz)


@pytest.mark.parametrize("case", c.LIKELIHOOD_CASES, ids=[case.id for case in c.LIKELIHOOD_CASES])
def test_training_starts_at_the_independent_features(case):
    """With the last weights at zero the decoder gives the marginal, and the encoder sees numbers of about unit size."""
    model, x = c.mlp_vae(case), case.rows(100, torch.float32)
    nn.init.zeros_(model.decoder.output.weight)
    marginal = model.likelihood(model.likelihood.marginal(case.stats)).log_prob(x[:7])
    torch.testing.assert_close(model.decode(torch.randn(7, model.latent_dim)).log_prob(x[:7]), marginal)
    assert float(model.scaling(x).abs().max()) < 6


def test_mean_encoder_takes_raw_rows_of_any_type():
    model = c.mlp_vae(c.DISCRETE[-1])
    x = torch.arange(8, dtype=torch.uint8).view(8, 1) * 30
    encoder = MeanEncoder(model.scaling, model.encoder, model.latent_dim)
    torch.testing.assert_close(encoder(x), model.posterior(x.float()).mean)


def own(encoder=None, decoder=None, kind="heteroscedastic"):
    data = np.random.default_rng(0).normal(size=(50, 6))
    stats = Rows(data).stats()
    likelihood = LIKELIHOODS[kind].from_stats(stats)
    scaling = input_scaling(likelihood, stats)
    return build_networks(
        likelihood,
        stats,
        scaling,
        Architecture(latent_dim=2, hidden=(4,), activation="tanh"),
        encoder=encoder,
        decoder=decoder,
    )


def test_an_encoder_gets_a_head_of_the_right_width():
    encoder, _ = own(encoder=nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Conv1d(2, 5, 2)))
    assert encoder.head.in_features == 10 and encoder(torch.zeros(3, 6)).shape == (3, 4)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"encoder": nn.Linear(5, 2)}, "The encoder fails on an input of shape (2, 6): "),
        ({"encoder": nn.LSTM(6, 3)}, "The encoder must give one tensor with a row for each row of its input."),
        ({"encoder": nn.Flatten(0)}, "The encoder must give one tensor with a row for each row of its input."),
        ({"decoder": nn.Linear(3, 12)}, "The decoder fails on an input of shape (2, 2): "),
        (
            {"decoder": nn.Linear(2, 6)},
            "The decoder gives shape (2, 6) for 2 codes, but likelihood='heteroscedastic' needs (2, 2, 6).",
        ),
        (
            {"decoder": nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (6, 2)))},
            "The decoder gives shape (2, 6, 2) for 2 codes, but likelihood='heteroscedastic' needs (2, 2, 6).",
        ),
    ],
)
def test_own_networks_that_do_not_fit_are_refused(networks, message):
    with pytest.raises(OptionError) as error:
        own(**networks)
    assert str(error.value).startswith(message)
    assert str(error.value) == message or message.endswith(": ")


@pytest.mark.parametrize("shape", [(12,), (2, 6), (2, 2, 3)])
def test_a_decoder_may_give_any_shape_with_as_many_values(shape):
    own(decoder=nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, shape)))


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        ((1, 8, 2), (1, 8, 2), True),
        ((8, 2), (1, 8, 2), True),
        ((16, 1), (1, 8, 2), True),
        ((6, 4, 4), (2, 3, 4, 4), True),  # P C channels, as convolutions give them
        ((2, 48), (2, 3, 4, 4), True),
        ((4, 4), (1, 1, 4, 4), True),
        ((2, 8), (1, 8, 2), False),
        ((3, 2, 4, 4), (2, 3, 4, 4), False),
        ((4, 4, 6), (2, 3, 4, 4), False),
    ],
)
def test_axes_of_a_row_are_not_taken_for_one_another(given, wanted, fits):
    decoder = nn.Sequential(nn.Linear(2, math.prod(given)), nn.Unflatten(1, given))
    if fits:
        check_decoder(decoder, 2, wanted, "it")
    else:
        with pytest.raises(OptionError, match=rf"for 2 codes, but it needs {re.escape(str((2, *wanted)))}\.$"):
            check_decoder(decoder, 2, wanted, "it")


def test_an_encoder_may_give_one_number_a_row():
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    encoder, _ = own(encoder=Mean())
    assert encoder.head.in_features == 1 and encoder(torch.zeros(3, 6)).shape == (3, 4)


@pytest.mark.parametrize("how", [{"network": "conv"}, {"network": "ladder"}, {"masked_layers": 1}])
def test_images_with_their_channels_last_are_refused(how):
    architecture = Architecture(latent_dim=2, hidden=(4,), activation="tanh", **how)
    check_images((3, 32, 32), architecture)
    check_images((4, 3, 3), architecture)
    check_images((16, 4, 4), architecture)
    with pytest.raises(OptionError, match=r"looks like \(H, W, C\): X.transpose\(0, 3, 1, 2\) brings the channels"):
        check_images((32, 32, 3), architecture)


def test_a_decoders_output_need_not_lie_in_order():
    likelihood = LIKELIHOODS["gaussian"]((12,))
    decoder = c.SequenceDecoder(2, 2, 6)
    model = VAE(MLP(12, (), 4), decoder, likelihood, 2)
    z = torch.randn(3, 5, 2)
    torch.testing.assert_close(model.decode(z).mean[1, 2], decoder(z[1, 2:3]).flatten())


def test_a_dry_run_leaves_the_module_as_it_was():
    module = nn.BatchNorm1d(3)
    before = module.running_mean.clone()
    dry_run("encoder", module, torch.randn(4, 3))
    assert module.training and torch.equal(module.running_mean, before)


def test_vae_takes_networks_that_were_built_for_it():
    model = VAE(MLP(6, (), 4), MLP(2, (), 6), LIKELIHOODS["bernoulli"]((6,)), 2)
    assert isinstance(model.scaling, nn.Identity)
    assert model.decode(torch.zeros(3, 5, 2)).batch_shape == (3, 5)


# -- the autoencoder ---------------------------------------------------------------------------------------------------


def test_autoencoder_errors_are_those_of_its_formula():
    scaling = Standardise((3,))
    scaling.loc.copy_(torch.tensor([1.0, 2.0, 3.0]))
    scaling.scale.copy_(torch.tensor([1.0, 10.0, 100.0]))
    model = Autoencoder(MLP(3, (5,), 2), MLP(2, (5,), 3), scaling, 2)
    x = torch.randn(4, 3) * 50
    rebuilt = model.decode(model.encode(x))
    torch.testing.assert_close(model.squared_errors(x), (rebuilt - x).square().mean(1))
    torch.testing.assert_close(model.errors(x), ((rebuilt - x) / scaling.scale).square().mean(1))


def test_linear_autoencoder_with_principal_axes_is_pca():
    data = np.random.default_rng(0).normal(size=(100, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    pca = PCA(2).fit(data)
    scaling = Standardise((5,))
    scaling.loc.copy_(torch.from_numpy(pca.mean_))
    model = Autoencoder(MLP(5, (), 2), MLP(2, (), 5), scaling, 2)
    axes = torch.from_numpy(pca.components_).float()
    with torch.no_grad():
        model.encoder.output.weight.copy_(axes)
        model.decoder.output.weight.copy_(axes.T)
        model.encoder.output.bias.zero_()
        model.decoder.output.bias.zero_()
    x = torch.from_numpy(data).float()
    np.testing.assert_allclose(model.encode(x).detach(), pca.transform(data), atol=1e-4)
    rest = ((pca.inverse_transform(pca.transform(data)) - data) ** 2).mean(1)
    np.testing.assert_allclose(model.squared_errors(x).detach(), rest, atol=1e-4)


def test_autoencoder_takes_decoders_whose_output_does_not_lie_in_order():
    model = Autoencoder(MLP(6, (), 2), c.SequenceDecoder(2, 2, 3), Standardise((2, 3)), 2)
    x = torch.randn(4, 2, 3)
    assert model.errors(x).shape == (4,) and model.decode(torch.zeros(4, 2)).shape == (4, 2, 3)


# -- images of four pixels: all 16 can be scored -------------------------------------------------------------------

FOUR = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).view(-1, 2, 2)


@pytest.mark.parametrize(
    "how",
    [
        Architecture("mlp", 2, (8,)),
        Architecture("conv", 2, channels=(4,)),
        Architecture("ladder", 1, channels=(4,), stochastic_layers=2),
        Architecture("ladder", 1, channels=(4, 4), stochastic_layers=3, masked_layers=1, masked_channels=4),
        Architecture("conv", 2, channels=(4,), masked_layers=2, masked_channels=4),
        Architecture("mlp", 2, (8,), prior="mixture", components=3),
        Architecture("mlp", 2, (8,), prior="vamp", components=3),
        Architecture("mlp", 2, (8,), prior="flow"),
    ],
    ids=lambda how: f"{how.network}, {how.prior}, {how.masked_layers} masked",
)
def test_the_sixteen_probabilities_sum_to_one(how):
    """By many importance samples; their own spread says how near."""
    data = np.random.default_rng(0).integers(0, 2, (100, 2, 2))
    model = c.image_vae(c.LikelihoodCase("bernoulli", data, 2), how)
    with torch.no_grad():
        terms = model.terms(FOUR, 20_000)
        weights = (terms.log_px + terms.log_pz - terms.log_qz).exp().sum(1)
    assert abs(float(weights.mean()) - 1) < c.SIGMAS * float(weights.std()) / 20_000**0.5 < 0.1


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_pixelcnn_sums_to_one_exactly(kernel_size):
    torch.manual_seed(0)
    model = PixelCNN(Autoregressive(Bernoulli((2, 2)), features=0, layers=2, channels=4, kernel_size=kernel_size))
    for parameter in model.double().parameters():
        torch.nn.init.normal_(parameter)
    log = model.log_prob(FOUR.double()).detach()
    torch.testing.assert_close(log.exp().sum().item(), 1.0, rtol=0, atol=1e-11)
    assert float(log.std()) > 0.5
    sampled = model.sample(20_000)
    codes = (sampled.flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1).long()
    counts = torch.bincount(codes, minlength=16) / 20_000
    assert bool(((counts - log.exp()).abs() < c.SIGMAS * (log.exp() / 20_000).sqrt() + 1e-4).all())


def test_a_pixelcnn_of_colours_sums_to_one():
    torch.manual_seed(0)
    base = LogisticMixture((2, 1, 2), levels=3, components=2).double()
    model = PixelCNN(Autoregressive(base, features=0, layers=1, channels=4)).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    every = torch.tensor(list(itertools.product([0.0, 1.0, 2.0], repeat=4)), dtype=torch.float64).view(-1, 2, 1, 2)
    torch.testing.assert_close(model.log_prob(every).exp().sum().item(), 1.0, rtol=0, atol=1e-9)


def test_a_pixelcnn_starts_where_all_pixels_are_alike():
    """With the last weights at zero: the mixture with the mean and spread of all pixels together."""
    x = np.random.default_rng(0).integers(0, 6, (80, 2, 3)) + np.arange(6).reshape(2, 3)
    rows, pixels = Rows(x.astype("uint8")), Rows(x.reshape(-1, 1, 1).astype("uint8"))
    model = PixelCNN(Autoregressive(LogisticMixture.from_stats(rows.stats()), features=0, layers=1, channels=4))
    model.likelihood.start(rows.stats())
    nn.init.zeros_(model.likelihood.network.output.weight)
    alone = LogisticMixture.from_stats(pixels.stats())
    each = alone(alone.marginal(pixels.stats())).log_prob(pixels.take(slice(None)))
    torch.testing.assert_close(model.log_prob(rows.take(slice(None))), each.view(80, 6).sum(1))


def test_completion_draws_from_the_conditional_distribution():
    """Given the upper row, the lower one comes with its probability given it, and what is given stays."""
    torch.manual_seed(0)
    model = PixelCNN(Autoregressive(Bernoulli((2, 2)), features=0, layers=2, channels=4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    upper = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    drawn = model.complete(upper.expand(20_000, 2, 2), torch.tensor([[True, True], [False, False]]))
    assert torch.equal(drawn[:, 0], upper[0].expand(20_000, 2))
    log = model.log_prob(FOUR)[8:12]  # those that begin with 1, 0
    wanted = torch.softmax(log, 0)
    counts = torch.bincount((drawn[:, 1] * torch.tensor([2, 1])).sum(1).long(), minlength=4) / 20_000
    assert bool(((counts - wanted).abs() < c.SIGMAS * (wanted / 20_000).sqrt() + 1e-4).all())


def test_the_units_of_a_hierarchy_are_its_maps_less_their_prior_mean_by_its_deviation():
    layer = StochasticLayer(2, 2, (3, 4), level=0, blocks=0, activation="silu")
    nn.init.normal_(layer.prior.weight)
    layer.into = nn.Identity()
    h, u = torch.randn(5, 2, 3, 4), torch.randn(5, layer.units)
    z = layer(h, u) - h
    maps = torch.einsum("oc,bchw->bohw", layer.prior.weight[:, :, 0, 0], nn.functional.silu(h))
    mu, sigma = maps[:, :2], (2 * torch.tanh(maps[:, 2:] / 2)).exp()
    torch.testing.assert_close(((z - mu) / sigma).flatten(1), u, rtol=1e-4, atol=1e-5)


def test_a_hierarchy_scores_its_own_samples():
    """log q of a sample, and p(x|z) of its units, are those of the pass that made it."""
    case = next(case for case in c.MODEL_CASES if case.id == "ladder")
    model, x = case.make(), Rows(case.data).take(slice(0, 5))
    terms, posterior = model.terms(x, 3), model.posterior(x)
    torch.testing.assert_close(posterior.log_prob(terms.z), terms.log_qz, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.decode(terms.z).log_prob(x), terms.log_px)
    noise = torch.zeros(1, 5, model.latent_dim)
    torch.testing.assert_close(posterior.rsample((1,), noise=noise)[0], posterior.mean)
