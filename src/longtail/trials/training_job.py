"""What a trial trains on its data set: the images, the losses and the resulting fingerprint.

The train stage looks a training up by its fingerprint before it trains. The report computes the
fingerprint again to check that stored results still belong to the current parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from longtail.arrays import Float64Array, Int64Array
from longtail.errors import ConfigurationError
from longtail.imbalance.subsets import class_counts, images_of
from longtail.parameters import CustomLoss, Recipe, SecondStage, Trial
from longtail.trials import post_hoc
from longtail.trials.class_sampling import ClassSampling, class_sampling, seen_counts
from longtail.trials.fingerprint import (
    SECOND_STAGE_ENGINE_VERSION,
    engine_version,
    fingerprint,
    fingerprint_with_features,
    second_stage_fingerprint,
)
from longtail.trials.loss_schedule import LossSchedule, loss_schedule
from longtail.trials.random_streams import RandomStream

# The role and the name of the subset of validation images.
VALIDATION_SET = "validation"


@dataclass(frozen=True)
class Split:
    """The images that a trial trains and validates on.

    Attributes:
        train_images: numbers of the training images in the data set, ascending, int64.
        train_labels: labels of these images, int64.
        validation_images: numbers of the validation images; may be empty.
        validation_labels: labels of these images.
        classes: number of known classes of the data set. Some may have no training image.
        feature_images: images whose features a frozen backbone computes together, for several
            splits of them, ascending; None for those of the training images alone.
    """

    train_images: Int64Array
    train_labels: Int64Array
    validation_images: Int64Array
    validation_labels: Int64Array
    classes: int
    feature_images: Int64Array | None = None

    @classmethod
    def of_trial(
        cls, trial: Trial, labels: Int64Array, subsets: pd.DataFrame, classes: int
    ) -> Self:
        """The split that a trial trains and validates on; the arguments are those of :meth:`of`."""
        return cls.of(labels, subsets, trial.train_set, classes, trial.draw_seed)

    @classmethod
    def of(
        cls,
        labels: Int64Array,
        subsets: pd.DataFrame,
        train_set: str,
        classes: int,
        draw_seed: int | None = None,
    ) -> Self:
        """The split of a data set for one of its training sets.

        Args:
            labels: labels of all images of the data set.
            subsets: one row per image and subset.
            train_set: the name of the training set.
            classes: number of known classes of the data set.
            draw_seed: draws as many images of each class from all training images; None for the
                images of ``subsets``.
        """
        train_images = images_of(subsets, "train", train_set)
        if draw_seed is not None:
            every = images_of(subsets, "train", "natural")
            counts = class_counts(labels[train_images], classes)
            train_images = _drawn(every, labels[every], counts, draw_seed)
        validation_images = images_of(subsets, VALIDATION_SET, VALIDATION_SET)
        return cls(
            train_images,
            labels[train_images],
            validation_images,
            labels[validation_images],
            classes,
        )

    @property
    def class_counts(self) -> Int64Array:
        """The number of training images of each class, shape (classes,)."""
        return class_counts(self.train_labels, self.classes)


@dataclass(frozen=True)
class TrainingJob:
    """A trial with the images and the losses that its last training has.

    A trial whose method has a second stage is two trainings, each with a fingerprint of its own.

    Attributes:
        trial: backbone, method, recipe, seed and compute.
        split: the images.
        losses: the loss of each epoch.
        sampling: sampling of the classes; None if every epoch has each image once.
        first_stage: the training that this one starts from; None if it is the first.
    """

    trial: Trial
    split: Split
    losses: LossSchedule
    sampling: ClassSampling | None = None
    first_stage: TrainingJob | None = None

    @classmethod
    def of(cls, trial: Trial, split: Split) -> Self:
        """The job of a trial.

        Raises:
            ConfigurationError: naming the trial and the key of its method, if its loss or its
                post-hoc method needs an image of every class and a class has none, if nothing
                could be learned with the loss, or if it is the user's and wrong.
        """
        last, counts = trial.last_stage, split.class_counts
        try:
            losses = loss_schedule(last.method, counts, last.recipe.epochs)
            if trial.method.second_stage is None:  # or else the first stage is checked
                post_hoc.check(trial.method, counts)
        except ConfigurationError as error:
            key = f"methods.{trial.method.name}"
            key += "" if trial.method.second_stage is None else ".second_stage"
            raise ConfigurationError(f"{trial.name}: {key}: {error}") from error
        return cls(
            trial,
            split,
            losses,
            class_sampling(last.method.sampling, counts, last.recipe.epochs),
            None if trial.method.second_stage is None else cls.of(trial.first_stage, split),
        )

    @property
    def stage(self) -> SecondStage | None:
        """The second stage, if this training is one."""
        return self.trial.method.second_stage

    @property
    def recipe(self) -> Recipe:
        """The hyperparameters of this training."""
        return self.trial.last_stage.recipe

    @property
    def seed(self) -> int:
        """The seed of this training's random numbers."""
        if self.first_stage is None:
            return self.trial.seed
        sequence = np.random.SeedSequence([RandomStream.SECOND_STAGE, self.first_stage.seed])
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)  # torch takes 63 bits

    @property
    def starts_at_class_means(self) -> bool:
        """Whether class vectors start at the means of their classes' features, if it can be."""
        if self.stage is None:
            return self.trial.starts_at_class_means
        return self.stage.start == "class_means"

    @property
    def epochs_before(self) -> int:
        """The epochs of the first stage."""
        return 0 if self.first_stage is None else self.first_stage.recipe.epochs

    @property
    def objective(self) -> dict[str, Any]:
        """The losses and the sampling as plain values, for hashing and for storing as JSON."""
        loss = self.trial.last_stage.method.loss
        sampling = {} if self.sampling is None else {"sampling": self.sampling.as_dict()}
        source = {"source_sha256": loss.source_sha256} if isinstance(loss, CustomLoss) else {}
        return self.losses.as_dict() | sampling | source

    @property
    def seen_counts(self) -> Float64Array:
        """How many images of each class the last epoch has on average, (classes,)."""
        return seen_counts(self.sampling, self.split.class_counts, self.recipe.epochs)

    @property
    def engine(self) -> int:
        """The version of the code that determines the result."""
        if self.first_stage is not None:
            return SECOND_STAGE_ENGINE_VERSION
        return engine_version(self.trial, self.split.class_counts)

    def fingerprint(self, pixels_sha256: str, weights_sha256: str | None) -> str:
        """The fingerprint of the training, 64 hexadecimal digits.

        Args:
            pixels_sha256: the checksum of the data set's pixels.
            weights_sha256: the checksum of the pretrained weights, None to start at random.
        """
        if self.first_stage is not None:
            first = self.first_stage.fingerprint(pixels_sha256, weights_sha256)
            return second_stage_fingerprint(self.trial, first, self.engine, self.objective)
        alone = fingerprint(
            self.trial,
            self.engine,
            self.objective,
            pixels_sha256,
            self.split.train_images,
            self.split.train_labels,
            self.split.validation_images,
            weights_sha256,
        )
        together = self.split.feature_images
        if together is None or np.array_equal(together, self.split.train_images):
            return alone
        return fingerprint_with_features(alone, together)


def _drawn(images: Int64Array, labels: Int64Array, counts: Int64Array, seed: int) -> Int64Array:
    """As many of the images of each class as ``counts`` says, by a generator of its own."""
    chosen = [
        np.random.default_rng([seed, label]).permutation(images[labels == label])[:count]
        for label, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(chosen))
