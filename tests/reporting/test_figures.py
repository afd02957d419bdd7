from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from longtail.reporting import figures

LABELS = {"softmax": "Softmax", "focal": "Focal loss", "ldam": "LDAM"}
GROUP = ["head", "middle", "tail"]
PROFILE = pd.DataFrame(
    {
        "label": [2, 0, 1],  # by rank
        "class_name": ["two", "zero", "one"],
        "rank": [0, 1, 2],
        "group": GROUP,
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
RESULTS = pd.DataFrame(
    [
        {"train_set": train_set, "method": method, "test_set": f"balanced_{group}", "acc1": acc1}
        for train_set, method, scores in (
            ("balanced", "softmax", (1.0, 0.8, 1.0)),
            ("long_tailed", "softmax", (1.0, 0.5, 0.0)),
            ("long_tailed", "ldam", (1.0, 1.0, 0.4)),
        )
        for group, acc1 in zip(GROUP, scores, strict=True)
    ]
)


def pixels(png: bytes) -> npt.NDArray[np.uint8]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures behind the PNG files, for a look at what they show."""
    seen: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        seen.append(figure)
        return b""

    monkeypatch.setattr(figures, "_png", keep)
    return seen


def draw_all() -> dict[str, bytes]:
    return {
        "profile": figures.class_profile(PROFILE, "Digits"),
        "groups": figures.group_accuracy(RESULTS, LABELS, "ViT"),
        "classes": figures.class_accuracy(CONFUSIONS, PROFILE, LABELS, "ViT"),
        "confusion": figures.confusion_matrices(CONFUSIONS, PROFILE, RESULTS, LABELS, "ViT"),
        "nothing": figures.no_results("ViT"),
    }


def test_figures_are_pictures_and_the_same_for_the_same_data() -> None:
    first, again = draw_all(), draw_all()
    assert first == again
    for png in first.values():
        shown = pixels(png)
        assert shown.shape[1] > 400
        assert len(np.unique(shown)) > 10  # something is drawn


def test_accuracy_of_a_class_is_its_hits_over_all_seeds() -> None:
    accuracy = figures.per_class_accuracy(
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
    np.testing.assert_allclose(figures.confusion_matrix(rows, 3), expected)


def test_best_tail_method_is_that_of_the_balanced_tail_over_seeds() -> None:
    rows = [
        ("a", "balanced_tail", 0.2),
        ("a", "balanced_tail", 0.4),
        ("b", "balanced_tail", 0.1),
        ("b", "balanced_tail", 0.6),
        ("a", "tail", 1.0),
    ]
    results = pd.DataFrame(rows, columns=["method", "test_set", "acc1"])
    assert figures.best_tail_method(results) == "b"


def texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_profile_shows_each_class_and_counts_the_groups(drawn: list[Figure]) -> None:
    figures.class_profile(PROFILE, "Digits")
    (axes,) = drawn[0].axes
    bars: Any = axes.patches
    assert [bar.get_height() for bar in bars] == [100, 30, 9]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["two", "zero", "one"]
    assert texts(axes) == [
        "balanced (300 images)",
        "head: 1 classes, 100 images",
        "middle: 1 classes, 30 images",
        "tail: 1 classes, 9 images",
    ]


def test_group_accuracy_has_a_panel_a_training_set_and_a_dot_a_cell(drawn: list[Figure]) -> None:
    figures.group_accuracy(RESULTS, LABELS, "ViT")
    balanced, long_tailed = drawn[0].axes
    assert [axes.get_title() for axes in (balanced, long_tailed)] == [
        "trained balanced", "trained long-tailed"
    ]  # fmt: skip
    assert [label.get_text() for label in balanced.get_yticklabels()] == ["Softmax", "LDAM"]
    offsets: Any = [np.asarray(dots.get_offsets()) for dots in long_tailed.collections[1:]]
    shown = {group: points[:, 0].tolist() for group, points in zip(GROUP, offsets, strict=True)}
    assert shown == {"head": [1.0, 1.0], "middle": [0.5, 1.0], "tail": [0.0, 0.4]}


def test_confusions_are_ordered_head_to_tail(drawn: list[Figure]) -> None:
    figures.confusion_matrices(CONFUSIONS, PROFILE, RESULTS, LABELS, "ViT")
    panels = drawn[0].axes[:3]
    assert [axes.get_title() for axes in panels] == [
        "Softmax,\ntrained balanced", "Softmax,\ntrained long-tailed", "LDAM,\ntrained long-tailed"
    ]  # fmt: skip
    shown = [np.asarray(axes.images[0].get_array()).tolist() for axes in panels]
    assert shown[0] == [[1, 0, 0], [0, 0.8, 0.2], [0, 0, 1]]
    assert shown[1] == [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]]
    assert shown[2] == [[1, 0, 0], [0, 1, 0], [0, 0.6, 0.4]]


def test_class_accuracy_lies_over_the_class_size(drawn: list[Figure]) -> None:
    figures.class_accuracy(CONFUSIONS, PROFILE, LABELS, "ViT")
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["Softmax", "LDAM"]
    points = np.asarray(panels[1].collections[-1].get_offsets())
    assert sorted(map(tuple, points.tolist())) == [(9, 0.4), (30, 1), (100, 1)]
