"""The figures of a backbone and their captions."""

from __future__ import annotations

import pandas as pd

from longtail.imbalance.group_sizes import equal_groups_note, has_groups
from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import TrainSet
from longtail.reporting.tables.appendix import has_natural_test_set
from longtail.reporting.tables.layouts import groups_tested_on

# The caption of each figure; `widest` is the widest test set, `groups` that of head, middle, tail.
FIGURES = {
    "group_accuracy_figure": "accuracy of head, middle and tail {many} on the {groups} test images "
    "of each group, with intervals",
    "class_accuracy_figure": "accuracy of each {one} on the {widest} test set against its training "
    "images. A larger dot is several {many}; the line joins the means of {many} of similar size",
    "confusion_figure": "confusion matrices on the {widest} test set, rows summing to one",
    "reliability_figure": "reliability diagrams: accuracy against confidence on the {widest} "
    "test set. Below the dashed line a method is overconfident. Grey bars: how many images have a "
    "confidence",
    "learning_figure": "accuracy on the validation images during training",
}


def figure_captions(profile: pd.DataFrame, grouped_by: TrainSet) -> dict[str, str]:
    """Return the caption of each figure that is shown, in the terms of the data set.

    Accuracies by training images are left out if all classes have equally many.
    """
    names, is_natural = ClassNaming.infer(profile["class_name"]), has_natural_test_set(profile)
    words = {
        "one": names.singular,
        "many": names.plural,
        "widest": "natural" if is_natural else "balanced",
        "groups": groups_tested_on(grouped_by, has_natural_test_set=is_natural),
    }
    captions = {figure: caption.format(**words) for figure, caption in FIGURES.items()}
    if not has_groups(profile):
        del captions["class_accuracy_figure"]
        accuracy = "accuracy on the {widest} test images, with intervals".format(**words)
        captions["group_accuracy_figure"] = accuracy
    elif alike := equal_groups_note(profile, grouped_by, names.singular, names.plural):
        captions["group_accuracy_figure"] += f". {alike.removesuffix('.')}"
    return captions
