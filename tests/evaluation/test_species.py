from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.evaluation.best_trials import best_trials
from longtail.evaluation.predictions import EXAMPLES, Predictions, class_confusions, examples
from longtail.evaluation.species import MAX_PAIRS, confused_pairs, species_table
from longtail.evaluation.uncertainty import exact_interval
from longtail.imbalance.subsets import widest_test_set

TRIAL: dict[str, Any] = {
    "dataset": "toy",
    "train_set": "long_tailed",
    "backbone": "vit",
    "method": "softmax",
    "seed": 0,
}
PROFILE = pd.DataFrame(
    {
        "label": [1, 0, 2],  # by rank
        "class_name": ["one", "zero", "two"],
        "group": ["head", "middle", "tail"],
        "train_long_tailed": [50, 10, 2],
        "train_balanced": [9, 9, 9],
    }
)


def confusions(*rows: tuple[int, int, int], **names: Any) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["true", "predicted", "images"])
    return table.assign(**{**TRIAL, "test_set": "balanced", **names})


CONFUSED = confusions((0, 0, 3), (0, 1, 1), (1, 1, 4), (2, 0, 2), (2, 1, 2))


def answers(classes: int, images: int) -> tuple[pd.DataFrame, Predictions, pd.DataFrame]:
    """Random logits of images of each class, the first half of them in the natural test set."""
    generator = np.random.default_rng(0)
    count = classes * images
    logits = generator.normal(size=(count, classes)).astype(np.float32)
    numbers, labels = np.arange(count) + 100, np.repeat(np.arange(classes), images)
    rows = [("test", "natural", image) for image in numbers[::2]]
    rows += [("test", "balanced", image) for image in numbers[::4]]
    rows += [("validation", "natural", image) for image in numbers[1::2]]
    own = Predictions(numbers, labels, logits)
    return answered(own), own, pd.DataFrame(rows, columns=["role", "name", "image"])


def answered(predictions: Predictions) -> pd.DataFrame:
    """The answers for the natural test set."""
    table = {
        "image": predictions.images,
        "label": predictions.labels,
        "predicted": predictions.logits.argmax(axis=1),
    }
    return pd.DataFrame(table)[::2]


# --- the test set ------------------------------------------------------------------------------


def test_the_widest_test_set_is_the_natural_one_where_there_is_one() -> None:
    *_, subsets = answers(3, 4)
    assert widest_test_set(subsets) == "natural"
    no_natural_test = subsets[(subsets["role"] != "test") | (subsets["name"] != "natural")]
    assert widest_test_set(no_natural_test) == "balanced"  # a validation set of that name is none


def test_confusions_count_the_widest_test_set() -> None:
    table, predictions, subsets = answers(3, 8)
    counted = class_confusions(table, subsets)
    predicted = predictions.logits[::2].argmax(axis=1)
    matrix = np.zeros((3, 3), dtype=int)
    np.add.at(matrix, (predictions.labels[::2], predicted), 1)
    assert set(counted["test_set"]) == {"natural"}
    found = {(r.true, r.predicted): r.images for r in counted.itertuples()}
    assert found == {(i, j): n for (i, j), n in np.ndenumerate(matrix) if n}


# --- each species ------------------------------------------------------------------------------


def test_recall_and_precision_with_wilson_s_intervals() -> None:
    table = species_table(CONFUSED, PROFILE, 0.9)
    assert table["species"].tolist() == ["one", "zero", "two"]  # head to tail
    assert table["train_images"].tolist() == [50, 10, 2]
    assert table["test_images"].tolist() == [4, 4, 4]
    assert table["answers"].tolist() == [7, 5, 0]
    assert table["recall"].tolist() == [1, 3 / 4, 0]
    assert table["precision"].tolist()[:2] == [4 / 7, 3 / 5]
    low, high = exact_interval(4 / 7, 7, 0.9)
    assert list(table.loc[0, ["precision_low", "precision_high"]]) == [low, high]
    low, high = exact_interval(3 / 4, 4, 0.9)
    assert list(table.loc[1, ["recall_low", "recall_high"]]) == [low, high]
    assert table["f1"].tolist() == [8 / 11, 6 / 9, 0]
    assert table["taken_for"].tolist() == ["", "one", "zero"]  # of equals the first label
    assert table["taken_for_images"].tolist() == [0, 1, 2]


def test_a_species_that_is_never_the_answer_has_no_precision() -> None:
    never = species_table(CONFUSED, PROFILE, 0.95).iloc[2]
    assert never[["precision", "precision_low", "precision_high"]].isna().all()


def test_a_species_without_test_images_has_no_recall() -> None:
    table = species_table(confusions((0, 1, 2), (1, 1, 2)), PROFILE, 0.95)
    assert table["test_images"].tolist() == [2, 2, 0]
    assert table.loc[2, ["recall", "recall_low", "recall_high", "f1"]].isna().all()


def test_trials_are_counted_apart() -> None:
    other = confusions((2, 2, 4), method="ldam", train_set="balanced")
    table = species_table(pd.concat([CONFUSED, other]), PROFILE, 0.95)
    assert table["method"].tolist() == ["softmax"] * 3 + ["ldam"] * 3
    assert table["train_images"].tolist() == [50, 10, 2, 9, 9, 9]
    assert table["recall"].tolist()[-1] == 1


# --- pairs -------------------------------------------------------------------------------------


def test_pairs_are_ordered_by_images_then_by_both_ways() -> None:
    rows = confusions((0, 1, 2), (1, 0, 1), (1, 2, 2), (2, 1, 2), (2, 2, 6), (0, 0, 2))
    pairs = confused_pairs(rows, PROFILE, 0.95)
    assert list(zip(pairs["true"], pairs["predicted"], strict=True)) == [
        ("one", "two"),
        ("two", "one"),
        ("zero", "one"),
        ("one", "zero"),
    ]
    assert pairs["images"].tolist() == [2, 2, 2, 1]
    assert pairs["both_ways"].tolist() == [4, 4, 3, 3]
    assert pairs["share"].tolist() == [2 / 3, 2 / 8, 2 / 4, 1 / 3]
    low, high = exact_interval(2 / 8, 8, 0.95)
    assert list(pairs.loc[1, ["share_low", "share_high"]]) == [low, high]


def test_a_trial_without_errors_has_no_pairs_and_one_with_many_has_the_first() -> None:
    assert confused_pairs(confusions((0, 0, 1)), PROFILE, 0.95).empty
    classes = 20
    many = [(i, j, 1) for i in range(classes) for j in range(classes) if i != j]
    profile = pd.DataFrame({"label": range(classes), "class_name": [f"c{i}" for i in range(20)]})
    assert len(confused_pairs(confusions(*many), profile, 0.95)) == MAX_PAIRS < len(many)


# --- examples ----------------------------------------------------------------------------------


def test_examples_are_right_and_wrong_answers_drawn_by_seed() -> None:
    given = answers(3, 80)
    drawn = examples(*given, PROFILE, seed=1)
    for group, label in (("tail", 2), ("head", 1)):
        for right in (True, False):
            own = drawn[(drawn["group"] == group) & (drawn["right"] == right)]
            assert len(own) == EXAMPLES[group]
            assert set(own["true"]) == {label}
            assert own["predicted_1"].eq(label).eq(right).all()
    assert "middle" not in set(drawn["group"])
    assert set(drawn["image"]) <= set(given[0]["image"])
    pd.testing.assert_frame_equal(drawn, examples(*given, PROFILE, seed=1))
    assert drawn["image"].tolist() != examples(*given, PROFILE, seed=2)["image"].tolist()


def test_examples_tell_the_most_probable_answers() -> None:
    given = answers(3, 80)
    for row in examples(*given, PROFILE, seed=0).to_dict("records"):
        logits = given[1].logits[row["image"] - 100].astype(float)
        p = np.exp(logits) / np.exp(logits).sum()
        order = np.argsort(-p)
        assert [row[f"predicted_{k}"] for k in (1, 2, 3)] == order.tolist()
        assert [row[f"probability_{k}"] for k in (1, 2, 3)] == pytest.approx(p[order])
        assert row["true_probability"] == pytest.approx(p[row["true"]])


def test_where_everything_is_right_there_are_right_ones_only() -> None:
    _, predictions, subsets = answers(2, 8)
    sure = replace(predictions, logits=np.eye(2, dtype=np.float32)[predictions.labels])
    profile = pd.DataFrame({"label": [0, 1], "group": ["head", "tail"]})
    drawn = examples(answered(sure), sure, subsets, profile, seed=0)
    assert drawn["right"].all() and len(drawn) == 8  # four natural test images each
    assert "predicted_3" not in drawn  # there are two classes


# --- the trial that is shown -------------------------------------------------------------------


def scored(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    columns = ["train_set", "method", "test_set", "balanced_accuracy"]
    return pd.DataFrame(rows, columns=columns).assign(dataset="toy", backbone="vit", seed=0)


def test_the_best_trial_of_each_training_set_by_validation() -> None:
    results = scored(
        ("long_tailed", "a", "balanced", 0.9),  # the test set has no say
        ("long_tailed", "a", "validation", 0.5),
        ("long_tailed", "b", "validation", 0.6),
        ("long_tailed", "c", "validation", 0.6),
        ("balanced", "a", "validation", 0.7),
        ("balanced", "b", "validation", float("nan")),
    )
    best = best_trials(results)
    assert best["train_set"].tolist() == ["long_tailed", "balanced"]  # as the grid has them
    assert best["method"].tolist() == ["b", "a"]
    assert best["validation"].tolist() == [0.6, 0.7]


def test_without_validation_images_it_is_the_first_of_the_grid() -> None:
    best = best_trials(scored(("balanced", "b", "balanced", 0.1), ("balanced", "a", "balanced", 1)))
    assert best["method"].tolist() == ["b"]
    assert best["validation"].isna().all()
    assert best_trials(scored()).empty
