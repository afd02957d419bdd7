"""A second stage: the classifier of a trained model is trained again, above its frozen body.

Decoupled training (Kang et al. 2020, arXiv 1910.09217).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from longtail.learning.backbones import (
    CosineLinear,
    ExpertClassifiers,
    ImageClassifier,
    ScaledLinear,
    build_for_trial,
)
from longtail.learning.training.freezing import LR_SCALE
from longtail.parameters import SecondStage
from longtail.trials.training_job import TrainingJob

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class AdjustedClassifier(nn.Module):
    """A classifier whose logits are multiplied by learned factors and shifted by learned offsets.

    Factors are learnable weight scaling (LWS): Kang et al. 2020, section 4; Zhong et al. 2021
    (MiSLAS, arXiv 2104.00466), section 3.3. With offsets they are the calibration of Zhang et al.
    2021 (DisAlign, arXiv 2103.16370), with the same weight for all images. Factors start at 1,
    offsets at 0.

    Attributes:
        scales: factor for each class, (classes,); None if they are not trained.
        offsets: offset for each class, (classes,); None if they are not trained.
    """

    def __init__(self, classifier: ScaledLinear, trains: Collection[str]) -> None:
        super().__init__()
        ones = torch.ones_like(classifier.bias)
        self.classifier = classifier
        self.scales = nn.Parameter(ones) if "class_scales" in trains else None
        self.offsets = nn.Parameter(0 * ones) if "class_offsets" in trains else None

    def forward(self, features: Tensor) -> Tensor:
        logits = self.classifier(features)
        if self.scales is not None:
            logits = self.scales * logits
        return logits if self.offsets is None else logits + self.offsets

    @torch.no_grad()
    def folded(self) -> ScaledLinear:
        """Return a classifier with the same logits, with factors and offsets in its weights."""
        layer = self.classifier
        if self.scales is not None:
            layer.weight.mul_(self.scales[:, None])
            layer.bias.mul_(self.scales)
        if self.offsets is not None:
            layer.bias.add_(self.offsets / layer.scale)
        return layer


def build_second_stage(job: TrainingJob, first_stage: Mapping[str, Tensor]) -> ImageClassifier:
    """Build the model of a second stage: the first stage's model with its body frozen.

    A new classifier starts with random weights from torch's global generator.

    Args:
        job: job of the second stage.
        first_stage: weights of the first stage's model, by name.
    """
    stage, last = job.stage, job.trial.last_stage
    assert stage is not None
    model = build_for_trial(last, job.split.classes, None)
    new = model.classifier
    model.classifier = nn.Identity()
    of_classifier = {name for name in first_stage if name.startswith("classifier.")}
    model.load_state_dict({n: v for n, v in first_stage.items() if n not in of_classifier})
    model.classifier = new
    if stage.start == "trained":
        new.load_state_dict({n.partition(".")[2]: first_stage[n] for n in of_classifier})
    model.requires_grad_(False)
    new.requires_grad_("classifier" in stage.trains)
    if stage.adjusts:
        _change_classifiers(model, partial(AdjustedClassifier, trains=stage.trains))
    follows_images = BATCH_NORMS if stage.batch_norm == "updated" else ()
    layers = [part for part in model.backbone.modules() if isinstance(part, follows_images)]
    model.keep_in_evaluation_mode([model.backbone], updated=layers)
    return model


def trained_groups(classifier: nn.Module, stage: SecondStage) -> list[dict[str, Any]]:
    """Group the parts of a classifier that a second stage trains by learning rate."""
    adjusted = [part for part in classifier.modules() if isinstance(part, AdjustedClassifier)]
    adjustments = [
        adjustment
        for part in adjusted
        for adjustment in (part.scales, part.offsets)
        if adjustment is not None
    ]
    of_adjustments = {id(adjustment) for adjustment in adjustments}
    trained = (p for p in classifier.parameters() if p.requires_grad)
    vectors = [p for p in trained if id(p) not in of_adjustments]
    groups: list[dict[str, Any]] = [
        {"params": vectors, LR_SCALE: stage.classifier_rate},
        {"params": adjustments},
    ]
    return [group for group in groups if group["params"]]


def start_at_class_means(classifier: nn.Module, features: Tensor, labels: Tensor) -> None:
    """Set cosine classifiers to the means of their classes' features; others are unchanged.

    Args:
        classifier: classifier of the model.
        features: features of each training image, (images, features).
        labels: labels, (images,).
    """
    for layer in classifier.modules():
        if isinstance(layer, CosineLinear):
            layer.init_class_means(features, labels)


def fold_adjustments(model: ImageClassifier) -> None:
    """Put learned factors and offsets into the weights of the classifier, if there are any."""
    _change_classifiers(model, lambda c: c.folded() if isinstance(c, AdjustedClassifier) else c)


def _change_classifiers(model: ImageClassifier, change: Callable[[Any], nn.Module]) -> None:
    """Replace the classifier, or that of each expert."""
    if isinstance(model.classifier, ExpertClassifiers):
        model.classifier.experts = nn.ModuleList(map(change, model.classifier.experts))
    else:
        model.classifier = change(model.classifier)
