"""The data that a RUN was fitted on, found again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vaekit.cli.graphdata import graph_fingerprint
from vaekit.cli.output import sources_of
from vaekit.cli.rowdata import other_labels
from vaekit.cli.split import split_data
from vaekit.data.sources import is_name, read
from vaekit.errors import DataError, RunError
from vaekit.estimators import TabularVAE
from vaekit.runs import read_config
from vaekit.schema import Graph

NAME_THEM = "name the data to score: DATA."


def own_data(run: Path, also: Sequence[str] = (), advice: str = NAME_THEM) -> Any:
    """What a RUN was fitted on, read and split again as it was.

    Args:
        run: the folder.
        also: where else they may be; looked at first.
        advice: ends the message where they are nowhere.

    Raises:
        RunError: they are nowhere, or have changed.
    """
    config = read_config(run)
    record, tabular = config.get("data") or {}, config["model"] == TabularVAE.__name__

    def split(place: str) -> Any:
        return split_data(place, record.get("asked_kind"), record.get("split_seed") or 0, tabular=tabular)

    def what_changed(data: Any, place: str) -> str | None:
        if data.record["fingerprint"] != record.get("fingerprint"):
            return f"{place} has"
        return f"The labels of {place} have" if other_labels(config, data.record.get("labels_fingerprint")) else None

    return _found(run, [*also, *sources_of(run)], split, what_changed, advice)


def own_graph(run: Path) -> Graph:
    """The whole graph that a RUN was fitted on, the edges set aside for scores included."""
    record = read_config(run)["data"]

    def graph(place: str) -> Any:
        return read(place, record.get("asked_kind")).X

    def what_changed(graph: Any, place: str) -> str | None:
        same = isinstance(graph, Graph) and graph_fingerprint(graph) == record.get("fingerprint")
        return None if same else f"{place} has"

    return _found(run, sources_of(run), graph, what_changed, "fit it again.")


def _found(
    run: Path,
    places: list[str],
    read_from: Callable[[str], Any],
    what_changed: Callable[[Any, str], str | None],
    advice: str,
) -> Any:
    """The data from the first of the places that has them as they were."""
    if not places:
        raise RunError(f"{run} does not say which data it was fitted on; {advice}")
    by_path: dict[str, str] = {}
    for place in places:
        by_path.setdefault(os.path.abspath(place), place)
    places = list(by_path.values())
    there = [place for place in places if is_name(place) or os.path.exists(place)]
    if not there:
        where = "neither here nor at " + repr(places[1]) if len(places) > 1 else "not there"
        raise RunError(f"{run} was fitted on {places[0]!r}, which is {where}; {advice}")
    failures: list[DataError | RunError] = []
    for place in there:
        try:
            data = read_from(place)
        except DataError as error:
            failures.append(error)
            continue
        changed = what_changed(data, place)
        if changed is None:
            return data
        failures.append(RunError(f"{changed} changed since {run} was fitted; {advice}"))
    raise failures[-1]
