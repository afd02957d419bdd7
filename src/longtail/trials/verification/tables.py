"""Whether other tables belong to the verified results, and to the current parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from longtail.errors import DataError
from longtail.evaluation.trainings import TRIAL_COLUMNS, trial_names
from longtail.imbalance.subsets import widest_test_set
from longtail.parameters import Statistics
from longtail.remedies import remedy, rescore
from longtail.wording import counted

# The keys of columns in the parameters, where their names differ.
STATISTICS_KEYS = {"resampling_seed": "seed"}


def check_statistics(table: pd.DataFrame, name: str, statistics: Statistics) -> None:
    """Refuse figures whose intervals and tests were computed with other parameters.

    Args:
        table: results or comparisons, with the columns of :attr:`Statistics.columns`.
        name: the name of the table, for the message.
        statistics: the current parameters.

    Raises:
        DataError: naming each key with its old and its new value, and what to do.
    """
    changes = []
    for column, now in statistics.columns.items():
        key = STATISTICS_KEYS.get(column, column)
        # A value that was written as text may differ in its last binary digit.
        others = table.loc[~np.isclose(table[column].astype(float), now, atol=0), column].unique()
        if len(others):
            was = " and ".join(f"{other:.12g}" for other in others)
            changes.append(f"statistics.{key} was {was}, is {now:.12g}")
    if changes:
        raise DataError(
            f"{name} were made with other parameters than the current ones: {'; '.join(changes)}. "
            f"{rescore()}"
        )


def verified_comparisons(comparisons: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """The comparisons of methods with results, each over all seeds with results.

    Args:
        comparisons: table of :func:`longtail.evaluation.comparisons.compare_methods`, one data set.
        results: verified results of the data set.

    Raises:
        DataError: if a comparison is over another number of seeds than there are results of.
    """
    cell = [*TRIAL_COLUMNS[:3], "method"]
    trials = results[list(TRIAL_COLUMNS)].drop_duplicates()
    seeds = {key: set(group["seed"]) for key, group in trials.groupby(cell)}
    own = []
    for row in comparisons[[*TRIAL_COLUMNS[:3], "first", "second", "seeds"]].itertuples(
        index=False
    ):
        *group, first, second, count = row
        shared = seeds.get((*group, first), set()) & seeds.get((*group, second), set())
        if shared and len(shared) != count:
            raise DataError(
                f"the comparison of {first} and {second} ({'.'.join(map(str, group))}) is over "
                f"{counted(count, 'seed')}, but {len(shared)} are in the grid. {remedy()}"
            )
        own.append(bool(shared))
    return comparisons[np.array(own, dtype=bool)]  # an empty list would select columns


def verified_novelty(novelty: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """How well the trainings of the results notice unknown classes.

    Args:
        novelty: table of :func:`longtail.evaluation.novelty.novelty`, of one data set.
        results: verified results of the data set.

    Raises:
        DataError: if a trial's rows are of another training than its results.
    """
    by_name = dict(zip(trial_names(results), results["fingerprint"], strict=True))
    names = trial_names(novelty)
    own = novelty[names.isin(list(by_name))]
    others = own["fingerprint"] != names[own.index].map(by_name)
    if others.any():
        stale = ", ".join(names[own.index][others].unique())
        raise DataError(
            f"{own['dataset'].iloc[0]}_novelty and {own['dataset'].iloc[0]}_results are of "
            f"different trainings of {stale}. {remedy()}"
        )
    return own


def verified_answers(
    table: pd.DataFrame, name: str, results: pd.DataFrame, subsets: pd.DataFrame
) -> pd.DataFrame:
    """The rows on single species or images of the trials that have results.

    Args:
        table: rows with the fingerprint of their training and their ``test_set``.
        name: the name of the table, for the message.
        results: verified results of the data set.
        subsets: one row per image and subset.

    Raises:
        DataError: if they are of another training than the results, or of another test set, or
            are missing.
    """
    trials = results[[*TRIAL_COLUMNS, "fingerprint"]].drop_duplicates()
    own = table[trial_names(table).isin(set(trial_names(trials)))]
    found = own[[*TRIAL_COLUMNS, "fingerprint"]].drop_duplicates()
    same = trials.merge(found)
    if len(same) < len(trials) or len(same) < len(found):
        whole = set(trial_names(same))
        others = [trial for trial in trial_names(trials) if trial not in whole]
        named = others or list(trial_names(found[found.duplicated(list(TRIAL_COLUMNS))]))
        raise DataError(
            f"{name} are of other trainings than the results of "
            f"{counted(len(named), 'trial')}, such as {named[0]}. {rescore()}"
        )
    test_set = widest_test_set(subsets)
    if not own["test_set"].eq(test_set).all():
        raise DataError(f"{name} are not of the test set '{test_set}' alone. {rescore()}")
    return own
