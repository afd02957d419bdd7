"""The worked examples of CONTRIBUTING.md work as they are written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.support import PROJECT

GUIDE = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = ("src/longtail", "conf", "tests", "docs", "pyproject.toml")
# What tells a contributor that a part of an example was forgotten.
CHECKS = (
    "tests/evaluation/test_metrics.py",
    "tests/parameters/test_every_leaf.py",
    "tests/parameters/test_families.py",
    "tests/parameters/test_reading.py",
    "tests/schemas/test_schemas.py",
    "tests/test_methods_page.py",
    "tests/trials/test_canonical_loss.py",
)
DIFF = re.compile(r"^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)


def changes() -> Iterator[tuple[str, str, str]]:
    """For each change of the examples the file, the lines to find in it, and what to put there."""
    for block in DIFF.findall(GUIDE):
        for change in block.split("--- ")[1:]:
            file, *lines = change.splitlines()
            before = [line[1:] for line in lines if not line.startswith("+")]
            after = [line[1:] for line in lines if not line.startswith("-")]
            yield file, "\n".join(before), "\n".join(after)


def apply(project: Path, file: str, before: str, after: str) -> None:
    path = project / file
    if not before:
        assert not path.exists(), f"{file} is not new"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{after}\n")
        return
    text = path.read_text()
    found = len(re.findall(rf"^{re.escape(before)}$", text, re.MULTILINE))
    assert found == 1, f"{file} has the following {found} times:\n{before}"
    path.write_text(re.sub(rf"^{re.escape(before)}$", lambda _: after, text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with all examples applied."""
    folder = tmp_path_factory.mktemp("contributing")
    for name in COPIED:
        if (PROJECT / name).is_file():
            shutil.copy(PROJECT / name, folder / name)
        else:
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, folder / name, ignore=unwanted)
    for change in changes():
        apply(folder, *change)
    return folder


def test_the_tests_of_the_examples_pass(project: Path) -> None:
    added = [file for file, before, _ in changes() if file.startswith("tests/") and not before]
    assert len(added) == len(re.findall(r"^### Add ", GUIDE, re.MULTILINE))
    for command in (["docs.site.methods"], ["pytest", "-p", "no:cacheprovider", *added, *CHECKS]):
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=project,
            env=os.environ | {"PYTHONPATH": f"{project / 'src'}{os.pathsep}{project}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_examples_are_formatted_and_pass_the_linter(project: Path) -> None:
    files = sorted({str(project / file) for file, _, _ in changes() if file.endswith(".py")})
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", *files]
        ended = subprocess.run(ruff, cwd=project, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
