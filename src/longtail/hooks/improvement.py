"""Whether a model has become better since its data set changed, at the end of a run."""

from __future__ import annotations

import hashlib
import logging

import numpy as np
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.datasets.base import version_files
from longtail.errors import DataError
from longtail.evaluation.before_and_after import AnswersOnTest, compare
from longtail.hooks.run_files import path_of
from longtail.imbalance import images_of, widest_test_set
from longtail.naming.trial_choice import choose_trial

log = logging.getLogger(__name__)


def log_improvement(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Compare the best trial of each data set with the same trial before its images changed."""
    parameters = catalog.parameters()
    for dataset in parameters.grid.datasets:
        results = f"{dataset}_results"
        if results not in pipeline.all_outputs() or not catalog.exists(results):
            continue
        try:
            trial = choose_trial(catalog.load(results), dataset, None)
        except DataError:  # there is nothing to choose a trial by
            continue
        answers, images = f"train.{trial}.answers", f"{dataset}_images"
        now = catalog.versions([answers, images])
        earlier = (
            (version, _version_at(catalog, images, version))
            for version in _versions(catalog, answers)
            if version < now[answers]
        )
        before = next((v for v, of_images in earlier if of_images not in (None, now[images])), None)
        if before is None:
            continue
        compared = compare(
            _answers(catalog, dataset, trial, before),
            _answers(catalog, dataset, trial, now[answers]),
        )
        if compared is not None:
            log.info("%s", compared.sentence(trial, parameters.statistics.level))


def _versions(catalog: LongtailCatalog, name: str) -> list[str]:
    """The versions of a dataset that are still there, newest first."""
    return [file.parent.name for file in version_files(path_of(catalog, name))]


def _version_at(catalog: LongtailCatalog, name: str, at: str) -> str | None:
    """The version of a dataset that a run with the version ``at`` has read or made.

    It is an older one if the dataset had not changed.
    """
    return next((version for version in _versions(catalog, name) if version <= at), None)


def _answers(catalog: LongtailCatalog, dataset: str, trial: str, version: str) -> AnswersOnTest:
    """The answers of a trial to the test photographs, as a run with a version gave them."""
    index, subsets, images = (
        catalog.load(name, _version_at(catalog, name, version))
        for name in (f"{dataset}_index", f"{dataset}_subsets", f"{dataset}_images")
    )
    test = images_of(subsets, "test", widest_test_set(subsets))
    answers = catalog.load(f"train.{trial}.answers", version).set_index("image").loc[test]
    names = index.set_index("image").loc[test, "class_name"]
    return AnswersOnTest(
        [hashlib.sha256(np.ascontiguousarray(images[image]).data).digest() for image in test],
        names.tolist(),
        answers["predicted"].eq(answers["label"]).tolist(),
    )
