"""Nodes that check stored results against the current parameters."""

from __future__ import annotations

from typing import Any

import pandas as pd

from longtail.evaluation.trainings import trial_names
from longtail.imbalance.group_sizes import has_groups, without_equal_groups
from longtail.parameters import Dataset, Statistics, Trials
from longtail.reporting.tables.layouts import GROUP_TEST_SETS
from longtail.trials.verification import (
    check_data,
    check_statistics,
    verified_answers,
    verified_comparisons,
    verified_novelty,
    verified_results,
)


def verify(
    dataset: Dataset, trials: Trials, statistics: Statistics, **stored: Any
) -> tuple[pd.DataFrame, ...]:
    """Check that everything stored belongs to the current parameters, and select the grid's rows.

    This is one node, not one per table, so that nothing is written unless everything is valid.

    Args:
        dataset: the current parameters of the data set.
        trials: trials of the grid.
        statistics: parameters of intervals and tests.
        stored: the data set's ``source``, ``index`` and ``subsets``, and the tables to verify.

    Returns:
        The results, comparisons, trainings, class profile, class confusions and examples. Where
        no training set has a head and a tail, the profile's groups are empty, and there are no
        results of them.
    """
    source, index, subsets = stored["source"], stored["index"], stored["subsets"]
    profile, trainings = stored["class_profile"], stored["trainings"]
    check_data(source, index, subsets, profile, dataset)
    results = verified_results(stored["results"], trainings, source, index, subsets, trials.trials)
    comparisons = verified_comparisons(stored["comparisons"], results)
    check_statistics(results, f"{dataset.name}_results", statistics)
    check_statistics(comparisons, f"{dataset.name}_comparisons", statistics)
    confusions, examples = (
        verified_answers(stored[name], f"{dataset.name}_{name}", results, subsets)
        for name in ("class_confusions", "examples")
    )
    check_statistics(examples, f"{dataset.name}_examples", statistics)
    in_grid = trial_names(trainings).isin(trial.name for trial in trials.trials)
    if not dataset.published:  # published tables have head, middle and tail of each training set
        profile = without_equal_groups(profile, {trial.train_set for trial in trials.trials})
    if not has_groups(profile):
        results, comparisons = (
            rows[~rows["test_set"].isin(GROUP_TEST_SETS)] for rows in (results, comparisons)
        )
    return results, comparisons, trainings[in_grid], profile, confusions, examples


def verify_novelty(
    novelty: pd.DataFrame, results: pd.DataFrame, dataset: Dataset, statistics: Statistics
) -> pd.DataFrame:
    """Check the scores of unknown classes, and select those of the verified results."""
    own = verified_novelty(novelty, results)
    check_statistics(own, f"{dataset.name}_novelty", statistics)
    return own
