"""Kedro's settings of the project."""

from __future__ import annotations

from pathlib import Path

from kedro.utils import find_kedro_project

from longtail import CONFIGURATION, PACKAGE_FOLDER
from longtail.catalog import LongtailCatalog
from longtail.config import GridConfigLoader
from longtail.context import GridContext
from longtail.hooks import (
    InUseHook,
    LoadVersionsHook,
    MlflowHook,
    PreflightHook,
    SummaryHook,
)

# Hooks that are not `tryfirst` are called in reverse order: the versions in use are recorded before
# MLflow is called, which may take seconds.
HOOKS = (PreflightHook(), LoadVersionsHook(), MlflowHook(), InUseHook(), SummaryHook())
# The hook of Kedro-Viz records times of the SequentialRunner only, and warns at any other runner.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-viz",)

CONTEXT_CLASS = GridContext
CONFIG_LOADER_CLASS = GridConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"package": lambda: str(PACKAGE_FOLDER)},
}
DATA_CATALOG_CLASS = LongtailCatalog

# In a folder that belongs to no project and has no `conf`, the package's own is used.
if find_kedro_project(Path.cwd()) is None and not Path("conf").is_dir():
    CONF_SOURCE = str(CONFIGURATION)
