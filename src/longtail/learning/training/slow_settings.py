"""Warnings about settings that make a training several times slower, with the factor."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Generator
from contextlib import closing

import torch
from torch import Tensor

from longtail.learning.augmentation.epoch import Augmentation
from longtail.learning.backbones import ImageClassifier
from longtail.learning.data.image_source import ImageSource
from longtail.learning.execution import Execution
from longtail.learning.training.cached_views import CachedViews
from longtail.parameters import Recipe, Trial

log = logging.getLogger(__name__)

# A step is reported if it takes at least so many times as long as it could.
MIN_FACTOR = 1.2
# The largest number of pixels in a timed step: enough that arithmetic takes most of its time.
TIMED_PIXELS = 2**18
TIMED_STEPS = 2
# An epoch is reported if it takes this many seconds, and its images this share of them.
MIN_EPOCH_S = 10.0
MIN_SHARE = 0.5

# The reports of this process: the trials of a grid share their networks.
_reported: set[tuple[str, int]] = set()


def report_slow_number_format(model: ImageClassifier, trial: Trial, execution: Execution) -> None:
    """Warn if bfloat16, which the recipe asks for, is slower on this device than float32.

    Processors without instructions for it emulate it. A few steps are timed in both formats.

    Args:
        model: model on the device; it is not changed.
        trial: trial with its recipe, and its name for the log.
        execution: execution of the training.
    """
    recipe = trial.recipe
    key = (trial.backbone.model_dump_json(), recipe.image_size)
    if recipe.precision != "bfloat16" or key in _reported:
        return
    _reported.add(key)
    factor = seconds_per_image(model, recipe, execution) / seconds_per_image(
        model, recipe, execution.in_float32()
    )
    if factor >= MIN_FACTOR:
        log.warning(
            "%s: a training step takes %.1f times as long in bfloat16 (recipe.precision) as in "
            "float32 on this %s. With recipe.precision=auto the training is in float32 on "
            "processors; it is another training, with another fingerprint",
            *(trial.name, factor, "GPU" if execution.device.type == "cuda" else "processor"),
        )


def seconds_per_image(model: ImageClassifier, recipe: Recipe, execution: Execution) -> float:
    """Measure the time of a forward and backward pass for each image, after one that is not timed.

    The model, random numbers and gradients stay as they are.
    """
    device, size = execution.device, recipe.image_size
    trained = copy.deepcopy(model).train()
    count = max(2, min(recipe.batch_size, TIMED_PIXELS // size**2))
    images = torch.zeros(count, 3, size, size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    seconds = []
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for _ in range(1 + TIMED_STEPS):
            start = time.perf_counter()
            with execution.autocast():
                loss = trained(images).float().square().mean()
            loss.backward()
            loss.item()  # waits for a GPU
            seconds.append(time.perf_counter() - start)
    return min(seconds[1:]) / count


class TimedAugmentation:
    """An augmentation that measures how long the training waits for its images.

    Attributes:
        seconds: time spent waiting since the start.
    """

    def __init__(self, augmentation: Augmentation | CachedViews) -> None:
        self._augmentation = augmentation
        self.seconds = 0.0

    def epoch(
        self, images: ImageSource, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        """See :meth:`longtail.learning.augmentation.epoch.Augmentation.epoch`."""
        with closing(self._augmentation.epoch(images, batches, generator)) as augmented:
            start = time.perf_counter()
            for batch in augmented:
                self.seconds += time.perf_counter() - start
                yield batch
                start = time.perf_counter()

    def report_waiting(
        self, epoch_s: float, images: ImageSource, recipe: Recipe, trial: str
    ) -> None:
        """Warn if an epoch mostly waited for its images.

        Args:
            epoch_s: seconds of the epoch.
            images: images of the training.
            recipe: recipe with the ``image_size``.
            trial: name of the trial.
        """
        share = self.seconds / epoch_s
        if epoch_s < MIN_EPOCH_S or share < MIN_SHARE:
            return
        stored = images.shape[-1]
        shrunk = (
            f"They are stored at {stored} pixels and shrunk to {recipe.image_size} in each epoch: "
            f"lower image_size of the data set's source. "
            if stored > recipe.image_size
            else ""
        )
        log.warning(
            "%s: %.0f %% of an epoch's %.0f s pass in reading and augmenting images, so that it "
            "takes %.1f times as long as its network. %sA local disk, compute.images=resident and "
            "simpler augmentation (recipe.rand_augment, recipe.random_resized_crop) are faster",
            *(trial, 100 * share, epoch_s, 1 / max(1 - share, 0.01), shrunk),
        )
