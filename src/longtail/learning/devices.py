"""Which device and which arithmetic a training uses."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from longtail.errors import ConfigurationError, TrainingError
from longtail.parameters import Compute, Recipe, Trial
from longtail.wording import counted


def choose_device(compute: Compute) -> torch.device:
    """The device that ``compute.device`` asks for; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigurationError: if a GPU is asked for and there is none.
    """
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("compute.device: 'cuda' is asked for, but there is no GPU")
    if compute.device == "cpu" or not torch.cuda.is_available():
        torch.set_num_threads(compute.threads)
        return torch.device("cpu")
    return torch.device("cuda")


def precision(recipe: Recipe, device: torch.device) -> str:
    """``recipe.precision``, of which ``auto`` is bfloat16 on GPUs and float32 on CPUs."""
    if recipe.precision != "auto":
        return recipe.precision
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def in_float32(trial: Trial) -> Trial:
    """The trial with its recipe in float32, whatever it is trained in.

    What is measured and named is computed so: bfloat16 keeps 8 bits, which changes the name of
    some images in a hundred, and differently on each processor.
    """
    return trial.model_copy(
        update={"recipe": trial.recipe.model_copy(update={"precision": "float32"})}
    )


def arithmetic(recipe: Recipe, device: torch.device) -> AbstractContextManager[object]:
    """The autocast of :func:`precision`."""
    if precision(recipe, device) == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def memory_explained(recipe: Recipe, resident: bool = False) -> Iterator[None]:
    """Say what to lower when a GPU's memory does not suffice.

    Args:
        recipe: of which ``batch_size`` and ``image_size`` can be lowered.
        resident: whether the images take a part of the memory, which they need not.

    Raises:
        TrainingError: instead of torch's own error.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()  # the trials that come next need it
        images = ", or set compute.images to streaming" if resident else ""
        raise TrainingError(
            f"the GPU's memory does not suffice: lower recipe.batch_size (it is "
            f"{recipe.batch_size}) or recipe.image_size (it is {recipe.image_size})"
            f"{images}"
        ) from error


def describe(device: torch.device) -> str:
    """The device's name, for a training's card."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {counted(torch.get_num_threads(), 'thread')}"
