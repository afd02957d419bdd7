from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from longtail.parameters import (
    Backbone,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    Classifier,
    Compute,
    Contrastive,
    DeferredWeights,
    Experts,
    External,
    Loss,
    Method,
    PostHocLogitAdjustment,
    PowerSampling,
    Recipe,
    SecondStage,
    Softmax,
    Trial,
    WeightedSoftmax,
)
from longtail.trials.canonical_loss import canonical
from longtail.trials.fingerprint import (
    ENGINE_VERSION,
    OF_BACKBONE_NOT_HASHED,
    OF_METHOD_NOT_HASHED,
    OF_RECIPE_NOT_HASHED,
    OF_TRIAL_NOT_HASHED,
    changed_keys,
    engine_version,
    fingerprint,
    sha256_of_arrays,
)

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
        "engine": engine_version(trial, np.array([2, 2])),
        "objective": CanonicalLoss().as_dict(),
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


# Other values of each part of a trial, and whether its fingerprint depends on that part.
OF_RECIPE: dict[str, list[Any]] = {
    "epochs": [5],
    "batch_size": [17],
    "image_size": [24],
    "optimizer": ["sgd"],
    "learning_rate": [2e-3],
    "momentum": [0.8],
    "weight_decay": [0.0],
    "schedule": [
        {"kind": "step", "milestones": milestones, "factor": factor}
        for milestones, factor in [((1,), 0.1), ((2,), 0.1), ((1,), 0.5)]
    ],
    "warmup_epochs": [1],
    "crop_padding": [1],
    "horizontal_flip": [True],
    "normalization": ["half", "clip"],
    "precision": ["auto"],
    "validate_every": [2],
    "random_resized_crop": [{"scale": (0.5, 1), "ratio": (0.75, 1.25)}],
    "rand_augment": [{"operations": 2, "magnitude": 9}],
    "random_erasing": [{"probability": 0.5, "scale": (0.1, 0.3), "ratio": (0.5, 2)}],
    "rotation": [15.0],
    "auto_augment": ["cifar10"],
    "cutout": [8],
    "nesterov": [True],
    "sam_rho": [0.05],
    "mixing": [
        {"kind": "mixup", "alpha": 0.2},
        {"kind": "mixup", "alpha": 0.2, "partner_exponent": 0},
        {"kind": "mixup", "alpha": 0.2, "probability": 0.5},
        {"kind": "mixup", "alpha": 0.2, "start": 0.5},
        {"kind": "mixup", "alpha": 0.2, "end": 0.5},
        {"kind": "mixup", "alpha": 0.2, "remix": {"kappa": 3, "tau": 0.5}},
    ],
    "ema_decay": [0.99],
    "freeze": ["backbone", 0.5],
    "layer_decay": [0.75],
    "cached_views": [4],
    "cosine_start": ["class_means"],
    "five_crop_size": [20],
    "adapters": [{"bottleneck": None}, {"bottleneck": 4}],
    "whiten_features": [True],
}
OF_BACKBONE: dict[str, tuple[Any, bool]] = {
    "name": ("small", False),
    "label": ("Small", False),
    "architecture": ("resnet34", True),
    "options": ({"drop_rate": 0.1}, True),
    # The checksum of the weights is hashed, see below, wherever they come from.
    "pretrained": (True, False),
    "weights": ("file.safetensors", False),
    # Merged into the trial's recipe, which is hashed.
    "recipe": ({"epochs": 9}, False),
}
OF_METHOD: dict[str, tuple[Any, bool]] = {
    "name": ("plain", False),
    "label": ("Plain", False),
    # The canonical losses are hashed, see below.
    "loss": (BalancedSoftmax(name="balanced_softmax"), False),
    "deferred_weights": (DeferredWeights(), False),
    # So is the sampling of the classes.
    "sampling": (PowerSampling(kind="power"), False),
    "experts": (Experts(), True),
    "contrastive": (Contrastive(kind="proco"), True),
    "classifier": (Classifier(scale=2), True),
    "second_stage": (SecondStage(epochs=1), True),
    "post_hoc": (PostHocLogitAdjustment(kind="logit_adjustment"), False),
    "recipe": ({"epochs": 9}, False),
    "family": ("re-sampling", False),
    "paper": ("Cui et al. 2019", False),
    # It has no training: the content of its file is hashed.
    "external": (External(path="p.csv"), False),
}
OF_CLASSIFIER: dict[str, Any] = {"kind": "cosine", "scale": 2.0}
OF_COMPUTE: dict[str, Any] = {
    "device": "auto", "threads": 4, "workers": None, "compile": "always", "images": "streaming",
}  # fmt: skip
OF_TRIAL: dict[str, tuple[Any, bool]] = {
    "dataset": ("other", False),
    "train_set": ("long_tailed", False),
    "draw_per_seed": (True, False),
    "seed": (1, True),
}


def test_every_field_of_the_models_has_another_value_here() -> None:
    assert OF_RECIPE.keys() == Recipe.model_fields.keys()
    assert OF_BACKBONE.keys() == Backbone.model_fields.keys()
    assert OF_METHOD.keys() == Method.model_fields.keys()
    assert OF_CLASSIFIER.keys() == Classifier.model_fields.keys()
    assert OF_COMPUTE.keys() == Compute.model_fields.keys()
    parts = {"backbone", "method", "recipe", "compute"}
    assert OF_TRIAL.keys() | parts == Trial.model_fields.keys()


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in OF_RECIPE.items() for value in values]
)
def test_every_part_of_the_recipe_that_changes_the_training_matters(
    field: str, value: Any, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    common = {"epochs": 4, "optimizer": "adamw" if field == "optimizer" else "sgd"}
    common |= {"freeze": "backbone"} if field in ("adapters", "whiten_features") else {}
    plain = make_recipe(**common)
    changed = make_recipe(**{**common, field: value})
    assert changed != plain
    matters = key(make_trial(recipe=changed)) != key(make_trial(recipe=plain))
    # The training is the same, whichever crops are evaluated.
    assert matters == (field != "five_crop_size")


def test_milestones_and_factor_of_the_schedule_matter(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    steps = [make_recipe(epochs=4, schedule=schedule) for schedule in OF_RECIPE["schedule"]]
    assert len({key(make_trial(recipe=recipe)) for recipe in steps}) == 3


@pytest.mark.parametrize(
    ("part", "field", "value", "matters"),
    [
        *(("backbone", field, *change) for field, change in OF_BACKBONE.items()),
        *(("method", field, *change) for field, change in OF_METHOD.items()),
        *((None, field, *change) for field, change in OF_TRIAL.items()),
        *(("compute", field, value, False) for field, value in OF_COMPUTE.items()),
    ],
)
def test_architecture_options_classifier_and_seed_matter_and_all_else_does_not(
    part: str | None, field: str, value: Any, matters: bool, make_trial: MakeTrial
) -> None:
    # An architecture of timm's, which takes options.
    plain = make_trial(backbone=Backbone(name="vit", label="ViT", architecture="resnet18"))
    change = {field: value}
    update = {part: getattr(plain, part).model_copy(update=change)} if part else change
    changed = plain.model_copy(update=update)
    assert changed != plain
    assert (key(changed) != key(plain)) == matters


def test_the_form_of_a_number_in_the_options_does_not_matter(make_trial: MakeTrial) -> None:
    one, other, third = (
        key(make_trial(backbone=Backbone(name="b", label="L", architecture="a", options=options)))
        for options in (
            {"drop_rate": 0.0, "layers": [2.0, {"scale": 1.0}], "bias": True},
            {"layers": [2, {"scale": 1}], "drop_rate": 0, "bias": True},
            {"layers": [2, {"scale": 1.5}], "drop_rate": 0, "bias": True},
        )
    )
    assert one == other != third


@pytest.mark.parametrize(("field", "value"), OF_CLASSIFIER.items())
def test_kind_and_scale_of_the_classifier_matter(
    field: str, value: Any, make_trial: MakeTrial
) -> None:
    changed = Classifier(**{field: value})
    method = Method(name="m", label="L", loss=SOFTMAX, classifier=changed)
    assert key(make_trial(method=method)) != key(make_trial())


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels_sha256": "cd" * 32},
        {"train_images": np.array([0, 1, 2, 6])},
        {"train_images": np.array([1, 0, 2, 5])},
        {"train_labels": np.array([0, 1, 0, 0])},
        {"validation_images": np.array([3, 6])},
        {"weights_sha256": "ef" * 32},
        {"objective": CanonicalLoss(focus=2.0).as_dict()},
        {"objective": CanonicalLoss(weights=np.array([0.5, 1.5])).as_dict()},
        {"objective": CanonicalLoss(offsets=np.array([0.5, 1.5])).as_dict()},
        {"objective": CanonicalLoss(margins=np.array([0.5, 1.5])).as_dict()},
        {
            "objective": CanonicalLoss(
                spared=np.array([False, True]), spared_probability=0.9
            ).as_dict()
        },
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
            make_trial(method=Method(name=loss.name, label="L", loss=loss)),
            objective=canonical(loss, Classifier(), np.array(counts)).as_dict(),
        )
        for loss in LOSSES
    }
    assert len(keys) == trainings


def test_new_key_of_a_model_is_hashed_once_it_is_not_its_default() -> None:
    class Sampled(Method):
        sampler: str | None = None

    method = Sampled(name="m", label="L", loss=SOFTMAX)
    assert changed_keys(method, OF_METHOD_NOT_HASHED) == {}
    sampled = method.model_copy(update={"sampler": "balanced"})
    assert changed_keys(sampled, OF_METHOD_NOT_HASHED) == {"sampler": "balanced"}


def test_new_key_of_the_method_gives_another_fingerprint(make_trial: MakeTrial) -> None:
    class Sampled(Method):
        sampler: str | None = None

    plain = make_trial()
    method = Sampled(**plain.method.model_dump())
    same = plain.model_copy(update={"method": method})
    other = plain.model_copy(update={"method": method.model_copy(update={"sampler": "balanced"})})
    assert key(same) == GOLDEN
    assert key(other) != GOLDEN


@pytest.mark.parametrize(
    ("model", "exempt"),
    [
        (Method, OF_METHOD_NOT_HASHED),
        (Backbone, OF_BACKBONE_NOT_HASHED),
        (Trial, OF_TRIAL_NOT_HASHED),
        (Recipe, OF_RECIPE_NOT_HASHED),
    ],
)
def test_only_keys_of_the_model_are_exempt(model: Any, exempt: frozenset[str]) -> None:
    assert exempt <= model.model_fields.keys()


def test_new_field_of_the_canonical_loss_does_not_change_other_hashes() -> None:
    @dataclass(frozen=True)
    class Wider(CanonicalLoss):
        temperature: float = 1.0

    assert Wider().as_dict() == CanonicalLoss().as_dict()
    assert Wider(temperature=2.0).as_dict() == CanonicalLoss().as_dict() | {"temperature": 2.0}


FROZEN_AT_MEANS = {"cosine_start": "class_means", "freeze": "backbone"}


@pytest.mark.parametrize(
    ("classifier", "recipe", "counts", "version"),
    [
        ({"kind": "linear"}, {}, [3, 1], 1),
        ({"kind": "cosine"}, {}, [3, 1], 2),
        ({"kind": "cosine"}, {"cosine_start": "class_means"}, [3, 1], 2),
        ({"kind": "cosine"}, {"cosine_start": "class_means", "freeze": 0.7}, [3, 1], 2),
        ({"kind": "cosine"}, FROZEN_AT_MEANS, [3, 1], 1),
        ({"kind": "cosine"}, FROZEN_AT_MEANS, [3, 0], 2),
        ({"kind": "linear"}, FROZEN_AT_MEANS, [3, 0], 1),
    ],
)
def test_cosine_classifier_that_starts_at_random_has_a_version_of_its_own(
    classifier: dict[str, Any],
    recipe: dict[str, Any],
    counts: list[int],
    version: int,
    make_trial: MakeTrial,
) -> None:
    method = Method(name="m", label="L", loss=SOFTMAX, classifier=Classifier(**classifier))
    trial = make_trial(method=method)
    trial = trial.model_copy(update={"recipe": trial.recipe.model_copy(update=recipe)})
    assert engine_version(trial, np.array(counts)) == version


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
