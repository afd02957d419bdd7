"""Pages of the report, with what a test does not look at filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from longtail.parameters import TrainSet
from longtail.reporting.page.data_section import write_data_section
from longtail.reporting.page.html_tables import published_html, tables_html
from longtail.reporting.page.report_page import write_page, write_results_section
from longtail.reporting.page.species_section import species_section
from longtail.reporting.page.templates import fragment, template
from longtail.reporting.tables.printed_table import PrintedTable
from longtail.reporting.tables.published_table import ComparisonTable
from tests.reporting.rows import make_contents, make_table

PROFILE = pd.DataFrame(
    {
        "class_name": list("abcd"),
        "group": ["head", "middle", "tail", "tail"],
        "train_balanced": [1000] * 4,
        "train_long_tailed": [1000, 300, 40, 20],
        "test_balanced": [50] * 4,
        "test_long_tailed": [50, 15, 3, 2],
        "train_natural": [2000, 1500, 1200, 1000],
        "test_natural": [50] * 4,
    }
)
SOURCE = {"width": 32, "height": 24}
INDEX = pd.DataFrame(
    {"image": range(4), "label": range(4), "class_name": list("abcd"), "split": ""}
)
REJECTED = pd.DataFrame({"file": ["a/<b>.jpg", "c.jpg"], "reason": "is <broken>"})
SUBSETS = pd.DataFrame({"role": "test", "name": "balanced", "image": range(4)})
PROVENANCE = fragment(
    "provenance_section.html.j2",
    details=[("Command", "kedro run <1>"), ("Seeds", "0")],
    methods=[("ldam <1>", "", "loss ldam", "Cao & others")],
    backbones=["vit", "convnext"],
    recipes=[("epochs", ["1", "2"])],
)


@dataclass(frozen=True)
class BackboneSection:
    """The content of a backbone's section."""

    title: str
    tables: Sequence[tuple[PrintedTable, PrintedTable | None]] = ()
    figures: Mapping[str, bytes] = field(default_factory=dict)
    published: Sequence[ComparisonTable] = ()
    note: str = ""

    def html(self) -> str:
        published = published_html(self.title, b"published png", self.published, self.note)
        drawn = template("figure.html.j2").module.drawn  # type: ignore[attr-defined]
        figures = [str(drawn(caption, png)) for caption, png in self.figures.items()]
        return "\n".join([*figures, tables_html(self.tables), published])


def make_page(
    *backbones: BackboneSection,
    title: str = "T",
    profile: pd.DataFrame = PROFILE,
    grouped_by: TrainSet = "long_tailed",
    species: Sequence[Mapping[str, Any]] = (),
    unknown: str = "",
    audit: str = "",
) -> str:
    """A page with these sections."""
    tables = [
        make_table(backbone=f"backbone_{number}", backbone_label=each.title)
        for number, each in enumerate(backbones)
    ]
    contents = make_contents(*tables, label=title, grouped_by=grouped_by)
    sections = {f"backbone_{number}": each.html() for number, each in enumerate(backbones)}
    figure = b"profile png"
    return write_page(
        profile,
        contents,
        data=write_data_section(SOURCE, INDEX, REJECTED, SUBSETS, profile, figure, contents),
        results=write_results_section(contents, "Read <so>.", **sections),
        species=species_section(species),
        unknown=unknown,
        audit=audit,
        provenance=PROVENANCE,
    )
