"""Versions of one dataset on the local disk: which is loaded, and which is equal to a new one."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any, TypeGuard

from kedro.io.core import Version

from longtail.datasets.base import version_files
from longtail.kedro_internals import (
    VersionedDataset,
    is_local,
    is_versioned,
    load_path,
    path_of,
    pin,
    pinned,
    version_path,
)
from longtail.storage.files import checksum_file, verified
from longtail.version_names import later_than


def loaded_version(dataset: VersionedDataset) -> str | None:
    """The version that is loaded; None if it does not exist."""
    if pinned(dataset).load is None and is_local(dataset):
        # Kedro would match the files by a pattern, which takes a hundred times as long.
        newest = version_files(path_of(dataset))[:1]
        return newest[0].parent.name if newest else None
    return str(dataset.resolve_load_version()) if dataset.exists() else None


def has_local_versions(dataset: Any) -> TypeGuard[VersionedDataset]:
    """Whether a dataset has versions, on the local disk."""
    return is_versioned(dataset) and is_local(dataset)


def is_fixed(dataset: VersionedDataset) -> bool:
    """Whether the version to load is set, by a run or ``--load-versions``."""
    return pinned(dataset).load is not None


def save_as_newest(dataset: VersionedDataset) -> None:
    """Save outside of a run, for instance in a notebook, as a version that readers will find."""
    own = str(dataset.resolve_save_version())
    newest = [file.parent.name for file in version_files(path_of(dataset))[:1]]
    pin(dataset, Version(None, later_than([name for name in newest if name > own], own)))


def equal_before(draft: Path, target: Path) -> str | None:
    """The newest version before ``target``, if it is undamaged and equal to the draft of it."""
    files = version_files(target.parents[1])
    before = next((file for file in files if file.parent.name < target.parent.name), None)
    if before is None:
        return None
    try:
        is_equal = _same_bytes(checksum_file(target), checksum_file(before))
        is_equal = is_equal and _same_bytes(draft, before)
    except OSError:  # it is unreadable, has no checksum, or has just been removed
        return None
    return before.parent.name if is_equal else None


def _same_bytes(file: Path, other: Path) -> bool:
    return file.samefile(other) or filecmp.cmp(file, other, shallow=False)


def verify(dataset: Any, version: str | None = None) -> None:
    """Refuse a file that has changed since it was saved, even if a reader would accept it."""
    if not has_local_versions(dataset):
        return
    if version is not None:
        path = version_path(dataset, version)
    elif dataset.exists():
        path = load_path(dataset)
    else:
        return
    if path.is_file():
        verified(path)
