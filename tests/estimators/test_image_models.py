"""PixelCNN and the VAEs of images as estimators: fitted, scored, drawn from, saved, and misused."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

import vaekit
from vaekit.errors import DataError, OptionError
from vaekit.priors import GaussianMixture

LEVELS = load_digits().images[:300].astype("uint8")
BINARY = (LEVELS > 7).astype("uint8")
SMALL = {"epochs": 2, "random_state": 0, "verbose": 0}
VAES = {
    "conv": {"network": "conv", "channels": (4, 6), "latent_dim": 3},
    "ladder": {"network": "ladder", "channels": (4, 6), "latent_dim": 1, "stochastic_layers": 3},
    "masked": {"network": "conv", "channels": (4,), "latent_dim": 3, "masked_layers": 2, "masked_channels": 4},
    "mixture": {"prior": "mixture", "components": 4, "latent_dim": 3, "hidden": (8,)},
    "vamp": {"prior": "vamp", "components": 4, "latent_dim": 3, "hidden": (8,)},
    "flow": {"prior": "flow", "latent_dim": 3, "hidden": (8,)},
    "own prior": {"prior": GaussianMixture(3, 2), "latent_dim": 3, "hidden": (8,)},
    "dreg": {"objective": "dreg", "samples": 4, "latent_dim": 3, "hidden": (8,)},
    "stl": {"objective": "stl", "latent_dim": 3, "hidden": (8,)},
    "tc": {"objective": "tc", "beta": 3.0, "latent_dim": 3, "hidden": (8,)},
    "bound": {"validation_samples": 5, "validation_every": 2, "latent_dim": 3, "hidden": (8,)},
}


@pytest.mark.parametrize("data", [BINARY, LEVELS], ids=["binary", "levels"])
@pytest.mark.parametrize("name", VAES)
def test_fit_use_save_and_load(name, data, tmp_path):
    vae = vaekit.VAE(**VAES[name], **SMALL).fit(data)
    scores = vae.score_samples(data[:20], 5)
    assert scores.shape == (20,) and np.isfinite(scores).all()
    codes = vae.transform(data[:5])
    assert codes.shape == (5, vae.model_.latent_dim) == (5, len(vae.get_feature_names_out()))
    drawn = vae.sample(3, random_state=0)
    assert drawn.shape == (3, 8, 8) and drawn.dtype == data.dtype and drawn.max() <= data.max()
    assert vae.inverse_transform(codes).shape == vae.reconstruct(data[:5]).shape == (5, 8, 8)
    np.testing.assert_allclose(vae.encoder_(torch.from_numpy(data[:5])).detach(), codes, rtol=1e-5, atol=1e-5)
    vae.save(tmp_path / "model")
    again = vaekit.load(tmp_path / "model", **({"prior": GaussianMixture(3, 2)} if name == "own prior" else {}))
    np.testing.assert_array_equal(again.score_samples(data[:20], 5), scores)
    np.testing.assert_array_equal(again.sample(3, random_state=0), drawn)
    assert clone(vae).fit(data).score(data[:20], num_samples=5) == vae.score(data[:20], num_samples=5)


@pytest.mark.parametrize("data", [BINARY, LEVELS], ids=["binary", "levels"])
def test_pixelcnn(data, tmp_path):
    model = vaekit.PixelCNN(layers=2, channels=6, kernel_size=3, average=0.9, **(SMALL | {"epochs": 6})).fit(data)
    scores = model.score_samples(data)
    assert model.history_[-1]["validation"] > model.history_[0]["validation"]
    assert abs(model.score(data) - scores.mean()) < 1e-3
    np.testing.assert_array_equal(model.score_samples(data, num_samples=5), scores)  # for code that scores any model
    assert model.score(data, num_samples=5) == model.score(data)
    drawn = model.sample(4, random_state=0)
    assert drawn.shape == (4, 8, 8) and drawn.dtype == data.dtype and drawn.max() <= data.max()
    upper = np.zeros((8, 8), dtype=bool)
    upper[:4] = True
    completed = model.complete(data[:5], upper, random_state=0)
    np.testing.assert_array_equal(completed[:, :4], data[:5, :4])
    each = np.broadcast_to(upper, (5, 8, 8))
    np.testing.assert_array_equal(model.complete(data[:5], each, random_state=0), completed)
    model.save(tmp_path / "model")
    again = vaekit.load(tmp_path / "model")
    np.testing.assert_array_equal(again.score_samples(data), scores)
    summary = again.evaluate(data[:50])
    assert summary["elbo"] is None and summary["n"] == 50
    assert summary["log_likelihood"] == pytest.approx(scores[:50].mean(), rel=1e-5)
    assert summary["bits_per_dim"] == pytest.approx(-summary["log_likelihood"] / (64 * np.log(2)))
    gain = summary["log_likelihood"] - summary["independent"]
    assert abs(summary["gain_over_independent"] - gain) < 1e-6


@pytest.mark.parametrize("X", [BINARY[0], BINARY[0, :1], BINARY[:2, :4], BINARY[:2].reshape(2, 64), BINARY[0, 0, 0]])
def test_only_whole_images_are_completed(X):
    model = vaekit.PixelCNN(layers=1, channels=4, kernel_size=3, **SMALL).fit(BINARY[:20])
    with pytest.raises(DataError) as error:
        model.complete(X, np.ones((8, 8), bool))
    assert str(error.value) == f"X must hold images of shape (8, 8), (n, *shape) in all, not an array of {X.shape}."


@pytest.mark.parametrize(
    ("objective", "samples", "said"), [("iwae", 1, True), ("dreg", 1, True), ("stl", 1, False), ("iwae", 2, False)]
)
def test_one_importance_sample_is_said_to_be_the_elbo(objective, samples, said, capsys):
    settings = SMALL | {"epochs": 1, "verbose": 1}
    vaekit.VAE(2, (4,), objective=objective, samples=samples, **settings).fit(BINARY[:20])
    line = f"objective={objective!r}: samples=1 makes it the ELBO; samples=5, say, a tighter bound"
    assert (line in capsys.readouterr().err) == said


@pytest.mark.parametrize("options", [{"free_bits": 0.1}, {"kl": "analytic"}])
def test_an_own_prior_without_its_kl_cannot_have_what_needs_it(options):
    with pytest.raises(OptionError, match="prior='normal'"):
        vaekit.VAE(3, (4,), prior=GaussianMixture(3, 2), **options, **SMALL).fit(BINARY)


def test_colours_are_fitted_and_drawn():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 4, (100, 1, 4, 5))
    X = np.concatenate([base, np.minimum(base + 1, 4), base], 1).astype("uint8")
    model = vaekit.PixelCNN(layers=1, channels=8, kernel_size=3, learning_rate=0.02, **(SMALL | {"epochs": 40})).fit(X)
    drawn = model.sample(50, random_state=0).astype(int)
    assert drawn.shape == (50, 3, 4, 5)
    off = np.abs(drawn[:, 2] - drawn[:, 0]).mean()
    assert off < 0.6 * np.abs(drawn[:, 2] - np.roll(drawn[:, 0], 1, 0)).mean()  # channels know each other


def test_grey_levels_made_binary_are_drawn_as_two_values():
    model = vaekit.PixelCNN(layers=1, channels=4, kernel_size=3, likelihood="bernoulli", **SMALL).fit(LEVELS)
    assert set(np.unique(model.sample(5, random_state=0))) == {0, 16}


def test_masked_layers_set_after_a_fit_are_of_the_next():
    options = {"latent_dim": 2, "hidden": (8,), "likelihood": "bernoulli"}
    model = vaekit.VAE(**options, **SMALL).fit(LEVELS)
    before = model.sample(5, random_state=0)
    assert len(np.unique(before)) > 2
    np.testing.assert_array_equal(model.set_params(masked_layers=1).sample(5, random_state=0), before)


def test_a_fitted_prior_draws_near_the_codes(tmp_path):
    """Samples of the mixture come from where the codes lie, for a VAE and for an autoencoder."""
    for kind in (vaekit.VAE, vaekit.Autoencoder):
        model = kind(latent_dim=2, hidden=(16,), **(SMALL | {"epochs": 30})).fit(LEVELS).fit_prior(LEVELS, 5)
        z, codes = model.fitted_prior_().sample((20_000,)).numpy(), model._codes(LEVELS)
        spread = 0 if len(codes) == 1 else np.diag((codes[1] ** 2).mean(0))  # the posteriors' own, beside that of means
        np.testing.assert_allclose(np.cov(z.T), np.cov(codes[0].T) + spread, rtol=0.25, atol=0.2 * np.cov(z.T).max())
        assert np.abs(z.mean(0) - codes[0].mean(0)).max() < 0.2 * codes[0].std(0).max() + 0.05
        drawn = model.sample(3, random_state=0, prior="fitted")
        assert drawn.shape == (3, 8, 8) and drawn.dtype == np.uint8
        model.save(tmp_path / kind.__name__)
        again = vaekit.load(tmp_path / kind.__name__)
        np.testing.assert_array_equal(again.sample(3, random_state=0, prior="fitted"), drawn)
        model.fit(LEVELS)
        with pytest.raises(OptionError, match="call fit_prior"):
            model.sample(3, prior="fitted")


def test_the_fitted_prior_of_a_hierarchy_is_of_draws_from_the_posterior():
    vae = vaekit.VAE(**VAES["ladder"], **(SMALL | {"epochs": 8})).fit(BINARY).fit_prior(BINARY, 1, random_state=3)
    noise = np.random.RandomState(3).standard_normal((len(BINARY), vae.model_.latent_dim)).astype("float32")
    with torch.no_grad():
        q = vae.model_.posterior(torch.from_numpy(BINARY).float())
        drawn = q.rsample(noise=torch.from_numpy(noise))
        apart = q.mean + q.stddev * torch.from_numpy(noise)
    np.testing.assert_allclose(vae.fitted_prior_().mean, drawn.double().mean(0), atol=1e-5)
    assert float((drawn - apart).abs().max()) > 1e-3  # each layer's is given the drawn layers above, not their means


def test_annealing_is_above_the_bound_of_few_samples():
    vae = vaekit.VAE(latent_dim=3, hidden=(16,), **(SMALL | {"epochs": 10})).fit(BINARY)
    how = vaekit.evaluation.Annealing(chains=4, temperatures=30, leapfrog=3)
    summary = vae.anneal(BINARY[:30], how, simulated=20)
    assert vae.score(BINARY[:30], num_samples=1) < summary["ais"]
    assert summary["ais_importance_weighted"] == pytest.approx(vae.score(BINARY[:30], num_samples=100))
    assert summary["ais_gain"] == pytest.approx(summary["ais"] - summary["ais_importance_weighted"])
    assert summary["bdmc_gap"] == pytest.approx(summary["bdmc_upper"] - summary["bdmc_lower"])
    assert summary["bdmc_lower"] < summary["bdmc_upper"] + 3 * summary["bdmc_gap_se"] and summary["bdmc_n"] == 20


@pytest.mark.parametrize(
    ("model", "X", "message"),
    [
        (
            vaekit.VAE(network="conv"),
            LEVELS.reshape(300, 64),
            "network='conv' needs images, (n, H, W) or (n, C, H, W), but a row of X has shape (64,): reshape X.",
        ),
        (
            vaekit.VAE(masked_layers=2),
            BINARY.reshape(300, 64),
            "masked_layers=2 needs images, (n, H, W) or (n, C, H, W), but a row of X has shape (64,): reshape X.",
        ),
        (
            vaekit.VAE(masked_layers=2, likelihood="gaussian"),
            LEVELS,
            "masked_layers needs binary pixels or whole levels, likelihood='bernoulli' or 'logistic_mixture', not 'gaussian'. Levels of grey between 0 and 1 become whole as np.round(255 * X).",
        ),
        (
            vaekit.VAE(network="ladder", prior="vamp"),
            LEVELS,
            "network='ladder' has a prior and networks of its own: prior='normal', no own modules.",
        ),
        (
            vaekit.VAE(network="ladder", objective="dreg"),
            LEVELS,
            "objective='dreg' needs one layer of latent units, not network='ladder'.",
        ),
        (
            vaekit.VAE(prior="vamp", kl="analytic"),
            LEVELS,
            "kl='analytic' needs prior='normal', or an own one with kl_units: others have no KL in closed form.",
        ),
        (vaekit.VAE(prior=GaussianMixture(3)), LEVELS, "The prior has 3 units, but latent_dim is 20."),
        (
            vaekit.VAE(prior="vampire"),
            LEVELS,
            "prior='vampire' is not one of 'normal', 'mixture', 'vamp', 'flow' (did you mean 'vamp'?).",
        ),
        (
            vaekit.VAE(masked_kernel=np.int64(4)),
            LEVELS,
            "masked_kernel=4 must be odd: as many pixels on the left as on the right.",
        ),
        (vaekit.VAE(channels=()), LEVELS, "channels=() must be a tuple with the maps of each level, such as (32, 64)."),
        (
            vaekit.PixelCNN(),
            LEVELS.reshape(300, 64),
            "A PixelCNN needs images, (n, H, W) or (n, C, H, W), but a row of X has shape (64,): reshape X.",
        ),
        (
            vaekit.PixelCNN(),
            LEVELS / 16.0 - 0.3,
            "PixelCNN needs binary pixels or whole levels, likelihood='bernoulli' or 'logistic_mixture', not 'gaussian'. Levels of grey between 0 and 1 become whole as np.round(255 * X).",
        ),
        (
            vaekit.PixelCNN(layers=0, kernel_size=2),
            LEVELS,
            "layers=0 must be a whole number of at least 1. kernel_size=2 must be a whole number of at least 3.",
        ),
    ],
    ids=range(13),
)
def test_bad_input(model, X, message):
    with pytest.raises(OptionError) as error:
        model.set_params(**SMALL).fit(X)
    assert str(error.value) == message


def test_a_mixture_does_not_outlive_its_codes():
    vae = vaekit.VAE(latent_dim=2, hidden=(8,), warm_start=True, **SMALL).fit(LEVELS).fit_prior(LEVELS)
    vae.fit(LEVELS)
    with pytest.raises(OptionError, match="call fit_prior"):
        vae.sample(1, prior="fitted")


def test_pseudo_inputs_start_at_training_rows_of_all_kinds_and_move():
    order = np.argsort(load_digits().target[:300], kind="stable")
    X = LEVELS[order]
    vae = vaekit.VAE(**(VAES["vamp"] | {"components": 40}), **(SMALL | {"epochs": 1, "learning_rate": 1e-9})).fit(X)
    started = vae.model_.prior.pseudo_inputs.detach().numpy().round()
    at = [int(np.flatnonzero((row == X).all((1, 2)))[0]) for row in started]
    assert max(at) > 200 and min(at) < 100  # not the first rows alone
    vae.set_params(epochs=20, learning_rate=1e-2).fit(X)
    assert np.abs(vae.model_.prior.pseudo_inputs.detach().numpy() - started).max() > 0.5


def test_hidden_pixels_do_not_matter_and_channels_go_together():
    model = vaekit.PixelCNN(layers=1, channels=4, kernel_size=3, likelihood="bernoulli", **SMALL).fit(LEVELS)
    upper = np.zeros((8, 8), dtype=bool)
    upper[:4] = True
    hidden = LEVELS[:3].astype(float)
    hidden[:, 4:] = np.nan
    drawn = model.complete(hidden, upper, random_state=0)
    np.testing.assert_array_equal(drawn, model.complete(LEVELS[:3], upper, random_state=0))
    np.testing.assert_array_equal(drawn[:, :4], LEVELS[:3, :4])  # grey levels, though they spoke as binary ones
    colour = np.repeat(LEVELS[:40, None, :4, :4], 3, 1)
    model = vaekit.PixelCNN(layers=1, channels=4, kernel_size=3, **SMALL).fit(colour)
    observed = np.zeros((3, 4, 4), dtype=bool)
    observed[0] = True
    with pytest.raises(DataError) as error:
        model.complete(colour[:2], observed)
    assert str(error.value) == "observed must be alike for all channels of a pixel, which are drawn together."


def test_completion_needs_booleans_of_the_right_shape():
    model = vaekit.PixelCNN(layers=1, channels=4, kernel_size=3, **SMALL).fit(BINARY)
    for observed in (np.ones((8, 8)), np.ones((4, 8), dtype=bool)):
        with pytest.raises(DataError) as error:
            model.complete(BINARY[:2], observed)
        assert str(error.value) == "observed must hold booleans of shape (8, 8) or (2, 8, 8)."


def test_an_own_prior_must_be_given_again(tmp_path):
    vaekit.VAE(**VAES["own prior"], **SMALL).fit(BINARY).save(tmp_path / "model")
    with pytest.raises(OptionError, match="own prior"):
        vaekit.load(tmp_path / "model")
    with pytest.raises(OptionError) as error:
        vaekit.load(tmp_path / "model", prior=nn.Identity())
    assert str(error.value) == f"{tmp_path / 'model'} was fitted with a prior GaussianMixture, not Identity."


@pytest.mark.parametrize("likelihood", ["auto", "bernoulli", "logistic_mixture"])
def test_a_brighter_byte_than_those_of_the_fit_has_a_likelihood(likelihood, capsys):
    """Of pictures whose brightest pixels lie near the end of a byte."""
    X = np.random.default_rng(0).integers(0, 240, (40, 4, 4), np.uint8)
    vae = vaekit.VAE(2, (4,), likelihood=likelihood, epochs=1, random_state=0).fit(X)
    X[0, 0, 0] = 255
    assert np.isfinite(vae.score_samples(X, 2)).all()
    assert ("from 0 to 255 are made binary" in capsys.readouterr().err) == (likelihood == "bernoulli")


def test_two_levels_are_not_said_to_be_drawn(capsys):
    X = np.random.default_rng(0).integers(0, 2, (40, 4, 4)).astype(np.uint8) * 255
    vaekit.VAE(2, (4,), epochs=1, random_state=0).fit(X)
    assert "made binary" not in capsys.readouterr().err
