"""Copies of the project, whose configuration and locks a test may change."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from longtail.cli import cli
from tests.sketches import sketched

PROJECT = Path(__file__).parents[1]


def copy_project(folder: Path) -> Path:
    """Copy the configuration and the settings; the code is the installed package."""
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("lock.yml"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    (folder / "src").mkdir()
    return folder


def kedro(project: Path, *arguments: str) -> Result:
    """Run a command in this process, without drawing; fail if it raises an error."""
    bootstrap_project(project)
    with contextlib.chdir(project), sketched():
        result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert "Traceback" not in result.output
    return result
