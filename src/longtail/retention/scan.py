"""What is stored in a data folder, and how it is removed.

Symbolic links below the data folder are never followed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from longtail.storage.array_store import ARRAY_FILES
from longtail.storage.files import CHECKSUMS_FILE, checksum_file, draft_of
from longtail.storage.store import (
    CARD_FILE,
    COPIES_FILE,
    HISTORY_FILE,
    MODEL_FILE,
    TrainingStore,
)
from longtail.version_names import time_of

StoredKind = Literal["training", "checkpoint", "features", "logits", "draft", "damaged"]

# The name of logits has a key between the fingerprint of their training and the kind.
STORED = re.compile(
    r"(?P<fingerprint>[0-9a-f]{64})(\.[0-9a-f]{16}(?=\.logits))?"
    r"(\.(?P<kind>checkpoint|features|logits))?((?P<draft>\.draft)|(?P<damaged>\.damaged\d+))?"
)
# What the store writes into each of its folders.
OWN_FILES: dict[StoredKind, set[str]] = {
    "training": {MODEL_FILE, HISTORY_FILE, CARD_FILE, COPIES_FILE, CHECKSUMS_FILE},
    "features": {ARRAY_FILES["features"], CHECKSUMS_FILE},
    "logits": {ARRAY_FILES["logits"], CHECKSUMS_FILE},
}
# What is not a version is listed under these words.
LABELS: dict[StoredKind, str] = {
    "training": "finished trainings",
    "checkpoint": "checkpoints of unfinished trainings",
    "features": "features of frozen backbones",
    "logits": "logits of trained models",
    "draft": "drafts of killed processes",
    "damaged": "damaged trainings that were set aside",
}

EntryOf = Callable[[str], str | None]


@dataclass(frozen=True)
class Content:
    """One file: its device and inode, the number of its names (hard links), its size in bytes."""

    identity: tuple[int, int]
    links: int
    size: int


@dataclass(frozen=True)
class Item:
    """A folder or file that can be removed as a whole.

    Attributes:
        path: relative to the data folder.
        contents: its files.
        own: whether it contains nothing but what the project writes there.
        entry: what it is listed under; of a version the path in the catalog that the artifact's
            path is an instance of, or None if there is none.
    """

    noun: ClassVar[str]
    path: str
    contents: tuple[Content, ...]
    own: bool
    entry: str | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def label(self) -> str:
        """The name that it is listed by."""
        return self.name


@dataclass(frozen=True)
class Version(Item):
    """One version of an artifact; its name is the time of the run that saved it.

    Attributes:
        complete: whether its file is there, so that it can be loaded.
    """

    noun = "version"
    complete: bool

    @property
    def artifact(self) -> str:
        """The path of the artifact, relative to the data folder."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True)
class Stored(Item):
    """An entry of the store.

    Attributes:
        kind: what it is; a draft was left by a killed process, and a damaged training set aside.
        fingerprint: fingerprint of the training (of logits: of their training), or the key of
            features.
        modified: when it was last written (features and logits: or used), in seconds since 1970.
    """

    noun = "training"
    kind: StoredKind
    fingerprint: str
    modified: float

    @property
    def label(self) -> str:
        return f"{self.fingerprint[:12]}…"


@dataclass(frozen=True)
class Scan:
    """What was found.

    Attributes:
        versions: sorted by artifact, oldest first.
        stored: the entries of the store.
        links: the paths of symbolic links, relative to the data folder.
    """

    versions: list[Version] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def scan(data: Path, store: str, entry_of: EntryOf) -> Scan:
    """Search the data folder.

    Args:
        data: the folder; it may itself be a symbolic link.
        store: the path of the store of trainings, relative to the data folder.
        entry_of: gives the entry of the catalog that a path is an instance of, if there is one.
    """
    root, found = data.resolve(), Scan()
    folders = [""]
    while folders:
        folder = folders.pop()
        for item in os.scandir(root / folder):
            path = f"{folder}/{item.name}".lstrip("/")
            if item.is_symlink():
                found.links.append(path)
            elif folder == store:
                found.stored.extend(_stored(item, path))
            elif not item.is_dir(follow_symlinks=False):
                continue
            elif time_of(item.name) is not None:
                found.versions.append(_version(item, path, entry_of(folder)))
            else:
                folders.append(path)
    found.stored.sort(key=lambda stored: (stored.kind, stored.name))
    found.versions.sort(key=lambda version: (version.artifact, version.name))
    return found


def remove_drafts(store: Path) -> None:
    """Remove what killed processes have left in the store; what is being written stays."""
    if store.is_dir():
        for item in os.scandir(store):
            if item.name.endswith(".draft"):  # the others, thousands perhaps, need not be searched
                for entry in _stored(item, item.name):
                    remove_stored(store, entry)


def remove_version(folder: Path) -> None:
    """Remove the folder of a version, such that it is never read half removed.

    Its file goes first. After an interruption the rest is a version that cannot be loaded, which
    the next `kedro prune` removes.
    """
    (folder / folder.parent.name).unlink(missing_ok=True)
    shutil.rmtree(folder)


def remove_stored(store: Path, entry: Stored) -> None:
    """Remove an entry of the store, unless a process is using it.

    A folder becomes a draft first. After an interruption that is left, and is removed later.
    """
    with TrainingStore(store).claim_if_free(entry.fingerprint) as free:
        path = store / entry.name
        if not free:
            return
        if not path.is_dir():
            path.unlink()
            return
        if entry.kind != "draft":
            draft = draft_of(store / entry.fingerprint)
            shutil.rmtree(draft, ignore_errors=True)
            path = path.rename(draft)
        shutil.rmtree(path)


def _version(item: os.DirEntry[str], path: str, entry: str | None) -> Version:
    contents, names, own = _files(item)
    file = Path(path).parent
    drafts = {name for name in names if name.startswith(draft_of(file).name)}
    own &= names - drafts <= {file.name, checksum_file(file).name}
    return Version(path, contents, own, entry, complete=own and file.name in names)


def _stored(item: os.DirEntry[str], path: str) -> Iterator[Stored]:
    """The entry of the store, if it is one: checkpoints are files, all others are folders."""
    match = STORED.fullmatch(item.name)
    is_folder = item.is_dir(follow_symlinks=False)
    if match is None or is_folder == (match["kind"] == "checkpoint"):
        return
    ending = next((kind for kind in ("draft", "damaged") if match[kind]), match["kind"])
    kind: StoredKind = ending or "training"  # type: ignore[assignment]
    try:
        modified = item.stat(follow_symlinks=False).st_mtime
        contents, names, own = _files(item) if is_folder else ((_content(item),), set(), True)
    except FileNotFoundError:  # it has just been finished
        return
    own &= names <= OWN_FILES.get(kind, names)
    entry = f"{path.rpartition('/')[0]}: {LABELS[kind]}"
    yield Stored(path, contents, own, entry, kind, match["fingerprint"], modified)


def _files(folder: os.DirEntry[str]) -> tuple[tuple[Content, ...], set[str], bool]:
    """The files in a folder, their names, and whether it contains nothing else."""
    try:
        items = list(os.scandir(folder))
        files = [item for item in items if item.is_file(follow_symlinks=False)]
        contents = tuple(map(_content, files))
    except FileNotFoundError:  # a run is writing there at this moment
        return (), set(), False
    return contents, {item.name for item in files}, len(files) == len(items)


def _content(item: os.DirEntry[str]) -> Content:
    status = item.stat(follow_symlinks=False)
    return Content((status.st_dev, status.st_ino), status.st_nlink, status.st_size)
