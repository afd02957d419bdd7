"""Versions of one dataset on the local disk: which is loaded, and which is equal to a new one."""

from __future__ import annotations

import filecmp
import logging
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
from longtail.storage.files import checksum_file, matches_checksum, verified
from longtail.version_names import later_than

log = logging.getLogger(__name__)


def loaded_version(dataset: VersionedDataset) -> str | None:
    """The version that is loaded; None if it does not exist."""
    if not is_local(dataset):
        return str(dataset.resolve_load_version()) if dataset.exists() else None
    # Kedro would match the files by a pattern, which takes a hundred times as long, and describe
    # the dataset in a message that is not shown.
    fixed = pinned(dataset).load
    if fixed is not None:
        return fixed if version_path(dataset, fixed).exists() else None
    newest = version_files(path_of(dataset))[:1]
    return newest[0].parent.name if newest else None


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
    """The newest version before ``target``, if it is equal to the draft of it.

    A version that was equal and has been damaged since is replaced by the draft, with a warning: it
    would be refused later, by whoever reads it by its name. One that was another file is reported.

    Args:
        draft: the new file, whose checksum has been written beside ``target``.
        target: the file that it is to become.
    """
    files = version_files(target.parents[1])
    before = next((file for file in files if file.parent.name < target.parent.name), None)
    if before is None:
        return None
    try:
        was_equal = _same_bytes(checksum_file(target), checksum_file(before))
        is_equal = _same_bytes(draft, before)
        is_whole = was_equal if is_equal else not was_equal and matches_checksum(before)
    except FileNotFoundError:  # it has no checksum, or has just been removed
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s): a new version is saved", before, error.strerror)
        return None
    if not (is_whole or was_equal or is_equal):
        log.warning(
            "%s is damaged: it is not what was saved. This run has made another file. Remove the "
            "damaged one: %s",
            before,
            before.parent,
        )
    elif not is_whole:
        log.warning("%s was damaged, and is replaced: this run has made the same file", before)
        draft.replace(before)
        checksum_file(target).replace(checksum_file(before))
    return before.parent.name if was_equal or is_equal else None


def _same_bytes(file: Path, other: Path) -> bool:
    return file.samefile(other) or filecmp.cmp(file, other, shallow=False)


def verify(dataset: Any, version: str | None = None) -> Path | None:
    """Refuse a file that has changed since it was saved, even if a reader would accept it.

    Returns:
        The file; None if there is none, or none that has versions.
    """
    if not has_local_versions(dataset):
        return None
    if version is not None:
        path = version_path(dataset, version)
    elif dataset.exists():
        path = load_path(dataset)
    else:
        return None
    return verified(path) if path.is_file() else None
