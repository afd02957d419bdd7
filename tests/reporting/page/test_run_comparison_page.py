"""The page that compares two runs: what it says in a sentence, and that it fits a phone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.evaluation.run_comparison import accuracy_changes, changed_answers, data_changes
from longtail.reporting.page.run_comparison_page import RunComparison, comparison_page, trials_text
from tests.browser import NARROW, WIDE, chromium, open_page, problems, too_wide

TRIAL = "digits.long_tailed.mobilenetv2_micro.class_dependent_temperatures.seed0"
NAMES = [TRIAL, TRIAL.replace("seed0", "seed1")]


def page_of(before: str, after: str, changes: int = 1, unrecorded: Sequence[str] = ()) -> str:
    """The page of two trials that named the same images; a letter is an answer, and all are a."""
    old, new = (
        {name: pd.DataFrame({"true": "a", "predicted": list(answers)}) for name in NAMES}
        for answers in (before, after)
    )
    nothing = (pd.DataFrame({"label": [0]}), pd.DataFrame({"role": ["test"], "name": ["t"]}))
    changed = changed_answers(old, new).assign(file="a.png", place=0)
    compared = RunComparison(
        label="Digits",
        versions=("2026-11-23T19.59.05.123Z", "2026-11-24T08.12.44.009Z"),
        parameters=pd.DataFrame(
            [("recipe.epochs", "1", "3", NAMES)] * changes,
            columns=["key", "before", "after", "trials"],
        ),
        unrecorded=list(unrecorded),
        data=data_changes(nothing, nothing),
        accuracies={"balanced": accuracy_changes(old, new, 0.95)},
        both=len(NAMES),
        only=([TRIAL.replace("digits", "digits" * 9)], []),
        answers=changed,
    )
    return comparison_page(compared, 0.95, np.zeros((1, 8, 8, 3), np.uint8))


def test_a_change_of_all_trials_is_said_to_be_of_all() -> None:
    assert '<p class="note">Of all 2 trials.</p>' in page_of("ab", "aa")
    assert trials_text(["x"], 2) == trials_text(["x"], 1) == "x"


def test_the_sentence_counts_what_is_beyond_noise() -> None:
    assert "Of 2 trials that both runs have, 2 became better and 0 worse beyond noise." in page_of(
        "b" * 20, "a" * 20
    )
    assert "0 became better and 0 worse" in page_of("ab", "ba")


def test_parameters_are_said_to_be_the_same_only_where_all_are_known() -> None:
    same = "trained with the same parameters, on splits of the same parameters"
    assert same in page_of("ab", "aa", changes=0)
    unknown = page_of("ab", "aa", changes=0, unrecorded=["2026-11-23T19.59.05.123Z"])
    assert same not in unknown
    assert "MLflow has no record of those of 2026-11-23T19.59.05.123Z." in unknown


def test_where_no_image_changed_sides_there_is_no_interval() -> None:
    assert "<td>+0.0</td><td>--</td>" in page_of("ab", "ab")
    assert "<td>+0.0</td><td>--</td>" not in page_of("ab", "ba")


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_it_fits_the_screen_and_is_accessible(width: int, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page_of("ab", "ba"), encoding="utf-8")
    with chromium() as browser:
        for scheme in ("light", "dark"):
            page = open_page(browser, tmp_path / "page.html", width, scheme)
            assert too_wide(page) == []
            assert problems(page) == []
