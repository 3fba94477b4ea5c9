"""What a stage leaves for people to read."""

from kronosforge.report.charts import SeriesChart, aggregate
from kronosforge.report.dataset import write_report
from kronosforge.report.models import address, write_fleet_page, write_model_report

__all__ = ["SeriesChart", "address", "aggregate", "write_fleet_page", "write_model_report", "write_report"]
