"""Nodes of the predict stage. torch is imported where a node needs it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from longtail.arrays import Int64Array, UInt8Array
from longtail.datasets.trials import TrialFiles
from longtail.imbalance import UNKNOWN, images_of, widest_test_set
from longtail.naming import recognizer as sheets
from longtail.naming.answers_table import columns_of, name_all, tell_of_names, unreadable
from longtail.naming.decision_rule import Sheet
from longtail.naming.recognizer import Evaluated
from longtail.naming.seen_before import ALREADY_IN, LEARNT, Familiar, tell_of_familiar
from longtail.naming.stored_logits import FIGURE, stored_logits
from longtail.naming.trial_choice import choose_trial, trained_trial, weights_of
from longtail.parameters import Compute, Dataset, Predict, Trial
from longtail.reporting.page.names_page import names_page, select_photographs
from longtail.sources.listing import others_in_words
from longtail.sources.photographs import (
    Photographs,
    decode_in_chunks,
    find_photographs,
    thumbnails,
)
from longtail.trials.training_job import VALIDATION, Split, TrainingJob
from longtail.trials.verification import trial_names
from longtail.wording import counted

log = logging.getLogger(__name__)


def describe_recognizer(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: dict[str, Any],
    images: UInt8Array,
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    profile: pd.DataFrame,
    predictions: TrialFiles,
    store: Path,
    asked: Predict,
    compute: Compute,
) -> dict[str, Any]:
    """Choose a trained trial, and find out what its answers are worth.

    Args:
        results: of the data set, a row a trial and held-out set.
        trainings: a row a trial.
        source: the summary of the data set's source.
        images: uint8 (images, height, width, 3).
        index: a row an image.
        subsets: a row an image and subset.
        profile: a row a class.
        predictions: the files of the logits that its trials have stored.
        store: the folder of finished trainings.
        asked: how photographs are to be named.
        compute: the device to use.

    Returns:
        The sheet of :func:`longtail.naming.recognizer.describe`.
    """
    name = choose_trial(results, source["dataset"], asked.trial)
    trained, fingerprint = trained_trial(name, results, trainings, source, index, subsets)
    trial = trained.model_copy(update={"compute": compute})
    labels = index["label"].to_numpy()
    job = TrainingJob.of(trial, Split.of(labels, subsets, trial.train_set, source["classes"]))
    counts = job.split.class_counts
    class_names = profile.sort_values("label")["class_name"].tolist()
    given = sheets.stated(asked, class_names, counts)
    test_set = widest_test_set(subsets)
    validation, test, strangers = _held_out(subsets).values()
    together = np.concatenate([validation, test, strangers])
    # Before anything is computed: without them no photograph can be named.
    weights_of(store, fingerprint, name)
    of_trial = results[(trial_names(results) == name) & (results["test_set"] == test_set)]
    figure = float(of_trial[FIGURE].iloc[0])
    logits = stored_logits(predictions.versions(name), together, test, figure)
    if logits is None:
        log.info("The logits that %s's results are of are not stored any more", name)
        model = _loaded(store, fingerprint, trial, len(class_names))
        logits = model.logits_in_chunks(images, together, f"Testing {name}")
    of_validation, of_test, of_strangers = np.split(logits, np.cumsum([len(validation), len(test)]))
    sheet = sheets.describe(
        trial,
        fingerprint,
        job.losses.last,
        counts,
        class_names,
        source["height"],
        asked,
        given,
        Evaluated(of_validation, labels[validation]),
        Evaluated(of_test, labels[test]),
        test_set,
        of_strangers if len(strangers) else None,
    )
    sheets.tell(sheet)
    return sheet


def list_photographs(asked: Predict) -> Photographs:
    """What is to be named; other files are told.

    Raises:
        DataError: if there are no photographs.
    """
    found = find_photographs(asked.path)
    if found.others:
        log.info("Not looked at: %s", others_in_words(found.others))
    return found


def name_photographs(
    recognizer: dict[str, Any],
    photographs: Photographs,
    images: UInt8Array,
    subsets: pd.DataFrame,
    store: Path,
    compute: Compute,
) -> pd.DataFrame:
    """Name new photographs, a row a file, in the order of their names.

    Pictures that are not or cannot be read have a row with the reason, and those that the data set
    has already the part that they are in.

    Args:
        recognizer: the sheet of the trial that names them.
        photographs: what is to be named.
        images: of the data set, uint8 (images, height, width, 3).
        subsets: a row an image and subset.
        store: the folder of finished trainings.
        compute: the device to use.

    Raises:
        DataError: if the trained weights are gone.
    """
    sheet = Sheet.of(recognizer)
    trial = Trial.model_validate(recognizer["trial"]).model_copy(update={"compute": compute})
    model = _loaded(store, recognizer["fingerprint"], trial, len(sheet.class_names))
    from longtail.learning.inference.trained_model import images_per_chunk

    size = recognizer["image_size"]
    chunk = images_per_chunk(size)
    names = list(photographs.files)
    learnt = images_of(subsets, "train", trial.train_set)
    familiar = Familiar(images, {LEARNT: learnt, **_held_out(subsets)})
    parts = [unreadable(sheet, file, why) for file, why in photographs.refused.items()]
    title = f"Naming {counted(len(names), 'photograph')}"
    chunks = decode_in_chunks(list(photographs.files.values()), size, chunk, title)
    for start, decoded in zip(range(0, len(names), chunk), chunks, strict=True):
        pairs = list(zip(names[start : start + chunk], decoded, strict=True))
        usable = [(file, pixels) for file, pixels in pairs if not isinstance(pixels, str)]
        parts += [unreadable(sheet, file, r) for file, r in pairs if isinstance(r, str)]
        if usable:
            logits = model.logits(np.stack([pixels for _, pixels in usable]))
            named = name_all(sheet, [file for file, _ in usable], logits)
            parts.append(named.assign(**{ALREADY_IN: [familiar.part_of(p) for _, p in usable]}))
    rows = [row for part in parts for row in part.to_dict("records")]
    rows.sort(key=lambda row: str(row["file"]).split("/"))
    table = pd.DataFrame(rows, columns=[*columns_of(sheet), ALREADY_IN])
    table[ALREADY_IN] = table[ALREADY_IN].fillna("")  # of files that cannot be read
    tell_of_names(table)
    tell_of_familiar(table)
    return table


def draw_gallery(
    names: pd.DataFrame,
    recognizer: dict[str, Any],
    photographs: Photographs,
    asked: Predict,
    dataset: Dataset,
) -> str:
    """The photographs with their names, as one self-contained HTML page."""
    chosen = select_photographs(names, asked.gallery)
    files = {file: photographs.files[file] for file in chosen["file"]}
    return names_page(dataset.label, names, chosen, thumbnails(files), recognizer)


def _held_out(subsets: pd.DataFrame) -> dict[str, Int64Array]:
    """The images that no trial learns from: of validation, of the test set, of unknown species."""
    return {
        VALIDATION: images_of(subsets, VALIDATION, VALIDATION),
        "test": images_of(subsets, "test", widest_test_set(subsets)),
        UNKNOWN: images_of(subsets, UNKNOWN, UNKNOWN),
    }


def _loaded(store: Path, fingerprint: str, trial: Trial, classes: int) -> Any:
    """The trained model, or one message that it is gone."""
    from longtail.learning.inference.trained_model import Predictor, TrainedModel

    return Predictor(TrainedModel(weights_of(store, fingerprint, trial.name), trial, classes))
