from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from longtail.parameters import Dataset, Table
from longtail.published.results import compare_published, shipped
from longtail.reporting.figures.published_figure import comparison_figure
from longtail.reporting.tables.appendix import APPENDIX_PREAMBLE
from longtail.reporting.tables.latex import numbered
from longtail.reporting.tables.layouts import TEST_SET_LABELS
from longtail.reporting.tables.published_table import (
    ComparisonTable,
    comparison_latex,
    comparison_note,
    comparison_tables,
    match_note,
)
from tests.reporting.rows import compiled

LABELS = {"softmax": "Softmax & co", "focal": "Focal loss", "ldam": "LDAM", "mixup": "Mixup"}
TABLE = Table(
    dataset="cifar100",
    backbone="convnext_base",
    backbone_label="ConvNeXt_Base",
    train_set="balanced",
    methods=LABELS,
    seeds=(0,),
    number=1,
)


@pytest.fixture(scope="module")
def comparison() -> pd.DataFrame:
    """Ours is one point above the thesis, the focal loss four; LDAM is not reported there."""
    thesis = shipped("thesis")
    thesis = thesis[thesis["backbone"].isin(["convnext_base", "vit_b16"])]
    above = np.where(thesis["method"] == "focal", 0.04, 0.01)
    values = (thesis["value"] + above).fillna(0.7)
    ours = thesis.assign(value=values, low=values - 0.02, high=values + 0.03, seeds=3, sd=0.01)
    return compare_published(ours[ours["method"] != "equalization"], thesis)


# --- figure ----------------------------------------------------------------------------------


def backbone(comparison: pd.DataFrame, name: str) -> pd.DataFrame:
    return comparison[comparison["backbone"] == name]


def test_panels_are_training_sets_by_test_sets(
    comparison: pd.DataFrame, drawn: list[Figure]
) -> None:
    comparison_figure(backbone(comparison, "convnext_base"), LABELS, "ConvNeXt", 0.95)
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == list(TEST_SET_LABELS.values()) * 2
    rows = [figure.axes[0].get_ylabel(), figure.axes[5].get_ylabel()]
    assert rows == ["trained balanced", "trained long-tailed"]
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert ticks == ["Softmax & co", "Focal loss", "LDAM"]  # no result has mixup
    assert figure.axes[0].yaxis_inverted()
    assert figure.get_suptitle() == "ConvNeXt: accuracy on each test set, with 95% intervals"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["ours", "published"]


def test_points_and_intervals_are_those_of_the_comparison(
    comparison: pd.DataFrame, drawn: list[Figure]
) -> None:
    comparison_figure(backbone(comparison, "convnext_base"), LABELS, "ConvNeXt", 0.95)
    tail = drawn[0].axes[4]
    chosen = backbone(comparison, "convnext_base").query(
        "train_set == 'balanced' and test_set == 'tail' and metric == 'acc1'"
    )
    for container, name in zip(tail.containers, ("ours", "published"), strict=True):
        points, _, (bars,) = container
        for place, method in enumerate(("softmax", "focal")):
            (cell,) = chosen[chosen["method"] == method].to_dict("records")
            assert points.get_xdata()[place] == cell[name]
            (low, _), (high, _) = bars.get_segments()[place]
            assert (low, high) == pytest.approx((cell[f"{name}_low"], cell[f"{name}_high"]))
        assert np.isnan(points.get_xdata()[2]) == (name == "published")


def test_missing_published_cells_are_reported(
    comparison: pd.DataFrame, drawn: list[Figure]
) -> None:
    comparison_figure(backbone(comparison, "convnext_base"), LABELS, "ConvNeXt", 0.95)
    for axes in drawn[0].axes:
        ((_, y), text) = next((t.get_position(), t.get_text()) for t in axes.texts)
        assert (round(y), text, len(axes.texts)) == (2, "not reported", 1)
    comparison_figure(backbone(comparison, "vit_b16"), LABELS, "ViT", 0.95)
    assert not any(axes.texts for axes in drawn[1].axes)


def test_figure_is_a_picture_of_as_many_rows_as_methods(comparison: pd.DataFrame) -> None:
    own = backbone(comparison, "vit_b16")

    def height(labels: dict[str, str]) -> int:
        picture = comparison_figure(own, labels, "ViT", 0.95)
        assert picture == comparison_figure(own, labels, "ViT", 0.95)
        return Image.open(io.BytesIO(picture.png)).size[1]

    few = {name: LABELS[name] for name in ("softmax", "focal")}
    assert height(few) < height(LABELS)


def test_nothing_to_compare_is_reported(comparison: pd.DataFrame, drawn: list[Figure]) -> None:
    comparison_figure(comparison.iloc[:0], LABELS, "ViT", 0.95)
    assert drawn[0].texts[0].get_text() == "ViT: nothing published to compare with"


# --- tables ----------------------------------------------------------------------------------


def changed(**changes: object) -> Table:
    return TABLE.model_copy(update=changes)


def test_published_values_keep_their_decimals(comparison: pd.DataFrame) -> None:
    cells = comparison.assign(published=0.31, decimals=2, difference=0.01, inside=True)
    (table,) = comparison_tables(cells, [TABLE])
    assert {cell for row in table.rows if row[1] == "published" for cell in row[2:]} == {
        "0.31 (+1.0)"
    }
    (table,) = comparison_tables(cells.assign(decimals=17), [TABLE])
    assert table.rows[1][2] == "0.3100 (+1.0)"


def printed(comparison: pd.DataFrame, table: Table = TABLE) -> ComparisonTable:
    (found,) = comparison_tables(comparison, [table])
    return found


def test_rows_hold_ours_above_the_published(comparison: pd.DataFrame) -> None:
    table = printed(comparison)
    assert (table.backbone, table.columns) == ("convnext_base", list(TEST_SET_LABELS.values()))
    # Table A.14: 0.8332 on the balanced test set; 0.9474 on the tail.
    assert table.rows[0] == ["Softmax & co", "ours", *(f"{v:.4f} ± 0.030" for v in
                             (0.8432, 0.8635, 0.8666, 0.8266, 0.9574))]  # fmt: skip
    assert table.rows[1][:3] == ["", "published", "0.8332 (+1.0)"]
    assert table.rows[3][2] == "0.8314 (+4.0)*"  # 0.8314 lies below our 0.8514 - 0.02
    assert table.rows[4] == ["LDAM", "ours", *["0.7000 ± 0.030"] * 5]
    assert table.rows[5] == ["", "published", *["--"] * 5]
    assert len(table.rows) == 6  # nothing is published of mixup
    # 0.02 below and 0.03 above.
    assert table.ends[0][0] == "[0.823, 0.873]"
    assert table.ends[4] == ["[0.680, 0.730]"] * 5
    assert [row for row in table.ends if not any(row)] == [[""] * 5] * 3
    assert len(table.ends) == len(table.rows)


def test_captions_name_the_published_table(comparison: pd.DataFrame) -> None:
    assert printed(comparison).caption == (
        "Acc1 of ConvNeXt_Base trained on the custom balanced dataset: ours, and as published "
        "(table A.14)."
    )
    other = changed(train_set="long_tailed")
    assert printed(comparison, other).caption.endswith(
        "on the long-tailed dataset: ours, and as published (table A.16)."
    )


def test_a_caption_names_each_published_table(comparison: pd.DataFrame) -> None:
    focal = comparison["method"] == "focal"
    both = comparison.assign(table=comparison["table"].where(~focal, "B"))
    assert printed(both).caption.endswith("as published (tables A.14 and B).")


def cifar100(base_config: dict[str, Any], factor: float) -> Dataset:
    profile = {"kind": "exponential", "imbalance_factor": factor}
    values = base_config["datasets"]["cifar100"]
    imbalance = {**values["imbalance"], "profile": profile}
    return Dataset.model_validate(
        {**values, "name": "cifar100", "published": "thesis", "imbalance": imbalance}
    )


def test_what_is_not_in_the_report_is_named(
    comparison: pd.DataFrame, base_config: dict[str, Any]
) -> None:
    thesis = shipped("thesis")
    tables = [TABLE, changed(backbone="vit_b16", train_set="long_tailed", number=3)]
    of_tables = comparison[comparison["method"] != "ldam"]
    assert match_note(thesis, of_tables, cifar100(base_config, 100), tables) == (
        "Only 20 of the 56 rows of the published table 'thesis' are compared. Not in this report: "
        "backbones mobilenetv2 and resnet50v2; methods weighted_softmax, class_balanced, "
        "balanced_softmax, and 1 more."
    )
    nothing = match_note(thesis, of_tables.iloc[:0], cifar100(base_config, 50), tables[1:])
    assert nothing.startswith(
        "The published table 'thesis' is not compared: none of its 56 rows has a backbone, "
        "training set, method and imbalance factor of this report. Its audit is left out. Not in "
        "this report: backbones mobilenetv2, resnet50v2, and convnext_base; training set balanced; "
    )
    assert nothing.endswith("; imbalance factor 100.")


def test_test_sets_of_another_size_are_named(
    comparison: pd.DataFrame, base_config: dict[str, Any]
) -> None:
    on_tail = comparison["test_set"] == "tail"
    smaller = comparison.assign(our_images=comparison["our_images"].where(~on_tail, 1234))
    note = match_note(shipped("thesis"), smaller, cifar100(base_config, 100), [TABLE])
    assert note.endswith("The test set tail has 1,234 images here, and 38 in the publication.")
    assert note.count("images here") == 1


def test_tables_are_those_that_something_is_published_of(comparison: pd.DataFrame) -> None:
    tables = [
        TABLE,
        changed(backbone="resnet32", number=3),
        changed(backbone="vit_b16", train_set="long_tailed", number=5),
        changed(train_set="matched", number=7),
    ]
    found = comparison_tables(comparison, tables)
    assert [(table.number, table.backbone) for table in found] == [
        ("C.1", "convnext_base"),
        ("C.3", "vit_b16"),
    ]
    assert found[1].rows[1][2] == "0.2254 (+1.0)"
    assert comparison_tables(comparison.iloc[:0], tables) == []
    assert comparison_tables(comparison[comparison["metric"] != "acc1"], tables) == []


def test_cells_that_are_missing_have_dashes(comparison: pd.DataFrame) -> None:
    softmax_on_tail = (comparison["method"] == "softmax") & (comparison["test_set"] == "tail")
    table = printed(comparison[~softmax_on_tail])
    assert [row[-1] for row in table.rows[:3]] == ["--", "--", "0.9347 ± 0.030"]
    without = comparison[comparison["test_set"] != "tail"]
    assert printed(without).columns == ["Balanced", "Long-tailed", "Head", "Middle"]


def test_a_difference_that_rounds_to_nothing_has_no_minus(comparison: pd.DataFrame) -> None:
    assert printed(comparison.assign(difference=-0.0004)).rows[1][2] == "0.8332 (+0.0)"
    assert printed(comparison.assign(difference=-0.0006)).rows[1][2] == "0.8332 (-0.1)"


def test_latex_is_the_rows_in_a_table(comparison: pd.DataFrame) -> None:
    lines = comparison_latex(printed(comparison), "Note & 5%.").splitlines()
    assert numbered("C.1") in lines
    assert r"\label{tab:cifar100-convnext_base-balanced-published}" in lines
    assert r"\begin{tabular}{llccccc}" in lines
    first = lines.index(r"\midrule") + 1
    assert lines[first].startswith(r"Softmax \& co & ours & 0.8432 $\pm$ 0.030 & ")
    assert lines[first + 1].startswith(" & published & 0.8332 ($+$1.0) & ")
    assert lines[first + 2] == r"\addlinespace"
    assert lines[first + 4].startswith(" & published & 0.8314 ($+$4.0)$^{*}$ & ")
    assert " & published" + " & --" * 5 + r" \\" in lines
    assert (
        r"\caption{Acc1 of ConvNeXt\_Base trained on the custom balanced dataset: ours, and as "
        r"published (table A.14).}" in lines
    )
    assert r"\par\smallskip\footnotesize\raggedright Note \& 5\%." in lines


def test_the_note_names_the_intervals() -> None:
    assert comparison_note(0.95).startswith(
        "Ours ± to the farther end of its 95% interval; below it"
    )
    assert comparison_note(0.9).startswith(
        "Ours ± to the farther end of its 90% interval; below it"
    )


def test_table_fits_the_page_and_leaves_the_count_as_it_is(
    comparison: pd.DataFrame, tmp_path: Path
) -> None:
    source = comparison_latex(printed(comparison), comparison_note(0.95))
    after = r"\begin{table}[htbp]\caption{The next.}\end{table}"
    text = compiled(APPENDIX_PREAMBLE + source + after + "\\end{document}\n", tmp_path)
    assert "Table C.1: Acc1 of ConvNeXt" in text
    assert "Table A.1: The next." in text
    assert "ours 0.8432 ± 0.030 0.8635 ± 0.030" in text
    assert "Ours ± to the farther end of its 95% interval; below it" in text
