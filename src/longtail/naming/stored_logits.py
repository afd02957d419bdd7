"""Stored logits of held-out images, identified by the results that they give."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from longtail.arrays import Float32Array, Int64Array
from longtail.evaluation.metrics import METRICS, Answers, Tally
from longtail.evaluation.predictions import Predictions

# The metric by which stored logits are identified, and how closely it must agree.
FIGURE, RELATIVE_ERROR = "nll", 1e-9


def stored_logits(
    versions: Iterable[Path],
    held_out: Int64Array,
    tested: Int64Array,
    labels: Int64Array,
    nll: float,
) -> Float32Array | None:
    """The logits of held-out images of a trial, from the newest version that fits its results.

    Args:
        versions: the files of the trial's logits, the newest first.
        held_out: the numbers of all held-out images, ascending: one per row of the logits.
        tested: the numbers of the images of the widest test set.
        labels: the labels of all images of the data set.
        nll: the value of ``FIGURE`` on the tested images in the trial's results.

    Returns:
        Shape (held-out images, classes), memory-mapped; None if no version has them.
    """
    for file in versions:
        logits: Float32Array = np.load(file, mmap_mode="r", allow_pickle=False)
        if len(logits) != len(held_out) or logits.shape[1] <= labels.max():
            continue  # of another split, or of fewer classes
        predictions = Predictions(held_out, labels[held_out], logits)
        parts = [
            Answers.from_logits(block, predictions.labels[rows])
            for rows, block in predictions.blocks(predictions.places(tested))
        ]
        found = float(METRICS[FIGURE](Tally.of(Answers.joined(parts)))[0])
        if np.isclose(found, nll, rtol=RELATIVE_ERROR, atol=0):
            return logits
    return None
