"""Networks without their classifiers: those of this package, and timm's at any size they take."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import timm
import torch
from timm.models import split_model_name_tag
from torch import Tensor, nn

from longtail.errors import ConfigurationError
from longtail.learning.backbones import micro
from longtail.learning.backbones.resnet32 import ResNet32
from longtail.learning.backbones.weight_file import described
from longtail.parameters import OWN_ARCHITECTURES, Backbone, unknown
from longtail.wording import first_line

# Builders of our own networks; each takes the side of the images in pixels.
OWN: dict[str, Callable[[int], nn.Module]] = dict(
    zip(
        OWN_ARCHITECTURES,
        (
            micro.mobilenetv2_micro,
            micro.resnetv2_micro,
            micro.vit_micro,
            micro.convnext_micro,
            lambda _: ResNet32(),
        ),
        strict=True,
    )
)

# A size that all of them accept. The names of their weights do not depend on it.
OWN_IMAGE_SIZE = 32
# The errors of timm, torch and this package about arguments, names and shapes that do not fit.
MISFITS = (
    ConfigurationError,
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError),
    *(RuntimeError, TypeError, ValueError),
)


def check_architecture(backbone: Backbone) -> None:
    """Refuse an architecture that is neither ours nor timm's.

    Raises:
        ConfigurationError: with similar names.
    """
    name, key = backbone.architecture, f"backbones.{backbone.name}.architecture"
    if name in OWN:
        return
    if not timm.is_model(name):
        near = [*OWN, *timm.list_models(f"*{name.split('_')[0]}*")[:20]]
        message = unknown(name, near, "architecture")
        raise ConfigurationError(f"{key}: {message}, and timm's others")
    base, tag = split_model_name_tag(name)
    tags = [split_model_name_tag(known)[1] for known in timm.list_pretrained(f"{base}.*")]
    if backbone.pretrained and backbone.weights is None and not tags:
        raise ConfigurationError(
            f"{key}: timm has no weights of {base}. Name a file with backbones.{backbone.name}."
            f"weights, or train from scratch with backbones.{backbone.name}.pretrained=false"
        )
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        raise ConfigurationError(f"{key}: {unknown(tag, tags, 'weights')} of {base}") from None


def create_network(backbone: Backbone, image_size: int) -> nn.Module:
    """Create a network with random weights, from images to features.

    Args:
        backbone: architecture and its options.
        image_size: side of the images, in pixels. Networks of timm whose weights depend on it are
            created for it.
    """
    if backbone.architecture in OWN:
        network = OWN[backbone.architecture](image_size)
    else:
        options = dict(backbone.options)
        config = timm.get_pretrained_cfg(backbone.architecture)
        if config is not None and config.fixed_input_size:
            options.setdefault("img_size", image_size)
        network = timm.create_model(backbone.architecture, **options)
    if not isinstance(network, ResNet32):
        network.reset_classifier(0)  # type: ignore[operator]
    return network


def options_of_weights(backbone: Backbone) -> dict[str, Any]:
    """Return the options of the network that pretrained weights are downloaded for.

    They are the backbone's, except sizes, to which :func:`load_weights` converts them.
    """
    return {
        name: value
        for name, value in backbone.options.items()
        if name not in ("img_size", "patch_size")
    }


def published_shapes(backbone: Backbone) -> dict[str, Tensor]:
    """Return a backbone's pretrained weights by name, on the meta device: without values.

    Raises:
        ConfigurationError: if the network cannot be created with its options.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm's code about itself
            if backbone.architecture in OWN:
                return OWN[backbone.architecture](OWN_IMAGE_SIZE).state_dict()
            options = options_of_weights(backbone)
            return timm.create_model(backbone.architecture, **options).state_dict()
    except MISFITS as error:
        raise unusable(backbone, error) from None


def unusable(backbone: Backbone, error: Exception) -> ConfigurationError:
    """Make the error of a network that cannot be used at any size, with the reason."""
    options = f" with options {backbone.options}" if backbone.options else ""
    return ConfigurationError(
        f"backbones.{backbone.name}: {backbone.architecture}{options} cannot be used: "
        f"{first_line(error)}"
    )


def feature_count(network: nn.Module) -> int:
    """Return the number of features of an image that the network computes."""
    # Not num_features: MobileNetV3, for example, has a hidden layer before its classifier.
    name = "num_features" if isinstance(network, ResNet32) else "head_hidden_size"
    return int(getattr(network, name))


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], backbone: Backbone) -> None:
    """Load pretrained weights; those of a classifier and of other parts are left out.

    Weights of another image or patch size, or with the names of a network's first publication,
    are converted as timm does, by the function that it has for the network's family. It resamples
    position embeddings and patch embeddings.

    Raises:
        ConfigurationError: if they do not fit the network.
    """
    expected = network.state_dict()
    if _misfit(expected, weights) is not None:
        weights = _converted(network, weights, backbone.architecture)
        problem = _misfit(expected, weights)
        if problem is not None:
            raise ConfigurationError(
                f"the weights do not fit {backbone.architecture} with options "
                f"{backbone.options}: {problem}. There are {described(weights)}"
            )
    network.load_state_dict({name: weights[name] for name in expected})


def _misfit(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str | None:
    """Describe an example of weights that are missing or have another shape; None if all fit."""
    missing = sorted(expected.keys() - weights.keys())
    misshapen = sorted(
        n for n in expected.keys() & weights.keys() if expected[n].shape != weights[n].shape
    )
    if not missing and not misshapen:
        return None
    example = (
        f"'{missing[0]}' is missing (shape {tuple(expected[missing[0]].shape)}"
        f"{_nearest(missing[0], weights)})"
        if missing
        else f"'{misshapen[0]}' has shape {tuple(weights[misshapen[0]].shape)}, "
        f"not {tuple(expected[misshapen[0]].shape)}"
    )
    return f"{example} ({len(missing)} missing, {len(misshapen)} of another shape)"


def _nearest(name: str, weights: Mapping[str, Tensor]) -> str:
    """Describe the most similar name among the weights."""
    near = get_close_matches(name, weights, n=1, cutoff=0.5)
    return f"; nearest: '{near[0]}' {tuple(weights[near[0]].shape)}" if near else ""


def _converted(
    network: nn.Module, weights: Mapping[str, Tensor], architecture: str
) -> Mapping[str, Tensor]:
    """Convert weights as timm does for a network; unchanged if it cannot.

    By convention timm's modules have a function for it, which timm calls on weights that it
    downloads.
    """
    name, _ = split_model_name_tag(architecture)
    module = type(network).__module__ if name in OWN else timm.model_entrypoint(name).__module__
    convert: Any = getattr(sys.modules[module], "checkpoint_filter_fn", None)
    if convert is None:
        return weights
    if name.startswith("flexivit"):  # as timm does for these
        convert = partial(convert, interpolation="bilinear", antialias=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm's code about itself
            converted: Mapping[str, Tensor] = convert(dict(weights), network)
    except MISFITS:  # weights of another network
        return weights
    return converted
