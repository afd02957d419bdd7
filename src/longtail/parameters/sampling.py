"""What changes in the course of a training: class weights, and how images are drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.strict import Strict
from longtail.parameters.types import Probability, ShareOrNone


class DeferredWeights(Strict):
    """Deferred re-weighting (DRW, Cao et al. 2019, arXiv 1906.07413) by effective numbers.

    Attributes:
        beta: beta of the effective numbers.
        start: the share of the epochs that are trained without the weights.
    """

    beta: ShareOrNone = 0.9999
    start: ShareOrNone = 0.8


class PowerSampling(Strict):
    """Images are drawn with replacement, each class in proportion to a power of its size.

    Kang et al. 2020, arXiv 1910.09217, section 3.

    Attributes:
        exponent: exponent of the number of images; 1 is the plain epoch, 0.5 square-root sampling
            and 0 class-balanced sampling.
        start: the share of the epochs that are plain.
    """

    kind: Literal["power"]
    exponent: Probability = 0.0
    start: ShareOrNone = 0.0


class ProgressiveSampling(Strict):
    """Progressively balanced sampling: from plain to class-balanced, epoch by epoch.

    Kang et al. 2020, arXiv 1910.09217, section 3: after the share t of the epochs, a class is
    drawn with (1 - t) times its share of the images plus t times 1 / classes.

    Attributes:
        start: the share of the epochs that are plain.
    """

    kind: Literal["progressive"]
    start: ShareOrNone = 0.0


Sampling = Annotated[PowerSampling | ProgressiveSampling, Field(discriminator="kind")]
