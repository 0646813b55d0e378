"""The examples in the pages and in README run: the blocks in order, in one namespace, in a temporary directory."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = DOCS.parent / "README.md"
PAGES = {page.stem: page for page in [README, *sorted(DOCS.glob("*.md"))] if BLOCK.search(page.read_text("utf-8"))}


def test_the_pages_have_examples() -> None:
    assert {"README", "index", "autoencoder", "vae", "own_networks", "data"} <= PAGES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VAEKIT_DATA", raising=False)
    text = PAGES[page].read_text(encoding="utf-8")
    if page == "README":  # where nothing hangs on how well a model is trained
        text = re.sub(r"epochs=\d+", "epochs=1", text)
    namespace: dict[str, object] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in BLOCK.finditer(text):
            before = text.count("\n", 0, block.start(1))  # so that a traceback shows the line of the page
            exec(compile("\n" * before + block[1], str(PAGES[page]), "exec"), namespace)
