from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtail.parameters import Table
from longtail.reporting.tables import (
    METRICS,
    TEST_SETS,
    escaped,
    latex,
    printed,
    rows_of,
    shared_training_notes,
    wide_scores,
)

TABLE = Table(
    dataset="digits",
    backbone="vit",
    backbone_label="ViT",
    train_set="balanced",
    methods={"softmax": "Softmax", "focal": "Focal loss", "ldam": "LDAM"},
    number=5,
)
FULL = ("loss", "acc1", "f1")


def results(*scores: tuple[str, int, float], **changes: Any) -> pd.DataFrame:
    """Rows of all test sets, from (method, seed, accuracy); loss is 1 - accuracy, F1 half of it."""
    rows = [
        {
            "dataset": "digits",
            "train_set": "balanced",
            "backbone": "vit",
            "method": method,
            "seed": seed,
            "test_set": test_set,
            "images": 10,
            "loss": 1 - acc1,
            "acc1": acc1,
            "f1": acc1 / 2,
            "nll": 1.0,
            "fingerprint": f"{method}{seed}",
            "trained_by": "",
        }
        | changes
        for method, seed, acc1 in scores
        for test_set in (*TEST_SETS, "balanced_head", "validation")
    ]
    return pd.DataFrame(rows)


def column(table: Any, position: int) -> list[tuple[str, bool]]:
    return [(cells[position].text, cells[position].best) for _, cells in table.rows]


def test_caption_says_what_is_shown() -> None:
    one = results(("softmax", 0, 0.5))
    assert printed(one, TABLE, ("acc1",), 5).caption == (
        "Evaluation results for ViT trained on the balanced dataset, showing Acc1."
    )
    assert printed(one, TABLE, FULL, 6).caption == (
        "Evaluation results for ViT trained on the balanced dataset, showing Loss, Acc1, and F1 "
        "for each test set."
    )


def test_caption_names_the_training_set_and_the_seeds() -> None:
    table = TABLE.model_copy(update={"train_set": "long_tailed"})
    seeds = results(("softmax", 0, 0.5), ("softmax", 1, 0.7), train_set="long_tailed")
    assert printed(seeds, table, ("acc1",), 5).caption == (
        "Evaluation results for ViT trained on the long-tailed dataset, showing Acc1 "
        "(means of 2 seeds)."
    )


def test_only_the_tables_own_trials_are_shown() -> None:
    own = results(("softmax", 0, 0.5))
    others = [
        results(("softmax", 0, 0.9), train_set="long_tailed"),
        results(("softmax", 0, 0.9), backbone="convnext"),
        results(("other", 0, 0.9)),
    ]
    everything = pd.concat([*others, own], ignore_index=True)
    assert rows_of(everything, TABLE).to_dict("list") == own.to_dict("list")
    assert column(printed(everything, TABLE, ("acc1",), 5), 0)[0] == ("0.5000", True)


def test_best_of_each_column_is_marked_ties_too() -> None:
    table = printed(
        results(("softmax", 0, 0.50001), ("focal", 0, 0.50004), ("ldam", 0, 0.4)),
        TABLE,
        FULL,
        6,
    )
    assert column(table, 0) == [("0.5000", True), ("0.5000", True), ("0.6000", False)]  # loss
    assert column(table, 1) == [("0.5000", True), ("0.5000", True), ("0.4000", False)]
    assert column(table, 2) == [("0.2500", True), ("0.2500", True), ("0.2000", False)]
    assert [len(cells) for _, cells in table.rows] == [15, 15, 15]


def test_rows_come_in_the_order_of_the_methods() -> None:
    table = printed(results(("ldam", 0, 0.4), ("softmax", 0, 0.5)), TABLE, ("acc1",), 5)
    assert [label for label, _ in table.rows] == ["Softmax", "Focal loss", "LDAM"]


def test_missing_trial_is_printed_as_a_dash_and_is_never_best() -> None:
    table = printed(results(("softmax", 0, 0.5)), TABLE, ("acc1",), 5)
    assert column(table, 4) == [("0.5000", True), ("--", False), ("--", False)]


def test_table_without_any_result_is_all_dashes() -> None:
    nothing = results(("softmax", 0, 0.5)).iloc[:0]
    table = printed(nothing, TABLE, FULL, 6)
    assert {cell for _, cells in table.rows for cell in cells} == {cells[0]
            for _, cells in table.rows}  # fmt: skip
    assert column(table, 0) == [("--", False)] * 3
    assert table.notes == ()


def test_scores_are_means_over_seeds() -> None:
    wide = wide_scores(results(("softmax", 0, 0.5), ("softmax", 3, 0.8), ("ldam", 0, 0.3)), TABLE)
    scores = [f"{test_set}_{metric}" for test_set in TEST_SETS for metric in METRICS]
    assert wide.columns.tolist()[-len(scores) :] == scores
    assert wide["label"].tolist() == ["Softmax", "Focal loss", "LDAM"]
    assert wide["method"].tolist() == ["softmax", "focal", "ldam"]
    np.testing.assert_allclose(wide["tail_acc1"], [0.65, np.nan, 0.3])
    np.testing.assert_allclose(wide["head_loss"], [0.35, np.nan, 0.7])


def test_rows_of_one_training_are_named() -> None:
    rows = results(("softmax", 0, 0.5), ("focal", 0, 0.5), ("ldam", 0, 0.4), fingerprint="same")
    rows.loc[rows["method"] == "ldam", "fingerprint"] = "other"
    expected = (
        "Softmax and Focal loss are one training: on these class counts their losses are the same "
        "function."
    )
    assert shared_training_notes(rows, TABLE) == (expected,)
    assert expected in latex(printed(rows, TABLE, FULL, 6))


def test_rows_of_one_training_in_every_seed_are_named_once() -> None:
    rows = pd.concat(
        [
            results(("softmax", s, 0.5), ("focal", s, 0.5), ("ldam", s, 0.5), fingerprint=f"s{s}")
            for s in (0, 1)
        ]
    )
    (note,) = shared_training_notes(rows, TABLE)
    assert note.startswith("Softmax, Focal loss, and LDAM are one training")


def test_trainings_apart_have_no_note() -> None:
    rows = results(("softmax", 0, 0.5), ("softmax", 1, 0.5), ("ldam", 0, 0.5))
    assert shared_training_notes(rows, TABLE) == ()


def test_latex_of_accuracies_is_the_thesis_table() -> None:
    table = printed(results(("softmax", 0, 0.5), ("ldam", 0, 0.75)), TABLE, ("acc1",), 5)
    lines = latex(table).splitlines()
    assert lines[0] == r"\begin{table}[htbp]"
    assert r"\setcounter{table}{4}" in lines  # so that its number is 5
    assert r"\begin{tabular}{lccccc}" in lines
    assert r"Loss function & Balanced & Long-tailed & Head & Middle & Tail \\" in lines
    assert "Softmax" + " & 0.5000" * 5 + r" \\" in lines
    assert "LDAM" + r" & \textbf{0.7500}" * 5 + r" \\" in lines
    assert "Focal loss" + " & --" * 5 + r" \\" in lines
    assert rf"\caption{{{table.caption}}}" in lines


def test_latex_of_all_metrics_groups_them_by_test_set() -> None:
    lines = latex(printed(results(("softmax", 0, 0.5)), TABLE, FULL, 6)).splitlines()
    assert r"\begin{tabular}{lccccccccccccccc}" in lines
    heads = [rf"\multicolumn{{3}}{{c}}{{{name}}}" for name in TEST_SETS.values()]
    assert "Loss function & " + " & ".join(heads) + r" \\" in lines
    rules = [line for line in lines if line.startswith(r"\cmidrule")]
    assert rules == [rf"\cmidrule(lr){{{a}-{a + 2}}}" for a in (2, 5, 8, 11, 14)]
    assert " & Loss & Acc1 & F1" + " & Loss & Acc1 & F1" * 4 + r" \\" in lines


def unescaped(text: str) -> str:
    """What LaTeX prints of escaped text."""
    out, rest = "", text
    words = {
        r"\textasciitilde{}": "~",
        r"\textasciicircum{}": "^",
        r"\textbackslash{}": "\\",
        r"\textless{}": "<",
        r"\textgreater{}": ">",
        r"\textbar{}": "|",
    }
    while rest:
        for command, character in words.items():
            if rest.startswith(command):
                out, rest = out + character, rest[len(command) :]
                break
        else:
            if rest[0] == "\\":
                assert rest[1] in "&%$#_{}"
                rest = rest[1:]
            else:
                assert rest[0] not in "&%$#_{}~^<>|"
            out, rest = out + rest[0], rest[1:]
    return out


@given(st.text(alphabet="ab &%$#_{}~^<>|\\ü1-", max_size=40))
def test_escaped_text_prints_as_itself(text: str) -> None:
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize("label", ["100% & more", "a_b", r"\LaTeX{}"])
def test_labels_are_escaped_in_latex(label: str) -> None:
    table = TABLE.model_copy(update={"methods": {"softmax": label}, "backbone_label": label})
    source = latex(printed(results(("softmax", 0, 0.5)), table, ("acc1",), 5))
    assert f"{escaped(label)} & " in source
    assert f"results for {escaped(label)} trained" in source
    assert label not in source
