"""The command beside a saved classifier, which it describes but does not use."""

import numpy as np
import pytest

from vaekit import VAE, VAEClassifier
from vaekit.cli import main


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    np.save(tmp_path / "rows.npy", X)
    vae = VAE(2, (4,), epochs=1, verbose=0)
    VAEClassifier("features", vae, verbose=0).fit(X, y).save(tmp_path / "classifier")
    return tmp_path


def test_no_verb_takes_it_but_info(folder, capsys):
    run, rows, out = str(folder / "classifier"), str(folder / "rows.npy"), str(folder / "out.npy")
    told = f"vaekit: {run} holds a VAEClassifier, which no verb takes; read it in Python with vaekit.load.\n"
    for words in (["evaluate", run, rows], ["sample", run, "-n", "2", "-o", out], ["score", run, rows, "-o", out]):
        assert main(words) == 2
        assert capsys.readouterr().err == told
    for verb in ("encode", "reconstruct"):
        assert main([verb, run, rows, "-o", out]) == 2
        assert capsys.readouterr().err == told
    assert main(["info", run]) == 0
    assert "VAEClassifier" in capsys.readouterr().out
