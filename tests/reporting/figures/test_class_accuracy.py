from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from longtail.imbalance.profiles import GROUPS
from longtail.reporting.figures.class_accuracy import class_accuracy, per_class_accuracy, trend
from longtail.reporting.figures.class_profile import class_profile
from longtail.reporting.figures.confusion import (
    best_tail_method,
    confusion_matrices,
    confusion_matrix,
)
from longtail.reporting.figures.drawing import Picture
from tests.reporting.rows import make_summaries

LABELS = {"softmax": "Softmax", "focal": "Focal loss", "ldam": "LDAM"}
PROFILE = pd.DataFrame(
    {
        "label": [2, 0, 1],  # by rank
        "class_name": ["two", "zero", "one"],
        "rank": [0, 1, 2],
        "group": list(GROUPS),
        "train_balanced": [100] * 3,
        "train_long_tailed": [100, 30, 9],
    }
)


def confusions(*rows: tuple[str, str, int, int, int]) -> pd.DataFrame:
    columns = ["train_set", "method", "true", "predicted", "images"]
    return pd.DataFrame(rows, columns=columns)


CONFUSIONS = confusions(
    ("balanced", "softmax", 0, 0, 8),
    ("balanced", "softmax", 0, 1, 2),
    ("balanced", "softmax", 1, 1, 10),
    ("balanced", "softmax", 2, 2, 10),
    ("long_tailed", "softmax", 0, 0, 5),
    ("long_tailed", "softmax", 0, 2, 5),
    ("long_tailed", "softmax", 1, 2, 10),
    ("long_tailed", "softmax", 2, 2, 10),
    ("long_tailed", "ldam", 0, 0, 10),
    ("long_tailed", "ldam", 1, 1, 4),
    ("long_tailed", "ldam", 1, 0, 6),
    ("long_tailed", "ldam", 2, 2, 10),
)


def tail_scores(train_set: str = "long_tailed", **tail: float) -> pd.DataFrame:
    """Scores with an accuracy of each method on the balanced test images of the tail."""
    trials = [(method, 0, acc1) for method, acc1 in tail.items()]
    return make_summaries(*trials, test_sets=["balanced_tail"], train_set=train_set)


SCORES = pd.concat([tail_scores("balanced", softmax=1.0), tail_scores(softmax=0.0, ldam=0.4)])


def many_classes(classes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A profile, and the confusions of a model that knows the first half of the classes."""
    ranks = np.arange(classes)
    profile = pd.DataFrame(
        {
            "label": ranks,
            "class_name": [f"class {rank}" for rank in ranks],
            "rank": ranks,
            "group": np.repeat(GROUPS, [classes // 3, classes // 3, classes - 2 * (classes // 3)]),
            "train_balanced": 500,
            "train_long_tailed": (500 * 100 ** (-ranks / (classes - 1))).astype(int),
        }
    )
    rows = [
        ("long_tailed", "softmax", rank, rank if rank < classes // 2 else 0, 50)
        for rank in range(classes)
    ]
    return profile, confusions(*rows)


# --- numbers ---------------------------------------------------------------------------------


def test_accuracy_of_a_class_is_its_hits_over_all_seeds() -> None:
    accuracy = per_class_accuracy(
        confusions(
            ("long_tailed", "a", 0, 0, 3),
            ("long_tailed", "a", 0, 1, 1),
            ("long_tailed", "a", 0, 0, 4),  # another seed
            ("long_tailed", "a", 1, 0, 5),  # never hit
            ("long_tailed", "b", 0, 0, 2),
        )
    )
    assert accuracy["a"].tolist() == [7 / 8, 0]
    assert accuracy["b"].iloc[0] == 1 and np.isnan(accuracy["b"].iloc[1])


def test_confusion_shares_sum_to_one_in_each_row_that_has_images() -> None:
    rows = confusions(("t", "a", 0, 0, 3), ("t", "a", 0, 2, 1), ("t", "a", 2, 0, 2),
                      ("t", "a", 0, 0, 4))  # fmt: skip
    expected = np.array([[7 / 8, 0, 1 / 8], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(confusion_matrix(rows, 3), expected)


def test_best_tail_method_is_that_of_the_balanced_tail() -> None:
    other = make_summaries(("softmax", 0, 1.0), test_sets=["tail", "balanced_head"])
    assert best_tail_method(pd.concat([other, tail_scores(softmax=0.3, ldam=0.35)])) == "ldam"


def test_without_a_tail_the_best_method_is_that_of_the_balanced_images() -> None:
    scores = make_summaries(("softmax", 0, 0.2), ("ldam", 0, 0.3), test_sets=["balanced"])
    assert best_tail_method(scores) == "ldam"


# --- the profile -----------------------------------------------------------------------------


def texts(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def overlap(axis: Axis) -> bool:
    """Whether the texts at an axis' ticks lie on one another."""
    low, high = sorted(axis.get_view_interval())
    places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    boxes = [label.get_window_extent() for place, label in places if low <= place <= high]
    return any(one.overlaps(other) for one, other in pairwise(boxes))


def test_profile_shows_each_class_and_counts_the_groups(drawn: list[Figure]) -> None:
    class_profile(PROFILE, "Digits")
    (axes,) = drawn[0].axes
    bars: Any = axes.patches
    assert [bar.get_height() for bar in bars] == [100, 30, 9]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["two", "zero", "one"]
    assert axes.get_xlabel() == "class"
    assert texts(drawn[0]) == [
        "balanced (300 images)",
        "head: 1 class, 100 images",
        "middle: 1 class, 30 images",
        "tail: 1 class, 9 images",
    ]


def test_profile_without_groups_is_of_one_colour(drawn: list[Figure]) -> None:
    class_profile(PROFILE.assign(group=""), "Digits", "balanced")
    (axes,) = drawn[0].axes
    bars: Any = axes.patches
    assert [bar.get_height() for bar in bars] == [100, 100, 100]
    assert len({bar.get_facecolor() for bar in bars}) == 1
    assert texts(drawn[0]) == ["3 classes, 300 images"]


def test_bars_of_long_names_lie(drawn: list[Figure]) -> None:
    named = PROFILE.assign(class_name=["Autographa gamma", "$a$", "Zygaena filipendulae"])
    class_profile(named.assign(train_long_tailed=[100, 30, 1]), "Moths")
    (axes,) = drawn[0].axes
    bars: Any = axes.patches
    assert [bar.get_width() for bar in bars] == [100, 30, 1]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Autographa gamma", r"\$a\$", "Zygaena filipendulae"]
    assert axes.yaxis_inverted()  # head above
    assert [text.get_text() for text in axes.texts] == ["100", "30", "1"]
    assert texts(drawn[0])[-1] == "tail: 1 class, 1 image"


@pytest.mark.parametrize("classes", [22, 30])
def test_long_names_do_not_overlap(classes: int, drawn: list[Figure]) -> None:
    profile, of_many = many_classes(classes)
    profile["class_name"] = [f"Autographa gamma{'a' * (place % 16)}" for place in range(classes)]
    class_profile(profile, "Moths")
    confusion_matrices(of_many, profile, tail_scores(softmax=0.0), LABELS, "ViT")
    class_accuracy(of_many, profile, LABELS, "ViT")
    bars, matrix, accuracy = (figure.axes[0] for figure in drawn)
    assert texts(drawn[0])[1].startswith(f"head: {classes // 3} species, ")
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert len(set(names)) > 10 and not overlap(bars.yaxis)
    rows = [label.get_text() for label in matrix.get_yticklabels()]
    assert rows == [f"{name}  {place + 1}" for place, name in enumerate(names)]
    assert [t.get_text() for t in matrix.get_xticklabels()][-1] == str(classes)
    assert not overlap(matrix.yaxis) and not overlap(matrix.xaxis)
    assert not overlap(accuracy.xaxis)
    assert drawn[2].get_suptitle().startswith("ViT, trained long-tailed: accuracy of each species")


def test_a_hundred_classes_have_the_names_of_the_largest_and_the_smallest(
    drawn: list[Figure],
) -> None:
    profile, _ = many_classes(100)
    sizes = profile["train_long_tailed"].tolist()
    class_profile(profile, "CIFAR-100")
    (axes,) = drawn[0].axes
    patches: Any = axes.patches
    heights = np.concatenate([steps.get_data().values for steps in patches])
    assert heights.tolist() == profile["train_long_tailed"].tolist()
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "class, by rank"
    assert axes.get_xlim() == (0.5, 100.5)
    assert "class 0" not in [label.get_text() for label in axes.get_xticklabels()]
    most, fewest = (text.get_text().splitlines() for text in axes.texts)
    assert most == ["most images", *(f"class {i}: {n}" for i, n in enumerate(sizes[:6]))]
    assert fewest == ["fewest images", *(f"class {94 + i}: {n}" for i, n in enumerate(sizes[-6:]))]


# --- accuracy of each class ------------------------------------------------------------------


def scattered(axes: Axes) -> list[list[tuple[float, float]]]:
    return [
        sorted(map(tuple, np.asarray(dots.get_offsets()).tolist())) for dots in axes.collections
    ]


def visible(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_class_accuracy_is_drawn_over_the_class_size_beside_softmax(drawn: list[Figure]) -> None:
    class_accuracy(CONFUSIONS, PROFILE, LABELS, "ViT")
    panels = visible(drawn[0])
    assert [axes.get_title() for axes in panels] == ["Softmax", "LDAM"]
    softmax = [(9, 0), (30, 0.5), (100, 1)]
    assert scattered(panels[0]) == [softmax, softmax]
    assert scattered(panels[1]) == [softmax, [(9, 0.4), (30, 1), (100, 1)]]
    assert drawn[0].get_suptitle().endswith("against its size (grey: softmax)")


def test_without_softmax_nothing_is_grey(drawn: list[Figure]) -> None:
    ldam = CONFUSIONS[CONFUSIONS["method"] == "ldam"]
    class_accuracy(ldam, PROFILE, LABELS, "ViT")
    (axes,) = visible(drawn[0])
    assert scattered(axes) == [[(9, 0.4), (30, 1), (100, 1)]]
    assert drawn[0].get_suptitle().endswith("against its size")


def test_class_accuracy_is_of_the_balanced_set_where_there_is_no_other(
    drawn: list[Figure],
) -> None:
    balanced = CONFUSIONS[CONFUSIONS["train_set"] == "balanced"]
    class_accuracy(balanced, PROFILE, LABELS, "ViT")
    (axes,) = visible(drawn[0])
    assert scattered(axes)[0] == [(100, 0.8), (100, 1)]  # the second is two classes
    assert axes.get_xscale() == "linear"


def test_a_hundred_classes_have_a_dot_a_place_and_softmax_a_line_only(drawn: list[Figure]) -> None:
    profile, of_many = many_classes(100)
    both = pd.concat([of_many, of_many.assign(method="ldam")])
    class_accuracy(both, profile, LABELS, "ViT")
    _, axes = visible(drawn[0])
    (dots,) = scattered(axes)
    sizes = profile["train_long_tailed"].value_counts()
    assert sorted({images for images, _ in dots}) == sorted(sizes.index)
    (collection,) = (c for c in axes.collections if isinstance(c, PathCollection))
    areas = collection.get_sizes().tolist()
    assert len(areas) == len(dots)
    assert min(areas) == 14  # of one class
    assert max(areas) == pytest.approx(14 * sizes.max() ** 0.5)
    assert len(axes.lines) == 2
    assert axes.get_xscale() == "log"


def test_a_single_method_is_not_compared_with_itself(drawn: list[Figure]) -> None:
    profile, of_many = many_classes(100)
    class_accuracy(of_many, profile, LABELS, "A network with quite a long name (fine-tuned)")
    (axes,) = visible(drawn[0])
    assert len(axes.lines) == 1
    heading = drawn[0].get_suptitle()
    assert "grey" not in heading
    assert len(heading.splitlines()) == 2  # one line would not fit the figure


def test_the_trend_is_a_mean_a_range_of_sizes_and_goes_forward_only() -> None:
    counts = pd.Series([1, 1, 1, 2, 10, 60])
    accuracies = pd.Series([0, 0.5, 1, 1, 0.25, 0.75])
    # Six ranges from 1 to 60, each about twice as wide as the one before.
    logarithmic = trend(counts, accuracies, is_log=True)
    assert logarithmic["images"].tolist() == [1, 2, 10, 60]
    assert logarithmic["accuracy"].tolist() == [0.5, 1, 0.25, 0.75]
    assert trend(counts, accuracies)["accuracy"].tolist() == [0.55, 0.75]
    alike = trend(pd.Series([6, 6]), pd.Series([0.0, 1.0]))
    assert alike.to_dict("list") == {"images": [6], "accuracy": [0.5]}


@pytest.mark.parametrize(
    ("sizes", "scale", "ticks"),
    [
        ([6, 7, 8], "linear", ["6", "7", "8"]),
        ([5, 20, 50], "log", ["5", "10", "20", "50"]),
        ([2, 90, 180], "log", ["2", "5", "10", "20", "50", "100", "200"]),
        ([2, 300, 1500], "log", ["3", "10", "30", "100", "300", "1,000"]),
    ],
)
def test_sizes_are_whole_numbers_that_stand_apart(
    sizes: list[int], scale: str, ticks: list[str], drawn: list[Figure]
) -> None:
    four = pd.concat([CONFUSIONS, *(CONFUSIONS.assign(method=m) for m in ("focal", "other"))])
    labels = {**LABELS, "other": "Other"}
    class_accuracy(four, PROFILE.assign(train_long_tailed=sizes), labels, "ViT")
    axes = visible(drawn[0])[0]
    low, high = axes.get_xlim()
    shown = [
        label.get_text()
        for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= place <= high
    ]
    assert (axes.get_xscale(), shown) == (scale, ticks)
    assert not overlap(axes.xaxis)


# --- confusions ------------------------------------------------------------------------------


def matrices(figure: Figure) -> dict[str, list[list[float]]]:
    return {
        axes.get_title().replace(",\n", ", "): np.asarray(axes.images[0].get_array()).tolist()
        for axes in figure.axes
        if axes.images
    }


def test_confusions_are_of_softmax_and_the_best_on_the_tail(drawn: list[Figure]) -> None:
    confusion_matrices(CONFUSIONS, PROFILE, SCORES, LABELS, "ViT")
    # Head to tail: the labels 2, 0 and 1.
    assert matrices(drawn[0]) == {
        "Softmax, trained balanced": [[1, 0, 0], [0, 0.8, 0.2], [0, 0, 1]],
        "Softmax, trained long-tailed": [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]],
        "LDAM, trained long-tailed": [[1, 0, 0], [0, 1, 0], [0, 0.6, 0.4]],
    }
    names = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert names == ["two", "zero", "one"]


def test_confusions_of_softmax_alone(drawn: list[Figure]) -> None:
    softmax = CONFUSIONS[CONFUSIONS["method"] == "softmax"]
    confusion_matrices(softmax, PROFILE, SCORES[SCORES["method"] == "softmax"], LABELS, "ViT")
    expected = ["Softmax, trained balanced", "Softmax, trained long-tailed"]
    assert list(matrices(drawn[0])) == expected


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        (("balanced", "softmax"), ["Softmax, trained long-tailed", "LDAM, trained long-tailed"]),
        (("long_tailed", "softmax"), ["Softmax, trained balanced", "LDAM, trained long-tailed"]),
        (("long_tailed", "ldam"), ["Softmax, trained balanced", "Softmax, trained long-tailed"]),
    ],
)
def test_a_trial_that_failed_has_no_matrix(
    failed: tuple[str, str], expected: list[str], drawn: list[Figure]
) -> None:
    def without(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[(rows["train_set"] != failed[0]) | (rows["method"] != failed[1])]

    confusion_matrices(without(CONFUSIONS), PROFILE, without(SCORES), LABELS, "ViT")
    assert list(matrices(drawn[0])) == expected


def test_without_softmax_the_first_method_is_shown(drawn: list[Figure]) -> None:
    renamed = CONFUSIONS.replace({"method": {"softmax": "focal"}})
    scores = SCORES.replace({"method": {"softmax": "focal"}})
    confusion_matrices(renamed, PROFILE, scores, LABELS, "ViT")
    assert list(matrices(drawn[0])) == [
        "Focal loss, trained balanced",
        "Focal loss, trained long-tailed",
        "LDAM, trained long-tailed",
    ]


def test_confusions_of_a_hundred_classes(drawn: list[Figure]) -> None:
    profile, of_many = many_classes(100)
    confusion_matrices(of_many, profile, tail_scores(softmax=0.0), LABELS, "ViT")
    (matrix,) = matrices(drawn[0]).values()
    assert np.trace(matrix) == 50
    assert np.sum(matrix, axis=1).tolist() == [1] * 100
    axes = drawn[0].axes[0]
    assert [line.get_ydata()[0] for line in axes.lines[::2]] == [32.5, 65.5]  # type: ignore[index]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(GROUPS)
    assert axes.get_yticks().tolist() == [16, 49, 82.5]


def test_of_a_thousand_classes_neighbours_share_a_cell_and_it_is_said(drawn: list[Figure]) -> None:
    profile, of_many = many_classes(1000)
    confusion_matrices(of_many, profile, tail_scores(softmax=0.0), LABELS, "ViT")
    (matrix,) = matrices(drawn[0]).values()
    assert np.shape(matrix) == (143, 143)
    assert drawn[0].get_suptitle().endswith("(7 classes of adjacent ranks per cell)")


def test_pictures_are_the_same_for_the_same_data() -> None:
    def draw() -> list[Picture]:
        return [
            class_profile(PROFILE, "D"),
            class_accuracy(CONFUSIONS, PROFILE, LABELS, "ViT"),
            confusion_matrices(CONFUSIONS, PROFILE, SCORES, LABELS, "ViT"),
        ]

    first = draw()
    assert first == draw()
    assert len(set(first)) == 3
    assert all(picture.png.startswith(b"\x89PNG\r\n\x1a\n") for picture in first)
