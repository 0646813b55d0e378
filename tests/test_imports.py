"""The house keeps its shape: imports point up, files stay small, and nothing in them runs code from data."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FILES = sorted((SRC / "vaekit").rglob("*.py"))
INNER_FILES = [path for path in FILES if path != SRC / "vaekit" / "__init__.py"]  # that one is the lazy face of all

# A file imports only from its own layer and from those before it.
LAYERS = [
    "errors",
    "schema",
    "randomness",
    "files",
    "distributions",
    "nn",
    "likelihoods",
    "priors",
    "pairs",
    "models",
    "objectives",
    "data",
    "training",
    "runs",
    "evaluation",
    "estimators",
    "plots",
    "report",
    "cli",
]
FACE = "estimators"  # `from vaekit import VAE` reaches down to this layer

A_RUN = SRC.parent / "reproduce/runs/mlp_vae"
HEAVY = ["torch", "matplotlib", "sklearn", "scipy", "pandas", "polars", "networkx", "PIL"]
RUNS_CODE = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
MOST_LINES = 400


def name_of(path: Path) -> str:
    """The path as it stands in messages."""
    return str(path.relative_to(SRC))


def module_of(path: Path) -> str:
    """The dotted name of a file: src/vaekit/nn/mlp.py is vaekit.nn.mlp."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(path: Path, up: int) -> str:
    """What a relative import with `up` dots starts from."""
    parts = path.relative_to(SRC).parent.parts
    return ".".join(parts[: len(parts) - up + 1])


def imported(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module of vaekit that a file imports, wherever in the file, with the line."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name != "vaekit"]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vaekit":
            names = [f"vaekit.{node.attr}"]  # what `import vaekit` is used for
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(part for part in (package_of(path, node.level), base) if part)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                names = [str(node.args[0].value)]
        for name in names:
            if name.split(".")[0] == "vaekit":
                yield node.lineno, name


def layer_of(module: str) -> str | None:
    """The layer that a dotted name belongs to; None for what stands outside them."""
    parts = module.split(".")
    if len(parts) == 1:
        return FACE
    if parts[1] in LAYERS:
        return parts[1]
    if parts[1] == "__version__":
        return None
    return FACE if parts[1][0].isupper() or parts[1] == "load" else parts[1]


def faults_of_imports(path: Path, source: str) -> list[str]:
    """Say, of each import that points down, where it stands."""
    own = layer_of(module_of(path))
    if own not in LAYERS:
        return [f"{name_of(path)}: {own!r} is no layer; name it in LAYERS, where it belongs"]
    faults = []
    for line, module in imported(path, ast.parse(source)):
        layer = layer_of(module)
        if layer is None:
            continue
        where = f"{name_of(path)}:{line}"
        if layer not in LAYERS:
            faults.append(f"{where} imports {module}, which is in no layer")
        elif LAYERS.index(layer) > LAYERS.index(own):
            faults.append(f"{where} imports {module}: {layer} stands below {own}")
    return faults


@pytest.mark.parametrize("path", INNER_FILES, ids=name_of)
def test_imports_point_up(path: Path) -> None:
    assert not faults_of_imports(path, path.read_text())


@pytest.mark.parametrize(
    ("file", "source", "faults"),
    [
        ("models/vae.py", "from vaekit.nn.mlp import MLP", 0),
        ("models/vae.py", "from ..nn.mlp import MLP\nfrom .base import Model\nfrom . import base", 0),
        ("models/vae.py", "from vaekit.training import loop", 1),
        ("models/vae.py", "def f():\n    from ..training.loop import fit", 1),
        ("models/vae.py", "from .. import training", 1),
        ("models/vae.py", "import vaekit.training.loop", 1),
        ("models/vae.py", "from vaekit import VAE", 1),
        ("models/vae.py", "import importlib\nimportlib.import_module('vaekit.cli')", 1),
        ("models/vae.py", "from vaekit import __version__", 0),
        ("models/vae.py", "import vaekit\nversion = vaekit.__version__", 0),
        ("models/vae.py", "import vaekit\nvaekit.VAE()", 1),
        ("models/__init__.py", "from .vae import VAE\nfrom ..nn import MLP", 0),
        ("cli/fit.py", "from vaekit import VAE, load", 0),
        ("helpers.py", "import math", 1),
        ("models/vae.py", "from vaekit.helpers import f", 1),
    ],
)
def test_the_check_finds_what_points_down(file: str, source: str, faults: int) -> None:
    assert len(faults_of_imports(SRC / "vaekit" / file, source)) == faults


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_one_idea(path: Path) -> None:
    source = path.read_text()
    lines = len(source.splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: what second idea does it hold?"
    assert ast.get_docstring(ast.parse(source)), "its first line says what it is"


def faults_of_safety(source: str) -> list[str]:
    """Say where a file could run code that came with data, or hide an error that it did not expect."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        found = None
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if RUNS_CODE & {part for name in names for part in name.split(".")}:
                found = "imports what reads code from files"
        elif isinstance(node, ast.Call):
            options = {option.arg: option.value for option in node.keywords}
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                found = f"calls {node.func.id}"
            elif isinstance(node.func, ast.Attribute) and "pickle" in node.func.attr:
                found = f"calls {node.func.attr}"
            elif "allow_pickle" in options and ast.unparse(options["allow_pickle"]) != "False":
                found = "allows pickles"
            elif ast.unparse(node.func) in ("torch.load", "torch.save"):
                found = f"calls {ast.unparse(node.func)}; tensors on disk are safetensors"
        elif isinstance(node, ast.ExceptHandler):
            caught = {None if node.type is None else ast.unparse(node.type)}
            if isinstance(node.type, ast.Tuple):
                caught = {ast.unparse(kind) for kind in node.type.elts}
            tidies_up = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if None in caught or "Exception" in caught or ("BaseException" in caught and not tidies_up):
                found = "catches every exception"
        if found:
            faults.append(f"line {node.lineno} {found}")
    return faults


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_code_from_data_and_no_hidden_errors(path: Path) -> None:
    assert not faults_of_safety(path.read_text())


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("model.eval()", 0),
        ("eval('1')", 1),
        ("import pickle", 1),
        ("from numpy.lib import pickle", 1),
        ("np.load(path, allow_pickle=False)", 0),
        ("np.load(path, allow_pickle=True)", 1),
        ("pd.read_pickle(path)", 1),
        ("torch.load(path)", 1),
        ("try: f()\nexcept: pass", 1),
        ("try: f()\nexcept Exception: pass", 1),
        ("try: f()\nexcept (OSError, Exception): pass", 1),
        ("try: f()\nexcept OSError: pass", 0),
        ("try: f()\nexcept BaseException:\n    tidy()\n    raise", 0),
        ("try: f()\nexcept BaseException:\n    tidy()", 1),
    ],
)
def test_the_check_finds_what_is_unsafe(source: str, faults: int) -> None:
    assert len(faults_of_safety(source)) == faults


@pytest.mark.parametrize(
    "statement",
    [
        "import vaekit",
        "import vaekit.cli",
        "from vaekit.cli import main; main(['data', '--json'])",
        f"from vaekit.cli import main; main(['info', {str(A_RUN)!r}, '--json'])",
    ],
)
def test_light_work_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys\n{statement}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_verb_that_draws_nothing_loads_no_pictures(tmp_path: Path) -> None:
    verb = ["sample", str(A_RUN), "-n", "2", "-o", str(tmp_path / "x.npy")]
    code = f"import sys\nfrom vaekit.cli import main\nassert main({verb!r}) == 0\n"
    code += "print([name for name in ('matplotlib', 'vaekit.plots', 'vaekit.report') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
