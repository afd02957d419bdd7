"""The checks of the photographs to name, and of the trial that names them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.naming.recognizer import PRIOR_IN_WORDS
from longtail.naming.trial_choice import check_choice, without_validation
from longtail.parameters import OfficialTestHoldout, Parameters
from longtail.pipelines.predict.pipeline import dataset_of
from longtail.project import from_root, located
from longtail.records.deployments import read_deployments
from longtail.records.times import time_zone_of
from longtail.sources.boxes.cut_photographs import check_boxes
from longtail.sources.corrections import read_corrections
from longtail.sources.photographs import find_photographs


def check_trial(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse a trial to name photographs with that cannot be chosen, before any is trained.

    Raises:
        ConfigurationError: if no trial is trained without a post-hoc method, or the requested one
            is none of them.
        DataError: if none is requested, and there are no validation images to choose by.
    """
    parameters, made = catalog.parameters(), pipeline.all_outputs()
    dataset = dataset_of(parameters)
    if not {f"{dataset}_chosen_trial", f"{dataset}_results"} <= made:
        return
    trials = catalog.load(f"params:report.{dataset}.trials").trials
    trained = [trial.name for trial in trials if trial.method.external is None]
    requested = parameters.predict.trial
    check_choice(
        requested,
        trained=trained,
        external=[trial.name for trial in trials if trial.method.external is not None],
        adjusted=[trial.name for trial in trials if trial.method.post_hoc is not None],
    )
    holdout = parameters.datasets[dataset].imbalance.holdout
    if requested is None and isinstance(holdout, OfficialTestHoldout):
        raise without_validation(dataset, trained[0])


@contextmanager
def _unlogged() -> Iterator[None]:
    """Log no information and no warning within the block."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@_unlogged()
def check_request(parameters: Parameters) -> None:
    """Refuse a folder of photographs, a list, a table or a prior that cannot be used.

    Nothing is logged: the nodes read the same files, and say what they find.

    Raises:
        ConfigurationError: if there are several data sets to choose from, or no such time zone.
        DataError: naming the key and what to do.
    """
    asked, datasets = parameters.predict, parameters.grid.datasets
    if asked.dataset is None and len(datasets) > 1:
        raise ConfigurationError(
            f"predict.dataset: choose the data set whose species to use, such as "
            f"--params=predict.dataset={datasets[0]}. The grid has {', '.join(datasets)}"
        )
    found = find_photographs(asked.path)  # reads names, no images
    if asked.boxes is not None:
        check_boxes(found, asked, "predict")
    files = {
        "species_list": asked.species_list,
        "taxonomy": asked.taxonomy,
        "synonyms": asked.synonyms,
        "deployments": asked.deployments,
    }
    for key, file in files.items():
        if file is not None and not located(file).is_file():
            raise DataError(f"predict.{key}: there is no file '{file}'{from_root(file)}")
    zone = time_zone_of(asked.time_zone)
    if asked.corrections is not None:
        read_corrections(asked.corrections, "predict.corrections")
    read_deployments(asked.deployments, zone)
    if asked.prior not in PRIOR_IN_WORDS and not located(asked.prior).is_file():
        raise DataError(
            f"predict.prior: '{asked.prior}' is neither {' nor '.join(PRIOR_IN_WORDS)} nor a CSV "
            f"file (species, weight)"
        )
