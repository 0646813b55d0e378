"""Two fits at once: one of them begins the RUN, the other stops, and nothing is lost."""

from pathlib import Path

import numpy as np
import pytest

from vaekit.cli import fitting, main

QUICK = ["--set", "hidden=[16]", "--set", "latent_dim=2", "--epochs", "2"]


@pytest.mark.parametrize("seen", [True, False])
def test_of_two_fits_with_one_place_the_second_stops(
    seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)))
    run, split = tmp_path / "RUN", fitting.split_data
    fit = ["fit", str(tmp_path / "x.npy"), "-o", str(run), *QUICK]
    before = {}

    def late(*arguments: object, **options: object) -> object:
        """Read the data, while another fit begins and ends."""
        monkeypatch.undo()
        data = split(*arguments, **options)  # pyright: ignore[reportArgumentType]
        assert main([*fit, "--seed", "5"]) == 0
        before.update({path: path.read_bytes() for path in run.rglob("*") if path.is_file()})
        if not seen:  # as where the other begins after the last look
            monkeypatch.setattr(fitting, "_check_place", lambda *_, **__: None)
        capsys.readouterr()
        return data

    monkeypatch.setattr(fitting, "split_data", late)
    assert main(fit) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"vaekit: {run} exists: give --resume to go on with it, --overwrite to replace it, or another -o."
    )
    assert before and before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
