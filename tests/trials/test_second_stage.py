"""A second stage is a training of its own, which starts from that of the method without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from longtail.parameters import Classifier, Method, Recipe, SecondStage, Trial
from longtail.parameters.messages import describe
from longtail.trials.fingerprint import OF_SECOND_STAGE_NOT_HASHED
from longtail.trials.grid_warnings import double_corrections
from longtail.trials.training_job import Split, TrainingJob

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

PIXELS = "ab" * 32
BALANCED = {"kind": "power", "exponent": 0}
COSINE = {"kind": "cosine", "scale": 30.0}
CRT = {"epochs": 4, "start": "random", "sampling": BALANCED}
LABELS = np.repeat([0, 1, 2], [8, 4, 2])
# Valid stages that differ in one key from CRT, or from one with class scales.
OF_STAGE: dict[str, tuple[dict[str, Any], Any]] = {
    "epochs": (CRT, 3),
    "trains": ({**CRT, "start": "trained"}, ["classifier", "class_scales"]),
    "start": (CRT, "trained"),
    "classifier": (CRT, COSINE),
    "classifier_rate": ({**CRT, "trains": ["classifier", "class_scales"]}, 0.5),
    "loss": (CRT, {"name": "balanced_softmax"}),
    "sampling": (CRT, None),
    "learning_rate": (CRT, 0.5),
    "weight_decay": (CRT, 0.0),
    "schedule": (CRT, {"kind": "step", "milestones": [2], "factor": 0.1}),
    "warmup_epochs": (CRT, 1),
    "batch_norm": (CRT, "updated"),
}


def method(stage: dict[str, Any] | None, **changes: Any) -> Method:
    values = {"name": "m", "label": "M", "loss": {"name": "softmax"}, "second_stage": stage}
    return Method.model_validate(values | changes)


def job(trial: Trial) -> TrainingJob:
    images = np.arange(len(LABELS))
    none = np.empty(0, dtype=np.int64)
    return TrainingJob.of(trial, Split(images, LABELS, none, none, 3))


def key(trial: Trial) -> str:
    return job(trial).fingerprint(PIXELS, None)


def test_the_first_stage_has_the_fingerprint_of_the_method_without_the_second(
    make_trial: MakeTrial,
) -> None:
    plain, staged = make_trial(method=method(None)), make_trial(method=method(CRT))
    second = job(staged)
    assert second.first_stage is not None
    assert second.first_stage.fingerprint(PIXELS, None) == key(plain)
    assert key(staged) != key(plain)
    assert job(plain).first_stage is None


def test_a_second_stage_of_no_epochs_is_none(make_trial: MakeTrial) -> None:
    staged = make_trial(method=method({**CRT, "epochs": 0, "classifier": COSINE}))
    plain = make_trial(method=method(None))
    assert staged == plain
    assert key(staged) == key(plain)


def test_every_key_of_a_second_stage_has_another_value_here() -> None:
    assert OF_STAGE.keys() == SecondStage.model_fields.keys()
    assert OF_STAGE.keys() >= OF_SECOND_STAGE_NOT_HASHED


@pytest.mark.parametrize("name", OF_STAGE)
def test_every_key_of_a_second_stage_matters(name: str, make_trial: MakeTrial) -> None:
    stage, other = OF_STAGE[name]
    plain, changed = (make_trial(method=method(s)) for s in (stage, {**stage, name: other}))
    assert key(plain) != key(changed)


def test_the_order_of_what_is_trained_does_not_matter(make_trial: MakeTrial) -> None:
    parts = ["classifier", "class_scales", "class_offsets"]
    stages = (CRT | {"start": "trained", "trains": order} for order in (parts, parts[::-1]))
    one, other = (key(make_trial(method=method(stage))) for stage in stages)
    assert one == other


def test_what_the_first_stage_depends_on_matters(make_trial: MakeTrial) -> None:
    plain = make_trial(method=method(CRT))
    focal = make_trial(method=method(CRT, loss={"name": "focal", "gamma": 2.0}))
    assert len({key(plain), key(focal), key(make_trial(method=method(CRT), seed=1))}) == 3


def test_defaults_of_the_recipe_are_those_that_are_stated(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(learning_rate=0.25, weight_decay=0.0)
    stated = {**CRT, "learning_rate": 0.25, "weight_decay": 0.0, "classifier": {"kind": "linear"}}
    trials = [make_trial(recipe=recipe, method=method(stage)) for stage in (CRT, stated)]
    assert len({key(trial) for trial in trials}) == 1


def test_the_recipe_of_the_stage(make_trial: MakeTrial, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(
        epochs=20,
        schedule={"kind": "step", "milestones": (10,), "factor": 0.1},
        warmup_epochs=3,
        mixing={"kind": "mixup", "alpha": 1.0},
        layer_decay=0.5,
        ema_decay=0.9,
    )
    trial = make_trial(recipe=recipe, method=method(CRT))
    assert job(trial).recipe == make_recipe(epochs=4, ema_decay=0.9)
    assert trial.epochs == 24
    assert job(trial).epochs_before == 20


def test_losses_sampling_and_counts_are_those_of_the_stage(make_trial: MakeTrial) -> None:
    stage = {**CRT, "loss": {"name": "balanced_softmax"}}
    second = job(make_trial(method=method(stage, loss={"name": "focal", "gamma": 2.0})))
    assert second.losses.last.offsets is not None
    assert second.losses.last.focus == 0
    np.testing.assert_allclose(second.seen_counts, [14 / 3] * 3)
    assert second.first_stage is not None
    assert second.first_stage.losses.last.focus == 2
    np.testing.assert_array_equal(second.first_stage.seen_counts, [8, 4, 2])


def test_random_numbers_of_the_stages_are_of_other_seeds(make_trial: MakeTrial) -> None:
    seeds = set()
    for seed in range(3):
        second = job(make_trial(method=method(CRT), seed=seed))
        assert second.first_stage is not None
        assert second.first_stage.seed == seed
        assert 0 <= second.seed < 2**63
        seeds |= {seed, second.seed}
    assert len(seeds) == 6


def test_weights_are_named_by_the_parameters_of_both_stages(make_trial: MakeTrial) -> None:
    """What a card stores is enough to load the model and to compute the fingerprint again."""
    trial = make_trial(method=method({**CRT, "classifier": COSINE}))
    again = Trial.model_validate(trial.model_dump(mode="json"))
    assert key(again) == key(trial)
    assert again.last_stage.method.classifier == Classifier(kind="cosine", scale=30)


@pytest.mark.parametrize(
    ("stage", "changes", "said"),
    [
        ({"trains": []}, {}, "at least 1 item"),
        ({"trains": ["classifier", "classifier"]}, {}, "names a value twice"),
        ({"trains": ["class_scales"], "start": "random"}, {}, "would not be trained"),
        ({"classifier_rate": 0.5}, {}, r"compares the learning rate .* Set learning_rate"),
        ({"warmup_epochs": 4}, {}, r"must be less than epochs \(4\)"),
        ({"schedule": {"kind": "step", "milestones": [4], "factor": 0.1}}, {}, "less than epochs"),
        ({"deferred_weights": {}}, {}, "unknown key 'deferred_weights'"),
        (
            {"classifier": COSINE, "start": "trained"},
            {},
            r"of the first\. Start at random, or leave",
        ),
        (
            {"classifier": COSINE, "trains": ["class_scales"]},
            {},
            r"of the first\. Leave second_stage\.classifier out",
        ),
        ({"start": "class_means"}, {}, "class vectors of a cosine classifier"),
        ({"trains": ["class_scales"]}, {"classifier": COSINE}, "norms of the class vectors"),
        ({"trains": ["class_offsets"]}, {"classifier": COSINE}, "class vectors and biases"),
        ({"trains": ["class_offsets"], "start": "random"}, {}, "would not be trained"),
        (
            {"trains": ["class_scales", "class_offsets"], "classifier_rate": 0.5},
            {},
            r"compares the learning rate of the classifier .* Set learning_rate",
        ),
        (
            {"classifier": COSINE},
            {"post_hoc": {"kind": "tau_normalization", "tau": [1.0]}},
            "tau_normalization changes the norms",
        ),
        (
            {"classifier": COSINE, "start": "class_means"},
            {"experts": {"count": 3}},
            "would start experts with the same weights",
        ),
        (
            {"sampling": BALANCED},
            {"post_hoc": {"kind": "logit_adjustment"}},
            "Set sampling or post_hoc to null",
        ),
    ],
)
def test_senseless_stages_are_refused(
    stage: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    adjusts = "classifier" not in stage.get("trains", ["classifier"])
    start = "trained" if adjusts else "random"
    with pytest.raises(ValidationError, match=said):
        method({"epochs": 4, "start": start, **stage}, **changes)


def test_batch_norm_of_cached_features_cannot_be_updated(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(ValidationError, match="the features are computed once"):
        make_trial(
            recipe=make_recipe(freeze="backbone"), method=method({**CRT, "batch_norm": "updated"})
        )


def test_sampling_that_starts_after_the_stage_is_refused(make_trial: MakeTrial) -> None:
    late = {**CRT, "sampling": {**BALANCED, "start": 1 - 1e-12}}
    with pytest.raises(ValidationError, match="is after the last of 4 epochs") as raised:
        make_trial(method=method(late))
    assert "method.second_stage.sampling.start" in describe(raised.value)


@pytest.mark.parametrize(
    ("first", "second", "twice"),
    [
        ({}, {"loss": {"name": "balanced_softmax"}}, True),
        ({"loss": {"name": "balanced_softmax"}}, {}, False),
        ({"loss": {"name": "balanced_softmax"}, "sampling": BALANCED}, {"sampling": None}, True),
    ],
)
def test_each_stage_may_correct_class_imbalance_once(
    first: dict[str, Any], second: dict[str, Any], twice: bool
) -> None:
    assert bool(double_corrections(method({**CRT, **second}, **first))) == twice
