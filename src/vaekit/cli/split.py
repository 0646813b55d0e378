"""DATA read and its test part set aside, whatever kind they are of."""

from __future__ import annotations

from vaekit.cli.graphdata import GraphData
from vaekit.cli.rowdata import RowData
from vaekit.data.largetables import is_large, read_large
from vaekit.data.sources import read
from vaekit.schema import Dataset

SplitData = RowData | GraphData


def read_data(source: str, kind: str | None, *, tabular: bool | None) -> Dataset:
    """Read DATA, a table too large for memory as a polars LazyFrame.

    Args:
        source: as of `vaekit.data.read`.
        kind: as of `vaekit.data.read`.
        tabular: whether the model is one of tables; None where the data are to decide.
    """
    if tabular is not False and kind in (None, "table") and is_large(source):
        data = read_large(source, "table" if tabular else kind)
        if data is not None:
            return data
    return read(source, kind)


def split_data(source: str, kind: str | None, seed: int, *, tabular: bool | None = None) -> SplitData:
    """Read DATA and set its test part aside by the seed; `tabular` is as of `read_data`."""
    data = read_data(source, kind, tabular=tabular)
    return (GraphData if data.kind == "graph" else RowData).of(data, source, kind, seed)
