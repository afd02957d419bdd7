"""Families of methods: their names in lists of methods, and in reports."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from longtail.errors import ConfigurationError
from longtail.parameters import FAMILIES, Parameters, family_label
from longtail.parameters.run import parse
from longtail.trials.grid import tables


def parsed(config: dict[str, Any], *methods: str) -> Parameters:
    changed = copy.deepcopy(config)
    changed["grid"]["methods"] = list(methods)
    return parse(changed)


def test_a_family_in_the_grid_stands_for_its_members_in_their_order(
    base_config: dict[str, Any],
) -> None:
    members = [
        name
        for name, method in base_config["methods"].items()
        if method.get("family") == "re-sampling"
    ]
    assert len(members) >= 4
    assert parsed(base_config, "softmax", "re-sampling").grid.methods == ("softmax", *members)


def test_a_method_that_is_named_too_keeps_its_place(base_config: dict[str, Any]) -> None:
    methods = parsed(base_config, "logit-adjustment", "vs").grid.methods
    assert methods[-1] == "vs"
    assert methods.count("vs") == 1
    assert "logit_adjustment" in methods


def test_two_families_are_all_of_their_members_once(base_config: dict[str, Any]) -> None:
    both = parsed(base_config, "logit-adjustment", "re-sampling", "logit-adjustment").grid.methods
    assert len(set(both)) == len(both)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "re-samplings",
            "grid.methods: unknown family 're-samplings'. Did you mean 're-sampling'? Valid: re-s",
        ),
        ("ensembel-learning", "Did you mean 'ensemble-learning'?"),
        (
            "ensemble_learning",
            "unknown method 'ensemble_learning'. Did you mean 'ensemble-learning'?",
        ),
    ],
)
def test_an_unknown_family_is_refused(name: str, said: str, base_config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parsed(base_config, "softmax", name)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_family_without_members_is_refused(base_config: dict[str, Any]) -> None:
    for method in base_config["methods"].values():
        method.pop("family", None)
    with pytest.raises(ConfigurationError, match="no method in methods has the family 're-samp"):
        parsed(base_config, "re-sampling")


def test_every_method_but_the_baseline_has_a_family(base_config: dict[str, Any]) -> None:
    without = [name for name, method in base_config["methods"].items() if "family" not in method]
    assert without == ["softmax"]


def test_labels_read_well() -> None:
    labels = [family_label(family) for family in FAMILIES]
    assert labels[:3] == ["Re-sampling", "Class-sensitive learning", "Logit adjustment"]
    assert all("-" not in label for label in labels[2:])


def test_rows_of_several_families_are_blocks(base_config: dict[str, Any]) -> None:
    parameters = parsed(base_config, "vs", "focal", "softmax", "logit_adjustment", "ldam")
    table = tables(parameters)["digits"].tables[0]
    assert list(table.methods) == ["softmax", "vs", "logit_adjustment", "focal", "ldam"]
    assert table.families["vs"] == "logit-adjustment"
    assert "softmax" not in table.families


def test_rows_of_one_family_stay_in_their_order(base_config: dict[str, Any]) -> None:
    table = tables(parsed(base_config, "focal", "softmax", "ldam"))["digits"].tables[0]
    assert list(table.methods) == ["focal", "softmax", "ldam"]
    assert table.families == {}
