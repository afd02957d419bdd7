"""Networks: timm's by name, and four small ones that learn 32-pixel images in seconds.

The small ones are members of the thesis' four families, built from timm's own blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import timm
import torch
from timm.layers.create_conv2d import create_conv2d
from timm.layers.norm_act import BatchNormAct2d
from timm.models import convnext, efficientnet, resnetv2, vision_transformer
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.errors import ConfigurationError
from longtail.parameters import MICRO_ARCHITECTURES, Backbone, Classifier, unknown

IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF_MEAN_STD = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def mobilenetv2_micro(image_size: int) -> nn.Module:
    """Inverted residuals at half width, 22 thousand parameters."""
    blocks = [["ds_r1_k3_s1_c16"], ["ir_r1_k3_s2_e3_c24"], ["ir_r2_k3_s2_e3_c48"],
              ["ir_r1_k3_s1_e3_c96"]]  # fmt: skip
    network: nn.Module = efficientnet.EfficientNet(
        block_args=decode_arch_def(blocks),  # type: ignore[no-untyped-call]
        num_features=128,
        stem_size=8,
        fix_stem=True,
        round_chs_fn=partial(round_channels, multiplier=0.5),
        act_layer=nn.ReLU6,
    )
    return network


def resnetv2_micro(image_size: int) -> nn.Module:
    """Three pre-activation bottlenecks, 127 thousand parameters."""
    network: nn.Module = resnetv2.ResNetV2(
        layers=[1, 1, 1],
        channels=(64, 128, 256),
        stem_chs=16,
        stem_type="fixed",
        conv_layer=create_conv2d,
        norm_layer=BatchNormAct2d,
        zero_init_last=True,
    )
    return network


def vit_micro(image_size: int) -> nn.Module:
    """Four transformer blocks of width 64 over patches of 8 pixels, 148 thousand parameters."""
    network: nn.Module = vision_transformer.VisionTransformer(
        img_size=image_size,
        patch_size=8,
        embed_dim=64,
        depth=4,
        num_heads=2,
        mlp_ratio=2.0,
        # With few steps a class token lags far behind the average of the patches.
        class_token=False,
        global_pool="avg",
        weight_init="jax",
    )
    return network


def convnext_micro(image_size: int) -> nn.Module:
    """One ConvNeXt block a stage, 233 thousand parameters."""
    network: nn.Module = convnext.ConvNeXt(depths=(1, 1, 1, 1), dims=(16, 32, 64, 128))
    return network


MICRO: dict[str, Callable[[int], nn.Module]] = dict(
    zip(
        MICRO_ARCHITECTURES,
        (mobilenetv2_micro, resnetv2_micro, vit_micro, convnext_micro),
        strict=True,
    )
)


def check_architecture(backbone: Backbone) -> None:
    """Refuse an architecture that neither we nor timm have.

    Raises:
        ConfigurationError: with the nearest known names.
    """
    if backbone.architecture not in MICRO and not timm.is_model(backbone.architecture):
        near = [*MICRO, *timm.list_models(f"*{backbone.architecture.split('_')[0]}*")[:20]]
        message = unknown(backbone.architecture, near, "architecture")
        raise ConfigurationError(
            f"backbones.{backbone.name}.architecture: {message}, and timm's others"
        )
    if backbone.architecture in MICRO and (backbone.pretrained or backbone.options):
        raise ConfigurationError(
            f"backbones.{backbone.name}: '{backbone.architecture}' has no pretrained weights and "
            f"takes no options; leave both out"
        )


class Normalize(nn.Module):
    """Pixels 0..255 to about zero mean and unit deviation, a channel at a time."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))

    def set(self, mean: Tensor, std: Tensor) -> None:
        """Take means and deviations, of shape (3,), of pixels scaled to 0..1."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, images: Tensor) -> Tensor:
        scale = 1 / (255 * self.std)
        shift = self.mean / self.std
        result: Tensor = images * scale[:, None, None] - shift[:, None, None]
        return result


class CosineLinear(nn.Module):
    """``scale`` times the cosine between features and class vectors (Cao et al. 2019)."""

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features).uniform_(-1, 1))
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        # In float32: a rounded cosine times 30 is a wrong logit.
        with torch.autocast(features.device.type, enabled=False):
            cosine = F.linear(F.normalize(features.float()), F.normalize(self.weight))
            return self.scale * cosine


class ScaledLinear(nn.Linear):
    """A linear layer whose output is multiplied by a fixed ``scale``."""

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__(features, classes)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        logits = super().forward(features)
        return logits if self.scale == 1 else self.scale * logits


class Classifying(nn.Module):
    """A whole model: pixels 0..255 in, logits out.

    Args:
        backbone: a timm network without its classifier, from images to features.
        classifier: from features to logits.
    """

    def __init__(self, backbone: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape (batch, classes) for images of shape (batch, 3, height, width)."""
        logits: Tensor = self.classifier(self.backbone(self.normalize(images)))
        return logits


def build(
    backbone: Backbone,
    classifier: Classifier,
    classes: int,
    image_size: int,
    weights: Mapping[str, Tensor] | None,
) -> Classifying:
    """Build a model, with random weights from torch's global generator, or ``weights``.

    Args:
        backbone: which network.
        classifier: which last layer; it always starts at random.
        classes: how many logits.
        image_size: the side of the images that the network will see, in pixels.
        weights: of the network, as :func:`pretrained_weights` gives them.

    Raises:
        ConfigurationError: if ``weights`` do not fit the network.
    """
    if backbone.architecture in MICRO:
        network = MICRO[backbone.architecture](image_size)
    else:
        options = dict(backbone.options)
        if _takes_image_size(backbone.architecture):
            options.setdefault("img_size", image_size)
        network = timm.create_model(backbone.architecture, **options)
    if weights is not None:
        _load(network, weights, backbone)
    features: int = network.num_features  # type: ignore[assignment]
    network.reset_classifier(0)  # type: ignore[operator]
    head = CosineLinear if classifier.kind == "cosine" else ScaledLinear
    return Classifying(network, head(features, classes, classifier.scale))


def _takes_image_size(architecture: str) -> bool:
    """Whether the network must know the image size, for its position embeddings."""
    return architecture.startswith(("vit_", "deit", "beit", "swin"))


def _load(network: nn.Module, weights: Mapping[str, Tensor], backbone: Backbone) -> None:
    classifier = network.get_classifier()  # type: ignore[operator]
    prefixes = tuple(f"{name}." for name, module in network.named_modules() if module is classifier)
    own = network.state_dict()
    wanted = {name for name in own if not name.startswith(prefixes)}
    missing = sorted(wanted - set(weights))
    misshapen = sorted(n for n in wanted & set(weights) if own[n].shape != weights[n].shape)
    if missing or misshapen:
        example = (
            f"'{missing[0]}' is missing"
            if missing
            else f"'{misshapen[0]}' has shape {tuple(weights[misshapen[0]].shape)}, "
            f"not {tuple(own[misshapen[0]].shape)}"
        )
        raise ConfigurationError(
            f"the weights do not fit {backbone.architecture} with options {backbone.options}: "
            f"{example} ({len(missing)} missing, {len(misshapen)} of another shape)"
        )
    network.load_state_dict({n: weights[n] for n in wanted}, strict=False)
