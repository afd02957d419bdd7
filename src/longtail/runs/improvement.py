"""Whether a model has become better since its data set changed, at the end of a run.

The photographs that tested it are recorded, so that they test later models too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import LongtailError
from longtail.evaluation.before_and_after import compare_models
from longtail.evaluation.run_comparison import named_answers, pixel_keys
from longtail.imbalance.subsets import images_of, widest_test_set
from longtail.naming.trial_choice import choose_trial
from longtail.runs.earlier_runs import EarlierRun
from longtail.runs.run_files import path_of
from longtail.sources.earlier_splits import record_split

# Loads what a run has made or used, by name.
Load = Callable[[str], Any]

log = logging.getLogger(__name__)


def log_improvement(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Compare the best trial of each data set with the same trial before its images changed."""
    for dataset in _with_results(pipeline, catalog):
        try:
            trial = choose_trial(catalog.load(f"{dataset}_results"), dataset, None)
        except LongtailError:  # there is nothing to choose a trial by
            continue
        answers, images = f"train.{trial}.answers", f"{dataset}_images"
        # This run may have read older images than the newest ones before it (--load-versions).
        now = catalog.versions([answers, images])
        runs = (EarlierRun(catalog, version) for version in catalog.stored_versions(answers))
        changed = (
            run
            for run in runs
            if run.version < now[answers]
            and run.version_of(images) not in (None, now[images])
            and not _have_equal_images(dataset, run.load, catalog.load)
        )
        before = next(changed, None)
        if before is None:
            continue
        compared = compare_models(
            _answers(dataset, trial, before.load), _answers(dataset, trial, catalog.load)
        )
        if compared is not None:
            level = catalog.parameters().statistics.level
            log.info("%s", compared.sentence(trial, level))
            classes = [load(f"{dataset}_source")["classes"] for load in (before.load, catalog.load)]
            if classes[0] != classes[1]:
                log.info("%s chose among %d classes before, among %d now", trial, *classes)


def record_splits(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Record which photographs tested the models of a run, for each data set with results."""
    datasets, folder = catalog.parameters().datasets, path_of(catalog, "earlier_splits")
    for name in _with_results(pipeline, catalog):
        record_split(catalog.load(f"{name}_index"), datasets[name], folder)


def _with_results(pipeline: Pipeline, catalog: LongtailCatalog) -> Iterator[str]:
    """The data sets whose results a run has made."""
    for dataset in catalog.parameters().grid.datasets:
        results = f"{dataset}_results"
        if results in pipeline.all_outputs() and catalog.exists(results):
            yield dataset


def _have_equal_images(dataset: str, *loads: Load) -> bool:
    """Whether runs had the same images with the same labels.

    Runs side by side each store a version of their own.
    """
    checksums = {load(f"{dataset}_source")["sha256"] for load in loads}
    labels = {tuple(load(f"{dataset}_index")["class_name"]) for load in loads}
    return len(checksums) == len(labels) == 1


def _answers(dataset: str, trial: str, load: Load) -> pd.DataFrame:
    """The answers of a trial to the test photographs, as a run gave them."""
    subsets = load(f"{dataset}_subsets")
    test = images_of(subsets, "test", widest_test_set(subsets))
    keys = pixel_keys(load(f"{dataset}_images"), test)
    return named_answers(load(f"train.{trial}.answers"), load(f"{dataset}_index"), keys)
