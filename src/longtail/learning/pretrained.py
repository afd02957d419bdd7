"""Pretrained weights: from a local file, or from timm's hub."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from longtail.errors import DataError
from longtail.parameters import Backbone


def pretrained_weights(backbone: Backbone) -> dict[str, Tensor]:
    """A backbone's pretrained weights, by timm's names.

    Args:
        backbone: where ``weights`` is null, they come from timm's hub; else it is the path of
            a ``.safetensors``, ``.npz``, ``.pth`` or ``.pt`` file of a state dict.

    Raises:
        DataError: if the file is missing or unreadable, or the hub cannot be reached.
    """
    key = f"backbones.{backbone.name}"
    if backbone.weights is not None:
        return _from_file(Path(backbone.weights).expanduser(), f"{key}.weights")
    try:
        network = timm.create_model(backbone.architecture, pretrained=True, **backbone.options)
    # Hub clients raise errors of many libraries, and RuntimeError for a model without weights.
    except Exception as error:
        raise DataError(
            f"the weights of {backbone.architecture} could not be fetched from timm's hub "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}).\n"
            f"Connect to the network and run again; or give a file with "
            f"--params={key}.weights=/path/to/file; or train from scratch with "
            f"--params={key}.pretrained=false"
        ) from error
    return {k: v.contiguous() for k, v in network.state_dict().items()}


def _from_file(file: Path, key: str) -> dict[str, Tensor]:
    if not file.is_file():
        raise DataError(f"{key}: there is no file '{file}'")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return {k: torch.from_numpy(arrays[k]) for k in arrays}
        if file.suffix in (".pth", ".pt"):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
            return {k: v.contiguous() for k, v in loaded.items()}
    except Exception as error:
        raise DataError(f"{key}: '{file}' cannot be read as weights: {error}") from error
    raise DataError(f"{key}: '{file}' must end in .safetensors, .npz, .pth or .pt")
