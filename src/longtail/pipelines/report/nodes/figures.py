"""Nodes that draw figures. matplotlib is imported where a node needs it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import pandas as pd

from longtail.parameters import Dataset, Table


def select_gallery(
    images: npt.NDArray[Any],
    index: pd.DataFrame,
    examples: pd.DataFrame,
    results: pd.DataFrame,
    profile: pd.DataFrame,
) -> list[dict[str, Any]]:
    """See :func:`longtail.reporting.page.gallery.gallery`."""
    from longtail.reporting.page.gallery import gallery

    return gallery(images, index, examples, results, profile)


def draw_class_profile(profile: pd.DataFrame, dataset: Dataset) -> bytes:
    """The training images of each class, with head, middle and tail."""
    from longtail.reporting.figures import class_profile, drawing

    return class_profile.class_profile(
        profile, drawing.escape_mathtext(dataset.label), dataset.imbalance.grouped_by
    )


def draw_backbone(
    scores: pd.DataFrame,
    results: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    reliability: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
    dataset: Dataset,
) -> tuple[bytes, ...]:
    """A backbone's figures, see :func:`longtail.reporting.figures.backbone.backbone_figures`."""
    from longtail.reporting.figures.backbone import BackboneTables, backbone_figures, trials_of

    # Only the results have been verified: of the other tables, the rows of their trials.
    tables = BackboneTables(scores, confusions, histories, reliability).of_trials(
        trials_of(results, table.backbone)
    )
    return backbone_figures(
        tables, profile, table.methods, table.backbone_label, dataset.imbalance.grouped_by
    )
