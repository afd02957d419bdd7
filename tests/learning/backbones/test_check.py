"""Networks of timm at sizes they take, and sentences for sizes that they do not take."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import timm
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import build, check
from longtail.learning.backbones.check import check_network, shapes_of_weights
from longtail.parameters import Backbone, Classifier

# A small member of each module of timm, where its first member is a large one.
SMALL_MEMBERS: list[str] = """
    halonet_h1 mobileone_s1 cait_xxs24_224 coat_tiny convit_tiny convmixer_768_32 test_convnext
    cpubone_nano crossvit_tiny_240 cs3darknet_focus_s cspnext_tiny davit_tiny
    deit_tiny_distilled_patch16_224 densenet121 dla46x_c dpn48b edgenext_xx_small
    efficientformer_l1 efficientformerv2_s0 efficientnet_b0 efficientvim_m1 efficientvit_b0
    efficientvit_m0 eva02_tiny_patch14_224 fasternet_t0 fastvit_s12 focalnet_tiny_srf gcvit_xxtiny
    gemma4_vit_167m ghostnet_050 hardcorenas_b hgnetv2_b0 hiera_tiny_224 sam2_hiera_tiny
    hrnet_w18_small iformer_t inception_next_atto lcnetv2_small levit_128s lowformer_b0
    test_mambaout coatnet_pico_rw_224 caformer_s18 gmlp_ti16_224 mobilenetv3_small_050
    mobilenetv5_base mobilevit_xxs mvitv2_tiny nest_tiny nextvit_small eca_nfnet_l0 pit_ti_224
    pvt_v2_b0 qwen3_vit_88m rdnet_tiny regnetx_002 repghostnet_050 repvit_m1 res2next50 resnest14d
    resnet10t resnetv2_18 rexnet_100 selecsls42 legacy_seresnet18 sequencer2d_s shvit_s1
    skresnet18 starnet_s050 swiftformer_xs swin_tiny_patch4_window7_224 swinv2_tiny_window8_256
    swinv2_cr_tiny_224 tiny_vit_5m_224 tnt_s_legacy_patch16_224 tresnet_m twins_svt_small vgg11
    visformer_tiny flexivit_small vit_tiny_r_s16_p8_224 test_vit_relpos samvit_base_patch16_224
    vitamin_small_224 volo_d1_224 ese_vovnet19b_slim_dw legacy_xception xception41p
    xcit_nano_12_p8_224
""".split()  # noqa: SIM905 - easier to read
# Those of which one block of each kind can be built, in a fraction of the time.
SHALLOW: dict[str, dict[str, Any]] = {
    name: options
    for options, names in (
        ({"depth": 1}, """
            beit_base_patch16_224 cait_xxs24_224 convit_tiny deepseek_vit_412m
            deit_tiny_distilled_patch16_224 eva02_tiny_patch14_224 flexivit_small gemma4_vit_167m
            qwen3_vit_88m naflexvit_base_patch16_gap tnt_s_legacy_patch16_224
            vit_tiny_r_s16_p8_224 xcit_nano_12_p8_224"""),
        ({"depths": (1, 1, 1, 1)}, """
            davit_tiny eca_nfnet_l0 edgenext_xx_small swinv2_cr_tiny_224 tiny_vit_5m_224
            twins_svt_small"""),
        # Every second block has shifted windows.
        ({"depths": (2, 2, 1, 1)}, "swin_tiny_patch4_window7_224 swinv2_tiny_window8_256"),
        # The last stage has blocks of two kinds.
        ({"depths": (1, 1, 1, 2)}, "efficientformer_l1"),
        ({"layers": (1, 1, 1, 1)}, "res2next50 swiftformer_xs tresnet_m"),
        # A recurrent network, in which each row and column of patches is a step.
        ({"layers": (1, 1, 1, 1), "patch_sizes": (16, 2, 1, 1)}, "sequencer2d_s"),
        ({"serial_depths": (1, 1, 1, 1), "parallel_depth": 1}, "coat_tiny"),
    )
    for name in names.split()
}  # fmt: skip
# The modules whose members have no logits for images of a size, with and without weights.
REFUSED = {
    32: {"byoanet", "crossvit", "csatv2", "deepseek_vit", "efficientformer",
         "inception_resnet_v2", "inception_v3", "inception_v4"},
    224: {"byoanet", "crossvit"},
}  # fmt: skip
# Those that take any size, but whose weights timm does not convert.
WEIGHTS_OF_ONE_SIZE = [
    *("cait_xxs24_224", "convit_tiny", "efficientformerv2_s0", "gcvit_xxtiny", "gmlp_ti16_224"),
    *("hiera_tiny_224", "levit_128s", "nest_tiny", "pit_ti_224", "samvit_base_patch16_224"),
    *("visformer_tiny", "volo_d1_224"),
]


def backbone(architecture: str, **changes: Any) -> Backbone:
    return Backbone(name="b", label="L", architecture=architecture, **changes)


def small_member(module: str) -> str:
    members = timm.list_models(module=module)
    return next((name for name in SMALL_MEMBERS if name in members), members[0])


@pytest.mark.parametrize("size", REFUSED)
@pytest.mark.parametrize("module", timm.list_modules())
def test_every_family_has_features_or_is_refused_in_a_sentence(module: str, size: int) -> None:
    architecture = small_member(module)
    net = backbone(architecture, options=SHALLOW.get(architecture, {}))
    if module in REFUSED[size]:
        with pytest.raises(ConfigurationError) as refusal:
            check_network(net, size, None)
        assert "\n" not in str(refusal.value)
        assert "Set recipe.image_size to a size that it takes, for example" in str(refusal.value)
        return
    check_network(net, size, None)  # that each of two images has a row of features


@pytest.mark.parametrize("architecture", ["test_convnext", "test_vit", "regnetx_002"])
def test_a_classifier_is_put_on_what_was_checked(architecture: str) -> None:
    check_network(backbone(architecture), 32, None)
    with torch.device("meta"):
        model = build(backbone(architecture), Classifier(), 7, 32, None)
        assert model(torch.empty(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("architecture", WEIGHTS_OF_ONE_SIZE)
def test_weights_that_timm_does_not_resample_are_refused_naming_their_size(
    architecture: str,
) -> None:
    options = SHALLOW.get(architecture, {})
    net = backbone(architecture, pretrained=True, options=options)
    with pytest.raises(ConfigurationError, match=r"images of 64 pixels \(the weights .* 224$"):
        check_network(net, 64, shapes_of_weights(net))
    check_network(net, 224, shapes_of_weights(net))


@pytest.mark.parametrize(
    "architecture",
    ["deit_tiny_distilled_patch16_224", "flexivit_small", "test_vit", "test_vit_relpos",
     "swin_tiny_patch4_window7_224", "tnt_s_legacy_patch16_224", "xcit_nano_12_p8_224"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")  # of timm's code
def test_pretrained_weights_are_resampled_as_timm_does(architecture: str) -> None:
    torch.manual_seed(0)
    published: Any = timm.create_model(architecture)
    weights: dict[str, Tensor] = published.state_dict()
    expected: Any = timm.create_model(
        architecture,
        pretrained=True,
        img_size=64,
        pretrained_cfg_overlay={"state_dict": dict(weights)},
    )
    expected.reset_classifier(0)
    model = build(backbone(architecture), Classifier(), 7, 64, weights)
    loaded = model.backbone.state_dict()
    assert loaded.keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        assert torch.equal(loaded[name], value), name


def test_pretrained_patches_are_resampled_to_smaller_ones() -> None:
    torch.manual_seed(0)
    weights: dict[str, Tensor] = timm.create_model("test_vit").state_dict()
    net = backbone("test_vit", options={"patch_size": 4}, pretrained=True)
    check_network(net, 32, shapes_of_weights(net))
    model = build(net, Classifier(), 7, 32, weights)
    assert model.backbone.state_dict()["pos_embed"].shape[1] == (32 // 4) ** 2 + 1
    assert model.eval()(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_weights_of_an_own_network_are_resampled() -> None:
    weights = build(backbone("vit_micro"), Classifier(), 7, 32, None).backbone.state_dict()
    model = build(backbone("vit_micro"), Classifier(), 7, 64, weights)
    assert model.backbone.state_dict()["pos_embed"].shape[1] == 64


@pytest.mark.parametrize(
    ("architecture", "options", "expected"),
    [
        ("resnet10t", {"no_such": 1}, r"cannot be used: .*unexpected keyword argument 'no_such'"),
        ("resnet10t", {"features_only": True}, "cannot be used: "),
        ("resnet10t", {"global_pool": ""}, "it returns features of shape"),
        ("convit_tiny", {"img_size": 64}, r"images of 32 pixels \(.*\)\. Set recipe\.image_size"),
    ],
)
def test_options_that_give_no_features_are_refused(
    architecture: str, options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        check_network(backbone(architecture, options=options), 32, None)


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        (nn.BatchNorm2d(4), r"shape \(2, 3, 32, 32\) are normalized by those of shape \(4,\)"),
        (nn.LayerNorm(31), r"shape \(2, 3, 32, 32\) are normalized by those of shape \(31,\)"),
    ],
)
def test_normalization_by_values_of_another_shape_is_refused(
    normalization: nn.Module, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it is not computed."""
    network = normalization.to("meta")
    monkeypatch.setattr(network, "head_hidden_size", 3, raising=False)
    monkeypatch.setattr(check, "create_network", lambda *_: network)
    with pytest.raises(ConfigurationError, match=expected):
        check_network(backbone("resnet10t"), 32, None)


@pytest.mark.parametrize(
    "option", ["in_chans", "checkpoint_path", "pretrained", "pretrained_cfg_overlay"]
)
def test_options_that_bring_weights_or_channels_are_refused(option: str) -> None:
    with pytest.raises(ValidationError, match=r"images have 3 channels|weights are not an option"):
        backbone("resnet10t", options={option: 1})


@pytest.mark.parametrize(
    ("architecture", "size", "expected"),
    [
        ("vit_tiny_patch16_224", 32, "2 x 2 positions, each of 16 pixels"),
        ("resnet10t", 32, "one position, each of 32 pixels"),
        ("vit_tiny_patch16_224", 64, None),
        ("resnet10t", 96, None),
    ],
)
def test_images_that_are_small_for_a_network_are_reported(
    architecture: str, size: int, expected: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check_network(backbone(architecture), size, None)
    assert len(caplog.messages) == (expected is not None)
    for message in caplog.messages:
        assert expected is not None and expected in message
        assert ("options.patch_size" in message) == (architecture != "resnet10t")
