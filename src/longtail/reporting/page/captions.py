"""What is said below a backbone's figures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from longtail.class_names import Names
from longtail.imbalance import likeness_note
from longtail.parameters import TrainSet
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import groups_tested_on

# What each figure shows; `widest` is the widest test set, `groups` that of head, middle and tail.
FIGURES = {
    "group_accuracy_figure": "accuracy of head, middle and tail {many} on the {groups} test images "
    "of each group, with intervals",
    "class_accuracy_figure": "accuracy of each {one} on the {widest} test set against its training "
    "images. A larger dot is several {many}; the line joins means of {many} of similar size",
    "confusion_figure": "confusion matrices on the {widest} test set, rows summing to one",
    "reliability_figure": "how often each method is right where it is so sure, on the {widest} "
    "test set. Below the dashed line it is surer than it is right",
    "learning_figure": "accuracy on the validation images while training",
}
# Where the data set has published results to compare with.
PUBLISHED_FIGURES = {"published_figure": "ours beside the published accuracies"}


def figure_captions(
    figures: Mapping[str, str], profile: pd.DataFrame, grouped_by: TrainSet
) -> dict[str, str]:
    """What each figure shows, in the words of the data set.

    Args:
        figures: those of ``FIGURES`` and of ``PUBLISHED_FIGURES`` that there are.
        profile: the class profile.
        grouped_by: the training set whose sizes make head, middle and tail.
    """
    names, is_natural = Names.of(list(profile["class_name"])), has_natural_test_set(profile)
    words = {
        "one": names.one,
        "many": names.many,
        "widest": "natural" if is_natural else "balanced",
        "groups": groups_tested_on(grouped_by, has_natural_test_set=is_natural),
    }
    captions = {figure: shown.format(**words) for figure, shown in figures.items()}
    if alike := likeness_note(profile, grouped_by, names.one, names.many):
        captions["group_accuracy_figure"] += f". {alike.removesuffix('.')}"
    return captions
