"""A note on what the probabilities of a trial estimate, from the prior that its logits assume."""

from __future__ import annotations

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.naming.priors import assumed_prior
from longtail.parameters import PostHocLogitAdjustment, Trial
from longtail.trials.class_sampling import class_sampling, seen_counts
from longtail.trials.loss_schedule import loss_schedule
from longtail.trials.post_hoc import NONE

# Ratios that differ by less are equal: the rounding of logarithms.
RELATIVE_ROUNDING = 1e-6


def probability_note(
    trial: Trial, class_counts: Int64Array, many: str, post_hoc: str = NONE, tau: float = 1
) -> str:
    """Describe what the softmax of a trial's logits estimates: a posterior under a prior, or none.

    Args:
        trial: the trial.
        class_counts: training images of each class, (classes,).
        many: word for several classes.
        post_hoc: change of the logits after the training, see
            :func:`longtail.trials.post_hoc.recorded`.
        tau: strength of that change.
    """
    method = trial.method
    if method.external is not None:
        meaning = "what they estimate depends on how that network was trained."
    elif post_hoc != NONE and not isinstance(method.post_hoc, PostHocLogitAdjustment):
        meaning = (
            "not a posterior, since the class vectors were divided by their norms after training."
        )
    else:
        counts = class_counts[class_counts > 0]
        prior, exactness = _prior_of_last_epoch(trial, counts)
        if post_hoc != NONE:  # subtracts tau log n, and so multiplies the prior by n ** -tau
            prior = prior * counts.astype(np.float64) ** -tau
        meaning = (
            f"estimates of the posterior for {_frequencies(prior, counts, many)} ({exactness})."
        )
    return f"Probabilities are the softmax of the logits of {method.row_label}: {meaning}"


def _prior_of_last_epoch(trial: Trial, class_counts: Int64Array) -> tuple[Float64Array, str]:
    last = trial.last_stage
    method, epochs = last.method, last.recipe.epochs
    loss = loss_schedule(method, class_counts, epochs).last
    sampling = class_sampling(method.sampling, class_counts, epochs)
    seen = seen_counts(sampling, class_counts, epochs)
    return assumed_prior(loss, seen, mixed=last.recipe.mixing is not None)


def _frequencies(prior: Float64Array, class_counts: Int64Array, many: str) -> str:
    """Describe how frequent the classes are under a prior, beside the training set."""
    per_image = prior / class_counts
    if per_image.max() < per_image.min() * (1 + RELATIVE_ROUNDING):
        return f"{many} as frequent as in the training set, so that those of rare ones are low"
    if prior.max() < prior.min() * (1 + RELATIVE_ROUNDING):
        return f"{many} that are equally frequent, not for the frequencies of the field"
    largest, smallest = class_counts.argmax(), class_counts.argmin()
    return (
        f"{many} of which that with the most training images is "
        f"{prior[largest] / prior[smallest]:.3g} times as frequent as that with the fewest (in the "
        f"training set {class_counts[largest] / class_counts[smallest]:.3g} times), not for the "
        f"frequencies of the field"
    )
