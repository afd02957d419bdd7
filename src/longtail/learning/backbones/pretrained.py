"""Pretrained weights: from a local file, or from timm's hub."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import timm
import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT as HF_ENDPOINT
from safetensors.torch import load_file
from torch import Tensor

from longtail.errors import DataError
from longtail.parameters import Backbone

TIMEOUT_S = 20
SUFFIXES = (".safetensors", ".npz", ".pth", ".pt")


def pretrained_weights(backbone: Backbone) -> dict[str, Tensor]:
    """A backbone's pretrained weights, by timm's names.

    Args:
        backbone: its ``weights`` are the path of a state dict (``.safetensors``, ``.npz``,
            ``.pth`` or ``.pt``), or None to download them from timm's hub.

    Raises:
        DataError: if the file is missing or unreadable, or the hub cannot be reached.
    """
    check_available(backbone)
    key = f"backbones.{backbone.name}"
    if backbone.weights is not None:
        return _from_file(Path(backbone.weights).expanduser(), f"{key}.weights")
    try:
        network = timm.create_model(backbone.architecture, pretrained=True, **backbone.options)
    # The hub's client raises errors of many libraries, and RuntimeError if there are no weights.
    except Exception as error:
        raise _unavailable(backbone, key, f"{type(error).__name__}: {error}") from error
    return {k: v.contiguous() for k, v in network.state_dict().items()}


def check_available(backbone: Backbone) -> None:
    """Check at once that the file exists, or that the hub can be reached.

    The hub's own client retries for a minute. Weights in its local cache need no network.

    Raises:
        DataError: if the weights are not available.
    """
    key = f"backbones.{backbone.name}"
    if backbone.weights is not None:
        if not Path(backbone.weights).expanduser().is_file():
            raise DataError(f"{key}.weights: there is no file '{backbone.weights}'")
        if Path(backbone.weights).suffix not in SUFFIXES:
            endings = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            raise DataError(f"{key}.weights: '{backbone.weights}' must end in {endings}")
        return
    config = timm.get_pretrained_cfg(backbone.architecture)
    if config is None or not config.hf_hub_id:
        return
    files = ("model.safetensors", "pytorch_model.bin")
    if any(try_to_load_from_cache(config.hf_hub_id, file) for file in files):
        return
    try:
        with urllib.request.urlopen(HF_ENDPOINT, timeout=TIMEOUT_S):
            pass
    except urllib.error.HTTPError:
        return  # the hub can be reached
    except OSError as error:
        raise _unavailable(backbone, key, str(getattr(error, "reason", error))) from error


def _unavailable(backbone: Backbone, key: str, reason: str) -> DataError:
    return DataError(
        f"the weights of {backbone.architecture} could not be downloaded from timm's hub "
        f"({reason.splitlines()[0][:200]}).\n"
        f"Connect to the network and run again; or give a file with "
        f"--params={key}.weights=/path/to/file; or train from scratch with "
        f"--params={key}.pretrained=false"
    )


def _from_file(file: Path, key: str) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return {k: torch.from_numpy(arrays[k]) for k in arrays}
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        return {k: v.contiguous() for k, v in loaded.items()}
    except Exception as error:
        raise DataError(f"{key}: '{file}' cannot be read as weights: {error}") from error
