"""The execution of networks: device, arithmetic, CPU threads and compilation."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from longtail.errors import ConfigurationError, TrainingError
from longtail.parameters import Compute, Recipe
from longtail.wording import counted

log = logging.getLogger(__name__)

# A function of a network and its images that returns the network's output.
Forward = Callable[[nn.Module, Tensor], Any]

# Compiling a network takes about a minute, which the trials of a process share. A training with
# fewer steps than this does not win back its share.
MIN_COMPILED_STEPS = 1000
# The largest number of networks and image sizes that one process may compile.
RECOMPILE_LIMIT = 64


@dataclass(frozen=True)
class Execution:
    """The device and the arithmetic of a network; made by :func:`choose_execution`.

    Attributes:
        device: device of the network and of its images.
        precision: precision in the recipe; :attr:`dtype` resolves ``auto`` on this device.
        compile: setting of the compute parameters; :meth:`forward` resolves ``auto``.
    """

    device: torch.device
    precision: Literal["auto", "float32", "bfloat16"]
    compile: Literal["auto", "always", "never"]

    @property
    def dtype(self) -> torch.dtype:
        """Type in which matrix products are computed.

        ``auto`` is bfloat16 on GPUs that have instructions for it, and float32 elsewhere.
        """
        if self.precision == "auto":
            has_bfloat16 = self.device.type == "cuda" and torch.cuda.is_bf16_supported(
                including_emulation=False  # which is slower than float32
            )
            return torch.bfloat16 if has_bfloat16 else torch.float32
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    @property
    def number_format(self) -> str:
        """Name of :attr:`dtype`, for a training's card and its checkpoints."""
        return str(self.dtype).removeprefix("torch.")

    def in_float32(self) -> Execution:
        """Return the same in float32, in which all evaluation and prediction is computed.

        bfloat16 keeps 8 bits, which changes the predicted class of some images in a hundred, of
        different ones on each processor.
        """
        return replace(self, precision="float32")

    def autocast(self) -> AbstractContextManager[object]:
        """Run operations in :attr:`dtype`."""
        if self.dtype == torch.bfloat16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def forward(self, steps: int) -> Forward:
        """Return the forward pass, plain or compiled.

        Args:
            steps: number of batches in the whole training. ``auto`` compiles on GPUs from
                :data:`MIN_COMPILED_STEPS` on, and never on CPUs, where it gains too little.
        """
        is_long = steps >= MIN_COMPILED_STEPS
        if self.compile == "always" and not is_long:
            log.warning(
                "compute.compile is always, but compiling takes about a minute, which a training "
                "of %s seldom wins back: auto compiles from %d steps on",
                *(counted(steps, "step"), MIN_COMPILED_STEPS),
            )
        is_worth_it = self.device.type == "cuda" and is_long
        if self.compile == "always" or (self.compile == "auto" and is_worth_it):
            return compiled_forward()
        return plain_forward

    def place(self, model: nn.Module) -> None:
        """Move a model to the device, its convolutions in the channels-last layout."""
        model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def choose_execution(compute: Compute, recipe: Recipe) -> Execution:
    """Choose how to run a trial on this machine; on a CPU, also set the number of threads.

    Raises:
        ConfigurationError: if ``compute.device`` is ``cuda`` and there is no GPU.
    """
    return Execution(choose_device(compute), recipe.precision, compute.compile)


def choose_device(compute: Compute) -> torch.device:
    """Return the device of ``compute.device``; ``auto`` is a GPU if there is one.

    On a CPU it also sets the number of threads.

    Raises:
        ConfigurationError: if it is ``cuda`` and there is no GPU.
    """
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("compute.device is 'cuda', but there is no GPU")
    if compute.device == "cpu" or not torch.cuda.is_available():
        torch.set_num_threads(compute.threads)
        return torch.device("cpu")
    return torch.device("cuda")


def describe_device(device: torch.device) -> str:
    """Return the device's name, for a training's card."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {counted(torch.get_num_threads(), 'thread')}"


def plain_forward(model: nn.Module, images: Tensor) -> Any:
    """Return a network's output for images, without compilation."""
    return model(images)


@cache
def compiled_forward() -> Forward:
    """Return :func:`plain_forward`, compiled.

    It is one function for all models of a process, so that a second model of the same network
    finds it compiled. Each network and batch shape is a recompilation of it; above the limit
    torch would fall back to running it uncompiled.
    """
    torch.compiler.config.recompile_limit = RECOMPILE_LIMIT
    return torch.compile(plain_forward, dynamic=False)


@contextmanager
def out_of_memory_explained(recipe: Recipe, resident: bool = False) -> Iterator[None]:
    """Say which parameters to change when a GPU runs out of memory.

    Args:
        recipe: recipe whose ``batch_size`` and ``image_size`` can be lowered.
        resident: whether the images are in the GPU's memory; they could be streamed instead.

    Raises:
        TrainingError: instead of torch's own error.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()  # the next trials need it
        images = ", or set compute.images to streaming" if resident else ""
        raise TrainingError(
            f"the GPU ran out of memory: lower recipe.batch_size (it is "
            f"{recipe.batch_size}) or recipe.image_size (it is {recipe.image_size})"
            f"{images}"
        ) from error
