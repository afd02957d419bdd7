"""Reads files of boxes, whatever their format, and selects the boxes to use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from longtail.errors import ConfigurationError, DataError
from longtail.parameters.sources import PhotographSource
from longtail.parameters.strict import unknown
from longtail.project import from_root, located
from longtail.schemas.user_csv import read_text
from longtail.sources.boxes.annotation import Annotation
from longtail.sources.boxes.box_table import read_box_table
from longtail.sources.boxes.coco import read_coco
from longtail.sources.boxes.megadetector import CATEGORIES, read_megadetector
from longtail.sources.listing import TABLES
from longtail.wording import first_names

# What is named in photographs unless other categories are asked for, if the detector has it.
ANIMAL = "animal"
BOX_FORMATS = "MegaDetector's results, COCO, or a CSV file with one row per box"


@dataclass(frozen=True)
class FoundBoxes:
    """What files of boxes hold.

    Attributes:
        annotations: their boxes, and photographs without a box.
        lists_all: whether they name photographs without a box, too, as JSON files do.
        columns: names that the headers of tables have for the columns that are used.
    """

    annotations: list[Annotation]
    lists_all: bool
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_boxes(source: PhotographSource, key: str) -> FoundBoxes:
    """All boxes of a file, or of the files in a folder, and which of them are left out.

    Boxes that state no confidence are never left out for it.

    Args:
        source: says where the boxes are, and which ones are used.
        key: the key of its parameters, for messages.

    Raises:
        ConfigurationError: if no file has one of the categories.
        DataError: if a file is not a file of boxes, naming the file and the key.
    """
    assert source.boxes is not None  # the caller has asked
    found: list[Annotation] = []
    names: set[str] = set()
    columns: dict[str, dict[str, str]] = {}
    files = _files_of(source.boxes, f"{key}.boxes")
    for file in files:
        where = f"{key}.boxes: '{file}'"
        wanted = source.box_categories
        if file.suffix.lower() in TABLES:
            of_file, columns[where] = read_box_table(str(file), where)
            names |= {one.category for one in of_file} - {""}
        else:
            of_file, categories, wanted = _read_json(file, where, wanted, key)
            names |= categories
        found += [
            replace(
                one,
                where=f"{file.name}: {one.where}",
                unused=_left_out(one, wanted, source.box_confidence),
            )
            for one in of_file
        ]
    for name in source.box_categories or ():
        if name not in names:
            raise ConfigurationError(
                f"{key}.box_categories: {unknown(name, sorted(names) or ['none'], 'category')}"
            )
    lists_all = any(file.suffix.lower() == ".json" for file in files)
    return FoundBoxes(found, lists_all, columns)


def _left_out(one: Annotation, wanted: tuple[str, ...] | None, confidence: float) -> str:
    """What the rules leave a box out for; empty if they do not."""
    if one.values is None:
        return ""
    if wanted is not None and one.category not in wanted:
        return f"of the category {one.category or 'none'}"
    if one.confidence is not None and one.confidence < confidence:
        return f"with a confidence below {confidence:g}"
    return ""


def _files_of(given: str, key: str) -> list[Path]:
    path = located(given)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(
            f"{key}: nothing is at '{given}'{from_root(given)}. Give a file of boxes, or a folder "
            f"of them: {BOX_FORMATS}"
        )
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in {".json", *TABLES} and not file.name.startswith(".")
    )
    if not files:
        raise DataError(f"{key}: no file of boxes is in '{given}' (.json, .csv, .tsv or .txt)")
    return files


def _read_json(
    file: Path, where: str, wanted: tuple[str, ...] | None, key: str
) -> tuple[list[Annotation], set[str], tuple[str, ...] | None]:
    """The boxes of a file, the categories that it has, and those that are wanted of it."""
    text = read_text(str(file), where)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is not a complete JSON file: {error}") from error
    except RecursionError as error:
        raise DataError(f"{where} is not a file of boxes: it is nested too deeply") from error
    if isinstance(content, dict) and "annotations" in content:
        found = read_coco(content, where)
        return found, {one.category for one in found} - {""}, wanted
    if isinstance(content, dict) and CATEGORIES in content:
        found = read_megadetector(content, where)
        categories = {str(name) for name in content[CATEGORIES].values()}
        if wanted is None and ANIMAL not in categories:
            raise DataError(
                f"{where}: {CATEGORIES} has no category '{ANIMAL}', but "
                f"{', '.join(first_names(sorted(categories)))}. Say which to use: "
                f"--params={key}.box_categories=[...]"
            )
        return found, categories, wanted or (ANIMAL,)
    raise DataError(
        f"{where} is not a file of boxes: it has neither the key {CATEGORIES} (MegaDetector) nor "
        f"annotations (COCO). Give {BOX_FORMATS}"
    )
