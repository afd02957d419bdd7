"""The trials that the report shows in more detail, chosen on validation images."""

from __future__ import annotations

import pandas as pd

from longtail.evaluation.trainings import TRIAL_COLUMNS


def best_trials(results: pd.DataFrame) -> pd.DataFrame:
    """Choose the trial of each training set with the best balanced accuracy on validation images.

    Ties go to the first trial of the grid. Without validation images the first trial is chosen,
    too, since a choice by test images would bias the results.

    Returns:
        One row per training set: the trial's names and ``validation``, its balanced accuracy (NaN
        without validation images).
    """
    trials = results[list(TRIAL_COLUMNS)].drop_duplicates()
    validated = results.loc[
        results["test_set"] == "validation", [*TRIAL_COLUMNS, "balanced_accuracy"]
    ]
    ranked = trials.merge(validated, "left", list(TRIAL_COLUMNS)).rename(
        columns={"balanced_accuracy": "validation"}
    )
    best = ranked.sort_values("validation", ascending=False, kind="stable", na_position="last")
    order = {name: place for place, name in enumerate(trials["train_set"].unique())}
    return best.drop_duplicates("train_set").sort_values(
        "train_set", key=lambda names: names.map(order), ignore_index=True
    )
