"""What an estimator refuses, or brings into range, so that no number is silently another."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import vaekit
from vaekit import VAE, ConditionalVAE, VAEClassifier
from vaekit.data.rows import Rows
from vaekit.errors import DataError, OptionError

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
RNG = np.random.default_rng(0)


def test_a_warm_start_keeps_its_network():
    X = RNG.normal(size=(40, 3))
    vae = VAE(**SMALL, warm_start=True).fit(X).set_params(latent_dim=3, hidden=(4,))
    with pytest.raises(OptionError, match="warm_start goes on with the network as it was") as caught:
        vae.fit(X)
    assert str(caught.value) == (
        "warm_start goes on with the network as it was (hidden was [8], now [4]; latent_dim was 2, now 3): set that "
        "back, or warm_start=False."
    )
    images = RNG.integers(0, 9, (40, 4, 4), dtype=np.uint8)
    fitted = VAE(**SMALL, warm_start=True).fit(images)
    assert fitted.fit(images.reshape(40, -1)).sample(2, 0).shape == (2, 4, 4)


@pytest.mark.parametrize(("estimator", "passes"), [(VAE(**SMALL), 2), (VAEClassifier("m2", **SMALL), 1)])
def test_a_fit_goes_over_the_values_once_to_know_their_range(estimator, passes, monkeypatch):
    """And a VAE once more over those that it was trained on, for independent features."""
    counted, stats = [], Rows.stats
    monkeypatch.setattr(Rows, "stats", lambda rows: counted.append(len(rows)) or stats(rows))
    estimator.fit(RNG.normal(size=(40, 3)), np.arange(40) % 2)
    assert counted == [40, 36][:passes]


@pytest.mark.parametrize("column", [1e9 + RNG.normal(size=40), 1e39 * RNG.normal(size=40)])
def test_values_that_32_bits_cannot_tell_apart(column):
    frame = pd.DataFrame({"a": RNG.normal(size=40), "b": column})
    with pytest.raises(
        DataError, match="The values in column 'b' are too large beside their spread for 32-bit numbers"
    ):
        VAE(**SMALL).fit(frame)


def test_precision_is_that_of_the_rows_of_the_fit():
    X = np.column_stack([RNG.integers(20_000, 200_000, 40), RNG.normal(size=40)])
    X[:2, 0] = 100_000, 100_001
    vae = VAE(**SMALL, likelihood="gaussian").fit(X)
    np.testing.assert_allclose(vae.transform(X[:2]), vae.transform(X)[:2], rtol=1e-5)
    with pytest.raises(DataError, match="too large"):
        vae.transform([[1e39, 0.0]])


def test_read_only_codes_are_decoded():
    X = RNG.normal(size=(40, 3))
    vae = VAE(**SMALL).fit(X)
    Z = vae.transform(X)
    Z.flags.writeable = False
    assert vae.inverse_transform(Z).shape == X.shape


def test_numpy_settings_are_saved(tmp_path):
    vae = VAE(**{**SMALL, "learning_rate": np.float32(1e-3), "kl_warmup": np.float32(2)}).fit(RNG.normal(size=(40, 3)))
    vae.save(tmp_path / "model")
    assert vaekit.load(tmp_path / "model").history_ == vae.history_


def test_two_values_are_drawn_as_two_values():
    X = 255 * RNG.integers(0, 2, (60, 5), dtype=np.uint8)
    vae = VAE(**SMALL).fit(X)
    assert vae.likelihood_ == "bernoulli" and set(np.unique(vae.sample(50, 0))) == {0, 255}
    binary = VAE(**SMALL).fit(X // 255)
    np.testing.assert_allclose(vae.score(X), binary.score(X // 255), atol=0.5)


def test_rows_on_another_scale_than_at_fit():
    X = RNG.integers(0, 2, (60, 5))
    two, grey = VAE(**SMALL).fit(255 * X), VAE(**SMALL, likelihood="bernoulli").fit(RNG.integers(0, 256, (60, 5)))
    with pytest.raises(DataError, match=r"^X holds 0 and 1 alone, but at fit 0 and 255: scale it as then\.$"):
        two.score(X)
    assert np.isfinite(two.score(0 * X)) and np.isfinite(two.score(255 * X[:1]))
    assert np.isfinite(VAE(**SMALL, likelihood="bernoulli").fit(0.5 * X).score(0.5 * X))
    with pytest.warns(
        UserWarning, match=r"^X holds fractions up to 0\.5, but grey levels at fit were whole numbers up to"
    ):
        grey.score(X / 2)
    assert np.isfinite(grey.score(grey.sample(5, 0)))


def test_sparse_columns_are_refused_as_dense_ones():
    X = np.column_stack([RNG.normal(size=40), 1e9 + RNG.normal(size=40)])
    for data in (X, scipy.sparse.csr_array(X)):
        with pytest.raises(DataError, match="The values in column 1 are too large beside their spread"):
            VAE(**SMALL).fit(data)


def test_columns_named_by_numbers_keep_their_order():
    frame = pd.DataFrame(RNG.normal(size=(40, 2)) * [1, 100])
    vae = VAE(**SMALL).fit(frame)
    with pytest.raises(DataError, match=r"^The columns of X stand in another order than at fit\.$"):
        vae.score(frame[[1, 0]])


def test_masked_arrays_are_refused():
    X = np.ma.masked_less(RNG.normal(size=(40, 3)), -1)
    with pytest.raises(DataError, match="which only a TabularVAE takes"):
        VAE(**SMALL).fit(X)
    assert np.isfinite(VAE(**SMALL).fit(np.ma.masked_array(X.data)).score(X.data))
    assert np.isfinite(VAE(**SMALL).fit(pd.DataFrame(X.data, columns=["a", "_mask", "b"])).n_iter_)
    labels = np.ma.masked_equal(np.arange(40) % 3, 2)
    for call, what in (
        (lambda: VAEClassifier("features", pretrained=VAE(**SMALL)).fit(X.data, labels), "y"),
        (lambda: ConditionalVAE(**SMALL).fit(X.data, labels), "y"),
        (lambda: ConditionalVAE(**SMALL).fit(X.data, condition=X), "condition"),
    ):
        with pytest.raises(DataError, match=f"^{what} is an array with masked values: fill or drop them first"):
            call()


def test_how_grey_levels_become_binary_is_of_the_fit():
    X = RNG.integers(0, 17, (60, 4)).astype("uint8")
    vae = VAE(**SMALL, likelihood="bernoulli").fit(X)
    scores, codes = vae.score_samples(X), vae.transform(X)
    vae.set_params(binarize="threshold")
    assert np.array_equal(vae.score_samples(X), scores) and np.array_equal(vae.transform(X), codes)
    assert not np.array_equal(vae.fit(X).score_samples(X), scores)


def test_draws_stay_within_an_integer_type():
    X = RNG.integers(0, 3, (60, 4), dtype=np.uint8)
    sample = VAE(**SMALL, likelihood="gaussian").fit(X).sample(500, 0)
    assert sample.dtype == np.uint8 and sample.max() < 20  # -1 would have become 255
    frame = pd.DataFrame({"n": X[:, 0], "x": RNG.normal(size=60)})
    assert VAE(**SMALL).fit(frame).sample(200, 0).dtypes.equals(frame.dtypes)


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, pl.DataFrame])
def test_draws_beyond_the_widest_types_are_their_ends(kind, container):
    top = np.iinfo(kind).max
    X = (RNG.random((200, 1)) * top).astype(kind)
    data = X if container is np.asarray else container({"a": X[:, 0]})
    sample = VAE(**SMALL, likelihood="gaussian").fit(data).sample(2000, 0)
    values = np.asarray(sample).ravel()
    assert values.dtype == kind and type(sample) is type(data)
    assert values.max() > 0.999 * top  # beyond it -2**31 or 0 would come
    assert values.min() == 0 if kind.startswith("u") else values.min() > -0.9 * top


def test_rows_unlike_any_in_training_have_a_finite_score():
    X = RNG.normal(size=(60, 3))
    far = X.copy()
    far[:, 1] = 1e4
    scores = VAE(**SMALL).fit(X).score_samples(far)
    assert np.isfinite(scores).all() and (scores < -1e4).all()


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_numbers_of_draws(n):
    vae = VAE(**SMALL).fit(RNG.normal(size=(40, 3)))
    with pytest.raises(OptionError, match="must be a whole number of at least 1"):
        vae.sample(n)
    with pytest.raises(OptionError, match="must be a whole number of at least 1"):
        vae.score_samples(RNG.normal(size=(4, 3)), n)


def test_seeds_and_index():
    X = pd.DataFrame(RNG.normal(size=(40, 2)), columns=["a", "b"], index=range(100, 140))
    with pytest.raises(OptionError, match=r"random_state=-1 must be a whole number of at least 0"):
        VAE(**{**SMALL, "random_state": -1}).fit(X)
    assert VAE(**SMALL).fit(X).reconstruct(X).index.equals(X.index)
