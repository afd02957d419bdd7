"""The animals in the photographs of a data set, each of which is an image of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from longtail.errors import ConfigurationError
from longtail.parameters import FolderSource
from longtail.sources.boxes.cut_photographs import cut_photographs
from longtail.sources.decoding.decode import DecodeLimits
from longtail.sources.images import Rejected
from longtail.sources.labels.metadata import Entry
from longtail.sources.photographs import Photographs
from longtail.wording import is_or_are, listed

# The categories of MegaDetector, which finds animals of any species.
KINDS_OF_OBJECT = frozenset({"animal", "person", "vehicle"})


def cut_entries(
    entries: Sequence[Entry], source: FolderSource, box_margin: float, key: str
) -> tuple[list[Entry], list[Rejected]]:
    """Replace each photograph by the squares around its animals, as ``predict`` cuts them.

    The animals of one photograph are one series, unless the photograph has one already.

    Returns:
        An entry for each animal, in the order of the photographs; and file, species and reason of
        each photograph without an animal, and of each box that cannot be used.

    Raises:
        ConfigurationError: if no file of boxes has one of the categories, or if these are to be
            species and are kinds of object instead.
        DataError: if a file is not a file of boxes, or none names a photograph.
    """
    of_frame = {entry.file.name: entry for entry in entries}
    photographs = Photographs(
        files={name: entry.file for name, entry in of_frame.items()},
        limits=DecodeLimits(source.max_pixels, source.truncated == "keep"),
    )
    cut = cut_photographs(photographs, source, key, box_margin, source.image_size)
    if source.box_species == "category":
        _check_categories(cut, key)
    animals: list[Entry] = []
    rejected: list[Rejected] = []

    def reject(name: str, frame: str, reason: str) -> None:
        rejected.append((name, of_frame[frame].species if frame in of_frame else "", reason))

    for name, file in cut.files.items():
        if name in cut.without_animal:
            reject(name, name, f"shows no animal: {cut.without_animal[name]}")
            continue
        box = cut.boxes[name]
        entry = of_frame[box.frame]
        species = entry.species
        if source.box_species == "category":
            if len(box.categories) != 1:
                reject(name, box.frame, _no_species(box.categories))
                continue
            [species] = box.categories
        animals.append(
            replace(entry, file=file, species=species, series=entry.series or entry.file.name)
        )
    for name, reason in cut.rejected.items():
        reject(name, name, reason)
    for name, bad in cut.bad_boxes.items():
        reject(name, bad.frame or name, bad.reason)
    return animals, rejected


def _check_categories(cut: Photographs, key: str) -> None:
    """Refuse the categories of a detector that knows no species."""
    found = sorted({category for box in cut.boxes.values() for category in box.categories})
    if found and KINDS_OF_OBJECT.issuperset(found):
        raise ConfigurationError(
            f"{key}.box_species: category takes the categories of the boxes for species, but "
            f"{listed([repr(name) for name in found])} {is_or_are(len(found))} no species: "
            f"MegaDetector tells only animals, persons and vehicles apart. Use "
            f"{key}.box_species=folder: then an animal has the species of its photograph"
        )


def _no_species(categories: Sequence[str]) -> str:
    if not categories:
        return "its box has no category, and so no species"
    return f"its box has the categories {' and '.join(map(repr, categories))}: one of them is wrong"
