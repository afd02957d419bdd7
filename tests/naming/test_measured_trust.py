"""How often trusted names are wrong on the test set, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from longtail.evaluation.uncertainty import exact_interval
from longtail.naming.decision_rule import DecisionRule
from longtail.naming.measured_trust import (
    HELD_OUT_PHOTOGRAPHS,
    TEST_PHOTOGRAPHS,
    NamedPhotographs,
    TrustOnTest,
    prior_weights,
    trust_on_test,
)
from tests.naming.test_answers_table import decision_rule


def logits(*probabilities: tuple[float, float, float]) -> np.ndarray:
    found: np.ndarray = np.log(np.array(probabilities))
    return found


# Noctua pronuba, Noctua fimbriata, Xestia baja; species from 0.8 on, genera from 0.7.
ANSWERS = logits(
    (0.90, 0.05, 0.05),  # a species, correct
    (0.90, 0.05, 0.05),  # a species, wrongly: it is the other Noctua
    (0.50, 0.40, 0.10),  # a genus, correct
    (0.50, 0.05, 0.45),  # nothing
)
LABELS = np.array([0, 1, 1, 2])
NO_TAIL = np.zeros(3, dtype=bool)


def trusted_by(
    rule: DecisionRule,
    is_tail: np.ndarray = NO_TAIL,
    unknown: np.ndarray | None = None,
    called: tuple[str, str] = TEST_PHOTOGRAPHS,
) -> TrustOnTest:
    tested = NamedPhotographs(rule.decide(ANSWERS), LABELS, called)
    strangers = None if unknown is None else rule.decide(unknown)
    return trust_on_test(rule, tested, strangers, is_tail, 0.95)


def test_trusted_names_of_all_ranks_count() -> None:
    found = trusted_by(decision_rule())
    assert (found.images, found.trusted, found.wrong) == (4, 3, 1)
    # As many of each species are assumed: the one of the first weighs as much as two of the second.
    assert found.error == pytest.approx(0.5 / 2)
    expected = exact_interval(0.25, 2**2 / (1 + 2 * 0.5**2), 0.95)
    assert [found.low, found.high] == pytest.approx([float(end) for end in expected])
    assert found.note.startswith(
        "of 4 test photographs, which nothing was fitted on, 3 are named and trusted, 1 of them "
        "wrongly: 25.0% ["
    )
    assert found.note.endswith("weighted to the stated prior")
    crossed = trusted_by(decision_rule(), called=HELD_OUT_PHOTOGRAPHS)
    assert crossed.note.startswith("of 4 held-out photographs, each named by what was fitted with")


def test_each_trusted_name_of_an_unknown_species_is_wrong() -> None:
    found = trusted_by(decision_rule(), unknown=ANSWERS[[0, 3]])
    assert (found.unknown_images, found.unknown_trusted) == (2, 1)
    assert "1 of 2 photographs of species held out as unknown, all wrongly" in found.note


def test_species_that_cannot_occur_do_not_count() -> None:
    of: DecisionRule = decision_rule(prior=(0.5, 0, 0.5))
    np.testing.assert_array_equal(prior_weights(of, LABELS), [0.5, 0, 0, 0.5])
    found = trusted_by(of)
    assert (found.images, found.trusted, found.wrong) == (2, 1, 0)


def test_where_nothing_is_trusted_there_is_no_error() -> None:
    of = decision_rule(species_from=None, genus_from=None)
    found = trusted_by(of)
    assert (found.trusted, found.error, found.low) == (0, None, None)
    assert "none is named and trusted" in found.note


def test_the_names_of_tail_species_have_an_error_of_their_own() -> None:
    found = trusted_by(decision_rule(), np.array([1, 0, 0]) > 0)
    assert (found.tail_trusted, found.tail_wrong) == (2, 1)  # the genus is no name of the tail
    assert "of 2 names of tail species 1 is wrong: 50.0% [" in found.note
    other = trusted_by(decision_rule(), np.array([0, 0, 1]) > 0)
    assert (other.tail_trusted, other.tail_wrong) == (0, 0)
    assert "tail" not in other.note
