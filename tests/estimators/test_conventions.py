"""The estimators keep scikit-learn's conventions and give back the kind of data they get."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import vaekit
from vaekit import GAE, VAE, VGAE, Autoencoder, TabularVAE, VAEClassifier
from vaekit.errors import DataError
from vaekit.estimators import base

SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
BOTH = pytest.mark.parametrize("cls", [VAE, Autoencoder])


@parametrize_with_checks([VAE(**SMALL), Autoencoder(**SMALL)])
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API", "ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


class StopAt:
    """A callback that raises after an epoch, as Ctrl-C does; `seen` are the epochs that it was told of."""

    def __init__(self, epoch):
        self.epoch, self.seen = epoch, []

    def __call__(self, record):
        self.seen.append(record["epoch"])
        if record["epoch"] == self.epoch:
            raise KeyboardInterrupt


MODELS = [VAE, Autoencoder, TabularVAE, GAE, VGAE, VAEClassifier]


@pytest.mark.parametrize("cls", MODELS)
def test_an_interrupted_fit_keeps_the_best_weights_so_far(cls, iris, tmp_path):
    options = {"epochs": 4, "verbose": 0, "random_state": 0}
    arguments = [np.eye(12, k=1) + np.eye(12, k=-1)] if cls in (GAE, VGAE) else [iris]
    if cls is VAEClassifier:
        arguments, options = [iris, np.arange(150) % 2], options | {"method": "m2"}
    stopped, whole = cls(**options, callbacks=[StopAt(2)]), cls(**options, schedule="constant").set_params(epochs=2)
    with pytest.raises(KeyboardInterrupt):
        stopped.set_params(schedule="constant").fit(*arguments)
    assert stopped.n_iter_ == 2
    verb = "predict_proba" if cls is VAEClassifier else "transform"
    found, expected = (getattr(model, verb)(arguments[0]) for model in (stopped, whole.fit(*arguments)))
    np.testing.assert_array_equal(found, expected)
    stopped.save(tmp_path / "model")
    if cls is TabularVAE:
        np.testing.assert_array_equal(stopped.anomaly_scores(iris), whole.anomaly_scores(iris))


@pytest.mark.parametrize("cls", MODELS)
def test_a_fit_interrupted_in_its_first_epoch_leaves_the_estimator_as_it_was(cls, iris, monkeypatch):
    graph = np.eye(12, k=1) + np.eye(12, k=-1)
    arguments = [graph] if cls in (GAE, VGAE) else [iris, np.arange(150) % 2] if cls is VAEClassifier else [iris]
    options = {"epochs": 1, "verbose": 0, "random_state": 0} | ({"method": "m2"} if cls is VAEClassifier else {})
    fitted = cls(**options).fit(*arguments)
    before = dict(vars(fitted))

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vaekit.estimators.trained.train", stop)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(arguments[0] * 2, *arguments[1:])
    assert vars(fitted) == before


def test_callbacks_are_told_epochs_that_a_warm_start_numbers_on(iris):
    callback = StopAt(0)
    vae = VAE(**SMALL, warm_start=True, callbacks=[callback]).fit(iris).fit(iris)
    assert callback.seen == [1, 2, 3, 4] == [each["epoch"] for each in vae.history_]


@pytest.mark.usefixtures("generators_untouched")
@BOTH
def test_a_fit_leaves_the_global_generators_as_they_were(cls, iris):
    estimator = cls(**SMALL).fit(iris)
    estimator.reconstruct(iris)


@BOTH
def test_a_fit_is_a_function_of_data_parameters_and_seed(cls, iris):
    a, b = cls(**SMALL).fit(iris), cls(**SMALL).fit(iris)
    other = cls(**{**SMALL, "random_state": 1}).fit(iris)
    assert np.array_equal(a.transform(iris), b.transform(iris))
    assert not np.allclose(a.transform(iris), other.transform(iris))


def test_a_random_state_is_drawn_from_once(iris):
    state = np.random.RandomState(3)
    fitted = VAE(**{**SMALL, "random_state": state}).fit(iris)
    again = np.random.RandomState(3)
    again.randint(2**31 - 1)
    assert state.randint(1000) == again.randint(1000)
    assert fitted.fitted_["seed"] == np.random.RandomState(3).randint(2**31 - 1)


@BOTH
def test_frames_come_back_as_frames(cls, iris):
    names = ["a", "b", "c", "d"]
    for frame in (pd.DataFrame(iris, columns=names), pl.DataFrame(iris, schema=names)):
        estimator = cls(**SMALL).fit(frame)
        rebuilt = estimator.reconstruct(frame)
        assert type(rebuilt) is type(frame) and list(rebuilt.columns) == names
        assert list(estimator.feature_names_in_) == names


@BOTH
def test_columns_named_by_whole_numbers_keep_their_names(cls, iris, tmp_path):
    class Frame(pd.DataFrame):
        """As other libraries derive theirs."""

    frame = Frame(iris, index=range(200, 350))
    estimator = cls(**SMALL).fit(frame)
    estimator.save(tmp_path / "folder")
    for each in (estimator, vaekit.load(tmp_path / "folder")):
        assert list(each.inverse_transform(each.transform(frame)).columns) == [0, 1, 2, 3]
        assert each.reconstruct(frame).index.equals(frame.index)
        assert each.reconstruct(iris.tolist()).shape == frame.shape  # a list has an index too, a method
    assert not hasattr(estimator, "feature_names_in_")  # as scikit-learn has it
    with pytest.raises(DataError, match="Two columns are named 1: give each its own name"):
        cls(**SMALL).fit(frame.set_axis([0, 1, 1, 2], axis=1))


def test_samples_have_the_columns_types():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"n": rng.poisson(3, 60), "m": rng.poisson(30, 60)})
    vae = VAE(**SMALL).fit(frame)
    assert vae.likelihood_ == "negative_binomial"
    sample = vae.sample(7, random_state=0)
    assert (sample.dtypes == frame.dtypes).all() and len(sample) == 7 and (sample >= 0).all().all()
    flags = pl.DataFrame({"x": rng.random(40) < 0.5, "y": rng.random(40) < 0.1})
    assert VAE(**SMALL).fit(flags).sample(3, random_state=0).schema == flags.schema


KINDS = {"a": [0, 1, 2, 3] * 10, "b": np.random.default_rng(0).normal(size=40), "c": [True, False] * 20}


@pytest.mark.parametrize(
    ("table", "means"),
    [
        (pd.DataFrame(KINDS), ["float32", "float32", "float32"]),
        (pd.DataFrame(KINDS).convert_dtypes(), ["Float64", "Float64", "Float64"]),
        (pd.DataFrame(KINDS).astype({"a": "UInt8", "b": "Float32"}), ["Float64", "Float32", "float32"]),
        (pd.DataFrame(KINDS).convert_dtypes(dtype_backend="pyarrow"), ["double[pyarrow]"] * 3),
        (pd.DataFrame(KINDS).astype({"b": "float[pyarrow]"}), ["float32", "float[pyarrow]", "float32"]),
        (pl.DataFrame(KINDS), [pl.Float32] * 3),
        (pa.table(KINDS), [pa.float32()] * 3),
    ],
)
@BOTH
def test_columns_keep_their_types_and_means_those_of_real_numbers(cls, table, means, tmp_path):
    cls(**SMALL).fit(table).save(tmp_path / "folder")
    estimator = vaekit.load(tmp_path / "folder").fit_prior(table, 2)
    sample, rebuilt = estimator.sample(3, random_state=0, prior="fitted"), estimator.reconstruct(table)
    assert type(sample) is type(rebuilt) is type(table)
    assert types(sample) == types(table) and types(rebuilt) == means


def types(table):
    return list(table.schema.types) if isinstance(table, pa.Table) else list(table.dtypes)


def test_decimals_come_back_as_real_numbers():
    frame = pl.DataFrame(KINDS).select("a", pl.col("b").cast(pl.Decimal(10, 3)))
    of_pandas = frame.to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
    means = ["double[pyarrow]", "double[pyarrow]"]
    for table, drawn, decoded in (
        (frame, [pl.Int64, pl.Float32], [pl.Float32, pl.Float32]),
        (frame.to_arrow(), [pa.int64(), pa.float32()], [pa.float32(), pa.float32()]),
        (of_pandas, ["int64[pyarrow]", "double[pyarrow]"], means),
        (of_pandas[["b"]], means[:1], means[:1]),
    ):
        vae = VAE(**SMALL).fit(table)
        assert types(vae.sample(3, random_state=0)) == drawn and types(vae.reconstruct(table)) == decoded


def test_sparse_data_stay_sparse_and_score_as_dense_ones():
    rng = np.random.default_rng(0)
    dense = rng.poisson(0.3, (50, 12))
    sparse = scipy.sparse.csr_array(dense)
    on_sparse, on_dense = VAE(**SMALL).fit(sparse), VAE(**SMALL).fit(dense)
    assert scipy.sparse.issparse(on_sparse.sample(4, random_state=0))
    assert scipy.sparse.issparse(on_sparse.reconstruct(sparse))
    np.testing.assert_allclose(on_sparse.score_samples(sparse, 5), on_dense.score_samples(dense, 5), rtol=1e-5)


@pytest.mark.parametrize("shape", [(6, 5), (3, 4, 5)])
def test_images_keep_their_shape_and_type(shape):
    images = np.random.default_rng(0).integers(0, 256, (30, *shape), dtype=np.uint8)
    vae = VAE(**SMALL).fit(images)
    assert vae.likelihood_ == "discretised_logistic" and vae.fitted_["settings"]["levels"] == int(images.max()) + 1
    sample = vae.sample(3, random_state=0)
    assert sample.shape == (3, *shape) and sample.dtype == np.uint8
    assert vae.reconstruct(images).shape == images.shape
    np.testing.assert_allclose(vae.transform(images), vae.transform(images.reshape(30, -1)))


@pytest.mark.parametrize(
    "kind",
    [lambda x: x.clone().requires_grad_(), lambda x: x.bfloat16(), lambda x: x.to_sparse()],
    ids=["grad", "half", "sparse"],
)
def test_tensors_are_taken_as_arrays(kind):
    x = torch.eye(4).repeat(5, 1)
    vae = VAE(**SMALL).fit(kind(x))
    np.testing.assert_array_equal(vae.transform(kind(x)), vae.transform(x.numpy()))


def test_a_column_may_have_any_name():
    frame = pd.DataFrame({"column_names": [1.0, 2, 3, 4] * 5, "columns": np.arange(20.0)})
    for model in (VAE(**SMALL), TabularVAE(**SMALL)):
        assert model.fit(frame).transform(frame).shape == (20, 2)


def test_set_output_and_names(iris):
    vae = VAE(**SMALL).set_output(transform="pandas").fit(iris)
    assert list(vae.transform(iris).columns) == ["vae0", "vae1"]


def test_pipeline_and_grid_search(iris):
    y = load_iris().target
    pipeline = make_pipeline(VAE(**SMALL), LogisticRegression())
    assert pipeline.fit(iris, y).predict(iris).shape == (150,)
    grid = {"latent_dim": np.arange(1, 3), "batch_size": np.array([64])}
    search = GridSearchCV(VAE(**SMALL), grid, cv=2, error_score="raise").fit(iris)
    assert search.best_params_["latent_dim"] in (1, 2) and np.isfinite(search.best_score_)


@BOTH
def test_pickle_copy_and_clone(cls, iris):
    estimator = cls(**SMALL).fit(iris)
    codes = estimator.transform(iris)
    for twin in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        assert np.array_equal(twin.transform(iris), codes)
    assert not hasattr(clone(estimator), "model_")


def test_scores_are_functions_of_the_row(iris):
    vae = VAE(**SMALL).fit(iris)
    whole = vae.score_samples(iris, 20)
    np.testing.assert_allclose(vae.score_samples(iris[40:47], 20), whole[40:47], rtol=1e-5)
    np.testing.assert_allclose(vae.score_samples(iris[::-1], 20)[::-1], whole, rtol=1e-5)
    assert vae.score(iris, num_samples=20) == pytest.approx(whole.mean(), rel=1e-5)
    assert (vae.elbo(iris, 20) <= whole + 0.5).mean() > 0.95


def test_grey_scale_rows_are_scored_as_binary_ones():
    images = load_digits().images[:200]
    vae = VAE(**SMALL, likelihood="bernoulli").fit(images)
    assert vae.fitted_["grey_max"] == 16
    scores = vae.score_samples(images, 10)
    assert np.array_equal(scores, vae.score_samples(images, 10))
    assert (scores > -64 * 5).all() and (scores < 0).all()
    fixed = vae._prepare(vae._read(images), training=False)
    assert set(np.unique(fixed.raw(slice(None)).numpy())) == {0, 1}
    assert VAE(**SMALL, likelihood="bernoulli", binarize="threshold").fit(images).score(images) > scores.mean() - 100


def test_encoder_is_a_copy_that_gives_the_codes(iris):
    for estimator in (VAE(**SMALL).fit(iris), Autoencoder(**SMALL).fit(iris)):
        encoder = estimator.encoder_
        before = estimator.transform(iris)
        np.testing.assert_allclose(encoder(torch.tensor(iris)).detach().numpy(), before, rtol=1e-5, atol=1e-6)
        for parameter in encoder.parameters():
            parameter.data.zero_()
        assert np.array_equal(estimator.transform(iris), before)


@pytest.mark.parametrize("network", ["mlp", "ladder"])
def test_a_threshold_is_all_that_a_model_sees_of_grey_levels(network):
    images = load_digits().images[:100]
    cut = 16.0 * (images > 8)
    vae = VAE(**SMALL, network=network, channels=(4,), likelihood="bernoulli", binarize="threshold").fit(images)
    for way in (vae.score_samples, vae.transform, vae.reconstruct):
        assert np.array_equal(way(images), way(cut))
    codes = vae.encoder_(torch.as_tensor(images)).detach().numpy()
    np.testing.assert_allclose(codes, vae.transform(images), rtol=1e-4, atol=1e-5)


def test_grey_scale_encoder_takes_raw_values():
    images = load_digits().images[:100]
    vae = VAE(**SMALL, likelihood="bernoulli").fit(images)
    np.testing.assert_allclose(
        vae.encoder_(torch.tensor(images)).detach().numpy(), vae.transform(images), rtol=1e-5, atol=1e-6
    )


def test_warm_start_goes_on(iris):
    vae = VAE(**SMALL, warm_start=True).fit(iris)
    first = vae.transform(iris)
    vae.fit(iris)
    assert vae.n_iter_ == 4 and not np.allclose(vae.transform(iris), first)
    assert [record["epoch"] for record in vae.history_] == [1, 2, 3, 4] and vae.best_epoch_ in (3, 4)


def test_warm_starts_hold_the_same_rows_out(iris, monkeypatch):
    held, split = [], base.split_rows

    def recorded(*args):
        held.append(split(*args))
        return held[-1]

    monkeypatch.setattr(base, "split_rows", recorded)
    for random_state in (None, np.random.RandomState(0), 3):
        vae = VAE(**{**SMALL, "random_state": random_state}, warm_start=True).fit(iris).fit(iris)
        assert vae.n_iter_ == 4
        first, second = held[-2:]
        assert np.array_equal(np.sort(first[1]), np.sort(second[1]))


def test_validation_data_and_no_validation(iris):
    given = VAE(**SMALL).fit(iris[:100], validation_data=iris[100:])
    assert given.history_[0]["validation"] is not None
    none = VAE(**{**SMALL, "validation_fraction": None}).fit(iris)
    assert none.history_[0]["validation"] is None and none.best_epoch_ == 2


def test_early_stopping_keeps_the_best_weights(iris):
    vae = VAE(**{**SMALL, "epochs": 200, "learning_rate": 0.1}, patience=3).fit(iris)
    scores = [record["validation"] for record in vae.history_]
    assert vae.n_iter_ < 200 and vae.best_epoch_ == int(np.argmax(scores)) + 1
    assert vae.n_iter_ - vae.best_epoch_ == 3


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
@pytest.mark.parametrize("kl", ["analytic", "monte_carlo"])
def test_objectives_train(objective, kl, iris):
    settings = {**SMALL, "epochs": 15, "learning_rate": 0.01}
    vae = VAE(**settings, objective=objective, kl=kl, samples=3, kl_warmup=2, patience=None).fit(iris)
    assert vae.history_[-1]["train"] > vae.history_[0]["train"]


@pytest.mark.filterwarnings("ignore:This processor has no bfloat16")
@pytest.mark.parametrize(
    "options",
    [{"precision": "bfloat16"}, {"average": 0.9}, {"clip_norm": 1.0}, {"optimizer": "adamw", "weight_decay": 0.1}],
)
def test_training_options_train(options, iris):
    vae = VAE(**{**SMALL, "epochs": 30, "learning_rate": 0.01}, **options, patience=None).fit(iris)
    assert vae.history_[-1]["validation"] > vae.history_[0]["validation"]
    assert vae.transform(iris).dtype == np.float32


def test_constant_columns_count_nothing(iris):
    widened = np.hstack([iris, np.full((150, 2), 7.0)])
    vae = VAE(**SMALL).fit(widened)
    assert np.isfinite(vae.score_samples(widened)).all()
    np.testing.assert_allclose(vae.sample(5, random_state=0)[:, 4:], 7, rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-6, 1.0])
def test_constant_columns_of_an_autoencoder_are_given_back(unit):
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32) @ np.float32(
        [[1, 0, 0.5, 0], [0, 1, 1, 0], [1, 1, 0, 0]]
    )
    X[:, 3] = 5
    model = Autoencoder(2, (8,), epochs=3, verbose=0, random_state=0).fit(X * np.float32(unit))
    assert (model.reconstruct(X * np.float32(unit))[:, 3] == np.float32(5) * np.float32(unit)).all()
    z = torch.zeros(1, 2, requires_grad=True)
    model.model_.decode(z).sum().backward()
    assert z.grad is not None and z.grad.isfinite().all() and z.grad.any()
    new = X[:5] * np.float32(unit)
    same = model.transform(new)
    error = -model.score_samples(new)
    new[:, 3] += np.float32(2 * unit)
    np.testing.assert_array_equal(model.transform(new), same)
    np.testing.assert_allclose(-model.score_samples(new), error + unit**2, rtol=1e-4)
