"""Classes whose names say that nobody knows what their images show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

from longtail.errors import DataError
from longtail.sources.images import Rejected
from longtail.sources.labels.metadata import Entry
from longtail.wording import counted, first_names

UNSORTED_NAMES = {
    *("unknown", "unknowns", "unsorted", "unidentified", "undetermined", "undet", "indet"),
    *("unlabeled", "unlabelled", "unclassified", "uncategorized", "unassigned", "unsure"),
    *("other", "others", "misc", "miscellaneous", "rest", "various"),
    *("blank", "blanks", "empty", "none", "nothing", "na", "n/a", "nan", "null", "todo", "tbd"),
}


def looks_unsorted(name: str) -> bool:
    """Whether a class name says that the class is not known.

    Examples:
        >>> [looks_unsorted(name) for name in ("_Unsorted", "unknown 2", "Noctua unknown")]
        [True, True, False]
    """
    return name.casefold().strip(" _-.0123456789()") in UNSORTED_NAMES


def without_unsorted(
    entries: Sequence[Entry],
    answer: Literal["class", "skip"] | None,
    unknown: Collection[str],
    key: str,
) -> tuple[list[Entry], list[Rejected]]:
    """The entries without those of unsorted classes, if these are left out.

    Returns:
        The other entries; and file, class and reason of those that are left out.

    Raises:
        DataError: with the question, if the user has not said what such classes are.
    """
    images = Counter(entry.species for entry in entries)
    doubtful = {name for name in images if name not in unknown and looks_unsorted(name)}
    if not doubtful or answer == "class":
        return list(entries), []
    if answer is None:
        raise DataError(_question(sorted(doubtful), images, key))
    reason = f"is of a class that is left out ({key}.unsorted: skip)"
    return (
        [entry for entry in entries if entry.species not in doubtful],
        [
            (entry.file.name, entry.species, reason)
            for entry in entries
            if entry.species in doubtful
        ],
    )


def _question(names: Sequence[str], images: Counter[str], key: str) -> str:
    shown = ", ".join(
        first_names([f"'{name}' ({counted(images[name], 'image')})" for name in names])
    )
    those, they = ("this class", "it is") if len(names) == 1 else ("these classes", "they are")
    return (
        f"{key}.path: the name of {those} says that nobody knows what the images show: {shown}. "
        f"Say what {they}:\n"
        f"  --params={key.removesuffix('.source')}.unknown.classes=[{','.join(names)}]   unknown: "
        f"not trained on, but used to test whether unknown ones are noticed\n"
        f"  --params={key}.unsorted=skip    images to leave out\n"
        f"  --params={key}.unsorted=class   a class like any other"
    )
