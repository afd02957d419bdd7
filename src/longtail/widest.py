"""Which test set single classes and single images are looked at on."""

from __future__ import annotations

import pandas as pd


def widest_test_set(subsets: pd.DataFrame) -> str:
    """The test set with all held-out test images: ``natural`` where there is one, or ``balanced``.

    Args:
        subsets: a row an image and subset, see :func:`longtail.imbalance.cut`.
    """
    tests = subsets.loc[subsets["role"] == "test", "name"]
    return "natural" if tests.eq("natural").any() else "balanced"
