"""Features of images, seen in several views, as a training takes them."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor, nn

from longtail.learning.data.image_source import Images


class ChosenViews:
    """Takes the place of augmentation: each image in one of its views, drawn anew each epoch.

    Args:
        features: float32 of shape (views, images, features), on the device.
    """

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def epoch(
        self, images: Images, batches: list[Tensor], generator: torch.Generator
    ) -> Generator[Tensor]:
        """Yield each batch's features as images of one pixel, (batch, features, 1, 1).

        All draws are made at once on the CPU, so that all losses of a seed see the same.
        """
        views, count, _ = self._features.shape
        chosen = torch.randint(views, (count,), generator=generator).to(images.device)
        for batch in batches:
            on_device = batch.to(images.device)
            yield one_pixel(self._features[chosen[on_device], on_device])


class OnFeatures(nn.Module):
    """A classifier above features that are given, rather than above a backbone."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of features (batch, features, 1, 1)."""
        logits: Tensor = self.classifier(images.flatten(1))
        return logits


def one_pixel(features: Tensor) -> Tensor:
    """Features (images, features) in the shape of images: one pixel with many channels."""
    return features[:, :, None, None]
