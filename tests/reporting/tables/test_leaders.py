from __future__ import annotations

import pandas as pd
import pytest

from longtail.reporting.tables.chapter import chapter, overall_results
from longtail.reporting.tables.leaders import (
    LEADER_COLUMNS,
    find_leaders,
    headline_tables,
    leader_paragraphs,
    noise_note,
)
from longtail.schemas.report import LEADERS
from tests.reporting.rows import (
    STATISTICS,
    make_comparisons,
    make_contents,
    make_results,
    make_summaries,
    make_table,
)

TABLE = make_table("softmax", "focal", "ldam", train_set="long_tailed", number=3)
CONTENTS = make_contents(make_table("softmax", "focal", "ldam"), TABLE)
PROFILE = pd.DataFrame({"group": ["head", "middle", "tail"], "train_long_tailed": [100, 10, 1]})
TRIALS = ("softmax", 0, 0.5), ("focal", 0, 0.75), ("ldam", 0, 0.25)
VALUES = {"softmax": 0.5, "focal": 0.75, "ldam": 0.25}


def found(
    *pairs: tuple[str, str, float], trials: tuple[tuple[str, int, float], ...] = TRIALS
) -> pd.DataFrame:
    """The leaders of the long-tailed training set, from the p-values of pairs of methods."""
    results = make_results(*trials, train_set="long_tailed")
    return find_leaders(
        make_summaries(*trials, train_set="long_tailed"),
        make_comparisons(*pairs, values=VALUES, train_set="long_tailed"),
        results,
        PROFILE,
        make_contents(TABLE),
        STATISTICS,
    )


def sentences(table: pd.DataFrame) -> str:
    """What is said of the methods of the long-tailed training set."""
    [(_, text)] = leader_paragraphs(table, make_contents(TABLE))
    return text


def places(table: pd.DataFrame, part: str = "tail") -> dict[str, str]:
    own = table[table["part"] == part]
    return dict(zip(own["method"], own["place"], strict=True))


def test_each_method_has_a_place_beside_the_best() -> None:
    table = found(("softmax", "focal", 0.03), ("focal", "ldam", 0.001), ("softmax", "ldam", 1e-9))
    # Holm: 0.03 is the larger of two, and stays; 0.001 is doubled.
    worse = {"softmax": "worse", "focal": "best", "ldam": "worse"}
    assert places(table) == places(table, "overall") == worse
    tail = table[table["part"] == "tail"].set_index("method")
    assert tail.loc["softmax", "p"] == pytest.approx(0.03)
    assert tail.loc["ldam", "p"] == pytest.approx(0.002)
    assert tail["p"].isna().tolist() == [False, True, False]
    assert set(tail["test_set"]) == {"balanced_tail"}
    assert list(table.columns) == list(LEADER_COLUMNS)
    LEADERS.validate(table)


def test_corrected_p_values_decide() -> None:
    table = found(("softmax", "focal", 0.03), ("focal", "ldam", 0.04))  # 0.06 for both
    assert set(places(table).values()) == {"best", "not significantly worse"}


@pytest.mark.parametrize(
    ("p_values", "sentence"),
    [
        ((0.001, 0.001), "FOCAL is best, beyond noise: 0.750 [0.688, 0.812]."),
        (
            (0.9, 0.001),
            "FOCAL reaches 0.750 [0.688, 0.812], and SOFTMAX is not significantly worse; "
            "1 other method is.",
        ),
        (
            (0.9, 0.9),
            "no method is best beyond noise: FOCAL reaches 0.750 [0.688, 0.812], and none of the "
            "others is significantly worse.",
        ),
    ],
)
def test_sentences_say_what_is_beyond_noise(p_values: tuple[float, float], sentence: str) -> None:
    one, other = p_values
    table = found(("softmax", "focal", one), ("focal", "ldam", other))
    assert sentences(table) == (
        f"For the tail (100 images of the balanced test set), {sentence} "
        f"Overall (100 images of the balanced test set), {sentence}"
    )


def test_methods_that_lack_seeds_are_not_compared() -> None:
    trials = (*TRIALS, ("softmax", 1, 0.5), ("focal", 1, 0.75))
    table = found(("softmax", "focal", 0.001), trials=trials)
    assert places(table) == {"softmax": "worse", "focal": "best", "ldam": "not compared"}


def test_a_pair_without_a_test_is_within_noise() -> None:
    assert places(found())["softmax"] == "not significantly worse"


def test_one_method_is_compared_with_nothing() -> None:
    table = found(trials=TRIALS[:1])
    told = "SOFTMAX is not compared with another training: 0.500 [0.438, 0.562]."
    assert f"test set), {told} Overall (" in sentences(table)


def test_methods_of_one_training_are_best_together() -> None:
    trials = ("softmax", 0, 0.75), ("focal", 0, 0.75), ("ldam", 0, 0.25)
    results = make_results(*trials, train_set="long_tailed")
    results["fingerprint"] = results["fingerprint"].replace("focal0", "softmax0")
    tests = make_comparisons(("softmax", "ldam", 1e-4), values=VALUES, train_set="long_tailed")
    scores = make_summaries(*trials, train_set="long_tailed")
    table = find_leaders(scores, tests, results, PROFILE, make_contents(TABLE), STATISTICS)
    assert places(table) == {"softmax": "best", "focal": "best", "ldam": "worse"}
    assert "SOFTMAX and FOCAL (one training) are best, beyond noise" in sentences(table)


@pytest.mark.parametrize(
    ("values", "p", "expected", "sentence"),
    [
        ((0.0, 0.0, 0.0), 1.0, "best", "SOFTMAX, FOCAL, and LDAM are equal: 0.000 [0.000, 0.062]."),
        (
            (0.5, 0.5, 0.25),
            0.001,
            "worse",
            "SOFTMAX and FOCAL are equal and best, beyond noise: 0.500 [0.438, 0.562].",
        ),
        (
            (0.5, 0.5, 0.25),
            0.9,
            "not significantly worse",
            "no method is best beyond noise: SOFTMAX and FOCAL are equal at 0.500 [0.438, 0.562], "
            "and none of the others is significantly worse.",
        ),
    ],
)
def test_methods_of_the_highest_accuracy_are_best_together(
    values: tuple[float, float, float], p: float, expected: str, sentence: str
) -> None:
    names = ("softmax", "focal", "ldam")
    trials = tuple((name, 0, value) for name, value in zip(names, values, strict=True))
    table = found(("softmax", "focal", 1.0), ("softmax", "ldam", p), trials=trials)
    assert places(table) == {"softmax": "best", "focal": "best", "ldam": expected}
    assert f"test set), {sentence} Overall (" in sentences(table)


def test_the_long_tailed_training_set_is_judged() -> None:
    assert headline_tables(CONTENTS) == [TABLE]
    assert headline_tables(make_contents(*CONTENTS.tables[:1])) == [CONTENTS.tables[0]]
    paragraphs = leader_paragraphs(found().iloc[:0], CONTENTS)
    assert paragraphs == [("MobileNetV2, trained long-tailed", "No trial has results.")]


def test_the_chapter_has_section_5_1_and_a_table_per_training_set() -> None:
    section = overall_results(noise_note(STATISTICS), [("A & B", "100% best.")])
    assert section.startswith("\\section{Overall Results}\n\n\\paragraph{A \\& B.} 100\\% best.")
    assert "p \\textless{} 0.05 after Holm's correction" in section
    document = chapter(section, [("A & B", [("tab:one", "TABLE ONE"), ("tab:two", "TABLE TWO")])])
    order = ["\\setcounter{chapter}{4}", section, "\\subsection{A \\& B}", "\\ref{tab:one}",
             "TABLE ONE", "\\ref{tab:two}", "TABLE TWO", "\\end{document}"]  # fmt: skip
    positions = [document.index(part) for part in order]
    assert positions == sorted(positions)


def test_classes_of_equal_size_have_no_tail() -> None:
    scores, results = (
        make(*TRIALS, train_set="long_tailed") for make in (make_summaries, make_results)
    )
    table = find_leaders(
        scores, make_comparisons(train_set="long_tailed"), results,
        PROFILE.assign(train_long_tailed=9), make_contents(TABLE), STATISTICS,
    )  # fmt: skip
    assert set(table["part"]) == {"overall"}
    assert sentences(table).startswith("Overall (100 images of the balanced test set), ")
