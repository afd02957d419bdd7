"""Methods that can be trained, but of which a warning says why they are not as usual."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from longtail.errors import ConfigurationError
from longtail.parameters import LDAM, Classifier, Loss, Method, PostHocLogitAdjustment
from longtail.trials.canonical_loss import canonical

# Unequal counts, on which a loss that re-balances differs from one that does not.
EXAMPLE_COUNTS = np.array([100, 10, 1])


def unusual(method: Method) -> Iterator[str]:
    """What is unusual about a method, one sentence each."""
    key = f"methods.{method.name}"
    if corrects_twice(method):
        yield (
            f"{key} corrects class imbalance twice, by two of its loss, its deferred weights, its "
            f"sampling and its adjustment after training, and favours rare classes"
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


def corrects_twice(method: Method) -> bool:
    """Whether two parts of one stage, such as its loss and its sampling, re-balance the classes."""
    last = method.last_stage
    # Logits are adjusted after the last stage.
    adjusts = isinstance(last.post_hoc, PostHocLogitAdjustment) and any(last.post_hoc.tau)
    return _corrections(method.first_stage) > 1 or _corrections(last) + adjusts > 1


def _corrections(stage: Method) -> int:
    """How many of the loss, the deferred weights and the sampling re-balance the classes."""
    experts, branch = stage.experts, stage.contrastive
    by_loss = _re_balances(stage.loss, stage.classifier) or (
        experts is not None and experts.re_balances
    )
    by_branch = branch is not None and branch.re_balances
    if stage.sampling is None:  # the branch re-balances features, the others the classifier
        return by_loss + (stage.deferred_weights is not None)
    return 1 + (by_loss or by_branch or stage.deferred_weights is not None)


def _re_balances(loss: Loss, classifier: Classifier) -> bool:
    """Whether a loss makes up for different numbers of images; margins alone do not."""
    try:
        form = canonical(loss, classifier, EXAMPLE_COUNTS)
    except ConfigurationError:  # a loss of the user's, for other numbers of classes
        return False
    return any(of is not None for of in (form.weights, form.offsets, form.temperatures))
