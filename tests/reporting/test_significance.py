from __future__ import annotations

import pytest

from longtail.reporting.layouts import Column
from longtail.reporting.significance import (
    best_beyond_noise,
    differs_from_baseline,
    p_values_of_pairs,
)
from tests.reporting.rows import STATISTICS, make_comparisons

TAIL = Column("Tail", "tail", "acc1")
HEAD = Column("Head", "head", "acc1")
F1 = Column("Tail", "tail", "f1")
LOSS = Column("Tail", "tail", "loss")
APART = [["softmax"], ["a"], ["b"]]


def test_pairs_are_found_whichever_method_is_first() -> None:
    comparisons = make_comparisons(("a", "softmax", 0.25), test_sets=["tail"], metrics=["acc1"])
    assert p_values_of_pairs(comparisons) == {("tail", "acc1", frozenset({"softmax", "a"})): 0.25}


@pytest.mark.parametrize("pair", [("softmax", "a"), ("a", "softmax")])
def test_marks_do_not_depend_on_the_order_of_a_pair(pair: tuple[str, str]) -> None:
    p_values = p_values_of_pairs(make_comparisons((*pair, 0.01)))
    found = differs_from_baseline(p_values, [TAIL], [["softmax"], ["a"]], 0.05)
    assert found == ({("a", TAIL)}, 1)
    values = {"softmax": 0.5, "a": 0.4}
    assert best_beyond_noise(p_values, TAIL, values, [["softmax"], ["a"]], 0.05) == {"softmax"}


def test_marks_are_corrected_for_all_comparisons_of_the_columns() -> None:
    comparisons = make_comparisons(("softmax", "a", 0.012), ("b", "softmax", 0.03), ("a", "b", 0))
    p_values = p_values_of_pairs(comparisons)
    # Holm: 2 * 0.012 and 0.03.
    one = differs_from_baseline(p_values, [TAIL], APART, 0.05)
    assert one == ({("a", TAIL), ("b", TAIL)}, 2)
    # 4 * 0.012 (and for the other no less), then 2 * 0.03.
    two = differs_from_baseline(p_values, [TAIL, HEAD], APART, 0.05)
    assert two == ({("a", TAIL), ("a", HEAD)}, 4)
    # 6 * 0.012
    assert differs_from_baseline(p_values, [TAIL, HEAD, F1], APART, 0.05) == (set(), 6)


def test_the_level_itself_is_no_difference() -> None:
    assert STATISTICS.level == 0.05
    for p, differs in ((0.05, False), (0.0499, True)):
        p_values = p_values_of_pairs(make_comparisons(("softmax", "a", p)))
        trainings = [["softmax"], ["a"]]
        found, _ = differs_from_baseline(p_values, [TAIL], trainings, STATISTICS.level)
        assert bool(found) == differs
        values = {"softmax": 0.5, "a": 0.6}
        best = best_beyond_noise(p_values, TAIL, values, trainings, STATISTICS.level)
        assert best == ({"a"} if differs else set())


def test_losses_have_no_marks() -> None:
    p_values = p_values_of_pairs(make_comparisons(("softmax", "a", 0.0)))
    trainings = [["softmax"], ["a"]]
    assert differs_from_baseline(p_values, [LOSS], trainings, 0.05) == (set(), 0)
    values = {"softmax": 1.5, "a": 0.5}
    assert best_beyond_noise(p_values, LOSS, values, trainings, 0.05) == set()


def test_rows_of_one_training_are_one_comparison() -> None:
    together = [["softmax", "c"], ["a", "b"]]
    comparisons = make_comparisons(
        *(("softmax", "a", 0.03), ("softmax", "b", 0.03), ("softmax", "c", 1.0)),
        *(("a", "b", 1.0), ("a", "c", 0.03), ("b", "c", 0.03)),
    )
    p_values = p_values_of_pairs(comparisons)
    found = differs_from_baseline(p_values, [TAIL], together, 0.05)
    assert found == ({("a", TAIL), ("b", TAIL)}, 1)
    values = {"softmax": 0.5, "c": 0.5, "a": 0.6, "b": 0.6}
    assert best_beyond_noise(p_values, TAIL, values, together, 0.05) == {"a", "b"}


def test_nothing_is_compared_without_softmax() -> None:
    comparisons = make_comparisons(("a", "b", 0.0), ("softmax", "a", 0.0))
    p_values = p_values_of_pairs(comparisons)
    assert differs_from_baseline(p_values, [TAIL], [["a"], ["b"]], 0.05) == (set(), 0)
    assert best_beyond_noise(p_values, TAIL, {"a": 0.1, "b": 0.2}, [["a"], ["b"]], 0.05) == {"b"}


def test_the_best_must_differ_from_every_other_training() -> None:
    values = {"softmax": 0.5, "a": 0.9, "b": 0.8}

    def best(of_softmax: float, of_b: float) -> set[str]:
        pairs = ("a", "softmax", of_softmax), ("a", "b", of_b), ("softmax", "b", 0.0)
        return best_beyond_noise(
            p_values_of_pairs(make_comparisons(*pairs)), TAIL, values, APART, 0.05
        )

    assert best(0.001, 0.001) == {"a"}
    assert best(0.001, 0.06) == set()
    assert best(0.06, 0.001) == set()
    assert best(0.03, 0.03) == set()  # 2 * 0.03 is beyond the level
    assert best(0.02, 0.04) == {"a"}  # 2 * 0.02 and then 0.04 are not


def test_equal_figures_of_two_trainings_are_not_best() -> None:
    comparisons = make_comparisons(("a", "b", 1.0), ("a", "softmax", 0.0), ("b", "softmax", 0.0))
    values = {"softmax": 0.5, "a": 0.9, "b": 0.9}
    p_values = p_values_of_pairs(comparisons)
    assert best_beyond_noise(p_values, TAIL, values, APART, 0.05) == set()
    together = [["softmax"], ["a", "b"]]
    assert best_beyond_noise(p_values, TAIL, values, together, 0.05) == {"a", "b"}


def test_one_training_has_no_best() -> None:
    p_values = p_values_of_pairs(make_comparisons(("softmax", "a", 1.0)))
    values = {"softmax": 0.5, "a": 0.5}
    assert best_beyond_noise(p_values, TAIL, values, [["softmax", "a"]], 0.05) == set()
    assert differs_from_baseline(p_values, [TAIL], [["softmax", "a"]], 0.05) == (set(), 0)
    assert best_beyond_noise({}, TAIL, {}, [], 0.05) == set()


def test_a_pair_without_a_test_leaves_the_best_open() -> None:
    # Trials of other seeds are not paired.
    p_values = p_values_of_pairs(make_comparisons(("a", "softmax", 0.0)))
    values = {"softmax": 0.5, "a": 0.9, "b": 0.1}
    assert best_beyond_noise(p_values, TAIL, values, APART, 0.05) == set()
    assert differs_from_baseline(p_values, [TAIL], APART, 0.05) == ({("a", TAIL)}, 1)
