"""What differs between two runs: values computed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from longtail.evaluation.run_comparison import (
    accuracy_changes,
    changed_answers,
    data_changes,
    parameter_changes,
)


def answers(**of_images: str) -> pd.DataFrame:
    """A table of answers from ``image="<true><predicted>"``, a letter each."""
    rows = [tuple(pair) for pair in of_images.values()]
    return pd.DataFrame(rows, index=pd.Index(of_images), columns=["true", "predicted"])


def test_parameters_that_differ_are_grouped_by_their_values() -> None:
    before = {name: {"recipe": {"epochs": 3, "ema": None}} for name in ("a", "b", "old")}
    after: dict[str, dict[str, object]] = {
        "a": {"recipe": {"epochs": 5, "ema": None}},
        "b": {"recipe": {"epochs": 5, "ema": 0.9, "new": 1}},
        "new": {"recipe": {"epochs": 1}},
    }
    rows = parameter_changes(before, after).to_numpy().tolist()
    assert rows == [
        ["recipe.epochs", "3", "5", ["a", "b"]],
        ["recipe.ema", "None", "0.9", ["b"]],
        ["recipe.new", "none", "1", ["b"]],
    ]
    assert parameter_changes(before, before).empty


def test_numbers_of_images_and_classes_that_differ() -> None:
    index = pd.DataFrame({"label": [0, 0, 1]})
    larger = pd.DataFrame({"label": [0, 0, 1, 2]})
    subsets = pd.DataFrame({"role": ["train", "test", "validation"], "name": ["natural", "t", ""]})
    grown = pd.concat([subsets, subsets[:1]])
    assert data_changes((index, subsets), (larger, grown)).to_numpy().tolist() == [
        ["images", 3, 4],
        ["classes", 2, 3],
        ["train natural", 1, 2],
    ]
    assert data_changes((index, subsets), (index, subsets)).empty


def test_accuracies_are_of_the_images_that_both_have() -> None:
    before = {"t": answers(p="aa", q="ab", r="ba", s="bb", only_before="ab")}
    after = {"t": answers(s="ba", r="bb", q="aa", p="aa", only_after="ab")}
    [row] = accuracy_changes(before, after, 0.95).to_dict("records")
    assert (row["images"], row["before"], row["after"]) == (4, 0.5, 0.75)
    assert row["difference"] == 0.25
    # Two images gained, one lost: McNemar's p is 1. The variance of (0, 1, 1, -1) is 0.6875.
    assert row["p"] == row["p_adjusted"] == 1
    half = (row["high"] - row["low"]) / 2
    assert half == pytest.approx(3.1824463 * np.sqrt(0.6875 / 4), rel=1e-6)  # Student's t, 3 df


def test_p_values_are_corrected_for_the_number_of_trials_and_the_largest_gain_is_first() -> None:
    names = [str(number) for number in range(8)]
    wrong, right = (answers(**dict.fromkeys(names, pair)) for pair in ("ab", "aa"))
    table = accuracy_changes(
        {"same": wrong, "worse": right, "better": wrong},
        {"same": wrong, "worse": wrong, "better": right},
        0.9,
    )
    assert table["trial"].tolist() == ["better", "same", "worse"]
    assert table["difference"].tolist() == [1, 0, -1]
    assert table["p"].tolist() == [2 / 256, 1, 2 / 256]
    assert table["p_adjusted"].tolist() == [6 / 256, 1, 6 / 256]


def test_images_of_one_run_only_are_not_compared() -> None:
    first, second = {"t": answers(p="aa")}, {"t": answers(q="aa"), "u": answers(q="aa")}
    assert accuracy_changes(first, second, 0.95).empty
    assert changed_answers(first, second).empty
    assert changed_answers({}, second).empty


def test_answers_are_judged_by_the_labels_of_the_second_run() -> None:
    before = {"t": answers(p="aa", q="ab", r="ab", s="bb")}
    after = {"t": answers(p="ab", q="aa", r="bb", s="ba")}
    assert changed_answers(before, after).to_numpy().tolist() == [
        ["t", "p", "a", "a", "b", "before"],
        ["t", "q", "a", "b", "a", "after"],
        ["t", "s", "b", "b", "a", "before"],
    ]


def test_copies_of_an_image_count_once() -> None:
    twice = answers(p="ab", q="aa").set_axis(["same", "same"])
    [row] = accuracy_changes({"t": twice}, {"t": twice}, 0.95).to_dict("records")
    assert (row["images"], row["before"]) == (1, 0)
