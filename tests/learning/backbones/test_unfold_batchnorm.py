"""Folded BatchNorm layers get statistics without a change of their function."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from longtail.learning.backbones.unfold_batchnorm import unfold_batch_norms


@pytest.fixture
def network() -> nn.Sequential:
    """As a folded network is: its layers' weights are large, and BatchNorm only adds a bias."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4)
    )
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(5)
            if isinstance(layer, nn.BatchNorm2d):
                layer.bias.copy_(torch.linspace(-1, 2, len(layer.bias)))
    return layers.eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(64, 3, 12, 12, generator=torch.Generator().manual_seed(1)) * 3 + 1


def test_outputs_in_evaluation_mode_do_not_change(
    network: nn.Sequential, images: torch.Tensor
) -> None:
    others = images.flip(0) + 2
    before = network(images), network(others)
    assert unfold_batch_norms(network, images) == 2
    assert torch.allclose(network(images), before[0], atol=1e-4)
    assert torch.allclose(network(others), before[1], atol=1e-4)


def test_outputs_in_training_mode_are_those_of_the_folded_weights(
    network: nn.Sequential, images: torch.Tensor
) -> None:
    folded = network(images)
    network.train()
    wrong = network(images)  # divides by deviations that the folded weights do not expect
    assert (wrong - folded).abs().mean() > 0.5
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    unfold_batch_norms(network, images)
    assert network.training
    assert torch.allclose(network(images), folded, atol=1e-3)


def test_running_statistics_are_those_of_the_layers_input(
    network: nn.Sequential, images: torch.Tensor
) -> None:
    received = network[0](images)
    unfold_batch_norms(network, images)
    first = network[1]
    assert isinstance(first, nn.BatchNorm2d)
    assert first.running_mean is not None and first.running_var is not None
    assert torch.allclose(first.running_mean, received.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(first.running_var, received.var((0, 2, 3), correction=0), rtol=1e-4)


def test_a_trained_layer_is_not_changed(network: nn.Sequential, images: torch.Tensor) -> None:
    trained = network[1]
    assert isinstance(trained, nn.BatchNorm2d) and trained.running_mean is not None
    trained.running_mean.fill_(0.3)
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    assert unfold_batch_norms(network, images) == 1
    assert all(torch.equal(value, state[name]) for name, value in trained.state_dict().items())
