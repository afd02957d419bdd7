"""The last layer of a network."""

from __future__ import annotations

from typing import Literal

from longtail.parameters.strict import Strict
from longtail.parameters.types import Positive


class Classifier(Strict):
    """The last layer.

    Attributes:
        kind: linear, or the cosine of features and class vectors.
        scale: factor of the logits. Changing ``kind`` resets it to 1.
    """

    kind: Literal["linear", "cosine"] = "linear"
    scale: Positive = 1.0
