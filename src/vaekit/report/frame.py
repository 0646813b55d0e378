"""What the reports of all models share: the order of the parts, and those that ask nothing of the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.errors import count
from vaekit.files import write_text
from vaekit.report.markdown import bullets, cell, code, duration, line, table
from vaekit.runs import METRICS, PLOTS, REPORT, WEIGHTS


def write_parts(
    folder: str | Path,
    *,
    title: str,
    config: dict[str, Any],
    scores: Sequence[str],
    pictures: Sequence[tuple[str, str]],
    training: str,
    data: str,
    use: tuple[Sequence[str], Sequence[str]],
) -> None:
    """Write report.md, whole.

    Args:
        folder: the RUN.
        title: of the report.
        config: the RUN's, with what is known of the data under "data".
        scores: what stands before all else.
        pictures: file name under plots/ and caption of each, in order.
        training, data: text of those parts.
        use: lines of Python and of the shell.

    Raises:
        WriteError: the folder is missing or cannot be written.
    """
    shown = [f"![{Path(name).stem}]({PLOTS}/{name})\n\n*{line(caption)}*" for name, caption in pictures]
    parts = [
        f"# {line(title)}",
        *scores,
        *(["## Pictures", *shown] if shown else []),
        "## Training",
        training,
        "## Data",
        data,
        "## Parameters",
        _parameters(config),
        "## Use",
        f"The weights are in `{WEIGHTS}`.",
        code("python", use[0]),
        code("sh", use[1]),
    ]
    write_text(Path(folder) / REPORT, "\n\n".join(parts) + "\n")


def training_part(
    config: dict[str, Any], history: Sequence[dict[str, Any]], *, held: str, chosen: str, unchosen: str
) -> str:
    """How long training took and which weights were kept.

    Args:
        config: the RUN's.
        history: a record for each epoch.
        held: what the score is called by which the epoch was chosen.
        chosen, unchosen: what more there is to say where there is such a score, and where there is none.
    """
    if not history:
        return "No epoch was completed."
    best = (config.get("fitted") or {}).get("best_epoch") or 0
    seconds = sum(record.get("seconds") or 0.0 for record in history)
    lines = [
        f"{count(len(history), 'epoch')} of at most {config['params']['epochs']:,}, in {duration(seconds)}; the "
        f"objective of each stands in `{METRICS}`."
    ]
    kept = [record for record in history if record["epoch"] == best]
    if kept:
        record = kept[-1]
        value = record.get("validation")
        score = "" if value is None else f", {held} {value:.6g}"
        lines.append(f"Kept: the weights of epoch {best} (training objective {record['train']:.6g}{score}).")
        lines.append(unchosen if value is None else chosen)
    return bullets(lines)


def source_line(data: dict[str, Any]) -> str:
    """Where the data came from, and what was noted when they were read."""
    source = f"Source: {line(data['source'])} ({data['kind']})"
    return source + (f"; {line(data['note']).rstrip('.')}." if data.get("note") else ".")


def _parameters(config: dict[str, Any]) -> str:
    rows = [(f"`{name}`", f"`{cell(json.dumps(value))}`") for name, value in config["params"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    return f"{table(('parameter', 'value'), rows)}\n\nVersions: vaekit {config['vaekit']}, {versions}."
