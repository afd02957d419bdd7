"""Experts: what they share, what each one owns, and what their network returns."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import ExpertClassifiers, ImageClassifier, build, build_for_trial
from longtail.learning.backbones.experts import as_experts, check_experts
from longtail.learning.backbones.layers import layer_numbers
from longtail.learning.training.freezing import check_layers
from longtail.parameters import (
    OWN_ARCHITECTURES,
    Backbone,
    Classifier,
    Experts,
    Method,
    Softmax,
)

IMAGES = torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(0)).float()
EXPERT = re.compile(r"experts\.(\d+)\.")


def model_of(
    architecture: str, experts: Experts | None, weights: dict[str, Tensor] | None = None
) -> ImageClassifier:
    torch.manual_seed(0)
    backbone = Backbone(name="net", label="L", architecture=architecture)
    return build(backbone, Classifier(), 5, 32, weights, experts)


def of_expert(model: ImageClassifier, number: int) -> dict[str, Tensor]:
    """The weights with which one expert alone is a network without experts."""
    return {
        EXPERT.sub("", name): value
        for name, value in model.state_dict().items()
        if not (found := EXPERT.search(name)) or int(found[1]) == number
    }


@pytest.mark.parametrize("architecture", OWN_ARCHITECTURES)
@pytest.mark.parametrize("shared", [0.375, 0.7, 1.0])
def test_each_expert_computes_what_its_weights_do_alone(architecture: str, shared: float) -> None:
    model = model_of(architecture, Experts(shared=shared)).eval()
    logits = []
    for number in range(3):
        alone = model_of(architecture, None).eval()
        alone.load_state_dict(of_expert(model, number))
        logits.append(alone(IMAGES))
    torch.testing.assert_close(model(IMAGES), torch.stack(logits).mean(0))
    assert isinstance(model.classifier, ExpertClassifiers)
    model.classifier.train()  # the logits of all experts, with BatchNorm as in evaluation
    torch.testing.assert_close(model(IMAGES), torch.stack(logits))
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("architecture", OWN_ARCHITECTURES)
def test_lower_layers_are_shared_and_all_others_owned(architecture: str) -> None:
    numbers = layer_numbers(model_of(architecture, None).backbone)
    first = int(0.7 * (max(numbers.values()) + 1))
    network = model_of(architecture, Experts(count=2, shared=0.7)).backbone
    found: dict[str, int] = {}
    for name, number in layer_numbers(network).items():
        plain = EXPERT.sub("", name)
        assert number == numbers[plain]
        found[plain] = found.get(plain, 0) + 1
    assert found == {name: 1 if number < first else 2 for name, number in numbers.items()}


@pytest.mark.parametrize("shared", [0.375, 1.0])
def test_one_expert_is_the_network_without_experts(shared: float) -> None:
    plain = model_of("resnet32", None).state_dict()
    one = model_of("resnet32", Experts(count=1, shared=shared)).state_dict()
    assert plain.keys() == one.keys()
    assert all(torch.equal(plain[name], one[name]) for name in plain)


def test_experts_start_differently_and_pretrained_ones_with_the_same_network() -> None:
    experts = Experts(count=2, shared=0.5)
    random = model_of("mobilenetv2_micro", experts)
    weights = model_of("mobilenetv2_micro", None).backbone.state_dict()
    pretrained = model_of("mobilenetv2_micro", experts, weights)
    for model, equal in ((random, False), (pretrained, True)):
        first, second = (of_expert(model, number) for number in range(2))
        own = [name for name in first if name.endswith("conv_head.weight")]
        assert len(own) == 1
        assert torch.equal(first[own[0]], second[own[0]]) == equal
        assert not torch.equal(first["classifier.weight"], second["classifier.weight"])
    for name, value in weights.items():
        assert torch.equal(of_expert(pretrained, 1)[f"backbone.{name}"], value)


def test_a_batch_of_an_expert_has_its_own_statistics() -> None:
    model = model_of("resnet32", Experts(count=2, shared=0.5)).train()
    model(IMAGES)
    state = model.state_dict()
    shared = state["backbone.bn1.num_batches_tracked"]
    assert shared == 1
    owned = [state[f"backbone.blocks.14.experts.{number}.bn2.running_mean"] for number in range(2)]
    assert not torch.equal(owned[0], owned[1])
    assert state["backbone.blocks.14.experts.0.bn2.num_batches_tracked"] == 1


def test_experts_above_a_frozen_backbone_are_classifiers_only(
    make_trial: Any, make_recipe: Any
) -> None:
    trial = make_trial(recipe=make_recipe(freeze="backbone", image_size=32))
    method = trial.method.model_copy(update={"experts": Experts()})
    model = build_for_trial(trial.model_copy(update={"method": method}), 5, None)
    torch.manual_seed(0)
    plain = build_for_trial(trial, 5, None)
    assert model.backbone.state_dict().keys() == plain.backbone.state_dict().keys()
    assert len(model.classifier.experts) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "architecture",
    [
        "resnet18",
        "mobilenetv3_small_050",
        "vit_tiny_patch16_224",
        "convnext_atto",
        "swin_tiny_patch4_window7_224",
    ],
)
def test_networks_of_timm_are_divided(architecture: str) -> None:
    experts = Experts(count=2, shared=0.7)
    backbone = Backbone(name="net", label="L", architecture=architecture)
    with torch.device("meta"):
        model = build(backbone, Classifier(), 5, 64, None, experts)
        plain = build(backbone, Classifier(), 5, 64, None)
    check_experts(model.backbone, experts, 64)
    more = sum(p.numel() for p in model.parameters()) / sum(p.numel() for p in plain.parameters())
    assert 1.1 < more < 2


class Scaled(nn.Module):
    """A network with a weight that belongs to none of its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.scale = nn.Parameter(torch.ones(1))

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        assert not coarse
        return {"stem": r"^stem", "blocks": r"^block"}


def test_weight_outside_the_modules_of_the_experts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"experts.shared: 0.5 .* 'scale' would belong"):
        as_experts([Scaled(), Scaled()], Experts(count=2, shared=0.5))


def test_network_that_cannot_be_divided_there_is_refused_before_training(
    make_trial: Any, make_recipe: Any
) -> None:
    cosine = Classifier(kind="cosine")
    method = Method(
        name="m",
        label="L",
        loss=Softmax(name="softmax"),
        classifier=cosine,
        experts=Experts(shared=0.7),
    )
    dense = Backbone(name="net", label="L", architecture="densenet121")
    trial = make_trial(backbone=dense, method=method, recipe=make_recipe(image_size=32))
    message = (
        r"train.digits.balanced.net.m.seed0.trial: method.experts.shared: the network cannot be "
        r"divided into experts at 0.7 of its layers \(Sizes of tensors must match.*"
    )
    with pytest.raises(ConfigurationError, match=message):
        check_layers([trial])
    classifiers = method.model_copy(update={"experts": Experts(shared=1.0)})
    check_layers([trial.model_copy(update={"method": classifiers})])
    resnet = Backbone(name="net", label="L", architecture="resnet32")
    check_layers([trial.model_copy(update={"backbone": resnet})])
