"""A backbone's section of the page: its figures and tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from longtail.class_names import ClassNaming
from longtail.imbalance import equal_groups_note
from longtail.parameters import TrainSet
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import groups_tested_on

# What each figure shows; `widest` is the widest test set, `groups` that of head, middle and tail.
FIGURES = {
    "group_accuracy_figure": "accuracy of head, middle and tail {many} on the {groups} test images "
    "of each group, with intervals",
    "class_accuracy_figure": "accuracy of each {one} on the {widest} test set against its training "
    "images. A larger dot is several {many}; the line joins the means of {many} of similar size",
    "confusion_figure": "confusion matrices on the {widest} test set, rows summing to one",
    "reliability_figure": "reliability diagrams: accuracy against confidence on the {widest} "
    "test set. Below the dashed line a method is overconfident",
    "learning_figure": "accuracy on the validation images during training",
}
# Where the data set has published results to compare with.
PUBLISHED_FIGURES = {"published_figure": "our accuracies and the published ones"}


def backbone_section(captioned: Mapping[str, bytes], tables: str, published_tables: str) -> str:
    """The section as HTML.

    Args:
        captioned: the figures as PNG, by their captions.
        tables: the tables of results, as HTML.
        published_tables: our results beside published ones, as HTML; may be empty.
    """
    return fragment(
        "backbone_section.html.j2",
        figures=captioned,
        tables=tables,
        published_tables=published_tables,
    )


def figure_captions(
    profile: pd.DataFrame, grouped_by: TrainSet, *, has_published: bool
) -> dict[str, str]:
    """The caption of each figure, in the terms of the data set.

    Args:
        profile: the class profile.
        grouped_by: the training set whose class sizes define head, middle and tail.
        has_published: whether there are published results to compare with.
    """
    names, is_natural = ClassNaming.infer(profile["class_name"]), has_natural_test_set(profile)
    words = {
        "one": names.singular,
        "many": names.plural,
        "widest": "natural" if is_natural else "balanced",
        "groups": groups_tested_on(grouped_by, has_natural_test_set=is_natural),
    }
    figures = FIGURES | PUBLISHED_FIGURES if has_published else FIGURES
    captions = {figure: caption.format(**words) for figure, caption in figures.items()}
    if alike := equal_groups_note(profile, grouped_by, names.singular, names.plural):
        captions["group_accuracy_figure"] += f". {alike.removesuffix('.')}"
    return captions
