"""Nodes of the predict stage. torch is imported in the nodes that need it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import UInt8Array
from longtail.imbalance.profiles import GROUPS
from longtail.naming.neighbours import LEARNT_FEATURES
from longtail.naming.novelty_scores import NEIGHBOUR_SCORES
from longtail.naming.recognizer import (
    TrainedTrial,
    log_recognizer,
    make_recognizer,
    read_prior_and_taxonomy,
)
from longtail.naming.trial_choice import ChosenTrial, choose_trial, trained_trial, weights_of
from longtail.parameters import Compute, Dataset, FolderSource, Predict
from longtail.pipelines.predict.cross_fitting import cross_fit, is_cross_fitted
from longtail.pipelines.predict.held_out import held_out_logits
from longtail.records.camtrap_dp import camtrap_package
from longtail.records.captures import log_captures, read_captures
from longtail.records.darwin_core import occurrences
from longtail.records.deployments import Deployments, read_deployments
from longtail.records.human_names import with_human_names
from longtail.records.identifications import ANIMAL_KIND, identifications, without_copies
from longtail.records.left_out import left_out_table, log_left_out
from longtail.records.nights import nights_table
from longtail.records.times import time_zone_of
from longtail.reporting.page.names_page import most_doubtful, names_page
from longtail.sources.box import BOX_MARGIN
from longtail.sources.boxes.cut_photographs import cut_photographs
from longtail.sources.corrections import read_corrections
from longtail.sources.decoding.decode import DEFAULT_LIMITS, DecodeLimits
from longtail.sources.images import Rejected
from longtail.sources.listing import describe_ignored
from longtail.sources.photographs import (
    Photographs,
    find_photographs,
    thumbnails,
)
from longtail.trials.training_job import Split, TrainingJob

log = logging.getLogger(__name__)


def select_trial(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    predict: Predict,
    compute: Compute,
) -> ChosenTrial:
    """Select the best trial on the validation images, or the one of the parameters.

    Raises:
        ConfigurationError: if there is no such trial.
        DataError: if there is nothing to choose by, or the results are stale.
    """
    name = choose_trial(results, source["dataset"], predict.trial)
    trained, fingerprint = trained_trial(name, results, trainings, source, index, subsets)
    training = trainings.loc[trainings["fingerprint"] == fingerprint].iloc[0]
    checksum = training["weights_sha256"]
    return ChosenTrial(
        trained.model_copy(update={"compute": compute}),
        fingerprint,
        source["sha256"],
        checksum if isinstance(checksum, str) else None,
        float(training["seconds"]),
    )


def describe_recognizer(
    chosen: ChosenTrial,
    images: UInt8Array,
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    store: Path,
    predict: Predict,
) -> tuple[dict[str, Any], list[str]]:
    """Calibrate the chosen trial, and measure how reliable its names are.

    If it is cross-fitted (:mod:`longtail.pipelines.predict.cross_fitting`), a model of all
    photographs names, and the others measure. Otherwise the trial itself names, and the validation
    and test photographs measure.

    Returns:
        The recognizer of :func:`longtail.naming.recognizer.make_recognizer`, with the key of the
        features of the photographs that it has learnt, if it compares new ones with them. And the
        names in the user's list of species and table of synonyms.

    Raises:
        DataError: if the trained weights are missing, or a file of the user cannot be used.
    """
    trial, labels = chosen.trial, index["label"].to_numpy()
    profile = profile.sort_values("label")
    class_names = profile["class_name"].tolist()
    split = Split.of_trial(trial, labels, subsets, len(class_names))
    stated = read_prior_and_taxonomy(predict, class_names, split.class_counts)
    # Checked before the logits are computed: without weights no photograph can be named.
    weights = weights_of(store, chosen.fingerprint, trial.name)
    if is_cross_fitted(chosen, predict):
        fitted = cross_fit(chosen, weights, split, images, index, subsets, store, predict)
        job, fingerprint = fitted.job, fitted.fingerprint
        held_out, key = fitted.held_out, fitted.learnt_features
    else:
        job, fingerprint = TrainingJob.of(trial, split), chosen.fingerprint
        held_out = held_out_logits(chosen, job, weights, images, labels, subsets, store)
        key = None
    is_tail = (profile["group"] == GROUPS[-1]).to_numpy() & (np.ptp(job.split.class_counts) > 0)
    trained = TrainedTrial(job, fingerprint, is_tail, class_names, images.shape[1])
    recognizer = make_recognizer(trained, held_out, stated, predict)
    compares = recognizer["unknown"]["score"] in NEIGHBOUR_SCORES
    recognizer[LEARNT_FEATURES] = key if compares else None
    log_recognizer(recognizer)
    return recognizer, stated.names_in_tables


def list_photographs(predict: Predict, dataset: Dataset, source: dict[str, Any]) -> Photographs:
    """The photographs to name, or the animals in their boxes; files that are skipped are logged.

    They may have as many pixels as the images of the data set.

    Raises:
        DataError: if there are no photographs.
    """
    of_dataset = dataset.source
    limits = (
        DecodeLimits(of_dataset.max_pixels)
        if isinstance(of_dataset, FolderSource)
        else DEFAULT_LIMITS
    )
    found = find_photographs(predict.path, limits)
    if skipped := describe_ignored(found.ignored, found.system_files):
        log.info("Skipped: %s", skipped)
    margin, size = predict.box_margin, of_dataset.image_size
    learnt_margin = source.get(BOX_MARGIN)
    if not predict.cuts_animals:
        if learnt_margin is not None:
            log.warning(
                "%s has learnt from animals that were cut from their photographs, but these "
                "photographs are named whole: set predict.boxes or predict.find_animals, too",
                dataset.label,
            )
        return found
    if learnt_margin not in (None, margin):
        log.warning(
            "predict.box_margin is %g, but the data set was cut with %g: animals are named best as "
            "they were learnt",
            *(margin, learnt_margin),
        )
    return cut_photographs(found, predict, "predict", margin, size)


def list_deployments(predict: Predict) -> Deployments:
    """The traps of the table of deployments; none if there is no table.

    Raises:
        DataError: if it cannot be used; a wrong row is only reported.
    """
    return read_deployments(predict.deployments, time_zone_of(predict.time_zone))


def read_time_and_place(
    photographs: Photographs, deployments: Deployments, predict: Predict
) -> pd.DataFrame:
    """When and where each file was photographed, as far as it is known; what is wrong is logged."""
    zone = time_zone_of(predict.time_zone)
    captures = read_captures(photographs, deployments, zone)
    log_captures(captures, deployments)
    return captures


def publish_records(
    names: pd.DataFrame,
    recognizer: dict[str, Any],
    names_in_tables: list[str],
    photographs: Photographs,
    deployments: Deployments,
    predict: Predict,
    dataset: Dataset,
) -> tuple[dict[str, bytes], pd.DataFrame, pd.DataFrame, pd.DataFrame, bytes]:
    """Records of the names in standard formats; what is left out is logged.

    Returns:
        The Camtrap DP package as its files, Darwin Core occurrences, the rows that are left out,
        and the table and the figure of nights by species.
    """
    from longtail.reporting.figures.nights import nights_figure

    identified = identifications(names, recognizer, photographs.boxes)
    unused: list[Rejected] = []
    if predict.corrections is not None:
        corrections, unused = read_corrections(predict.corrections, "predict.corrections")
        identified, unused = with_human_names(
            identified, corrections, recognizer, names_in_tables, unused
        )
    identified, copies = without_copies(identified)
    package = camtrap_package(
        identified, deployments, predict.survey, dataset.label, datetime.now(UTC)
    )
    found = occurrences(identified, predict.survey.recorder)
    left_out = left_out_table(
        pd.concat([package.left_out, copies[["file", "why"]]]),
        pd.concat([found.left_out, copies.loc[copies["kind"] == ANIMAL_KIND, ["file", "why"]]]),
        deployments.problems,
        unused,
    )
    log_left_out(left_out, len(names))
    nights = nights_table(identified, recognizer["class_names"])
    return package.files, found.table, left_out, nights, nights_figure(nights).png


def copy_for_spreadsheet(names: pd.DataFrame) -> pd.DataFrame:
    """The table of names, to be saved in another format."""
    return names


def draw_gallery(
    names: pd.DataFrame,
    recognizer: dict[str, Any],
    photographs: Photographs,
    predict: Predict,
    dataset: Dataset,
) -> str:
    """The page on which the names are reviewed: one self-contained HTML file."""
    chosen = most_doubtful(names, predict.gallery)
    files = {file: photographs.files[file] for file in chosen["file"]}
    pictures = thumbnails(files, photographs.limits)
    originals = {name: (file.container, file.frame.name) for name, file in files.items()}
    learnt = "animal" if dataset.cuts_animals else "photograph"
    return names_page(dataset.label, names, chosen, pictures, originals, recognizer, learnt)
