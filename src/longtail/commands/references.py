"""The references to versions that must be kept: locks, and tagged runs in MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from longtail import report_lock
from longtail.errors import ConfigurationError, LongtailError
from longtail.report_lock import LOCK_FILE, Lock
from longtail.retention.plan import Reference, read_before
from longtail.retention.scan import Version
from longtail.runs.data_layout import Layout
from longtail.runs.tracked_runs import TrackedRun


def read_locks(configurations: Iterable[Path]) -> dict[str, Lock]:
    """The locks of all environments of some folders, by file relative to the current folder.

    Raises:
        ConfigurationError: if one cannot be read.
    """
    folders = (folder for configuration in configurations for folder in configuration.iterdir())
    files = [folder / LOCK_FILE for folder in sorted(folders)]
    # A dangling link is a lock too: one that cannot be read.
    return {os.path.relpath(file): _read(file) for file in files if os.path.lexists(file)}


def _read(file: Path) -> Lock:
    try:
        return report_lock.read(file)
    except (LongtailError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{error}. The files that {os.path.relpath(file)} refers to are unknown: fix it, or "
            f"remove it if it is not needed. Nothing was removed"
        ) from None


def of_locks(found: dict[str, Lock], layout: Layout) -> list[Reference]:
    """The versions in locks. Datasets that the catalog no longer has may be stored anywhere."""
    return [
        Reference(version.version, layout.path_of(name), file)
        for file, lock in found.items()
        for name, version in (lock.datasets | lock.documents).items()
    ]


def of_runs(
    runs: Iterable[TrackedRun], layout: Layout, versions: Sequence[Version]
) -> list[Reference]:
    """The versions that tagged runs wrote and read."""
    references = []
    for run in (run for run in runs if run.is_kept):
        reason = f"tagged keep: {run.name}"
        references.append(Reference(run.version, None, reason))
        if run.read is None:
            references += read_before(versions, run.version, reason)
        else:
            references += [
                Reference(version, layout.path_of(name), reason)
                for name, version in run.read.items()
            ]
    return references
