"""Methods for training on long-tailed data: losses, classifiers, deferred weights."""

from __future__ import annotations

from math import floor
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from longtail.parameters.post_hoc import PostHoc, TauNormalization
from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import Name, Positive, Probability, ShareOrNone


class Softmax(Strict):
    """Cross-entropy."""

    name: Literal["softmax"]


class Focal(Strict):
    """Focal loss (Lin et al. 2017, arXiv 1708.02002) with focusing parameter ``gamma``."""

    name: Literal["focal"]
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0


class WeightedSoftmax(Strict):
    """Cross-entropy with class weights by a ``convention`` (see ``class_weights``).

    ``exponent`` belongs to ``min_ratio``; 0.5 is square-root weighting.
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
    """Cross-entropy weighted by effective numbers (Cui et al. 2019, arXiv 1901.05555)."""

    name: Literal["class_balanced"]
    beta: ShareOrNone = 0.9


class BalancedSoftmax(Strict):
    """Balanced softmax (Ren et al. 2020, arXiv 2007.10740)."""

    name: Literal["balanced_softmax"]


class LogitAdjustment(Strict):
    """Logit-adjusted cross-entropy (Menon et al. 2020, arXiv 2007.07314) of strength ``tau``.

    With ``tau`` 1 it is balanced softmax.
    """

    name: Literal["logit_adjustment"]
    tau: Annotated[float, Field(ge=0, le=5)] = 1.0


class Equalization(Strict):
    """Softmax equalization loss (Tan et al. 2020, arXiv 2003.05176).

    Classes with a share of the training images below ``threshold`` (lambda) are spared as
    negatives with ``probability`` (gamma).
    """

    name: Literal["equalization"]
    probability: Probability = 0.9
    threshold: Probability


class LDAM(Strict):
    """Label-distribution-aware margins (Cao et al. 2019, arXiv 1906.07413)."""

    name: Literal["ldam"]
    # Two cosines differ by at most 2, so that no image could have a larger margin.
    max_margin: Annotated[float, Field(ge=0, le=2)] = 0.5


Loss = Annotated[
    Softmax
    | Focal
    | WeightedSoftmax
    | ClassBalanced
    | BalancedSoftmax
    | LogitAdjustment
    | Equalization
    | LDAM,
    Field(discriminator="name"),
]


class DeferredWeights(Strict):
    """Deferred re-weighting (DRW, Cao et al. 2019, arXiv 1906.07413).

    From the epoch in which the share ``start`` of the training ends, the loss is weighted by
    effective numbers of images with ``beta``.
    """

    beta: ShareOrNone = 0.9999
    start: ShareOrNone = 0.8

    def epochs_before(self, epochs: int) -> int:
        """How many of ``epochs`` are trained without these weights."""
        # 0.29 * 100 is 28.999999999999996 in floating point, which stands for 29.
        return floor(self.start * epochs + 1e-9)


class Classifier(Strict):
    """The last layer: linear, or the cosine of features and class vectors, times ``scale``.

    A changed ``kind`` starts from the default ``scale``.
    """

    kind: Literal["linear", "cosine"] = "linear"
    scale: Positive = 1.0


class Method(Strict):
    """A method for training on long-tailed data: a loss, a classifier, deferred class weights.

    Without ``deferred_weights`` the loss is the same in all epochs. ``post_hoc`` changes the
    logits of the trained model, not the training.
    """

    name: Name
    label: str
    loss: Loss
    classifier: Classifier = Classifier()
    deferred_weights: DeferredWeights | None = None
    post_hoc: PostHoc | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)

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
