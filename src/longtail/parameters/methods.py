"""Methods for training on long-tailed data: losses, classifiers, deferred weights, experts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from longtail.parameters.custom_loss import CustomLoss
from longtail.parameters.experts import Experts
from longtail.parameters.families import Family
from longtail.parameters.post_hoc import PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import Name, Positive, Probability, ShareOrNone


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
        convention: how weights follow from class counts, see
            :func:`longtail.trials.canonical_loss.class_weights`.
        exponent: of ``min_ratio``; 0.5 is square-root weighting.
    """

    name: Literal["weighted_softmax"]
    convention: Literal["balanced", "min_ratio", "log"] = "balanced"
    exponent: Annotated[float, Field(gt=0, le=2)] = 1.0

    @model_validator(mode="after")
    def _exponent_is_used(self) -> Self:
        if self.exponent != 1 and self.convention != "min_ratio":
            raise key_error(
                "exponent",
                f"belongs to the convention 'min_ratio'; '{self.convention}' has none, found "
                f"{self.exponent}",
            )
        return self


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
        probability: with which a rare class is spared as a negative (gamma in the paper).
        threshold: classes with a smaller share of the training images are rare (lambda).
    """

    name: Literal["equalization"]
    probability: Probability = 0.9
    threshold: Probability


class LDAM(Strict):
    """Label-distribution-aware margins (Cao et al. 2019, arXiv 1906.07413).

    Attributes:
        max_margin: of the rarest class.
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
    gamma: Annotated[float, Field(ge=0, le=2)] = 0.3
    tau: Annotated[float, Field(ge=0, le=5)] = 1.0


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

    @model_validator(mode="after")
    def _head_is_smoothed_more(self) -> Self:
        if self.head < self.tail:
            raise key_error("head", f"must be at least tail ({self.tail}), found {self.head}")
        return self


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


class DeferredWeights(Strict):
    """Deferred re-weighting (DRW, Cao et al. 2019, arXiv 1906.07413) by effective numbers.

    Attributes:
        beta: of the effective numbers.
        start: the share of the epochs that are trained without the weights.
    """

    beta: ShareOrNone = 0.9999
    start: ShareOrNone = 0.8


class PowerSampling(Strict):
    """Images are drawn with replacement, each class in proportion to a power of its size.

    Kang et al. 2020, arXiv 1910.09217, section 3.

    Attributes:
        exponent: of the number of images; 1 is the plain epoch, 0.5 square-root sampling and 0
            class-balanced sampling.
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


class Classifier(Strict):
    """The last layer.

    Attributes:
        kind: linear, or the cosine of features and class vectors.
        scale: that the logits are multiplied by. A changed ``kind`` starts from its default.
    """

    kind: Literal["linear", "cosine"] = "linear"
    scale: Positive = 1.0


class Method(Strict):
    """A method for training on long-tailed data.

    Attributes:
        name: its key in ``methods``.
        label: its name in reports.
        loss: that is minimised.
        classifier: the last layer of the network.
        deferred_weights: class weights from some epoch on; null for the same loss in all epochs.
        sampling: how the images of an epoch are drawn; null for each image once.
        experts: copies of the last layers that are trained together; null for one network.
        post_hoc: a change of the trained model's logits; the training stays the same.
        recipe: what this method changes of the common recipe.
        family: of Zhang et al.'s survey; null for the baseline, and for methods of no family.
    """

    name: Name
    label: str
    loss: Loss
    classifier: Classifier = Classifier()
    deferred_weights: DeferredWeights | None = None
    sampling: Sampling | None = None
    experts: Experts | None = None
    post_hoc: PostHoc | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    family: Family | None = None

    @model_validator(mode="after")
    def _post_hoc_fits_classifier(self) -> Self:
        if isinstance(self.post_hoc, TauNormalization) and self.classifier.kind == "cosine":
            raise key_error(
                "post_hoc",
                "tau_normalization changes the norms of the class vectors, which a cosine "
                "classifier does not use: it would do nothing. Use {kind: logit_adjustment}, "
                "or the classifier {kind: linear}",
            )
        return self

    @model_validator(mode="after")
    def _post_hoc_fits_experts(self) -> Self:
        if isinstance(self.post_hoc, TauNormalization) and self.experts is not None:
            raise key_error(
                "post_hoc",
                "tau_normalization changes one last layer, but each of the experts has its own. "
                "Use {kind: logit_adjustment}, or set experts to null",
            )
        return self

    @model_validator(mode="after")
    def _post_hoc_fits_sampling(self) -> Self:
        if isinstance(self.post_hoc, PostHocLogitAdjustment) and self.sampling is not None:
            raise key_error(
                "post_hoc",
                "logit_adjustment subtracts the class frequencies that a network has learnt, but "
                "sampling has changed those. Set sampling or post_hoc to null",
            )
        return self
