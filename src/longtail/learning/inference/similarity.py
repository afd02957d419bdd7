"""The similarity of images to the nearest learned image of a model, beside their logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from longtail.arrays import Float32Array
from longtail.learning.backbones import ImageClassifier, ImageModel


class WithSimilarity(ImageModel):
    """Logits and, in one more column, the cosine similarity to the nearest learned image.

    Args:
        model: model from images to logits.
        learnt: features of the learned images, of unit length, (images, features).
    """

    learnt: Tensor

    def __init__(self, model: ImageClassifier, learnt: Float32Array) -> None:
        super().__init__()
        self.image_size, self.five_crop_size = model.image_size, model.five_crop_size
        self.model = model
        self.register_buffer("learnt", torch.from_numpy(learnt))

    def forward(self, images: Tensor) -> Tensor:
        """Return shape (batch, classes + 1) for images (batch, 3, height, width)."""
        features = self.model.backbone(self.model.normalize(images))
        cosines = F.linear(F.normalize(features.float()), self.learnt)
        similarity = cosines.amax(dim=1, keepdim=True)
        return torch.cat([self.model.classify(features).float(), similarity], dim=1)
