"""Which method is better on the same test images, and whether the images and seeds can tell."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail.metrics import Answers, Tally, weighted_f1
from longtail.parameters import Statistics
from longtail.uncertainty import mcnemar, paired_difference, resampled_weights

Floats = npt.NDArray[np.float64]

NAMES = ["dataset", "train_set", "backbone"]
COLUMNS = [
    *NAMES, "test_set", "metric", "first", "second", "seeds", "difference", "low", "high", "p",
    "test",
]  # fmt: skip


def compare_methods(
    answers: pd.DataFrame, subsets: pd.DataFrame, classes: int, statistics: Statistics
) -> pd.DataFrame:
    """Every pair of methods on every test set, by accuracy and by weighted F1.

    Both methods have answered the same images, and where there are several seeds, those that
    both have are paired. Of one seed, accuracies are compared by McNemar's exact test; this is
    a statement on the two models, since one training a method cannot show what another would
    have given. Of several, Student's test has both variances; F1's over images is the
    bootstrap's.

    Args:
        answers: of one data set, training set and backbone: the trials' names, ``method``,
            ``seed``, ``image``, ``label``, ``predicted``; the images of the balanced test set.
        subsets: which image is in which test set.
        classes: how many labels there are.
        statistics: the confidence, and how to resample.

    Returns:
        A row a pair, test set and metric: the ``difference`` (first minus second) of the means
        over seeds with its interval (``low``, ``high``), ``p`` (two-sided, not corrected for the
        number of comparisons) and the ``test`` that gave it.
    """
    tests = subsets[subsets["role"] == "test"]
    by_method = {str(m): table for m, table in answers.groupby("method", sort=False)}
    names = {name: answers[name].iloc[0] for name in NAMES}
    rows: list[dict[str, Any]] = []
    for test_set, members in tests.groupby("name", sort=False):
        images = np.sort(members["image"].to_numpy())
        own = {m: _by_seed(table, images, classes) for m, table in by_method.items()}
        f1 = {m: _f1(seeds, len(images), statistics) for m, seeds in own.items()}
        for first, second in combinations(by_method, 2):
            shared = [seed for seed in own[first] if seed in own[second]]
            if not shared:
                continue
            of_pair = {
                "acc1": _accuracy_difference(
                    [own[first][seed] for seed in shared],
                    [own[second][seed] for seed in shared],
                    statistics,
                ),
                "f1": _f1_difference(
                    [f1[first][seed] for seed in shared],
                    [f1[second][seed] for seed in shared],
                    len(images),
                    statistics,
                ),
            }
            for metric, difference in of_pair.items():
                pair = {"first": first, "second": second, "seeds": len(shared)}
                rows.append({**names, "test_set": test_set, "metric": metric, **pair, **difference})
    return pd.DataFrame(rows, columns=COLUMNS)


def _by_seed(table: pd.DataFrame, images: npt.NDArray[Any], classes: int) -> dict[int, Answers]:
    """A method's answers to chosen images, by seed."""
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


def _f1(
    seeds: dict[int, Answers], images: int, statistics: Statistics
) -> dict[int, tuple[float, Floats]]:
    """F1 of each seed: on the test set as it is, and on each resample."""
    replicates: dict[int, list[npt.NDArray[np.floating]]] = {seed: [] for seed in seeds}
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
    first: list[Answers], second: list[Answers], statistics: Statistics
) -> dict[str, Any]:
    # A value an image and seed: 1 where only the first is right, -1 where only the second is.
    signs = np.stack(
        [a.correct.astype(float) - b.correct for a, b in zip(first, second, strict=True)]
    )
    of_images = signs.mean(axis=0)
    images = len(of_images)
    low, high, p = paired_difference(
        signs.mean(axis=1), of_images.var() / images, images, statistics.confidence
    )
    test = "Student"
    if len(first) == 1:
        p, test = mcnemar(int((signs > 0).sum()), int((signs < 0).sum())), "McNemar"
    return {"difference": signs.mean(), "low": low, "high": high, "p": p, "test": test}


def _f1_difference(
    first: list[tuple[float, Floats]],
    second: list[tuple[float, Floats]],
    images: int,
    statistics: Statistics,
) -> dict[str, Any]:
    of_seeds = np.array([a[0] - b[0] for a, b in zip(first, second, strict=True)])
    replicates = np.mean([a[1] - b[1] for a, b in zip(first, second, strict=True)], axis=0)
    low, high, p = paired_difference(
        of_seeds, float(replicates.var(ddof=1)), images, statistics.confidence
    )
    difference = of_seeds.mean()
    return {"difference": difference, "low": low, "high": high, "p": p, "test": "bootstrap"}
