"""Hooks: checks before a run, versions in use, tracking in MLflow, a summary, and Kedro-Viz."""

from longtail.hooks.mlflow import MlflowHook as MlflowHook
from longtail.hooks.preflight import PreflightHook as PreflightHook
from longtail.hooks.run_status import RunStatusHook as RunStatusHook
from longtail.hooks.summary import SummaryHook as SummaryHook
from longtail.hooks.version_use import InUseHook as InUseHook, RefusedRunHook as RefusedRunHook
