from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from longtail.arrays import UInt8Array
from longtail.parameters import FAMILIES, TrainSet
from longtail.reporting.figures import drawing
from longtail.reporting.figures.drawing import Picture
from longtail.reporting.figures.group_accuracy import group_accuracy
from longtail.reporting.figures.learning_curves import learning_curves
from longtail.reporting.figures.overview import overview
from longtail.reporting.figures.reliability import HISTOGRAM, reliability, reliability_of_seeds
from longtail.reporting.figures.tail_against_head import (
    FAMILY_STYLES,
    OF_NO_FAMILY,
    STYLE_OF_BASELINE,
    tail_against_head,
)
from longtail.reporting.page.backbone_figures import figure_captions
from tests.reporting.rows import make_contents, make_summaries, make_table

LABELS = {"softmax": "Softmax", "focal": "Focal loss", "ldam": "LDAM"}
GROUPS = ["head", "middle", "tail"]
SVG = "{http://www.w3.org/2000/svg}"
# Focal loss has failed on the balanced training set, LDAM on the long-tailed one.
TRIALS = {
    "balanced": {"softmax": 0.5, "ldam": 0.75},
    "long_tailed": {"softmax": 0.25, "focal": 0.625},
}


def summaries(trials: dict[str, dict[str, float]], seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    """Scores in which a method's accuracy falls by a tenth from head to middle and to tail."""
    return pd.concat(
        [
            make_summaries(
                *((method, seed, acc1 - 0.1 * fall) for method, acc1 in of_set.items()
                  for seed in seeds),
                test_sets=[f"balanced_{group}", *(["balanced"] if group == "head" else [])],
                train_set=train_set,
            )
            for train_set, of_set in trials.items()
            for fall, group in enumerate(GROUPS)
        ],
        ignore_index=True,
    )  # fmt: skip


def points(errorbars: Any) -> dict[float, float]:
    """The value at each height of a series of points with intervals."""
    line = errorbars.lines[0]
    pairs = zip(line.get_ydata(), line.get_xdata(), strict=True)
    return {round(float(y), 3): float(x) for y, x in pairs if not np.isnan(x)}


def intervals(errorbars: Any) -> list[tuple[float, float]]:
    segments = errorbars.lines[2][0].get_segments()
    return [(float(s[0][0]), float(s[1][0])) for s in segments if not np.isnan(s).any()]


def pixels(png: bytes) -> UInt8Array:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def histories(*rows: tuple[str, str, int, int, float]) -> pd.DataFrame:
    columns = ["train_set", "method", "seed", "epoch", "validation_acc1"]
    return pd.DataFrame(rows, columns=columns)


def bins(*rows: tuple[str, str, int, int, int, float, float]) -> pd.DataFrame:
    columns = ["train_set", "method", "seed", "bin", "images", "confidence", "accuracy"]
    return pd.DataFrame(rows, columns=columns)


HISTORIES = histories(
    ("balanced", "softmax", 0, 1, np.nan),
    ("balanced", "softmax", 0, 2, 0.5),
    ("balanced", "softmax", 0, 4, 0.75),
    ("long_tailed", "softmax", 0, 2, 0.25),
    ("long_tailed", "softmax", 1, 2, 0.75),
    ("long_tailed", "ldam", 0, 2, 0.125),
)
BINS = bins(
    ("balanced", "softmax", 0, 3, 10, 0.25, 0.5),
    ("balanced", "softmax", 0, 14, 30, 1.0, 0.75),
    ("balanced", "ldam", 0, 14, 40, 1.0, 1.0),
    ("long_tailed", "softmax", 0, 7, 40, 0.5, 0.5),
    ("long_tailed", "focal", 0, 7, 40, 0.5, 0.25),
)


# --- accuracy of the groups ------------------------------------------------------------------


def test_groups_have_a_panel_a_training_set_and_a_point_a_cell(drawn: list[Figure]) -> None:
    group_accuracy(summaries(TRIALS), LABELS, "ViT")
    (figure,) = drawn
    balanced, long_tailed = figure.axes
    titles = [axes.get_title() for axes in (balanced, long_tailed)]
    assert titles == ["trained balanced", "trained long-tailed"]
    ticks = [label.get_text() for label in balanced.get_yticklabels()]
    assert ticks == ["Softmax", "Focal loss", "LDAM"]
    assert balanced.yaxis_inverted()
    found = {axes: [points(c) for c in axes.containers] for axes in (balanced, long_tailed)}
    # Focal loss, in the middle, has no point where it has failed; so LDAM, the last.
    assert found[balanced] == [
        pytest.approx({y: x, y + 2: x + 0.25}) for y, x in ((-0.2, 0.5), (0, 0.4), (0.2, 0.3))
    ]
    assert found[long_tailed] == [
        pytest.approx({y: x, y + 1: x + 0.375}) for y, x in ((-0.2, 0.25), (0, 0.15), (0.2, 0.05))
    ]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == GROUPS


@pytest.mark.parametrize(
    ("grouped_by", "others", "expected"),
    [
        ("long_tailed", [], "balanced"),
        ("long_tailed", ["natural"], "balanced"),
        ("natural", ["natural"], "natural"),
        ("natural", [], "balanced"),  # classes have equal numbers of test images
    ],
)
def test_the_axis_and_the_caption_name_the_same_test_images(
    grouped_by: TrainSet, others: list[str], expected: str, drawn: list[Figure]
) -> None:
    test_sets = [*(f"{prefix}{group}" for prefix in ("", "balanced_") for group in GROUPS), *others]
    scores = make_summaries(("softmax", 0, 0.5), test_sets=test_sets)
    group_accuracy(scores, LABELS, "ViT", grouped_by)
    axis = drawn[0].get_supxlabel()
    assert axis == f"accuracy on the {expected} test images of each group"
    profile = pd.DataFrame(
        {"class_name": ["noctua pronuba", "noctua comes"], "group": ["head", "tail"]}
    )
    sizes = {"train_natural": [9, 1], "train_long_tailed": [9, 1]}
    tested = {"test_natural": [3, 1] if others else [1, 1]}
    captions = figure_captions(profile.assign(**sizes, **tested), grouped_by)
    told = f"accuracy of head, middle and tail species on the {expected} test images of each group"
    assert captions["group_accuracy_figure"].startswith(told)
    widest = "natural" if others else "balanced"
    assert f"on the {widest} test set" in captions["confusion_figure"]


def test_intervals_of_groups_are_those_of_the_scores(drawn: list[Figure]) -> None:
    scores = summaries({"balanced": {"softmax": 0.25}}).assign(value=0.25, low=0.125, high=0.75)
    group_accuracy(scores, LABELS, "ViT")
    found = [intervals(c) for c in drawn[0].axes[0].containers]
    assert found == [[pytest.approx((0.125, 0.75))]] * 3


def test_groups_of_one_method_and_of_several_seeds(drawn: list[Figure]) -> None:
    group_accuracy(summaries({"matched": {"ldam": 0.5}}, seeds=(0, 1, 2)), LABELS, "ViT")
    (axes,) = drawn[0].axes
    assert axes.get_title() == "trained matched"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["LDAM"]
    assert points(axes.containers[0]) == pytest.approx({-0.2: 0.5})


def test_without_groups_there_is_a_point_per_method_of_all_images(drawn: list[Figure]) -> None:
    trials = ("softmax", 0, 0.5), ("ldam", 0, 0.25)
    group_accuracy(make_summaries(*trials, test_sets=["balanced", "long_tailed"]), LABELS, "ViT")
    (axes,) = drawn[0].axes
    assert [points(container) for container in axes.containers] == [{0: 0.5, 1: 0.25}]
    assert drawn[0].get_supxlabel() == "accuracy on the balanced test images"
    assert not drawn[0].legends
    sizes = {"train_long_tailed": [3, 3], "test_natural": [1, 1], "group": ["", ""]}
    captions = figure_captions(pd.DataFrame({"class_name": ["a", "b"], **sizes}), "long_tailed")
    assert captions["group_accuracy_figure"] == (
        "accuracy on the balanced test images, with intervals"
    )
    assert "class_accuracy_figure" not in captions


# --- learning curves -------------------------------------------------------------------------


def curves(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): list(map(tuple, np.asarray(line.get_xydata()).tolist()))
        for line in axes.lines
    }


def test_curves_are_means_over_seeds_of_validated_epochs(drawn: list[Figure]) -> None:
    learning_curves(HISTORIES, LABELS, "ViT")
    (figure,) = drawn
    balanced, long_tailed = figure.axes
    assert curves(balanced) == {"Softmax": [(2, 0.5), (4, 0.75)]}
    assert curves(long_tailed) == {"Softmax": [(2, 0.5)], "LDAM": [(2, 0.125)]}
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["Softmax", "LDAM"]
    assert balanced.lines[0].get_color() == long_tailed.lines[0].get_color()
    assert long_tailed.lines[0].get_color() != long_tailed.lines[1].get_color()


def test_methods_whose_curves_coincide_are_named(drawn: list[Figure]) -> None:
    of_one_training = histories(
        ("balanced", "softmax", 0, 2, 0.5),
        ("balanced", "focal", 0, 2, 0.5),
        ("balanced", "ldam", 0, 4, 0.5),
        ("long_tailed", "softmax", 0, 2, 0.5),
        ("long_tailed", "focal", 0, 2, 0.25),
    )
    learning_curves(of_one_training, LABELS, "ViT")
    notes = [axes.texts[0].get_text() for axes in drawn[0].axes]
    assert notes == ["one curve: Softmax, Focal loss", ""]


def test_epochs_are_whole_numbers(drawn: list[Figure]) -> None:
    learning_curves(histories(("balanced", "softmax", 0, 1, 0.5)), LABELS, "ViT")
    (axes,) = drawn[0].axes
    assert [tick for tick in axes.get_xticks() if tick != int(tick)] == []
    assert {0, 1, 2} <= set(axes.get_xticks())


def test_without_a_validated_epoch_the_figure_says_so(drawn: list[Figure]) -> None:
    learning_curves(HISTORIES.assign(validation_acc1=np.nan), LABELS, "ViT")
    assert [text.get_text() for text in drawn[0].texts] == ["ViT: no epoch was validated"]


# --- reliability -----------------------------------------------------------------------------


def test_bins_of_seeds_are_taken_together_by_their_images() -> None:
    table = bins(
        ("balanced", "softmax", 0, 3, 10, 0.25, 0.5),
        ("balanced", "softmax", 1, 3, 30, 0.5, 1.0),
        ("balanced", "softmax", 1, 9, 5, 0.625, 0.25),
    )
    expected = pd.DataFrame(
        {"images": [40, 5], "confidence": [0.4375, 0.625], "accuracy": [0.875, 0.25]},
        index=pd.Index([3, 9], name="bin"),
    )
    pd.testing.assert_frame_equal(reliability_of_seeds(table), expected)


def test_reliability_has_a_panel_a_training_set_and_method(drawn: list[Figure]) -> None:
    reliability(BINS, summaries(TRIALS), LABELS, "ViT")
    axes = np.array(drawn[0].axes).reshape(2, 3)
    # The calibration error of `rows` is the accuracy.
    assert [[panel.get_title() for panel in in_row] for in_row in axes] == [
        ["Softmax\nECE 0.500", "Focal loss\nno results", "LDAM\nECE 0.750"],
        ["Softmax\nECE 0.250", "Focal loss\nECE 0.625", "LDAM\nno results"],
    ]
    labels = [in_row[0].get_ylabel() for in_row in axes]
    assert labels == ["trained balanced", "trained long-tailed"]
    shown = [[np.asarray(p.collections[0].get_offsets()).tolist() for p in r] for r in axes]
    assert shown == [
        [[[0.25, 0.5], [1.0, 0.75]], [], [[1.0, 1.0]]],
        [[[0.5, 0.5]], [[0.5, 0.25]], []],
    ]
    small, large = (bar.get_height() for bar in axes[0, 0].patches)
    assert (small, large) == pytest.approx((HISTOGRAM / 3, HISTOGRAM))  # 10 images and 30


@pytest.mark.parametrize(
    ("methods", "width", "height"), [(1, 6, 6.4), (2, 6, 6.4), (7, 10.05, 4.3)]
)
def test_few_reliability_panels_are_large(
    drawn: list[Figure], methods: int, width: float, height: float
) -> None:
    labels = many_methods(methods)
    trials = {train_set: dict.fromkeys(labels, 0.5) for train_set in ("balanced", "long_tailed")}
    table = bins(
        *((train_set, method, 0, 7, 40, 0.5, 0.5) for train_set in trials for method in labels)
    )
    reliability(table, summaries(trials), labels, "ViT")
    assert drawn[0].get_size_inches().tolist() == pytest.approx([width, height])


def many_methods(count: int) -> dict[str, str]:
    return {f"m{number}": f"Method {number}" for number in range(count)}


def test_reliability_of_many_methods_has_several_rows_a_training_set(drawn: list[Figure]) -> None:
    labels = many_methods(9)
    trials = {train_set: dict.fromkeys(labels, 0.5) for train_set in ("balanced", "long_tailed")}
    table = bins(
        *((train_set, method, 0, 7, 40, 0.5, 0.5) for train_set in trials for method in labels)
    )
    reliability(table, summaries(trials), labels, "ViT")
    axes = np.array(drawn[0].axes).reshape(4, 7)
    shown = [[panel.get_visible() for panel in in_row] for in_row in axes]
    assert shown == [[True] * 7, [True] * 2 + [False] * 5] * 2
    titles = [panel.get_title().partition("\n")[0] for panel in axes.flat if panel.get_visible()]
    assert titles == [*labels.values()] * 2
    assert [in_row[0].get_ylabel() for in_row in axes] == [
        *("trained balanced", ""),
        *("trained long-tailed", ""),
    ]


def test_many_methods_curves_are_all_different(drawn: list[Figure]) -> None:
    labels = many_methods(25)
    learning_curves(histories(*(("balanced", m, 0, 1, 0.5) for m in labels)), labels, "ViT")
    lines = drawn[0].axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 25


def test_long_labels_are_broken(drawn: list[Figure]) -> None:
    labels = {"softmax": "Class-balanced (beta 0.9999)"}
    own = BINS[BINS["method"] == "softmax"]
    reliability(own, summaries(TRIALS), labels, "ViT")
    assert drawn[0].axes[0].get_title() == "Class-balanced\n(beta 0.9999)\nECE 0.500"


# --- all of them -----------------------------------------------------------------------------


def draw_all(labels: dict[str, str], title: str) -> dict[str, Picture]:
    return {
        "groups": group_accuracy(summaries(TRIALS), labels, title),
        "curves": learning_curves(HISTORIES, labels, title),
        "reliability": reliability(BINS, summaries(TRIALS), labels, title),
        "nothing": drawing.text_figure(title),
    }


@pytest.fixture(scope="module")
def first() -> dict[str, Picture]:
    return draw_all(LABELS, "ViT")


def test_figures_are_pictures_and_the_same_for_the_same_data(first: dict[str, Picture]) -> None:
    assert first == draw_all(LABELS, "ViT")
    for picture in first.values():
        shown = pixels(picture.png)
        assert shown.shape[1] > 400
        assert len(np.unique(shown)) > 10  # something is drawn
    other = draw_all({**LABELS, "softmax": "Other"}, "ViT")
    assert [name for name in first if first[name] != other[name]] == [
        "groups",
        "curves",
        "reliability",
    ]


def test_files_do_not_name_the_program_that_drew_them(first: dict[str, Picture]) -> None:
    for picture in first.values():
        assert b"matplotlib" not in picture.png.lower() + picture.pdf.lower()
        assert matplotlib.__version__.encode() not in picture.svg


def test_figures_are_vector_graphics_with_truetype_fonts_as_well(
    first: dict[str, Picture],
) -> None:
    for picture in first.values():
        assert picture.pdf.startswith(b"%PDF-")
        assert b"/Subtype /Type3" not in picture.pdf
        assert b"/FontFile2" in picture.pdf


def test_text_of_vector_graphics_can_be_edited() -> None:
    picture = learning_curves(HISTORIES, LABELS, "ViT & <so>")
    texts = [element.text for element in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]
    assert "ViT & <so>: learning curves" in texts
    assert "LDAM" in texts


def test_letters_that_the_font_lacks_cost_a_warning_only() -> None:
    labels = {"softmax": "焦点损失", "focal": "평형", "ldam": "αβγ Ωé"}
    with pytest.warns(UserWarning, match="missing from font"):
        figures = draw_all(labels, "飛蛾")
    assert all(pixels(picture.png).shape[1] > 400 for picture in figures.values())


def test_dollar_signs_are_no_formulas(drawn: list[Figure]) -> None:
    text = r"$\frac$ & $5"
    labels = {**LABELS, "softmax": drawing.drawn_text(text)}
    draw_all(labels, drawing.drawn_text(text))
    assert drawn[0].get_suptitle() == r"\$\frac\$ & \$5"
    plain = drawing.text_figure(drawing.drawn_text("costs $5 or $6"))
    assert plain == drawing.text_figure(r"costs \$5 or \$6")
    assert plain != drawing.text_figure("costs $5 or $6")


def test_the_overview_has_a_panel_per_backbone_and_part(drawn: list[Figure]) -> None:
    tables = (
        make_table("softmax", "focal", train_set="long_tailed"),
        make_table("softmax", "focal", train_set="long_tailed", backbone="vit", number=3),
    )
    rows = [
        {"backbone": backbone, "train_set": "long_tailed", "part": part, "method": method,
         "value": value, "low": value - 0.1, "high": value + 0.1, "place": place}
        for backbone in ("mobilenetv2", "vit")
        for part in ("tail", "overall")
        for method, value, place in (("softmax", 0.5, "worse"), ("focal", 0.75, "best"))
    ]  # fmt: skip
    leaders, contents = pd.DataFrame(rows), make_contents(*tables)
    overview(leaders, contents)
    overview(leaders[leaders["part"] == "overall"], contents)
    assert [axes.get_title().split("\n")[-1] for axes in drawn[0].axes] == [
        *("tail", "tail", "overall", "overall")
    ]
    assert len(drawn[1].axes) == 2
    # The highest is best only if all others are significantly worse; the sentences say so.
    [legend] = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("highest", "not significantly worse", "significantly worse, or not compared")
    ]
    assert "best" not in drawn[0].get_suptitle()
    lines = drawn[0].axes[0].lines
    assert [
        (float(np.asarray(line.get_xdata())[0]), line.get_marker()) for line in lines[1::2]
    ] == [
        (0.5, "o"),
        (0.75, "*"),
    ]


def test_tail_against_head_has_a_point_per_method_in_the_style_of_its_family(
    drawn: list[Figure],
) -> None:
    table = make_table("softmax", "focal", "ldam", train_set="long_tailed")
    tail_against_head(
        summaries(TRIALS),
        make_contents(table),
        {"softmax": None, "focal": "decoupled-training", "ldam": "re-sampling"},
    )
    [figure] = drawn
    [axes] = figure.axes
    bars: list[Any] = axes.containers
    points = [container.lines[0] for container in bars]
    found = [
        (*map(float, (line.get_xdata()[0], line.get_ydata()[0])), line.get_marker())
        for line in points
    ]
    assert found == [
        (0.25, pytest.approx(0.05), "*"),
        (0.625, pytest.approx(0.425), FAMILY_STYLES["decoupled-training"][1]),
    ]
    assert [text.get_text() for text in axes.texts] == ["1", "2"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["1 SOFTMAX", "Re-sampling", "3 LDAM", "Decoupled training", "2 FOCAL"]


def test_without_a_tail_there_is_nothing_to_compare_with_the_head(drawn: list[Figure]) -> None:
    scores = make_summaries(("softmax", 0, 0.5), test_sets=["balanced"])
    tail_against_head(scores, make_contents(make_table("softmax")), {"softmax": None})
    assert "nearly equal numbers of training images" in drawn[0].texts[0].get_text()


def test_no_two_families_look_alike() -> None:
    assert list(FAMILY_STYLES) == list(FAMILIES)
    markers = {marker for _, marker in FAMILY_STYLES.values()}
    assert len(markers | {STYLE_OF_BASELINE[1], OF_NO_FAMILY[1]}) == len(FAMILIES) + 2
    assert STYLE_OF_BASELINE[0] != OF_NO_FAMILY[0]


def test_a_method_that_names_no_family_does_not_look_like_softmax(drawn: list[Figure]) -> None:
    table = make_table("softmax", "focal", train_set="long_tailed")
    none = {"softmax": None, "focal": None}
    tail_against_head(summaries(TRIALS), make_contents(table), none)
    [figure] = drawn
    bars: list[Any] = figure.axes[0].containers
    points = [container.lines[0] for container in bars]
    entries = [entry for entry in figure.legends[0].legend_handles if isinstance(entry, Line2D)]
    for lines in (points, entries):
        assert [(line.get_color(), line.get_marker()) for line in lines] == [
            ("#9a9a9a", "*"),
            ("#555555", ">"),
        ]
