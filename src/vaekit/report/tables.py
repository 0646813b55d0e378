"""The report on a model of a table."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaekit.errors import count
from vaekit.report.frame import write_parts
from vaekit.report.markdown import bullets, line, table
from vaekit.report.rows import data_part, likelihood_part, networks, row_training_part
from vaekit.schema import DENSE, Column, TableSchema

_LEVELS = 4  # that are named
_UNITS = (
    "Numbers and times have a density per unit of their column, counts and levels a probability: log p(x) changes with "
    "the units (and may be positive), the gain does not. Bits per dimension have no meaning here."
)


def write_table_report(
    folder: str | Path,
    *,
    title: str,
    config: dict[str, Any],
    summary: dict[str, Any],
    pictures: Sequence[tuple[str, str]],
) -> None:
    """Write report.md, whole, into a RUN.

    Args:
        folder: the RUN; its metrics.jsonl is read for the facts of training.
        title: of the report.
        config: the RUN's, with what is known of the data under "data".
        summary: what `evaluate` of the estimator and `summarise_table` gave.
        pictures: file name under plots/ and caption of each, in order.

    Raises:
        WriteError: the folder is missing or cannot be written.
    """
    schema = TableSchema.from_json(config["fitted"]["schema"])
    dense = any(column.kind in DENSE for column in schema.modelled)
    density, units = ("probability density", _UNITS) if dense else ("probability", None)
    write_parts(
        folder,
        title=title,
        config=config,
        scores=[
            _opening(config, summary, schema),
            *likelihood_part(config, summary, density, units, "column"),
            "A missing cell is not scored: log p(x) is that of the observed cells of a row.",
            *_filling(summary),
            *_samples(summary),
            *_columns(config, summary, schema),
        ],
        pictures=pictures,
        training=row_training_part(folder, config),
        data=data_part(config),
        use=_use(folder, config, schema),
    )


def _opening(config: dict[str, Any], summary: dict[str, Any], schema: TableSchema) -> str:
    data, all_columns, modelled = config["data"], len(schema.all_columns), len(schema.modelled)
    which = "" if modelled == all_columns else f" ({modelled:,} of them modelled)"
    return (
        f"A variational autoencoder of mixed columns ({networks(config['params'])}) of {line(data['source'])}: trained "
        f"on {count(data['n_train'], 'row')} of {count(all_columns, 'column')}{which}, scored on "
        f"{count(summary['n'], 'row')} that neither training nor the choice of the weights has seen."
    )


def _filling(summary: dict[str, Any]) -> list[str]:
    """How well hidden cells of test rows were filled."""
    scored = [each for each in summary["columns"] if each.get("cells")]
    if not scored:
        return []
    head = ("column", "cells", "this model", "nearest neighbours", "mean or mode")
    rows = []
    for each in scored:
        levels = each["kind"] in ("binary", "categorical")
        values = [each[key] for key in ("model", "neighbours", "simple")]
        shown = [f"{value:.0%}" if levels else f"{value:.2f}" for value in values]
        best = min(values)
        shown = [f"**{text}**" if value == best else text for text, value in zip(shown, values, strict=True)]
        rows.append((line(each["name"]), f"{each['cells']:,}", *shown))
    said, lost = [], False
    for name, what, form in (
        ("rmse", "numbers to within {} of their standard deviation", "{:.2f}"),
        ("error_rate", "{} of levels wrong", "{:.0%}"),
    ):
        values = [summary[f"imputation_{name}{end}"] for end in ("", "_neighbours", "_simple")]
        if values[0] is not None:
            own, near, simple = (form.format(value) for value in values)
            said.append(f"{what.format(own)} (nearest neighbours {near}, mean or mode {simple})")
            lost = lost or values[0] >= min(values[1:])
    warning = " **A simpler method fills at least as well here.**" if lost else ""
    cells = count(sum(each["cells"] for each in scored), "cell")
    return [
        "## Filling missing cells",
        f"**Of {cells} of test rows, hidden and filled: {', '.join(said)}.**{warning}",
        table(head, rows),
        bullets(
            [
                "A twentieth of the observed cells is hidden at a time. Of numbers and times the root mean square "
                "error over the standard deviation of the training rows, of yes or no and categories the share of "
                "wrong cells; lower is better, the lowest is bold.",
                "The mean is that of the training rows, the mode their most frequent level; the nearest neighbours are "
                "scikit-learn's KNNImputer on standardised numbers and a column of 0 and 1 for each level.",
            ]
        ),
    ]


def _samples(summary: dict[str, Any]) -> list[str]:
    """How samples compare with real rows."""
    lines = []
    if summary["association_mean"] is not None:
        gap, mean = summary["association_difference"], summary["association_mean"]
        lines.append(
            f"Pairs of columns hang together by {mean:.2f} on average in training rows, on a scale from 0 to 1, and in "
            f"samples by {gap:.2f} more or less than that, pair by pair. Samples without any connection would be "
            f"{mean:.2f} off."
        )
    if summary["neighbour_distance"] is not None:
        near, held = summary["neighbour_distance"], summary["neighbour_distance_held_out"]
        said = (
            f"The distance to the nearest training row is {near:.3f} for the median sample and {held:.3f} for the "
            f"median held-out row; {summary['too_near']:.1%} of samples are nearer than 95% of the held-out rows, "
            f"where chance gives 5%, and of so many rows seldom more than {summary['too_near_by_chance']:.1%}"
        )
        if summary["too_near"] > summary["too_near_by_chance"]:
            said += ": **more than chance, so the model may repeat rows that it was trained on**."
        else:
            said += ": **no sign that rows are copied**."
        lines.append(said)
        if summary["copies"]:
            lines.append(
                f"{summary['copies']:.1%} of samples, and {summary['copies_held_out']:.1%} of held-out rows, are equal "
                "to a training row in every observed cell."
            )
    return ["## Samples", bullets(lines)] if lines else []


def _columns(config: dict[str, Any], summary: dict[str, Any], schema: TableSchema) -> list[str]:
    """What each column is, and where cells are missing."""
    missing = {each["name"]: each["missing"] for each in summary["columns"]}
    rows = [
        (
            line(column.name),
            column.kind,
            f"{missing[column.name]:.1%}" if missing[column.name] else "",
            _learned(column),
        )
        for column in schema.all_columns
    ]
    parts = ["## Columns", table(("column", "kind", "missing", "training values"), rows)]
    if not summary["patterns"]:
        return [*parts, "No cell of the modelled columns is missing in training rows."]
    often = "; ".join(
        f"{', '.join(line(name) for name in each['missing'])} in {each['share']:.1%}" for each in summary["patterns"]
    )
    parts.append(
        f"Of the training rows {summary['complete_rows']:.1%} have every cell of the modelled columns. What is missing "
        f"most often, and nothing beside it: {often}. The model takes cells to be missing at random: that one is "
        "missing may depend on the row's other cells, not on its own value."
    )
    return parts


def _learned(column: Column) -> str:
    """The values of a column in a few words."""
    if column.kind == "text":
        return "set aside: free text"
    if column.kind == "identifier":
        return "set aside: as many values as rows"
    if column.kind == "constant":
        return f"always {_value(column, column.levels[0])}" if column.levels else "no value"
    if column.levels:
        order = range(len(column.levels))
        if column.kind != "ordinal":
            order = sorted(order, key=lambda i: -column.shares[i])
        named = [f"{_value(column, column.levels[i])} {column.shares[i]:.0%}" for i in list(order)[:_LEVELS]]
        rest = len(column.levels) - len(named)
        more = f", {count(rest, 'other')}" if rest else ""
        return ", ".join(named) + more + (f" ({column.pool} rare ones as one)" if column.pool else "")
    said = f"{_value(column, column.low)} to {_value(column, column.high)}"
    return f"{said}; {column.zeros:.1%} zeros" if column.zeros and column.low == 0 else said


def _value(column: Column, value: Any) -> str:
    """A value as the table shows it."""
    if column.dtype.startswith("Date") and not isinstance(value, str):
        unit = "D" if column.dtype == "Date" or column.step == 86400 else "s"
        return str(np.datetime64(round(value * 86400), "s").astype(f"datetime64[{unit}]")).replace("T", " ")
    return line(f"{value:.6g}" if isinstance(value, float) else value)


def _use(folder: str | Path, config: dict[str, Any], schema: TableSchema) -> tuple[list[str], list[str]]:
    """Lines of Python and of the shell."""
    run, source = shlex.quote(str(folder)), shlex.quote(str(config["data"]["source"]))
    own = ", prior=prior" if isinstance(config["params"].get("prior"), dict) else ""
    known = next((c for c in schema.modelled if c.levels and isinstance(c.levels[0], str)), None)
    given = "" if known is None else f" --given {shlex.quote(f'{known.name}={known.levels[0]}')}"
    python = [
        "import vaekit",
        "",
        f"model = vaekit.load({str(folder)!r}{own})",
        "full = model.impute(X)                # the table without holes; draws=5 gives five of them",
        "new = model.sample(10)                # rows drawn from the model; given= holds columns fixed",
        "log_px = model.score_samples(X)       # log p(x) in nats: low where a row is unusual",
        "cells = model.cell_scores(X)          # the same of each cell given the others of its row",
        "codes = model.transform(X)            # latent codes, one row each",
    ]
    shell = [
        f"vaekit evaluate {run} --samples 5000",
        f"vaekit impute {run} {source} -o filled.csv",
        f"vaekit sample {run} -n 100 -o samples.csv{given}",
        f"vaekit score {run} {source} -o scores.csv          # --cells: each cell",
        f"vaekit encode {run} {source} -o codes.csv",
    ]
    return python, shell
