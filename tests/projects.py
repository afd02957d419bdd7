"""A project of a test's own: with its own configuration, and so with its own locks."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from longtail.cli import cli

PROJECT = Path(__file__).parents[1]


def copy_project(folder: Path) -> Path:
    """The configuration and the settings of this project; the code is what is imported already."""
    shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("lock.yml"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    (folder / "src").mkdir()
    return folder


def kedro(project: Path, *arguments: str) -> Result:
    """A command in this process, which must not end with a traceback."""
    bootstrap_project(project)
    with contextlib.chdir(project):
        result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert "Traceback" not in result.output
    return result
