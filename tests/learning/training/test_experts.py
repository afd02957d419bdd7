"""Training experts: the same bits without them, after an interruption, and as stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from longtail.learning.backbones import build_for_trial
from longtail.learning.inference.cached_logits import compute_logits
from longtail.learning.inference.trained_model import Predictor, TrainedModel
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    LDAM,
    Backbone,
    Classifier,
    DeferredWeights,
    Experts,
    Method,
    PowerSampling,
    Softmax,
    Trial,
)
from longtail.trials.loss_schedule import loss_schedule
from tests.learning.training.jobs import killed_after, resumed, same_weights, training_job
from tests.learning.training.test_freezing import LABELS, PIXELS, TRAIN, VALIDATION, pretrained

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Any]

COUNTS = np.bincount(LABELS[TRAIN], minlength=10)
BALPOE = Experts(tau=(0.0, 1.0, 2.0))
COSINE = Classifier(kind="cosine", scale=30)


def method(experts: Experts | None, **changes: Any) -> Method:
    values: dict[str, Any] = {"loss": Softmax(name="softmax"), "classifier": COSINE, **changes}
    return Method(name="m", label="L", experts=experts, **values)


def trained(
    trial: Trial, weights: Any = None, checkpoint: Checkpoint | None = None, last: int = 0
) -> TrainingResult:
    """Train, and stop as a killed process does after epoch ``last``."""
    losses = loss_schedule(trial.method, COUNTS, trial.recipe.epochs)
    sampling = trial.method.sampling
    job = training_job(trial, losses, LABELS, TRAIN, VALIDATION, sampling=sampling)
    return train(job, PIXELS, weights, killed_after(last), checkpoint)


def of_experts(
    make_trial: MakeTrial, recipe: Any, experts: Experts | None = BALPOE, **changes: Any
) -> Trial:
    backbone = Backbone(name="net", label="L", architecture="mobilenetv2_micro")
    return make_trial(backbone=backbone, method=method(experts, **changes), recipe=recipe)


def test_one_expert_gives_the_bits_of_none(make_trial: MakeTrial, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(epochs=2, image_size=32, mixing={"kind": "mixup", "alpha": 0.4})
    plain = trained(of_experts(make_trial, recipe, None))
    one = Experts(count=1, diversity=0.5, reduction="sum")
    trial = of_experts(make_trial, recipe, one)
    assert trial.method == method(None)  # so that it has the fingerprint of none, too
    experts = trial.method.model_copy(update={"experts": one})
    assert same_weights(plain, trained(trial.model_copy(update={"method": experts})))


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "resident": ({}, {}, {}),
    "streamed, mixed, averaged, bf16": (
        {"mixing": {"kind": "cutmix", "alpha": 1}, "ema_decay": 0.5, "precision": "bfloat16"},
        {},
        {"images": "streaming"},
    ),
    "ride, sampled": (
        {},
        {
            "loss": LDAM(name="ldam"),
            "deferred_weights": DeferredWeights(start=0.5),
            "sampling": PowerSampling(kind="power"),
            "experts": Experts(diversity=0.45, reduction="sum"),
        },
        {},
    ),
    "cached features": ({"freeze": "backbone", "cached_views": 2, "horizontal_flip": True}, {}, {}),
    "frozen layers, slower below": ({"freeze": 0.3, "layer_decay": 0.8}, {}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_training_resumes_with_the_same_bits_and_is_evaluated_by_its_mean_logits(
    case: str,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    recipe, of_method, compute = CASES[case]
    trial = of_experts(make_trial, make_recipe(epochs=3, image_size=32, **recipe), **of_method)
    trial = trial.model_copy(update={"compute": trial.compute.model_copy(update=compute)})
    weights = pretrained("mobilenetv2_micro") if "freeze" in recipe else None
    whole = resumed(partial(trained, trial, weights), tmp_path)

    file = tmp_path / "model.safetensors"
    save_file(whole.weights, file)
    model = TrainedModel(file, trial, 10)
    logits = compute_logits(model, PIXELS, VALIDATION)
    assert logits.shape == (len(VALIDATION), 10)
    np.testing.assert_allclose(
        Predictor(model).logits(PIXELS[VALIDATION]), logits, rtol=1e-4, atol=1e-4
    )
    accuracy = (logits.argmax(1) == LABELS[VALIDATION]).mean()
    if recipe.get("precision") != "bfloat16":
        assert whole.history["validation_acc1"].iloc[-1] == pytest.approx(accuracy)


def test_experts_of_one_training_differ(make_trial: MakeTrial, make_recipe: MakeRecipe) -> None:
    trial = of_experts(make_trial, make_recipe(image_size=32), Experts(count=2))
    model = build_for_trial(trial, 10, None)
    model.load_state_dict(trained(trial).weights)
    model.eval().classifier.train()
    first, second = model(torch.from_numpy(PIXELS[:8]).permute(0, 3, 1, 2).float())
    assert not torch.allclose(first, second, atol=1e-2)


def test_equal_experts_that_would_stay_equal_are_refused(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(image_size=32, freeze="backbone", cosine_start="class_means")
    with pytest.raises(ValidationError, match="class_means starts all experts with the same"):
        of_experts(make_trial, recipe, Experts(diversity=0.45))
    of_experts(make_trial, recipe, BALPOE)
    of_experts(make_trial, recipe, Experts(count=1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 3, "tau": [0, 1]}, r"needs a value for each of 3 experts, found \[0.0, 1.0\]"),
        ({"count": 1, "reversed_tau": [0, 1]}, "needs a value for each of 1 expert, found"),
    ],
)
def test_strengths_are_as_many_as_experts(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Experts.model_validate(values)


def test_norms_of_several_classifiers_cannot_be_normalized() -> None:
    linear = {"classifier": Classifier(), "post_hoc": {"kind": "tau_normalization", "tau": 1}}
    with pytest.raises(ValidationError, match="each of the experts has its own"):
        method(BALPOE, **linear)
