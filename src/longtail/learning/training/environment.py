"""The hardware and the software of a training."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

import longtail
from longtail import provenance
from longtail.learning.backbones import ImageModel
from longtail.learning.backbones.multiply_adds import multiply_adds
from longtail.learning.execution import Execution, describe_device


def training_environment(model: ImageModel, execution: Execution, engine: int) -> dict[str, Any]:
    """Collect hardware, versions and model size, which explain a training's result or duration.

    ``threads`` makes a result on a CPU reproducible, and is None on a GPU.
    ``commit`` and ``uncommitted_changes`` are None if the code is not in a git repository.
    """
    device = execution.device
    checkout = _imported_checkout()
    return {
        "device": describe_device(device),
        "processor": provenance.processor(),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        # With precision auto, it depends on the device.
        "number_format": execution.number_format,
        "model_parameters": sum(p.numel() for p in model.parameters()),
        "multiply_adds": multiply_adds(model),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "longtail": longtail.__version__,
        "engine": engine,
        "commit": checkout.commit if checkout else None,
        "uncommitted_changes": checkout.changed if checkout else None,
    }


@cache
def _imported_checkout() -> provenance.Checkout | None:
    """The checkout of this code, once for all trainings: what is imported does not change."""
    return provenance.checkout(Path(longtail.__file__).parent)
