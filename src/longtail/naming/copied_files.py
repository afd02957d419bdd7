"""Photographs whose files have the same content, such as those of a card that was copied twice."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict

import pandas as pd

from longtail.naming.answers_table import photograph_files
from longtail.schemas.vocabulary import BOX, NOTE, SHA256
from longtail.wording import counted

# Empty files are no copies of each other: a camera or a copy failed.
EMPTY_FILE = hashlib.sha256(b"").hexdigest()

log = logging.getLogger(__name__)


def copied_rows(names: pd.DataFrame) -> list[list[int]]:
    """The positions of rows of one picture in several files, one list per picture.

    The animals of one photograph share its checksum, but not their boxes.
    """
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, key in enumerate(zip(names[SHA256], names[BOX], strict=True)):
        if key[0] not in ("", EMPTY_FILE):
            found[key].append(position)
    return [positions for positions in found.values() if len(positions) > 1]


def same_file(file: str) -> str:
    """That a photograph is the same as another one, in words."""
    return f"the same file as '{file}'"


def with_notes_of_copies(names: pd.DataFrame) -> pd.DataFrame:
    """The table of names; the note of each copy names another one, and a warning counts them."""
    photographs = photograph_files(names).tolist()
    notes, copies = names[NOTE].tolist(), dict[str, str]()
    for first, *others in copied_rows(names):
        for position in (first, *others):
            other = photographs[first if position != first else others[0]]
            notes[position] = "; ".join(filter(None, (notes[position], same_file(other))))
        copies |= {photographs[position]: photographs[first] for position in others}
    if copies:
        copy, original = next(iter(copies.items()))
        log.warning(
            "%s the same content as another file, such as '%s' and '%s': only one of them is "
            "published (note in names.csv)",
            counted(len(copies), "photograph has", "photographs have"),
            original,
            copy,
        )
    return names.assign(**{NOTE: notes})
