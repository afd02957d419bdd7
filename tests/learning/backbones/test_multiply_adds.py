"""Multiply-adds of networks, counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from longtail.learning.backbones import CosineLinear, ImageClassifier, ScaledLinear, build
from longtail.learning.backbones.multiply_adds import multiply_adds
from longtail.parameters import Backbone, Classifier, Experts


class Means(nn.Module):
    """The mean of each channel."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))


@pytest.mark.parametrize("classifier", [ScaledLinear, CosineLinear])
def test_of_a_tiny_network(classifier: type[ScaledLinear | CosineLinear]) -> None:
    first = nn.Conv2d(3, 4, 3, padding=1)  # 8 x 8 pixels, 4 channels, 27 weights each
    second = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)  # 4 x 4, 6 channels, 18 weights
    network = nn.Sequential(first, nn.BatchNorm2d(4), nn.ReLU(), second, Means())
    model = ImageClassifier(network, classifier(6, 5, 30.0), image_size=8)
    assert multiply_adds(model) == 8 * 8 * 4 * 27 + 4 * 4 * 6 * 18 + 6 * 5


def test_nothing_of_the_model_changes() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Means())
    model = ImageClassifier(network, nn.Linear(4, 5), image_size=8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    multiply_adds(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def of_architecture(architecture: str, experts: Experts | None = None) -> int:
    backbone = Backbone(name="net", label="L", architecture=architecture)
    return multiply_adds(build(backbone, Classifier(), 10, 32, None, experts))


def test_attention_is_counted() -> None:
    tokens, width = 16, 64
    block = tokens * width * (3 * width + width + 2 * 2 * width)  # with a hidden layer of 128
    attention = 2 * tokens * tokens * width
    patches = tokens * (3 * 8 * 8) * width
    assert of_architecture("vit_micro") == patches + 4 * (block + attention) + 10 * width


def test_experts_cost_as_much_as_the_layers_that_they_do_not_share() -> None:
    def stage(pixels: int, convolutions: int, channels: int) -> int:
        return pixels * convolutions * channels * 9 * channels

    stem = 32 * 32 * 27 * 16
    first = stage(32 * 32, 10, 16)
    # The first convolution of these has half of the channels as inputs.
    second = stage(16 * 16, 9, 32) + 16 * 16 * 32 * 9 * 16
    third = stage(8 * 8, 9, 64) + 8 * 8 * 64 * 9 * 32
    head = 64 * 10
    assert of_architecture("resnet32") == stem + first + second + third + head
    three = stem + first + 3 * (second + third + head)
    assert of_architecture("resnet32", Experts(count=3, shared=0.375)) == three
    all_shared = stem + first + second + third + 3 * head
    assert of_architecture("resnet32", Experts(count=3, shared=1)) == all_shared
