"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from longtail.class_names import ClassNaming
from longtail.parameters import TrainSet
from longtail.reporting.page.templates import template
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.table_notes import LOSS_NOTE


@dataclass(frozen=True)
class Sections:
    """The sections of the page as HTML, without their headings; an empty one is left out.

    Attributes:
        data: images, classes and subsets.
        reading: how to read the tables, as plain text.
        backbones: the label and the section of each backbone.
        species: how well each species is recognised.
        provenance: how the results were made.
        unknown: how well unknown classes are detected.
        audit: the checks of the published tables.
    """

    data: str
    reading: str
    backbones: Sequence[tuple[str, str]]
    species: str
    provenance: str
    unknown: str = ""
    audit: str = ""


def report_page(title: str, profile: pd.DataFrame, grouped_by: TrainSet, sections: Sections) -> str:
    """The page. It contains all its images and loads nothing from the network.

    Args:
        title: the data set's label.
        profile: its class profile.
        grouped_by: the training set whose class sizes define head, middle and tail.
        sections: the content of the page.
    """
    return template("page.html.j2").render(
        title=title,
        profile=profile,
        sections=sections,
        loss_note=LOSS_NOTE,
        names=ClassNaming.infer(profile["class_name"]),
        tail_name=TRAIN_SET_LABELS[grouped_by],
        has_natural_test_set=has_natural_test_set(profile),
    )
