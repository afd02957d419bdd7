"""Photographs that a person has named, which join a data set: tables such as ``corrections.csv``.

Only names that a person is sure of join. The photographs are copied into the data folder by the
checksum of their files, so that they stay there whatever becomes of the originals.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import Path, PurePosixPath

from longtail.errors import DataError
from longtail.imbalance.subsets import CONFIRMED
from longtail.naming.name_matching import ClassMatcher, Synonyms
from longtail.project import from_root, located
from longtail.schemas.user_csv import named_columns, read_csv
from longtail.schemas.user_headers import CORRECTIONS_HEADERS
from longtail.sources.box import FRAGMENT
from longtail.sources.boxes.annotation import Annotation
from longtail.sources.boxes.frames import SMALLEST_SIDE, frame_boxes
from longtail.sources.decoding.frame_size import read_frame_size
from longtail.sources.files import ImageFileRef, UnreadableError, stamp_of
from longtail.sources.labels.class_folders import Rejected
from longtail.sources.labels.metadata import Entry
from longtail.sources.listing import is_supported, list_images, printable
from longtail.storage.files import atomic_file
from longtail.storage.space import write_errors_explained
from longtail.wording import counted, first_names

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ConfirmedStore:
    """Where photographs that people have named are copied to, and how animals are cut from them.

    Attributes:
        folder: of the photographs.
        box_margin: of the squares around boxes, see :class:`longtail.sources.box.Box`.
        synonyms: by which names of people are found among the classes.
    """

    folder: Path
    box_margin: float
    synonyms: Synonyms = field(default_factory=dict)


@dataclass(frozen=True)
class Correction:
    """A row of such a table.

    Attributes:
        place: the table and the line, for messages.
        beside: the folder of the table.
        file: the path of the photograph, as in the table of names.
        folder: where the photographs were when they were named; may be empty.
        sha256: of the photograph's file; may be empty.
        box: of the animal in the photograph, "x,y,width,height" in pixels; empty for all of it.
        name: of the species.
        qualifier: what makes it less than a sure name of a species; empty for a sure one.
        by: who named it.
        when: it was named, as text that sorts by time.
    """

    place: str
    beside: Path
    file: str
    folder: str
    sha256: str
    box: str
    name: str
    qualifier: str
    by: str
    when: str

    @property
    def photograph(self) -> tuple[str, str]:
        """What is named: the file by its checksum, or else by its name, and the box."""
        return self.sha256 or self.file, self.box

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that the photograph was in, from the one that was named."""
        top = Path(self.folder).name.removesuffix(".zip")
        return tuple(filter(None, (top, *PurePosixPath(self.file).parts[:-1])))

    @property
    def table(self) -> str:
        """The name of the table."""
        return self.place.rpartition(", line ")[0]

    @property
    def is_sure(self) -> bool:
        """Whether it names a species without doubt."""
        return bool(self.name) and not self.qualifier

    def rejected(self, reason: str) -> Rejected:
        """The row of the table of rejected files."""
        return (f"{self.place}: {printable(self.file)}", self.name, reason)


def correction_tables(path: str, key: str) -> list[Path]:
    """The table that ``path`` names, or the CSV files of a folder.

    Raises:
        DataError: if there is none.
    """
    place = located(path)
    tables = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    if not tables or not all(table.is_file() for table in tables):
        raise DataError(
            f"{key}: no CSV file is at '{path}'{from_root(path)}. Give a corrections.csv that the "
            f"page of names has saved, or a folder of them"
        )
    return tables


def read_corrections(path: str, key: str) -> tuple[list[Correction], list[Rejected]]:
    """What people have said of photographs: one row per photograph or box that they agree on.

    Of several rows of one person, the latest counts.

    Args:
        path: a table of :data:`longtail.schemas.user_tables.CORRECTIONS`, or a folder of them.
        key: the parameter that holds ``path``, for messages.

    Returns:
        The rows; and table and file, species and reason of each that another one contradicts, or
        that has too few or too many values.

    Raises:
        DataError: if a table cannot be read or does not fit its schema.
    """
    tables = correction_tables(path, key)
    filled = [table for table in tables if len(tables) == 1 or table.read_bytes().strip()]
    for table in tables:
        if table not in filled:
            log.warning("%s: '%s' is empty, and is skipped", key, table)
    bad: list[Rejected] = []
    agreed, rejected = _agreed(
        [row for table in filled or tables[:1] for row in _rows(table, key, bad)]
    )
    return agreed, [*bad, *rejected]


def read_confirmed(
    path: str, class_names: Sequence[str], store: ConfirmedStore, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """The photographs that people have named, as entries of the split ``confirmed``.

    Of several rows of one person about a photograph, or about one box in it, the latest counts.
    Rows of several people must agree, and so must those of files with the same content. A row that
    cannot be used costs that row only. The animals in boxes of one photograph are one series.

    Args:
        path: a table of :data:`longtail.schemas.user_tables.CORRECTIONS`, or a folder of them.
        class_names: of the data set.
        store: where the photographs are copied to.
        key: the parameter that holds ``path``, for messages.

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
            file = _cut(file, row.box, store.box_margin)
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
            rejected.append(row.rejected(_disagreement(row, other)))
    unsure = sum(not row.is_sure for row in agreed)
    log.info(
        "%s: %s the training images; %d without a sure species do not",
        key,
        counted(len(entries), "confirmed photograph joins", "confirmed photographs join"),
        unsure,
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


def _rows(table: Path, key: str, bad: list[Rejected]) -> Iterator[Correction]:
    """The rows of a table; those with another number of values are added to ``bad``."""
    from longtail.schemas.user_tables import CORRECTIONS
    from longtail.schemas.validation import validate

    where = f"{key}: '{table}'"
    reasons: dict[int, str] = {}
    read = read_csv(str(table), where, bad_rows=reasons)
    bad += [(f"{table.name}, line {line}", "", reason) for line, reason in reasons.items()]
    found = named_columns(read, CORRECTIONS_HEADERS, where)
    is_used = found.columns.isin(list(CORRECTIONS.columns))
    found = validate(found.loc[:, is_used | ~found.columns.duplicated()], CORRECTIONS, where)
    found = found.reindex(columns=list(CORRECTIONS.columns), fill_value="")
    for line, row in zip(found.index, found.to_dict("records"), strict=True):
        values = {str(name): str(value) for name, value in row.items()}
        del values["previous_answer"]
        values["file"], _, box = values["file"].partition(FRAGMENT)
        values["box"] = values["box"].replace(" ", "") or box
        if values["name"] or values["qualifier"]:
            yield Correction(f"{table.name}, line {line}", table.parent, **values)


def _agreed(rows: Sequence[Correction]) -> tuple[list[Correction], list[Rejected]]:
    """The rows that no other person contradicts, one per photograph; and the others."""
    by_photograph: dict[tuple[str, str], dict[str, list[Correction]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row.when):  # the latest of each person stays
        of_person = by_photograph[row.photograph].setdefault(row.by, [])
        # Two files of one table with the same content are not one file that was named again.
        twins = [o for o in of_person if o.table == row.table and o.file != row.file]
        of_person[:] = [*twins, row]
    agreed: list[Correction] = []
    rejected: list[Rejected] = []
    for of_people in by_photograph.values():
        last = list(chain.from_iterable(of_people.values()))
        if len({(row.name, row.qualifier) for row in last}) == 1:
            agreed.append(max(last, key=attrgetter("when")))
            continue
        for row in last:
            other = next(o for o in last if (o.name, o.qualifier) != (row.name, row.qualifier))
            if row.is_sure:
                rejected.append(row.rejected(_disagreement(row, other)))
    return agreed, rejected


def _disagreement(row: Correction, other: Correction) -> str:
    """Why a row cannot be used that another one of the same picture contradicts."""
    named = " ".join(filter(None, (other.name, other.qualifier)))
    if other.file != row.file and other.by == row.by:
        return f"is the same picture as '{printable(other.file)}', which is named '{named}'"
    return f"{other.by or other.place} says '{named}': agree on one name"


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


def _cut(file: ImageFileRef, box: str, margin: float) -> ImageFileRef | str:
    """The square around a box of a photograph, as ``predict`` cuts it, or why there is none."""
    try:
        x, y, width, height = map(float, box.split(","))
        size = read_frame_size(file)
    except UnreadableError as reason:
        return str(reason)
    except ValueError:
        return f"'{box}' is not a box: give x,y,width,height in pixels"
    given = Annotation(file.name, "box", (x, y, width, height))
    found = frame_boxes(file, [given], size, margin, SMALLEST_SIDE)
    return found.crops[0].file if found.crops else next(iter(found.rejected.values()))


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
    parts = (CONFIRMED, file.parent.name, file.name)
    if store.name != CONFIRMED:
        raise ValueError(f"the folder must be called {CONFIRMED}, found {store}")
    return ImageFileRef(parts, store.parent.absolute(), None, stamp_of(file.stat()))


def _file_in(folder: Path, file: str) -> ImageFileRef | None:
    """A photograph in a folder or zip file; None if it is not there."""
    parts = PurePosixPath(file.removeprefix(f"{folder}/").replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or not is_supported(Path(parts[-1])):
        return None
    if folder.is_dir():
        inside = folder.joinpath(*parts).is_file()
        return ImageFileRef(parts, folder, None) if inside else None
    return _members(folder).get("/".join(parts)) if folder.is_file() else None


@lru_cache(maxsize=4)
def _members(archive: Path) -> dict[str, ImageFileRef]:
    if not zipfile.is_zipfile(archive):
        return {}
    return {file.name: file for file in list_images(str(archive), "corrections").files}
