"""Text files that name the classes of the images beside them, such as Tiny-ImageNet's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import PurePosixPath

from longtail.schemas.user_csv import decoded_text, read_rows
from longtail.sources.files import ImageFileRef
from longtail.sources.listing import Listing
from longtail.wording import counted

log = logging.getLogger(__name__)


def annotated_classes(
    listing: Listing, files: Sequence[ImageFileRef], classes: set[str], key: str
) -> dict[ImageFileRef, str]:
    """The classes of files by a table in one of their folders.

    It needs no header: one column names files, another one classes. If there are several such
    tables, the one that names most files is taken.
    """
    by_name = {file.parts[-1]: file for file in files}
    folders = {file.parts[:depth] for file in files for depth in range(1, len(file.parts))}
    best: dict[ImageFileRef, str] = {}
    for table in listing.tables:
        if table.parts[:-1] not in folders:
            continue
        where = f"{key}.path: '{table.name}'"
        with table.opened() as content:
            text = decoded_text(content.read(), where)
        if not text.strip():
            continue
        rows = [row for _, row in read_rows(text, where)]
        file_at = _column_with(rows, set(by_name))
        class_at = _column_with(rows, classes)
        if file_at is None or class_at is None:
            continue
        found = {
            by_name[name]: row[class_at]
            for row in rows
            if len(row) > max(file_at, class_at)
            and (name := PurePosixPath(row[file_at]).name) in by_name
            and row[class_at] in classes
        }
        if len(found) > len(best):
            best = found
            log.info(
                "%s names the classes of %s: files from column %d, classes from column %d",
                where, counted(len(found), "image"), file_at + 1, class_at + 1,
            )  # fmt: skip
    return best


def _column_with(rows: Sequence[Sequence[str]], values: set[str]) -> int | None:
    """The column that has most of some values, None if none has any."""
    width = max(map(len, rows))
    counts = [
        sum(len(row) > at and PurePosixPath(row[at]).name in values for row in rows)
        for at in range(width)
    ]
    return counts.index(max(counts)) if any(counts) else None
