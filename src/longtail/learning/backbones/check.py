"""Checks that networks accept the images of a run, before anything is ingested or trained.

Networks are built and run on torch's meta device, which computes shapes only: without memory for
their weights, and in about a second for any size.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F, init
from torch.overrides import TorchFunctionMode

from longtail.errors import ConfigurationError
from longtail.learning.backbones.networks import (
    MISFITS,
    OWN,
    create_network,
    feature_count,
    load_weights,
    published_shapes,
    unusable,
)
from longtail.learning.backbones.pretrained import pretrained_weights
from longtail.parameters import Backbone
from longtail.wording import first_line

log = logging.getLogger(__name__)

# A network is reported if its last layer sees an image as fewer positions along a side.
FEW_POSITIONS = 3
# How many sizes are tried to find some that a network accepts, and how many are named.
TRIED_SIZES, NAMED_SIZES = 6, 2
# The functions that draw weights.
DRAWING = {
    *(Tensor.normal_, Tensor.uniform_, Tensor.clamp_),
    *(init.normal_, init.uniform_, init.kaiming_uniform_),
}
# The functions that return a tensor of the shape of their input.
ACTIVATIONS = {
    *(F.relu, F.relu6, F.gelu, F.silu, F.mish, F.softmax, F.hardswish, F.hardsigmoid, F.hardtanh),
    *(torch.relu, torch.sigmoid, Tensor.sigmoid, Tensor.softmax),
}


def check_network(
    backbone: Backbone, image_size: int, weights: Mapping[str, Tensor] | None
) -> None:
    """Check that a network and its weights can be used for images of a size.

    Args:
        backbone: backbone of a known architecture.
        image_size: side of the images, in pixels.
        weights: weights of the backbone, on the meta device; None for random weights.

    Raises:
        ConfigurationError: if not; names sizes that the network accepts if the size is wrong.
    """
    if backbone.architecture in OWN and weights is None:
        return
    try:
        network = _working(backbone, image_size, weights)
    except MISFITS as error:
        sizes = sorted(islice(_sizes(backbone, image_size, weights), NAMED_SIZES))
        if not sizes:
            raise unusable(backbone, error) from None
        raise ConfigurationError(
            f"backbones.{backbone.name}: {backbone.architecture} cannot be used for images of "
            f"{image_size} pixels ({first_line(error)}). Set recipe.image_size to a size that it "
            f"takes, for example {' or '.join(map(str, sizes))}"
        ) from None
    _report_few_positions(network, backbone, image_size)


def shapes_of_weights(backbone: Backbone) -> dict[str, Tensor]:
    """Return a backbone's pretrained weights, from its file or timm's hub, on the meta device.

    Raises:
        DataError: if the file is unreadable.
        ConfigurationError: if timm refuses the options.
    """
    if backbone.weights is None:
        return published_shapes(backbone)
    return {name: value.to("meta") for name, value in pretrained_weights(backbone).items()}


def _working(
    backbone: Backbone, image_size: int, weights: Mapping[str, Tensor] | None
) -> nn.Module:
    """Return the network on the meta device, once it gave a row of features for each image.

    Raises:
        one of MISFITS: reason why it cannot be used.
    """
    with torch.no_grad(), torch.device("meta"), _ShapesOnly(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of timm's code about itself
        network = create_network(backbone, image_size)
        if weights is not None:
            load_weights(network, weights, backbone)
        images = torch.empty(2, 3, image_size, image_size)
        expected = (2, feature_count(network))
        for training in (True, False):
            features = network.train(training)(images)
            if not isinstance(features, Tensor):
                kind = type(features).__name__
                raise TypeError(f"it returns a {kind}, not a row of features for each image")
            if tuple(features.shape) != expected:
                raise ValueError(
                    f"it returns features of shape {tuple(features.shape)} for 2 images, where a "
                    f"classifier takes {expected}"
                )
    return network


class _ShapesOnly(TorchFunctionMode):
    """Mode without drawing of weights, in which normalization and activations do nothing.

    On the meta device torch does all three step by step in Python, which takes most of a check.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if func in DRAWING:
            return args[0] if args else options["tensor"]
        if func in ACTIVATIONS:
            return args[0] if args else options["input"]
        if func not in (F.batch_norm, F.layer_norm):
            return func(*args, **options)
        given = inspect.signature(func).bind(*args, **options).arguments
        values = given["input"]
        weights = [given.get(name) for name in ("running_mean", "running_var", "weight", "bias")]
        if func is F.batch_norm:
            shape = values.shape[1:2]
        else:
            normalized = torch.Size(given["normalized_shape"])
            shape = values.shape[-len(normalized) :]
            weights.append(torch.empty(normalized))
        for weight in weights:
            if weight is not None and weight.shape != shape:
                raise RuntimeError(
                    f"values of shape {tuple(values.shape)} are normalized by those of shape "
                    f"{tuple(weight.shape)}"
                )
        return values


def _report_few_positions(network: nn.Module, backbone: Backbone, image_size: int) -> None:
    """Warn if images are small for a network of timm, which works but sees little of them."""
    layers: Any = getattr(network, "feature_info", None)
    if backbone.architecture in OWN or not layers:
        return
    pixels = layers[-1]["reduction"]
    positions = image_size // pixels
    if positions < FEW_POSITIONS:
        key = f"backbones.{backbone.name}"
        has_patches = hasattr(getattr(network, "patch_embed", None), "patch_size")
        smaller = f", or smaller patches with {key}.options.patch_size" if has_patches else ""
        log.warning(
            "%s: %s sees an image of %d pixels as %s, each of %d pixels, which is little detail. "
            "Enlarge images with recipe.image_size (the network was made for %d pixels)%s",
            *(key, backbone.architecture, image_size),
            "one position" if positions <= 1 else f"{positions} x {positions} positions",
            *(pixels, network.pretrained_cfg["input_size"][-1], smaller),  # type: ignore[index]
        )


def _sizes(
    backbone: Backbone, image_size: int, weights: Mapping[str, Tensor] | None
) -> Iterator[int]:
    """Yield sizes that a network accepts: first its own, then those next to ``image_size``."""
    if backbone.architecture in OWN:
        return
    config = timm.get_pretrained_cfg(backbone.architecture)
    default = config.input_size[-1] if config is not None else image_size
    others = {step * n for step in (14, 32) for n in range(1, 2 * default // step + 1)} - {default}
    for size in (default, *sorted(others, key=lambda other: abs(other - image_size))[:TRIED_SIZES]):
        try:
            _working(backbone, size, weights)
        except MISFITS:
            continue
        yield size
