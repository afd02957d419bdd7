from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import (
    OWN,
    CosineLinear,
    Normalize,
    ScaledLinear,
    build,
    check_architecture,
)
from longtail.learning.backbones.resnet32 import BasicBlock, ResNet32
from longtail.parameters import Backbone, Classifier

THOUSANDS = {  # of parameters, with the ten-class classifier that the docstrings leave out
    "mobilenetv2_micro": 22,
    "resnetv2_micro": 129,
    "vit_micro": 148,
    "convnext_micro": 234,
    "resnet32": 464,
}


def backbone(architecture: str, **changes: Any) -> Backbone:
    return Backbone(name="b", label="L", architecture=architecture, **changes)


def images(size: int, count: int = 2) -> Tensor:
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=numbers).float()


@pytest.mark.parametrize("architecture", OWN)
@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("size", [32, 48])
def test_small_networks_return_one_logit_per_class(architecture: str, kind: Any, size: int) -> None:
    model = build(backbone(architecture), Classifier(kind=kind), 7, size, None)
    logits = model(images(size))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize("architecture", OWN)
def test_small_networks_are_as_small_as_they_say(architecture: str) -> None:
    model = build(backbone(architecture), Classifier(), 10, 32, None)
    thousands = sum(p.numel() for p in model.parameters()) / 1000
    assert thousands == pytest.approx(THOUSANDS[architecture], abs=1)


@pytest.mark.parametrize("architecture", OWN)
def test_every_parameter_of_a_small_network_learns(architecture: str) -> None:
    torch.manual_seed(0)
    model = build(backbone(architecture), Classifier(), 5, 32, None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(3):  # residual branches that start at zero hold others back for a step
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images(32, 8)), torch.arange(8) % 5)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    untouched = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert untouched == []


def test_resnet32_has_the_published_number_of_parameters() -> None:
    """6 n + 2 layers with n = 5; 464,154 parameters with ten classes (He et al.: 0.46 M)."""
    network = ResNet32()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 6 * 5 + 1  # and the classifier
    assert all(c.bias is None and c.kernel_size == (3, 3) for c in convolutions)
    assert sum(p.numel() for p in network.parameters()) == 464_154 - (64 * 10 + 10)


@pytest.mark.parametrize("size", [32, 33, 20])
def test_resnet32_halves_the_image_twice_and_gives_64_features(size: int) -> None:
    network = ResNet32().eval()
    sides = []
    for block in network.blocks:
        block.register_forward_hook(lambda _module, _given, maps: sides.append(tuple(maps.shape)))
    assert network(images(size)).shape == (2, 64)
    half, quarter = -(-size // 2), -(-size // 4)
    stages = [(16, size), (32, half), (64, quarter)]
    assert sides == [(2, width, side, side) for width, side in stages for _ in range(5)]


def test_resnet32_shortcuts_have_no_parameters() -> None:
    """With branches that give nothing, a block passes on every second pixel, padded with zeros."""
    block = BasicBlock(16, 32, stride=2).eval()
    nn.init.zeros_(block.bn2.weight)
    shown = torch.rand(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    passed = block(shown)
    assert passed.shape == (2, 32, 4, 4)
    assert torch.equal(passed[:, 8:24], shown[:, :, ::2, ::2])
    assert not passed[:, :8].any() and not passed[:, 24:].any()
    same = BasicBlock(16, 16, stride=1).eval()
    nn.init.zeros_(same.bn2.weight)
    assert torch.equal(same(shown), shown)


def test_resnet32_is_the_sum_of_branch_and_shortcut() -> None:
    """By torch's own functions, in the order of the paper's figure 2."""
    torch.manual_seed(0)
    block = BasicBlock(16, 16, stride=1)
    shown = torch.randn(4, 16, 8, 8)

    def normalized(maps: Tensor) -> Tensor:
        return nn.functional.batch_norm(maps, None, None, training=True)

    branch = normalized(nn.functional.conv2d(shown, block.conv1.weight, padding=1)).relu()
    branch = normalized(nn.functional.conv2d(branch, block.conv2.weight, padding=1))
    assert torch.allclose(block(shown), (branch + shown).relu(), atol=1e-5)


def test_resnet32_convolutions_are_initialised_kaiming_normal() -> None:
    """Deviations of sqrt(2 / (9 * inputs)), as in Cao et al. 2019."""
    torch.manual_seed(0)
    for convolution in [m for m in ResNet32().modules() if isinstance(m, nn.Conv2d)]:
        weights = convolution.weight.detach()
        expected = (2 / (9 * convolution.in_channels)) ** 0.5
        tolerance = 5 / (2 * weights.numel()) ** 0.5  # five standard errors of a deviation
        assert weights.std().item() == pytest.approx(expected, rel=tolerance)
        assert abs(weights.mean().item()) < 5 * expected / weights.numel() ** 0.5


def test_pixels_are_normalized_by_channel() -> None:
    normalize = Normalize()
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.1])
    normalize.set(mean, std)
    shown = images(4)
    expected = (shown / 255 - mean[:, None, None]) / std[:, None, None]
    assert torch.allclose(normalize(shown), expected, atol=1e-5)
    assert set(normalize.state_dict()) == {"mean", "std"}  # they are stored with the model


def test_cosine_classifier_is_scale_times_the_cosine() -> None:
    layer = CosineLinear(4, 3, scale=30.0)
    features = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)) * 100
    f, w = features.double().numpy(), layer.weight.detach().double().numpy()
    norms = np.linalg.norm(f, axis=1)[:, None] * np.linalg.norm(w, axis=1)
    np.testing.assert_allclose(layer(features).detach(), 30 * f @ w.T / norms, rtol=1e-4, atol=1e-4)


def test_class_vectors_of_a_cosine_classifier_start_with_norm_one() -> None:
    norms = CosineLinear(64, 10, scale=30.0).weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(10))


def test_cosine_classifier_ignores_the_length_of_features() -> None:
    layer = CosineLinear(4, 3, scale=30.0)
    features = torch.ones(1, 4)
    assert torch.allclose(layer(features), layer(features * 1e-3), atol=1e-4)
    assert layer(features).abs().max() <= 30.0001


def test_cosine_is_taken_in_full_precision_under_autocast() -> None:
    layer, features = CosineLinear(64, 10, 30.0), torch.randn(8, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = layer(features)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, layer(features))


def test_scaled_linear_multiplies_its_logits() -> None:
    layer, features = ScaledLinear(4, 3, 2.5), torch.randn(5, 4)
    plain = nn.functional.linear(features, layer.weight, layer.bias)
    assert torch.allclose(layer(features), 2.5 * plain)


@pytest.mark.parametrize(("kind", "expected"), [("linear", ScaledLinear), ("cosine", CosineLinear)])
def test_classifier_is_of_the_given_kind(kind: Any, expected: type[nn.Module]) -> None:
    model = build(backbone("vit_micro"), Classifier(kind=kind, scale=16), 4, 32, None)
    assert type(model.classifier) is expected
    assert model.classifier.scale == 16


def test_vision_transformers_of_timm_take_the_image_size() -> None:
    tiny = backbone("vit_tiny_patch16_224", options={"depth": 1})
    assert build(tiny, Classifier(), 3, 32, None)(images(32)).shape == (2, 3)


def weights_of(architecture: str, size: int = 32) -> dict[str, Tensor]:
    torch.manual_seed(5)
    network = OWN[architecture](size)
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_weights_are_loaded_into_all_but_the_classifier() -> None:
    weights = weights_of("mobilenetv2_micro")
    torch.manual_seed(0)
    model = build(backbone("mobilenetv2_micro"), Classifier(), 4, 32, weights)
    loaded = model.backbone.state_dict()
    assert len(loaded) > 50
    assert all(torch.equal(value, weights[name]) for name, value in loaded.items())
    assert model.classifier.weight.shape == (4, 128)


def test_classifier_is_random_even_with_pretrained_weights() -> None:
    weights = weights_of("convnext_micro")
    heads = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = build(backbone("convnext_micro"), Classifier(), 4, 32, weights)
        heads.append(model.state_dict()["classifier.weight"])
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(
    ("edit", "expected"),
    [("remove", r"'conv_stem\.weight' is missing .*\(1 missing, 0 of"),
     ("reshape", r"'conv_stem\.weight' has shape \(1,\), not \(8, 3, 3, 3\).*0 missing, 1 of")],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_with_an_example(edit: str, expected: str) -> None:
    weights = weights_of("mobilenetv2_micro")
    if edit == "remove":
        del weights["conv_stem.weight"]
    else:
        weights["conv_stem.weight"] = torch.zeros(1)
    with pytest.raises(ConfigurationError, match=f"do not fit mobilenetv2_micro .*{expected}"):
        build(backbone("mobilenetv2_micro"), Classifier(), 4, 32, weights)


def test_known_architectures_pass_the_check() -> None:
    for architecture in (*OWN, "resnet18", "mobilenetv2_100.ra_in1k"):
        check_architecture(backbone(architecture))


def test_unknown_architecture_is_refused_with_similar_names() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"backbones\.b\.architecture: unknown architecture 'convnext_mikro'\. "
        r"Did you mean 'convnext_micro'\?.*and timm's others",
    ):
        check_architecture(backbone("convnext_mikro"))


def test_unknown_weights_of_a_known_architecture_are_refused_with_similar_names() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown weights 'a1_in1'.*'a1_in1k'"):
        check_architecture(backbone("resnet18.a1_in1"))


def test_pretrained_architectures_without_weights_are_refused() -> None:
    check_architecture(backbone("vit_base_patch16_18x2_224"))
    with pytest.raises(ConfigurationError, match="timm has no weights of vit_base_patch16_18x2"):
        check_architecture(backbone("vit_base_patch16_18x2_224", pretrained=True))


# MobileNetV3 has a hidden layer between what it pools and its classifier.
@pytest.mark.parametrize("architecture", ["resnet18", "mobilenetv3_small_050"])
def test_networks_of_timm_keep_their_features(architecture: str) -> None:
    """The classifier is another, but what it sees is what the network computes."""
    torch.manual_seed(0)
    original: Any = timm.create_model(architecture, num_classes=3).eval()
    model = build(backbone(architecture), Classifier(), 4, 32, original.state_dict()).eval()
    shown = images(32)
    features = original.forward_head(original.forward_features(shown), pre_logits=True)
    assert torch.allclose(model.backbone(shown), features, atol=1e-5)
