"""Whether results are those of the trials of the grid, and why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from longtail.errors import DataError
from longtail.evaluation.trainings import trial_names
from longtail.parameters import CustomLoss, Method, Trial
from longtail.parameters.nesting import as_yaml, changes
from longtail.project import program
from longtail.remedies import remedy
from longtail.trials.external import external_file, external_fingerprint
from longtail.trials.fingerprint import OF_METHOD_NOT_HASHED, held_out_sha256
from longtail.trials.post_hoc import WHOLE_IMAGE, crops_in, differences, recorded
from longtail.trials.training_job import Split, TrainingJob
from longtail.wording import alternatives, counted, first_names, listed

# The parts of a trial that are in its fingerprint as they are.
DETERMINANTS = (
    "recipe",
    "backbone.architecture",
    "backbone.options",
    "method.classifier",
    *(f"method.{key}" for key in Method.model_fields if key not in OF_METHOD_NOT_HASHED),
    "seed",
    "draw_per_seed",
)
# What is in it as a canonical form, which trials of different losses can share.
OF_THE_LOSS = ("method.loss", "method.deferred_weights", "method.sampling")


def verified_results(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    trials: Sequence[Trial],
) -> pd.DataFrame:
    """The results of the grid's trials, all of them those of the current parameters.

    Rows of trials that the grid does not have are left out. A trial of the grid without results
    is not an error: it failed or has not run, and its row in the tables is empty.

    Args:
        results: results of one data set, with the fingerprint of each row's training.
        trainings: one row per trial, as :func:`longtail.evaluation.trainings.trainings_table` makes
            them.
        source: the summary of the data set's source.
        index: one row per image.
        subsets: one row per image and subset.
        trials: the trials of the grid, with the current parameters.

    Raises:
        DataError: naming each trial with stale results, why, and what to do; or if the grid has
            none of the trials.
    """
    reasons = stale_results(results, trainings, source, index, subsets, trials)
    if reasons:
        lines = "\n".join(
            f"  {reason}:\n" + "\n".join(f"    {name}" for name in of_reason)
            for reason, of_reason in reasons.items()
        )
        stale = counted(sum(map(len, reasons.values())), "trial")
        raise DataError(
            f"the stored results of {stale} were made with other parameters, images or code:\n"
            f"{lines}\n{remedy()}"
        )
    own = _of_trials(results, trials)
    if own.empty:
        others = first_names(list(trial_names(results).unique()))
        raise DataError(
            f"{trials[0].dataset}_results has no trial of the grid, but "
            f"{', '.join(others)}. Give the --env and --params of the run that made them, or run "
            f"those of the grid: {program()} run --pipelines=full"
        )
    return own


def stale_results(
    results: pd.DataFrame,
    trainings: pd.DataFrame,
    source: Mapping[str, Any],
    index: pd.DataFrame,
    subsets: pd.DataFrame,
    trials: Sequence[Trial],
) -> dict[str, list[str]]:
    """The names of the grid's trials whose results are not current, by the reason.

    The arguments are those of :func:`verified_results`.
    """
    by_name = {trial.name: trial for trial in trials}
    own = _of_trials(results, trials)
    names = trial_names(own)
    stored = own["fingerprint"].groupby(names, sort=False).unique()
    changed = own["post_hoc"].groupby(names, sort=False).unique()
    crops = crops_in(own).groupby(names, sort=False).unique()
    scored = {str(name): _scored(rows) for name, rows in own.groupby(names, sort=False)}
    labels = index["label"].to_numpy()
    held_out = held_out_sha256(subsets, labels)
    tested = held_out_sha256(subsets[subsets["role"] == "test"], labels)
    rows = dict(zip(trial_names(trainings), trainings.to_dict("records"), strict=True))
    reasons: dict[str, list[str]] = {}
    for name, fingerprints in stored.items():
        trial = by_name[str(name)]
        split = Split.of_trial(trial, labels, subsets, source["classes"])
        reason = (
            _reason(trial, list(fingerprints), rows.get(trial.name), split, source["sha256"])
            or _reason_post_hoc(trial, list(changed[str(name)]), split)
            or _reason_crops(trial, list(crops[str(name)]))
            or _reason_images(scored[str(name)], tested if trial.method.external else held_out)
        )
        if reason is not None:
            reasons.setdefault(reason, []).append(trial.name)
    return reasons


def _of_trials(results: pd.DataFrame, trials: Sequence[Trial]) -> pd.DataFrame:
    return results[trial_names(results).isin([trial.name for trial in trials])]


def _reason(
    trial: Trial,
    fingerprints: Sequence[str],
    training: Mapping[Any, Any] | None,
    split: Split,
    pixels_sha256: str,
) -> str | None:
    """Why results with these fingerprints are not the trial's, or None if they are."""
    if training is None or list(fingerprints) != [training["fingerprint"]]:
        return f"{trial.dataset}_results and {trial.dataset}_trainings are of different runs"
    if trial.method.external is not None:
        same = external_fingerprint(trial, pixels_sha256) == training["fingerprint"]
        return None if same else f"{external_file(trial)} or what its values are has changed"
    checksum = training["weights_sha256"]
    weights = checksum if isinstance(checksum, str) else None
    if (weights is not None) != trial.backbone.pretrained:
        return _change_of_pretrained(trial, weights)
    job = TrainingJob.of(trial, split)
    if job.fingerprint(pixels_sha256, weights) == training["fingerprint"]:
        return None
    return training_changes(job, training, weights)


def training_changes(
    job: TrainingJob, training: Mapping[Any, Any], weights_sha256: str | None
) -> str:
    """What differs between a stored training and a job of another fingerprint.

    Args:
        job: training that is needed now.
        training: row of :func:`longtail.evaluation.trainings.trainings_table`.
        weights_sha256: the checksum of the pretrained weights now, None to start at random.
    """
    changed = list(_changes_of(job, training))
    checksum = training["weights_sha256"]
    before = checksum if isinstance(checksum, str) else None
    if (before is None) != (weights_sha256 is None):
        changed.append(_change_of_pretrained(job.trial, before))
    elif before != weights_sha256:
        key = f"backbones.{job.trial.backbone.name}"
        changed.append(f"the pretrained weights of {key} have changed, or are not downloaded yet")
    return "; ".join(changed) or _not_recorded(job, training)


def _change_of_pretrained(trial: Trial, before: str | None) -> str:
    return f"backbones.{trial.backbone.name}.pretrained was {as_yaml(before is not None)}"


def _reason_post_hoc(trial: Trial, stored: Sequence[str], split: Split) -> str | None:
    """Why the recorded post-hoc changes of logits are not the trial's, or None if they are."""
    now = recorded(trial.method.post_hoc, split.class_counts)
    others = [then for then in stored if then != now]
    return differences(others[0], now, trial.method.name) if others else None


def _reason_crops(trial: Trial, stored: Sequence[int]) -> str | None:
    """Why the results are not of the crops of the trial's recipe, or None if they are."""
    now = None if trial.method.external else trial.recipe.five_crop_size
    others = [int(then) for then in stored if then != (now or WHOLE_IMAGE)]
    if not others:
        return None
    return f"recipe.five_crop_size was {as_yaml(others[0] or None)}, is {as_yaml(now)}"


def _scored(results: pd.DataFrame) -> dict[str, str]:
    """The hash of the images of each test set that a trial was scored on, by its name."""
    return dict(zip(results["test_set"], results["images_sha256"], strict=True))


def _reason_images(scored: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Why the results are not of the current test sets, or None if they are."""
    others = [name for name in {**scored, **now} if scored.get(name) != now.get(name)]
    return f"images or labels of {listed(others)} have changed" if others else None


def _changes_of(job: TrainingJob, training: Mapping[Any, Any]) -> Iterator[str]:
    """The differences between the parameters of a stored training and those of a trial."""
    trial, before = job.trial, json.loads(training["parameters"])
    parts = DETERMINANTS if _is_shared(job, training) else (*DETERMINANTS, *OF_THE_LOSS)
    now = trial.model_dump(mode="json")
    yield from changes(
        {part: _part(before, part) for part in parts}, {part: _part(now, part) for part in parts}
    )
    if pd.notna(training["engine"]) and int(training["engine"]) != job.engine:
        yield f"the engine version was {int(training['engine'])}, is {job.engine}"
    images = len(job.split.train_images)
    if pd.notna(training["train_images"]) and int(training["train_images"]) != images:
        yield f"it had {int(training['train_images']):,} training images, and would have {images:,}"


def _not_recorded(job: TrainingJob, training: Mapping[Any, Any]) -> str:
    """What can have changed if nothing has that a card records."""
    trial, dataset = job.trial, f"datasets.{job.trial.dataset}"
    possible = [f"the images ({dataset}.source)", f"their split ({dataset}.imbalance)"]
    losses = (trial.method.loss, trial.last_stage.method.loss)
    own = {loss.type for loss in losses if isinstance(loss, CustomLoss)}
    possible += [f"the file that defines the loss '{name}'" for name in sorted(own)]
    if _is_shared(job, training):
        possible.append(f"the loss, class weights or sampling of methods.{trial.method.name}")
    return f"a change that is not recorded, of {alternatives(possible)}"


def _is_shared(job: TrainingJob, training: Mapping[Any, Any]) -> bool:
    """Whether another trial was trained, whose loss is the same function."""
    return bool(training["trained_by"] != job.trial.name)


def _part(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key)  # older cards lack newer parameters
    return values
