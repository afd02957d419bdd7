"""``python -m longtail`` and ``longtail``: the commands of ``kedro``, also outside a checkout.

In a folder that belongs to no project, the configuration that comes with the package is used, and
``data``, ``mlflow.db`` and ``mlruns`` are written to that folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from longtail import CONFIGURATION
from longtail.interruption import end_at_once
from longtail.project import find_root, is_kedro_project

PACKAGE = "longtail"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command in the project around the current folder, or else in the current folder.

    Args:
        arguments: those of a caller in Python, such as a scheduler, which gets errors as
            exceptions. Options alone are those of `run`, as in all packages of Kedro projects.
            None for those of the shell.
    """
    if arguments is None:
        end_at_once()  # before the imports below
    project = find_root(Path.cwd())
    for configuration in (project / "conf", CONFIGURATION):
        if (file := configuration / "logging.yml").is_file():
            # Kedro reads this when it is first imported.
            os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(file))
    # A checkout refuses usage statistics of Kedro in `.telemetry`, which is not installed.
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "true")
    from kedro.framework.project import configure_project
    from kedro.framework.startup import bootstrap_project

    if not is_kedro_project(project):
        configure_project(PACKAGE)
    elif (name := bootstrap_project(project).package_name) != PACKAGE:
        sys.exit(f"{project} is the project of '{name}': run {PACKAGE} in another folder")
    from longtail.cli import cli

    if arguments is None:
        cli(prog_name=PACKAGE)
    else:
        command = [] if arguments and not arguments[0].startswith("-") else ["run"]
        cli([*command, *arguments], prog_name=PACKAGE, standalone_mode=False)


if __name__ == "__main__":
    main()
