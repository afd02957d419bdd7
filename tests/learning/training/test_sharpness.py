"""Sharpness-aware steps: the weights at the end of the first pass, and the training."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from longtail.learning.backbones import build
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.sharpness import steepest_weights
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import Backbone, CanonicalLoss, Classifier, Recipe, Trial
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import killed_after, resumed, same_weights, training_job
from tests.learning.training.test_freezing import LABELS, PIXELS, pretrained

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

WITH_BATCH_NORM = Backbone(name="net", label="L", architecture="mobilenetv2_micro")
TRAIN, VALIDATION = np.arange(40), np.arange(1500, 1510)
RHO = 0.3


def trained(
    trial: Trial, weights: Any = None, checkpoint: Checkpoint | None = None, last: int = 0
) -> TrainingResult:
    job = training_job(trial, LossSchedule(CanonicalLoss()), LABELS, TRAIN, VALIDATION)
    return train(job, PIXELS, weights, killed_after(last), checkpoint)


def test_weights_are_rho_away_along_the_gradient_and_return_to_the_same_bits() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].bias.requires_grad_(False)
    model(torch.randn(5, 4)).square().sum().backward()
    before = [p.detach().clone() for p in model.parameters()]
    gradients = [None if p.grad is None else p.grad.double() for p in model.parameters()]
    norm = sum(float((g**2).sum()) for g in gradients if g is not None) ** 0.5
    with steepest_weights(model, RHO):
        for weight, old, gradient in zip(model.parameters(), before, gradients, strict=True):
            moved = weight.detach().double() - old
            expected = torch.zeros_like(moved) if gradient is None else RHO * gradient / norm
            torch.testing.assert_close(moved, expected, rtol=1e-5, atol=1e-7)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    model.zero_grad(set_to_none=False)
    with steepest_weights(model, RHO):  # where the gradient is zero
        assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_step_of_sgd_is_by_the_gradient_at_the_steepest_weights(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    """One step over a whole training set, against the gradients of both passes."""
    recipe = make_recipe(
        optimizer="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0, image_size=32,
        batch_size=len(TRAIN), sam_rho=RHO, validate_every=0, normalization="half",
    )  # fmt: skip
    outcome = trained(make_trial(backbone=WITH_BATCH_NORM, recipe=recipe))

    torch.manual_seed(0)
    model = build(WITH_BATCH_NORM, Classifier(), 10, 32, None)
    model.normalize.set(torch.full((3,), 0.5), torch.full((3,), 0.5))
    images = torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).float()
    labels = torch.from_numpy(LABELS[TRAIN].copy())
    weights = list(model.parameters())
    model.train()
    first_loss = nn.functional.cross_entropy(model(images), labels)
    first = torch.autograd.grad(first_loss, weights)
    norm = torch.cat([g.flatten() for g in first]).norm()
    old = [w.detach().clone() for w in weights]
    with torch.no_grad():
        for weight, gradient in zip(weights, first, strict=True):
            weight.add_(RHO * gradient / norm)
    second = torch.autograd.grad(nn.functional.cross_entropy(model(images), labels), weights)
    assert outcome.history["train_loss"].item() == pytest.approx(first_loss.item(), rel=1e-5)
    expected = dict(model.named_buffers())
    for (name, _), start, gradient in zip(model.named_parameters(), old, second, strict=True):
        expected[name] = start - 0.1 * gradient
    # A step by the first pass' gradient would give weights that differ by up to 0.02.
    for name, value in outcome.weights.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=5e-4)
    # BatchNorm has seen the batch in both passes.
    assert outcome.weights["backbone.bn1.num_batches_tracked"] == 2


def test_rho_of_zero_gives_the_bits_without_it(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    plain, zero, some = (
        trained(make_trial(recipe=make_recipe(epochs=2, image_size=32, **changes)))
        for changes in ({}, {"sam_rho": 0.0}, {"sam_rho": 0.05})
    )
    assert same_weights(plain, zero)
    assert not same_weights(plain, some)


@pytest.mark.parametrize(
    ("recipe", "compute"),
    [
        ({"mixing": {"kind": "cutmix", "alpha": 1}, "ema_decay": 0.5}, {"images": "streaming"}),
        ({"precision": "bfloat16", "optimizer": "sgd"}, {}),
        ({"freeze": 0.5}, {}),
        ({"freeze": "backbone"}, {}),
    ],
    ids=["streamed, mixed, averaged", "bf16", "frozen layers", "cached features"],
)
def test_training_resumes_with_the_same_bits(
    recipe: dict[str, Any],
    compute: dict[str, Any],
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    weights = pretrained("mobilenetv2_micro") if "freeze" in recipe else None
    trial = make_trial(
        backbone=WITH_BATCH_NORM,
        recipe=make_recipe(epochs=3, image_size=32, sam_rho=0.05, **recipe),
    )
    trial = trial.model_copy(update={"compute": trial.compute.model_copy(update=compute)})
    resumed(partial(trained, trial, weights), tmp_path)
