"""What the data are, known to data, likelihoods and models alike: rows of an array or table, or a graph."""

from vaekit.schema.graph import Graph
from vaekit.schema.rows import ArraySchema, ColumnStats, Container, Dataset
from vaekit.schema.table import Column, TableSchema, Warp

__all__ = ["ArraySchema", "Column", "ColumnStats", "Container", "Dataset", "Graph", "TableSchema", "Warp"]
