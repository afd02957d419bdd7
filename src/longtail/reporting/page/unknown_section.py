"""The page's section on the detection of images of unknown classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.evaluation.best_trials import best_trials
from longtail.evaluation.novelty import FEWEST_KNOWN_IMAGES
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.imbalance.unknown import UNKNOWN_LABEL
from longtail.nomenclature.display_names import ClassNaming
from longtail.parameters import Contents
from longtail.reporting.page.templates import fragment
from longtail.reporting.tables.layouts import TRAIN_SET_LABELS
from longtail.reporting.tables.number_format import MISSING, format_interval, format_short
from longtail.wording import listed

SCORE_LABELS = {
    "max_probability": "largest probability",
    "max_logit": "largest logit",
    "energy": "energy",
}
NOVELTY_HEADINGS = (
    *("Backbone", "Trained", "Loss Function", "Seed", "Score"),
    *("Known images", "Unknown images", "AUROC", "interval", "False alarms", "interval"),
)
# The score of the sentences. `predict` chooses one for each model, on held-out photographs.
THRESHOLD_SCORE = "energy"


def unknown_class_names(index: pd.DataFrame) -> list[str]:
    """Return the names of the classes that are held out as unknown, sorted."""
    names = index.loc[index["label"] == UNKNOWN_LABEL, "class_name"]
    return sorted(names.astype(str).unique())


def write_unknown_section(
    novelty: pd.DataFrame,
    results: pd.DataFrame,
    index: pd.DataFrame,
    profile: pd.DataFrame,
    contents: Contents,
) -> str:
    """Write the section as HTML.

    Args:
        novelty: table of :func:`longtail.evaluation.novelty.novelty`, of all trials.
        results: the tidy results. The best trial of each training set is reported in words.
        index: one row per image, with the names of the unknown classes.
        profile: one row per known class.
        contents: tables, with the labels of backbones and methods.
    """
    names = ClassNaming.infer(profile["class_name"])
    backbones = {table.backbone: table.backbone_label for table in contents.tables}
    methods = contents.tables[0].methods
    best = best_trials(results)[list(TRIAL_COLUMNS)]
    scores = best.merge(novelty[novelty["score"] == THRESHOLD_SCORE])
    return fragment(
        "unknown_section.html.j2",
        names=names,
        held_out=[names.html(name) for name in unknown_class_names(index)],
        lead=[
            _sentence(rows, names, f"{backbones[str(backbone)]}, {methods[str(method)]}")
            for (_, backbone, method), rows in scores.groupby(
                ["fingerprint", "backbone", "method"], sort=False
            )
        ],
        headings=NOVELTY_HEADINGS,
        rows=novelty_rows(novelty, backbones, methods),
        note=_note(names),
    )


def _sentence(rows: pd.DataFrame, names: ClassNaming, model: str) -> str:
    """Write a sentence on one training, which several training sets may share."""
    row = rows.iloc[0]
    alarms, auroc = (_of_100(row, share) for share in ("false_alarms", "auroc"))
    trained = listed([TRAIN_SET_LABELS[train_set] for train_set in rows["train_set"]])
    return (
        f"Trained {trained} ({model}, seed {row['seed']}; by the {SCORE_LABELS[THRESHOLD_SCORE]}): "
        f"with the threshold at which 95 of 100 photographs of known {names.plural} are named, of "
        f"100 photographs of the unknown {names.plural} {alarms} are named too, always wrongly "
        f"(the false alarms below). Of a known and an unknown photograph, the known one has the "
        f"higher score in {auroc} of 100 pairs (the AUROC below; 50 by guessing)."
    )


def _of_100(row: pd.Series[Any], share: str) -> str:
    """Write a share as a number out of 100, with the interval if there is one."""
    value, low, high = (100 * row[name] for name in (share, f"{share}_low", f"{share}_high"))
    return f"{value:.0f}" if pd.isna(low) else f"{value:.0f} (interval {low:.0f} to {high:.0f})"


def _note(names: ClassNaming) -> str:
    return (
        f"No image of the unknown {names.plural} was used for training. The score of an image is "
        f"larger for known {names.plural}: the largest softmax probability (Hendrycks and Gimpel "
        f"2017), the largest logit, or the energy (Liu et al. 2020). AUROC is the probability that "
        f"a known test image scores higher than an unknown one; 0.5 is no better than chance. "
        f"False alarms are the share of unknown images that are accepted as known at the threshold "
        f"that accepts 95% of the known test images (FPR95). Intervals have the variance over "
        f"resamples of both kinds of images; they do not cover other unknown {names.plural}. There "
        f"is none ({MISSING}) if nothing is confused, nor of false alarms with fewer than "
        f"{FEWEST_KNOWN_IMAGES} known test images, from which their threshold is hardly known."
    )


def novelty_rows(
    novelty: pd.DataFrame, backbones: Mapping[str, str], methods: Mapping[str, str]
) -> list[list[str]]:
    """Return the cells below ``NOVELTY_HEADINGS``, one row per trial and score."""
    return [
        [
            backbones[str(row["backbone"])],
            TRAIN_SET_LABELS[row["train_set"]],
            methods[str(row["method"])],
            str(row["seed"]),
            SCORE_LABELS[row["score"]],
            f"{row['known_images']:,}",
            f"{row['unknown_images']:,}",
            format_short(row["auroc"]),
            format_interval(row["auroc_low"], row["auroc_high"]) or MISSING,
            format_short(row["false_alarms"]),
            format_interval(row["false_alarms_low"], row["false_alarms_high"]) or MISSING,
        ]
        for row in novelty.to_dict("records")
    ]
