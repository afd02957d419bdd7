"""Warnings of methods and keys that can be trained, but are probably not as intended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from longtail.errors import ConfigurationError
from longtail.parameters import (
    LDAM,
    Classifier,
    Experts,
    Loss,
    Method,
    PostHocLogitAdjustment,
    Trial,
)
from longtail.trials.canonical_loss import canonical
from longtail.wording import listed

# Unequal counts, on which a loss that re-balances differs from one that does not.
EXAMPLE_COUNTS = np.array([100, 10, 1])


def method_warnings(method: Method) -> Iterator[str]:
    """Sentences on what is unusual about a method."""
    key = f"methods.{method.name}"
    if keys := double_corrections(method):
        yield (
            f"{key} corrects class imbalance more than once, by its {listed(keys)}, and favours "
            f"rare classes"
        )
    stages = {f"{key}.classifier": method.first_stage}
    if method.second_stage is not None:
        stages[f"{key}.second_stage.classifier"] = method.last_stage
    for classifier, stage in stages.items():
        if isinstance(stage.loss, LDAM) and stage.classifier == Classifier():
            yield (
                f"{classifier} is the default, linear, but the margins of LDAM are between "
                f"cosines. Set it to {{kind: cosine, scale: 30}}, which is LDAM as published"
            )


def no_effect_warnings(trials: Sequence[Trial]) -> Iterator[str]:
    """Sentences on keys that a grid sets and none of its trials uses."""
    for effect in KEY_EFFECTS:
        setting: dict[str, list[Trial]] = {}
        for trial in trials:
            if effect.is_set(trial):
                setting.setdefault(effect.key(trial), []).append(trial)
        for key, those in setting.items():
            if not any(map(effect.is_used, those)):
                yield f"{key} has no effect: {effect.reason}"


class KeyEffect(NamedTuple):
    """When a key has an effect.

    Attributes:
        key: the key of a trial, as the parameters name it.
        is_set: whether a trial has another value than the default.
        is_used: whether that changes the trial.
        reason: why it changes none, and what to do.
    """

    key: Callable[[Trial], str]
    is_set: Callable[[Trial], bool]
    is_used: Callable[[Trial], bool]
    reason: str


KEY_EFFECTS = (
    KeyEffect(
        lambda _: "recipe.cached_views",
        lambda trial: trial.recipe.cached_views > 1,
        lambda trial: trial.recipe.has_fixed_features,
        "no trial that has it has a frozen backbone without adapters (recipe.freeze: backbone)",
    ),
    KeyEffect(
        lambda _: "recipe.cosine_start",
        lambda trial: trial.recipe.cosine_start != "random",
        # Of a linear classifier too: it stands in recipes that several methods share.
        lambda trial: trial.recipe.freeze == "backbone",
        "no trial that has it has a frozen backbone (recipe.freeze: backbone)",
    ),
    KeyEffect(
        lambda _: "recipe.layer_decay",
        lambda trial: trial.recipe.layer_decay < 1,
        lambda trial: not trial.recipe.has_fixed_features,
        "in all trials that have it the backbone is frozen, and the classifier is one layer. Set "
        "recipe.freeze to none or a share of the layers, or recipe.layer_decay to 1",
    ),
    KeyEffect(
        lambda trial: f"methods.{trial.method.name}.experts.shared",
        lambda trial: (
            trial.method.experts is not None and trial.method.experts.shared != Experts().shared
        ),
        lambda trial: trial.recipe.freeze != "backbone",
        "experts always share a frozen backbone (recipe.freeze: backbone). Leave it out",
    ),
    KeyEffect(
        lambda trial: f"backbones.{trial.backbone.name}.weights",
        lambda trial: trial.backbone.weights is not None,
        lambda trial: trial.backbone.pretrained,
        "the network starts from random weights. Set pretrained of this backbone to true",
    ),
    KeyEffect(
        lambda _: "grid.draw_per_seed",
        lambda trial: trial.draw_per_seed,
        lambda trial: trial.train_set != "natural",
        "the training set natural has all images, so that all seeds train on the same ones",
    ),
)


def double_corrections(method: Method) -> list[str]:
    """The keys of one stage that re-balance the classes, if there are several.

    Returns:
        The keys, of the last stage with several; none if each stage has at most one.
    """
    first, last = _corrections(method.first_stage), _corrections(method.last_stage)
    adjustment = method.last_stage.post_hoc  # of logits, after the last stage
    if isinstance(adjustment, PostHocLogitAdjustment) and any(adjustment.tau):
        last.append("post_hoc")
    return next((keys for keys in (last, first) if len(keys) > 1), [])


def _corrections(stage: Method) -> list[str]:
    """Which of the loss, the deferred weights and the sampling re-balance the classes."""
    experts = stage.experts
    re_balance = {
        "loss": _re_balances(stage.loss, stage.classifier)
        or (experts is not None and experts.re_balances),
        "deferred_weights": stage.deferred_weights is not None,
    }
    if stage.sampling is not None:
        # The branch re-balances features, the others the classifier; sampling does both.
        branch = stage.contrastive
        re_balance["contrastive"] = branch is not None and branch.re_balances
        re_balance["sampling"] = True
    return [key for key, does in re_balance.items() if does]


def _re_balances(loss: Loss, classifier: Classifier) -> bool:
    """Whether a loss makes up for different numbers of images; margins alone do not."""
    try:
        form = canonical(loss, classifier, EXAMPLE_COUNTS)
    except ConfigurationError:  # a loss of the user's, for other numbers of classes
        return False
    return any(of is not None for of in (form.weights, form.offsets, form.temperatures))
