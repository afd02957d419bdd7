"""Training adapters: what changes, the start at class means, and interrupted trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from longtail.learning.backbones import build_for_trial
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import Predictor, TrainedModel
from longtail.learning.training import checkpoint as checkpoints
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.freezing import freeze
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    Adapters,
    Backbone,
    CanonicalLoss,
    Classifier,
    Method,
    PowerSampling,
    Recipe,
    SecondStage,
    Softmax,
    Trial,
)
from longtail.trials.loss_schedule import LossSchedule
from longtail.trials.training_job import Split, TrainingJob
from tests.learning.training.jobs import killed_after, resumed, training_job
from tests.learning.training.test_freezing import LABELS, PIXELS, pretrained

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

TRAIN, VALIDATION = np.arange(60), np.arange(1500, 1510)


@pytest.fixture
def make_adapted(make_trial: MakeTrial, make_recipe: MakeRecipe) -> MakeTrial:
    """A trial of ``vit_micro`` with adapters; keywords change its recipe."""
    values = {
        "image_size": 32, "freeze": "backbone", "adapters": Adapters(), "epochs": 2,
        "cosine_start": "class_means", "optimizer": "sgd", "learning_rate": 0.05,
        "horizontal_flip": True, "normalization": "half",
    }  # fmt: skip

    def make(architecture: str = "vit_micro", **changes: Any) -> Trial:
        return make_trial(
            backbone=Backbone(name="net", label="L", architecture=architecture),
            method=Method(
                name="m",
                label="M",
                loss=Softmax(name="softmax"),
                classifier=Classifier(kind="cosine", scale=25),
            ),
            recipe=make_recipe(**{**values, **changes}),
        )

    return make


def trained(trial: Trial, checkpoint: Checkpoint | None = None, last: int = 0) -> TrainingResult:
    job = training_job(trial, LossSchedule(CanonicalLoss()), LABELS, TRAIN, VALIDATION)
    return train(
        job, PIXELS, pretrained(trial.backbone.architecture), killed_after(last), checkpoint
    )


def test_only_adapters_and_classifier_change(make_adapted: MakeTrial) -> None:
    after = trained(make_adapted()).weights
    for name, before in pretrained("vit_micro").items():
        assert torch.equal(after[f"backbone.{name}"], before), name
    initial = build_for_trial(make_adapted(), 10, None).state_dict()
    adapters = {name for name in after if ".adapter." in name}
    assert len(adapters) == 4 * 7
    for name in adapters:
        if not name.endswith("down.weight"):  # these are random
            assert not torch.equal(after[name], initial[name]), name
    assert not torch.equal(after["classifier.weight"], initial["classifier.weight"])


def test_adapters_that_do_not_learn_give_the_frozen_network(make_adapted: MakeTrial) -> None:
    """Same start of the classifier, at class means or random, and the same validation."""
    still: dict[str, Any] = {"learning_rate": 1e-30, "weight_decay": 0.0, "epochs": 1}
    for start in ("class_means", "random"):
        adapted = trained(make_adapted(cosine_start=start, **still))
        frozen = trained(make_adapted(cosine_start=start, adapters=None, **still))
        assert all(torch.equal(adapted.weights[n], frozen.weights[n]) for n in frozen.weights)
        columns = ["validation_loss", "validation_acc1"]
        np.testing.assert_allclose(adapted.history[columns], frozen.history[columns], rtol=1e-5)


def test_classifier_starts_at_class_means(make_adapted: MakeTrial) -> None:
    still = make_adapted(learning_rate=1e-30, weight_decay=0.0, epochs=1)
    start = trained(still).weights
    model = build_for_trial(still, 10, None).eval()
    model.load_state_dict(start)
    images = torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        features = nn.functional.normalize(model.backbone(model.normalize(images))).numpy()
    means = np.stack([features[LABELS[TRAIN] == c].mean(0) for c in range(10)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(start["classifier.weight"], means, atol=1e-5)


def test_frozen_parts_have_no_dropout(make_adapted: MakeTrial) -> None:
    trial = make_adapted("test_vit", image_size=160)
    options = {"drop_path_rate": 0.9, "drop_rate": 0.9, "pos_drop_rate": 0.9}
    backbone = trial.backbone.model_copy(update={"options": options})
    model = build_for_trial(trial.model_copy(update={"backbone": backbone}), 10, None)
    images = torch.rand(2, 3, 160, 160) * 255
    freeze(model, trial.recipe)
    assert torch.equal(model.train()(images), model.eval()(images))
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    assert learned == {n for n, _ in model.named_parameters() if ".adapter." in n} | {
        "classifier.weight"
    }


@pytest.mark.parametrize(
    "recipe",
    [
        {"ema_decay": 0.5, "mixing": {"kind": "cutmix", "alpha": 1}},
        {"precision": "bfloat16"},
        {"layer_decay": 0.75, "optimizer": "adamw", "sam_rho": 0.05},
    ],
    ids=["mixed, averaged", "bf16", "layer decay, SAM"],
)
def test_training_resumes_with_the_same_bits(
    recipe: dict[str, Any],
    make_adapted: MakeTrial,
    tmp_path: Path,
) -> None:
    trial = make_adapted(**{"epochs": 3, **recipe})
    resumed(partial(trained, trial), tmp_path)


def test_stored_model_is_evaluated_with_its_adapters(
    make_adapted: MakeTrial, tmp_path: Path
) -> None:
    trial = make_adapted(learning_rate=0.5)
    outcome = trained(trial)
    file = tmp_path / "model.safetensors"
    save_file(outcome.weights, file)
    stored = TrainedModel(file, trial, 10)
    logits = compute_logits(stored, PIXELS, VALIDATION)
    hits = (logits.argmax(1) == LABELS[VALIDATION]).mean()
    assert outcome.history["validation_acc1"].iloc[-1] == pytest.approx(hits)
    np.testing.assert_allclose(Predictor(stored).logits(PIXELS[VALIDATION]), logits, atol=1e-5)
    without = {
        name: torch.zeros_like(value) if ".adapter.up." in name else value
        for name, value in outcome.weights.items()
    }
    save_file(without, file)
    assert np.abs(compute_logits(stored, PIXELS, VALIDATION) - logits).max() > 0.01


def test_a_second_stage_keeps_the_adapters_and_trains_the_classifier(
    make_adapted: MakeTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MAX_INTERVAL_S", 0.0)
    trial = make_adapted()
    balanced = PowerSampling(kind="power", exponent=0)
    stage = SecondStage(epochs=2, sampling=balanced, batch_norm="updated")  # it has none
    method = trial.method.model_copy(update={"second_stage": stage})
    split = Split(TRAIN, LABELS[TRAIN], VALIDATION, LABELS[VALIDATION], 10)
    staged = Trial.model_validate(trial.model_dump() | {"method": method.model_dump()})
    job = TrainingJob.of(staged, split)
    assert job.first_stage is not None
    first = train(job.first_stage, PIXELS, pretrained("vit_micro"), killed_after(0)).weights
    assert all(torch.equal(first[name], value) for name, value in trained(trial).weights.items())
    second = train(job, PIXELS, None, killed_after(0), first_stage=first).weights
    changed = {name for name in second if not torch.equal(first[name], second[name])}
    assert changed == {"classifier.weight"}
    stored = Checkpoint(tmp_path / "c", "t")
    with pytest.raises(KeyboardInterrupt):
        train(job, PIXELS, None, killed_after(1), stored, first_stage=first)
    resumed = train(job, PIXELS, None, killed_after(0), stored, first_stage=first).weights
    assert all(torch.equal(second[name], value) for name, value in resumed.items())
