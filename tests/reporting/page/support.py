"""Pages of the report, with what a test does not look at filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from longtail.parameters import TrainSet
from longtail.reporting.page.data_section import DataSummary, data_section
from longtail.reporting.page.html_tables import published_html, tables_html
from longtail.reporting.page.provenance_section import provenance_section
from longtail.reporting.page.report_page import report_page, results_section
from longtail.reporting.page.species_section import species_section
from longtail.reporting.page.templates import template
from longtail.reporting.tables.printed_table import PrintedTable
from longtail.reporting.tables.published_table import ComparisonTable

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
DATA = DataSummary(
    facts=(("Images", "1,234"),),
    rejected=(("is <broken>", 2, "a/<b>.jpg"),),
    splits=(("test", "balanced", 200, 4),),
)
PROVENANCE = provenance_section(
    [("Command", "kedro run <1>"), ("Seeds", "0")],
    [("ldam <1>", "", "loss ldam", "Cao & others")],
    ["vit", "convnext"],
    [("epochs", ["1", "2"])],
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
    return report_page(
        title,
        profile,
        grouped_by,
        [
            data_section(DATA, profile, b"profile png", grouped_by),
            results_section("Read <so>.", [(each.title, each.html()) for each in backbones]),
            species_section(species),
            unknown,
            audit,
            PROVENANCE,
        ],
    )
