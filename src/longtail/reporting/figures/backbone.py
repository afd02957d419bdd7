"""All figures of one backbone."""

from __future__ import annotations

import pandas as pd

from longtail.parameters import Table, TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.class_accuracy import class_accuracy
from longtail.reporting.figures.confusion import confusion_matrices
from longtail.reporting.figures.drawing import Picture
from longtail.reporting.figures.group_accuracy import group_accuracy
from longtail.reporting.figures.learning_curves import learning_curves
from longtail.reporting.figures.reliability import reliability
from longtail.reporting.page.backbone_figures import FIGURES


def backbone_figures(
    scores: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    bins: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
    grouped_by: TrainSet,
) -> tuple[Picture, ...]:
    """Draw the figures, in the order of :data:`longtail.reporting.page.backbone_figures.FIGURES`.

    Args:
        scores: table of :func:`longtail.evaluation.summaries.summarise`, of this backbone only.
        confusions: images by true and predicted label.
        histories: one row per trial and epoch.
        bins: one row per trial and confidence bin.
        profile: the class profile.
        table: table of the backbone, with its label and the labels and the order of the methods.
        grouped_by: training set whose class sizes define head, middle and tail.
    """
    labels = {method: drawing.drawn_text(label) for method, label in table.methods.items()}
    title = drawing.drawn_text(table.backbone_label)
    if scores.empty:
        return (drawing.text_figure(f"{title}: no trial has results"),) * len(FIGURES)
    return (
        group_accuracy(scores, labels, title, grouped_by),
        class_accuracy(confusions, profile, labels, title),
        confusion_matrices(confusions, profile, scores, labels, title, grouped_by),
        reliability(bins, scores, labels, title),
        learning_curves(histories, labels, title),
    )
