"""Training with a contrastive branch: its step, its views, and resuming."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.backbones import build_for_trial
from longtail.learning.data.image_source import as_image_source
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.contrastive_branch import ContrastiveBranch
from longtail.learning.training.train import TrainingResult, train
from longtail.parameters import (
    Backbone,
    BalancedSoftmax,
    Classifier,
    ColourJitter,
    Contrastive,
    Experts,
    Method,
    PowerSampling,
    RandomResizedCrop,
    Recipe,
    Trial,
    ViewAugmentation,
)
from longtail.trials.grid_warnings import double_corrections
from longtail.trials.loss_schedule import loss_schedule
from tests.learning.training.jobs import killed_after, resumed, training_job
from tests.learning.training.test_freezing import LABELS, PIXELS, pretrained

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

TRAIN, VALIDATION = np.arange(40), np.arange(1500, 1510)
COUNTS = np.bincount(LABELS[TRAIN], minlength=10)
KINDS = ("supervised", "proco")
LOSS = BalancedSoftmax(name="balanced_softmax")
CROP = RandomResizedCrop(scale=(0.5, 1), ratio=(1, 1))
GREY = ColourJitter(brightness=0, contrast=0, saturation=0, hue=0, grey=1)


def trial_of(
    make_trial: MakeTrial,
    recipe: Recipe,
    contrastive: Contrastive | None,
    architecture: str = "mobilenetv2_micro",
    **changes: Any,
) -> Trial:
    values = {"name": "m", "label": "L", "loss": LOSS, **changes}
    return make_trial(
        backbone=Backbone(name="net", label="L", architecture=architecture),
        method=Method(**values, contrastive=contrastive),
        recipe=recipe,
    )


def trained(
    trial: Trial, weights: Any = None, checkpoint: Checkpoint | None = None, last: int = 0
) -> TrainingResult:
    losses = loss_schedule(trial.method, COUNTS, trial.recipe.epochs)
    sampling = trial.method.sampling
    job = training_job(trial, losses, LABELS, TRAIN, VALIDATION, sampling=sampling)
    return train(job, PIXELS, weights, killed_after(last), checkpoint)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "resident": ({}, {}, {}),
    "streamed, mixed, averaged, bf16": (
        {"mixing": {"kind": "cutmix", "alpha": 1}, "ema_decay": 0.5, "precision": "bfloat16"},
        {},
        {"images": "streaming"},
    ),
    "sampled, cosine, sharpness-aware": (
        {"sam_rho": 0.05, "optimizer": "sgd"},
        {
            "sampling": PowerSampling(kind="power"),
            "classifier": Classifier(kind="cosine", scale=30),
        },
        {},
    ),
    "frozen layers, slower below": ({"freeze": 0.3, "layer_decay": 0.8}, {}, {}),
    "streamed views of another augmentation": (
        {},
        {"contrastive": {"augmentation": ViewAugmentation(random_resized_crop=CROP)}},
        {"images": "streaming"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_training_resumes_with_the_same_bits(
    case: str,
    kind: Any,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    recipe, of_method, compute = CASES[case]
    chosen = make_recipe(epochs=3, image_size=32, crop_padding=2, **recipe)
    of_branch = of_method.get("contrastive", {})
    others = {key: value for key, value in of_method.items() if key != "contrastive"}
    trial = trial_of(make_trial, chosen, Contrastive(kind=kind, **of_branch), **others)
    trial = trial.model_copy(update={"compute": trial.compute.model_copy(update=compute)})
    weights = pretrained("mobilenetv2_micro") if "freeze" in recipe else None
    whole = resumed(partial(trained, trial, weights), tmp_path)

    # What is stored is the network alone.
    plain = trial.method.model_copy(update={"contrastive": None})
    network = build_for_trial(trial.model_copy(update={"method": plain}), 10, None)
    network.load_state_dict(whole.weights)


@pytest.mark.parametrize("kind", KINDS)
def test_first_step_is_by_the_gradient_of_both_losses(
    kind: Any, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    """One step over a whole training set. The first view is that of a training without branch."""
    recipe = make_recipe(
        optimizer="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0, image_size=32,
        batch_size=len(TRAIN), validate_every=0, normalization="half", crop_padding=2,
    )  # fmt: skip
    contrastive = Contrastive(kind=kind, weight=0.5, views=3)
    # A smooth network: where ReLU or BatchNorm follow each other, rounding is amplified.
    trial = trial_of(make_trial, recipe, contrastive, "vit_micro")
    outcome = trained(trial)

    torch.manual_seed(trial.seed)
    model = build_for_trial(trial, 10, None)
    model.normalize.set(torch.full((3,), 0.5), torch.full((3,), 0.5))
    branch = ContrastiveBranch(trial, model, COUNTS)
    images = as_image_source(torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).contiguous())
    generator = torch.Generator().manual_seed(trial.seed)
    order = torch.randperm(len(TRAIN), generator=generator)
    labels = torch.from_numpy(LABELS[TRAIN].copy())[order]
    augmentation = Augmentation(recipe)
    [first] = augmentation.epoch(images, [order], generator)
    [further] = branch.views(1, images, [order], augmentation.epoch)
    views = torch.stack([first, *torch.split(further, len(TRAIN))])
    assert len(views) == 4
    assert all(not torch.equal(views[i], views[j]) for i in range(4) for j in range(i))

    model.train()
    features = model.backbone(model.normalize(views.flatten(0, 1)))
    logits = model.classifier(features[: len(TRAIN)])
    vectors = branch.heads.projection(features[len(TRAIN) :])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    offsets = torch.from_numpy(np.log(COUNTS)).float()
    loss = F.cross_entropy(logits + offsets, labels) + branch.loss(vectors, labels)
    weights = list(model.parameters())
    expected = dict(model.named_buffers())
    gradients = torch.autograd.grad(loss, weights)
    for (name, start), gradient in zip(model.named_parameters(), gradients, strict=True):
        expected[name] = start.detach() - 0.1 * gradient
    assert outcome.history["train_loss"].item() == pytest.approx(loss.item(), rel=1e-4)
    for name, value in outcome.weights.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)


def test_further_views_have_the_augmentation_of_the_branch(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    """Crops and grey, and nothing of the recipe; equal to the recipe's if that has the same."""
    recipe = make_recipe(image_size=32, crop_padding=4, cutout=16, rotation=15.0)
    images = as_image_source(torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).contiguous())
    order = [torch.arange(len(TRAIN))]

    def views(augmentation: ViewAugmentation | None, recipe: Recipe) -> torch.Tensor:
        contrastive = Contrastive(kind="proco", augmentation=augmentation)
        trial = trial_of(make_trial, recipe, contrastive)
        branch = ContrastiveBranch(trial, build_for_trial(trial, 10, None), COUNTS)
        [found] = branch.views(1, images, order, Augmentation(recipe).epoch)
        return found

    flipped = views(ViewAugmentation(), recipe)
    whole = torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).float().repeat(2, 1, 1, 1)
    is_flipped = (flipped == whole.flip(3)).flatten(1).all(1)
    assert ((flipped == whole).flatten(1).all(1) | is_flipped).all()
    assert 0.3 < is_flipped.float().mean() < 0.7
    cropped = make_recipe(
        image_size=32, crop_padding=0, horizontal_flip=True, random_resized_crop=CROP
    )
    own = ViewAugmentation(random_resized_crop=CROP)
    assert torch.equal(views(own, recipe), views(None, cropped))
    tinted = PIXELS.astype(np.float32) * [1.0, 0.5, 0.25]
    images = as_image_source(
        torch.from_numpy(tinted[TRAIN].astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    )
    grey = views(ViewAugmentation(colour_jitter=GREY), recipe)
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-3 and grey.max() > 50


def test_loss_of_the_branch_is_weighted_and_takes_the_labels_of_each_view(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(crop_padding=2)
    vectors = F.normalize(torch.randn(6, 128, generator=torch.Generator().manual_seed(0)))
    once, half = (
        trial_of(make_trial, recipe, Contrastive(kind="supervised", weight=weight))
        for weight in (1.0, 0.5)
    )
    losses = []
    for trial in (once, half):
        branch = ContrastiveBranch(trial, build_for_trial(trial, 10, None), COUNTS)
        losses.append(branch.loss(vectors, torch.tensor([0, 1, 2])).item())
    # The one positive of an image is its other view.
    cosines = (vectors @ vectors.T / 0.1).fill_diagonal_(-torch.inf)
    other = torch.tensor([3, 4, 5, 0, 1, 2])
    assert losses[0] == pytest.approx(F.cross_entropy(cosines, other).item(), rel=1e-5)
    assert losses[1] == pytest.approx(losses[0] / 2, rel=1e-6)


def test_model_and_order_start_as_without_the_branch(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    """A tiny weight changes the training of a network without BatchNorm only a little."""
    recipe = make_recipe(epochs=2, image_size=32, crop_padding=2, optimizer="sgd")
    found = [
        trained(trial_of(make_trial, recipe, contrastive, "vit_micro")).weights
        for contrastive in (
            None,
            Contrastive(kind="proco", weight=1e-6),
            Contrastive(kind="proco"),
        )
    ]
    plain, tiny, full = (torch.cat([w.flatten() for w in weights.values()]) for weights in found)
    assert (plain - tiny).abs().max() < 1e-6
    assert (plain - full).abs().max() > 1e-4


def test_branch_draws_nothing_from_the_global_generator(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    trial = trial_of(make_trial, make_recipe(crop_padding=2), Contrastive(kind="proco"))
    model = build_for_trial(trial, 10, None)
    before = torch.get_rng_state()
    one, same_seed = (ContrastiveBranch(trial, model, COUNTS) for _ in range(2))
    other = ContrastiveBranch(trial.model_copy(update={"seed": 5}), model, COUNTS)
    assert torch.equal(before, torch.get_rng_state())
    for weight, equal, unequal in zip(one.weights, same_seed.weights, other.weights, strict=True):
        assert torch.equal(weight, equal)
        assert weight.dim() == 1 or not torch.equal(weight, unequal)


@pytest.mark.parametrize(
    ("recipe", "method", "message"),
    [
        ({"freeze": "backbone"}, {}, "backbone leaves a contrastive branch nothing to train"),
        ({}, {"experts": Experts()}, "each of the experts has its own"),
    ],
)
def test_what_makes_no_sense_is_refused(
    recipe: dict[str, Any],
    method: dict[str, Any],
    message: str,
    make_trial: MakeTrial,
    make_recipe: MakeRecipe,
) -> None:
    with pytest.raises(ValidationError, match=message):
        trial_of(
            make_trial,
            make_recipe(**recipe),
            Contrastive(kind="proco"),
            **method,
        )


def test_weight_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Contrastive(kind="proco", weight=0)


def test_proco_with_sampling_corrects_twice() -> None:
    values = {"name": "m", "label": "L", "loss": {"name": "softmax"}, "sampling": {"kind": "power"}}
    for kind, twice in zip(KINDS, (False, True), strict=True):
        method = Method.model_validate({**values, "contrastive": {"kind": kind}})
        assert bool(double_corrections(method)) == twice


def test_second_stage_has_no_branch() -> None:
    values = {"name": "m", "label": "L", "loss": {"name": "softmax"}}
    stage = {"epochs": 2, "loss": {"name": "softmax"}}
    method = Method.model_validate(
        {**values, "contrastive": {"kind": "proco"}, "second_stage": stage}
    )
    assert method.first_stage.contrastive == Contrastive(kind="proco")
    assert method.last_stage.contrastive is None
