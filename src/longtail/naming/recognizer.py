"""The recognizer: a trained trial's decision rule, with its calibration, thresholds and records.

It is plain values, so that it can be stored as JSON and exported beside the weights.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from longtail.arrays import BoolArray, Float64Array, Int64Array
from longtail.errors import DataError
from longtail.naming.calibration import calibrate
from longtail.naming.certified_threshold import Threshold
from longtail.naming.decision_rule import Decision, DecisionRule
from longtail.naming.error_rates import DEFAULT_RATES, fit_thresholds, ladder
from longtail.naming.held_out_answers import LabelledLogits
from longtail.naming.measured_trust import (
    HELD_OUT_PHOTOGRAPHS,
    TEST_PHOTOGRAPHS,
    NamedPhotographs,
    trust_on_test,
)
from longtail.naming.novelty_threshold import fit_novelty
from longtail.naming.priors import assumed_prior
from longtail.naming.synonyms import read_synonyms
from longtail.naming.taxonomy import Taxonomy, genera, ranks_of, read_taxonomy
from longtail.naming.track_record import overall_accuracy, track_record
from longtail.naming.user_tables import read_species_list, read_weights
from longtail.parameters import Predict
from longtail.schemas.vocabulary import SPECIES
from longtail.trials.training_job import TrainingJob
from longtail.wording import decimal, level_in_percent, listed

# The priors that are no files.
PRIOR_IN_WORDS = {
    "uniform": "all species are assumed to be equally common",
    "train": "species are assumed to be as common as among the training images",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedTrial:
    """A finished training.

    Attributes:
        job: the training.
        fingerprint: fingerprint of the training.
        is_tail: whether each class is one of the tail, (classes,).
        class_names: names of the classes, in the order of the labels.
        image_size: the side of the stored images, to which photographs are cropped, in pixels.
    """

    job: TrainingJob
    fingerprint: str
    is_tail: BoolArray
    class_names: list[str]
    image_size: int


@dataclass(frozen=True)
class HeldOutLogits:
    """Logits of images, none of them from a model that was trained on the image.

    Attributes:
        validation: images that calibration and thresholds are fitted on; may be none.
        test: images on which the track record and the errors of trusted names are counted.
        test_set: name of that test set.
        unknown: images of classes that the model was not shown; None if there is none.
        folds: fold of each image of ``validation``, (images,), if the trial is cross-fitted. The
            same images are then those of ``test``. None for a trial of one model.
    """

    validation: LabelledLogits
    test: LabelledLogits
    test_set: str
    unknown: LabelledLogits | None
    folds: Int64Array | None = None


@dataclass(frozen=True)
class PriorAndTaxonomy:
    """What the user states about the new photographs.

    Attributes:
        prior: frequency of each class there, (classes,); sums to 1, and is 0 for a class that
            cannot occur.
        words: the same in words.
        taxonomy: the ranks above each class, lowest first.
        names_in_tables: all names in the list of species and the table of synonyms.
    """

    prior: Float64Array
    words: str
    taxonomy: Taxonomy
    names_in_tables: list[str]


def read_prior_and_taxonomy(
    requested: Predict, class_names: list[str], class_counts: Int64Array
) -> PriorAndTaxonomy:
    """Read the prior, the list of species and the taxonomy that the user states.

    Raises:
        DataError: if a file cannot be used.
    """
    listed = np.ones(len(class_names), dtype=bool)
    synonyms = read_synonyms(requested.synonyms)
    names = [*synonyms.keys(), *synonyms.values()]
    if requested.species_list is not None:
        listed, in_list = read_species_list(requested.species_list, class_names, synonyms)
        names += in_list
    if requested.prior in PRIOR_IN_WORDS:
        weights = np.where(listed, class_counts if requested.prior == "train" else 1, 0)
        prior = weights / weights.sum()
        words = PRIOR_IN_WORDS[requested.prior]
    else:
        prior = read_weights(requested.prior, class_names, listed, synonyms)
        words = f"species are assumed to be as common as '{requested.prior}' says"
    if not listed.all():
        words += f"; only the {listed.sum()} of {len(listed)} listed species can occur"
    taxonomy = (
        genera(class_names)
        if requested.taxonomy is None
        else read_taxonomy(requested.taxonomy, class_names, synonyms)
    )
    from longtail.schemas.named_photographs import names_columns

    columns = names_columns(ranks_of(taxonomy))
    for rank in ranks_of(taxonomy):
        if columns.count(rank) > 1:
            raise DataError(
                f"predict.taxonomy: '{requested.taxonomy}' has the column '{rank}', as the table "
                f"of names has: give it another name"
            )
    return PriorAndTaxonomy(prior, words, taxonomy, names)


def make_recognizer(
    trained: TrainedTrial, held_out: HeldOutLogits, stated: PriorAndTaxonomy, requested: Predict
) -> dict[str, Any]:
    """Calibrate a trained trial, fit its thresholds and count how often its names are right.

    Returns:
        Plain values; :class:`longtail.naming.decision_rule.DecisionRule` reads them.
    """
    job, trial, class_counts = trained.job, trained.job.trial, trained.job.split.class_counts
    validation, test, unknown = held_out.validation, held_out.test, held_out.unknown
    loss, mixed = job.losses.last, job.recipe.mixing is not None
    assumed, exactness = assumed_prior(loss, job.seen_counts, mixed)
    values: dict[str, Any] = {
        "dataset": trial.dataset,
        "trial": trial.model_dump(mode="json"),
        "name": trial.name,
        "fingerprint": trained.fingerprint,
        "class_names": trained.class_names,
        "image_size": trained.image_size,
        "input_size": trial.recipe.image_size,
        "loss": loss.as_dict(),
        "train_prior": (class_counts / class_counts.sum()).tolist(),
        "assumed_prior": assumed.tolist(),
        "assumed_prior_is": exactness,
        "prior": stated.prior.tolist(),
        "prior_is": stated.words,
        "taxonomy": stated.taxonomy,
        "test_set": held_out.test_set,
        "folds": None if held_out.folds is None else len(np.unique(held_out.folds)),
        "track_record": {},
        "track_record_above": {},
    }
    values |= _fitted(values, validation, unknown, requested)
    rule = DecisionRule.of(values)
    values["ladder"] = ladder(rule, validation, requested.confidence)
    trust = trust_on_test(
        rule,
        _tested(values, held_out, requested),
        None if unknown is None else rule.decide(unknown.logits, unknown.similarity),
        trained.is_tail,
        requested.confidence,
    )
    values["trusted_on_test"] = asdict(trust)
    can_occur = stated.prior[test.labels] > 0
    records = track_record(
        rule.posteriors(test.logits[can_occur]),
        test.labels[can_occur],
        rule.ranks,
        class_counts,
        requested.confidence,
    )
    values["track_record"] = records.pop(SPECIES)
    values["track_record_above"] = records
    return values


def _fitted(
    values: Mapping[str, Any],
    validation: LabelledLogits,
    unknown: LabelledLogits | None,
    requested: Predict,
) -> dict[str, Any]:
    """The part of a recognizer that is fitted on validation images."""
    assumed = np.array(values["assumed_prior"])
    calibration = calibrate(validation.logits, validation.labels, assumed)
    novelty_rule = fit_novelty(validation, unknown, calibration.temperature, assumed)
    fitted: dict[str, Any] = {
        "temperature": calibration.temperature,
        "calibration": asdict(calibration),
        "unknown": asdict(novelty_rule),
        "thresholds": {},
    }
    rule = DecisionRule.of({**values, **fitted})  # without thresholds, which are fitted with it
    error_rate, thresholds = _chosen_thresholds(rule, validation, requested)
    fitted["error_rate"] = error_rate
    fitted["error_rate_is"] = _rate_in_words(thresholds, requested)
    fitted["thresholds"] = {rank: asdict(of_rank) for rank, of_rank in thresholds.items()}
    return fitted


def _tested(
    values: Mapping[str, Any], held_out: HeldOutLogits, requested: Predict
) -> NamedPhotographs:
    """The names of test images by what was fitted on others."""
    test, folds = held_out.test, held_out.folds
    if folds is None:
        decision = DecisionRule.of(values).decide(test.logits, test.similarity)
        return NamedPhotographs(decision, test.labels, TEST_PHOTOGRAPHS)
    requested = requested.model_copy(update={"error_rate": values["error_rate"]})
    positions, decisions = [], []
    for fold in np.unique(folds):
        own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        fitted = _fitted(values, test.of(others), None, requested)
        rule, held = DecisionRule.of({**values, **fitted}), test.of(own)
        positions.append(own)
        decisions.append(rule.decide(held.logits, held.similarity))
    joined = Decision.joined(decisions, np.concatenate(positions))
    return NamedPhotographs(joined, test.labels, HELD_OUT_PHOTOGRAPHS)


def _chosen_thresholds(
    rule: DecisionRule, validation: LabelledLogits, requested: Predict
) -> tuple[float, dict[str, Threshold]]:
    """The error rate asked for, or the first with which a name is trusted, and its thresholds.

    Without one the last error rate.
    """
    rates = DEFAULT_RATES if requested.error_rate is None else (requested.error_rate,)
    for rate in rates:
        thresholds = fit_thresholds(rule, validation, rate, requested.confidence)
        if any(fitted.threshold is not None for fitted in thresholds.values()):
            break
    return rate, thresholds


def _rate_in_words(thresholds: Mapping[str, Threshold], requested: Predict) -> str:
    """Why an error rate was taken."""
    if requested.error_rate is not None:
        return "as predict.error_rate says"
    tried = listed(level_in_percent(each) for each in DEFAULT_RATES)
    if all(fitted.threshold is None for fitted in thresholds.values()):
        return f"predict.error_rate is not set, and no name can be trusted at {tried}"
    return f"predict.error_rate is not set: the first of {tried} at which any name can be trusted"


def log_recognizer(recognizer: Mapping[str, Any]) -> None:
    """Log which trial names the photographs, and where its names can be trusted."""
    log.info(
        "%s: named by %s; %s", recognizer["dataset"], recognizer["name"], recognizer["prior_is"]
    )
    log.info("Probabilities are %s", recognizer["calibration"]["note"])
    thresholds = recognizer["thresholds"]
    rate = level_in_percent(recognizer["error_rate"])
    log.info("Trusted names: at most %s of them are wrong (%s)", rate, recognizer["error_rate_is"])
    for rank, fitted in thresholds.items():
        threshold = fitted["threshold"]
        if threshold is not None:
            log.info("%s from probability %s on: %s", rank, decimal(threshold), fitted["note"])
        else:
            log.info("%s never: %s", rank, fitted["note"])
    if all(fitted["threshold"] is None for fitted in thresholds.values()):
        log.warning(
            "No name is trusted: %s. Tolerate more (a larger predict.error_rate), train longer, or "
            "add photographs",
            thresholds[SPECIES]["note"],
        )
    worth, images = (thresholds[SPECIES][key] for key in ("effective_images", "images"))
    if worth <= images / 2:
        log.warning(
            "The stated prior differs so much from the %s held-out photographs that they are "
            "worth %s. State how common the species are (predict.prior), or train if they are as "
            "common as among the training images: more names are then trusted",
            f"{images:,}",
            f"{worth:,.0f}",
        )
    if species := overall_accuracy(recognizer["track_record"]):
        log.info("Most probable species: %s", species)
    log.info("Unknown species: %s", recognizer["unknown"]["note"])
    on_test, tolerated = recognizer["trusted_on_test"], recognizer["error_rate"]
    log.info("Test: %s", on_test["note"])
    if on_test["low"] is not None and on_test["low"] > tolerated:
        log.warning(
            "More trusted names of these photographs are wrong than predict.error_rate (%s) "
            "tolerates: expect the same of new photographs",
            f"{tolerated:.4g}",
        )
