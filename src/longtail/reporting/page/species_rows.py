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


def _share_of(row: Mapping[Any, Any], name: str) -> ShareText:
    if pd.isna(row[name]):
        return ShareText(MISSING, "")
    ends = f"[{format_fixed(row[f'{name}_low'], 2)}, {format_fixed(row[f'{name}_high'], 2)}]"
    return ShareText(format_fixed(row[name], 2), ends)


def species_row(row: Mapping[Any, Any], names: ClassNaming) -> dict[Any, Any]:
    """Return a row of the table of species with its names and shares as the page shows them."""
    return {
        **row,
        "name": names.html(row["species"]),
        "recall": _share_of(row, "recall"),
        "precision": _share_of(row, "precision"),
        "f1": format_fixed(row["f1"], 2),
        "taken_for": names.html(row["taken_for"]) if row["taken_for_images"] > 0 else Markup(),
    }


def rows_as_data(rows: Sequence[Mapping[Any, Any]], first: int = 0) -> Markup:
    """Write rows as JSON; the page's script makes the same cells from them as the template.

    A row is a list with the HTML of each cell; a tab precedes the part that is shown in grey. The
    last cell has the number of the row with that name instead of the name, which would add half
    the length for thousands of species.

    Args:
        rows: rows of :func:`species_row`.
        first: number of the first row that is written as data.
    """
    places = {row["name"]: place for place, row in enumerate(rows)}
    cells = [
        [
            row["name"],
            *([row["group"]] if row["group"] else []),
            f"{row['train_images']:,}",
            f"{row['test_images']:,}",
            f"{row['recall'].value}\t{row['recall'].ends}",
            f"{row['answers']:,}",
            f"{row['precision'].value}\t{row['precision'].ends}",
            row["f1"],
            [places[row["taken_for"]], row["taken_for_images"]] if row["taken_for"] else "",
        ]
        for row in rows[first:]
    ]
    text = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("</", r"<\/"))  # so that no name ends the script


def pair_row(row: Mapping[Any, Any], names: ClassNaming) -> dict[Any, Any]:
    """Return a row of the confused pairs as the page shows it; of one genus, or of others."""
    is_same = names.genus(row["true"]) == names.genus(row["predicted"])
    return {
        **row,
        "true": names.html(row["true"]),
        "predicted": names.html(row["predicted"]),
        "share": _share_of(row, "share"),
        "genus": "" if not names.is_binomial else "same" if is_same else "other",
    }


def gallery_answers(
    answers: Sequence[Mapping[str, Any]], names: ClassNaming
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return correct and incorrect predictions, by heading; headings without any are left out.

    Args:
        answers: ``answers`` of :func:`longtail.reporting.page.gallery.select_gallery`.
        names: form in which the names are shown.
    """

    def guess(species: str, probability: float, train_images: int) -> dict[str, Any]:
        shown = _probability(probability)
        return {"name": names.html(species), "probability": shown, "train_images": train_images}

    by_heading: dict[str, list[dict[str, Any]]] = {}
    for answer in answers:
        kind = "right" if answer["right"] else "wrong"
        group = str(answer["group"])
        of_group = f"{group.capitalize()} {names.plural}: {kind}" if group else kind.capitalize()
        true = guess(answer["true"], answer["true_probability"], answer["train_images"])
        top = [guess(**of_species) for of_species in answer["top"]]
        shown = {"jpeg": answer["jpeg"], "file": answer["file"], "true": true, "top": top}
        by_heading.setdefault(f"{of_group} answers", []).append(shown)
    return list(by_heading.items())


def _probability(value: float) -> str:
    """Format with two decimals, but neither 0.00 nor 1.00."""
    if value < 0.01:
        return "<0.01"
    return ">0.99" if value > 0.99 else f"{value:.2f}"
