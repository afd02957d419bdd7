from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from longtail.evaluation.comparisons import COMPARISON_COLUMNS, compare_methods
from longtail.evaluation.uncertainty import resampled_weights
from longtail.parameters import Statistics

STATISTICS = Statistics(confidence=0.95, resamples=200, seed=0)
CLASSES = 3
Predicted = Mapping[tuple[str, int], Sequence[int]]


def answers_of(predicted: Predicted, labels: Sequence[int]) -> pd.DataFrame:
    """Answers by method and seed to images 0, 1, ... of known labels."""
    parts = [
        pd.DataFrame(
            {
                "dataset": "digits",
                "train_set": "long_tailed",
                "backbone": "vit",
                "method": method,
                "seed": seed,
                "image": np.arange(len(labels)),
                "label": labels,
                "predicted": given,
                "confidence": 0.5,
            }
        )
        for (method, seed), given in predicted.items()
    ]
    return pd.concat(parts, ignore_index=True)


def subsets_of(**test_sets: Sequence[int]) -> pd.DataFrame:
    """Which images are in which test set, and others that are to be left alone."""
    tests = [
        {"role": "test", "name": n, "image": i} for n, images in test_sets.items() for i in images
    ]
    others = [
        {"role": "train", "name": "balanced", "image": 900},
        {"role": "validation", "name": "validation", "image": 901},
    ]
    return pd.DataFrame(tests + others)


def compared(
    predicted: Predicted, labels: Sequence[int], **test_sets: Sequence[int]
) -> pd.DataFrame:
    subsets = subsets_of(**(test_sets or {"balanced": range(len(labels))}))
    return compare_methods(answers_of(predicted, labels), subsets, CLASSES, STATISTICS)


def row(table: pd.DataFrame, **cell: Any) -> Any:
    """The one row that a cell names."""
    for name, value in cell.items():
        table = table[table[name] == value]
    [found] = rows(table)
    return found


def rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def noisy(labels: Sequence[int], share: float, seed: int) -> list[int]:
    """Answers of which a share is drawn at random."""
    numbers = np.random.default_rng(seed)
    guesses = numbers.random(len(labels)) < share
    return [
        int(numbers.integers(CLASSES)) if g else y for g, y in zip(guesses, labels, strict=True)
    ]


# --- by hand -----------------------------------------------------------------------------------

LABELS = [0] * 5 + [1] * 3 + [2] * 2
# Right on 9 of 10, on 5 of 10: five images for `first` alone, one for `second` alone.
FIRST = [0, 0, 0, 0, 0, 1, 1, 1, 2, 0]
SECOND = [0, 0, 0, 1, 1, 0, 1, 0, 1, 2]


@pytest.fixture(scope="module")
def two() -> pd.DataFrame:
    return compared({("first", 0): FIRST, ("second", 0): SECOND}, LABELS)


def test_columns_say_whose_rows_these_are(two: pd.DataFrame) -> None:
    assert list(two.columns) == COMPARISON_COLUMNS
    names = two[["dataset", "train_set", "backbone", "test_set", "first", "second", "seeds"]]
    assert set(names.itertuples(index=False, name=None)) == {
        ("digits", "long_tailed", "vit", "balanced", "first", "second", 1)
    }
    assert two[["metric", "test"]].to_numpy().tolist() == [["acc1", "McNemar"], ["f1", "bootstrap"]]


def test_accuracies_of_one_seed(two: pd.DataFrame) -> None:
    found = row(two, metric="acc1")
    assert found.difference == pytest.approx(0.4)
    assert found.p == pytest.approx(
        2 * (1 + 6) / 2**6
    )  # one of six or fewer, and as far the other way
    # Five images 1, one -1, four 0: mean square 0.6. Two imagined images add 2 / 12 ** 2.
    error = math.sqrt((0.6 - 0.4**2) / 10 + 2 / 144)
    half = stats.t.ppf(0.975, 9) * error
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half))


def test_f1_of_one_seed(two: pd.DataFrame) -> None:
    found = row(two, metric="f1")

    def f1(predicted: Sequence[int], weights: Any = None) -> float:
        return float(
            f1_score(LABELS, predicted, average="weighted", sample_weight=weights, zero_division=0)
        )

    difference = f1(FIRST) - f1(SECOND)
    assert found.difference == pytest.approx(difference)
    [weights] = resampled_weights(10, STATISTICS.resamples, STATISTICS.seed)
    replicates = [f1(FIRST, w) - f1(SECOND, w) for w in weights]
    error = math.sqrt(np.var(replicates) + 2 / 144)
    half = stats.t.ppf(0.975, 9) * error
    assert (found.low, found.high) == pytest.approx((difference - half, min(difference + half, 1)))
    assert found.p == pytest.approx(2 * stats.t.sf(difference / error, 9), rel=1e-5)


def test_accuracies_of_several_seeds() -> None:
    """Differences 0.4, 0.1 and 0.1 of the seeds; images are averaged over seeds."""
    one_less = [*FIRST[:9], 2]  # the last image too is right
    table = compared(
        {
            ("first", 0): FIRST,
            ("first", 1): FIRST,
            ("first", 2): one_less,
            ("second", 0): SECOND,
            ("second", 1): [*FIRST[:8], 0, 0],
            ("second", 2): FIRST,
        },
        LABELS,
    )
    found = row(table, metric="acc1")
    assert (found.seeds, found.test) == (3, "Student")
    assert found.difference == pytest.approx(0.2)
    images = np.array([0, 0, 0, 1, 1, 1, 0, 1, 1 + 1, -1 + 0 + 1]) / 3
    of_images = images.var() / 10 + 2 / 144
    of_seeds = np.var([0.4, 0.1, 0.1], ddof=1) / 3
    freedom = (of_images + of_seeds) ** 2 / (of_images**2 / 9 + of_seeds**2 / 2)
    error = math.sqrt(of_images + of_seeds)
    half = stats.t.ppf(0.975, freedom) * error
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(0.2 / error, freedom))
    assert row(table, metric="f1").test == "bootstrap"


def test_f1_of_several_seeds_is_of_the_mean_over_seeds() -> None:
    seeds = {(m, s): noisy(LABELS * 20, 0.3 if m == "a" else 0.5, s) for m in "ab" for s in (0, 1)}
    found = row(compared(seeds, LABELS * 20), metric="f1")
    f1 = {k: f1_score(LABELS * 20, given, average="weighted") for k, given in seeds.items()}
    assert found.seeds == 2
    assert found.difference == pytest.approx(np.mean([f1["a", s] - f1["b", s] for s in (0, 1)]))
    assert found.low < found.difference < found.high


# --- which pairs -------------------------------------------------------------------------------


def test_every_pair_on_every_test_set_in_the_order_of_the_grid() -> None:
    methods = ["softmax", "focal", "ldam", "balanced_softmax"]
    given = {(m, s): noisy(LABELS, 0.5, s) for m in methods for s in (0, 1)}
    table = compared(given, LABELS, balanced=range(10), long_tailed=range(6), tail=[8, 9])
    found = table[["test_set", "first", "second", "metric"]].to_numpy().tolist()
    assert found == [
        [test_set, first, second, metric]
        for test_set in ("balanced", "long_tailed", "tail")
        for first, second in combinations(methods, 2)
        for metric in ("acc1", "f1")
    ]
    assert set(table["seeds"]) == {2}


def test_only_seeds_that_both_have_are_paired() -> None:
    given = {("a", 0): FIRST, ("a", 1): FIRST, ("a", 2): FIRST, ("b", 1): SECOND, ("c", 7): FIRST}
    table = compared(given, LABELS)
    assert table[["first", "second"]].drop_duplicates().to_numpy().tolist() == [["a", "b"]]
    assert set(table["seeds"]) == {1}
    alone = compared({("a", 1): FIRST, ("b", 1): SECOND}, LABELS)
    pd.testing.assert_frame_equal(table, alone)


def test_one_method_has_no_pair_but_the_columns() -> None:
    table = compared({("a", 0): FIRST}, LABELS)
    assert table.empty
    assert list(table.columns) == COMPARISON_COLUMNS


def test_only_a_test_set_s_own_images_count() -> None:
    given = {("a", 0): FIRST, ("b", 0): SECOND}
    table = compared(given, LABELS, balanced=range(10), tail=[9, 3])
    found = row(table, metric="acc1", test_set="tail")
    assert found.difference == 0  # one image for each
    part = [3, 9]
    own = compared(
        {k: [v[i] for i in part] for k, v in given.items()}, [LABELS[i] for i in part], tail=[0, 1]
    )
    pd.testing.assert_frame_equal(
        table[table["test_set"] == "tail"].reset_index(drop=True), own, check_exact=True
    )


def test_the_order_of_the_answers_and_of_the_subsets_does_not_matter() -> None:
    answers = answers_of({("a", 0): FIRST, ("b", 0): SECOND}, LABELS)
    shuffled = answers.groupby("method").sample(frac=1, random_state=3)
    one, other = (
        compare_methods(given, subsets_of(balanced=images), CLASSES, STATISTICS)
        for given, images in ((answers, range(10)), (shuffled, range(9, -1, -1)))
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


# --- the edges ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [1, 3])
def test_methods_that_answer_alike_differ_by_nothing(seeds: int) -> None:
    given = {(m, s): FIRST for m in ("a", "b") for s in range(seeds)}
    table = compared(given, LABELS)
    assert set(table["difference"]) == {0}
    assert set(table["p"]) == {1}
    assert (table["low"] == -table["high"]).all() and (table["high"] > 0).all()


@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 2, 3])
def test_few_images_prove_nothing(images: int, seeds: int) -> None:
    """However clearly they speak."""
    labels = [0, 1, 2][:images]
    wrong = [(label + 1) % 3 for label in labels]
    given = {("a", s): labels for s in range(seeds)} | {("b", s): wrong for s in range(seeds)}
    table = compared(given, labels)
    assert set(table["difference"]) == {1}
    assert (table["p"] > 0.05).all()
    assert (table["low"] <= 0).all() and (table["low"] >= -1).all()
    assert set(table["high"]) == {1}


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), seeds=st.integers(2, 4), images=st.integers(1, 40))
def test_the_interval_holds_zero_where_p_is_large(seed: int, seeds: int, images: int) -> None:
    labels = np.random.default_rng(seed).integers(0, CLASSES, images).tolist()
    given = {
        (m, s): noisy(labels, 0.2 if m == "a" else 0.7, 10 * seed + s + (m == "a"))
        for m in ("a", "b")
        for s in range(seeds)
    }
    for found in rows(compared(given, labels)):
        assert (found.low <= 0 <= found.high) == (found.p > 0.05)
        assert -1 <= found.low <= found.difference <= found.high <= 1


def test_a_difference_is_turned_when_the_methods_are() -> None:
    given = {("a", s): noisy(LABELS, 0.2, s) for s in (0, 1)}
    given |= {("b", s): noisy(LABELS, 0.9, s) for s in (0, 1)}
    turned = dict(sorted(given.items(), reverse=True))
    one, other = compared(given, LABELS), compared(turned, LABELS)
    assert one["difference"].tolist() == pytest.approx((-other["difference"]).tolist())
    assert one["low"].tolist() == pytest.approx((-other["high"]).tolist())
    assert one["p"].tolist() == pytest.approx(other["p"].tolist())


@pytest.mark.parametrize("told_apart", [0.03, 0.2, 0.5])
def test_intervals_of_one_seed_keep_their_level_on_few_images(told_apart: float) -> None:
    """Where all that is told apart speaks for one method; summed over what 38 images can show."""
    images, covered = 38, 0.0
    for told in range(images + 1):
        others = [0] * (images - told) + [1] * told
        found = row(
            compared({("a", 0): [0] * images, ("b", 0): others}, [0] * images), metric="acc1"
        )
        if found.low <= told_apart <= found.high:
            covered += stats.binom.pmf(told, images, told_apart)
    assert covered > 0.93
