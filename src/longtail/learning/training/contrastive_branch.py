"""The contrastive branch of a training: further views of a batch, their projection and its loss."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from longtail.arrays import Int64Array
from longtail.learning.augmentation.epoch import Augment, Augmentation
from longtail.learning.backbones import ImageClassifier
from longtail.learning.backbones.networks import feature_count
from longtail.learning.data.image_source import ImageSource
from longtail.learning.training.contrastive_losses import ProCo, SupervisedContrastive
from longtail.parameters import Trial
from longtail.trials.random_streams import RandomStream

# Sizes of the projection, as in both papers' code for this kind of network.
HIDDEN, DIMENSION = 512, 128


class Projection(nn.Module):
    """Map features to unit vectors in float32: two linear layers, the first with BatchNorm."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, DIMENSION),
        )

    def forward(self, features: Tensor) -> Tensor:
        # In float32: cosines are divided by a small temperature.
        with torch.autocast(features.device.type, enabled=False):
            return F.normalize(self.layers(features.float()))


class TwoHeads(nn.Module):
    """A model with a projection beside its classifier, on the same backbone.

    Args:
        model: model that is trained and stored.
        projection: layers from its features to vectors.
        views: number of views of an image that the projection takes.
    """

    def __init__(self, model: ImageClassifier, projection: Projection, views: int) -> None:
        super().__init__()
        self.model, self.projection, self.views = model, projection, views

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the first view and the vectors of the others.

        Args:
            images: the views of a batch one after the other, ((1 + views) * batch, 3, height,
                width).

        Returns:
            Logits (batch, classes) and vectors (views * batch, dimension).
        """
        features = self.model.backbone(self.model.normalize(images))
        batch = len(images) // (1 + self.views)
        logits = self.model.classify(features[:batch])
        return logits, self.projection(features[batch:])


class ContrastiveBranch:
    """A projection, the loss of its vectors, and the further views that it learns from.

    All random numbers are its own: the model and the first views are the same as without it.

    Args:
        trial: trial of a method with a branch.
        model: model on its device; it is not changed.
        class_counts: counts of the training images, (classes,).

    Attributes:
        heads: model with the projection.
    """

    def __init__(self, trial: Trial, model: ImageClassifier, class_counts: Int64Array) -> None:
        parameters = trial.method.contrastive
        assert parameters is not None
        self._weight, self._views, self._seed = parameters.weight, parameters.views, trial.seed
        self._augment: Augment | None = None
        if (augmentation := parameters.augmentation) is not None:
            self._augment = Augmentation(
                augmentation.recipe(trial.recipe), augmentation.colour_jitter
            ).epoch
        device = next(model.parameters()).device
        generator = _generator(RandomStream.CONTRASTIVE_START, trial.seed)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(generator.get_state())
            projection = Projection(feature_count(model.backbone))
            generator.set_state(torch.get_rng_state())
        self.heads = TwoHeads(model, projection.to(device), parameters.views)
        self._loss: SupervisedContrastive | ProCo
        if parameters.kind == "proco":
            counts = torch.from_numpy(class_counts)
            loss = ProCo(parameters.temperature, counts, DIMENSION, generator)
            self._loss = loss.to(device)
        else:
            self._loss = SupervisedContrastive(parameters.temperature)

    @property
    def weights(self) -> list[nn.Parameter]:
        """Return the weights of the projection, which are trained with the model's."""
        return list(self.heads.projection.parameters())

    def begin_epoch(self) -> None:
        """Continue with the class means of the last epoch."""
        if isinstance(self._loss, ProCo):
            self._loss.begin_epoch()

    def views(
        self, epoch: int, images: ImageSource, batches: list[Tensor], augment: Augment
    ) -> Generator[Tensor]:
        """Yield the further views of each batch of an epoch, one view after the other.

        Args:
            epoch: number of the epoch.
            images: training images.
            batches: numbers of the images of each batch.
            augment: augmentation of the epoch.
        """
        with ExitStack() as stack:
            of_views = [
                stack.enter_context(closing((self._augment or augment)(images, batches, generator)))
                for generator in (
                    _generator(RandomStream.CONTRASTIVE_VIEWS, self._seed, epoch, view)
                    for view in range(self._views)
                )
            ]
            for views in zip(*of_views, strict=True):
                yield torch.cat(views)

    def loss(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Compute the weighted loss of a batch, a float32 scalar.

        Args:
            vectors: vectors of its further views, (views * batch, dimension).
            labels: labels, (batch,).
        """
        return self._weight * self._loss(vectors, labels.repeat(self._views)).float()

    def state_dict(self) -> dict[str, Any]:
        """Return the projection and the class means; the tensors are not copied."""
        return {"projection": self.heads.projection.state_dict(), "loss": self._loss.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.heads.projection.load_state_dict(state["projection"])
        self._loss.load_state_dict(state["loss"])


def _generator(stream: RandomStream, seed: int, *numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(stream.derived_seed(seed, *numbers))
