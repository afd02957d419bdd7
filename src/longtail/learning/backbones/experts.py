"""Experts: the last layers of a network and its classifier, several times, above shared layers.

The features of all experts are stacked along the batch, in the order of the experts. Between two
layers, a network treats each image separately, so it need not know of experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones.layers import layer_numbers
from longtail.learning.backbones.networks import MISFITS
from longtail.parameters import Experts, whole_share
from longtail.wording import first_line


class PerExpert(nn.Module):
    """A layer that each expert has separately.

    Args:
        experts: layer of each expert.
        is_first: whether it receives the features of the shared layers, of shape (batch, ...),
            and not those of each expert, (experts * batch, ...).
    """

    def __init__(self, experts: Sequence[nn.Module], is_first: bool) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.is_first = is_first

    def outputs(self, features: Tensor) -> list[Tensor]:
        """Return the output of each expert."""
        count = len(self.experts)
        # Raises if the stacked features cannot be divided among the experts.
        inputs = [features] * count if self.is_first else _divided(features, count)
        return [expert(part) for expert, part in zip(self.experts, inputs, strict=True)]

    def forward(self, features: Tensor) -> Tensor:
        """Return features of shape (experts * batch, ...)."""
        return torch.cat(self.outputs(features))


class ExpertClassifiers(PerExpert):
    """The classifier of each expert.

    In training mode it returns the logits of all experts, of shape (experts, batch, classes);
    otherwise their mean, (batch, classes), in float32.
    """

    def forward(self, features: Tensor) -> Tensor:
        logits = torch.stack(self.outputs(features))
        return logits if self.training else logits.float().mean(0)


def _divided(features: Tensor, count: int) -> Sequence[Tensor]:
    return features.reshape(count, -1, *features.shape[1:]).unbind()


def as_experts(networks: Sequence[nn.Module], experts: Experts) -> bool:
    """Let the first network run the last layers of all networks above its own first layers.

    Args:
        networks: networks of one architecture, one for each expert. The first one is changed.
        experts: parameters with the share of shared layers.

    Returns:
        True if all layers are shared, so that the experts are classifiers only.

    Raises:
        ConfigurationError: if the network cannot be divided there.
    """
    network = networks[0]
    if experts.shared == 1:
        return True
    numbers = layer_numbers(network)
    shared = whole_share(experts.shared, max(numbers.values()) + 1)
    own = {name for name, number in numbers.items() if number >= shared}
    parts = list(_own_parts(network, "", own))
    for number, name in enumerate(parts):
        copies = [other.get_submodule(name) for other in networks]
        above, _, last = name.rpartition(".")
        setattr(network.get_submodule(above), last, PerExpert(copies, is_first=number == 0))
    undivided = sorted(n for n in own if not n.startswith(tuple(f"{part}." for part in parts)))
    if undivided:
        raise ConfigurationError(
            f"method.experts.shared: {experts.shared} shares {shared} layers of "
            f"{type(network).__name__}, which cannot be divided there: '{undivided[0]}' would "
            f"belong to each expert, but not the part of the network that it is in. Share more "
            f"layers; with 1 the experts are classifiers only"
        )
    return False


def check_experts(network: nn.Module, experts: Experts, image_size: int) -> None:
    """Check that a network of experts returns the features of each expert.

    Args:
        network: network from images to the features of all experts, on the meta device.
        experts: number of experts, and what they share.
        image_size: side of the images, in pixels.

    Raises:
        ConfigurationError: if the network cannot be divided there.
    """
    count = experts.count
    if not any(isinstance(part, PerExpert) for part in network.modules()):
        return
    # Not a multiple of the experts: a layer that is not reached in the order of the layers would
    # otherwise take images for experts.
    images = torch.empty(count + 1, 3, image_size, image_size, device="meta")
    try:
        found = len(network(images))
    except RuntimeError as error:  # of torch, about shapes
        raise _undividable(experts, first_line(error)) from None
    except MISFITS:
        raise _undividable(experts, "its layers do not pass one tensor to the next") from None
    if found != count * (count + 1):
        raise _undividable(experts, f"it returns {found} rows of features for {count + 1} images")


def _undividable(experts: Experts, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"method.experts.shared: the network cannot be divided into experts at {experts.shared} "
        f"of its layers ({reason}). Share another part, or with 1 all layers: the experts are "
        f"then classifiers only"
    )


def _own_parts(module: nn.Module, prefix: str, own: set[str]) -> Iterator[str]:
    """Yield the names of the largest modules whose weights are all in ``own``.

    A container that others iterate over keeps its place, and its members are replaced.
    """
    for name, part in module.named_children():
        path = f"{prefix}{name}"
        weights = [f"{path}.{weight}" for weight, _ in part.named_parameters()]
        is_container = isinstance(part, nn.Sequential | nn.ModuleList)
        if weights and own.issuperset(weights) and not is_container:
            yield path
        elif not own.isdisjoint(weights):
            yield from _own_parts(part, f"{path}.", own)
