"""The command `kedro compare`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from longtail.catalog import LongtailCatalog
from longtail.commands.run_versions import EarlierRun, check_run, versions_of
from longtail.context import GridContext, LongtailSession
from longtail.datasets.base import version_files
from longtail.errors import DataError
from longtail.evaluation.run_comparison import (
    accuracy_changes,
    changed_answers,
    data_changes,
    parameter_changes,
)
from longtail.hooks.run_files import path_of
from longtail.imbalance import images_of, widest_test_set
from longtail.project import shown
from longtail.reporting.page.run_comparison import RunComparison, comparison_page
from longtail.trials.verification import trial_names

log = logging.getLogger(__name__)

TAIL = "tail"
COLUMNS = {"true": "label", "predicted": "predicted"}
CHANGED_COLUMNS = ("trial", "file", "true", "before", "after", "right")


def compare_runs(
    before: str | None, after: str | None, environment: str | None, parameters: Mapping[str, Any]
) -> None:
    """Write a page and a table of what differs between two runs, for each data set of the grid.

    Args:
        before: the version of what the first run has made; None for that before the second.
        after: the same of the second run; None for the newest.
        environment: of both runs.
        parameters: nested, of which only the paths and the data sets matter.

    Raises:
        DataError: if there are no two such runs.
    """
    session = LongtailSession.create(
        env=environment, runtime_params=dict(parameters), save_on_close=False
    )
    with session:
        context = session.load_context()
        assert isinstance(context, GridContext)  # the settings name no other kind
        catalog = context.catalog
        assert isinstance(catalog, LongtailCatalog)
        for dataset, options in catalog.parameters().datasets.items():
            if dataset in catalog.parameters().grid.datasets:
                runs = _runs(catalog, dataset, before, after)
                _compare(catalog, dataset, options.label, runs)


def _runs(
    catalog: LongtailCatalog, dataset: str, before: str | None, after: str | None
) -> tuple[EarlierRun, EarlierRun]:
    results = f"{dataset}_results"
    known = versions_of(catalog, results)
    for version in (before, after):
        if version is not None:
            check_run(catalog, version, [results])
    second = after or next(iter(known), None)
    first = before or next((version for version in known if second and version < second), None)
    if first is None or second is None:
        raise DataError(
            f"{dataset} has results of {len(known)} run{'' if len(known) == 1 else 's'}: a "
            f"comparison needs two. Change something and run again: kedro run --pipelines=full"
        )
    return EarlierRun(catalog, first), EarlierRun(catalog, second)


def _compare(
    catalog: LongtailCatalog, dataset: str, label: str, runs: tuple[EarlierRun, EarlierRun]
) -> None:
    old, new = (_Tested.by(run, dataset) for run in runs)
    both = [name for name in new.trials if name in old.trials]
    confidence = catalog.parameters().statistics.confidence
    is_same = runs[0].version_of(f"{dataset}_images") == runs[1].version_of(f"{dataset}_images")
    before, after = (tested.answers(both, by_pixels=not is_same) for tested in (old, new))
    tests = {name: new.keys(name, by_pixels=not is_same) for name in new.test_sets}
    changed = changed_answers(before, after)
    places = pd.Series(tests[new.test_sets[0]].index, tests[new.test_sets[0]])
    changed["place"] = changed["image"].map(places[~places.index.duplicated()]).astype(np.int64)
    changed["file"] = new.index["file"].loc[changed["place"]].to_numpy()
    compared = RunComparison(
        label=label,
        versions=(runs[0].version, runs[1].version),
        parameters=parameter_changes(old.parameters(both), new.parameters(both)),
        data=data_changes((old.index, old.subsets), (new.index, new.subsets)),
        accuracies={
            name: accuracy_changes(_only(before, set(keys)), _only(after, set(keys)), confidence)
            for name, keys in tests.items()
        },
        only=(
            [name for name in old.trials if name not in both],
            [name for name in new.trials if name not in both],
        ),
        answers=changed,
    )
    made = {
        f"{dataset}_changed_answers": changed[list(CHANGED_COLUMNS)],
        f"{dataset}_run_comparison": comparison_page(
            compared, confidence, runs[1].load(f"{dataset}_images")
        ),
    }
    for name, content in made.items():
        catalog.save(name, content)
        log.info("Made %s", shown(version_files(path_of(catalog, name))[0]))


def _only(answers: dict[str, pd.DataFrame], keys: set[Any]) -> dict[str, pd.DataFrame]:
    return {name: table[table.index.isin(keys)] for name, table in answers.items()}


@dataclass(frozen=True)
class _Tested:
    """What a run has tested of a data set.

    Attributes:
        run: the run.
        dataset: the data set's name.
        trials: the names of the trials.
        index: one row per image, by its number.
        subsets: one row per image and subset.
    """

    run: EarlierRun
    dataset: str
    trials: list[str]
    index: pd.DataFrame
    subsets: pd.DataFrame

    @classmethod
    def by(cls, run: EarlierRun, dataset: str) -> _Tested:
        trials = list(trial_names(run.load(f"{dataset}_trainings")))
        index = run.load(f"{dataset}_index").set_index("image")
        return cls(run, dataset, trials, index, run.load(f"{dataset}_subsets"))

    @property
    def test_sets(self) -> list[str]:
        """The widest test set, and the tail if there is one."""
        is_tail = (self.subsets["role"] == "test") & (self.subsets["name"] == TAIL)
        return [widest_test_set(self.subsets), *([TAIL] if is_tail.any() else [])]

    def keys(self, test_set: str, *, by_pixels: bool) -> pd.Series[Any]:
        """What identifies each image of a test set in both runs, by its number in this one."""
        numbers = images_of(self.subsets, "test", test_set)
        if not by_pixels:
            return pd.Series(numbers, numbers)
        images = self.run.load(f"{self.dataset}_images")
        hashes = [
            hashlib.sha256(np.ascontiguousarray(images[number]).data).hexdigest()
            for number in numbers
        ]
        return pd.Series(hashes, numbers, dtype=object)

    def parameters(self, trials: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The parameters of some trials."""
        return {name: self.run.load(f"train.{name}.card")["parameters"] for name in trials}

    def answers(self, trials: Sequence[str], *, by_pixels: bool) -> dict[str, pd.DataFrame]:
        """The answers of some trials, see :mod:`longtail.evaluation.run_comparison`."""
        keys = self.keys(self.test_sets[0], by_pixels=by_pixels)
        names = self.index.groupby("label")["class_name"].first()
        found = {}
        for trial in trials:
            table = self.run.load(f"train.{trial}.answers")
            found[trial] = pd.DataFrame(
                {name: names.loc[table[of]].to_numpy() for name, of in COLUMNS.items()},
                index=pd.Index(keys.loc[table["image"]], name="image"),
            )
        return found
