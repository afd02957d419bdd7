"""Four small networks that are trained on 32-pixel images in seconds.

They belong to the four families of the thesis and are built from timm's blocks.
"""

from __future__ import annotations

from functools import partial

from timm.layers.create_conv2d import create_conv2d
from timm.layers.norm_act import BatchNormAct2d
from timm.models import convnext, efficientnet, resnetv2, vision_transformer
from torch import nn

from longtail.kedro_internals import efficientnet_builder


def mobilenetv2_micro(image_size: int) -> nn.Module:
    """Inverted residuals at half width, 22 thousand parameters."""
    blocks = [["ds_r1_k3_s1_c16"], ["ir_r1_k3_s2_e3_c24"], ["ir_r2_k3_s2_e3_c48"],
              ["ir_r1_k3_s1_e3_c96"]]  # fmt: skip
    builder = efficientnet_builder()
    return efficientnet.EfficientNet(
        block_args=builder.decode_arch_def(blocks),
        num_features=128,
        stem_size=8,
        fix_stem=True,
        round_chs_fn=partial(builder.round_channels, multiplier=0.5),
        act_layer=nn.ReLU6,
    )


def resnetv2_micro(image_size: int) -> nn.Module:
    """Three pre-activation bottleneck blocks, 127 thousand parameters."""
    return resnetv2.ResNetV2(
        layers=[1, 1, 1],
        channels=(64, 128, 256),
        stem_chs=16,
        stem_type="fixed",
        conv_layer=create_conv2d,
        norm_layer=BatchNormAct2d,
        zero_init_last=True,
    )


def vit_micro(image_size: int) -> nn.Module:
    """Four transformer blocks of width 64 over patches of 8 pixels, 148 thousand parameters."""
    return vision_transformer.VisionTransformer(
        img_size=image_size,
        patch_size=8,
        embed_dim=64,
        depth=4,
        num_heads=2,
        mlp_ratio=2.0,
        # In short trainings a class token learns far less than the average of the patches.
        class_token=False,
        global_pool="avg",
        weight_init="jax",
    )


def convnext_micro(image_size: int) -> nn.Module:
    """One ConvNeXt block per stage, 233 thousand parameters."""
    return convnext.ConvNeXt(depths=(1, 1, 1, 1), dims=(16, 32, 64, 128))
