"""Frozen layers do not change, and the others learn at their layer's rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from longtail.errors import ConfigurationError
from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.backbones import ImageClassifier, build
from longtail.learning.backbones.layers import layer_numbers
from longtail.learning.execution import Execution
from longtail.learning.training.checkpoint import Checkpoint
from longtail.learning.training.fit import LabelledImages, fit
from longtail.learning.training.freezing import (
    LR_SCALE,
    check_layers,
    freeze,
    parameter_groups,
)
from longtail.learning.training.train import train
from longtail.learning.training.training_state import TrainingState
from longtail.parameters import Backbone, CanonicalLoss, Classifier, Recipe, Trial
from longtail.sources.digits import read_digits
from longtail.trials.loss_schedule import LossSchedule
from tests.learning.training.jobs import training_job

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

PIXELS = read_digits(32).pixels
LABELS = read_digits(32).index["label"].to_numpy()
TRAIN, VALIDATION = np.arange(60), np.arange(1500, 1520)
PLAIN = LossSchedule(CanonicalLoss())
CPU = Execution(torch.device("cpu"), "float32", compile="never")
# How many layers each network has: the stem, its blocks and, in some, a norm of its own.
LAYERS = {
    "mobilenetv2_micro": 6,
    "resnetv2_micro": 4,
    "vit_micro": 6,
    "convnext_micro": 6,
    "resnet32": 16,
    "mobilenetv3_small_050": 14,
}


def backbone(architecture: str) -> Backbone:
    return Backbone(name="net", label="Net", architecture=architecture)


def network(architecture: str, image_size: int = 32) -> ImageClassifier:
    torch.manual_seed(0)
    return build(backbone(architecture), Classifier(), 10, image_size, None)


def pretrained(architecture: str) -> dict[str, torch.Tensor]:
    """Weights as after some training: BatchNorm has other statistics than initially."""
    torch.manual_seed(5)
    weights = {k: v.clone() for k, v in network(architecture).backbone.state_dict().items()}
    for name, value in weights.items():
        if name.endswith("running_mean"):
            value.add_(0.1 * torch.randn(value.shape))
    return weights


def trained(trial: Trial, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    job = training_job(trial, PLAIN, LABELS, TRAIN, VALIDATION)
    return train(job, PIXELS, weights, lambda *_: None).weights


@pytest.mark.parametrize("architecture", LAYERS)
def test_every_network_defines_its_layers(architecture: str) -> None:
    backbone = network(architecture).backbone
    numbers = layer_numbers(backbone)
    assert set(numbers) == {name for name, _ in backbone.named_parameters()}
    assert set(numbers.values()) == set(range(LAYERS[architecture]))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("architecture", LAYERS)
def test_frozen_backbone_keeps_every_bit_and_the_classifier_learns(
    architecture: str, optimizer: str, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(
        epochs=2, image_size=32, freeze="backbone", optimizer=optimizer, learning_rate=0.01
    )
    trial = make_trial(backbone=backbone(architecture), recipe=recipe)
    weights = pretrained(architecture)
    after = trained(trial, weights)
    names = {name.removeprefix("backbone.") for name in after if name.startswith("backbone.")}
    assert names <= set(weights)
    assert all(torch.equal(after[f"backbone.{name}"], weights[name]) for name in names)
    never = trained(
        make_trial(
            backbone=backbone(architecture),
            recipe=recipe.model_copy(update={"learning_rate": 1e-12}),
        ),
        weights,
    )
    assert not torch.equal(after["classifier.weight"], never["classifier.weight"])


def test_partly_frozen_network_moves_exactly_the_layers_above(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    # 0.6 of 6 layers is 3.6: the stem and the first two blocks stay.
    recipe = make_recipe(epochs=2, image_size=32, freeze=0.6, crop_padding=2)
    trial = make_trial(backbone=backbone("mobilenetv2_micro"), recipe=recipe)
    weights = pretrained("mobilenetv2_micro")
    after = trained(trial, weights)
    fixed = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    for name, before in weights.items():
        moved = not torch.equal(after[f"backbone.{name}"], before)
        assert moved == (not name.startswith(fixed)), name


def test_frozen_batch_norm_stays_in_evaluation_mode(make_recipe: MakeRecipe) -> None:
    model = network("mobilenetv2_micro")
    freeze(model, make_recipe(freeze=0.6))
    model.eval()
    model.train()
    modes = {
        name: module.training
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.BatchNorm2d)
    }
    assert modes["bn1"] is modes["blocks.1.0.bn2"] is False
    assert modes["blocks.2.0.bn1"] is modes["bn2"] is True
    assert model.classifier.training


@pytest.mark.parametrize(("share", "layers"), [(0.17, 1), (0.34, 2), (0.5, 3), (0.99, 5)], ids=str)
def test_fraction_is_rounded_down_to_whole_layers(
    share: float, layers: int, make_recipe: MakeRecipe
) -> None:
    model = network("vit_micro")
    numbers = layer_numbers(model.backbone)
    freeze(model, make_recipe(freeze=share))
    frozen = {numbers[n] for n, p in model.backbone.named_parameters() if not p.requires_grad}
    learning = {numbers[n] for n, p in model.backbone.named_parameters() if p.requires_grad}
    assert frozen == set(range(layers))
    assert learning == set(range(layers, 6))


def test_fraction_below_one_layer_is_refused(make_recipe: MakeRecipe) -> None:
    with pytest.raises(
        ConfigurationError, match=r"0\.1 is less than one of the network's 6 layers"
    ):
        freeze(network("vit_micro"), make_recipe(freeze=0.1))


def test_fraction_below_one_layer_is_refused_before_any_training(
    make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    fine = [make_trial(recipe=make_recipe(freeze=share)) for share in ("none", "backbone", 0.5)]
    check_layers(fine)
    with pytest.raises(
        ConfigurationError, match=r"train\.digits\.balanced\.vit\.softmax\.seed0\.trial: .*layers"
    ):
        check_layers([*fine, make_trial(recipe=make_recipe(freeze=0.1))])


def test_learning_rates_decay_with_each_layer_from_the_classifier_down(
    make_recipe: MakeRecipe,
) -> None:
    model = network("mobilenetv2_micro")
    recipe = make_recipe(image_size=32, layer_decay=0.5, learning_rate=0.8, epochs=1)
    groups = parameter_groups(model, recipe)
    scales = {id(p): group[LR_SCALE] for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    by_hand = {
        "classifier.weight": 1.0,
        "backbone.conv_head.weight": 0.5,
        "backbone.blocks.3.0.conv_pw.weight": 0.5,
        "backbone.blocks.2.1.conv_dw.weight": 0.25,
        "backbone.blocks.2.0.conv_dw.weight": 0.125,
        "backbone.blocks.1.0.bn1.bias": 0.0625,
        "backbone.blocks.0.0.conv_dw.weight": 0.03125,
        "backbone.conv_stem.weight": 0.015625,
    }
    assert {name: scales[id(named[name])] for name in by_hand} == by_hand
    assert len(scales) == len(named)  # each parameter once


@pytest.mark.parametrize("freezing", ["none", 0.6])
def test_training_uses_the_decayed_learning_rates(freezing: Any, make_recipe: MakeRecipe) -> None:
    model = network("mobilenetv2_micro")
    recipe = make_recipe(
        **{"epochs": 1, "image_size": 32, "batch_size": 64, "layer_decay": 0.5, "freeze": freezing},
        **{"learning_rate": 0.8, "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0},
    )
    freeze(model, recipe)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    images = torch.from_numpy(PIXELS[TRAIN]).permute(0, 3, 1, 2).contiguous()
    batch = LabelledImages(images, torch.from_numpy(LABELS[TRAIN]))
    grads: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                lambda p, name=name: grads.__setitem__(name, p.grad.clone())
            )
    state = TrainingState(model, PLAIN, recipe, 0, CPU)
    history = fit(state, batch, batch, Augmentation(recipe), lambda *_: None)
    assert history["learning_rate"].tolist() == [0.8]  # the classifier's
    rates = {"classifier.weight": 0.8, "backbone.blocks.2.1.conv_dw.weight": 0.2}
    rates["backbone.conv_stem.weight"] = 0.0125 if freezing == "none" else 0.0
    for name, rate in rates.items():
        moved = before[name] - dict(model.named_parameters())[name]
        expected = rate * grads[name] if rate else torch.zeros_like(moved)
        assert torch.allclose(moved, expected, rtol=1e-3, atol=1e-6), name
    assert ("backbone.conv_stem.weight" in grads) == (freezing == "none")


def test_without_decay_all_parameters_are_one_group_in_their_order(make_recipe: MakeRecipe) -> None:
    model = network("mobilenetv2_micro")
    [group] = parameter_groups(model, make_recipe())
    assert list(map(id, group["params"])) == list(map(id, model.parameters()))
    assert LR_SCALE not in group


def test_restored_state_keeps_the_decayed_learning_rates(
    make_recipe: MakeRecipe, tmp_path: Any
) -> None:
    recipe = make_recipe(image_size=32, layer_decay=0.5)
    state, other = (TrainingState(network("vit_micro"), PLAIN, recipe, 0, CPU) for _ in "ab")
    checkpoint = Checkpoint(tmp_path / "c", "t")
    checkpoint.save(state.state_dict())
    saved = checkpoint.load()
    assert saved is not None
    other.load_state_dict(saved)
    assert [g[LR_SCALE] for g in other.optimizer.param_groups] == [0.5**i for i in range(7)]


def test_network_without_layers_is_refused_by_decay(make_recipe: MakeRecipe) -> None:
    model = network("vit_micro")
    model.backbone = nn.Linear(3, 3)
    with pytest.raises(ConfigurationError, match="Linear does not define its layers"):
        parameter_groups(model, make_recipe(layer_decay=0.5))
