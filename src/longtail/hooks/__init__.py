"""What happens beside the nodes: checks before a run, tracking in MLflow, and a last word."""

from longtail.hooks.load_versions import LoadVersionsHook
from longtail.hooks.mlflow import MlflowHook
from longtail.hooks.preflight import PreflightHook
from longtail.hooks.summary import SummaryHook

__all__ = ["LoadVersionsHook", "MlflowHook", "PreflightHook", "SummaryHook"]
