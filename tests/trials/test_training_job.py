"""The split and the job of a trial, from the tables of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import (
    BalancedSoftmax,
    CustomLoss,
    DeferredWeights,
    Method,
    PostHocLogitAdjustment,
    SecondStage,
    Softmax,
    Trial,
)
from longtail.parameters.run import parse
from longtail.trials.fingerprint import fingerprint
from longtail.trials.grid import trials
from longtail.trials.training_job import Split, TrainingJob

LABELS = np.array([1, 0, 1, 1, 0, 3, -1, 3])
SUBSETS = pd.DataFrame(
    [
        ("train", "long_tailed", 0),
        ("train", "long_tailed", 1),
        ("train", "long_tailed", 2),
        ("train", "long_tailed", 7),
        ("train", "balanced", 0),
        ("validation", "validation", 3),
        ("validation", "validation", 5),
        ("unknown", "unknown", 6),
    ],
    columns=["role", "name", "image"],
)


# They need pretrained weights, which the small networks do not have.
FOR_FROZEN_NETWORKS = ("lift", "whitened_class_means")


def reversed_keys(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: reversed_keys(values[key]) for key in reversed(values)}
    return values


def without_points(values: Any) -> Any:
    """Whole numbers without a decimal point."""
    if isinstance(values, dict):
        return {key: without_points(of) for key, of in values.items()}
    if isinstance(values, list):
        return [without_points(of) for of in values]
    is_whole = isinstance(values, float) and values.is_integer()
    return int(values) if is_whole else values


def with_defaults(values: Any) -> Any:
    return parse(values).model_dump(mode="json")


@pytest.mark.parametrize("written", [reversed_keys, without_points, with_defaults])
def test_the_notation_of_the_parameters_does_not_matter(
    written: Callable[[Any], Any], base_config: dict[str, Any]
) -> None:
    def fingerprints(config: dict[str, Any]) -> dict[str, str]:
        jobs = (TrainingJob.of(trial, of_all_classes) for trial in trials(parse(config)))
        return {job.trial.name: job.fingerprint("ab" * 32, None) for job in jobs}

    labels = np.repeat([0, 1, 2], [9, 5, 2])
    none = np.empty(0, dtype=np.int64)
    of_all_classes = Split(np.arange(len(labels)), labels, none, none, 3)
    base_config["grid"] |= {
        "train_sets": ["long_tailed"],
        "backbones": ["convnext_micro"],
        "methods": [name for name in base_config["methods"] if name not in FOR_FROZEN_NETWORKS],
    }
    before = fingerprints(base_config)
    assert len(set(before.values())) > 30
    assert fingerprints(written(base_config)) == before


@pytest.fixture
def split() -> Split:
    return Split.of(LABELS, SUBSETS, "long_tailed", 4)


def test_split_has_the_images_and_labels_of_its_training_set(split: Split) -> None:
    assert split.train_images.tolist() == [0, 1, 2, 7]
    assert split.train_labels.tolist() == [1, 0, 1, 3]
    assert split.validation_images.tolist() == [3, 5]
    assert split.validation_labels.tolist() == [1, 3]


def test_each_seed_draws_as_many_images_of_each_class_from_all_training_images() -> None:
    labels = np.repeat([0, 1, 2], 40)
    long_tailed = np.r_[0:20, 40:45, 80:82]
    held_out = np.r_[30:40, 70:80, 110:120]
    every = np.setdiff1d(np.arange(120), held_out)
    parts = [("train", "long_tailed", long_tailed), ("train", "natural", every)]
    parts.append(("validation", "validation", held_out))
    subsets = pd.concat([pd.DataFrame({"role": r, "name": n, "image": i}) for r, n, i in parts])
    drawn = [Split.of(labels, subsets, "long_tailed", 3, seed) for seed in (0, 1, 0)]
    for split in drawn:
        assert split.class_counts.tolist() == [20, 5, 2]
        assert set(split.train_images) <= set(every)
        assert (np.diff(split.train_images) > 0).all()
        assert split.validation_images.tolist() == sorted(held_out)
    assert drawn[0].train_images.tolist() == drawn[2].train_images.tolist()
    assert drawn[0].train_images.tolist() != drawn[1].train_images.tolist()
    shared = Split.of(labels, subsets, "long_tailed", 3)
    assert shared.train_images.tolist() == long_tailed.tolist()


def test_a_drawn_training_has_the_fingerprint_of_its_images_alone(
    make_trial: Callable[..., Trial], split: Split
) -> None:
    shared, drawn = make_trial(), make_trial(draw_per_seed=True)
    assert (shared.draw_seed, drawn.draw_seed) == (None, drawn.seed)
    keys = {TrainingJob.of(trial, split).fingerprint("ab" * 32, None) for trial in (shared, drawn)}
    assert len(keys) == 1


def test_class_counts_are_of_training_images_and_zero_for_missing_classes(split: Split) -> None:
    assert split.class_counts.tolist() == [1, 2, 0, 1]


def test_fingerprint_is_that_of_the_split_and_the_losses(
    split: Split, make_trial: Callable[..., Trial]
) -> None:
    trial = make_trial()
    job = TrainingJob.of(trial, split)
    assert job.fingerprint("ab" * 32, None) == fingerprint(
        trial,
        1,
        job.losses.as_dict(),
        "ab" * 32,
        train_images=np.array([0, 1, 2, 7]),
        train_labels=np.array([1, 0, 1, 3]),
        validation_images=np.array([3, 5]),
        weights_sha256=None,
    )
    assert job.fingerprint("ab" * 32, "cd" * 32) != job.fingerprint("ab" * 32, None)


def test_features_computed_with_those_of_other_images_are_another_training(
    split: Split, make_trial: Callable[..., Trial]
) -> None:
    def key(feature_images: list[int] | None) -> str:
        together = None if feature_images is None else np.array(feature_images)
        of = replace(split, feature_images=together)
        return TrainingJob.of(make_trial(), of).fingerprint("ab" * 32, None)

    assert key(split.train_images.tolist()) == key(None)
    assert len({key(None), key([0, 1, 2, 3, 7]), key([0, 1, 2, 5, 7])}) == 3


SOFTMAX = Softmax(name="softmax")
ADJUSTED = BalancedSoftmax(name="balanced_softmax")
ADJUSTED_LATER = PostHocLogitAdjustment(kind="logit_adjustment")
SHORT = CustomLoss(name="custom", type="tests.custom_losses.TooShort")
NEEDS_ALL = (
    "needs a training image of every class, but 1 class has none, the first with label 2. Leave "
    "the method out of grid.methods, or give each class an image"
)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loss": ADJUSTED}, f"methods.m: the loss 'balanced_softmax' {NEEDS_ALL}"),
        ({"loss": SHORT}, f"methods.m: the loss 'tests.custom_losses.TooShort' {NEEDS_ALL}"),
        (
            {"loss": SOFTMAX, "deferred_weights": DeferredWeights()},
            f"methods.m: deferred_weights {NEEDS_ALL}",
        ),
        (
            {"loss": SOFTMAX, "second_stage": SecondStage(epochs=1, loss=ADJUSTED)},
            f"methods.m.second_stage: the loss 'balanced_softmax' {NEEDS_ALL}",
        ),
        ({"loss": SOFTMAX, "post_hoc": ADJUSTED_LATER}, f"methods.m: post_hoc {NEEDS_ALL}"),
        (
            {
                "loss": SOFTMAX,
                "second_stage": SecondStage(epochs=1),
                "post_hoc": ADJUSTED_LATER,
            },
            f"methods.m: post_hoc {NEEDS_ALL}",
        ),
        # The second stage is softmax, which needs none.
        (
            {"loss": ADJUSTED, "second_stage": SecondStage(epochs=1)},
            f"methods.m: the loss 'balanced_softmax' {NEEDS_ALL}",
        ),
    ],
)
def test_a_loss_that_needs_every_class_is_refused_by_the_key_of_its_method(
    values: dict[str, Any], said: str, split: Split, make_trial: Callable[..., Trial]
) -> None:
    trial = make_trial(method=Method(name="m", label="M", **values))
    with pytest.raises(ConfigurationError) as raised:
        TrainingJob.of(trial, split)
    assert str(raised.value) == f"{trial.name}: {said}"


def test_wrong_values_of_a_loss_of_the_users_are_told_with_the_key_of_its_method(
    split: Split, make_trial: Callable[..., Trial]
) -> None:
    of_all = replace(split, train_labels=np.array([1, 0, 2, 3]))
    trial = make_trial(method=Method(name="m", label="M", loss=SHORT))
    with pytest.raises(ConfigurationError) as raised:
        TrainingJob.of(trial, of_all)
    assert str(raised.value) == (
        f"{trial.name}: methods.m: the loss 'tests.custom_losses.TooShort' must give offsets as a "
        "NumPy array of 4 numbers from -1e+06 to 1e+06, found the shape (3,)"
    )
