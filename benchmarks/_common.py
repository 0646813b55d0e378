"""What the scripts in benchmarks/ and reproduce/ share: the record of a run, and timing side by side."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "numpy", "scikit-learn", "vaekit")
_CALL = ("command", "date", "versions", "machine", "peer_versions")  # what a record says of the call that wrote it
_STARTED = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def parser(doc: str | None, script: str) -> argparse.ArgumentParser:
    """A parser with the options that every script has.

    The default output is results/NAME.json beside the script, of a quick run NAME_quick.json.
    """
    path = Path(script)
    output = path.parent / "results" / f"{path.stem}.json"

    class Quick(argparse.Action):
        """Sets `quick`, and an output of its own where none was named."""

        def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
            namespace.quick = True
            if namespace.output == output:
                namespace.output = output.with_stem(f"{path.stem}_quick")

    out = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--output", type=Path, default=output, help="JSON to write")
    out.add_argument(
        "--quick",
        action=Quick,
        nargs=0,
        default=False,
        help="a small budget, into NAME_quick.json: shows that the script works, nothing else",
    )
    return out


def record(script: str, args: argparse.Namespace, **content: Any) -> dict[str, Any]:
    """`content` with what a reader needs to judge and repeat it: date, command, versions, machine."""
    import torch

    path = Path(script)
    options = {name: value for name, value in vars(args).items() if name != "output"}
    return {
        "script": f"{path.parent.name}/{path.name}",
        "command": " ".join(["python", f"{path.parent.name}/{path.name}", *_shown(sys.argv[1:])]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.pop("quick"),
        "options": {name: Path(value).name if isinstance(value, Path) else value for name, value in options.items()},
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "vectors": torch.backends.cpu.get_cpu_capability(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "cpu_count": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        **content,
    }


def write(path: Path, content: Any) -> None:
    """Write JSON in one step: the file is there whole or not at all.

    Where it holds runs of earlier calls of the script, `earlier` lists what these were.
    """
    if path.exists() and "runs" in content:
        old = json.loads(path.read_text())
        if any(run in content["runs"] for run in old.get("runs", [])):
            past = [{name: old[name] for name in _CALL if old.get(name)}] if old["date"] < _STARTED else []
            content = {**content, "earlier": old.get("earlier", []) + past}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(part, path)


def previous_runs(path: Path) -> list[dict[str, Any]]:
    """The runs in a record that is there already, so that a long script goes on where it was stopped."""
    return json.loads(path.read_text())["runs"] if path.exists() else []


def interleave(works: dict[str, Callable[[], object]], rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Seconds of each work in each round: A B C A B C ..., so that what slows the machine slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(warm + rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def compare(seconds: dict[str, list[float]], bases: Sequence[str], per: int, unit: str = "step") -> dict[str, Any]:
    """Milliseconds per unit of work (median and least), and ratios to each base.

    Args:
        seconds: by name, one value a round, round by round beside each other.
        bases: names to divide by, those that were measured.
        per: units of work in one round.
        unit: its name.

    Returns:
        By name; `median` of a ratio is the median over the rounds of the ratio within a round, `least` the ratio of
        the least times.
    """
    table: dict[str, Any] = {}
    for name, values in seconds.items():
        row: dict[str, Any] = {
            f"ms_per_{unit}_median": round(statistics.median(values) / per * 1e3, 4),
            f"ms_per_{unit}_least": round(min(values) / per * 1e3, 4),
        }
        for base in bases:
            if base in seconds and base != name:
                pairs = zip(values, seconds[base], strict=True)
                row[f"ratio_to_{base}"] = {
                    "median": round(statistics.median(a / b for a, b in pairs), 3),
                    "least": round(min(values) / min(seconds[base]), 3),
                }
        table[name] = row
    return table


def show(title: str, table: dict[str, dict[str, Any]]) -> None:
    """Print a table of `compare`, a line a row."""
    print(title)
    for name, row in table.items():
        cells = []
        for key, value in row.items():
            if isinstance(value, dict):
                cells.append(f"{key.removeprefix('ratio_')} x{value['median']:.2f} ({value['least']:.2f})")
            else:
                cells.append(f"{value:.3f} {key.removeprefix('ms_per_').replace('_', ' ')}")
        print(f"  {name:10s} " + "  ".join(cells), flush=True)


def _shown(arguments: list[str]) -> list[str]:
    """The command line without folders of this machine."""
    return [Path(word).name if word.startswith("/") else word for word in arguments]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
