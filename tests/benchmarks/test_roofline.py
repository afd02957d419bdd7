from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import timm
from torch import nn

from benchmarks.roofline import Operation, fused_seconds, training_operations

BATCH = 2


def operations_of(name: str, **options: Any) -> list[Operation]:
    build = partial(timm.create_model, name, num_classes=100, **options)
    return training_operations(build, (BATCH, 3, 128, 128))


# Three times the forward pass' published multiply-accumulates, twice as many operations.
@pytest.mark.parametrize(
    ("name", "options", "gflop"),
    [
        ("mobilenetv2_100", {}, 0.58),
        ("resnetv2_50", {}, 7.93),
        ("vit_base_patch16_224", {"img_size": 128}, 33.8),
        ("convnext_base", {}, 30.1),
    ],
)
def test_arithmetic_of_the_thesis_networks(
    name: str, options: dict[str, Any], gflop: float
) -> None:
    flops = sum(operation.flops for operation in operations_of(name, **options))
    assert flops / BATCH / 1e9 == pytest.approx(gflop, rel=0.01)


def test_grouped_convolution_is_counted_by_hand() -> None:
    """8 channels in 4 groups, 3x3, on 6x6 pixels: 2 * 2 * 8 * 36 * 9 operations a pass."""
    layer = partial(nn.Conv2d, 8, 8, 3, padding=1, groups=4, bias=False)

    def network() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), layer())

    operations = training_operations(network, (BATCH, 3, 6, 6))
    forward, backward = (
        [o.flops for o in operations if o.name == name]
        for name in ("convolution", "convolution_backward")
    )
    one_pass = BATCH * 2 * 2 * 8 * 36 * 9
    first = BATCH * 2 * 3 * 8 * 36
    assert forward == [first, one_pass]
    assert backward == [2 * one_pass, first]  # the images need no gradient


def test_each_operation_waits_for_the_slower_of_arithmetic_and_memory() -> None:
    operations = [Operation("mm", 100, 10), Operation("mm", 10, 100), Operation("add", 0, 10**6)]
    assert [operation.fusible for operation in operations] == [False, False, True]
    assert fused_seconds(operations, 10, 5) == pytest.approx(100 / 10 + 100 / 5)
