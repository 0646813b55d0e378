"""The report of a RUN: numbers, what they mean, pictures and how it came about, as Markdown."""

from vaekit.report.graphs import write_graph_report
from vaekit.report.markdown import plus_minus
from vaekit.report.rows import write_report
from vaekit.report.tables import write_table_report

__all__ = ["plus_minus", "write_graph_report", "write_report", "write_table_report"]
