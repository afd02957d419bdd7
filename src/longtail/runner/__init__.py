"""The project's runners: of this machine, and of a Dask cluster."""

from longtail.runner.dask import DaskRunner as DaskRunner
from longtail.runner.local import GridRunner as GridRunner
