"""What every test can rely on: one thread a worker, seeded generators, and the real data where they are."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ

# Set before numpy and torch are imported, and handed on to the commands that tests start.
os.environ.setdefault("MPLBACKEND", "Agg")
if os.environ.get("VAEKIT_TEST_GPU") != "1":  # the tests are of the processor, but for test_devices.py
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
if IN_WORKER:
    os.environ["OMP_NUM_THREADS"] = "1"

# Asserts in the laws say what they compared, as those in test files do.
pytest.register_assert_rewrite("commands", "contracts")


@pytest.fixture(scope="session", autouse=True)
def one_thread_per_worker() -> None:
    """Side by side, workers would fight for cores; a run of pytest alone keeps torch's own choice."""
    if IN_WORKER:
        import torch

        torch.set_num_threads(1)


def global_generators() -> dict[str, object]:
    """The states of the generators that belong to the caller: random's, numpy's and torch's."""
    states: dict[str, object] = {"random": random.getstate()}
    if "numpy" in sys.modules:
        import numpy as np

        name, keys, *rest = np.random.get_state()
        states["numpy"] = (name, keys.tobytes(), *rest)
    if "torch" in sys.modules:
        import torch

        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Each test starts from the same global generators, whichever tests ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(0)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(0)


@pytest.fixture
def generators_untouched() -> Iterator[None]:
    """Fail the test if the global generators do not end as they began: vaekit leaves them to its caller.

    For a test that does not draw from them itself: `@pytest.mark.usefixtures("generators_untouched")`.
    """
    import numpy as np  # noqa: F401
    import torch  # noqa: F401

    before = global_generators()
    yield
    after = global_generators()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"the test changed the global generator of {' and '.join(changed)}"


@pytest.fixture(scope="session")
def vaekit_data() -> Callable[[str], Path]:
    """Find the folder of a data set by its name, or skip the test and say what is missing."""

    def folder(name: str) -> Path:
        root = os.environ.get("VAEKIT_DATA")
        if not root:
            pytest.skip(f"needs the data set {name!r}: set VAEKIT_DATA to a folder that holds {name}/")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"needs the data set {name!r}: {path} is missing")
        return path

    return folder


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fits whose weights, or what they say, are looked at: `vaekit fit` ends without scores, pictures and report."""
    monkeypatch.setattr("vaekit.cli.fitting.finish_run", lambda *_: None)
