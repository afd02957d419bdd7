"""All figures of one backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.parameters import TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.class_accuracy import class_accuracy
from longtail.reporting.figures.confusion import confusion_matrices
from longtail.reporting.figures.drawing import Picture
from longtail.reporting.figures.group_accuracy import group_accuracy
from longtail.reporting.figures.learning_curves import learning_curves
from longtail.reporting.figures.reliability import reliability
from longtail.reporting.page.backbone_figures import FIGURES


@dataclass(frozen=True)
class BackboneTables:
    """What the figures of a backbone are drawn from.

    Attributes:
        scores: see :func:`longtail.evaluation.summaries.summarise`; of this backbone only.
        confusions: images by true and predicted label.
        histories: one row per trial and epoch.
        reliability: one row per trial and confidence bin.
    """

    scores: pd.DataFrame
    confusions: pd.DataFrame
    histories: pd.DataFrame
    reliability: pd.DataFrame

    def of_trials(self, trials: pd.DataFrame) -> BackboneTables:
        """The rows of certain trials, given by their names."""
        return replace(
            self,
            confusions=self.confusions.merge(trials),
            histories=self.histories.merge(trials),
            reliability=self.reliability.merge(trials),
        )


def trials_of(results: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """The names of a backbone's trials that have results, one row per trial."""
    return results.loc[results["backbone"] == backbone, list(TRIAL_COLUMNS)].drop_duplicates()


def backbone_figures(
    tables: BackboneTables,
    profile: pd.DataFrame,
    labels: Mapping[str, str],
    title: str,
    grouped_by: TrainSet,
) -> tuple[Picture, ...]:
    """The figures, in the order of :data:`longtail.reporting.page.backbone_figures.FIGURES`.

    Args:
        tables: of the backbone.
        profile: the class profile.
        labels: the labels of the methods by name, in the order of the rows.
        title: the backbone's label.
        grouped_by: the training set whose class sizes define head, middle and tail.
    """
    labels = {method: drawing.drawn_text(label) for method, label in labels.items()}
    title, scores = drawing.drawn_text(title), tables.scores
    if scores.empty:
        return (drawing.text_figure(f"{title}: no trial has results"),) * len(FIGURES)
    return (
        group_accuracy(scores, labels, title, grouped_by),
        class_accuracy(tables.confusions, profile, labels, title),
        confusion_matrices(tables.confusions, profile, scores, labels, title, grouped_by),
        reliability(tables.reliability, scores, labels, title),
        learning_curves(tables.histories, labels, title),
    )
