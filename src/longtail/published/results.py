"""Published results, and ours beside them.

A table of published results has one row per printed number: its table, the backbone, training
set and method behind it, the test set and metric, the number of test images, and the printed
value. Three such tables come with the package. ``thesis`` holds the appendix tables A.2, A.4, ...,
A.16 of Midtgaard (2025). ``cifar100_lt`` holds accuracies of ResNet-32 on CIFAR-100-LT from the
literature, with the standard recipe (Cao et al. 2019); ``cifar100_lt_record`` holds the highest
ones, with other recipes. Tables of other papers can replace them.
"""

from __future__ import annotations

from importlib import resources
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from longtail.arrays import Float64Array
from longtail.evaluation.uncertainty import exact_interval
from longtail.parameters import Dataset, ExponentialProfile

CRITERION_NOTE = "the method's own criterion: not comparable with another method's"


def shipped(name: Literal["thesis", "cifar100_lt", "cifar100_lt_record"]) -> pd.DataFrame:
    """Return a table of published results that comes with the package, validated."""
    file = resources.files("longtail").joinpath("reference", f"{name}.csv")
    with file.open(encoding="utf-8") as text:
        return validated(pd.read_csv(text, dtype=str, keep_default_na=False, na_values=[""]), name)


def validated(published: pd.DataFrame, where: str = "published results") -> pd.DataFrame:
    """Validate a table of published results and convert it to the types of its schema.

    Adds ``decimals``: the number of decimals that each value was written with.

    Raises:
        DataError: naming the column, the first wrong rows and the valid values.
    """
    from longtail.schemas.published import PRINTED_DECIMALS, PUBLISHED
    from longtail.schemas.validation import validate

    return validate(published, PUBLISHED, where)[[*PUBLISHED.columns, PRINTED_DECIMALS]]


def comparable(published: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return the published results with the data set's imbalance profile.

    Only an exponential profile has an imbalance factor in the sense of the literature; for any
    other, no row is returned. The caller must make sure that the images are the same.
    """
    profile = dataset.imbalance.profile
    factor = profile.imbalance_factor if isinstance(profile, ExponentialProfile) else np.nan
    return published[published["imbalance_factor"] == factor].reset_index(drop=True)


def compare_published(
    summaries: pd.DataFrame, published: pd.DataFrame, confidence: float = 0.95
) -> pd.DataFrame:
    """Join our results with the published ones.

    Args:
        summaries: our results, one row per combination of ``CELL``: ``images`` of the test set,
            ``value``, ``low`` and ``high`` (the mean over seeds and its interval), ``seeds``, and
            ``sd`` over seeds.
        published: table from :func:`validated`, of one imbalance factor.
        confidence: confidence level of our intervals, and of those of published accuracies.

    Returns:
        One row per combination of ``CELL`` that both tables have, in the published order: ``CELL``,
        ``table``, ``images`` (of the published number), ``our_images``, ``ours``, ``ours_low``,
        ``ours_high``, ``seeds``, ``sd``, ``published``, ``decimals``, ``published_low``,
        ``published_high``, ``difference`` (ours minus published), ``inside`` (the published value
        is in our interval), ``overlap`` (the two intervals overlap), ``p`` and ``note``. The
        interval of a published accuracy is exact on its test images, and widened to the published
        range; another metric has only the published range. ``p`` is the two-sided z-test of two
        accuracies on independent test sets; it ignores the variation between seeds. ``inside`` and
        ``overlap`` are missing where an end of an interval is.
    """
    from longtail.schemas.published import CELL

    ours = summaries[[*CELL, "images", "value", "low", "high", "seeds", "sd"]].rename(
        columns={"images": "our_images", "value": "ours", "low": "ours_low", "high": "ours_high"}
    )
    printed = ["value", "decimals", "low", "high"]
    theirs = published[["table", *CELL, "images", *printed, "note"]].rename(
        columns={"value": "published", "low": "published_low", "high": "published_high"}
    )
    both = theirs.merge(ours, on=CELL, validate="one_to_one")
    is_accuracy, is_loss = both["metric"] == "acc1", both["metric"] == "loss"
    low, high = exact_interval(both["published"].clip(0, 1), both["images"], confidence)
    both["published_low"] = both["published_low"].where(
        ~is_accuracy, np.fmin(low, both["published_low"])
    )
    both["published_high"] = both["published_high"].where(
        ~is_accuracy, np.fmax(high, both["published_high"])
    )
    both["difference"] = both["ours"] - both["published"]
    both["inside"] = _meet(both, ("ours_low", "ours_high"), ("published", "published"))
    both["overlap"] = _meet(both, ("ours_low", "ours_high"), ("published_low", "published_high"))
    p = two_proportions(both["ours"], both["our_images"], both["published"], both["images"])
    both["p"] = np.where(is_accuracy, p, np.nan)
    separator = np.where(both["note"] == "", "", "; ")
    both["note"] = both["note"].where(~is_loss, both["note"] + separator + CRITERION_NOTE)
    return both[
        ["table", *CELL, "images", "our_images", "ours", "ours_low", "ours_high", "seeds", "sd",
         "published", "decimals", "published_low", "published_high", "difference", "inside",
         "overlap", "p", "note"]
    ]  # fmt: skip


def two_proportions(
    first: npt.ArrayLike,
    first_images: npt.ArrayLike,
    second: npt.ArrayLike,
    second_images: npt.ArrayLike,
) -> Float64Array:
    """Return the two-sided p-value of the z-test that two independent proportions are equal.

    It uses the pooled standard error. Proportions that are both 0 or both 1 have p = 1.

    Args:
        first: first proportions: hits divided by ``first_images``; any shape.
        first_images: number of trials behind ``first``, broadcast with it.
        second: second proportions.
        second_images: number of trials behind ``second``.

    Examples:
        >>> print(f"{two_proportions(0.5, 38, 0.7, 38):.3f}")
        0.075
    """
    p, m = np.asarray(first, dtype=np.float64), np.asarray(first_images, dtype=np.float64)
    q, n = np.asarray(second, dtype=np.float64), np.asarray(second_images, dtype=np.float64)
    pooled = (p * m + q * n) / (m + n)
    variance = pooled * (1 - pooled) * (1 / m + 1 / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(p == q, 0.0, np.abs(p - q) / np.sqrt(variance))
    return np.asarray(2 * scipy.special.ndtr(-z))


def _meet(table: pd.DataFrame, first: tuple[str, str], second: tuple[str, str]) -> pd.Series[bool]:
    """True where two intervals share a point; missing where an end is."""
    apart = (table[first[1]] < table[second[0]]) | (table[second[1]] < table[first[0]])
    known = table[[*first, *second]].notna().all(axis=1)
    return (~apart).astype("boolean").where(known)
