"""How well images of unknown classes are noticed, as a table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from longtail.reporting.layouts import TRAIN_SETS
from longtail.reporting.numbers import both_ends, short

SCORE_LABELS = {
    "max_probability": "largest probability",
    "max_logit": "largest logit",
    "energy": "energy",
}
NOVELTY_HEADINGS = (
    *("Backbone", "Trained", "Loss Function", "Seed", "Score"),
    *("Known images", "Unknown images", "AUROC", "interval", "False alarms", "interval"),
)
NOVELTY_NOTE = (
    "No image of the unknown classes was trained on. A score tells how known an image looks: the "
    "largest softmax probability (Hendrycks and Gimpel 2017), the largest logit, or the energy "
    "(Liu et al. 2020). AUROC is the chance that a known test image scores higher than an unknown "
    "one; 0.5 is no better than chance. False alarms are the share of unknown images that pass "
    "for known ones at the threshold that lets 95 % of the known test images pass (FPR95). "
    "Intervals are the bootstrap's over both kinds of images; they say nothing of other unknown "
    "classes."
)


def novelty_rows(
    novelty: pd.DataFrame, backbones: Mapping[str, str], methods: Mapping[str, str]
) -> list[list[str]]:
    """The cells below ``NOVELTY_HEADINGS``, a row a trial and score.

    Args:
        novelty: of all trials, see :func:`longtail.novelty.novelty`.
        backbones: labels by name.
        methods: labels by name.
    """
    return [
        [
            backbones[str(row["backbone"])],
            TRAIN_SETS[row["train_set"]],
            methods[str(row["method"])],
            str(row["seed"]),
            SCORE_LABELS[row["score"]],
            f"{row['known_images']:,}",
            f"{row['unknown_images']:,}",
            short(row["auroc"]),
            both_ends(row["auroc_low"], row["auroc_high"]),
            short(row["false_alarms"]),
            both_ends(row["false_alarms_low"], row["false_alarms_high"]),
        ]
        for row in novelty.to_dict("records")
    ]
