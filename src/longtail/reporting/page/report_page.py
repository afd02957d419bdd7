"""The report as one self-contained HTML page."""

from __future__ import annotations

import re

import pandas as pd

from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import Contents
from longtail.reporting.page.templates import fragment, template
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.table_notes import LOSS_NOTE

HEADING = re.compile('<h2 id="([^"]*)">(.*?)</h2>')


def write_results_section(
    contents: Contents, reading_note: str, published_note: str = "", **sections: str
) -> str:
    """Write how to read the tables, and the figures and tables of each backbone, as HTML.

    Args:
        contents: the backbones, in order.
        reading_note: note on how to read the tables, as plain text.
        published_note: note on the number of published results that are compared.
        sections: figures and tables as HTML, by backbone.
    """
    labels = {table.backbone: table.backbone_label for table in contents.tables}
    return fragment(
        "results_section.html.j2",
        loss_note=LOSS_NOTE,
        reading=" ".join(filter(None, [reading_note, published_note])),
        backbones=[(label, sections[backbone]) for backbone, label in labels.items()],
    )


def write_page(profile: pd.DataFrame, contents: Contents, **sections: str) -> str:
    """Write the page. It contains all its images and loads nothing from the network.

    Args:
        profile: class profile of the data set.
        contents: what the report has.
        sections: HTML with headings ``<h2 id=...>``, to which the page links; may be empty. They
            are shown in this order.
    """
    return template("page.html.j2").render(
        title=contents.label,
        profile=profile,
        sections=[section for section in sections.values() if section],
        headings=[found for section in sections.values() for found in HEADING.findall(section)],
        names=ClassNaming.infer(profile["class_name"]),
        tail_name=TRAIN_SET_LABELS[contents.grouped_by],
        has_natural_test_set=has_natural_test_set(profile),
    )
