"""Metrics that are means over classes, and their variance with fixed images per class.

The bootstrap fails for these metrics if classes have few test images: of 34 classes with one
image, a resample has 22, so that it varies too little. Here the variance is computed: within each
class, and if a class has too few images for that, with the help of classes of similar size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.evaluation.metrics import Answers

# Classes of similar size share an estimate in groups of at least so many.
POOLED_CLASSES = 8


@dataclass(frozen=True)
class ClassMean:
    """A metric that is the mean over the classes present of a mean over their images.

    Attributes:
        labels: class of each image, (n,).
        own: contribution of each image to the score of its class, (n,).
        others: contribution to the scores of other classes, in the same units, (n,).
    """

    labels: Int64Array
    own: Float64Array
    others: Float64Array

    @classmethod
    def of_recall(cls, answers: Answers) -> ClassMean:
        """Balanced accuracy."""
        correct = answers.correct.astype(np.float64)
        return cls(answers.labels, correct, np.zeros_like(correct))

    @classmethod
    def of_f1(cls, answers: Answers) -> ClassMean:
        """Macro F1, linear in the predictions of the images (the delta method).

        With ``h`` hits, ``s`` images and ``a`` answers, the F1 of a class is ``2 h / (s + a)``. An
        image changes ``h`` and ``a`` of its own class and ``a`` of the class that is predicted.
        """
        labels, predicted, classes = answers.labels, answers.predicted, answers.classes
        images = np.bincount(labels, minlength=classes)
        total = np.maximum(images + np.bincount(predicted, minlength=classes), 1)
        hits = np.bincount(labels[answers.correct], minlength=classes)
        f1, by_hit = 2 * hits / total, 2 / total
        by_answer = np.where(images > 0, -2 * hits / total**2, 0.0)
        by_own = answers.correct * (by_hit + by_answer)[labels] + by_answer[labels]
        by_other = np.where(answers.correct, 0.0, by_answer[predicted])
        own, others = f1[labels] + images[labels] * by_own, images[labels] * by_other
        return cls(labels, own.astype(np.float64), others.astype(np.float64))

    @property
    def effective_images(self) -> float:
        """Number of images of a balanced test set on which the metric varies as much.

        All images are assumed to be equally difficult.
        """
        images = np.bincount(self.labels)
        images = images[images > 0]
        return float(len(images) ** 2 / (1 / images).sum())

    @property
    def variance(self) -> float:
        """Sampling variance with fixed images per class.

        A class' own variance, with one degree of freedom less than it has images, is averaged with
        that of one image drawn from classes with about as many test images. This image decides
        for classes with a single one, and hardly matters for those with many.
        """
        classes, place = np.unique(self.labels, return_inverse=True)
        images = np.bincount(place)
        means, own = _means_and_squares(self.own, place)
        _, squares = _means_and_squares(self.own + self.others, place)
        pooled = np.empty(len(classes))
        by_size = np.argsort(-images, kind="stable")
        for group in np.array_split(by_size, max(1, len(classes) // POOLED_CLASSES)):
            within = (own[group] / images[group]).mean()
            pooled[group] = within + means[group].var(ddof=1 if len(group) > 1 else 0)
        variances = (squares + pooled) / images
        return float((variances / images).sum() / len(classes) ** 2)


def _means_and_squares(
    scores: Float64Array, place: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """Return the mean of each class, and the sum of the squared differences from it."""
    means = np.bincount(place, scores) / np.bincount(place)
    return means, np.bincount(place, np.square(scores - means[place])).astype(np.float64)


CLASS_MEANS: dict[str, Callable[[Answers], ClassMean]] = {
    "balanced_accuracy": ClassMean.of_recall,
    "macro_f1": ClassMean.of_f1,
}
