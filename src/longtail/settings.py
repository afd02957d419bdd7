"""Kedro's settings of the project."""

from __future__ import annotations

import sys
from multiprocessing import parent_process
from pathlib import Path

from longtail.interruption import end_at_once

if Path(sys.argv[0]).name in ("kedro", "__main__.py") and parent_process() is None:
    end_at_once()  # before the imports below, which take seconds; Kedro reads this file first

import gc
import os

import yaml
from kedro.framework.project import LOGGING
from kedro.utils import find_config_file

from longtail import CONFIGURATION, PACKAGE_FOLDER
from longtail.catalog import LongtailCatalog
from longtail.config import GridConfigLoader
from longtail.context import GridContext, LongtailSession
from longtail.hooks import (
    InUseHook,
    MlflowHook,
    PreflightHook,
    RefusedRunHook,
    RunStatusHook,
    SummaryHook,
)
from longtail.project import find_root, is_kedro_project

# Trials, nodes and datasets stay until a run ends. By default Python would look at all of them for
# garbage each time that 700 objects have been made, for a fifth of the time that a run needs to
# start.
gc.set_threshold(100_000, 100)

# Hooks that are not `tryfirst` are called in reverse order: the versions in use are recorded before
# MLflow is called, which may take seconds.
_in_use = InUseHook()
HOOKS = (
    *(PreflightHook(), MlflowHook(), _in_use, RefusedRunHook(_in_use)),
    SummaryHook(),
    RunStatusHook(),
)
# The hook of Kedro-Viz follows the SequentialRunner only, and warns at any other runner.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-viz",)

CONTEXT_CLASS = GridContext
SESSION_CLASS = LongtailSession
CONFIG_LOADER_CLASS = GridConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"package": lambda: str(PACKAGE_FOLDER)},
}
DATA_CATALOG_CLASS = LongtailCatalog

# In a folder that belongs to no project and has no `conf`, the package's own is used.
_root = find_root(Path.cwd())
_configuration = _root / "conf"
if not is_kedro_project(_root) and not _configuration.is_dir():
    _configuration = CONFIGURATION
    CONF_SOURCE = str(CONFIGURATION)

# Kedro looks for this file in the current folder only, which may be one below the project's.
_logging = _configuration / "logging.yml"
if (
    not os.environ.get("KEDRO_LOGGING_CONFIG")
    and find_config_file("conf/logging") is None
    and _logging.is_file()
):
    LOGGING.configure(yaml.safe_load(_logging.read_text(encoding="utf-8")))
