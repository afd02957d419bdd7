"""Checks of the loss column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from longtail.evaluation.comparisons import BASELINE
from longtail.published.audit.finding import (
    PRINTED_GROUPS,
    ROW_COLUMNS,
    WHOLE,
    AuditFinding,
    as_printed,
    by_test_set,
    has_test_sets,
    readable_name,
    reported,
    row_finding,
    unit_of_last_place,
)
from longtail.wording import listed

# LDAM as published (Cao et al. 2019): the scale of the cosines, and the largest margin.
LDAM_SCALE, LDAM_MARGIN = 30.0, 0.5
# The losses with class weights; the reasons for misses of other losses.
WEIGHTED = {"weighted_softmax", "class_balanced"}
RANDOM_REASON = (
    "A loss that draws random numbers when evaluated, or depends on the batch, can be why."
)
UNWEIGHTED_REASON = f"Class weights cannot be why, since this loss has none. {RANDOM_REASON}"


def losses_add_up(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Check that losses of head, middle and tail, weighted by images, average to the whole.

    They do for a loss that is a mean over images. They do not if classes are weighted and the mean
    is divided by the sum of the weights, nor if the loss draws random numbers.
    """
    loss, images = by_test_set(published, "loss"), by_test_set(published, "loss", "images")
    test_sets = [*PRINTED_GROUPS, WHOLE]
    if not has_test_sets(loss, test_sets):
        return
    weights = images[PRINTED_GROUPS]
    mean = (loss[PRINTED_GROUPS] * weights).sum(axis=1) / weights.sum(axis=1)
    loss["miss"] = mean - loss[WHOLE]
    # The mean of the parts is off by up to half a unit, and so is the whole.
    decimals = by_test_set(published, "loss", "decimals")[test_sets].min(axis=1)
    loss["most"] = unit_of_last_place(decimals)
    complete = loss[loss[test_sets].notna().all(axis=1)]
    misses = complete["miss"].abs() > complete["most"]
    yield AuditFinding(
        True,
        f"In {(~misses).sum()} of {len(misses)} rows the losses on head, middle and tail, weighted "
        f"by images, average to the long-tailed loss: it is the mean over images there.",
    )
    on_balanced = set(complete.loc[misses & (complete["train_set"] == "balanced"), "method"])
    for (method, train_set), rows in complete.groupby(["method", "train_set"], sort=False):
        missing = rows[misses[rows.index]]
        if missing.empty:
            continue
        if method not in WEIGHTED:
            reason = UNWEIGHTED_REASON
        elif method in on_balanced:
            reason = (
                f"It does so on balanced training too, where all weights are 1. {RANDOM_REASON}"
            )
        else:
            reason = "Not so on balanced training: class weights are why." + _weights(
                missing, images
            )
        yield AuditFinding(
            False,
            f"The parts of {readable_name(method)} trained {readable_name(train_set)} miss the "
            f"whole in {len(missing)} of {len(rows)} rows, by {_percentages(missing)}. {reason}",
            train_set=str(train_set),
            method=str(method),
        )


def spared_negatives(published: pd.DataFrame) -> Iterator[AuditFinding]:
    """Estimate from equalization's losses how many negatives it spares on balanced training.

    If each negative is left out of the softmax with probability ``q``, the expected loss of an
    image is at least ``1 - q`` times its cross-entropy, for any logits: the loss is a submodular
    function of the set of kept negatives, and 0 for the empty set. So the ratio of the losses of
    two models that differ only in this gives a lower bound of ``q``.
    """
    losses = reported(published, "loss")
    losses = losses[(losses["train_set"] == "balanced") & (losses["test_set"] == "balanced")]
    if not {"equalization", BASELINE} <= set(losses["method"]):
        return
    table = losses.pivot_table(index="backbone", columns="method", values="value", sort=False)
    spared = (1 - table["equalization"] / table[BASELINE]).dropna()
    if spared.empty:
        return
    shares = listed(f"{100 * share:.0f} % ({backbone})" for backbone, share in spared.items())
    verdict = (
        "All classes are equally frequent, so rare ones cannot be meant: classes of any frequency "
        "are spared, as by the method equalization_unconditional."
        if (spared > 0).all()
        else "The losses do not show whether any is spared."
    )
    yield AuditFinding(
        True,
        f"On the balanced test set, equalization's losses are smaller than softmax's as if at "
        f"least {shares} of the negatives were spared. {verdict}",
        train_set="balanced",
        method="equalization",
    )


def unnormalised_logits(published: pd.DataFrame, classes: int) -> Iterator[AuditFinding]:
    """Check whether LDAM's losses can come from cosines, as its definition requires.

    With ``s = LDAM_SCALE`` and ``m = LDAM_MARGIN``, the loss of a correctly classified image is at
    most ``s * m + log(classes)``. For an image whose cosine with another class' vector exceeds
    that with its own by ``d``, it is at most ``s * (d + m) + log(classes)``. So a mean loss and an
    accuracy give a lower bound of the mean ``d`` of the misclassified images. ``d`` cannot
    exceed 2; beyond 1, an image is at more than 90 degrees to the vector of its own class.
    """
    guess = float(np.log(classes))
    cells = reported(published, "loss").merge(
        reported(published, "acc1"), on=[*ROW_COLUMNS, "test_set"], suffixes=("", "_acc1")
    )
    cells = cells[(cells["method"] == "ldam") & (cells["value_acc1"] < 1)]
    right = cells["value_acc1"] * (LDAM_SCALE * LDAM_MARGIN + guess)
    wrong = (cells["value"] - right) / (1 - cells["value_acc1"])
    cells["difference"] = (wrong - guess) / LDAM_SCALE - LDAM_MARGIN
    for _, row in cells.groupby(ROW_COLUMNS, sort=False):
        worst = row.nlargest(1, "difference").iloc[0]
        difference = worst["difference"]
        verdict = (
            "which cosines cannot: the logits were not normalised"
            if difference > 2
            else "as if images pointed away from their own class: the logits were hardly normalised"
            if difference > 1
            else "which cosines can"
        )
        yield row_finding(
            worst,
            f"Loss {as_printed(worst['value'], worst['decimals'])} at Acc1 "
            f"{as_printed(worst['value_acc1'], worst['decimals_acc1'])} on "
            f"{readable_name(worst['test_set'])}, {worst['value'] / guess:.1f} times what an even "
            f"guess costs. With cosines times {LDAM_SCALE:.0f} and margins up to {LDAM_MARGIN}, "
            f"images classified wrongly must be nearer to another class by "
            f"{max(difference, 0):.2f} or more in the mean, {verdict}.",
            holds=difference <= 1,
        )


def _percentages(rows: pd.DataFrame) -> str:
    shares = 100 * rows["miss"] / rows[WHOLE]
    pairs = zip(rows["backbone"], shares, strict=True)
    return listed(f"{share:+.2g} % ({backbone})" for backbone, share in pairs)


def _weights(rows: pd.DataFrame, images: pd.DataFrame) -> str:
    """Describe the class weights that would explain the differences."""
    if len(rows) < len(PRINTED_GROUPS):
        return ""
    pulls = (
        rows[PRINTED_GROUPS].sub(rows[WHOLE], axis=0) * images.loc[rows.index, PRINTED_GROUPS]
    ).to_numpy()
    middle, tail = np.linalg.lstsq(pulls[:, 1:], -pulls[:, 0], rcond=None)[0]
    return (
        f" In one mean over the test set, weights of 1, {middle:.2f} and {tail:.2f} for an image "
        f"of head, middle and tail fit best: too close to 1 for weights by class size, unless "
        f"they are divided by their sum batch by batch, on images in the order of their classes."
    )
