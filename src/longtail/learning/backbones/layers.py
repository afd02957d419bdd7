"""The layers of a network.

They are timm's parameter groups: the stem is layer 0, each block is the next one, and parts
between the last block and the classifier belong to the last block or come after it.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from timm.models import group_parameters
from torch import nn

from longtail.errors import ConfigurationError

# The part of a name that tells experts apart: their layers have the same number.
OF_AN_EXPERT = re.compile(r"\bexperts\.\d+\.")


def layer_numbers(network: nn.Module) -> dict[str, int]:
    """Return the layer number of each parameter by its name, counted from the input.

    Raises:
        ConfigurationError: if the network does not define its layers.
    """
    group_matcher: Any = getattr(network, "group_matcher", None)
    if group_matcher is None:
        raise ConfigurationError(
            f"recipe: {type(network).__name__} does not define its layers: leave layer_decay "
            f"at 1, freeze at none or backbone, and method.experts.shared at 1"
        )
    names = {name: OF_AN_EXPERT.sub("", name) for name, _ in network.named_parameters()}
    alone = [(name, None) for name in dict.fromkeys(names.values())]
    # Of a network, timm reads only the names of its parameters.
    named: Any = SimpleNamespace(named_parameters=lambda: alone)
    numbers: dict[str, int] = group_parameters(named, group_matcher(coarse=False), reverse=True)
    return {name: numbers[in_network] for name, in_network in names.items()}
