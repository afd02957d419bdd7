from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision.transforms.functional import five_crop

from longtail.learning.augmentation.geometry import resize
from longtail.learning.backbones import ImageModel, build
from longtail.learning.execution import Execution
from longtail.learning.predict_logits import predict_logits
from longtail.parameters import Backbone, Classifier

CPU = Execution(torch.device("cpu"), "float32", compile="never")


def images(count: int = 7, size: int = 16) -> Tensor:
    numbers = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=numbers)


def model(architecture: str = "mobilenetv2_micro") -> ImageModel:
    torch.manual_seed(0)
    backbone = Backbone(name="b", label="L", architecture=architecture)
    return build(backbone, Classifier(), 5, 16, None)


class Means(ImageModel):
    """Logits that are known: each channel's mean and the number of pixels."""

    def __init__(self, image_size: int = 16) -> None:
        super().__init__()
        self.image_size = image_size

    def forward(self, shown: Tensor) -> Tensor:
        size = torch.full((len(shown), 1), float(shown.shape[-1]))
        return torch.cat([shown.mean((2, 3)), size], dim=1)


def test_logits_are_the_models_for_each_image_in_order() -> None:
    shown = images()
    logits = predict_logits(Means(), shown, 3, CPU)
    assert logits.dtype == torch.float32 and logits.shape == (7, 4)
    assert torch.allclose(logits[:, :3], shown.double().mean((2, 3)).float())


def test_images_are_resized_to_the_models_size() -> None:
    logits = predict_logits(Means(24), images(), 16, CPU)
    assert logits[:, 3].tolist() == [24.0] * 7


@pytest.mark.parametrize("enlarged", [20, 21, 32])
def test_logits_of_five_crops_are_the_mean_of_torchvisions(enlarged: int) -> None:
    network = model().eval()
    whole = predict_logits(network, images(), 3, CPU)
    network.five_crop_size = enlarged
    found = predict_logits(network, images(), 3, CPU)
    crops = five_crop(resize(images().float(), enlarged), 16)
    with torch.no_grad():
        expected = torch.stack([network(crop) for crop in crops]).double().mean(0).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, whole, atol=1e-3)


def test_crops_of_an_image_of_one_colour_have_its_logits() -> None:
    plain = torch.full((2, 3, 16, 16), 77, dtype=torch.uint8)
    network = Means()
    whole = predict_logits(network, plain, 2, CPU)
    network.five_crop_size = 24
    torch.testing.assert_close(predict_logits(network, plain, 2, CPU), whole)


@pytest.mark.parametrize("architecture", ["mobilenetv2_micro", "vit_micro"])
def test_logits_do_not_depend_on_the_batches(architecture: str) -> None:
    whole, parts = (predict_logits(model(architecture), images(), size, CPU) for size in (7, 2))
    assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_statistics_of_the_model_do_not_change(training: bool) -> None:
    network = model().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict_logits(network, images(), 16, CPU)
    assert network.training is training
    assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())


def test_half_precision_logits_come_as_float32_near_the_full_ones() -> None:
    full, half = (
        predict_logits(model("vit_micro"), images(), 16, execution)
        for execution in (CPU, replace(CPU, precision="bfloat16"))
    )
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert torch.allclose(full, half, atol=0.05)
