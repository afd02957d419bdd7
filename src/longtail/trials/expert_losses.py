"""The losses of experts, as what they add to the canonical form of the method's loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from longtail.arrays import Float64Array, Int64Array
from longtail.parameters import CanonicalLoss, Experts
from longtail.trials.canonical_loss import (
    NEGLIGIBLE,
    centred,
    refuse_missing_classes,
)


def with_experts(
    loss: CanonicalLoss, experts: Experts | None, class_counts: Int64Array
) -> CanonicalLoss:
    """``loss`` as each expert minimises it, and as their mean logits are evaluated.

    The mean over experts of their offsets is added to the loss' own; each expert trains with its
    difference from that.

    Args:
        loss: loss of a method without experts.
        experts: None for none.
        class_counts: the number of training images of each class, (classes,).

    Raises:
        ConfigurationError: if the strengths need an image of every class and a class has none.
    """
    if experts is None:
        return loss
    offsets = _offsets(experts, class_counts)
    mean = offsets.mean(axis=0)
    differences: Float64Array = offsets - mean
    own = loss.offsets if loss.offsets is not None else np.zeros(len(class_counts))
    return replace(
        loss,
        offsets=centred(own + mean) if mean.any() else loss.offsets,
        expert_offsets=None if np.abs(differences).max() < NEGLIGIBLE else differences,
        diversity=experts.diversity if experts.count > 1 else 0.0,
        experts_summed=experts.reduction == "sum" and experts.count > 1,
    )


def reversed_counts(class_counts: Float64Array) -> Float64Array:
    """The counts in reversed order: the largest class has the count of the smallest one.

    Of classes of equal size, the first has the larger of their new counts.
    """
    order = np.argsort(class_counts, kind="stable")
    result = np.empty_like(class_counts)
    result[order] = class_counts[order][::-1]
    return result


def _offsets(experts: Experts, class_counts: Int64Array) -> Float64Array:
    """What is added to the logits of each expert, (experts, classes)."""
    strengths = np.array(experts.tau or [0.0] * experts.count)[:, None]
    reversed_strengths = np.array(experts.reversed_tau or [0.0] * experts.count)[:, None]
    if not experts.re_balances:
        return np.zeros((experts.count, len(class_counts)))
    refuse_missing_classes(
        class_counts, "experts.tau" if strengths.any() else "experts.reversed_tau"
    )
    counts = class_counts.astype(np.float64)
    logs, reversed_logs = np.log(counts), np.log(reversed_counts(counts))
    result: Float64Array = strengths * logs - reversed_strengths * reversed_logs
    # A constant does not change the softmax.
    result -= result.mean(axis=1, keepdims=True)
    return result
