"""What the verbs print: JSON, or a table of facts."""

from __future__ import annotations

import json
import math
import sys
from typing import Any


def print_json(value: Any) -> None:
    """A line of JSON, whose own escapes stand for what standard output cannot encode."""
    line = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(_finite(value), allow_nan=False)
    print(line)


def print_table(title: str, facts: dict[str, Any]) -> None:
    """Facts by name, without those that are None or lists of dictionaries."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # text of the user's is no markup

    table = Table(title=Text(title), show_header=False, title_justify="left")
    for name, value in facts.items():
        if value is not None and not (isinstance(value, list) and value and isinstance(value[0], dict)):
            table.add_row(name, Text(_shown(value)))
    Console().print(table)


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: null stands for them."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:g}"
