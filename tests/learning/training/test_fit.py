from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.data import constants

from longtail.errors import TrainingError
from longtail.learning.augmentation.epoch import mean_and_std
from longtail.learning.backbones import build
from longtail.learning.data.image_source import to_device
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import TrainedModel
from longtail.learning.training.criterion import Criterion
from longtail.learning.training.fit import set_normalization
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    LDAM,
    Backbone,
    BalancedSoftmax,
    CanonicalLoss,
    ClassBalanced,
    Classifier,
    Equalization,
    Focal,
    LogitAdjustment,
    Loss,
    Recipe,
    Softmax,
    Trial,
    WeightedSoftmax,
)
from longtail.sources.digits import read_digits
from longtail.trials.canonical_loss import canonical
from longtail.trials.loss_schedule import DeferredLoss, LossSchedule
from tests.learning.training.jobs import training_job

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

PLAIN = CanonicalLoss()
LINEAR = Classifier()
# On equal counts all of these are cross-entropy.
COINCIDING: list[Loss] = [
    WeightedSoftmax(name="weighted_softmax"),
    ClassBalanced(name="class_balanced", beta=0.9),
    BalancedSoftmax(name="balanced_softmax"),
    Equalization(name="equalization", threshold=0.01),
    LogitAdjustment(name="logit_adjustment", tau=2),
]
DIFFERING: list[Loss] = [
    *COINCIDING[:3],
    Equalization(name="equalization", threshold=0.1),
    Focal(name="focal"),
    LDAM(name="ldam"),
]
EQUAL_COUNTS = [8] * 10
LONG_TAILED_COUNTS = [16, 14, 12, 10, 8, 7, 5, 4, 3, 2]


@cache
def digits() -> tuple[Any, Any]:
    images = read_digits(16)
    return images.pixels, images.index["label"].to_numpy()


def train_on(counts: list[int], trial: Trial, loss: CanonicalLoss | LossSchedule) -> TrainingResult:
    pixels, labels = digits()
    chosen = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(counts)]
    validation = np.arange(1500, 1540)
    losses = LossSchedule(loss) if isinstance(loss, CanonicalLoss) else loss
    job = training_job(trial, losses, labels, np.concatenate(chosen), validation, len(counts))
    return train(job, pixels, None, lambda *_: None)


def equal_weights(a: TrainingResult, b: TrainingResult) -> bool:
    assert a.weights.keys() == b.weights.keys()
    return all(torch.equal(a.weights[name], b.weights[name]) for name in a.weights)


@pytest.fixture
def trial(make_trial: MakeTrial, make_recipe: MakeRecipe) -> Trial:
    """Two epochs with all that is random."""
    return make_trial(recipe=make_recipe(epochs=2, crop_padding=1, horizontal_flip=True))


@pytest.mark.parametrize("loss", COINCIDING, ids=lambda loss: f"{loss.name}")
def test_coinciding_losses_train_bit_equal_weights_on_equal_counts(
    loss: Loss, trial: Trial
) -> None:
    softmax = canonical(Softmax(name="softmax"), LINEAR, np.array(EQUAL_COUNTS))
    other = canonical(loss, LINEAR, np.array(EQUAL_COUNTS))
    a, b = train_on(EQUAL_COUNTS, trial, softmax), train_on(EQUAL_COUNTS, trial, other)
    assert equal_weights(a, b)
    assert a.history["train_loss"].tolist() == b.history["train_loss"].tolist()


@pytest.mark.parametrize("loss", DIFFERING, ids=lambda loss: f"{loss.name}")
def test_losses_train_different_weights_on_long_tailed_counts(loss: Loss, trial: Trial) -> None:
    form = canonical(loss, LINEAR, np.array(LONG_TAILED_COUNTS))
    softmax = train_on(LONG_TAILED_COUNTS, trial, PLAIN)
    assert not equal_weights(softmax, train_on(LONG_TAILED_COUNTS, trial, form))


WEIGHTED = CanonicalLoss(weights=np.linspace(0.1, 1.9, 10))
SPARED = CanonicalLoss(spared=np.arange(10) > 4, spared_probability=0.9)
SPARED_AND_WEIGHTED = replace(SPARED, weights=WEIGHTED.weights)


@pytest.mark.parametrize(
    ("first", "second"), [(PLAIN, WEIGHTED), (SPARED, SPARED_AND_WEIGHTED)], ids=["fixed", "drawn"]
)
def test_deferred_loss_changes_nothing_before_its_epoch_and_all_after(
    first: CanonicalLoss, second: CanonicalLoss, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    trial = make_trial(recipe=make_recipe(epochs=4, crop_padding=1))
    schedule = LossSchedule(first, DeferredLoss(3, second))
    deferred = train_on(LONG_TAILED_COUNTS, trial, schedule)
    losses = deferred.history["train_loss"].tolist()
    plain = train_on(LONG_TAILED_COUNTS, trial, first).history["train_loss"].tolist()
    assert losses[:2] == plain[:2]
    assert losses[2] != plain[2]
    other = train_on(LONG_TAILED_COUNTS, trial, second).history["train_loss"].tolist()
    assert losses[0] != other[0]
    assert equal_weights(deferred, train_on(LONG_TAILED_COUNTS, trial, schedule))


def test_training_is_reproducible_with_its_seed(trial: Trial) -> None:
    first = train_on(EQUAL_COUNTS, trial, PLAIN)
    torch.rand(3)  # what ran before must not matter
    assert equal_weights(first, train_on(EQUAL_COUNTS, trial, PLAIN))
    other = train_on(EQUAL_COUNTS, trial.model_copy(update={"seed": 1}), PLAIN)
    assert not equal_weights(first, other)


@pytest.mark.parametrize(
    "architecture", ["mobilenetv2_micro", "resnetv2_micro", "vit_micro", "convnext_micro"]
)
def test_every_small_backbone_learns(
    architecture: str, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    trial = make_trial(
        backbone=Backbone(name="micro", label="L", architecture=architecture),
        recipe=make_recipe(epochs=8, learning_rate=4e-3, image_size=32),
    )
    history = train_on(EQUAL_COUNTS, trial, PLAIN).history
    assert history["train_loss"].iloc[0] > 1.5  # ln 10 is 2.3
    assert history["train_loss"].iloc[-1] < 0.8 * history["train_loss"].iloc[0]


def test_history_has_one_row_per_epoch_and_validates_every_few(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(epochs=5, validate_every=2, warmup_epochs=1, learning_rate=0.01)
    history = train_on(EQUAL_COUNTS, make_trial(recipe=recipe), PLAIN).history
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["validation_acc1"].notna().tolist() == [False, True, False, True, True]
    assert history["validation_loss"].notna().tolist() == [False, True, False, True, True]
    assert history["learning_rate"].iloc[0] == pytest.approx(0.01)  # the last warm-up step


def test_validation_can_be_left_out(make_trial: MakeTrial, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=2, validate_every=0)
    history = train_on(EQUAL_COUNTS, make_trial(recipe=recipe), PLAIN).history
    assert history["validation_acc1"].isna().all()


def test_validation_does_not_change_the_training(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    trials = [make_trial(recipe=make_recipe(epochs=2, validate_every=v)) for v in (0, 1)]
    assert equal_weights(*(train_on(EQUAL_COUNTS, trial, PLAIN) for trial in trials))


def test_history_of_the_last_epoch_is_that_of_the_stored_weights(
    trial: Trial, tmp_path: Path
) -> None:
    pixels, labels = digits()
    outcome = train_on(EQUAL_COUNTS, trial, PLAIN)
    save_file(outcome.weights, tmp_path / "model.safetensors")
    images = np.arange(1500, 1540)
    trained = TrainedModel(tmp_path / "model.safetensors", trial, 10)
    logits = compute_logits(trained, pixels, images)
    last = outcome.history.iloc[-1]
    hits = (logits.argmax(axis=1) == labels[images]).mean()
    assert last["validation_acc1"] == pytest.approx(hits)
    losses, _ = Criterion(PLAIN, seed=0).of_stored(logits, labels[images])
    assert last["validation_loss"] == pytest.approx(losses.mean(), rel=1e-5)


def test_weights_contain_the_normalization_of_the_training_images(trial: Trial) -> None:
    pixels, labels = digits()
    chosen = np.concatenate([np.flatnonzero(labels == label)[:8] for label in range(10)])
    outcome = train_on(EQUAL_COUNTS, trial, PLAIN)
    scaled = pixels[chosen] / 255
    mean, std = (outcome.weights[f"normalize.{name}"].numpy() for name in ("mean", "std"))
    np.testing.assert_allclose(mean, scaled.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(std, scaled.std(axis=(0, 1, 2)), rtol=1e-5)


def test_normalization_is_the_one_that_the_recipe_names(make_recipe: MakeRecipe) -> None:
    backbone = Backbone(name="vit", label="L", architecture="vit_micro")
    images = to_device(digits()[0], np.arange(9), torch.device("cpu"))
    expected = {
        "train_set": tuple(tuple(v.tolist()) for v in mean_and_std(images)),
        "imagenet": (constants.IMAGENET_DEFAULT_MEAN, constants.IMAGENET_DEFAULT_STD),
        "half": (constants.IMAGENET_INCEPTION_MEAN, constants.IMAGENET_INCEPTION_STD),
        "clip": (constants.OPENAI_CLIP_MEAN, constants.OPENAI_CLIP_STD),
    }
    model = build(backbone, LINEAR, 10, 16, None)
    for name, (mean, std) in expected.items():
        set_normalization(model, make_recipe(normalization=name), images)
        assert model.normalize.mean.tolist() == pytest.approx(mean)
        assert model.normalize.std.tolist() == pytest.approx(std)


def test_training_that_diverges_says_what_to_lower(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(epochs=3, optimizer="sgd", learning_rate=1e6)
    with pytest.raises(TrainingError, match=r"after epoch .*Lower recipe\.learning_rate.*1000000"):
        train_on(EQUAL_COUNTS, make_trial(recipe=recipe), PLAIN)


@pytest.mark.parametrize(
    ("validate_every", "said"),
    [(1, "the validation loss is nan after epoch 1 of 1"), (0, "weights are not finite after")],
)
def test_a_last_step_that_diverges_is_noticed(
    validate_every: int,
    said: str,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss of the only step is that before it."""
    step = torch.optim.SGD.step

    def diverge(optimizer: torch.optim.SGD) -> None:
        step(optimizer)
        optimizer.param_groups[0]["params"][0].data.fill_(float("nan"))

    monkeypatch.setattr(torch.optim.SGD, "step", diverge)
    recipe = make_recipe(optimizer="sgd", batch_size=1000, validate_every=validate_every)
    with pytest.raises(TrainingError, match=rf"{said}.*Lower recipe\.learning_rate"):
        train_on(EQUAL_COUNTS, make_trial(recipe=recipe), PLAIN)


def test_each_epoch_is_reported_with_its_mean_loss(trial: Trial) -> None:
    pixels, labels = digits()
    reported: list[tuple[int, float]] = []
    images = np.arange(40)
    job = training_job(trial, LossSchedule(PLAIN), labels, images, images)
    outcome = train(job, pixels, None, lambda *a: reported.append(a))
    assert [epoch for epoch, _ in reported] == [1, 2]
    assert [loss for _, loss in reported] == outcome.history["train_loss"].tolist()
    assert outcome.environment["model_parameters"] == sum(
        value.numel() for name, value in outcome.weights.items() if "normalize" not in name
    )


def test_long_epoch_that_diverges_ends_before_its_end(
    make_trial: MakeTrial, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longtail.learning.training.fit.STEPS_BETWEEN_CHECKS", 2)
    recipe = make_recipe(epochs=3, optimizer="sgd", learning_rate=1e6)
    with pytest.raises(
        TrainingError, match=r"after [24] of 5 steps of epoch 1 of 3\. Lower recipe\.learning_rate"
    ):
        train_on(EQUAL_COUNTS, make_trial(recipe=recipe), PLAIN)


@pytest.mark.parametrize(
    ("images", "advice"),
    [("resident", ", or set compute.images to streaming"), ("streaming", "")],
)
@pytest.mark.parametrize("step", ["LabelledImages", "set_normalization", "fit"])
def test_full_gpu_memory_names_what_to_lower(
    step: str, images: str, advice: str, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(f"longtail.learning.training.train.{step}", full)
    compute = trial.compute.model_copy(update={"images": images})
    with pytest.raises(TrainingError) as error:
        train_on(EQUAL_COUNTS, trial.model_copy(update={"compute": compute}), PLAIN)
    assert str(error.value) == (
        "the GPU ran out of memory: lower recipe.batch_size (it is 16) or "
        f"recipe.image_size (it is 16){advice}"
    )
