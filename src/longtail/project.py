"""The project's folder, from which relative paths start whatever the current folder is."""

from __future__ import annotations

from pathlib import Path

# What the default data folders of an environment contain once something has run.
HAS_RUN = ("data/.runs", "data/*/.runs")

_root: Path | None = None


def root() -> Path:
    """The folder of the session's project; without a session, the one at or above this folder."""
    return _root or find_root(Path.cwd())


def set_root(folder: Path) -> None:
    """Set the project's folder for this process."""
    global _root
    _root = folder


def find_root(folder: Path) -> Path:
    """The project that a folder belongs to: it, or the nearest one above it; else the folder.

    Kedro's projects come first, as for the command ``kedro``.
    """
    above = (folder, *folder.parents)
    for is_root in (is_kedro_project, _is_used):
        if found := next(filter(is_root, above), None):
            return found
    return folder


def program() -> str:
    """The command line that works here: outside a Kedro project, `kedro` has no `run`."""
    return "kedro" if is_kedro_project(root()) else "longtail"


def is_kedro_project(folder: Path) -> bool:
    """Whether a folder is the root of a Kedro project. The served model has no Kedro to ask."""
    file = folder / "pyproject.toml"
    return file.is_file() and b"[tool.kedro]" in file.read_bytes()


def located(path: str | Path) -> Path:
    """The absolute path that a parameter means: below the project's folder, or the home folder."""
    try:
        return root() / Path(path).expanduser()
    except RuntimeError:  # there is no such user, and so no such file
        return root() / path


def from_root(path: str | Path) -> str:
    """Where a relative path starts, for messages; empty for an absolute one."""
    relative = not Path(path).is_absolute() and not str(path).startswith("~")
    return f" (relative paths start at {root()})" if relative else ""


def shown(path: str | Path) -> str:
    """A path for messages: relative if it is below the current folder."""
    folder = Path.cwd()
    return str(Path(path).relative_to(folder) if Path(path).is_relative_to(folder) else path)


def _is_used(folder: Path) -> bool:
    """Whether an installed package has its configuration here, or has run here."""
    if (folder / "conf/base").is_dir():
        return True
    has_run = any(any(folder.glob(pattern)) for pattern in HAS_RUN)
    return has_run and (folder / "mlflow.db").is_file()
