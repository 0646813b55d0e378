"""Reading data: files and named data sets, each as a `vaekit.schema.Dataset`; and a graph's edges set aside.

Importing this package loads neither torch nor a DataFrame library: each name is fetched on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaekit.data.datasets import dataset_names, load_dataset
    from vaekit.data.edges import EdgeSplit, split_edges
    from vaekit.data.factors import FactorImages, factor_images
    from vaekit.data.graphs import write_graph
    from vaekit.data.sources import read

__all__ = [
    "EdgeSplit",
    "FactorImages",
    "dataset_names",
    "factor_images",
    "load_dataset",
    "read",
    "split_edges",
    "write_graph",
]

_HOMES = {
    "EdgeSplit": "edges",
    "FactorImages": "factors",
    "dataset_names": "datasets",
    "factor_images": "factors",
    "load_dataset": "datasets",
    "read": "sources",
    "split_edges": "edges",
    "write_graph": "graphs",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
