"""The report as one self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import TrainSet
from longtail.reporting.page.templates import fragment, template
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.table_notes import LOSS_NOTE

HEADING = re.compile('<h2 id="([^"]*)">(.*?)</h2>')


def results_section(reading: str, backbones: Sequence[tuple[str, str]]) -> str:
    """Write a reading note, and the figures and tables of each backbone, as HTML.

    Args:
        reading: note on how to read the tables, as plain text.
        backbones: label of each backbone, and its figures and tables as HTML.
    """
    return fragment(
        "results_section.html.j2", loss_note=LOSS_NOTE, reading=reading, backbones=backbones
    )


def report_page(
    title: str, profile: pd.DataFrame, grouped_by: TrainSet, sections: Sequence[str]
) -> str:
    """Write the page. It contains all its images and loads nothing from the network.

    Args:
        title: label of the data set.
        profile: class profile of the data set.
        grouped_by: training set whose class sizes define head, middle and tail.
        sections: HTML with headings ``<h2 id=...>``, to which the page links; may be empty.
    """
    return template("page.html.j2").render(
        title=title,
        profile=profile,
        sections=[section for section in sections if section],
        headings=[heading for section in sections for heading in HEADING.findall(section)],
        names=ClassNaming.infer(profile["class_name"]),
        tail_name=TRAIN_SET_LABELS[grouped_by],
        has_natural_test_set=has_natural_test_set(profile),
    )
