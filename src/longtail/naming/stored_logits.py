"""Stored logits of held-out images, identified by the results that they give."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from longtail.arrays import Float32Array, Int64Array
from longtail.evaluation.metrics import METRICS, Answers, Tally

# The metric by which stored logits are identified, and how closely it must agree.
FIGURE, RELATIVE_ERROR = "nll", 1e-9


def stored_logits(
    versions: Iterable[Path], images: Int64Array, tested: Int64Array, figure: float
) -> Float32Array | None:
    """The logits of held-out images of a trial, from the newest version that fits its results.

    Args:
        versions: the files of the trial's predictions, the newest first.
        images: the numbers of the held-out images.
        tested: the numbers of the images of the widest test set.
        figure: the value of ``FIGURE`` on these in the trial's results.

    Returns:
        Shape (images, classes); None if no version has them.
    """
    for file in versions:
        table = pd.read_parquet(file).set_index("image")
        if not np.isin(np.concatenate([images, tested]), table.index).all():
            continue
        labels, logits = table["label"], table.drop(columns="label")
        answers = Answers.from_logits(logits.loc[tested].to_numpy(), labels[tested].to_numpy())
        found = float(METRICS[FIGURE](Tally.of(answers))[0])
        if np.isclose(found, figure, rtol=RELATIVE_ERROR, atol=0):
            # Row by row, as logits that are computed again: sums then have the same last bits.
            return np.ascontiguousarray(logits.loc[images], dtype=np.float32)
    return None
