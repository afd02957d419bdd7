"""Nodes that draw figures. matplotlib is imported where a node needs it."""

from __future__ import annotations

import pandas as pd

from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.imbalance.group_sizes import has_groups
from longtail.parameters import Contents, Table


def draw_class_profile(profile: pd.DataFrame, contents: Contents) -> tuple[bytes, ...]:
    """The training images of each class, with head, middle and tail, as PNG, PDF and SVG.

    Without groups nothing is trained on the long-tailed set, and the balanced one is drawn.
    """
    from longtail.reporting.figures import class_profile, drawing

    grouped_by = contents.grouped_by
    is_cut = grouped_by == "long_tailed" and not has_groups(profile)
    return class_profile.class_profile(
        profile, drawing.drawn_text(contents.label), "balanced" if is_cut else grouped_by
    )


def draw_overview(leaders: pd.DataFrame, contents: Contents) -> tuple[bytes, ...]:
    """The methods of all backbones, for the tail and overall, as PNG, PDF and SVG."""
    from longtail.reporting.figures.overview import overview

    return overview(leaders, contents)


def draw_tail_against_head(scores: pd.DataFrame, contents: Contents) -> tuple[bytes, ...]:
    """The methods of all backbones by family, tail against head, as PNG, PDF and SVG."""
    from longtail.reporting.figures.tail_against_head import tail_against_head

    families = {method.name: method.family for method in contents.methods}
    return tail_against_head(scores, contents, families)


def draw_figures(
    scores: pd.DataFrame,
    results: pd.DataFrame,
    confusions: pd.DataFrame,
    histories: pd.DataFrame,
    reliability: pd.DataFrame,
    profile: pd.DataFrame,
    table: Table,
    contents: Contents,
) -> tuple[bytes | str, ...]:
    """A backbone's figures: all as PNG, as PDF and as SVG, and as HTML with their captions.

    See :func:`longtail.reporting.figures.backbone.backbone_figures`.
    """
    from longtail.reporting.figures.backbone import backbone_figures
    from longtail.reporting.page.backbone_figures import FIGURES, figure_captions
    from longtail.reporting.page.templates import fragment

    # Only the results have been verified: of the other tables, the rows of their trials.
    trials = results.loc[results["backbone"] == table.backbone, list(TRIAL_COLUMNS)]
    confusions, histories, reliability = (
        rows.merge(trials.drop_duplicates()) for rows in (confusions, histories, reliability)
    )
    grouped_by, label = contents.grouped_by, table.backbone_label
    figures = backbone_figures(
        scores, confusions, histories, reliability, profile, table, grouped_by
    )
    png, pdf, svg = zip(*figures, strict=True)
    captions = figure_captions(profile, grouped_by)
    shown = {
        name: (f"{label}: {captions[name]}", drawn)
        for name, drawn in zip(FIGURES, png, strict=True)
        if name in captions
    }
    return *png, *pdf, *svg, fragment("figures.html.j2", figures=shown)
