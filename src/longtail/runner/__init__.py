"""The project's runners: of this machine, and of a Dask cluster."""

from longtail.runner.dask import DaskRunner
from longtail.runner.local import GridRunner

__all__ = ["DaskRunner", "GridRunner"]
