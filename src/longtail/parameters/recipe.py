"""Training hyperparameters, and the device."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from longtail.parameters.augmentation import (
    Mixing,
    RandAugment,
    RandomErasing,
    RandomResizedCrop,
)
from longtail.parameters.strict import Contradictions, Strict, key_error
from longtail.parameters.types import (
    Cores,
    Epochs,
    EpochsOrZero,
    ImageSize,
    Listed,
    NonNegative,
    Positive,
    Share,
    ShareOrAll,
    ShareOrNone,
)


class CosineSchedule(Strict):
    """The learning rate falls to zero along half a cosine."""

    kind: Literal["cosine"]


class StepSchedule(Strict):
    """The learning rate is multiplied by a factor at certain epochs.

    Attributes:
        milestones: the epochs, in ascending order.
        factor: factor at each of them.
    """

    kind: Literal["step"]
    milestones: Listed[Epochs] = Field(min_length=1)
    factor: Share

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if list(milestones) != sorted(set(milestones)):
            raise ValueError(f"should be in ascending order, found {list(milestones)}")
        return milestones


LearningRateSchedule = Annotated[CosineSchedule | StepSchedule, Field(discriminator="kind")]


def learning_rate_contradictions(
    epochs: int, warmup_epochs: int, schedule: LearningRateSchedule
) -> Contradictions:
    """The errors of a warm-up and milestones of the learning rate that do not end in time."""
    if warmup_epochs >= epochs:
        yield key_error(
            "warmup_epochs", f"must be less than epochs ({epochs}), found {warmup_epochs}"
        )
    milestones = schedule.milestones if isinstance(schedule, StepSchedule) else ()
    if milestones and milestones[-1] >= epochs:
        yield key_error(
            "schedule.milestones", f"must be less than epochs ({epochs}), found {list(milestones)}"
        )


def _none_backbone_or_share(value: Any) -> Any:
    if value in ("none", "backbone"):
        return value
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise ValueError(
        f"should be none, backbone, or a share of the network's layers between 0 and 1, "
        f"found {value!r}"
    )


Freeze = Annotated[Literal["none", "backbone"] | float, BeforeValidator(_none_backbone_or_share)]


class Adapters(Strict):
    """Small layers in the blocks of a frozen vision transformer, which are trained.

    Attributes:
        bottleneck: the features in the middle of each; null for the largest power of two that is at
            most the number of classes divided by twice the number of blocks.
    """

    bottleneck: Annotated[int, Field(ge=1, le=8192)] | None = None


# The keys of a recipe that augment images and are null by default.
OPTIONAL_AUGMENTATION = (
    *("random_resized_crop", "rotation", "auto_augment"),
    *("rand_augment", "random_erasing", "cutout"),
)


class Recipe(Strict):
    """Training hyperparameters.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        image_size: the height and width of the network's input, in pixels.
        optimizer: AdamW or SGD with momentum.
        learning_rate: learning rate after the warm-up, before the schedule lowers it.
        momentum: momentum of SGD.
        nesterov: whether SGD has Nesterov momentum.
        weight_decay: weight decay: decoupled for AdamW, an L2 penalty for SGD.
        schedule: schedule of the learning rate after the warm-up.
        warmup_epochs: epochs in which the learning rate rises linearly.
        crop_padding: padding of random crops of the stored image's own size, in pixels; 0 for no
            crops.
        horizontal_flip: whether to flip half of the images.
        normalization: the channels' means and standard deviations: of the training images, of
            ImageNet, 0.5, or of CLIP's training images.
        precision: precision of the network's arithmetic in training; ``auto`` is bfloat16 on GPUs
            that have it, else float32. Evaluation is always float32.
        validate_every: interval of validations in epochs; the last epoch is validated too. 0 for no
            validation.
        random_resized_crop: random crops of varying size and shape, instead of ``crop_padding``.
        rotation: random rotations by up to so many degrees to either side.
        auto_augment: the policy of AutoAugment (arXiv 1805.09501) that was found on CIFAR-10.
        rand_augment: random operations on each image.
        random_erasing: random rectangles that are overwritten.
        cutout: side of the black square of Cutout (arXiv 1708.04552), in pixels.
        mixing: mixup or CutMix, of all images or rather of rare classes.
        sam_rho: how far sharpness-aware minimization (arXiv 2010.01412) looks for a larger loss, as
            a distance between weights; it takes two passes per step. 0 is without it.
        ema_decay: decay of an exponential moving average of the weights, which is then the result.
        freeze: part that stays as pretrained: the whole ``backbone``, or a share of its layers from
            the input on.
        layer_decay: factor by which the learning rate is multiplied with each layer from the
            classifier to the input.
        cached_views: views of each image whose features are computed once and cached, where the
            whole backbone is frozen: the image itself, and random crops and flips of it.
        five_crop_size: the trained model is applied to five crops of each image, enlarged to so
            many pixels, and their logits are averaged; null for the whole image. It does not
            change the training.
        cosine_start: initialisation of a cosine classifier on a frozen backbone.
        adapters: small layers that are trained in every block of a frozen backbone, which must be a
            vision transformer.
        whiten_features: whether the features of a frozen backbone are whitened by their covariance
            within classes before the classifier.
    """

    epochs: Epochs
    batch_size: Annotated[int, Field(ge=2, le=10**6)]
    image_size: ImageSize
    optimizer: Literal["adamw", "sgd"]
    learning_rate: Positive
    momentum: ShareOrNone
    weight_decay: NonNegative
    schedule: LearningRateSchedule
    warmup_epochs: EpochsOrZero
    crop_padding: Annotated[int, Field(ge=0, lt=8192)]
    horizontal_flip: bool
    normalization: Literal["train_set", "imagenet", "half", "clip"]
    precision: Literal["auto", "float32", "bfloat16"]
    validate_every: EpochsOrZero
    # Newer keys have defaults, which are not hashed, so that older trainings stay valid.
    random_resized_crop: RandomResizedCrop | None = None
    rand_augment: RandAugment | None = None
    random_erasing: RandomErasing | None = None
    mixing: Mixing | None = None
    rotation: Annotated[float, Field(gt=0, le=180)] | None = None
    auto_augment: Literal["cifar10"] | None = None
    cutout: ImageSize | None = None
    nesterov: bool = False
    sam_rho: Annotated[float, Field(ge=0, le=10)] = 0.0
    ema_decay: Share | None = None
    freeze: Freeze = "none"
    layer_decay: ShareOrAll = 1.0
    cached_views: Annotated[int, Field(ge=1, le=1000)] = 1
    cosine_start: Literal["random", "class_means"] = "random"
    five_crop_size: ImageSize | None = None
    adapters: Adapters | None = None
    whiten_features: bool = False

    def _contradictions(self) -> Contradictions:
        yield from learning_rate_contradictions(self.epochs, self.warmup_epochs, self.schedule)
        if self.random_resized_crop is not None and self.crop_padding:
            yield key_error(
                "random_resized_crop",
                "this and crop_padding are two kinds of crops: set crop_padding "
                f"to 0 (it is {self.crop_padding}), or random_resized_crop to null",
            )
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            yield key_error(
                "nesterov",
                f"belongs to optimizer: sgd with a momentum above 0, found {self.optimizer} with "
                f"{self.momentum}",
            )
        if self.cutout is not None and self.cutout > self.image_size:
            yield key_error(
                "cutout",
                f"must be at most image_size ({self.image_size}), found {self.cutout}",
            )
        size, enlarged = self.image_size, self.five_crop_size
        if enlarged is not None and not size < enlarged <= 2 * size:
            yield key_error(
                "five_crop_size",
                f"must be more than image_size ({size}), the size of the crops, and at most twice "
                f"as much, so that they cover the image; found {enlarged}",
            )
        if self.mixing is not None and self.mixing.kind == "cutmix" and self.has_fixed_features:
            yield key_error(
                "mixing.kind",
                "cutmix pastes parts of images, but with freeze: backbone a training sees "
                "features: set the kind to mixup, which blends them, or freeze to a share of the "
                "layers",
            )
        if self.adapters is not None and self.freeze != "backbone":
            yield key_error(
                "adapters",
                f"are trained in a frozen network, but freeze is {self.freeze}: set freeze to "
                "backbone, or adapters to null",
            )
        if self.whiten_features and not self.has_fixed_features:
            reason = f"freeze is {self.freeze}" if self.adapters is None else "adapters change them"
            yield key_error(
                "whiten_features",
                f"needs features that the training does not change, but {reason}: set freeze to "
                "backbone and adapters to null, or leave out the method or the backbone",
            )

    @property
    def optional_augmentation(self) -> list[str]:
        """The keys of :data:`OPTIONAL_AUGMENTATION` that are set."""
        return [key for key in OPTIONAL_AUGMENTATION if getattr(self, key) is not None]

    @property
    def augments(self) -> bool:
        """Whether images are augmented, so that views of one image differ."""
        return bool(self.crop_padding or self.horizontal_flip or self.optional_augmentation)

    @property
    def has_fixed_features(self) -> bool:
        """Whether the features of an image never change, so that they are computed once."""
        return self.freeze == "backbone" and self.adapters is None

    @property
    def needs_layers(self) -> bool:
        """Whether the layers of the network must be known."""
        is_partly_frozen = self.freeze not in ("none", "backbone")
        return self.layer_decay < 1 or is_partly_frozen or self.adapters is not None


class Compute(Strict):
    """The device and how it is used.

    Attributes:
        device: ``auto`` is a GPU if there is one.
        threads: CPU threads of each trial. On a CPU, results are reproducible for the same number
            only.
        workers: number of trials that run at once; null for as many as the cores allow, one on a
            GPU.
        compile: whether to use ``torch.compile``. ``auto`` uses it on a GPU for trainings that are
            long enough to save more than the minute that it takes.
        images: whether a trial keeps its images in the memory of the device or reads them batch by
            batch. ``auto`` decides by their size.
    """

    device: Literal["auto", "cpu", "cuda"]
    threads: Cores
    workers: Cores | None
    compile: Literal["auto", "always", "never"]
    images: Literal["auto", "resident", "streaming"] = "auto"
