"""Streams of random numbers that are derived from the seed of a training."""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np


@unique
class RandomStream(IntEnum):
    """What random numbers are for: one seed gives other numbers to each of these.

    Initial weights, the order of the images with their augmentation, and random losses have
    generators of their own, which begin at the seed itself.
    """

    SECOND_STAGE = 0x57A6E2
    SAMPLING = 0x5A3D
    MIXING_PARTNERS = 0xC30
    MIXING_PARTNERS_AUGMENTATION = 0xC31
    CONTRASTIVE_START = 0xC0
    CONTRASTIVE_VIEWS = 0xC1

    def generator(self, seed: int, *numbers: int) -> np.random.Generator:
        """The generator of a seed, and of an epoch or another number in it."""
        return np.random.default_rng([self, seed, *numbers])

    def derived_seed(self, seed: int, *numbers: int) -> int:
        """A seed for a generator of torch, which takes 63 bits."""
        return int(self.generator(seed, *numbers).integers(2**62))
