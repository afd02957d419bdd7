"""Adapters: small trained layers in the blocks of a frozen vision transformer."""

from __future__ import annotations

from math import floor, log2
from typing import Any

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.errors import ConfigurationError
from longtail.parameters import Adapters


class Adapter(nn.Module):
    """A bottleneck beside the MLP of a block: LayerNorm, down, ReLU, up, times a learned scale.

    AdaptFormer (Chen et al. 2022, arXiv 2205.13535) with the LayerNorm and the learned scale of
    LIFT (Shi et al. 2024, arXiv 2309.10019). Its output is zero until it is trained.

    Args:
        width: number of features of each token.
        bottleneck: number of features between both linear layers.
    """

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.scale = nn.Parameter(torch.ones(1))
        nn.init.kaiming_normal_(self.down.weight, a=5**0.5)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the addition to the tokens, of the same shape (batch, tokens, width)."""
        return self.scale * self.up(F.relu(self.down(self.norm(tokens))))


class AdaptedBlock(nn.Module):
    """A transformer block with an adapter.

    Args:
        block: block whose parts are used under their names, so that weights keep their names.
        width: see :class:`Adapter`.
        bottleneck: see :class:`Adapter`.
    """

    def __init__(self, block: Block, width: int, bottleneck: int) -> None:
        super().__init__()
        for name, part in block.named_children():
            self.add_module(name, part)
        self.adapter = Adapter(width, bottleneck)

    def forward(
        self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        parts: Any = self  # they have the names of the block's
        attended = parts.attn(parts.norm1(x), attn_mask=attn_mask, is_causal=is_causal)
        x = x + parts.drop_path1(parts.ls1(attended))
        mapped = parts.mlp(parts.norm2(x))
        return x + parts.drop_path2(parts.ls2(mapped)) + self.adapter(x)


def add_adapters(network: nn.Module, adapters: Adapters, classes: int, architecture: str) -> None:
    """Add an adapter to every block of a network; the output stays the same until training.

    Args:
        network: network, changed in place.
        adapters: parameters with the bottleneck.
        classes: number of classes, by which the automatic bottleneck is chosen.
        architecture: name of the network, for the message.

    Raises:
        ConfigurationError: if the network is no vision transformer of plain blocks.
    """
    transformer: Any = network
    blocks = transformer.blocks if isinstance(network, VisionTransformer) else ()
    if not blocks or any(type(block) is not Block for block in blocks):
        raise ConfigurationError(
            f"recipe.adapters: {architecture} cannot have adapters, which are for timm's vision "
            f"transformers with plain blocks (such as vit_base_patch16_224) and vit_micro. Use one "
            f"of those, or a method without adapters"
        )
    bottleneck = bottleneck_width(adapters, classes, len(blocks))
    for number, block in enumerate(blocks):
        blocks[number] = AdaptedBlock(block, transformer.embed_dim, bottleneck)


def bottleneck_width(adapters: Adapters, classes: int, blocks: int) -> int:
    """Return the number of features in the bottleneck of each adapter.

    The automatic number is that of LIFT: the largest power of two with which all adapters together
    have at most as many weights as the classifier, ``classes / (2 blocks)``; at least 1.
    """
    if adapters.bottleneck is not None:
        return adapters.bottleneck
    return 1 << max(0, floor(log2(classes / (2 * blocks))))
