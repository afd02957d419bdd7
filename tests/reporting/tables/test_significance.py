from __future__ import annotations

import pytest

from longtail.reporting.tables.layouts import Column
from longtail.reporting.tables.significance import (
    PairedTest,
    PairedTests,
    best_beyond_noise,
    differs_from_baseline,
    paired_tests,
    with_all_seeds,
)
from tests.reporting.rows import STATISTICS, make_comparisons

TAIL = Column("Tail", "tail", "acc1")
HEAD = Column("Head", "head", "acc1")
F1 = Column("Tail", "tail", "f1")
LOSS = Column("Tail", "tail", "loss")
APART = [["softmax"], ["a"], ["b"]]


Trainings = list[list[str]]


def best_of(
    tests: PairedTests,
    values: dict[str, float],
    trainings: Trainings,
    column: Column = TAIL,
    level: float = 0.05,
) -> set[str]:
    """The best of the column, where the table has no other."""
    differing, _ = differs_from_baseline(tests, [column], trainings, level)
    return best_beyond_noise(tests, column, values, trainings, level, differing)


def test_pairs_are_found_whichever_method_is_first() -> None:
    comparisons = make_comparisons(
        ("a", "softmax", 0.25), test_sets=["tail"], metrics=["acc1"], values={"a": 1, "softmax": 4}
    )
    assert paired_tests(comparisons) == {
        ("tail", "acc1", "a", "softmax"): PairedTest(-3, 0.25),
        ("tail", "acc1", "softmax", "a"): PairedTest(3, 0.25),
    }


@pytest.mark.parametrize("pair", [("softmax", "a"), ("a", "softmax")])
def test_marks_do_not_depend_on_the_order_of_a_pair(pair: tuple[str, str]) -> None:
    values = {"softmax": 0.5, "a": 0.4}
    tests = paired_tests(make_comparisons((*pair, 0.01), values=values))
    found = differs_from_baseline(tests, [TAIL], [["softmax"], ["a"]], 0.05)
    assert found == ({("a", TAIL)}, 1)
    assert best_of(tests, values, [["softmax"], ["a"]]) == {"softmax"}


def test_marks_are_corrected_for_all_comparisons_of_the_columns() -> None:
    comparisons = make_comparisons(("softmax", "a", 0.012), ("b", "softmax", 0.03), ("a", "b", 0))
    tests = paired_tests(comparisons)
    # Holm: 2 * 0.012 and 0.03.
    one = differs_from_baseline(tests, [TAIL], APART, 0.05)
    assert one == ({("a", TAIL), ("b", TAIL)}, 2)
    # 4 * 0.012 (and for the other no less), then 2 * 0.03.
    two = differs_from_baseline(tests, [TAIL, HEAD], APART, 0.05)
    assert two == ({("a", TAIL), ("a", HEAD)}, 4)
    # 6 * 0.012
    assert differs_from_baseline(tests, [TAIL, HEAD, F1], APART, 0.05) == (set(), 6)


def test_the_level_itself_is_no_difference() -> None:
    assert STATISTICS.level == 0.05
    values = {"softmax": 0.5, "a": 0.6}
    trainings = [["softmax"], ["a"]]
    for p, differs in ((0.05, False), (0.0499, True)):
        tests = paired_tests(make_comparisons(("softmax", "a", p), values=values))
        found, _ = differs_from_baseline(tests, [TAIL], trainings, STATISTICS.level)
        assert bool(found) == differs
        assert best_of(tests, values, trainings) == ({"a"} if differs else set())


def test_losses_have_no_marks() -> None:
    values = {"softmax": 1.5, "a": 0.5}
    tests = paired_tests(make_comparisons(("softmax", "a", 0.0), values=values))
    trainings = [["softmax"], ["a"]]
    assert differs_from_baseline(tests, [LOSS], trainings, 0.05) == (set(), 0)
    assert best_of(tests, values, trainings, LOSS) == set()


def test_rows_of_one_training_are_one_comparison() -> None:
    together = [["softmax", "c"], ["a", "b"]]
    values = {"softmax": 0.5, "c": 0.5, "a": 0.6, "b": 0.6}
    comparisons = make_comparisons(
        *(("softmax", "a", 0.03), ("softmax", "b", 0.03), ("softmax", "c", 1.0)),
        *(("a", "b", 1.0), ("a", "c", 0.03), ("b", "c", 0.03)),
        values=values,
    )
    tests = paired_tests(comparisons)
    found = differs_from_baseline(tests, [TAIL], together, 0.05)
    assert found == ({("a", TAIL), ("b", TAIL)}, 1)
    assert best_of(tests, values, together) == {"a", "b"}


def test_nothing_is_compared_without_softmax() -> None:
    values = {"a": 0.1, "b": 0.2, "softmax": 0.3}
    tests = paired_tests(make_comparisons(("a", "b", 0.0), ("softmax", "a", 0.0), values=values))
    assert differs_from_baseline(tests, [TAIL], [["a"], ["b"]], 0.05) == (set(), 0)
    assert best_of(tests, {"a": 0.1, "b": 0.2}, [["a"], ["b"]]) == {"b"}


def test_the_best_must_differ_from_every_other_training() -> None:
    values = {"softmax": 0.5, "a": 0.9, "b": 0.8}

    def best(of_softmax: float, of_b: float) -> set[str]:
        pairs = ("a", "softmax", of_softmax), ("a", "b", of_b), ("softmax", "b", 0.0)
        return best_of(paired_tests(make_comparisons(*pairs, values=values)), values, APART)

    assert best(0.001, 0.001) == {"a"}
    assert best(0.001, 0.06) == set()
    assert best(0.06, 0.001) == set()
    assert best(0.03, 0.03) == set()  # 2 * 0.03 is beyond the level
    assert best(0.02, 0.04) == {"a"}  # 2 * 0.02 and then 0.04 are not


def test_equal_figures_of_two_trainings_are_not_best() -> None:
    values = {"softmax": 0.5, "a": 0.9, "b": 0.9}
    tests = paired_tests(
        make_comparisons(
            ("a", "b", 1.0), ("a", "softmax", 0.0), ("b", "softmax", 0.0), values=values
        )
    )
    assert best_of(tests, values, APART) == set()
    assert best_of(tests, values, [["softmax"], ["a", "b"]]) == {"a", "b"}


def test_one_training_has_no_best() -> None:
    values = {"softmax": 0.5, "a": 0.5}
    tests = paired_tests(make_comparisons(("softmax", "a", 1.0), values=values))
    assert best_of(tests, values, [["softmax", "a"]]) == set()
    assert differs_from_baseline(tests, [TAIL], [["softmax", "a"]], 0.05) == (set(), 0)
    assert best_of({}, {}, []) == set()


def test_a_pair_without_a_test_leaves_the_best_open() -> None:
    # Trials of other seeds are not paired.
    values = {"softmax": 0.5, "a": 0.9, "b": 0.1}
    tests = paired_tests(make_comparisons(("a", "softmax", 0.0), values=values))
    assert best_of(tests, values, APART) == set()
    assert differs_from_baseline(tests, [TAIL], APART, 0.05) == ({("a", TAIL)}, 1)


def test_a_difference_of_the_other_sign_is_not_the_best() -> None:
    """The means say that a is better, the test that it is worse: as where seeds are not equal."""
    tests = paired_tests(
        make_comparisons(("a", "softmax", 1e-6), values={"a": 0.4, "softmax": 0.5})
    )
    assert best_of(tests, {"a": 0.6, "softmax": 0.5}, [["softmax"], ["a"]]) == set()
    assert best_of(tests, {"a": 0.4, "softmax": 0.5}, [["softmax"], ["a"]]) == {"softmax"}


def test_a_method_without_all_seeds_that_is_as_good_leaves_nothing_bold() -> None:
    values = {"softmax": 0.5, "a": 0.6}
    tests = paired_tests(make_comparisons(("softmax", "a", 0.0), values=values))
    for of_lacking, best in ((0.61, set()), (0.6, set()), (0.59, {"a"}), (float("nan"), {"a"})):
        found = best_of(tests, {**values, "b": of_lacking}, [["softmax"], ["a"]])
        assert found == best, of_lacking


def test_what_is_bold_has_a_star() -> None:
    """The star's correction is for more comparisons: those of all columns."""
    values = {"softmax": 0.5, "a": 0.9, "b": 0.5}
    pairs = ("a", "softmax", 0.02), ("a", "b", 0.02), ("softmax", "b", 1.0)
    tests = paired_tests(make_comparisons(*pairs, values=values))
    alone, _ = differs_from_baseline(tests, [TAIL], APART, 0.05)  # 2 * 0.02
    assert alone == {("a", TAIL)}
    assert best_beyond_noise(tests, TAIL, values, APART, 0.05, alone) == {"a"}
    of_two, _ = differs_from_baseline(tests, [TAIL, HEAD], APART, 0.05)  # 4 * 0.02
    assert of_two == set()
    assert best_beyond_noise(tests, TAIL, values, APART, 0.05, of_two) == set()


def test_where_softmax_is_bold_all_others_have_a_star() -> None:
    values = {"softmax": 0.9, "a": 0.5, "b": 0.5}
    pairs = ("a", "softmax", 0.0), ("b", "softmax", 0.0), ("a", "b", 1.0)
    tests = paired_tests(make_comparisons(*pairs, values=values))
    both = {("a", TAIL), ("b", TAIL)}
    assert best_beyond_noise(tests, TAIL, values, APART, 0.05, both) == {"softmax"}
    assert best_beyond_noise(tests, TAIL, values, APART, 0.05, {("a", TAIL)}) == set()
    assert best_beyond_noise(tests, TAIL, values, APART, 0.05, {("a", HEAD), *both}) == {"softmax"}


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ({}, set()),
        ({"a": {0}, "b": {3}}, {"a"}),
        ({"a": {0, 1, 2}, "b": {0, 1, 2}, "c": {0, 1}}, {"a", "b"}),
        ({"c": {2}, "a": {0, 1}, "b": {1, 2}, "d": {0, 1}}, {"a", "d"}),
    ],
)
def test_marks_are_for_methods_that_have_the_seeds_of_the_fullest(
    seeds: dict[str, set[int]], expected: set[str]
) -> None:
    assert with_all_seeds(seeds) == expected
