from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from longtail.evaluation.summaries import summarise
from longtail.parameters import Statistics, Table
from longtail.parameters.run import parse
from longtail.reporting.tables.layouts import (
    ACC1_LAYOUT,
    FULL_LAYOUT,
    GROUPS_LAYOUT,
    LAYOUTS,
    QUALITY_LAYOUT,
    THESIS_LAYOUTS,
)
from longtail.reporting.tables.printed_table import PrintedTable, PrintedValue
from longtail.reporting.tables.result_tables import interval_table, thesis_table
from longtail.reporting.tables.table_results import TableResults, rows_of_table, trainings_of
from longtail.trials.grid import tables
from tests.reporting.rows import (
    STATISTICS,
    make_comparisons,
    make_results,
    make_summaries,
    make_table,
)

TABLE = make_table("softmax", "focal", "ldam")
ONE_EACH = ("softmax", 0, 0.5), ("focal", 0, 0.625), ("ldam", 0, 0.25)
ACCURACIES = {"softmax": 0.5, "focal": 0.625, "ldam": 0.25}
ALIKE = make_comparisons(
    *(("softmax", "focal", 0.5), ("softmax", "ldam", 0.5), ("focal", "ldam", 0.5)),
    values=ACCURACIES,
)
DIFFERENT = make_comparisons(
    *(("softmax", "focal", 1e-6), ("ldam", "softmax", 1e-6), ("focal", "ldam", 1e-6)),
    values=ACCURACIES,
)


def texts(table: PrintedTable) -> dict[str, list[str]]:
    return {label: [cell.text for cell in cells] for label, cells in table.rows}


def marks(table: PrintedTable, mark: str) -> dict[str, list[int]]:
    """The columns in which each row is marked ``best`` or as one that ``differs``."""
    return {
        label: [i for i, cell in enumerate(cells) if getattr(cell, mark)]
        for label, cells in table.rows
    }


def with_intervals(
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    table: Table = TABLE,
    statistics: Statistics = STATISTICS,
) -> list[PrintedTable]:
    """The table in each of ``LAYOUTS``."""
    summaries = summarise(results, statistics.confidence)
    content = TableResults.of(summaries, comparisons, results, table, statistics)
    return [interval_table(content, layout) for layout in LAYOUTS]


# --- the bare layout -------------------------------------------------------------------------


def test_captions_are_the_thesis_own() -> None:
    scores = make_summaries(*ONE_EACH)
    assert [thesis_table(scores, TABLE, layout).caption for layout in THESIS_LAYOUTS] == [
        "Evaluation results for MobileNetV2 trained on the custom balanced dataset, showing Acc1.",
        "Evaluation results for MobileNetV2 trained on the custom balanced dataset, showing Loss, "
        "Acc1, and F1 scores for each dataset split.",
    ]


@pytest.mark.parametrize(
    ("train_set", "words"),
    [("balanced", "custom balanced"), ("long_tailed", "long-tailed"), ("matched", "matched")],
)
def test_captions_name_the_training_set(train_set: str, words: str) -> None:
    table = make_table("softmax", train_set=train_set)
    scores = make_summaries(("softmax", 0, 0.5), train_set=train_set)
    assert thesis_table(scores, table, ACC1_LAYOUT).caption == (
        f"Evaluation results for MobileNetV2 trained on the {words} dataset, showing Acc1."
    )


def test_figures_have_four_decimals_and_nothing_else() -> None:
    results = make_results(("softmax", 0, 0.123456), ("focal", 0, 0.99996), ("ldam", 0, 0.0))
    acc1, full = (thesis_table(summarise(results, 0.95), TABLE, x) for x in THESIS_LAYOUTS)
    assert texts(acc1) == {
        "SOFTMAX": ["0.1235"] * 5,
        "FOCAL": ["1.0000"] * 5,
        "LDAM": ["0.0000"] * 5,
    }
    assert texts(full) == {
        "SOFTMAX": ["1.1235", "0.1235", "0.0617"] * 5,
        "FOCAL": ["2.0000", "1.0000", "0.5000"] * 5,
        "LDAM": ["1.0000", "0.0000", "0.0000"] * 5,
    }
    cells = {cell for table in (acc1, full) for _, row in table.rows for cell in row}
    assert cells == {
        PrintedValue(cell.text, interval="", best=False, differs=False) for cell in cells
    }
    assert acc1.notes == full.notes == ()


def test_columns_stand_in_the_thesis_order() -> None:
    accuracies = {"balanced": 0.1, "long_tailed": 0.2, "head": 0.3, "middle": 0.4, "tail": 0.5}
    results = pd.concat(
        [
            make_results(("softmax", 0, acc1), test_sets=[test_set])
            for test_set, acc1 in reversed(accuracies.items())
        ]
    )
    table = thesis_table(summarise(results, 0.95), make_table("softmax"), FULL_LAYOUT)
    assert texts(table)["SOFTMAX"] == [
        *("1.1000", "0.1000", "0.0500", "1.2000", "0.2000", "0.1000", "1.3000", "0.3000"),
        *("0.1500", "1.4000", "0.4000", "0.2000", "1.5000", "0.5000", "0.2500"),
    ]


def test_further_tables_have_a_series_of_their_own() -> None:
    tables = with_intervals(make_results(*ONE_EACH), ALIKE, make_table(number=5))
    assert [table.number for table in tables] == ["A.5", "A.6", "B.5", "B.6"]


def test_rows_come_in_the_order_of_the_methods() -> None:
    scores = make_summaries(*reversed(ONE_EACH))
    assert list(texts(thesis_table(scores, TABLE, ACC1_LAYOUT))) == ["SOFTMAX", "FOCAL", "LDAM"]


def test_only_the_tables_own_trials_are_shown() -> None:
    own = make_results(("softmax", 0, 0.5))
    others = [
        make_results(("softmax", 0, 0.9), train_set="long_tailed"),
        make_results(("softmax", 0, 0.9), backbone="vit"),
        make_results(("other", 0, 0.9)),
    ]
    everything = pd.concat([*others, own], ignore_index=True)
    assert rows_of_table(everything, TABLE).to_dict("list") == own.to_dict("list")
    assert texts(thesis_table(summarise(everything, 0.95), TABLE, ACC1_LAYOUT)) == {
        "SOFTMAX": ["0.5000"] * 5,
        "FOCAL": ["--"] * 5,
        "LDAM": ["--"] * 5,
    }


def test_a_table_without_any_result_is_all_dashes() -> None:
    nothing = make_summaries(("softmax", 0, 0.5)).iloc[:0]
    table = thesis_table(nothing, TABLE, FULL_LAYOUT)
    assert texts(table) == {label: ["--"] * 15 for label in ("SOFTMAX", "FOCAL", "LDAM")}
    assert table.notes == (
        "SOFTMAX, FOCAL, and LDAM: no result; their trials failed or have not been run.",
    )


def test_figures_are_means_over_seeds() -> None:
    scores = make_summaries(*(("softmax", seed, acc1) for seed, acc1 in enumerate((0.5, 0.6, 0.9))))
    table = thesis_table(scores, make_table("softmax"), ACC1_LAYOUT)
    assert texts(table) == {"SOFTMAX": ["0.6667"] * 5}
    assert table.caption.endswith("showing Acc1 (means of 3 seeds).")
    full = thesis_table(scores, make_table("softmax"), FULL_LAYOUT)
    assert full.caption.endswith("F1 scores for each dataset split (means of 3 seeds).")


def test_rows_of_fewer_seeds_are_named() -> None:
    scores = make_summaries(
        *(("softmax", seed, 0.5) for seed in range(3)), ("focal", 0, 0.5), ("focal", 2, 0.5)
    )
    table = thesis_table(
        scores, make_table("softmax", "focal", "ldam", seeds=(0, 1, 2)), ACC1_LAYOUT
    )
    assert table.notes == (
        "LDAM: no result; its trials failed or have not been run.",
        "FOCAL: 2 of 3 seeds.",
    )
    assert table.caption.endswith("(means of 2 to 3 seeds).")


def test_seeds_are_counted_against_the_grids_not_the_fullest_row() -> None:
    scores = make_summaries(("softmax", 0, 0.5), ("focal", 2, 0.5))
    table = thesis_table(scores, make_table("softmax", "focal", seeds=(0, 1, 2)), ACC1_LAYOUT)
    assert table.notes == ("SOFTMAX: 1 of 3 seeds.", "FOCAL: 1 of 3 seeds.")


def test_large_figures_keep_the_bare_layouts_decimals() -> None:
    scores = make_summaries(("softmax", 0, 0.5), nll=123456.0, loss=123456.0)
    table = thesis_table(scores, make_table("softmax"), FULL_LAYOUT)
    assert texts(table)["SOFTMAX"][0] == "123456.0000"


# --- with intervals --------------------------------------------------------------------------


def test_figures_have_three_decimals_and_their_intervals() -> None:
    acc1, full, parts, quality, *_ = with_intervals(make_results(("softmax", 0, 0.125)), ALIKE)
    cell = PrintedValue("0.125", "0.062", ends="[0.062, 0.188]")  # to even: 0.0625 and 0.1875
    loss = PrintedValue("1.125", "0.062", ends="[1.062, 1.188]")
    f1 = PrintedValue("0.062", "0.062", ends="[0.000, 0.125]")
    assert acc1.rows[0] == ("SOFTMAX", (cell,) * 5)
    assert full.rows[0] == ("SOFTMAX", (loss, cell, f1) * 5)
    assert parts.rows[0] == ("SOFTMAX", (cell,) * 6)
    assert quality.rows[0] == ("SOFTMAX", (cell,) * 6)
    assert acc1.rows[1] == ("FOCAL", (PrintedValue("--"),) * 5)


@pytest.mark.parametrize(
    ("value", "low", "high", "cell"),
    [
        (0.5, 0.3, 0.6, PrintedValue("0.500", "0.200", ends="[0.300, 0.600]")),
        (0.5, 0.4, 0.7, PrintedValue("0.500", "0.200", ends="[0.400, 0.700]")),
        (1.0, 0.796, 1.0, PrintedValue("1.000", "0.204", ends="[0.796, 1.000]")),
    ],
)
def test_the_farther_end_of_an_interval_is_reported(
    value: float, low: float, high: float, cell: PrintedValue
) -> None:
    results = make_results(("softmax", 0, value), acc1_low=low, acc1_high=high)
    acc1, *_ = with_intervals(results, ALIKE)
    assert acc1.rows[0] == ("SOFTMAX", (cell,) * 5)


def test_large_figures_and_their_intervals_are_in_scientific_notation() -> None:
    huge = 225660788354423200.0
    results = make_results(("softmax", 0, 0.5), loss=huge, loss_low=huge / 2, loss_high=2 * huge)
    _, full, *_ = with_intervals(results, ALIKE)
    assert full.rows[0][1][0] == PrintedValue("2.26e17", "2.26e17", ends="[1.13e17, 4.51e17]")


NO_INTERVAL = (
    "±--: no interval, since fewer than 2 predictions are wrong: how large the loss of a wrong one "
    "is has hardly been seen."
)


def test_figures_without_an_interval_stand_alone_and_are_explained() -> None:
    nothing = float("nan")
    results = make_results(("softmax", 0, 1.0), f1=1.0, f1_low=nothing, f1_high=nothing)
    acc1, full, parts, quality, *_ = with_intervals(results, ALIKE, make_table("softmax"))
    assert full.rows[0][1][2] == PrintedValue("1.000", "--")
    assert full.rows[0][1][1].interval == "0.062"
    assert full.notes == (NO_INTERVAL,)
    assert acc1.notes == parts.notes == quality.notes == ()


def test_intervals_over_seeds_are_wider() -> None:
    results = make_results(("softmax", 0, 0.58), ("softmax", 1, 0.62))
    acc1, *_ = with_intervals(results, ALIKE)
    # Student's quantile of one degree of freedom, times a standard error of 0.02.
    half = np.hypot(0.0625, 12.7062 * 0.02)
    ends = f"[{0.6 - half:.3f}, {0.6 + half:.3f}]"
    cell = PrintedValue("0.600", f"{half:.3f}", f"{0.04 / 2**0.5:.3f}", ends=ends)
    assert acc1.rows[0] == ("SOFTMAX", (cell,) * 5)
    assert acc1.caption == (
        "Evaluation results for MobileNetV2 trained on the custom balanced dataset, showing Acc1 "
        "(means of 2 seeds), ± to the farther end of the 95% interval."
    )


def test_captions_say_what_follows_the_figures() -> None:
    captions = [t.caption for t in with_intervals(make_results(*ONE_EACH), ALIKE)]
    assert all(
        caption.endswith(", ± to the farther end of the 95% interval.") for caption in captions
    )
    ninety = STATISTICS.model_copy(update={"confidence": 0.995})
    table, *_ = with_intervals(make_results(*ONE_EACH), ALIKE, statistics=ninety)
    assert table.caption.endswith("showing Acc1, ± to the farther end of the 99.5% interval.")


def test_differences_from_softmax_are_marked_in_columns_that_are_tested() -> None:
    tables = with_intervals(make_results(*ONE_EACH), DIFFERENT)
    tested = [i for i, column in enumerate(FULL_LAYOUT.columns) if column.metric != "loss"]
    expected = [range(5), tested, range(6), []]
    for table, columns in zip(tables, expected, strict=True):
        assert marks(table, "differs") == {
            "SOFTMAX": [],
            "FOCAL": list(columns),
            "LDAM": list(columns),
        }
        assert marks(table, "best") == {"SOFTMAX": [], "FOCAL": list(columns), "LDAM": []}


def test_the_family_of_a_table_is_all_its_comparisons_with_softmax() -> None:
    # 2 methods in 5 columns of accuracies, and in 10 of 15.
    pairs = ("softmax", "focal", 0.004), ("softmax", "ldam", 0.004), ("focal", "ldam", 0.5)
    comparisons = make_comparisons(*pairs, values=ACCURACIES)
    acc1, full, parts, quality, *_ = with_intervals(make_results(*ONE_EACH), comparisons)
    assert marks(acc1, "differs")["FOCAL"] == [0, 1, 2, 3, 4]  # 10 * 0.004
    assert marks(full, "differs")["FOCAL"] == []  # 20 * 0.004
    assert marks(parts, "differs")["FOCAL"] == [0, 1, 2, 3, 4, 5]  # 12 * 0.004
    counts = [re.findall(r"table's (\d+) comparisons", " ".join(t.notes)) for t in (acc1, parts)]
    assert counts == [["10"], ["12"]]
    assert full.notes == ()  # no star, nothing to explain
    assert quality.notes == ()


def test_noise_is_not_marked_and_the_best_is_not_bold() -> None:
    for table in with_intervals(make_results(*ONE_EACH), ALIKE):
        assert not any(cell.best or cell.differs for _, cells in table.rows for cell in cells)
        assert table.notes == ()


def test_other_backbones_and_training_sets_tests_do_not_count() -> None:
    elsewhere = [DIFFERENT.assign(backbone="vit"), DIFFERENT.assign(train_set="long_tailed")]
    table, *_ = with_intervals(make_results(*ONE_EACH), pd.concat([*elsewhere, ALIKE]))
    assert marks(table, "differs") == {"SOFTMAX": [], "FOCAL": [], "LDAM": []}


def test_without_softmax_nothing_is_held_against_it() -> None:
    results = make_results(("focal", 0, 0.625), ("ldam", 0, 0.25))
    table, *_ = with_intervals(results, DIFFERENT, make_table("focal", "ldam"))
    assert marks(table, "differs") == {"FOCAL": [], "LDAM": []}
    assert marks(table, "best") == {"FOCAL": [0, 1, 2, 3, 4], "LDAM": []}
    assert table.notes == (
        "Bold is better than every other row, p < 0.05 after Holm's correction for the other rows.",
    )


def test_a_missing_method_has_dashes_and_no_part_in_the_tests() -> None:
    table, *_ = with_intervals(make_results(*ONE_EACH[:2]), DIFFERENT)
    assert table.rows[2] == ("LDAM", (PrintedValue("--"),) * 5)
    assert marks(table, "best") == {"SOFTMAX": [], "FOCAL": [0, 1, 2, 3, 4], "LDAM": []}
    assert "table's 5 comparisons" in table.notes[0]
    assert table.notes[2:] == ("LDAM: no result; its trial failed or has not been run.",)


def test_a_missing_softmax_leaves_the_others_unmarked() -> None:
    table, *_ = with_intervals(make_results(*ONE_EACH[1:]), DIFFERENT)
    assert marks(table, "differs") == {"SOFTMAX": [], "FOCAL": [], "LDAM": []}
    assert marks(table, "best")["FOCAL"] == [0, 1, 2, 3, 4]
    assert not any("*" in note for note in table.notes)


def test_a_single_method_has_intervals_and_no_marks() -> None:
    results = make_results(("softmax", 0, 0.5))
    comparisons = ALIKE.iloc[:0]
    for table in with_intervals(results, comparisons, make_table("softmax")):
        assert {cell.interval for _, cells in table.rows for cell in cells} == {"0.062"}
        assert marks(table, "best") == marks(table, "differs") == {"SOFTMAX": []}
        assert table.notes == ()


def test_methods_that_are_all_one_training_have_no_marks() -> None:
    results = make_results(*((m, 0, 0.5) for m in TABLE.methods), fingerprint="same")
    same = make_comparisons(("softmax", "focal", 1), ("softmax", "ldam", 1), ("focal", "ldam", 1))
    for table in with_intervals(results, same):
        assert not any(cell.best or cell.differs for _, cells in table.rows for cell in cells)
        assert table.notes == (
            "SOFTMAX, FOCAL, and LDAM are the same training: on these class counts their losses "
            "are equal.",
        )


def test_rows_that_are_one_training_are_marked_alike_and_counted_once() -> None:
    results = make_results(("softmax", 0, 0.5), ("focal", 0, 0.5), ("ldam", 0, 0.75))
    results["fingerprint"] = results["fingerprint"].replace("focal0", "softmax0")
    comparisons = make_comparisons(
        *(("softmax", "focal", 1), ("softmax", "ldam", 0.009), ("focal", "ldam", 0.009)),
        values={"softmax": 0.5, "focal": 0.5, "ldam": 0.75},
    )
    table, *_ = with_intervals(results, comparisons)
    assert marks(table, "best") == {"SOFTMAX": [], "FOCAL": [], "LDAM": [0, 1, 2, 3, 4]}
    assert marks(table, "differs") == marks(table, "best")  # 5 * 0.009
    assert table.notes[0] == (
        "* differs from SOFTMAX, p < 0.05 after Holm's correction for the table's 5 comparisons."
    )
    assert table.notes[2].startswith("SOFTMAX and FOCAL are the same training")


def test_rows_without_all_seeds_take_no_part_in_the_marks() -> None:
    """LDAM's one seed is its best; against the same seed of softmax it is worse."""
    table = make_table("softmax", "focal", "ldam", seeds=(0, 1, 2))
    results = make_results(
        *(("softmax", seed, acc1) for seed, acc1 in enumerate((0.9, 0.4, 0.2))),
        *(("focal", seed, acc1) for seed, acc1 in enumerate((0.95, 0.45, 0.25))),
        ("ldam", 0, 0.8),
    )
    comparisons = make_comparisons(
        *(("softmax", "focal", 1e-6), ("softmax", "ldam", 1e-6), ("focal", "ldam", 1e-6)),
        values={"softmax": 0.5, "focal": 0.55, "ldam": 0.4},
    )
    note = (
        "LDAM has 1 of 3 seeds: its interval does not include the variation between trainings, "
        "and it cannot be marked."
    )
    acc1, _, _, quality, *_ = with_intervals(results, comparisons, table)
    assert marks(acc1, "differs") == {"SOFTMAX": [], "FOCAL": [0, 1, 2, 3, 4], "LDAM": []}
    assert marks(acc1, "best") == {"SOFTMAX": [], "FOCAL": [], "LDAM": []}  # LDAM's mean is larger
    assert "the table's 5 comparisons" in acc1.notes[0]
    assert acc1.notes[1:] == (note,)
    assert quality.notes == (
        "LDAM has 1 of 3 seeds: its interval does not include the variation between trainings.",
    )
    results.loc[results["method"] == "ldam", "acc1"] = 0.3
    below, *_ = with_intervals(results, comparisons, table)
    assert marks(below, "best") == {"SOFTMAX": [], "FOCAL": [0, 1, 2, 3, 4], "LDAM": []}


def test_what_is_bold_differs_from_softmax_in_its_own_table() -> None:
    """0.02 is beyond noise among the rows of a column, but not among the table's comparisons."""
    comparisons = make_comparisons(
        *(("softmax", "focal", 0.02), ("softmax", "ldam", 0.5), ("focal", "ldam", 0.02)),
        values=ACCURACIES,
    )
    for table in with_intervals(make_results(*ONE_EACH), comparisons):
        assert not any(cell.best or cell.differs for _, cells in table.rows for cell in cells)


def test_columns_of_test_sets_that_the_data_lack_are_left_out() -> None:
    results = make_results(*ONE_EACH)
    results = results[~results["test_set"].isin(["many", "few"])]
    tables = with_intervals(results, DIFFERENT)
    headings = [heading for heading, _ in tables[LAYOUTS.index(GROUPS_LAYOUT)].layout.headings]
    assert headings == ["Head", "Middle", "Tail", "Medium (20-100)"]
    assert [len(cells) for table in tables for _, cells in table.rows[:1]] == [5, 15, 4, 6]
    assert tables[LAYOUTS.index(QUALITY_LAYOUT)].layout == QUALITY_LAYOUT


def test_trainings_are_methods_with_the_same_fingerprints_in_all_seeds() -> None:
    results = make_results(
        *((method, seed, 0.5) for method in ("ldam", "focal", "softmax") for seed in (0, 1))
    )
    results["fingerprint"] = [f"{seed}" for seed in results["seed"]]
    apart = (results["method"] == "ldam") & (results["seed"] == 1)
    results.loc[apart, "fingerprint"] = "other"
    assert trainings_of(results, TABLE) == [["softmax", "focal"], ["ldam"]]
    assert trainings_of(results.iloc[:0], TABLE) == []


def test_the_grid_of_four_backbones_and_two_training_sets_is_tables_1_to_16(
    base_config: dict[str, Any],
) -> None:
    parameters = parse(base_config)
    found = [
        (thesis_table(make_summaries(("softmax", 0, 0.5)), table, layout), table)
        for table in tables(parameters)["digits"].tables
        for layout in THESIS_LAYOUTS
    ]
    assert [printed.number for printed, _ in found] == [f"A.{n}" for n in range(1, 17)]
    order = [(table.backbone, table.train_set) for _, table in found[::2]]
    assert order == list(product(parameters.grid.backbones, ["balanced", "long_tailed"]))
    assert {len(printed.rows) for printed, _ in found} == {7}
