"""The images of a re-sampled epoch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from longtail.trials.class_sampling import ClassSampling
from longtail.trials.random_streams import RandomStream


def sampled_images(
    sampling: ClassSampling,
    labels: Tensor,
    seed: int,
    epoch: int,
    stream: RandomStream = RandomStream.SAMPLING,
) -> Tensor:
    """Draw as many images as there are, with replacement.

    The classes are drawn with their probabilities in this epoch, and the images of a class
    uniformly. The random numbers depend on seed and epoch alone: a resumed training draws the same
    images, and the order and augmentation of the epoch do not depend on the sampling.

    Args:
        sampling: probabilities of the classes.
        labels: labels of the training images, int64 (images,), on the CPU.
        seed: seed of the training.
        epoch: epoch counted from 1, not before ``sampling.first_epoch``.
        stream: purpose of the images, which selects the random numbers.

    Returns:
        Numbers of the drawn images, int64 (images,).
    """
    random = stream.generator(seed, epoch)
    counts = np.maximum(sampling.class_counts, 1)
    of_image = (sampling.class_probabilities(epoch) / counts)[labels.numpy()]
    ends = np.cumsum(of_image)
    # Scaled by the last end rather than 1, so that rounding cannot point past the last image.
    drawn = np.searchsorted(ends, random.random(len(labels)) * ends[-1], side="right")
    return torch.from_numpy(drawn.clip(max=len(labels) - 1))
