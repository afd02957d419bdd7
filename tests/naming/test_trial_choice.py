"""Which trial is chosen."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from longtail.errors import ConfigurationError, DataError
from longtail.naming.trial_choice import check_choice, choose_trial


def results(**validation: float) -> pd.DataFrame:
    """Rows of methods by their balanced accuracy on validation; on the test set all have 1."""
    rows = [
        {"method": method, "test_set": test_set, "balanced_accuracy": value}
        for method, accuracy in validation.items()
        for test_set, value in (("balanced", 1.0), ("validation", accuracy))
    ]
    names: dict[str, Any] = {
        "dataset": "moths",
        "train_set": "natural",
        "backbone": "small",
        "seed": 0,
        "trained_by": "another trial",
        "post_hoc": "none",
    }
    return pd.DataFrame(rows).assign(**names)


def test_the_best_on_validation_is_chosen_and_of_equals_the_first() -> None:
    table = results(softmax=0.4, balanced_softmax=0.6, ldam=0.6)
    assert choose_trial(table, "moths", None) == "moths.natural.small.balanced_softmax.seed0"


def test_a_trial_can_be_asked_for_and_a_misspelt_one_is_refused_with_the_nearest() -> None:
    table = results(softmax=0.4, ldam=0.6)
    asked = "moths.natural.small.softmax.seed0"
    assert choose_trial(table, "moths", asked) == asked
    with pytest.raises(ConfigurationError, match=f"Did you mean '{asked}'"):
        choose_trial(table, "moths", "moths.natural.small.softmx.seed0")


def test_without_validation_images_a_trial_must_be_named() -> None:
    table = results(softmax=0.4)
    table = table[table["test_set"] != "validation"]
    with pytest.raises(DataError, match=r"predict\.trial=moths\.natural\.small\.softmax\.seed0"):
        choose_trial(table, "moths", None)


def test_what_was_changed_after_the_training_is_not_chosen() -> None:
    table = results(softmax=0.4, adjusted=0.9)
    table["post_hoc"] = ["none", "none", '{"kind": "logit_adjustment"}', '{"kind": "..."}']
    assert choose_trial(table, "moths", None) == "moths.natural.small.softmax.seed0"


def test_external_predictions_are_no_model() -> None:
    table = results(theirs=0.9, softmax=0.4)
    table.loc[table["method"] == "theirs", "trained_by"] = "external"
    assert choose_trial(table, "moths", None) == "moths.natural.small.softmax.seed0"
    asked = "moths.natural.small.theirs.seed0"
    with pytest.raises(ConfigurationError, match=f"{asked} are external predictions"):
        choose_trial(table, "moths", asked)


def test_without_a_trial_of_unchanged_logits_its_method_is_asked_for() -> None:
    table = results(adjusted=0.9).assign(post_hoc='{"kind": "logit_adjustment"}')
    with pytest.raises(ConfigurationError, match=r"^grid\.methods: all .* are post-hoc methods"):
        choose_trial(table, "moths", None)
    with pytest.raises(ConfigurationError, match=r"^predict\.trial: .* Choose a trial without one"):
        choose_trial(table, "moths", "moths.natural.small.adjusted.seed0")


def test_external_predictions_alone_name_no_photographs() -> None:
    table = results(theirs=0.9).assign(trained_by="external")
    with pytest.raises(ConfigurationError, match=r"^grid\.methods: all are external"):
        choose_trial(table, "moths", None)


def test_a_trial_is_suggested_among_thousands_without_all_of_them() -> None:
    names = [f"moths.natural.small.softmax.seed{seed}" for seed in range(3000)]
    with pytest.raises(ConfigurationError) as raised:
        check_choice("moths.natural.small.softmax.sed77", trained=names, external=[], adjusted=[])
    message = str(raised.value)
    assert "Did you mean 'moths.natural.small.softmax.seed77'?" in message
    assert message.endswith("seed59, and 2,940 more")
