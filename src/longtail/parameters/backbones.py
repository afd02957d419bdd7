"""The networks."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Label, MachinePath, Name, Text

# The networks of this package, each with the number of pixels that the side of its images must be
# a multiple of. All other architectures are timm's.
OWN_ARCHITECTURES = {
    "mobilenetv2_micro": 8,
    "resnetv2_micro": 8,
    "vit_micro": 8,
    "convnext_micro": 32,
    "resnet32": 1,
}


def _representable(options: dict[str, Any]) -> dict[str, Any]:
    for key, value in options.items():
        _check_numbers(key, value)
    return options


def _check_numbers(key: str, value: Any) -> None:
    """Refuse numbers below a key that PyTorch cannot represent."""
    match value:
        case Mapping():
            for name, below in value.items():
                _check_numbers(f"{key}.{name}", below)
        case list() | tuple():
            for number, item in enumerate(value):
                _check_numbers(f"{key}.{number}", item)
        case float() if not isfinite(value):
            raise ValueError(f"{key} should be a finite number, found {value}")
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError(f"{key} should be an integer of at most 64 bits, found {value}")


# Options of ``timm.create_model`` that a network here cannot have, with what to do instead.
REFUSED_OPTIONS = {
    "num_classes": "the classes are those of the training images: leave it out",
    "in_chans": "images have 3 channels: leave it out",
    **dict.fromkeys(
        ("checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay"),
        "weights are not an option of the architecture: use the keys pretrained and weights of the "
        "backbone, or a tag in its architecture",
    ),
}


class Backbone(Strict):
    """A network of this package, or any of timm's.

    Attributes:
        name: its key in the parameters.
        label: its name in the report.
        architecture: timm's name of the network, or one of our own, such as ``vit_micro``.
        options: further arguments of ``timm.create_model``.
        pretrained: whether to start from pretrained weights.
        weights: the local file with these weights; null for timm's hub.
        recipe: keys of the common recipe that this backbone changes.
    """

    name: Name
    label: Label
    architecture: Text
    options: Annotated[dict[str, Any], AfterValidator(_representable)] = Field(default_factory=dict)
    pretrained: bool = False
    weights: MachinePath | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)

    def _contradictions(self) -> Contradictions:
        for option in self.options.keys() & REFUSED_OPTIONS.keys():
            yield key_error(f"options.{option}", REFUSED_OPTIONS[option])
        if self.architecture not in OWN_ARCHITECTURES:
            return
        if self.options:
            yield key_error("options", f"'{self.architecture}' takes none; leave them out")
        if self.pretrained and self.weights is None:
            yield key_error(
                "pretrained",
                f"there are no pretrained weights of '{self.architecture}' except in a file: name "
                f"it with the key weights, or leave out pretrained",
            )
