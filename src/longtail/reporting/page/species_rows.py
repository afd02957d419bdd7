"""The rows of the species section: species, confused pairs and photographs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from longtail.nomenclature.display_names import ClassNaming
from longtail.reporting.tables.number_format import MISSING, format_fixed


@dataclass(frozen=True)
class ShareText:
    """A share with its interval, as text; dashes for a share of no image."""

    value: str
    ends: str


@dataclass(frozen=True)
class SpeciesRow:
    """One species in the table."""

    name: Markup
    group: str
    train_images: int
    test_images: int
    recall: ShareText
    answers: int
    precision: ShareText
    f1: str
    taken_for: Markup
    taken_for_images: int


@dataclass(frozen=True)
class PairRow:
    """A species that is confused with another; ``genus`` is "same", "other" or empty."""

    true: Markup
    predicted: Markup
    images: int
    test_images: int
    share: ShareText
    both_ways: int
    genus: str


@dataclass(frozen=True)
class Guess:
    """A species that an image may show, its probability and its number of training images."""

    name: Markup
    probability: str
    train_images: int


@dataclass(frozen=True)
class ImageAnswer:
    """An image, its true species, and the most probable species, the predicted one first."""

    jpeg: str
    file: str
    true: Guess
    top: Sequence[Guess]


def _share_of(row: Mapping[Any, Any], name: str) -> ShareText:
    if pd.isna(row[name]):
        return ShareText(MISSING, "")
    ends = f"[{format_fixed(row[f'{name}_low'], 2)}, {format_fixed(row[f'{name}_high'], 2)}]"
    return ShareText(format_fixed(row[name], 2), ends)


def species_row(row: Mapping[Any, Any], names: ClassNaming) -> SpeciesRow:
    """Make the row of a species."""
    taken = row["taken_for_images"] > 0
    return SpeciesRow(
        name=names.html(row["species"]),
        group=row["group"],
        train_images=row["train_images"],
        test_images=row["test_images"],
        recall=_share_of(row, "recall"),
        answers=row["answers"],
        precision=_share_of(row, "precision"),
        f1=format_fixed(row["f1"], 2),
        taken_for=names.html(row["taken_for"]) if taken else Markup(),
        taken_for_images=row["taken_for_images"],
    )


def rows_as_data(rows: Sequence[SpeciesRow], first: int = 0) -> Markup:
    """Write rows as JSON; the page's script makes the same cells from them as the template.

    A row is a list with the HTML of each cell; a tab precedes the part that is shown in grey. The
    last cell has the number of the row with that name instead of the name, which would add half
    the length for thousands of species.

    Args:
        rows: all rows.
        first: number of the first row that is written as data.
    """
    places = {row.name: place for place, row in enumerate(rows)}
    cells = [
        [
            row.name,
            *([row.group] if row.group else []),
            f"{row.train_images:,}",
            f"{row.test_images:,}",
            f"{row.recall.value}\t{row.recall.ends}",
            f"{row.answers:,}",
            f"{row.precision.value}\t{row.precision.ends}",
            row.f1,
            [places[row.taken_for], row.taken_for_images] if row.taken_for else "",
        ]
        for row in rows[first:]
    ]
    text = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("</", r"<\/"))  # so that no name ends the script


def pair_row(row: Mapping[Any, Any], names: ClassNaming) -> PairRow:
    """Make the row of a pair of species."""
    genera = names.genus(row["true"]), names.genus(row["predicted"])
    return PairRow(
        true=names.html(row["true"]),
        predicted=names.html(row["predicted"]),
        images=row["images"],
        test_images=row["test_images"],
        share=_share_of(row, "share"),
        both_ways=row["both_ways"],
        genus="" if not names.is_binomial else "same" if genera[0] == genera[1] else "other",
    )


def gallery_answers(
    answers: Sequence[Mapping[str, Any]], names: ClassNaming
) -> list[tuple[str, list[ImageAnswer]]]:
    """Return correct and incorrect predictions, by heading; headings without any are left out."""

    def guess(species: str, probability: float, train_images: int) -> Guess:
        return Guess(names.html(species), _probability(probability), train_images)

    by_heading: dict[str, list[ImageAnswer]] = {}
    for answer in answers:
        kind = "right" if answer["right"] else "wrong"
        group = str(answer["group"])
        of_group = f"{group.capitalize()} {names.plural}: {kind}" if group else kind.capitalize()
        heading = f"{of_group} answers"
        true = guess(answer["true"], answer["true_probability"], answer["train_images"])
        top = [guess(**of_species) for of_species in answer["top"]]
        by_heading.setdefault(heading, []).append(
            ImageAnswer(answer["jpeg"], answer["file"], true, top)
        )
    return list(by_heading.items())


def _probability(value: float) -> str:
    """Format with two decimals, but neither 0.00 nor 1.00."""
    if value < 0.01:
        return "<0.01"
    return ">0.99" if value > 0.99 else f"{value:.2f}"
