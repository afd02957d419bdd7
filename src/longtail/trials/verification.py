"""Whether stored results are those of the current parameters, images and code.

A stage can be run by itself, so results can be older than the parameters that a report would
state beside them. Everything that determines a result is in its fingerprint, which is stored with
it: so it is computed again, and compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from longtail.errors import DataError
from longtail.evaluation.trainings import TRIAL_COLUMNS
from longtail.imbalance import SUBSET_COLUMNS, cut, widest_test_set
from longtail.imbalance.unknown import unknown_classes
from longtail.parameters import Dataset, Statistics, Trial
from longtail.trials.fingerprint import ENGINE_VERSION
from longtail.trials.post_hoc import differences, noted, noted_of
from longtail.trials.training_job import Split, TrainingJob
from longtail.wording import counted

REMEDY = (
    "Make them anew: kedro run --pipeline=full with the same --env and --params (what has not "
    "changed is not trained again). Or give the parameters that they were made with."
)
RESCORE = (
    "Compute them again, which trains nothing: kedro run --pipeline=full "
    "with the same --env and --params. Or give the parameters that they were made with."
)
# Where a source lies, which does not change what is in it.
PLACES = {"path", "metadata", "url", "md5"}
# What a column is called in the parameters, where that differs.
STATISTICS_KEYS = {"resampling_seed": "seed"}
# The parts of a trial that are in its fingerprint as they are.
DETERMINANTS = ("recipe", "backbone.architecture", "backbone.options", "method.classifier", "seed")
# What is in it as a canonical form, which trials of different losses can share.
OF_THE_LOSS = ("method.loss", "method.deferred_weights")


def check_data(
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    dataset: Dataset,
) -> None:
    """Refuse a source, subsets or a class profile that other parameters have given.

    Args:
        source: the summary of the source, with the parameters that it was read with.
        index: a row an image.
        subsets: a row an image and subset.
        profile: a row a class.
        dataset: the current parameters.

    Raises:
        DataError: naming what is stale, how it differs, and what to do.
    """
    now = dataset.source.model_dump(mode="json")
    changes = list(_changes(source["source"], now, leaving_out=PLACES))
    if changes:
        raise DataError(
            f"{dataset.name}_images were read with other parameters than the current ones of "
            f"datasets.{dataset.name}.source: {'; '.join(changes)}. {REMEDY}"
        )
    were, are = (
        ", ".join(names) or "none"
        for names in (
            sorted(index.loc[index["label"] < 0, "class_name"].unique()),
            unknown_classes(index["class_name"], dataset),
        )
    )
    if were != are:
        raise DataError(
            f"{dataset.name}_index has other unknown classes than the current parameters "
            f"datasets.{dataset.name}.unknown: {were}, not {are}. {REMEDY}"
        )
    right_subsets, right_profile = cut(index, dataset.imbalance, dataset.name)
    differing = _differing_subsets(subsets, right_subsets)
    if differing:
        raise DataError(
            f"{dataset.name}_subsets are not those that the current parameters "
            f"datasets.{dataset.name}.imbalance cut from the images: {', '.join(differing)}. "
            f"{REMEDY}"
        )
    if profile.to_dict("records") != right_profile.to_dict("records"):
        raise DataError(
            f"{dataset.name}_class_profile does not belong to {dataset.name}_subsets. {REMEDY}"
        )


def verified_results(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    trials: Sequence[Trial],
) -> pd.DataFrame:
    """The results of the grid's trials, all of them those of the current parameters.

    Rows of trials that the grid does not have are left out. A trial of the grid without results
    is no error: it failed or has not run, and its row in the tables is empty.

    Args:
        results: of one data set, with the fingerprint of each row's training.
        trainings: a row a trial, as :func:`longtail.evaluation.trainings.trainings_table` makes
        them.
        source: the summary of the data set's source.
        index: a row an image.
        subsets: a row an image and subset.
        trials: those of the grid, as the current parameters have them.

    Raises:
        DataError: naming each trial whose results are others', why, and what to do.
    """
    by_name = {trial.name: trial for trial in trials}
    names = trial_names(results)
    own = results[names.isin(list(by_name))]
    stored = own["fingerprint"].groupby(names, sort=False).unique()
    changed = noted_of(own).groupby(names, sort=False).unique()
    labels = index["label"].to_numpy()
    rows = dict(zip(trial_names(trainings), trainings.to_dict("records"), strict=True))
    reasons: dict[str, list[str]] = {}
    for name, fingerprints in stored.items():
        trial = by_name[str(name)]
        split = Split.of(labels, subsets, trial.train_set, source["classes"])
        reason = _reason(
            trial, list(fingerprints), rows.get(trial.name), split, source["sha256"]
        ) or _reason_post_hoc(trial, list(changed[str(name)]), split)
        if reason is not None:
            reasons.setdefault(reason, []).append(trial.name)
    if reasons:
        listed = "\n".join(
            f"  {reason}:\n" + "\n".join(f"    {name}" for name in of_reason)
            for reason, of_reason in reasons.items()
        )
        stale = counted(sum(map(len, reasons.values())), "trial")
        raise DataError(
            f"results of {stale} are not those of the current "
            f"parameters, images and code:\n{listed}\n{REMEDY}"
        )
    return own


def check_statistics(table: pd.DataFrame, name: str, statistics: Statistics) -> None:
    """Refuse figures whose intervals and tests other parameters have given.

    Args:
        table: results or comparisons, with the columns of :attr:`Statistics.noted`.
        name: of the table, for the message.
        statistics: the current parameters.

    Raises:
        DataError: naming each key with its value then and now, and what to do.
    """
    changes = []
    for column, now in statistics.noted.items():
        key = STATISTICS_KEYS.get(column, column)
        if column not in table:
            changes.append(f"statistics.{key} was not noted, is {now:.12g}")
            continue
        # What has gone through a text may be off in its last binary digit.
        others = table.loc[~np.isclose(table[column].astype(float), now, atol=0), column].unique()
        if len(others):
            was = " and ".join(f"{other:.12g}" for other in others)
            changes.append(f"statistics.{key} was {was}, is {now:.12g}")
    if changes:
        raise DataError(
            f"{name} were made with other parameters than the current ones: {'; '.join(changes)}. "
            f"{RESCORE}"
        )


def verified_comparisons(comparisons: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """The comparisons of methods that have results, all of them over the seeds that have.

    Args:
        comparisons: of one data set, see :func:`longtail.evaluation.comparisons.compare_methods`.
        results: its verified results.

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
                f"{counted(count, 'seed')}, but {len(shared)} are in the grid. {REMEDY}"
            )
        own.append(bool(shared))
    return comparisons[np.array(own, dtype=bool)]  # an empty list would choose no columns


def verified_novelty(novelty: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """How well unknown classes are noticed by the trainings that the results are of.

    Args:
        novelty: of one data set, see :func:`longtail.evaluation.novelty.novelty`.
        results: its verified results.

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
            f"different trainings of {stale}. {REMEDY}"
        )
    return own


def verified_answers(
    table: pd.DataFrame, name: str, results: pd.DataFrame, subsets: pd.DataFrame
) -> pd.DataFrame:
    """The rows on single species or images of the trials that have results.

    Args:
        table: with the fingerprint of each row's training and its ``test_set``.
        name: of the table, for the message.
        results: verified results of the data set.
        subsets: a row an image and subset.

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
            f"{counted(len(named), 'trial')}, such as {named[0]}. {RESCORE}"
        )
    test_set = widest_test_set(subsets)
    if not own["test_set"].eq(test_set).all():
        raise DataError(f"{name} are not of the test set '{test_set}' alone. {RESCORE}")
    return own


def trial_names(rows: pd.DataFrame) -> pd.Series[str]:
    """The dotted name of the trial that each row is of."""
    names = [
        f"{'.'.join(parts)}.seed{seed}"
        for *parts, seed in rows[list(TRIAL_COLUMNS)].itertuples(index=False, name=None)
    ]
    return pd.Series(names, index=rows.index, dtype=object)


def _reason(
    trial: Trial,
    fingerprints: Sequence[str],
    training: Mapping[Any, Any] | None,
    split: Split,
    pixels_sha256: str,
) -> str | None:
    """Why results with these fingerprints are not the trial's, or None if they are."""
    if training is None or list(fingerprints) != [training["fingerprint"]]:
        return f"{trial.dataset}_results and {trial.dataset}_trainings are of different runs"
    checksum = training["weights_sha256"]
    pretrained = isinstance(checksum, str)
    if pretrained != trial.backbone.pretrained:
        return f"backbones.{trial.backbone.name}.pretrained was {_text(pretrained)}"
    job = TrainingJob.of(trial, split)
    current = job.fingerprint(pixels_sha256, checksum if pretrained else None)
    if current == training["fingerprint"]:
        return None
    changes = list(_changes_of(trial, training))
    return "; ".join(changes) or "the split, the images or the code have changed"


def _reason_post_hoc(trial: Trial, stored: Sequence[str], split: Split) -> str | None:
    """Why logits that were changed so after the training are not the trial's, or None."""
    now = noted(trial.method.post_hoc, split.class_counts)
    others = [then for then in stored if then != now]
    return differences(others[0], now, trial.method.name) if others else None


def _changes_of(trial: Trial, training: Mapping[Any, Any]) -> Iterator[str]:
    """The parameters that a training had and a trial has otherwise."""
    before = json.loads(training["parameters"])
    # Trials of different losses share a training where the losses coincide.
    shared = training["trained_by"] != trial.name
    parts = DETERMINANTS if shared else (*DETERMINANTS, *OF_THE_LOSS)
    now = trial.model_dump(mode="json")
    yield from _changes(
        {part: _part(before, part) for part in parts}, {part: _part(now, part) for part in parts}
    )
    if pd.notna(training["engine"]) and int(training["engine"]) != ENGINE_VERSION:
        yield f"the engine version was {int(training['engine'])}, is {ENGINE_VERSION}"


def _changes(
    before: Any, now: Any, path: str = "", leaving_out: Iterable[str] = ()
) -> Iterator[str]:
    """What differs between two trees of plain values, a phrase a leaf."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            if key not in leaving_out:
                below = f"{path}.{key}" if path else str(key)
                yield from _changes(before.get(key), now.get(key), below, leaving_out)
    elif before != now:
        yield f"{path} was {_text(before)}, is {_text(now)}"


def _part(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key)  # older cards lack newer parameters
    return values


def _text(value: Any) -> str:
    """A value as it is written in YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def _differing_subsets(found: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    """The subsets that do not hold the images that they should, with their sizes."""
    stored, expected = (
        {key: group["image"].to_numpy() for key, group in table.groupby(SUBSET_COLUMNS[:2])}
        for table in (found, right)
    )
    nothing = np.array([], dtype=np.int64)
    phrases = []
    for role, name in dict.fromkeys((*stored, *expected)):
        old = stored.get((role, name), nothing)
        new = expected.get((role, name), nothing)
        if not np.array_equal(old, new):
            size = (
                f"{len(old):,} other" if len(old) == len(new) else f"{len(old):,}, not {len(new):,}"
            )
            phrases.append(f"{role} {name} has {size} images")
    return phrases
