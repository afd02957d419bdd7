"""Cached features of several views of each image, in the form that the training loop takes."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor, nn

from longtail.learning.backbones import ImageModel
from longtail.learning.data.image_source import ImageSource


class CachedViews:
    """A replacement of augmentation that picks one view of each image at random in each epoch.

    Args:
        features: features as float32 of shape (views, images, features), on the device.
    """

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def epoch(
        self, images: ImageSource, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        """Yield each batch's features as images of one pixel, (batch, features, 1, 1).

        All random numbers are drawn at once on the CPU, so that all losses of a seed get the same.
        """
        views, count, _ = self._features.shape
        chosen = torch.randint(views, (count,), generator=generator).to(images.device)
        for batch in batches:
            on_device = batch.to(images.device)
            yield as_one_pixel(self._features[chosen[on_device], on_device])


class FeatureClassifier(ImageModel):
    """A classifier on cached features, which it takes as images of one pixel."""

    image_size = 1

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes) of features (batch, features, 1, 1)."""
        return self.classifier(images.flatten(1))


def as_one_pixel(features: Tensor) -> Tensor:
    """Reshape features (images, features) to images of one pixel with many channels."""
    return features[:, :, None, None]
