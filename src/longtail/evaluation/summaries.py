"""Means over the seeds of each method, with intervals."""

from __future__ import annotations

import pandas as pd

from longtail.evaluation.metrics import METRICS, within_range
from longtail.evaluation.uncertainty import interval_over_seeds

SUMMARISED_METRICS = ("loss", *METRICS)
CELL_COLUMNS = ["dataset", "train_set", "backbone", "method", "test_set"]


def summarise(results: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Average over seeds, one row per method, test set and metric.

    Args:
        results: tidy results, one row per trial and test set.
        confidence: confidence level of the intervals in ``results``.

    Returns:
        ``CELL_COLUMNS``, ``metric``, ``images``, ``seeds``, ``value`` (the mean over seeds),
        ``low`` and ``high`` (see :func:`longtail.evaluation.uncertainty.interval_over_seeds`;
        clipped to the range of the metric, NaN if there is no interval) and ``sd`` (the standard
        deviation between seeds, NaN for one seed).
    """
    rows = []
    for names, cell in results.groupby(CELL_COLUMNS, sort=False):
        for metric in SUMMARISED_METRICS:
            value, low, high, deviation = interval_over_seeds(
                cell[metric].to_numpy(dtype=float),
                cell[f"{metric}_low"].to_numpy(dtype=float),
                cell[f"{metric}_high"].to_numpy(dtype=float),
                confidence,
            )
            low, high = within_range(metric, low, high)
            rows.append(
                (*names, metric, cell["images"].iloc[0], len(cell), value, low, high, deviation)
            )
    columns = [*CELL_COLUMNS, "metric", "images", "seeds", "value", "low", "high", "sd"]
    return pd.DataFrame(rows, columns=columns)
