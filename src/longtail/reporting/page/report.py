"""The report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from longtail.class_names import Names
from longtail.imbalance import GROUPS, likeness_note
from longtail.parameters import TrainSet
from longtail.reporting.page.data_summary import DataSummary
from longtail.reporting.page.species import SpeciesPart
from longtail.reporting.page.templates import template
from longtail.reporting.page.unknown_classes import NOVELTY_HEADINGS, NoveltyPart
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import ROW_HEADING, TRAIN_SETS
from longtail.reporting.tables.notes import LOSS_NOTE
from longtail.reporting.tables.printed import PrintedTable
from longtail.reporting.tables.published import ComparisonTable


@dataclass(frozen=True)
class Made:
    """How the results were made, see :mod:`longtail.reporting.page.provenance`.

    Attributes:
        circumstances: names and values.
        backbones: the columns of the recipes.
        recipes: a setting and its value for each backbone.
    """

    circumstances: Sequence[tuple[str, str]]
    backbones: Sequence[str]
    recipes: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Section:
    """One backbone's part of the page.

    Attributes:
        title: its label.
        tables: each with intervals and, where there is one, in the thesis' bare layout.
        figures: PNG bytes by what they show.
        published: our accuracies beside published ones.
    """

    title: str
    tables: Sequence[tuple[PrintedTable, PrintedTable | None]]
    figures: Mapping[str, bytes]
    published: Sequence[ComparisonTable] = ()


def page(
    title: str,
    profile: pd.DataFrame,
    profile_figure: bytes,
    data: DataSummary,
    reading: str,
    sections: Sequence[Section],
    species: Sequence[SpeciesPart],
    made: Made,
    comparison_note: str = "",
    audit: Sequence[Sequence[str]] = (),
    novelty: NoveltyPart | None = None,
    grouped_by: TrainSet = "long_tailed",
) -> str:
    """The page; pictures are inside it, and it asks nothing of the network.

    Args:
        title: the data set's name.
        profile: its class profile.
        profile_figure: PNG bytes.
        data: how many images there are of what.
        reading: how the tables are to be read.
        sections: a part for each backbone.
        species: a part on single species for each training set.
        made: how the results were made.
        comparison_note: how the tables beside published results are to be read.
        audit: what the published tables show about themselves, see
            :func:`longtail.reporting.tables.audit.audit_rows`.
        novelty: how well unknown classes are noticed.
        grouped_by: the training set whose sizes make head, middle and tail.
    """
    groups = {group: profile[profile["group"] == group] for group in GROUPS}
    names = Names.of(list(profile["class_name"]))
    return template("report.html.j2").render(
        title=title,
        profile=profile,
        profile_figure=profile_figure,
        data=data,
        groups=groups,
        row_heading=ROW_HEADING,
        loss_note=LOSS_NOTE,
        reading=reading,
        sections=sections,
        species=species,
        made=made,
        comparison_note=comparison_note,
        audit=audit,
        novelty=novelty,
        novelty_headings=NOVELTY_HEADINGS,
        names=names,
        alike=likeness_note(profile, grouped_by, names.one, names.many),
        tail_train=f"train_{grouped_by}",
        tail_test=f"test_{grouped_by}",
        tail_name=TRAIN_SETS[grouped_by],
        has_natural_test_set=has_natural_test_set(profile),
    )
