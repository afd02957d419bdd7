"""Paired comparisons of methods on the same test images and seeds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.arrays import Float64Array, FloatArray
from longtail.evaluation.metrics import Answers, Tally, weighted_f1
from longtail.evaluation.paired_tests import mcnemar, paired_difference
from longtail.evaluation.uncertainty import resampled_weights
from longtail.parameters import Statistics

# The method that others are compared with.
BASELINE = "softmax"
# F1 on the test set, and on each resample.
F1OfSeed = tuple[float, Float64Array]
GROUP_COLUMNS = ["dataset", "train_set", "backbone"]
COMPARISON_COLUMNS = [
    *GROUP_COLUMNS, "test_set", "metric", "first", "second", "seeds", "difference",
    "low", "high", "p", "test",
]  # fmt: skip


def compare_methods(
    answers: pd.DataFrame, subsets: pd.DataFrame, classes: int, statistics: Statistics
) -> pd.DataFrame:
    """Compare every pair of methods on every test set, by accuracy and by weighted F1.

    Predictions are paired by image and by seed; seeds that only one method has are left out. With
    one seed, accuracies are compared by McNemar's exact test, which is a statement on the two
    models: one training per method does not show how much another training would differ. With
    several seeds, Student's test includes the variances over images and over seeds. The variance
    of F1 over images is the bootstrap's in either case. Intervals are Student's; where p is
    McNemar's, the two can disagree near the level.

    Args:
        answers: answers of one data set, training set and backbone: the trials' names, ``method``,
            ``seed``, ``image``, ``label``, ``predicted``; the images of the widest test set.
        subsets: table of the images in each test set.
        classes: number of labels.
        statistics: parameters of intervals and resamples.

    Returns:
        One row per pair, test set and metric: the ``difference`` (first minus second) of the means
        over seeds with its interval (``low``, ``high``), ``p`` (two-sided, not corrected for the
        number of comparisons) and the ``test`` that gave it. Pairs that share no seed have no row.
    """
    tests = subsets[subsets["role"] == "test"]
    by_method = {str(m): table for m, table in answers.groupby("method", sort=False)}
    names = {name: answers[name].iloc[0] for name in GROUP_COLUMNS}
    rows: list[dict[str, Any]] = []
    for test_set, members in tests.groupby("name", sort=False):
        images = np.sort(members["image"].to_numpy())
        by_seed = {m: _by_seed(table, images, classes) for m, table in by_method.items()}
        f1 = {m: _f1(seeds, len(images), statistics) for m, seeds in by_seed.items()}
        for first, second in combinations(by_method, 2):
            shared = [seed for seed in by_seed[first] if seed in by_seed[second]]
            if not shared:
                continue
            of_pair = {
                "acc1": _accuracy_difference(
                    [(by_seed[first][seed], by_seed[second][seed]) for seed in shared], statistics
                ),
                "f1": _f1_difference(
                    [(f1[first][seed], f1[second][seed]) for seed in shared],
                    len(images),
                    statistics,
                ),
            }
            for metric, difference in of_pair.items():
                pair = {"first": first, "second": second, "seeds": len(shared)}
                rows.append({**names, "test_set": test_set, "metric": metric, **pair, **difference})
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _by_seed(table: pd.DataFrame, images: npt.NDArray[Any], classes: int) -> dict[int, Answers]:
    """Return a method's predictions on the given images, by seed."""
    chosen = {}
    for seed, of_seed in table.groupby("seed"):
        rows = of_seed.set_index("image").loc[images]
        nothing = np.zeros(0)
        chosen[int(str(seed))] = Answers(
            labels=rows["label"].to_numpy(dtype=np.int64),
            predicted=rows["predicted"].to_numpy(dtype=np.int64),
            in_top5=nothing.astype(bool),
            negative_log_likelihood=nothing,
            confidence=nothing,
            classes=classes,
        )
    return chosen


def _f1(seeds: dict[int, Answers], images: int, statistics: Statistics) -> dict[int, F1OfSeed]:
    replicates: dict[int, list[FloatArray]] = {seed: [] for seed in seeds}
    for block in resampled_weights(images, statistics.resamples, statistics.seed):
        for seed, answers in seeds.items():
            replicates[seed].append(weighted_f1(Tally(answers, block)))
    return {
        seed: (
            float(weighted_f1(Tally.of(answers))[0]),
            np.concatenate(replicates[seed]).astype(np.float64),
        )
        for seed, answers in seeds.items()
    }


def _accuracy_difference(
    seeds: list[tuple[Answers, Answers]], statistics: Statistics
) -> dict[str, Any]:
    # By seed and image: 1 if only the first is correct, -1 if only the second is.
    signs = np.stack([first.correct.astype(float) - second.correct for first, second in seeds])
    images = signs.shape[1]
    variance = float(signs.mean(axis=0).var()) / images
    figures = _difference(signs.mean(axis=1), variance, images, statistics.confidence)
    if len(seeds) > 1:
        return {**figures, "test": "Student"}
    p = mcnemar(int((signs > 0).sum()), int((signs < 0).sum()))
    return {**figures, "p": p, "test": "McNemar"}


def _f1_difference(
    seeds: list[tuple[F1OfSeed, F1OfSeed]], images: int, statistics: Statistics
) -> dict[str, Any]:
    of_seeds = np.array([first - second for (first, _), (second, _) in seeds])
    replicates = np.mean([first - second for (_, first), (_, second) in seeds], axis=0)
    variance = float(replicates.var())
    return {**_difference(of_seeds, variance, images, statistics.confidence), "test": "bootstrap"}


def _difference(
    of_seeds: Float64Array, variance_of_images: float, images: int, confidence: float
) -> dict[str, float]:
    """Return the mean difference of two shares, its interval and its p-value.

    If two methods differ on few images, the variance over these is far too small, and zero if all
    favour the same method. Two pseudo-observations, one in favour of each method, correct this;
    ``2 / (images + 2) ** 2`` is the variance that they add (after Bonett and Price 2012).
    """
    variance = variance_of_images + 2 / (images + 2) ** 2
    low, high, p = paired_difference(of_seeds, variance, images, confidence)
    return {"difference": of_seeds.mean(), "low": max(low, -1.0), "high": min(high, 1.0), "p": p}
