"""Losses against class imbalance, and their hyperparameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from longtail.parameters.custom_loss import CustomLoss
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Probability, ShareOrNone


class Softmax(Strict):
    """Cross-entropy."""

    name: Literal["softmax"]


class Focal(Strict):
    """Focal loss (Lin et al. 2017, arXiv 1708.02002).

    Attributes:
        gamma: the focusing parameter; 0 is cross-entropy.
    """

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0


class WeightedSoftmax(Strict):
    """Cross-entropy with class weights.

    Attributes:
        convention: formula of the weights: N / (C n) (``balanced``), (n_min / n) ** exponent
            (``min_ratio``), or 1 - ln(n / n_max) (``log``).
        exponent: exponent of ``min_ratio``; 0.5 is square-root weighting.
    """

    name: Literal["weighted_softmax"]
    convention: Literal["balanced", "min_ratio", "log"] = "balanced"
    exponent: Annotated[float, Field(gt=0, le=2)] = 1.0

    def _contradictions(self) -> Contradictions:
        if self.exponent != 1 and self.convention != "min_ratio":
            yield key_error(
                "exponent",
                f"belongs to the convention 'min_ratio'; '{self.convention}' has none, found "
                f"{self.exponent}",
            )


class ClassBalanced(Strict):
    """Cross-entropy weighted by effective numbers (Cui et al. 2019, arXiv 1901.05555).

    Attributes:
        beta: 0 is no weighting; towards 1, weights are inversely proportional to class counts.
    """

    name: Literal["class_balanced"]
    beta: ShareOrNone = 0.9


class BalancedSoftmax(Strict):
    """Balanced softmax (Ren et al. 2020, arXiv 2007.10740)."""

    name: Literal["balanced_softmax"]


class LogitAdjustment(Strict):
    """Logit-adjusted cross-entropy (Menon et al. 2020, arXiv 2007.07314).

    Attributes:
        tau: its strength; 1 is balanced softmax.
    """

    name: Literal["logit_adjustment"]
    tau: Annotated[float, Field(ge=0, le=5)] = 1.0


class Equalization(Strict):
    """Softmax equalization loss (Tan et al. 2020, arXiv 2003.05176).

    Attributes:
        probability: probability that a rare class is spared as a negative (gamma in the paper).
        threshold: classes with a smaller share of the training images are rare (lambda).
    """

    name: Literal["equalization"]
    probability: Probability = 0.9
    threshold: Probability


class LDAM(Strict):
    """Label-distribution-aware margins (Cao et al. 2019, arXiv 1906.07413).

    Attributes:
        max_margin: margin of the rarest class.
    """

    name: Literal["ldam"]
    # Two cosines differ by at most 2, so that no image could have a larger margin.
    max_margin: Annotated[float, Field(ge=0, le=2)] = 0.5


class ClassDependentTemperatures(Strict):
    """Class-dependent temperatures (CDT, Ye et al. 2020, arXiv 2001.01385).

    Attributes:
        gamma: the temperature of a class is (n_max / n_c) ** gamma; 0 is cross-entropy.
    """

    name: Literal["cdt"]
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.3


class VectorScaling(Strict):
    """Vector-scaling loss (VS, Kini et al. 2021, arXiv 2103.01550).

    Attributes:
        gamma: the temperature of a class is (n_max / n_c) ** gamma; 0 is logit adjustment.
        tau: the strength of the logit adjustment; 0 is class-dependent temperatures.
    """

    name: Literal["vs"]
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.05
    tau: Annotated[float, Field(ge=0, le=5)] = 0.75


class LabelAwareSmoothing(Strict):
    """Cross-entropy with more label smoothing for larger classes (Zhong et al. 2021, MiSLAS).

    arXiv 2104.00466, equation 3, with the sine of equation 5.

    Attributes:
        head: the smoothing of the largest class; equal to ``tail`` it is plain label smoothing.
        tail: the smoothing of the smallest class.
    """

    name: Literal["label_aware_smoothing"]
    head: ShareOrNone = 0.4
    tail: ShareOrNone = 0.1

    def _contradictions(self) -> Contradictions:
        if self.head < self.tail:
            yield key_error("head", f"must be at least tail ({self.tail}), found {self.head}")


Loss = Annotated[
    Softmax
    | Focal
    | WeightedSoftmax
    | ClassBalanced
    | BalancedSoftmax
    | LogitAdjustment
    | Equalization
    | LDAM
    | ClassDependentTemperatures
    | VectorScaling
    | LabelAwareSmoothing
    | CustomLoss,
    Field(discriminator="name"),
]
