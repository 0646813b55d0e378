"""What is saved is what is loaded, and damaged or foreign folders are refused in one sentence."""

import json
import re
import resource
import shutil
from pathlib import Path

import networkx
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

import vaekit
from vaekit import GAE, VAE, VGAE, Autoencoder, ConditionalVAE, PixelCNN, TabularVAE, VAEClassifier
from vaekit.errors import OptionError, RunError, WriteError

RNG = np.random.default_rng(0)
CASES = {
    "gaussian": ({}, RNG.normal(size=(40, 3))),
    "isotropic": ({"likelihood": "isotropic"}, RNG.normal(size=(40, 3))),
    "heteroscedastic": ({"likelihood": "heteroscedastic"}, RNG.normal(size=(40, 3))),
    "bernoulli": ({}, RNG.integers(0, 2, (40, 6))),
    "grey": ({"likelihood": "bernoulli"}, RNG.integers(0, 9, (40, 6))),
    "binomial": ({"likelihood": "binomial"}, RNG.integers(0, 9, (40, 6))),
    "poisson": ({"likelihood": "poisson"}, RNG.integers(0, 9, (40, 6))),
    "negative_binomial": ({}, RNG.integers(0, 9, (40, 6))),
    "categorical": ({"likelihood": "categorical"}, RNG.integers(0, 4, (40, 6))),
    "images": ({}, RNG.integers(0, 9, (40, 4, 4), dtype=np.uint8)),
    "linear": ({"hidden": ()}, RNG.normal(size=(40, 3))),
}
SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}


@pytest.mark.parametrize("name", CASES)
def test_save_then_load_is_the_identity(name, tmp_path):
    options, X = CASES[name]
    fitted = VAE(**{**SMALL, **options}).fit(X)
    fitted.save(tmp_path / "run")
    loaded = vaekit.load(tmp_path / "run")
    assert np.array_equal(loaded.transform(X), fitted.transform(X))
    assert np.array_equal(loaded.score_samples(X, 5), fitted.score_samples(X, 5))
    assert loaded.evaluate(X, 5) == fitted.evaluate(X, 5)
    assert np.array_equal(np.asarray(loaded.sample(4, 0)), np.asarray(fitted.sample(4, 0)))
    assert loaded.history_ == fitted.history_ and loaded.get_params() == {**fitted.get_params()}


@pytest.mark.parametrize(
    ("cls", "changes"),
    [
        (VAE, {"activation": "tanh", "latent_dim": 3, "hidden": (4,)}),
        (Autoencoder, {"latent_dim": 3}),
        (TabularVAE, {"mixture": 1, "activation": "tanh"}),
        (VGAE, {"activation": "tanh", "unit_length": True, "latent_dim": 3}),
        (GAE, {"hidden": (3,)}),
        (VAEClassifier, {"method": "features", "latent_dim": 3}),
        (VAEClassifier, {"pretrained": VAE(3)}),
    ],
)
def test_what_is_set_after_a_fit_is_not_of_what_is_saved(cls, changes, tmp_path):
    X, y = load_iris(return_X_y=True)
    data = (networkx.karate_club_graph(),) if cls in (VGAE, GAE) else (X, y)
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
    fitted = cls(**options, **({"method": "m2"} if cls is VAEClassifier else {})).fit(*data)
    told = fitted.predict_proba if cls is VAEClassifier else fitted.transform
    before = told(data[0])
    fitted.set_params(**changes)
    np.testing.assert_array_equal(told(data[0]), before)
    fitted.save(tmp_path / "a")
    loaded = vaekit.load(tmp_path / "a")
    told = loaded.predict_proba if cls is VAEClassifier else loaded.transform
    np.testing.assert_array_equal(told(data[0]), before)
    assert loaded.get_params()["latent_dim"] == 2
    if cls in (VAE, Autoencoder):
        assert fitted.encoder_(torch.from_numpy(X[:3])).shape == (3, 2)
    loaded.set_params(**changes).save(tmp_path / "b")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()


def test_what_a_classifier_began_with_is_that_of_its_fit(tmp_path):
    X, y = load_iris(return_X_y=True)
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 1, "random_state": 0, "verbose": 0}
    classifier = VAEClassifier(pretrained=VAE(**options).fit(X), random_state=0, verbose=0).fit(X, y)
    classifier.set_params(pretrained=None).save(tmp_path / "a")
    assert json.loads((tmp_path / "a" / "config.json").read_text())["params"]["pretrained"] == {"fitted": True}
    loaded = vaekit.load(tmp_path / "a")
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert isinstance(loaded.pretrained, VAE)


def test_a_device_of_torch_is_saved_by_its_name(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    vae = VAE(2, hidden=(8,), epochs=1, random_state=0, verbose=0, device=torch.device("cpu")).fit(X)
    vae.save(tmp_path / "folder")
    assert json.loads((tmp_path / "folder" / "config.json").read_text())["params"]["device"] == "cpu"
    np.testing.assert_array_equal(vaekit.load(tmp_path / "folder").transform(X), vae.transform(X))


def test_an_autoencoder_too(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 5))
    fitted = Autoencoder(**SMALL).fit(X)
    fitted.save(tmp_path)
    assert np.array_equal(vaekit.load(tmp_path).reconstruct(X), fitted.reconstruct(X))


def test_weights_of_another_model_are_not_loaded(tmp_path):
    """As where saving over a model was cut off between the two files."""
    for seed in range(2):
        VAE(**SMALL | {"random_state": seed}).fit(RNG.normal(size=(40, 3))).save(tmp_path / str(seed))
    (tmp_path / "1" / "model.safetensors").replace(tmp_path / "0" / "model.safetensors")
    with pytest.raises(RunError, match=r"model\.safetensors is damaged, or of another model than config\.json"):
        vaekit.load(tmp_path / "0")


@pytest.mark.parametrize("model", [Autoencoder, PixelCNN, TabularVAE, ConditionalVAE])
def test_what_has_no_meaning_for_a_model_is_none_under_the_name_that_a_vae_has(model):
    X, y = RNG.integers(0, 9, (40, 4, 4), dtype=np.uint8), np.arange(40) % 2
    names = VAE(**SMALL).fit(X).evaluate(X, 3).keys()
    options = {"layers": 1, "channels": 4, "epochs": 1, "verbose": 0} if model is PixelCNN else SMALL
    rows = X.reshape(40, 16)[:, :3] if model is TabularVAE else X
    fitted = model(**options)
    found = fitted.fit(rows, y).evaluate(rows, y) if model is ConditionalVAE else fitted.fit(rows).evaluate(rows)
    assert names <= found.keys() and found["n"] == 40
    assert (found["log_likelihood"] is None) == (found["elbo_se"] is None and model is not PixelCNN)


def test_names_of_columns_survive(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["u", "v"])
    VAE(**SMALL).fit(frame).save(tmp_path)
    loaded = vaekit.load(tmp_path)
    assert list(loaded.sample(3).columns) == ["u", "v"]


def test_own_networks_are_given_again(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 6, 3))
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(18, 7), nn.Tanh())
    decoder = nn.Sequential(nn.Linear(2, 18), nn.Unflatten(1, (1, 6, 3)))
    untouched = {name: t.clone() for name, t in encoder.state_dict().items()}
    fitted = VAE(**SMALL, encoder=encoder, decoder=decoder).fit(X)
    assert all(torch.equal(t, untouched[name]) for name, t in encoder.state_dict().items())
    fitted.save(tmp_path)
    with pytest.raises(OptionError, match=r"was fitted with its own encoder \(Sequential\), of which only the weights"):
        vaekit.load(tmp_path)
    loaded = vaekit.load(tmp_path, encoder=encoder, decoder=decoder)
    assert np.array_equal(loaded.transform(X), fitted.transform(X))
    with pytest.raises(OptionError, match="The networks given do not fit the weights in"):
        vaekit.load(tmp_path, encoder=nn.Sequential(nn.Flatten(), nn.Linear(18, 9)), decoder=decoder)


@pytest.fixture
def saved(tmp_path):
    VAE(**SMALL).fit(np.random.default_rng(0).normal(size=(40, 3))).save(tmp_path / "run")
    return tmp_path / "run"


def test_the_bytes_are_a_function_of_the_fit(saved, tmp_path):
    VAE(**SMALL).fit(np.random.default_rng(0).normal(size=(40, 3))).save(tmp_path / "again")
    assert (saved / "model.safetensors").read_bytes() == (tmp_path / "again" / "model.safetensors").read_bytes()


def refusal(path) -> str:
    with pytest.raises(RunError) as caught:
        vaekit.load(path)
    return str(caught.value)


def test_folders_that_are_no_run(saved, tmp_path):
    assert (
        refusal(tmp_path / "no")
        == f"There is no RUN at {tmp_path / 'no'}; 'vaekit fit DATA -o {tmp_path / 'no'}' makes one."
    )
    assert refusal(tmp_path) == f"{tmp_path} is not a RUN of vaekit: it has no config.json."
    (saved / "config.json").write_text("{")
    assert re.match(rf"{saved}/config.json is damaged: .*", refusal(saved))
    (saved / "config.json").write_text('{"a": 1}')
    assert refusal(saved).startswith(f"{saved}/config.json was not written by vaekit: it lacks one of schema_version")


def test_a_newer_schema(saved):
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**config, "schema_version": 99}))
    assert refusal(saved) == (
        f"{saved}/config.json has schema version 99, but this vaekit {vaekit.__version__} knows versions up to 1; "
        "install a newer vaekit."
    )


def test_damaged_and_missing_weights(saved):
    weights = saved / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", whole[:100], b"\xff" * 200):
        weights.write_bytes(damaged)
        assert refusal(saved).startswith(f"{weights} is damaged and cannot be read")
    weights.unlink()
    assert refusal(saved).startswith(f"{saved} has no trained model yet")


def test_save_does_not_write_over_anything(saved, tmp_path):
    vae = vaekit.load(saved)
    with pytest.raises(RunError, match="is not empty; choose another folder, or pass overwrite=True"):
        vae.save(saved)
    vae.save(saved, overwrite=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file; save needs a folder"):
        vae.save(tmp_path / "file")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def other():
    return VAE(**SMALL | {"random_state": 1}).fit(np.random.default_rng(0).normal(size=(40, 3)))


def test_saving_over_a_model_replaces_it_whole(saved, other, tmp_path):
    before = contents(saved)
    other.save(saved, overwrite=True)
    other.save(tmp_path / "new" / "one")
    assert contents(saved) == contents(tmp_path / "new" / "one") != before
    assert {path.name for path in tmp_path.iterdir()} == {"run", "new"}


def test_a_full_disk_costs_nothing(saved, other, tmp_path):
    before, limits = contents(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "empty").mkdir()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # room for metrics, not for weights
    try:
        for place, overwrite in ((saved, True), (tmp_path / "empty", False), (tmp_path / "new", False)):
            with pytest.raises(WriteError) as caught:
                other.save(place, overwrite=overwrite)
            weights = repr(str(place / "model.safetensors"))
            assert str(caught.value) == f"{weights} cannot be written: the disk is full; nothing was changed."
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path) == before and {path.name for path in tmp_path.iterdir()} == {"run", "empty"}


@pytest.mark.parametrize("moment", ["vaekit.runs.write_config", "pathlib.Path.rename"])
def test_a_save_that_is_cut_off_leaves_the_earlier_model(moment, saved, other, tmp_path, monkeypatch):
    before, rename = contents(tmp_path), Path.rename

    def stop(path, *target):
        if moment.endswith("config") or path.name.endswith(".part"):  # of the new folder
            raise KeyboardInterrupt
        return rename(path, *target)

    monkeypatch.setattr(moment, stop)
    with pytest.raises(KeyboardInterrupt):
        other.save(saved, overwrite=True)
    assert contents(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_kill_between_the_two_models_is_told(saved, other, tmp_path):
    aside = tmp_path / ".run.replaced"
    saved.rename(aside)
    assert refusal(saved) == f"There is no RUN at {saved}; the one that was to be replaced lies in {aside}."
    other.save(saved)
    other.save(saved, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_could_go_on_is_not_saved_over(saved, other, tmp_path, monkeypatch):
    (saved / "model.safetensors").unlink()
    (saved / "checkpoint").mkdir()
    (saved / "checkpoint" / "state.safetensors").write_bytes(b"state")
    before = contents(saved)
    with pytest.raises(RunError) as caught:
        other.save(saved, overwrite=True)
    assert str(caught.value) == f"{saved} is a RUN with a checkpoint to go on from; save to another folder."
    assert contents(saved) == before
    shutil.rmtree(saved / "checkpoint")
    (saved / "report.md").write_text("report")
    saved.rename(tmp_path / ".run.replaced")
    other.save(saved)
    with pytest.raises(RunError) as caught:
        other.save(saved, overwrite=True)
    place = tmp_path / ".run.replaced"
    assert str(caught.value) == f"{place} is a RUN with its report; save to another folder."
    monkeypatch.chdir(saved)
    with pytest.raises(RunError, match=r"^\. is the folder that you are in: go to another one to replace it\.$"):
        other.save(".", overwrite=True)
