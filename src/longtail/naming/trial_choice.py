"""Choice of the trained trial that names photographs: the best on validation, or a given one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from longtail.errors import ConfigurationError, DataError
from longtail.evaluation.trainings import TRIAL_COLUMNS, is_external, trial_names
from longtail.parameters import Trial, unknown
from longtail.remedies import remedy, train_again
from longtail.storage.store import TrainingStore
from longtail.trials.post_hoc import NONE, crops_in
from longtail.trials.training_job import VALIDATION_SET
from longtail.trials.verification import verified_results

# The metric of the choice, in which rare species count as much as common ones.
CHOICE_METRIC = "balanced_accuracy"
# Why a trial with a post-hoc method does not name photographs.
REPLACED_BY_PRIOR = "which the prior (predict.prior) replaces when photographs are named"


@dataclass(frozen=True)
class ChosenTrial:
    """The trained trial that names photographs.

    Attributes:
        trial: trial as it was trained, with the current compute parameters.
        fingerprint: fingerprint of its training.
        pixels_sha256: checksum of the data set's pixels.
        weights_sha256: checksum of the pretrained weights; None if it started at random.
        seconds: duration of its training.
    """

    trial: Trial
    fingerprint: str
    pixels_sha256: str
    weights_sha256: str | None
    seconds: float


def choose_trial(results: pd.DataFrame, dataset: str, requested: str | None) -> str:
    """The name of the trial to name photographs with: the requested one, or else the best.

    The best has the highest balanced accuracy on the validation images; among equals it is the
    first in the order of the grid.

    Raises:
        ConfigurationError: if the requested trial cannot be chosen.
        DataError: if there is nothing to choose by.
    """
    names, has_network = trial_names(results), ~is_external(results)
    is_plain = results["post_hoc"] == NONE
    plain = results[has_network & is_plain]
    check_choice(
        requested,
        trained=list(names[has_network].unique()),
        external=list(names[~has_network].unique()),
        adjusted=list(names[~is_plain].unique()),
    )
    if requested is not None:
        return requested
    on_validation = plain["test_set"] == VALIDATION_SET
    scores = plain.loc[on_validation, CHOICE_METRIC].astype(float).dropna()
    if scores.empty:
        raise without_validation(dataset, names[plain.index[0]])
    return str(names[scores.index[int(scores.to_numpy().argmax())]])


def check_choice(
    requested: str | None,
    *,
    trained: Sequence[str],
    external: Sequence[str],
    adjusted: Sequence[str],
) -> None:
    """Refuse to name photographs with a trial that has no network, or a post-hoc method.

    Photographs are named with unchanged logits: the prior replaces a post-hoc adjustment.

    Args:
        requested: name of the requested trial; None for the best.
        trained: names of the trials that are trained.
        external: names of the trials whose predictions are external.
        adjusted: names of the trials with a post-hoc method.

    Raises:
        ConfigurationError: naming what to choose.
    """
    if requested in external:
        raise ConfigurationError(
            f"predict.trial: {requested} are external predictions, whose network is not here to "
            f"name photographs. Choose a trial that was trained"
        )
    if not trained:
        raise ConfigurationError(
            "grid.methods: all are external predictions, whose networks are not here to name "
            "photographs. Add a method that is trained"
        )
    if requested is not None and requested not in trained:
        raise ConfigurationError(f"predict.trial: {unknown(requested, trained, 'trained trial')}")
    if requested in adjusted:
        raise ConfigurationError(
            f"predict.trial: {requested} has a post-hoc method (post_hoc), {REPLACED_BY_PRIOR}. "
            f"Choose a trial without one"
        )
    if set(trained) <= set(adjusted):
        raise ConfigurationError(
            f"grid.methods: all that are trained are post-hoc methods (post_hoc), "
            f"{REPLACED_BY_PRIOR}. Add the method without post_hoc, such as softmax: its training "
            f"is reused"
        )


def without_validation(dataset: str, trial: str) -> DataError:
    """The error of a choice without validation images, where a trial must be named."""
    return DataError(
        f"{dataset} has no validation images to choose the best trial by. "
        f"Name a trial: --params=predict.trial={trial}"
    )


def trained_trial(
    name: str,
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
) -> tuple[Trial, str]:
    """A trial as it was trained, whatever the current parameters are, and its fingerprint.

    Raises:
        DataError: if its results and its training are of different runs, or the images, the split
            or the code have changed since.
    """
    rows = trainings[trial_names(trainings) == name]
    if len(rows) != 1:
        raise DataError(
            f"the results of {name} and the table of trainings are of different runs. {remedy()}"
        )
    row = rows.iloc[0]
    values = json.loads(row["parameters"])
    # Equal trials with different names share a training.
    values |= {"dataset": row["dataset"], "train_set": row["train_set"], "seed": int(row["seed"])}
    values["method"].pop("post_hoc", None)  # of the trial that was trained first, not of this one
    of_trial = crops_in(results)[trial_names(results) == name]
    values["recipe"]["five_crop_size"] = int(of_trial.iloc[0]) or None
    values["backbone"]["name"], values["method"]["name"] = row["backbone"], row["method"]
    trial = Trial.model_validate(values)
    assert trial.name == name, list(TRIAL_COLUMNS)
    verified_results(results, trainings, source, index, subsets, [trial])
    return trial, str(row["fingerprint"])


def weights_of(store: Path, fingerprint: str, name: str) -> Path:
    """The file of a trial's trained weights.

    Raises:
        DataError: if they are missing or damaged.
    """
    weights = TrainingStore(store).weights(fingerprint)
    if weights is None:
        raise DataError(f"the trained weights of {name} are no longer in {store}. {train_again()}")
    return weights
