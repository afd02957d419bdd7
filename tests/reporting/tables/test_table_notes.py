from __future__ import annotations

import numpy as np
import pytest

from longtail.evaluation.uncertainty import interval_over_seeds
from longtail.reporting.tables.table_notes import (
    fewer_seeds_notes,
    five_crop_notes,
    mark_notes,
    no_interval_notes,
    no_result_notes,
    post_hoc_notes,
    reading_note,
    shared_training_notes,
    unequal_seeds_notes,
)
from tests.reporting.rows import STATISTICS, make_results, make_summaries, make_table

TABLE = make_table("softmax", "focal", "ldam")


def test_one_seed_is_said_to_show_nothing_of_another_training() -> None:
    scores = make_summaries(("softmax", 0, 0.5))
    assert reading_note(scores, STATISTICS, has_stars=False, has_bold=False) == (
        "± is the distance to the farther end of the 95% interval; both ends are in scores.csv. "
        "Intervals are exact (Clopper-Pearson) for Acc1 and Top-5, of the same kind with the "
        "variance of the metric for the others, and gamma intervals for losses. One seed does not "
        "show how much trainings vary: another one can differ by more than these intervals show. "
        "Train several (grid.seeds)."
    )


def test_two_seeds_are_said_to_make_intervals_wide() -> None:
    scores = make_summaries(*(("softmax", seed, 0.5) for seed in range(2)))
    note = reading_note(scores, STATISTICS, has_stars=False, has_bold=False)
    assert note.endswith(
        " Two seeds hardly show how much trainings vary, and make intervals wide: a third one more "
        "than halves what they add (grid.seeds)."
    )
    for confidence in (0.9, 0.95, 0.99):
        two, three = (
            interval_over_seeds(v := np.array(values), v, v, confidence)
            for values in ([0.4, 0.6], [0.4, 0.5, 0.6])
        )
        # In standard deviations between seeds.
        assert (two[2] - two[0]) / two[3] > 2 * (three[2] - three[0]) / three[3]


def test_several_seeds_are_said_to_widen_the_intervals() -> None:
    scores = make_summaries(*(("softmax", seed, 0.5) for seed in range(3)), ("ldam", 0, 0.5))
    ninety = STATISTICS.model_copy(update={"confidence": 0.9, "resamples": 200})
    note = reading_note(scores, ninety, has_stars=True, has_bold=False)
    assert "the farther end of the 90% interval" in note
    assert (
        "gamma intervals for losses, widened by Student's interval over 3 "
        "seeds. All seeds train on the same images: the interval contains the variation of "
        "weights, order and augmentation, not that of another draw of the training images. "
        "Values are means over seeds; their standard deviation is in brackets." in note
    )
    assert "p < 0.1 after" in note
    assert "One seed" not in note and "Two seeds" not in note
    drawn = reading_note(scores, ninety, has_stars=True, has_bold=False, draw_per_seed=True)
    assert "3 seeds. Each seed draws its own training images: the interval also" in drawn
    assert "All seeds train on the same" not in drawn


STAR_MEANS = "* differs from Softmax (corrected for all comparisons of the table)"
BOLD_MEANS = "bold is better than every other row (corrected for these)"


@pytest.mark.parametrize(
    ("has_stars", "has_bold", "said"),
    [
        (True, False, f"{STAR_MEANS}. Rows"),
        (False, True, f"{BOLD_MEANS}. Rows"),
        (True, True, f"{STAR_MEANS}; {BOLD_MEANS}. Rows"),
    ],
)
def test_marks_are_explained_if_any_table_has_them(
    has_stars: bool, has_bold: bool, said: str
) -> None:
    scores = make_summaries(("softmax", 0, 0.5))
    note = reading_note(scores, STATISTICS, has_stars=has_stars, has_bold=has_bold)
    assert f"p < 0.05 after Holm's correction: {said} that are the same training" in note
    assert note.endswith("Only Acc1 and F1 are compared.")
    assert ("Where nothing is bold" in note) == has_bold


def test_without_results_there_is_still_something_to_read() -> None:
    nothing = make_summaries(("softmax", 0, 0.5)).iloc[:0]
    assert "One seed" in reading_note(nothing, STATISTICS, has_stars=False, has_bold=False)


STAR_NOTE = (
    "* differs from SOFTMAX, p < 0.05 after Holm's correction for the table's 12 comparisons."
)
BOLD_NOTE = (
    "Bold is better than every other row, p < 0.05 after Holm's correction for the other rows."
)


@pytest.mark.parametrize(
    ("has_stars", "has_bold", "expected"),
    [
        (False, False, ()),
        (True, False, (STAR_NOTE,)),
        (False, True, (BOLD_NOTE,)),
        (True, True, (STAR_NOTE, BOLD_NOTE)),
    ],
)
def test_marks_are_explained_where_there_are_any(
    has_stars: bool, has_bold: bool, expected: tuple[str, ...]
) -> None:
    notes = mark_notes(TABLE, STATISTICS, 12, has_stars=has_stars, has_bold=has_bold)
    assert notes == expected


def test_figures_without_an_interval_say_why() -> None:
    assert no_interval_notes(False, 1) == no_interval_notes(False, 3) == ()
    assert no_interval_notes(True, 1) == (
        "±--: no interval, since fewer than 2 predictions are wrong: how large the loss of a wrong "
        "one is has hardly been seen.",
    )
    assert no_interval_notes(True, 3) == (
        "±--: no interval, since for at least one of the seeds, fewer than 2 predictions are "
        "wrong: how large the loss of a wrong one is has hardly been seen.",
    )


def test_rows_of_one_training_are_named() -> None:
    assert shared_training_notes([["softmax"], ["focal", "ldam"]], TABLE) == (
        "FOCAL and LDAM are the same training: on these class counts their losses are equal.",
    )
    assert shared_training_notes([["softmax"], ["focal"]], TABLE) == ()


def test_post_hoc_rows_say_whose_training_they_are_and_what_was_done() -> None:
    results = make_results(("softmax", 0, 0.5), ("focal", 0, 0.5), ("ldam", 0, 0.5))
    assert post_hoc_notes(results, TABLE) == ()
    late = results["method"] == "focal"
    results = results.assign(post_hoc="none", tau=float("nan"))
    noted = '{"kind": "tau_normalization", "tau": [0.5, 1.0]}'
    for column, value in (("fingerprint", "softmax0"), ("post_hoc", noted), ("tau", 0.5)):
        results[column] = results[column].mask(late, value)
    what = (
        "the class vectors are divided by their norms to the power 0.5 (chosen on the validation "
        "images, of 0.5, 1). Its loss is the training criterion on the changed logits."
    )
    assert post_hoc_notes(results, TABLE) == (
        f"FOCAL is post hoc: the training of SOFTMAX, of which {what}",
    )
    assert post_hoc_notes(results[late], TABLE) == (
        f"FOCAL is post hoc: a training without it, of which {what}",
    )


def test_rows_of_five_crops_are_named() -> None:
    results = make_results(("softmax", 0, 0.5), ("focal", 0, 0.5), ("ldam", 0, 0.5))
    assert five_crop_notes(results, TABLE) == ()
    assert five_crop_notes(results.assign(five_crop_size=float("nan")), TABLE) == ()
    sizes = results["method"].map({"focal": 248, "ldam": 248})
    assert five_crop_notes(results.assign(five_crop_size=sizes), TABLE) == (
        "FOCAL and LDAM: mean logits of five crops of each image, which is enlarged to 248 pixels.",
    )


def test_rows_without_a_result_are_named() -> None:
    assert no_result_notes({"softmax", "focal", "ldam"}, TABLE) == ()
    assert no_result_notes({"softmax", "focal"}, TABLE) == (
        "LDAM: no result; its trial failed or has not been run.",
    )
    assert no_result_notes({"softmax"}, TABLE) == (
        "FOCAL and LDAM: no result; their trials failed or have not been run.",
    )
    two_seeds = make_table("softmax", "ldam", seeds=(0, 1))
    assert no_result_notes({"softmax"}, two_seeds) == (
        "LDAM: no result; its trials failed or have not been run.",
    )


def test_rows_of_fewer_seeds_than_the_grids_are_named_and_missing_ones_are_not() -> None:
    table = make_table("softmax", "focal", "ldam", seeds=(0, 1, 2))
    assert fewer_seeds_notes({"softmax": 3, "focal": 1}, table) == ("FOCAL: 1 of 3 seeds.",)
    assert fewer_seeds_notes({"softmax": 3}, table) == ()
    assert fewer_seeds_notes({}, table) == ()
    # No row has all seeds of the grid.
    assert fewer_seeds_notes({"softmax": 2, "ldam": 2}, table) == (
        "SOFTMAX: 2 of 3 seeds.",
        "LDAM: 2 of 3 seeds.",
    )


def test_what_fewer_seeds_mean_is_reported() -> None:
    table = make_table("softmax", "focal", "ldam", seeds=(0, 1, 2))
    assert unequal_seeds_notes({"softmax": 3, "focal": 2, "ldam": 1}, table, {"focal", "ldam"}) == (
        "FOCAL has 2 of 3 seeds, and it cannot be marked.",
        "LDAM has 1 of 3 seeds: its interval does not include the variation between trainings, "
        "and it cannot be marked.",
    )
    assert unequal_seeds_notes({"softmax": 2, "ldam": 1}, table, ()) == (
        "SOFTMAX has 2 of 3 seeds.",
        "LDAM has 1 of 3 seeds: its interval does not include the variation between trainings.",
    )
    assert unequal_seeds_notes({"softmax": 3}, table, {"focal", "ldam"}) == ()
