"""Adapters: their number of weights, their output, and the networks that can have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import ImageClassifier, build
from longtail.learning.backbones.adapters import Adapter, bottleneck_width
from longtail.learning.training.freezing import check_layers
from longtail.parameters import Adapters, Backbone, Classifier, Experts, Recipe, Trial

MakeTrial = Callable[..., Trial]
MakeRecipe = Callable[..., Recipe]

# Width and number of blocks; timm's has a class token and pools by attention or by that token.
NETWORKS = {"vit_micro": (32, 64, 4), "test_vit": (160, 64, 6)}


def network(
    architecture: str, adapters: Adapters | None = None, classes: int = 100, **options: Any
) -> ImageClassifier:
    torch.manual_seed(0)
    of = Backbone(name="net", label="L", architecture=architecture, options=options)
    cosine = Classifier(kind="cosine", scale=25)
    return build(of, cosine, classes, NETWORKS[architecture][0], None, adapters=adapters)


@pytest.mark.parametrize(
    ("classes", "blocks", "width"),
    [
        *[(100, 12, 4), (96, 12, 4), (95, 12, 2), (1000, 12, 32), (365, 12, 8), (8142, 12, 256)],
        *[(24, 12, 1), (10, 12, 1), (2, 4, 1)],
    ],
)
def test_automatic_bottleneck_is_that_of_the_paper(classes: int, blocks: int, width: int) -> None:
    assert bottleneck_width(Adapters(), classes, blocks) == width
    assert bottleneck_width(Adapters(bottleneck=7), classes, blocks) == 7


@pytest.mark.parametrize("bottleneck", [None, 3])
@pytest.mark.parametrize("architecture", NETWORKS)
def test_number_of_weights_is_that_of_the_formula(architecture: str, bottleneck: Any) -> None:
    _, width, blocks = NETWORKS[architecture]
    with_adapters = network(architecture, Adapters(bottleneck=bottleneck))
    r = bottleneck_width(Adapters(bottleneck=bottleneck), 100, blocks)
    added = [m for m in with_adapters.modules() if isinstance(m, Adapter)]
    assert len(added) == blocks
    count = sum(p.numel() for adapter in added for p in adapter.parameters())
    assert count == blocks * (2 * width * r + 3 * width + r + 1)
    plain = sum(p.numel() for p in network(architecture).parameters())
    assert sum(p.numel() for p in with_adapters.parameters()) == plain + count


@pytest.mark.parametrize("architecture", NETWORKS)
def test_new_adapters_change_no_bit_and_no_name_of_the_network(architecture: str) -> None:
    size = NETWORKS[architecture][0]
    plain, with_adapters = network(architecture), network(architecture, Adapters())
    before, after = plain.state_dict(), with_adapters.state_dict()
    assert before.keys() == {name for name in after if ".adapter." not in name}
    assert all(torch.equal(before[name], after[name]) for name in before)
    images = torch.rand(3, 3, size, size) * 255
    logits = plain.eval()(images)
    assert torch.equal(with_adapters.eval()(images), logits)
    nn.init.ones_(with_adapters.backbone.blocks[0].adapter.up.bias)  # type: ignore[index, union-attr]
    assert not torch.equal(with_adapters(images), logits)


def test_adapter_has_the_values_of_its_formula() -> None:
    torch.manual_seed(1)
    adapter = Adapter(6, 2)
    for parameter in adapter.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(3, 5, 6)
    of = {name: value.detach().double().numpy() for name, value in adapter.named_parameters()}
    x = tokens.double().numpy()
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    hidden = (normed * of["norm.weight"] + of["norm.bias"]) @ of["down.weight"].T + of["down.bias"]
    expected = of["scale"] * (np.maximum(hidden, 0) @ of["up.weight"].T + of["up.bias"])
    np.testing.assert_allclose(adapter(tokens).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_adapter_is_beside_the_mlp() -> None:
    """Its input is what the attention leaves, and its output is not scaled by the layer scale."""
    model = network("test_vit", Adapters(), init_values=0.5)
    block: Any = model.backbone.blocks[1]  # type: ignore[index]
    nn.init.normal_(block.adapter.up.weight)
    x = torch.randn(2, 5, 64)
    attended = x + 0.5 * block.attn(block.norm1(x))
    expected = attended + 0.5 * block.mlp(block.norm2(attended)) + block.adapter(attended)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    "architecture",
    ["mobilenetv2_micro", "resnet32", "resnet18", "test_vit_relpos", "beit_base_patch16_224"],
)
def test_other_networks_are_refused_before_any_training(
    architecture: str, make_trial: MakeTrial, make_recipe: MakeRecipe
) -> None:
    size = 224 if architecture.startswith("beit") else 32
    recipe = make_recipe(image_size=size, freeze="backbone", adapters=Adapters())
    other = make_trial(
        backbone=Backbone(name="net", label="L", architecture=architecture), recipe=recipe
    )
    fine = make_trial(recipe=make_recipe(freeze="backbone", adapters=Adapters()))
    check_layers([fine])
    message = rf"train\.digits\.balanced\.net\..*recipe\.adapters: {architecture} cannot have"
    with pytest.raises(ConfigurationError, match=message):
        check_layers([fine, other])


def test_experts_share_the_adapters_of_a_frozen_backbone() -> None:
    cosine = Classifier(kind="cosine", scale=25)
    of = Backbone(name="net", label="L", architecture="vit_micro")
    experts = Experts(count=2, shared=1.0, tau=(0, 1))
    model = build(of, cosine, 100, 32, None, experts, Adapters())
    assert sum(isinstance(part, Adapter) for part in model.modules()) == 4


@pytest.mark.parametrize("freeze", ["none", 0.5])
def test_adapters_need_a_frozen_backbone(freeze: Any, make_recipe: MakeRecipe) -> None:
    with pytest.raises(ValueError, match="set freeze to backbone, or adapters to null"):
        make_recipe(freeze=freeze, adapters=Adapters())
