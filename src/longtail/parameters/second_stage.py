"""A second stage, which trains the classifier above a frozen body."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import field_validator

from longtail.parameters.classifier import Classifier
from longtail.parameters.losses import Loss, Softmax
from longtail.parameters.recipe import (
    CosineSchedule,
    LearningRateSchedule,
    Recipe,
    learning_rate_contradictions,
)
from longtail.parameters.sampling import Sampling
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import Distinct, EpochsOrZero, NonNegative, Positive, ShareOrAll

TrainedPart = Literal["classifier", "class_scales", "class_offsets"]


class SecondStage(Strict):
    """A second training that starts from the trained model, with its body frozen.

    Decoupled training (Kang et al. 2020, arXiv 1910.09217): the first stage learns features, the
    second one the classifier. The images are augmented as in the first stage, but not mixed.

    Attributes:
        epochs: epochs of this stage; 0 for none.
        trains: one or more of the ``classifier`` (cRT), a factor on the logits of each class
            (``class_scales``, LWS) and an offset of them (``class_offsets``). MiSLAS trains the
            first two.
        start: the classifier as it is ``trained`` in the first stage, or a new one, with
            ``random`` class vectors or, if it is cosine, with the ``class_means`` of the features.
        classifier: the last layer of this stage; null for that of the first stage.
        classifier_rate: the learning rate of the classifier is this share of that of the class
            scales and offsets, where both are trained.
        loss: loss that is minimised.
        sampling: rule by which the images of an epoch are drawn; null for each image once.
        learning_rate: learning rate after the warm-up; null for that of the recipe.
        weight_decay: weight decay; null for that of the recipe.
        schedule: schedule of the learning rate after the warm-up.
        warmup_epochs: epochs of this stage in which the learning rate rises linearly.
        batch_norm: whether the running means and variances of the frozen body are ``kept``, so that
            its features stay those of the first stage, or ``updated`` with the images of this one.
    """

    epochs: EpochsOrZero
    trains: Distinct[TrainedPart] = ("classifier",)
    start: Literal["trained", "random", "class_means"] = "trained"
    classifier: Classifier | None = None
    classifier_rate: ShareOrAll = 1.0
    loss: Loss = Softmax(name="softmax")
    sampling: Sampling | None = None
    learning_rate: Positive | None = None
    weight_decay: NonNegative | None = None
    schedule: LearningRateSchedule = CosineSchedule(kind="cosine")
    warmup_epochs: EpochsOrZero = 0
    batch_norm: Literal["kept", "updated"] = "kept"

    @field_validator("trains")
    @classmethod
    def _in_one_order(cls, trains: tuple[TrainedPart, ...]) -> tuple[TrainedPart, ...]:
        return tuple(sorted(trains, key=get_args(TrainedPart).index))

    def _contradictions(self) -> Contradictions:
        if self.epochs:
            yield from learning_rate_contradictions(self.epochs, self.warmup_epochs, self.schedule)
        if "classifier" not in self.trains and self.start != "trained":
            yield key_error(
                "start",
                f"is {self.start}, but the new classifier would not be trained. Add classifier to "
                "trains, or start from the trained one",
            )
        if self.classifier_rate != 1 and ("classifier" not in self.trains or not self.adjusts):
            yield key_error(
                "classifier_rate",
                "compares the learning rate of the classifier with that of class scales and "
                f"offsets, but trains is {list(self.trains)}. Set learning_rate",
            )

    @property
    def adjusts(self) -> bool:
        """Whether class scales or offsets are trained."""
        return not {"class_scales", "class_offsets"}.isdisjoint(self.trains)

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
