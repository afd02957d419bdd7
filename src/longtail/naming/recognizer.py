"""The sheet of a recognizer: all that turns a trained trial's logits into names and their trust.

The sheet is plain values, so that it can be kept, read and exported beside the weights.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from longtail.arrays import Float64Array, FloatArray, Int64Array
from longtail.errors import DataError
from longtail.naming.answers_table import columns_with
from longtail.naming.calibration import calibrate
from longtail.naming.certified_threshold import Threshold, certify
from longtail.naming.decision_rule import SPECIES, Best, Sheet
from longtail.naming.measured_trust import prior_weights, trust_on_test
from longtail.naming.novelty_threshold import novelty, novelty_threshold
from longtail.naming.priors import assumed_prior
from longtail.naming.seen_before import ALREADY_IN
from longtail.naming.taxonomy import Taxonomy, genera, ranks_of, read_taxonomy
from longtail.naming.track_record import track_record
from longtail.naming.user_tables import read_species_list, read_weights
from longtail.parameters import Predict, Trial
from longtail.trials.canonical_loss import CanonicalLoss
from longtail.wording import counted, decimal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """Logits of images whose labels are known.

    Attributes:
        logits: (images, classes).
        labels: (images,); -1 of species that the model was not shown.
    """

    logits: FloatArray
    labels: Int64Array


@dataclass(frozen=True)
class Stated:
    """What the user says of where the photographs come from.

    Attributes:
        prior: how common each class is there; sums to 1, and is 0 where it cannot occur.
        words: the same in words.
        taxonomy: the ranks above each class, lowest first.
    """

    prior: Float64Array
    words: str
    taxonomy: Taxonomy


def stated(asked: Predict, class_names: list[str], counts: Int64Array) -> Stated:
    """Read what the user states.

    Args:
        asked: the parameters, with the files to read.
        class_names: in the order of the labels.
        counts: the trial's training images of each class.

    Raises:
        DataError: if a file cannot be used.
    """
    listed = np.ones(len(class_names), dtype=bool)
    if asked.species_list is not None:
        listed = read_species_list(asked.species_list, class_names)
    if asked.prior in ("uniform", "train"):
        weights = np.where(listed, counts if asked.prior == "train" else 1, 0).astype(np.float64)
        prior = weights / weights.sum()
        words = {
            "uniform": "no species is taken to be commoner than another",
            "train": "species are taken to be as common as among the training images",
        }[asked.prior]
    else:
        prior = read_weights(asked.prior, class_names, listed)
        words = f"species are taken to be as common as '{asked.prior}' says"
    if not listed.all():
        words += f"; only the {listed.sum()} of {len(listed)} listed species can occur"
    taxonomy = (
        genera(class_names)
        if asked.taxonomy is None
        else read_taxonomy(asked.taxonomy, class_names)
    )
    columns = [*columns_with(ranks_of(taxonomy)), ALREADY_IN]
    for rank in ranks_of(taxonomy):
        if columns.count(rank) > 1:
            raise DataError(
                f"predict.taxonomy: '{asked.taxonomy}' has the column '{rank}', as the table of "
                f"names has: give it another name"
            )
    return Stated(prior, words, taxonomy)


def describe(
    trial: Trial,
    fingerprint: str,
    loss: CanonicalLoss,
    counts: Int64Array,
    class_names: list[str],
    image_size: int,
    asked: Predict,
    given: Stated,
    validation: Evaluated,
    test: Evaluated,
    test_set: str,
    unknown: FloatArray | None,
) -> dict[str, Any]:
    """The sheet of a recognizer.

    Args:
        trial: what was trained.
        fingerprint: of its training.
        loss: of its last epoch.
        counts: its training images of each class.
        class_names: in the order of the labels.
        image_size: the side of the stored images, to which photographs are cut, in pixels.
        asked: the parameters.
        given: what the user states.
        validation: what temperature and thresholds are fitted on; may be of no image.
        test: what the track record, and how many trusted names are wrong, are counted on.
        test_set: the name of that test set.
        unknown: logits of images of species that the model was not shown; None if there is none.

    Returns:
        Plain values; :class:`longtail.naming.decision_rule.Sheet` reads them.
    """
    assumed, exactness = assumed_prior(loss, counts)
    logits, labels = validation.logits, validation.labels
    calibration = calibrate(logits, labels, assumed)
    strangeness = novelty_threshold(novelty(logits), None if unknown is None else novelty(unknown))
    values: dict[str, Any] = {
        "dataset": trial.dataset,
        "trial": trial.model_dump(mode="json"),
        "name": trial.name,
        "fingerprint": fingerprint,
        "class_names": class_names,
        "image_size": image_size,
        "input_size": trial.recipe.image_size,
        "temperature": calibration.temperature,
        "calibration": calibration.as_dict(),
        "loss": loss.as_dict(),
        "train_prior": (counts / counts.sum()).tolist(),
        "assumed_prior": assumed.tolist(),
        "assumed_prior_is": exactness,
        "prior": given.prior.tolist(),
        "prior_is": given.words,
        "taxonomy": given.taxonomy,
        "unknown": strangeness.as_dict(),
        "thresholds": {},
        "test_set": test_set,
        "track_record": {},
        "track_record_above": {},
    }
    sheet = Sheet.of(values)
    thresholds = fit_thresholds(sheet, logits, labels, asked)
    values["thresholds"] = {rank: found.as_dict() for rank, found in thresholds.items()}
    values["trusted_on_test"] = trust_on_test(
        Sheet.of(values), test.logits, test.labels, unknown, asked.confidence
    ).as_dict()
    possible = given.prior[test.labels] > 0
    of_test = sheet.posteriors(test.logits[possible])
    records = track_record(
        of_test, test.labels[possible], sheet.ranks, class_names, counts, asked.confidence
    )
    values["track_record"] = records.pop(SPECIES)
    values["track_record_above"] = records
    return values


def fit_thresholds(
    sheet: Sheet, logits: FloatArray, labels: Int64Array, asked: Predict
) -> dict[str, Threshold]:
    """A certified threshold for each rank, each on what the ranks below leave unnamed.

    Photographs that look like no known species are not named, and so are left out, as are those
    of species that cannot occur. The others are weighted to the stated prior.
    """
    weights, strange = prior_weights(sheet, labels), sheet.is_strange(logits)
    left = (weights > 0) & ~strange
    left_out = {
        "of species that cannot occur": int((weights == 0).sum()),
        "that look like none of the known species": int(((weights > 0) & strange).sum()),
    }
    probabilities = sheet.posteriors(logits)
    found = {}
    for rank in sheet.ranks:
        best = Best.of(rank.roll_up(probabilities))
        right = rank.group_of[labels] == best.group
        found[rank.name] = certify(
            best.probability[left],
            right[left],
            weights[left],
            asked.error_rate,
            asked.confidence,
            _among(int(left.sum()), len(labels), left_out),
        )
        threshold = found[rank.name].threshold
        if threshold is not None:
            sure = best.probability >= threshold
            left_out[f"that have a {rank.name}"] = int((left & sure).sum())
            left &= ~sure
    return found


def _among(images: int, of: int, left_out: Mapping[str, int]) -> str:
    """How many validation photographs count, and which of them do not, in words."""
    without = [f"{count:,} {which}" for which, count in left_out.items() if count]
    less = f" ({of:,} without {' and '.join(without)})" if without else ""
    return f"{counted(images, 'validation photograph')}{less}"


def tell(sheet: Mapping[str, Any]) -> None:
    """Say once what the recognizer is, and where it can be trusted."""
    log.info("%s: named by %s; %s", sheet["dataset"], sheet["name"], sheet["prior_is"])
    log.info("Probabilities are %s", sheet["calibration"]["note"])
    thresholds = sheet["thresholds"]
    for rank, found in thresholds.items():
        threshold = found["threshold"]
        if threshold is not None:
            log.info("%s from probability %s on: %s", rank, decimal(threshold), found["note"])
        else:
            log.info("%s never: %s", rank, found["note"])
    if all(found["threshold"] is None for found in thresholds.values()):
        log.warning(
            "No name is trusted: %s. Tolerate more (a larger predict.error_rate), train longer, or "
            "hold out more photographs for validation",
            thresholds[SPECIES]["note"],
        )
    log.info("Unknown species: %s", sheet["unknown"]["note"])
    on_test, tolerated = sheet["trusted_on_test"], thresholds[SPECIES]["error_rate"]
    log.info("Test: %s", on_test["note"])
    if on_test["low"] is not None and on_test["low"] > tolerated:
        log.warning(
            "More of the test photographs' trusted names are wrong than predict.error_rate (%s) "
            "tolerates: expect that of new photographs, too",
            f"{tolerated:.4g}",
        )
