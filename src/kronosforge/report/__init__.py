"""What a stage leaves for people to read."""

from kronosforge.report.charts import SeriesChart, aggregate
from kronosforge.report.page import write_report

__all__ = ["SeriesChart", "aggregate", "write_report"]
