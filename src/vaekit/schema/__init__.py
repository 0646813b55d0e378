"""What the data are, known to data, likelihoods and models alike: rows of an array or table, or a graph."""

from vaekit.schema.graph import Graph
from vaekit.schema.rows import ArraySchema, ColumnStats, Container, Dataset
from vaekit.schema.table import DENSE, LEVELLED, Column, TableSchema, Warp

__all__ = [
    "DENSE",
    "LEVELLED",
    "ArraySchema",
    "Column",
    "ColumnStats",
    "Container",
    "Dataset",
    "Graph",
    "TableSchema",
    "Warp",
]
