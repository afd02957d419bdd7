from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from longtail.parameters import (
    Backbone,
    BalancedSoftmax,
    ClassBalanced,
    Classifier,
    Compute,
    Loss,
    Method,
    Recipe,
    Softmax,
    Trial,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import CanonicalLoss, canonical
from longtail.trials.fingerprint import ENGINE_VERSION, fingerprint, sha256_of_arrays

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

SOFTMAX = Softmax(name="softmax")
LOSSES: list[Loss] = [
    SOFTMAX,
    WeightedSoftmax(name="weighted_softmax"),
    ClassBalanced(name="class_balanced", beta=0.9),
    BalancedSoftmax(name="balanced_softmax"),
]

# What the fixed trial of this file hashes to. If this test fails, then trainings that users have
# stored are no longer found. Where their results would differ too, raise ENGINE_VERSION and state
# the new hash here; where they would not, undo what changed the hash.
GOLDEN = "ae67e9693bc4c132588ac1c984c03593dbab1a13d2843b2e7b7245f98a1da1f6"


def key(trial: Trial, **changes: Any) -> str:
    values: dict[str, Any] = {
        "loss": CanonicalLoss(),
        "pixels_sha256": "ab" * 32,
        "train_images": np.array([0, 1, 2, 5]),
        "train_labels": np.array([0, 1, 1, 0]),
        "validation_images": np.array([3, 4]),
        "weights_sha256": None,
    }
    return fingerprint(trial, **{**values, **changes})


def test_fixed_trial_has_its_golden_fingerprint(make_trial: MakeTrial) -> None:
    assert ENGINE_VERSION == 1
    assert key(make_trial()) == GOLDEN


def test_names_labels_and_machine_do_not_matter(make_trial: MakeTrial) -> None:
    renamed = make_trial(
        dataset="other",
        train_set="long_tailed",
        backbone=Backbone(
            name="small", label="Small", architecture="vit_micro", recipe={"epochs": 9}
        ),
        method=Method(name="plain", label="Plain", loss=SOFTMAX, recipe={"epochs": 9}),
        compute=Compute(
            device="auto", threads=4, workers=None, compile="never", images="streaming"
        ),
    )
    assert key(renamed) == key(make_trial())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 2),
        ("batch_size", 17),
        ("image_size", 24),
        ("optimizer", "sgd"),
        ("learning_rate", 2e-3),
        ("momentum", 0.8),
        ("weight_decay", 0.0),
        ("schedule", {"kind": "step", "milestones": (1,), "factor": 0.1}),
        ("warmup_epochs", 1),
        ("crop_padding", 1),
        ("horizontal_flip", True),
        ("normalization", "half"),
        ("precision", "auto"),
        ("random_resized_crop", {"scale": (0.5, 1), "ratio": (0.75, 1.25)}),
        ("rand_augment", {"operations": 2, "magnitude": 9}),
        ("random_erasing", {"probability": 0.5, "scale": (0.1, 0.3), "ratio": (0.5, 2)}),
        ("mixing", {"kind": "mixup", "alpha": 0.2}),
        ("ema_decay", 0.99),
        ("freeze", "backbone"),
        ("freeze", 0.5),
        ("layer_decay", 0.75),
        ("cached_views", 4),
        ("cosine_start", "class_means"),
    ],
)
def test_every_part_of_the_recipe_matters(
    field: str, value: Any, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    assert key(make_trial(recipe=make_recipe(**{field: value}))) != key(make_trial())


def test_seed_network_classifier_and_options_matter(make_trial: MakeTrial) -> None:
    cosine = Classifier(kind="cosine", scale=30)
    resnet = Backbone(name="vit", label="", architecture="resnet18")
    keys = {
        key(trial)
        for trial in (
            make_trial(),
            make_trial(seed=1),
            make_trial(backbone=Backbone(name="vit", label="", architecture="resnetv2_micro")),
            make_trial(backbone=resnet),
            make_trial(backbone=resnet.model_copy(update={"options": {"drop_rate": 0.1}})),
            make_trial(method=Method(name="m", label="", loss=SOFTMAX, classifier=cosine)),
            make_trial(
                method=Method(name="m", label="", loss=SOFTMAX, classifier=Classifier(scale=2))
            ),
        )
    }
    assert len(keys) == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels_sha256": "cd" * 32},
        {"train_images": np.array([0, 1, 2, 6])},
        {"train_images": np.array([1, 0, 2, 5])},
        {"train_labels": np.array([0, 1, 0, 0])},
        {"validation_images": np.array([3, 6])},
        {"weights_sha256": "ef" * 32},
        {"loss": CanonicalLoss(focus=2.0)},
        {"loss": CanonicalLoss(weights=np.array([0.5, 1.5]))},
        {"loss": CanonicalLoss(offsets=np.array([0.5, 1.5]))},
        {"loss": CanonicalLoss(margins=np.array([0.5, 1.5]))},
        {"loss": CanonicalLoss(spared=np.array([False, True]), spared_probability=0.9)},
    ],
)
def test_pixels_subset_weights_and_loss_matter(
    changes: dict[str, Any], make_trial: MakeTrial
) -> None:
    assert key(make_trial(), **changes) != key(make_trial())


@pytest.mark.parametrize(("counts", "trainings"), [([50, 50], 1), ([90, 10], 4)])
def test_losses_share_a_fingerprint_exactly_where_they_coincide(
    counts: list[int], trainings: int, make_trial: MakeTrial
) -> None:
    keys = {
        key(
            make_trial(method=Method(name=loss.name, label="", loss=loss)),
            loss=canonical(loss, Classifier(), np.array(counts)),
        )
        for loss in LOSSES
    }
    assert len(keys) == trainings


def test_array_hash_depends_on_contents_type_and_shape() -> None:
    array = np.arange(12, dtype=np.int64).reshape(3, 4)
    others: list[npt.NDArray[Any]] = [
        array.astype(np.int32),
        array.reshape(4, 3),
        array + 1,
        array[:2],
    ]
    assert len({sha256_of_arrays(other) for other in (array, *others)}) == 5
    assert sha256_of_arrays(array[0], array[1]) != sha256_of_arrays(array[1], array[0])


def test_array_hash_does_not_depend_on_the_layout_in_memory() -> None:
    array = np.arange(12).reshape(3, 4)
    assert sha256_of_arrays(np.asfortranarray(array)) == sha256_of_arrays(array)
    assert sha256_of_arrays(np.repeat(array, 2, axis=1)[:, ::2]) == sha256_of_arrays(array)


def test_large_array_hashed_in_parts_is_hashed_whole() -> None:
    large = np.arange(17 << 20, dtype=np.int64)  # 136 MiB, two parts
    whole = hashlib.sha256(f"<i8{large.shape}".encode() + large.tobytes()).hexdigest()
    assert sha256_of_arrays(large) == whole
