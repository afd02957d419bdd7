"""Photographs that a person has named, which join a data set.

Only names that a person is sure of join. The photographs are copied into the data folder by the
checksum of their files, so that they stay there whatever becomes of the originals.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path, PurePosixPath

from longtail.imbalance.subsets import CONFIRMED
from longtail.naming.name_matching import ClassMatcher, Synonyms
from longtail.sources.box import word_for_images
from longtail.sources.boxes.annotation import Annotation
from longtail.sources.boxes.frames import SMALLEST_SIDE, frame_boxes
from longtail.sources.corrections import Correction, read_corrections
from longtail.sources.decoding.frame_size import read_frame_size
from longtail.sources.files import ImageFileRef, UnreadableError, stamp_of
from longtail.sources.images import Rejected
from longtail.sources.labels.metadata import Entry
from longtail.sources.listing import is_supported, list_images
from longtail.storage.files import atomic_file
from longtail.storage.write_errors import write_errors_explained
from longtail.wording import counted, first_names, is_or_are

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ConfirmedStore:
    """Where photographs that people have named are copied to, and how their names are found.

    Attributes:
        folder: folder of the copies.
        synonyms: synonyms by which the names that people gave are found among the classes.
    """

    folder: Path
    synonyms: Synonyms = field(default_factory=dict)


def read_confirmed(
    path: str, class_names: Sequence[str], store: ConfirmedStore, box_margin: float, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """The photographs that people have named, as entries of the split ``confirmed``.

    Of several rows of one person about a photograph, or about one box in it, the latest counts.
    Rows of several people must agree, and so must those of files with the same content. A row that
    cannot be used costs that row only. The animals in boxes of one photograph are one series.

    Returns:
        An entry for each photograph or box, sorted by checksum; and table and file, species and
        reason of each row that cannot be used.

    Raises:
        DataError: if a table cannot be read or does not fit its schema.
    """
    agreed, rejected = read_corrections(path, key)
    matcher = ClassMatcher(class_names, store.synonyms)
    found: dict[str, list[tuple[Correction, Entry]]] = defaultdict(list)
    for row in filter(attrgetter("is_sure"), agreed):
        labels = matcher.labels(row.name)
        if len(labels) != 1:
            rejected.append(row.rejected(_no_class(row.name, len(labels), matcher)))
            continue
        file = _stored(row, store.folder)
        if row.box and not isinstance(file, str):
            file = _cut(file, row, box_margin)
        if isinstance(file, str):
            rejected.append(row.rejected(file))
            continue
        series = "/".join(file.parts) if file.box else ""
        species = class_names[labels[0]]
        entry = Entry(file, species, series, CONFIRMED, folders=row.folders)
        found[file.name].append((row, entry))
    entries = {}
    for name, of_picture in sorted(found.items()):
        if len({entry.species for _, entry in of_picture}) == 1:
            entries[name] = of_picture[0][1]
            continue
        for row, entry in of_picture:
            other = next(o for o, e in of_picture if e.species != entry.species)
            rejected.append(row.contradicted_by(other))
    unsure = sum(not row.is_sure for row in agreed)
    log.info(
        "%s: %s confirmed%s",
        key,
        f"{counted(len(entries), word_for_images(entries))} {is_or_are(len(entries))}",
        f"; {unsure:,} without a sure species {is_or_are(unsure)} not" if unsure else "",
    )
    if rejected:
        reasons = [f"{where} {reason}" for where, _, reason in rejected]
        log.warning(
            "%s: %s cannot be used (all in rejected.csv beside index.csv):\n  %s",
            key,
            counted(len(rejected), "row"),
            "\n  ".join(first_names(reasons)),
        )
    return list(entries.values()), rejected


def _no_class(name: str, classes: int, matcher: ClassMatcher) -> str:
    if classes:
        return f"'{name}' stands for {classes} classes of the data set: name one of them"
    nearest = matcher.nearest(name)
    hint = f" (the nearest is '{nearest}')" if nearest else ""
    return (
        f"'{name}' is no class of the data set{hint}: give a renamed species a row in "
        f"predict.synonyms, and a new one a folder of its own in the source"
    )


def _stored(row: Correction, store: Path) -> ImageFileRef | str:
    """The copy of a photograph in the data folder, or why there is none."""
    if row.sha256:
        if not _SHA256.fullmatch(row.sha256):
            return f"'{row.sha256}' is not a checksum (SHA-256)"
        if stored := _in_store(store, row.sha256):
            return stored
    reason = f"is neither in '{row.folder}' nor beside the table" if row.folder else ""
    for folder in filter(None, (row.folder, str(row.beside))):
        file = _file_in(Path(folder), row.file)
        if file is None:
            continue
        try:
            with file.opened() as opened:
                content = opened.read()
        except UnreadableError as error:
            reason = str(error)
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        if row.sha256 not in ("", sha256):
            reason = "has changed since it was named"
            continue
        return _in_store(store, sha256) or _copied(content, store, sha256, file.parts[-1])
    return reason or (
        "is not beside the table: put the table into the folder of the photographs, or add a "
        "column 'folder'"
    )


def _cut(file: ImageFileRef, row: Correction, margin: float) -> ImageFileRef | str:
    """The square around a box of a photograph, as ``predict`` cuts it, or why there is none."""
    try:
        given = Annotation(file.name, "box", row.box_values())
        size = read_frame_size(file)
    except ValueError as reason:
        return str(reason)
    found = frame_boxes(file, [given], size, margin, SMALLEST_SIDE)
    if not found.crops:
        return next(iter(found.rejected.values()))
    return replace(file, box=found.crops[0].box)


def _in_store(store: Path, sha256: str) -> ImageFileRef | None:
    found = sorted(path for path in (store / sha256).glob("*") if is_supported(path))
    return _reference(store, found[0]) if found else None


def _copied(content: bytes, store: Path, sha256: str, name: str) -> ImageFileRef:
    target = store / sha256 / name
    with write_errors_explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as draft:
            draft.write_bytes(content)
    return _reference(store, target)


def _reference(store: Path, file: Path) -> ImageFileRef:
    # Named "confirmed/<checksum>/<file>", which no file of a source can be by accident.
    parts = file.relative_to(store.parent).parts
    return ImageFileRef(parts, store.parent.absolute(), None, stamp_of(file.stat()))


def _file_in(folder: Path, file: str) -> ImageFileRef | None:
    """A photograph in a folder or zip file; None if it is not there."""
    parts = PurePosixPath(file.removeprefix(f"{folder}/").replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or not is_supported(Path(parts[-1])):
        return None
    if folder.is_dir():
        inside = folder.joinpath(*parts).is_file()
        return ImageFileRef(parts, folder, None) if inside else None
    if not folder.is_file():
        return None
    return _members(folder, stamp_of(folder.stat())).get("/".join(parts))


@lru_cache(maxsize=4)  # with the stamp as a key: a file that is replaced is listed again
def _members(archive: Path, stamp: str) -> dict[str, ImageFileRef]:  # noqa: ARG001
    if not zipfile.is_zipfile(archive):
        return {}
    return {file.name: file for file in list_images(str(archive), "corrections").files}
