"""Hooks: checks before a run, versions in use, tracking in MLflow, a summary, and Kedro-Viz."""

from longtail.hooks.mlflow import MlflowHook
from longtail.hooks.preflight import PreflightHook
from longtail.hooks.run_status import RunStatusHook
from longtail.hooks.summary import SummaryHook
from longtail.hooks.version_use import InUseHook, RefusedRunHook

__all__ = [
    "InUseHook",
    "MlflowHook",
    "PreflightHook",
    "RefusedRunHook",
    "RunStatusHook",
    "SummaryHook",
]
