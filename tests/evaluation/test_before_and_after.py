"""A model before and after its data set grew, on the photographs that tested both."""

from __future__ import annotations

import pandas as pd
import pytest
import scipy

from longtail.evaluation.before_and_after import compare_models


def answers_to(photographs: list[bytes], true: str, predicted: str) -> pd.DataFrame:
    """Species are letters, one for each photograph."""
    return pd.DataFrame({"true": list(true), "predicted": list(predicted)}, index=photographs)


def answers(right: dict[str, bool]) -> pd.DataFrame:
    """Photographs by name; their species is the first letter."""
    said = [name[0] if is_right else "?" for name, is_right in right.items()]
    species = "".join(name[0] for name in right)
    return answers_to([name.encode() for name in right], species, "".join(said))


def test_a_corrected_label_counts_for_both_models() -> None:
    """Photograph 1 was of `a` before, and is of `b` now; the first model said `b`."""
    before = answers_to([b"1", b"2"], "aa", "ba")
    after = answers_to([b"1", b"2"], "ba", "aa")
    found = compare_models(before, after)
    assert found is not None
    assert (found.right_before, found.right_after, found.by_species) == (2, 1, {"b": -1})


def test_a_species_with_a_new_name_is_the_same_species() -> None:
    before = answers_to([b"1", b"2", b"3"], "xxb", "xbb")
    after = answers_to([b"1", b"2", b"3"], "yyb", "yyb")
    found = compare_models(before, after)
    assert found is not None
    assert (found.right_before, found.right_after, found.by_species) == (2, 3, {"y": 1})
    found = compare_models(before, answers_to([b"1", b"2", b"3"], "yzb", "yyb"))
    assert found is not None
    assert found.right_before == 1  # "x" is neither of the two


def test_only_photographs_that_tested_both_count() -> None:
    before = answers({"a1": False, "a2": False, "b1": True, "b2": True, "old": True})
    after = answers({"b2": True, "b1": False, "a2": True, "a1": True, "new": False})
    found = compare_models(before, after)
    assert found is not None
    assert (found.images, found.right_before, found.right_after) == (4, 2, 3)
    assert found.by_species == {"a": 2, "b": -1}
    assert found.p == pytest.approx(scipy.stats.binomtest(1, 3).pvalue)
    assert compare_models(answers({"x": True}), answers({"y": True})) is None


def test_one_sentence_says_how_much_and_where() -> None:
    before = answers({f"{letter}{n}": letter == "z" for letter in "abcdefgz" for n in range(2)})
    after = answers({f"{letter}{n}": letter != "z" for letter in "abcdefgz" for n in range(2)})
    found = compare_models(before, after)
    assert found is not None
    assert found.sentence("moths.natural.m.softmax.seed0", 0.05) == (
        "moths.natural.m.softmax.seed0 names 14 of the same 16 test photographs correctly, 2 "
        "before the data set changed: +75.0 points (McNemar's test: p = 0.0042, a clear "
        "difference); better on a (+2), b (+2), c (+2), d (+2), e (+2) and 2 others; worse on z "
        "(-2)"
    )
    same = compare_models(before, before)
    assert same is not None
    assert same.sentence("m", 0.05) == (
        "m names 2 of the same 16 test photographs correctly, 2 before the data set changed: "
        "+0.0 points (McNemar's test: p = 1, no clear difference)"
    )
