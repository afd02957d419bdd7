"""Frozen layers and layer-wise learning rates of pretrained networks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import ImageClassifier, build_for_trial
from longtail.learning.backbones.adapters import Adapter
from longtail.learning.backbones.experts import check_experts
from longtail.learning.backbones.layers import layer_numbers
from longtail.parameters import Recipe, Trial, whole_share

# The key of a parameter group's factor on the learning rate, as in timm.
LR_SCALE = "lr_scale"


def freeze(model: ImageClassifier, recipe: Recipe) -> None:
    """Freeze the layers of ``recipe.freeze``: no gradients, and always in evaluation mode.

    Adapters are not frozen.

    A fraction is rounded down to whole layers.

    Raises:
        ConfigurationError: if the fraction is less than one layer.
    """
    if recipe.freeze == "none":
        return
    network = model.backbone
    if recipe.freeze == "backbone":
        frozen = {name for name, _ in network.named_parameters()} - _of_adapters(network)
    else:
        numbers = layer_numbers(network)
        count = max(numbers.values()) + 1
        bottom = whole_share(recipe.freeze, count)
        if bottom == 0:
            raise ConfigurationError(
                f"recipe.freeze: {recipe.freeze} is less than one of the network's {count} layers. "
                f"Give at least {1 / count:.3f}, or none"
            )
        frozen = {name for name, number in numbers.items() if number < bottom}
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    model.keep_in_evaluation_mode(part for part in network.modules() if _is_frozen(part, recipe))


def check_layers(trials: Iterable[Trial]) -> None:
    """Check before any training that experts, adapters and settings by layer will work.

    Raises:
        ConfigurationError: naming the trial.
    """
    seen = set()
    for trial in trials:
        recipe = trial.recipe
        experts = trial.method.experts
        case = (
            *(trial.backbone.name, recipe.image_size, recipe.freeze, recipe.layer_decay),
            recipe.adapters is None,
            None if experts is None else (experts.count, experts.shared),
        )
        if not trial.needs_layers or case in seen:
            continue
        seen.add(case)
        try:
            with torch.device("meta"):  # only the names and shapes of its parameters are needed
                model = build_for_trial(trial, 2, None)
                if experts is not None:
                    check_experts(model.backbone, experts, recipe.image_size)
            freeze(model, recipe)
            parameter_groups(model, recipe)
        except ConfigurationError as error:
            raise ConfigurationError(f"train.{trial.name}.trial: {error}") from None


def _of_adapters(network: nn.Module) -> set[str]:
    """Return the names of the parameters of a network's adapters."""
    adapters = (
        (path, module) for path, module in network.named_modules() if isinstance(module, Adapter)
    )
    return {f"{path}.{name}" for path, module in adapters for name, _ in module.named_parameters()}


def _is_frozen(part: nn.Module, recipe: Recipe) -> bool:
    """True if no parameter is trained; for dropout, which has none, if the backbone is not."""
    parameters = list(part.parameters())
    return (
        not any(p.requires_grad for p in parameters) if parameters else recipe.freeze == "backbone"
    )


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Group the trained parameters by their learning rate.

    Layer-wise learning rate decay as in BEiT (Bao et al. 2021, arXiv 2106.08254): with decay d,
    the rate of the classifier is the recipe's, and that of layer i of L is d ** (L - i) times it.
    Weight decay is the same for all. Without decay there is one group.

    Args:
        model: image classifier, or a classifier alone if its backbone is frozen.
        recipe: recipe with ``freeze`` and ``layer_decay``.
    """
    if recipe.layer_decay == 1 or not isinstance(model, ImageClassifier):
        return [{"params": [p for p in model.parameters() if p.requires_grad]}]
    numbers = layer_numbers(model.backbone)
    count = max(numbers.values()) + 1
    layers: dict[int, list[nn.Parameter]] = {count: list(model.classifier.parameters())}
    for name, parameter in model.backbone.named_parameters():
        if parameter.requires_grad:
            layers.setdefault(numbers[name], []).append(parameter)
    # The classifier comes first: the history shows the learning rate of the first group.
    return [
        {"params": layers[number], LR_SCALE: recipe.layer_decay ** (count - number)}
        for number in sorted(layers, reverse=True)
    ]
