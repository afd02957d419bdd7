"""Which parts of a pretrained network learn, and at what rates.

A network's layers are those that timm groups its parameters into: the stem is 0, each block is
the next, and what stands between the last block and the classifier is with it or comes last.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor
from typing import Any

from timm.models import group_parameters
from torch import nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import Classifying, build
from longtail.parameters import Recipe, Trial

# What an optimiser's group multiplies the learning rate by.
SCALE = "lr_scale"


def layer_numbers(network: nn.Module) -> dict[str, int]:
    """The number of each parameter's layer by the parameter's name, from the pixels up.

    Raises:
        ConfigurationError: if the network does not say what its layers are.
    """
    group_matcher: Any = getattr(network, "group_matcher", None)
    if group_matcher is None:
        raise ConfigurationError(
            f"recipe: {type(network).__name__} does not say what its layers are: leave layer_decay "
            f"at 1, and freeze at none or backbone"
        )
    matcher = group_matcher(coarse=False)
    numbers: dict[str, int] = group_parameters(network, matcher, reverse=True)
    return numbers


def freeze(model: Classifying, recipe: Recipe) -> None:
    """Fix what ``recipe.freeze`` names: it gets no gradients, and stays in evaluation mode.

    A share is rounded down to whole layers.

    Raises:
        ConfigurationError: if the share is less than one layer.
    """
    if recipe.freeze == "none":
        return
    network = model.backbone
    if recipe.freeze == "backbone":
        frozen = {name for name, _ in network.named_parameters()}
    else:
        numbers = layer_numbers(network)
        count = max(numbers.values()) + 1
        bottom = floor(recipe.freeze * count + 1e-9)  # 0.29 * 100 is 28.999999999999996
        if bottom == 0:
            raise ConfigurationError(
                f"recipe.freeze: {recipe.freeze} is less than one of the network's {count} layers. "
                f"Give at least {1 / count:.3f}, or none"
            )
        frozen = {name for name, number in numbers.items() if number < bottom}
    fixed = [parameter for name, parameter in network.named_parameters() if name in frozen]
    for parameter in fixed:
        parameter.requires_grad_(False)
    model.frozen = [part for part in network.modules() if _is_frozen(part)]
    model.train(model.training)


def check_layers(trials: Iterable[Trial]) -> None:
    """Refuse what :func:`freeze` and :func:`parameter_groups` would refuse, before any training.

    Raises:
        ConfigurationError: naming the trial.
    """
    seen = set()
    for trial in trials:
        recipe = trial.recipe
        case = (trial.backbone.name, recipe.freeze, recipe.layer_decay)
        if not recipe.needs_layers or case in seen:
            continue
        seen.add(case)
        model = build(trial.backbone, trial.method.classifier, 2, recipe.image_size, None)
        try:
            freeze(model, recipe)
            parameter_groups(model, recipe)
        except ConfigurationError as error:
            raise ConfigurationError(f"train.{trial.name}.trial: {error}") from None


def _is_frozen(part: nn.Module) -> bool:
    parameters = list(part.parameters())
    return bool(parameters) and not any(p.requires_grad for p in parameters)


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """What an optimiser moves, in groups that it moves at different rates.

    With decay d, the classifier's rate is the recipe's, and that of layer i of L is d ** (L - i)
    times it: layer-wise decay as in BEiT (Bao et al. 2021, arXiv 2106.08254). Weight decay is
    the same everywhere. Without decay there is one group.

    Args:
        model: whole, or a classifier alone where its backbone is frozen.
        recipe: ``freeze`` and ``layer_decay``.
    """
    if recipe.layer_decay == 1 or not isinstance(model, Classifying):
        return [{"params": [p for p in model.parameters() if p.requires_grad]}]
    numbers = layer_numbers(model.backbone)
    count = max(numbers.values()) + 1
    layers: dict[int, list[nn.Parameter]] = {count: list(model.classifier.parameters())}
    for name, parameter in model.backbone.named_parameters():
        if parameter.requires_grad:
            layers.setdefault(numbers[name], []).append(parameter)
    # The classifier first: the history shows the rate of the first group.
    return [
        {"params": layers[number], SCALE: recipe.layer_decay ** (count - number)}
        for number in sorted(layers, reverse=True)
    ]
