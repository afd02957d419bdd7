from __future__ import annotations

import pytest

from longtail.reporting.notes import (
    fewer_seeds_notes,
    listed,
    mark_notes,
    percent,
    reading_note,
    shared_training_notes,
)
from tests.reporting.rows import STATISTICS, make_summaries, make_table

TABLE = make_table("softmax", "focal", "ldam")


def test_one_seed_is_said_to_show_nothing_of_another_training() -> None:
    note = reading_note(make_summaries(("softmax", 0, 0.5)), STATISTICS)
    assert note.startswith(
        "± is half of the 95% interval: Wilson's for Acc1 and Top-5, the bootstrap's (1,000 "
        "resamples of the test images) for the others. One seed cannot show what another training "
        "would have given. * differs from Softmax;"
    )
    assert "p < 0.05 after Holm's correction" in note


def test_several_seeds_are_said_to_widen_the_intervals() -> None:
    scores = make_summaries(*(("softmax", seed, 0.5) for seed in range(3)), ("ldam", 0, 0.5))
    ninety = STATISTICS.model_copy(update={"confidence": 0.9, "resamples": 200})
    note = reading_note(scores, ninety)
    assert "± is half of the 90% interval" in note
    assert (
        "(200 resamples of the test images) for the others, widened by Student's interval over 3 "
        "seeds. The figures are the seeds' means; in brackets, their standard deviation." in note
    )
    assert "p < 0.1 after" in note
    assert "One seed" not in note


def test_without_results_there_is_still_something_to_read() -> None:
    assert "One seed" in reading_note(make_summaries(("softmax", 0, 0.5)).iloc[:0], STATISTICS)


@pytest.mark.parametrize(
    ("comparisons", "has_bold", "expected"),
    [
        (0, False, ()),
        (
            12,
            False,
            (
                "* differs from SOFTMAX, p < 0.05 after Holm's correction for the table's 12 "
                "comparisons.",
            ),
        ),
        (
            0,
            True,
            (
                "Bold is better than every other row, p < 0.05 after Holm's correction for the "
                "other rows.",
            ),
        ),
    ],
)
def test_marks_are_explained_where_there_are_any(
    comparisons: int, has_bold: bool, expected: tuple[str, ...]
) -> None:
    assert mark_notes(TABLE, STATISTICS, comparisons, has_bold) == expected


def test_rows_of_one_training_are_named() -> None:
    assert shared_training_notes([["softmax"], ["focal", "ldam"]], TABLE) == (
        "FOCAL and LDAM are one training: on these class counts their losses are the same "
        "function.",
    )
    assert shared_training_notes([["softmax"], ["focal"]], TABLE) == ()


def test_rows_of_fewer_seeds_are_named_and_missing_ones_are_not() -> None:
    trials = [("softmax", seed, 0.5) for seed in range(3)] + [("focal", 1, 0.5)]
    assert fewer_seeds_notes(make_summaries(*trials), TABLE) == ("FOCAL: 1 of 3 seeds.",)
    assert fewer_seeds_notes(make_summaries(*trials[:3]), TABLE) == ()
    assert fewer_seeds_notes(make_summaries(*trials).iloc[:0], TABLE) == ()


@pytest.mark.parametrize(
    ("words", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b, and c")],
)
def test_words_are_listed(words: list[str], text: str) -> None:
    assert listed(words) == text


@pytest.mark.parametrize(("share", "text"), [(0.95, "95%"), (0.995, "99.5%"), (2 / 3, "66.67%")])
def test_shares_are_said_in_percent(share: float, text: str) -> None:
    assert percent(share) == text
