"""Warnings of methods and recipes that can be trained, but are probably not as intended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from longtail.errors import ConfigurationError
from longtail.parameters import LDAM, Classifier, Loss, Method, PostHocLogitAdjustment, Trial
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


def recipe_warnings(trials: Sequence[Trial]) -> Iterator[str]:
    """Sentences on what a grid sets in recipes, but no trial uses."""
    views = [trial for trial in trials if trial.recipe.cached_views > 1]
    if views and not any(trial.recipe.has_fixed_features for trial in views):
        yield (
            f"recipe.cached_views is {views[0].recipe.cached_views}, but has no effect: no trial "
            f"has a frozen backbone without adapters (recipe.freeze: backbone)"
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
