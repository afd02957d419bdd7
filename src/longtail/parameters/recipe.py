"""How a network is trained, and where."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from longtail.parameters.augmentation import (
    Mixing,
    RandAugment,
    RandomErasing,
    RandomResizedCrop,
)
from longtail.parameters.strict import Strict


class CosineSchedule(Strict):
    """The learning rate falls to zero along half a cosine."""

    kind: Literal["cosine"]


class StepSchedule(Strict):
    """The learning rate is multiplied by ``factor`` at each of ``milestones`` (epochs)."""

    kind: Literal["step"]
    milestones: tuple[PositiveInt, ...]
    factor: Annotated[float, Field(gt=0, lt=1)]


Schedule = Annotated[CosineSchedule | StepSchedule, Field(discriminator="kind")]


def _none_backbone_or_share(value: Any) -> Any:
    if value in ("none", "backbone"):
        return value
    if isinstance(value, int | float) and 0 < value < 1:
        return value
    raise ValueError(
        f"should be none, backbone, or a share of the network's layers between 0 and 1, "
        f"found {value!r}"
    )


Freeze = Annotated[Literal["none", "backbone"] | float, BeforeValidator(_none_backbone_or_share)]


class Recipe(Strict):
    """How a network is trained. ``crop_padding`` is in pixels of the stored image.

    ``freeze`` leaves the whole backbone, or the share of its layers that is nearest to the pixels,
    as it was pretrained. Where it is the backbone, the classifier learns from features that are
    computed once, of ``cached_views`` views of each image: the image itself, and random crops
    and flips of it; a cosine classifier then starts as ``cosine_start`` says. The learning rate
    falls by ``layer_decay`` with each layer from the classifier down.
    """

    epochs: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    image_size: PositiveInt
    optimizer: Literal["adamw", "sgd"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegativeFloat
    schedule: Schedule
    warmup_epochs: NonNegativeInt
    crop_padding: NonNegativeInt
    horizontal_flip: bool
    normalization: Literal["train_set", "imagenet", "half"]
    precision: Literal["auto", "float32", "bfloat16"]
    validate_every: NonNegativeInt
    # Newer keys have defaults, which the fingerprint leaves out: older trainings stay valid.
    random_resized_crop: RandomResizedCrop | None = None
    rand_augment: RandAugment | None = None
    random_erasing: RandomErasing | None = None
    mixing: Mixing | None = None
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    freeze: Freeze = "none"
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    cached_views: PositiveInt = 1
    cosine_start: Literal["random", "class_means"] = "random"

    @model_validator(mode="after")
    def _one_kind_of_crop(self) -> Self:
        if self.random_resized_crop is not None and self.crop_padding:
            raise ValueError(
                "random_resized_crop and crop_padding are two kinds of crops: set crop_padding "
                f"to 0 (it is {self.crop_padding}), or random_resized_crop to null"
            )
        return self

    @model_validator(mode="after")
    def _mixes_pixels(self) -> Self:
        if self.mixing is not None and self.freeze == "backbone":
            raise ValueError(
                "mixing mixes images, but with freeze: backbone a training sees features: set "
                "mixing to null, or freeze to a share of the layers"
            )
        return self

    @property
    def needs_layers(self) -> bool:
        """Whether it must be known which layers the network has."""
        return self.layer_decay < 1 or self.freeze not in ("none", "backbone")


class Compute(Strict):
    """Where and on how many cores. ``threads`` a trial is part of what fixes its bits on a CPU.

    ``workers`` trials run side by side; null means as many as the cores allow, and one on a GPU.
    ``compile`` has ``torch.compile`` fuse a network's kernels; ``auto`` does so on a GPU for
    trainings long enough to win back the minute that it takes. ``images`` says whether a trial
    holds its images in the device's memory or reads them batch by batch; ``auto`` goes by size.
    """

    device: Literal["auto", "cpu", "cuda"]
    threads: PositiveInt
    workers: PositiveInt | None
    compile: Literal["auto", "always", "never"]
    images: Literal["auto", "resident", "streaming"] = "auto"
