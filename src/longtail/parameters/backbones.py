"""The networks."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from longtail.parameters.strict import Name, Strict

# Our own networks, and what the side of their images must be a multiple of. Every other
# architecture is timm's.
OWN_ARCHITECTURES = {
    "mobilenetv2_micro": 8,
    "resnetv2_micro": 8,
    "vit_micro": 8,
    "convnext_micro": 32,
    "resnet32": 1,
}


class Backbone(Strict):
    """A network: one of ours, or any of timm's by name, with timm's own ``options``.

    ``pretrained`` starts from ``weights`` (a local file) or, where that is null, timm's hub.
    ``recipe`` holds what this backbone changes of the common recipe.
    """

    name: Name
    label: str
    architecture: str
    options: dict[str, Any] = Field(default_factory=dict)
    pretrained: bool = False
    weights: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _own_networks_are_as_they_are(self) -> Self:
        if self.architecture not in OWN_ARCHITECTURES:
            return self
        if self.options:
            raise ValueError(f"'{self.architecture}' takes no options; leave them out")
        if self.pretrained and self.weights is None:
            raise ValueError(
                f"'{self.architecture}' has no pretrained weights but those of a file: name it "
                f"with the key weights, or leave out pretrained"
            )
        return self
