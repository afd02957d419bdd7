"""Image towers of open_clip's checkpoints, such as BioCLIP's, in timm's vision transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.errors import ConfigurationError
from longtail.learning.backbones import build
from longtail.learning.backbones.check import check_network, shapes_of_weights
from longtail.learning.backbones.pretrained import pretrained_weights
from longtail.parameters import Adapters, Backbone, Classifier

WIDTH, HEADS, LAYERS, EMBEDDING, SIZE, PATCH = 32, 2, 3, 24, 32, 8


class ResidualBlock(nn.Module):
    """A block of open_clip's transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        added: Tensor = self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(tokens))))
        return tokens + added


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(ResidualBlock() for _ in range(LAYERS)))


class ImageTower(nn.Module):
    """CLIP's image encoder (Radford et al. 2021), with the names that open_clip has."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(WIDTH))
        tokens = (size // PATCH) ** 2 + 1
        self.positional_embedding = nn.Parameter(torch.randn(tokens, WIDTH))
        self.proj = nn.Parameter(torch.randn(WIDTH, EMBEDDING))
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.transformer = Transformer()

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(images), 1, WIDTH)
        tokens = torch.cat([first, patches], dim=1) + self.positional_embedding
        tokens = self.transformer.resblocks(self.ln_pre(tokens))
        embedding: Tensor = self.ln_post(tokens[:, 0]) @ self.proj
        return embedding


def checkpoint(tower: ImageTower) -> dict[str, Tensor]:
    """A state dict of open_clip: the image tower and, without a prefix, the text tower."""
    text = {
        "positional_embedding": torch.zeros(77, 16),
        "text_projection": torch.zeros(16, EMBEDDING),
        "logit_scale": torch.tensor(4.6),
        "token_embedding.weight": torch.zeros(50, 16),
        "ln_final.weight": torch.ones(16),
        "transformer.resblocks.0.ln_1.weight": torch.ones(16),
        "transformer.resblocks.0.attn.in_proj_weight": torch.zeros(48, 16),
    }
    return text | {f"visual.{n}": t.contiguous() for n, t in tower.state_dict().items()}


def backbone(weights: Path, **options: Any) -> Backbone:
    small = {"embed_dim": WIDTH, "depth": LAYERS, "num_heads": HEADS, "patch_size": PATCH}
    return Backbone(
        name="clip",
        label="L",
        architecture="vit_base_patch16_clip_224",
        options=small | options,
        pretrained=True,
        weights=str(weights),
    )


@pytest.fixture
def tower() -> ImageTower:
    torch.manual_seed(0)
    tower = ImageTower().eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.2)
    return tower


@pytest.mark.parametrize("kind", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_features_are_those_of_the_image_tower(
    kind: str, tower: ImageTower, tmp_path: Path
) -> None:
    state, file = checkpoint(tower), tmp_path / kind
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:  # a checkpoint of a training on several devices
        torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in state.items()}}, file)
    b = backbone(file)
    check_network(b, SIZE, shapes_of_weights(b))
    network = build(b, Classifier(), 5, SIZE, pretrained_weights(b)).backbone.eval()
    images = torch.randn(4, 3, SIZE, SIZE)
    with torch.no_grad():
        # Without the projection to the space of the texts, which is not the classifier's.
        features = network(images)
        torch.testing.assert_close(features @ tower.proj, tower(images), rtol=1e-4, atol=1e-4)


def test_adapters_start_at_the_image_tower(tower: ImageTower, tmp_path: Path) -> None:
    save_file(checkpoint(tower), tmp_path / "a.safetensors")
    b = backbone(tmp_path / "a.safetensors")
    weights = pretrained_weights(b)
    adapted = build(b, Classifier(), 5, SIZE, weights, adapters=Adapters(bottleneck=2))
    images = torch.randn(4, 3, SIZE, SIZE)
    with torch.no_grad():
        features = adapted.backbone.eval()(images)
        torch.testing.assert_close(features @ tower.proj, tower(images), rtol=1e-4, atol=1e-4)


def test_positions_are_resampled_to_another_image_size(tower: ImageTower, tmp_path: Path) -> None:
    save_file(checkpoint(tower), tmp_path / "a.safetensors")
    b = backbone(tmp_path / "a.safetensors")
    network = build(b, Classifier(), 5, 2 * SIZE, pretrained_weights(b)).backbone
    own = network.state_dict()
    assert own["pos_embed"].shape == (1, (2 * SIZE // PATCH) ** 2 + 1, WIDTH)
    assert torch.equal(own["pos_embed"][0, 0], tower.positional_embedding[0])


def test_weights_of_another_size_of_network_are_refused(tower: ImageTower, tmp_path: Path) -> None:
    save_file(checkpoint(tower), tmp_path / "a.safetensors")
    b = backbone(tmp_path / "a.safetensors", depth=4)
    with pytest.raises(ConfigurationError, match=r"do not fit vit_base_patch16_clip_224") as error:
        build(b, Classifier(), 5, SIZE, pretrained_weights(b))
    assert "'blocks.3.attn.proj.bias' is missing" in str(error.value)
    assert "'blocks.3" not in str(error.value).partition("There are")[2]
