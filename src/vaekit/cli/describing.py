"""The verbs that say what there is, without a model: `info` and `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaekit.cli.printing import print_json, print_table
from vaekit.runs import REPORT, WEIGHTS, read_config, read_metrics


def describe_run(run: Path, *, as_json: bool) -> None:
    """Say what a RUN is; see `vaekit info --help`."""
    config, history = read_config(run), read_metrics(run)
    state = "finished" if (run / REPORT).exists() else "trained"
    state = state if (run / WEIGHTS).exists() else "not finished"
    facts = {
        "model": config["model"],
        "state": state,
        "epochs": len(history),
        "best_epoch": (config.get("fitted") or {}).get("best_epoch"),
        "data": config.get("data"),
        "fitted": config.get("fitted"),
        "params": config["params"],
        "vaekit": config["vaekit"],
        "versions": config["versions"],
        "schema_version": config["schema_version"],
    }
    if as_json:
        print_json(facts)
        return
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": _brief(v) for inner, v in value.items()}
        else:
            flat[name] = value
    print_table(str(run), flat)


def describe_data(name: str | None, *, as_json: bool) -> None:
    """List data sets or describe one; see `vaekit data --help`."""
    from vaekit.data.datasets import dataset_info, dataset_names  # `info` does without

    names = dataset_names() if name is None else (name,)
    facts = []
    for known in names:
        info = dataset_info(known)
        facts.append(
            {
                "name": info.name,
                "what": info.what,
                "size": info.size,
                "kind": info.kind,
                "licence": info.licence,
                "available": info.available(),
            }
        )
    if as_json:
        print_json({"data_sets": facts} if name is None else facts[0])
    elif name is not None:
        print_table(name, {k: v for k, v in facts[0].items() if k != "name"})
    else:
        print_table("data sets", {f["name"]: f"{f['what']} ({f['size']})" for f in facts})


def _brief(value: Any) -> Any:
    """A table's schema in a line; anything else as it is."""
    columns = value.get("columns") if isinstance(value, dict) else None
    if not columns or not isinstance(columns[0], dict):
        return value
    return ", ".join(f"{column['name']} ({column['kind']})" for column in columns)
