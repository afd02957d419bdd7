"""Methods for training on long-tailed data: losses, sampling, classifiers, experts, stages."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from longtail.parameters.contrastive import Contrastive
from longtail.parameters.custom_loss import CustomLoss
from longtail.parameters.experts import Experts
from longtail.parameters.families import Family
from longtail.parameters.post_hoc import PostHoc, PostHocLogitAdjustment, TauNormalization
from longtail.parameters.recipe import (
    CosineSchedule,
    Recipe,
    Schedule,
    check_learning_rate_changes,
)
from longtail.parameters.strict import Strict, key_error
from longtail.parameters.types import (
    EpochsOrZero,
    Listed,
    Name,
    NonNegative,
    Positive,
    Probability,
    ShareOrAll,
    ShareOrNone,
)


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


class SecondStage(Strict):
    """A second training that starts from the trained model, with its body frozen.

    Decoupled training (Kang et al. 2020, arXiv 1910.09217): the first stage learns features, the
    second one the classifier. The images are augmented as in the first stage, but not mixed.

    Attributes:
        epochs: of this stage; 0 for none.
        trains: the classifier (cRT), a factor on the logits of each class (LWS), or both (MiSLAS).
        start: the classifier as it is ``trained`` in the first stage, or a new one, with
            ``random`` class vectors or, if it is cosine, with the ``class_means`` of the features.
        classifier: the last layer of this stage; null for that of the first stage.
        classifier_rate: the learning rate of the classifier is this share of that of the class
            scales, where both are trained.
        loss: that is minimised.
        sampling: how the images of an epoch are drawn; null for each image once.
        learning_rate: after the warm-up; null for that of the recipe.
        weight_decay: null for that of the recipe.
        schedule: of the learning rate after the warm-up.
        warmup_epochs: epochs of this stage in which the learning rate rises linearly.
        batch_norm: whether the running means and variances of the frozen body are ``kept``, so that
            its features stay those of the first stage, or ``updated`` with the images of this one.
    """

    epochs: EpochsOrZero
    trains: Listed[Literal["classifier", "class_scales"]] = Field(
        default=("classifier",), min_length=1, max_length=2
    )
    start: Literal["trained", "random", "class_means"] = "trained"
    classifier: Classifier | None = None
    classifier_rate: ShareOrAll = 1.0
    loss: Loss = Softmax(name="softmax")
    sampling: Sampling | None = None
    learning_rate: Positive | None = None
    weight_decay: NonNegative | None = None
    schedule: Schedule = CosineSchedule(kind="cosine")
    warmup_epochs: EpochsOrZero = 0
    batch_norm: Literal["kept", "updated"] = "kept"

    @model_validator(mode="after")
    def _changes_of_the_learning_rate_are_in_the_stage(self) -> Self:
        if self.epochs:
            check_learning_rate_changes(self.epochs, self.warmup_epochs, self.schedule)
        return self

    @model_validator(mode="after")
    def _starts_with_what_it_trains(self) -> Self:
        if len(set(self.trains)) < len(self.trains):
            raise key_error("trains", f"names a part twice: {list(self.trains)}")
        if "classifier" not in self.trains and self.start != "trained":
            raise key_error(
                "start",
                f"is {self.start}, but the new classifier would not be trained. Add classifier to "
                "trains, or start from the trained one",
            )
        if self.classifier_rate != 1 and len(self.trains) < 2:
            raise key_error(
                "classifier_rate",
                "compares the learning rates of the classifier and of the class scales, but trains "
                f"is {list(self.trains)}. Set learning_rate",
            )
        return self

    def recipe(self, first: Recipe) -> Recipe:
        """The hyperparameters of this stage, after a first stage with the recipe ``first``."""
        return first.model_copy(
            update={
                "epochs": self.epochs,
                "learning_rate": self.learning_rate or first.learning_rate,
                "weight_decay": (
                    first.weight_decay if self.weight_decay is None else self.weight_decay
                ),
                "schedule": self.schedule,
                "warmup_epochs": self.warmup_epochs,
                # Both concern layers that are frozen now.
                "mixing": None,
                "layer_decay": 1.0,
            }
        )


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
        second_stage: a second training that starts from the first one's model; null for none.
            Methods that differ in nothing else share the first one.
        contrastive: a branch that is trained with the network and then dropped; null for none.
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
    second_stage: SecondStage | None = None
    contrastive: Contrastive | None = None
    post_hoc: PostHoc | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    family: Family | None = None

    @field_validator("second_stage")
    @classmethod
    def _no_epochs_are_no_stage(cls, stage: SecondStage | None) -> SecondStage | None:
        return None if stage is None or stage.epochs == 0 else stage

    @model_validator(mode="after")
    def _second_stage_fits_classifier(self) -> Self:
        stage, last = self.second_stage, self.last_stage.classifier
        if stage is None:
            return self
        if stage.start == "trained" and last != self.classifier:
            raise key_error(
                "second_stage.start",
                "is trained, but the classifier of the second stage is another one than that of "
                "the first. Start at random, or leave second_stage.classifier out",
            )
        if stage.start == "class_means" and last.kind != "cosine":
            raise key_error(
                "second_stage.start",
                "class_means are the class vectors of a cosine classifier. Set "
                "second_stage.classifier to {kind: cosine, scale: 30}, or start at random",
            )
        if stage.start == "class_means" and self.experts is not None and self.experts.count > 1:
            raise key_error(
                "second_stage.start",
                "class_means would start experts with the same weights, or they have different "
                "features. Start at random, or set experts to null",
            )
        if "class_scales" in stage.trains and last.kind == "cosine":
            raise key_error(
                "second_stage.trains",
                "class_scales change the norms of the class vectors, which a cosine classifier "
                "does not use. Train the classifier, or use a linear one",
            )
        return self

    @model_validator(mode="after")
    def _post_hoc_fits_classifier(self) -> Self:
        cosine = self.last_stage.classifier.kind == "cosine"
        if isinstance(self.post_hoc, TauNormalization) and cosine:
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
    def _contrastive_has_one_network(self) -> Self:
        if self.contrastive is not None and self.experts is not None:
            raise key_error(
                "contrastive",
                "learns from the features of one network, but each of the experts has its own. "
                "Set contrastive or experts to null",
            )
        return self

    @model_validator(mode="after")
    def _post_hoc_fits_sampling(self) -> Self:
        sampled = self.last_stage.sampling is not None
        if isinstance(self.post_hoc, PostHocLogitAdjustment) and sampled:
            raise key_error(
                "post_hoc",
                "logit_adjustment subtracts the class frequencies that a network has learnt, but "
                "sampling has changed those. Set sampling or post_hoc to null",
            )
        return self

    @property
    def first_stage(self) -> Method:
        """The method without its second stage."""
        return self.model_copy(update={"second_stage": None})

    @property
    def last_stage(self) -> Method:
        """What the last training does, as a method of one stage; the method itself if it is one."""
        stage = self.second_stage
        if stage is None:
            return self
        experts = self.experts
        if experts is not None:  # their own terms belong to the loss of the first stage
            own = {"tau": None, "reversed_tau": None, "diversity": 0.0}
            experts = experts.model_copy(update=own)
        return self.model_copy(
            update={
                "loss": stage.loss,
                "experts": experts,
                "classifier": stage.classifier or self.classifier,
                "deferred_weights": None,
                "sampling": stage.sampling,
                "contrastive": None,  # it learns features, which are frozen now
                "second_stage": None,
            }
        )
