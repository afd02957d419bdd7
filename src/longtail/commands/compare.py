"""The command `kedro compare`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from longtail.catalog import LongtailCatalog
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.datasets.base import version_files
from longtail.errors import DataError
from longtail.evaluation.run_comparison import (
    accuracy_changes,
    changed_answers,
    data_changes,
    named_answers,
    parameter_changes,
    pixel_keys,
)
from longtail.evaluation.trainings import trial_names
from longtail.imbalance.group_sizes import groups_differ
from longtail.imbalance.subsets import images_of, widest_test_set
from longtail.parameters import Dataset
from longtail.project import program, shown
from longtail.report_lock import split_places
from longtail.reporting.page.run_comparison_page import RunComparison, comparison_page, verdict
from longtail.reporting.tables.layouts import tail_test_set
from longtail.runs.earlier_runs import OTHER_RUNS, EarlierRun, check_run
from longtail.runs.run_files import path_of
from longtail.runs.tracked_runs import record_of
from longtail.wording import counted

log = logging.getLogger(__name__)

CHANGED_COLUMNS = ("trial", "file", "true", "before", "after", "right")


def compare_runs(before: str | None, after: str | None, options: ConfigurationOptions) -> None:
    """Write a page and a table of what differs between two runs, for each data set of the grid.

    Args:
        before: the version of what the first run has made; None for that before the second.
        after: the same of the second run; None for the newest.
        options: those of both runs; of the parameters, only the paths and the data sets matter.

    Raises:
        DataError: if there are no two such runs.
    """
    with open_project(options) as (_, context):
        catalog = context.catalog
        checked = catalog.parameters()
        for dataset in checked.grid.datasets:
            runs = _runs(catalog, dataset, before, after)
            log.info("%s: %s is compared with %s", dataset, *(run.version for run in runs[::-1]))
            _compare(checked.datasets[dataset], runs, checked.statistics.confidence)


def _runs(
    catalog: LongtailCatalog, dataset: str, before: str | None, after: str | None
) -> tuple[EarlierRun, EarlierRun]:
    results = f"{dataset}_results"
    known = catalog.stored_versions(results)
    for version in (before, after):
        if version is not None:
            check_run(catalog, version, [results])
    second = after or next(iter(known), None)
    first = before or next((version for version in known if second and version < second), None)
    if first is None or second is None:
        raise DataError(
            f"{dataset} has results of {counted(len(known), 'run')}: a comparison needs "
            f"two. Change something and run again: {program()} run --pipelines=full. {OTHER_RUNS}"
        )
    return EarlierRun(catalog, first), EarlierRun(catalog, second)


def _compare(of: Dataset, runs: tuple[EarlierRun, EarlierRun], confidence: float) -> None:
    (first, second), dataset = runs, of.name
    catalog, images = second.catalog, f"{dataset}_images"
    tail = tail_test_set(of.imbalance.grouped_by)
    by_pixels = first.version_of(images) != second.version_of(images)
    old, new = (_Tested.by(run, dataset, tail, by_pixels=by_pixels) for run in runs)
    both = [name for name in new.trials if name in old.trials]
    before, after = old.answers(both), new.answers(both)
    shared, unrecorded = _shared_parameters(runs, dataset)
    changed = changed_answers(before, after)
    places = pd.Series(new.keys.index, new.keys)
    changed["place"] = changed["image"].map(places[~places.index.duplicated()]).astype(np.int64)
    changed["file"] = new.index["file"].loc[changed["place"]].to_numpy()
    compared = RunComparison(
        label=of.label,
        versions=(first.version, second.version),
        parameters=parameter_changes(
            old.parameters(both, shared[0]), new.parameters(both, shared[1])
        ),
        unrecorded=unrecorded,
        data=data_changes((old.index, old.subsets), (new.index, new.subsets)),
        accuracies={
            name: accuracy_changes(_only(before, keys), _only(after, keys), confidence)
            for name, keys in new.keys_by_test_set().items()
        },
        both=len(both),
        only=(
            [name for name in old.trials if name not in both],
            [name for name in new.trials if name not in both],
        ),
        answers=changed,
    )
    made = {
        f"{dataset}_changed_answers": changed[list(CHANGED_COLUMNS)],
        f"{dataset}_run_comparison": comparison_page(compared, confidence, second.load(images)),
    }
    log.info("%s: %s", dataset, verdict(compared, confidence))
    for name, content in made.items():
        catalog.save(name, content)
        log.info("Made %s", shown(version_files(path_of(catalog, name))[0]))


def _shared_parameters(
    runs: tuple[EarlierRun, EarlierRun], dataset: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """The parameters that all trials of a run share, and the runs of which they are not known.

    If one of them is, nothing can be compared, and both have none.
    """
    records = [record_of(run.version) for run in runs]
    known = [record.parameters if record else None for record in records]
    unrecorded = [run.version for run, of_run in zip(runs, known, strict=True) if of_run is None]
    for run in unrecorded:
        log.warning(
            "MLflow has no record of the parameters of %s: those of its split are not compared",
            run,
        )
    shared = [
        split_places(
            {"datasets": {dataset: of_run["datasets"][dataset]}, "statistics": of_run["statistics"]}
        )[1]
        for of_run in known
        if of_run is not None
    ]
    return ([{}, {}] if unrecorded else shared), unrecorded


def _only(answers: dict[str, pd.DataFrame], keys: pd.Series[Any]) -> dict[str, pd.DataFrame]:
    return {name: table[table.index.isin(keys)] for name, table in answers.items()}


@dataclass(frozen=True)
class _Tested:
    """What a run has tested of a data set.

    Attributes:
        run: the run.
        trials: the names of the trials.
        index: one row per image, by its number.
        subsets: one row per image and subset.
        keys: what identifies each image of the widest test set in both runs, by its number in this
            one.
        tail: the test set of the tail, and the keys of its images; none where no training set has
            a tail.
    """

    run: EarlierRun
    trials: list[str]
    index: pd.DataFrame
    subsets: pd.DataFrame
    keys: pd.Series[Any]
    tail: tuple[str, pd.Series[Any]]

    @classmethod
    def by(cls, run: EarlierRun, dataset: str, tail_name: str, *, by_pixels: bool) -> _Tested:
        """What a run has tested; images are identified by their numbers, or else by pixels."""
        subsets = run.load(f"{dataset}_subsets")
        numbers = images_of(subsets, "test", widest_test_set(subsets))
        keys = pd.Series(numbers, numbers)
        if by_pixels:
            keys = pixel_keys(run.load(f"{dataset}_images"), numbers)
        trainings = run.load(f"{dataset}_trainings")
        train_sets = trainings["train_set"].unique()
        has_tail = groups_differ(run.load(f"{dataset}_class_profile"), train_sets)
        tail = images_of(subsets, "test", tail_name) if has_tail else np.empty(0, np.int64)
        index = run.load(f"{dataset}_index").set_index("image")
        of_tail = (tail_name, keys.loc[pd.Index(tail)])
        return cls(run, list(trial_names(trainings)), index, subsets, keys, of_tail)

    def keys_by_test_set(self) -> dict[str, pd.Series[Any]]:
        """The keys of the widest test set, and of the tail if there is one."""
        name, keys = self.tail
        return {widest_test_set(self.subsets): self.keys, **({name: keys} if len(keys) else {})}

    def parameters(
        self, trials: Sequence[str], shared: Mapping[str, Any]
    ) -> dict[str, Mapping[str, Any]]:
        """The parameters of some trials, with those that all share."""
        cards = {name: self.run.load(f"train.{name}.card") for name in trials}
        return {name: {**card["parameters"], **shared} for name, card in cards.items()}

    def answers(self, trials: Sequence[str]) -> dict[str, pd.DataFrame]:
        """The answers of some trials, see :mod:`longtail.evaluation.run_comparison`."""
        return {
            name: named_answers(self.run.load(f"train.{name}.answers"), self.index, self.keys)
            for name in trials
        }
