"""Pretrained weights: from a local file, or from timm's hub."""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import timm
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT as HF_ENDPOINT
from torch import Tensor

from longtail.errors import DataError
from longtail.learning.backbones.networks import options_of_weights, published_shapes
from longtail.learning.backbones.weight_file import read_weight_file
from longtail.parameters import Backbone
from longtail.project import from_root, located
from longtail.storage.files import sha256_of_file
from longtail.wording import first_line

log = logging.getLogger(__name__)

WEIGHTS_TIMEOUT_S = 20
SHA256_PATTERN = re.compile("[0-9a-f]{64}")
WEIGHT_SUFFIXES = (".safetensors", ".npz", ".pth", ".pt")
RARE_SUFFIXES = (".bin", ".ckpt", ".tar")


def pretrained_weights(backbone: Backbone) -> dict[str, Tensor]:
    """Return a backbone's pretrained weights, by timm's names.

    Args:
        backbone: backbone whose ``weights`` are the path of a file that
            :func:`longtail.learning.backbones.weight_file.read_weight_file` reads, or None to
            download them from timm's hub.

    Raises:
        DataError: if the file is missing or unreadable, or the hub cannot be reached.
        ConfigurationError: if the network cannot be built with its options.
    """
    check_available(backbone)
    key = f"backbones.{backbone.name}"
    if backbone.weights is not None:
        file = located(backbone.weights)
        return read_weight_file(file, f"{key}.weights", published_shapes(backbone))
    try:
        options = options_of_weights(backbone)
        network = timm.create_model(backbone.architecture, pretrained=True, **options)
    # The hub's client raises errors of many libraries, and RuntimeError if there are no weights.
    except Exception as error:
        raise _unavailable(backbone, key, f"{type(error).__name__}: {first_line(error)}") from error
    return {k: v.contiguous() for k, v in network.state_dict().items()}


def log_unused_classifier(backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
    """Log that a classifier among a file's weights is replaced by that of the trial."""
    config = timm.get_pretrained_cfg(backbone.architecture)
    if backbone.weights is None or config is None:
        return
    names = config.classifier if isinstance(config.classifier, tuple) else (config.classifier,)
    for name in names:
        matrix = weights.get(f"{name}.weight")
        if matrix is not None:
            log.info(
                "%s: the classifier '%s' of %s classes in %s is not used",
                *(backbone.name, name, f"{len(matrix):,}", backbone.weights),
            )


def check_available(backbone: Backbone) -> None:
    """Check at once that the file exists, or that the hub can be reached.

    The hub's own client retries for a minute. Weights in its local cache need no network.

    Raises:
        DataError: if the weights are not available.
    """
    key = f"backbones.{backbone.name}"
    if backbone.weights is not None:
        if not located(backbone.weights).is_file():
            where = f"'{backbone.weights}'{from_root(backbone.weights)}"
            raise DataError(f"{key}.weights: there is no file {where}")
        if Path(backbone.weights).suffix not in (*WEIGHT_SUFFIXES, *RARE_SUFFIXES):
            raise DataError(
                f"{key}.weights: '{backbone.weights}' must end in "
                f"{', '.join(WEIGHT_SUFFIXES[:-1])} or {WEIGHT_SUFFIXES[-1]} "
                f"({', '.join(RARE_SUFFIXES)} are read too)"
            )
        return
    if _hub_id(backbone) is None:
        return
    if files := _in_hub_cache(backbone):
        for file in files:
            _verify_cached(file, key)
        return
    try:
        with urllib.request.urlopen(HF_ENDPOINT, timeout=WEIGHTS_TIMEOUT_S):
            pass
    except urllib.error.HTTPError:
        return  # the hub can be reached
    except (OSError, ValueError) as error:  # ValueError: no address of the web
        raise _unavailable(backbone, key, str(getattr(error, "reason", error))) from error


def is_local(backbone: Backbone) -> bool:
    """True if the weights are in a file, or in the local cache of the hub."""
    return backbone.weights is not None or bool(_in_hub_cache(backbone))


def _hub_id(backbone: Backbone) -> str | None:
    """Return the repository of an architecture's weights on the hub; None if it has none."""
    config = timm.get_pretrained_cfg(backbone.architecture)
    return (config.hf_hub_id or None) if config is not None else None


def _in_hub_cache(backbone: Backbone) -> list[Path]:
    """Return the files of a backbone's weights in the hub's local cache."""
    if (hub_id := _hub_id(backbone)) is None:
        return []
    names = ("model.safetensors", "pytorch_model.bin")
    cached = [try_to_load_from_cache(hub_id, name) for name in names]
    return [Path(file) for file in cached if isinstance(file, str)]


def _verify_cached(file: Path, key: str) -> None:
    """Verify a file of the hub's cache, where large files have their SHA-256 as their name."""
    blob = file.resolve()
    if SHA256_PATTERN.fullmatch(blob.name) and sha256_of_file(blob) != blob.name:
        raise DataError(
            f"{key}: '{blob}', which the hub's client has downloaded, is damaged: its SHA-256 is "
            f"not its name. Delete it and run again: it is downloaded again"
        )


def _unavailable(backbone: Backbone, key: str, reason: str) -> DataError:
    return DataError(
        f"the weights of {backbone.architecture} could not be downloaded from timm's hub "
        f"({reason}).\n"
        f"Connect to the network and run again; or give a file with "
        f"--params={key}.weights=/path/to/file; or train from scratch with "
        f"--params={key}.pretrained=false"
    )
