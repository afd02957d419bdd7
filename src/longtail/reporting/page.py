"""The report as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from longtail.imbalance import GROUPS
from longtail.parameters import Table
from longtail.reporting.appendix import LOSS_NOTE
from longtail.reporting.layouts import TRAIN_SETS
from longtail.reporting.published import COMPARISON_NOTE, comparison_columns, comparison_rows
from longtail.reporting.tables import PrintedTable, of_table


@dataclass(frozen=True)
class Section:
    """One backbone's part of the page.

    Attributes:
        backbone: its name.
        title: its label.
        tables: each with intervals and, where there is one, in the thesis' bare layout.
        figures: PNG bytes by what they show.
    """

    backbone: str
    title: str
    tables: Sequence[tuple[PrintedTable, PrintedTable | None]]
    figures: Mapping[str, bytes]


@dataclass(frozen=True)
class Made:
    """How the results were made, see :mod:`longtail.reporting.circumstances`.

    Attributes:
        circumstances: names and values.
        backbones: the columns of the recipes.
        recipes: a setting and its value for each backbone.
    """

    circumstances: Sequence[tuple[str, str]]
    backbones: Sequence[str]
    recipes: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Published:
    """What is published, beside ours.

    Attributes:
        comparison: see :func:`longtail.published.compare`.
        tables: of the report.
        audit: see :func:`longtail.reporting.published.audit_rows`.
    """

    comparison: pd.DataFrame
    tables: Sequence[Table]
    audit: Sequence[Sequence[str]]

    def of(self, backbone: str) -> list[tuple[Table, list[str], list[list[str]]]]:
        """A backbone's tables with their columns and rows, of those that something is of."""
        return [
            (table, comparison_columns(self.comparison, table), rows)
            for table in self.tables
            if table.backbone == backbone and not of_table(self.comparison, table).empty
            if (rows := comparison_rows(self.comparison, table))
        ]


def page(
    title: str,
    profile: pd.DataFrame,
    profile_figure: bytes,
    sections: Sequence[Section],
    made: Made,
    published: Published | None,
) -> str:
    """The page; pictures are inside it, and it asks nothing of the network.

    Args:
        title: the data set's name.
        profile: its class profile.
        profile_figure: PNG bytes.
        sections: a part for each backbone.
        made: how the results were made.
        published: what is published on it, or None.
    """
    groups = [
        {
            "name": group,
            "classes": int((profile["group"] == group).sum()),
            "images": int(profile.loc[profile["group"] == group, "train_long_tailed"].sum()),
            "test_images": int(profile.loc[profile["group"] == group, "test_long_tailed"].sum()),
            "largest": int(profile.loc[profile["group"] == group, "train_long_tailed"].max()),
            "smallest": int(profile.loc[profile["group"] == group, "train_long_tailed"].min()),
        }
        for group in GROUPS
    ]
    return _template().render(
        title=title,
        profile=profile,
        profile_figure=profile_figure,
        groups=groups,
        sections=sections,
        made=made,
        published=published,
        loss_note=LOSS_NOTE,
        comparison_note=COMPARISON_NOTE,
        train_sets=TRAIN_SETS,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("longtail.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode()
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template("report.html.j2")
