"""Puts ``conf`` into the wheel, as ``longtail/conf``. All else is in ``pyproject.toml``."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfiguration(build_py):
    """Copies the configuration, except personal settings and locks."""

    def run(self) -> None:
        """Build the package, then copy ``conf`` into it."""
        super().run()
        if self.editable_mode:
            return
        for file in Path("conf").rglob("*.yml"):
            if file.parts[1] != "local" and file.name != "lock.yml":
                target = Path(self.build_lib, "longtail", file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
        Path(self.build_lib, "longtail/conf/local").mkdir(exist_ok=True)
        Path(self.build_lib, "longtail/conf/local/.gitkeep").touch()


setup(cmdclass={"build_py": BuildWithConfiguration})
