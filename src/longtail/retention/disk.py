"""What lies in the data folder, and how folders there are removed.

Symbolic links below the data folder are never followed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from longtail.retention.artifacts import Artifact, Content, Kind, Training, Version
from longtail.storage.array_store import ARRAY_FILES
from longtail.storage.files import CHECKSUMS_FILE, checksum_file, flush_to_disk
from longtail.storage.store import CARD_FILE, HISTORY_FILE, MODEL_FILE

VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")
# Logits have a key between the fingerprint of their training and their ending.
STORED = re.compile(
    r"(?P<fingerprint>[0-9a-f]{64})(\.[0-9a-f]{16}(?=\.logits))?"
    r"(\.(?P<ending>draft|(checkpoint|features|logits)(\.draft)?))?"
)
# By ending; checkpoints are files, and the others folders.
KINDS: dict[str | None, Kind] = {
    None: "training",
    "draft": "draft",
    "checkpoint": "checkpoint",
    "checkpoint.draft": "draft",
    "features": "features",
    "features.draft": "draft",
    "logits": "logits",
    "logits.draft": "draft",
}
# What the store writes into a folder that it has finished.
OWN_FILES: dict[Kind, set[str]] = {
    "training": {MODEL_FILE, HISTORY_FILE, CARD_FILE, CHECKSUMS_FILE},
    "features": {ARRAY_FILES["features"], CHECKSUMS_FILE},
    "logits": {ARRAY_FILES["logits"], CHECKSUMS_FILE},
}
# What a folder is called once it is being removed. A version then lies beside its artifact,
# where Kedro looks for none.
ASIDE = re.compile(rf"\.(?P<name>.+?)(\.{VERSION.pattern})?\.pruned")


@dataclass(frozen=True)
class Scan:
    """What was found; all paths are relative to the data folder.

    Attributes:
        artifacts: sorted by path.
        trainings: the entries of the store.
        links: symbolic links, which were not followed.
        leftovers: what an interrupted removal has left, and the files in it.
    """

    artifacts: list[Artifact]
    trainings: list[Training]
    links: list[str]
    leftovers: dict[str, tuple[Content, ...]]


def scan(data: Path, store: str, entry_of: Callable[[str], str | None]) -> Scan:
    """Look through the data folder.

    Args:
        data: the folder; it may itself be a symbolic link.
        store: the path of the store of trainings in it.
        entry_of: gives the entry of the catalog that a path is an instance of, if there is one.
    """
    root = data.resolve()
    versions: dict[str, list[Version]] = defaultdict(list)
    trainings: list[Training] = []
    links: list[str] = []
    leftovers: dict[str, tuple[Content, ...]] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        for item in sorted(os.scandir(root / folder), key=lambda item: item.name):
            path = f"{folder}/{item.name}".lstrip("/")
            if item.is_symlink():
                links.append(path)
            elif not item.is_dir(follow_symlinks=False):
                if folder == store and STORED.fullmatch(item.name):
                    trainings += _training(item)
            elif _is_leftover(item.name, folder, store, entry_of):
                leftovers[path] = _files(item)[0]
            elif folder == store:
                trainings += _training(item)
            elif VERSION.fullmatch(item.name):
                versions[folder].append(_version(item, Path(folder).name))
            else:
                folders.append(path)
    artifacts = [
        Artifact(folder, entry_of(folder), tuple(found)) for folder, found in versions.items()
    ]
    return Scan(sorted(artifacts, key=lambda a: a.path), trainings, links, leftovers)


def remove(data: Path, paths: Iterable[str], leftovers: Iterable[str] = ()) -> None:
    """Remove folders and files of the data folder, so that none is ever taken for whole.

    Folders are renamed to what nothing reads before they are emptied; a removal that is
    interrupted is ended by the next one, which finds them in :attr:`Scan.leftovers`.
    """
    root = data.resolve()
    _empty(root / path for path in leftovers)
    folders = []
    for path in paths:
        if (root / path).is_dir():
            folders.append(_set_aside(root / path))
        else:
            (root / path).unlink()
    for parent in {folder.parent for folder in folders}:
        flush_to_disk(parent)
    _empty(folders)


def _is_leftover(name: str, folder: str, store: str, entry_of: Callable[[str], str | None]) -> bool:
    """Whether a folder is what was set aside of the store or of an artifact of the catalog."""
    match = ASIDE.fullmatch(name)
    if match is None:
        return False
    if folder == store:
        return STORED.fullmatch(match["name"]) is not None
    return entry_of(f"{folder}/{match['name']}") is not None


def _empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder)


def _set_aside(folder: Path) -> Path:
    if VERSION.fullmatch(folder.name):
        artifact = folder.parent
        return folder.rename(artifact.with_name(f".{artifact.name}.{folder.name}.pruned"))
    return folder.rename(folder.with_name(f".{folder.name}.pruned"))


def _version(item: os.DirEntry[str], file: str) -> Version:
    contents, names, own = _files(item)
    drafts = {name for name in names if name.startswith(f"{file}.draft")}
    own &= names - drafts <= {file, checksum_file(Path(file)).name}
    return Version(item.name, contents, own, complete=own and file in names)


def _training(item: os.DirEntry[str]) -> list[Training]:
    """The entry of the store; nothing if it is none."""
    match = STORED.fullmatch(item.name)
    if match is None:
        return []
    kind = KINDS[match["ending"]]
    is_folder = item.is_dir(follow_symlinks=False)
    if is_folder == (match["ending"] or "").startswith("checkpoint"):
        return []
    try:
        modified = item.stat(follow_symlinks=False).st_mtime
        contents, names, own = _files(item) if is_folder else ((_content(item),), set(), True)
    except FileNotFoundError:  # it has just been finished
        return []
    own &= names <= OWN_FILES.get(kind, names)
    return [Training(item.name, match["fingerprint"], kind, contents, own, modified)]


def _files(folder: os.DirEntry[str]) -> tuple[tuple[Content, ...], set[str], bool]:
    """The files in a folder, their names, and whether there are no links and folders in it."""
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
