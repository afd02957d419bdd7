"""How current parameters differ from those that a run has recorded."""

from __future__ import annotations

from typing import Any

import pytest

from longtail.commands.recorded_parameters import changes_since_run
from longtail.errors import DataError
from tests.pipelines.support import dotted, loader

RUN = "2026-11-23T19.59.05.123Z"


def recorded(*given: str) -> dict[str, Any]:
    return loader("test", **dotted(*given)).parameters()[0].model_dump(mode="json")


def changes(before: dict[str, Any], *given: str, meant: tuple[str, ...] = ()) -> list[str]:
    return changes_since_run(
        RUN, before, loader("test", **dotted(*given)).parameters()[0], dotted(*meant)
    )


@pytest.mark.parametrize(
    ("given", "phrase"),
    [
        (
            "grid.methods=[ldam]",
            'grid.methods was ["softmax", "balanced_softmax", "ldam"], is ["ldam"]',
        ),
        (
            "grid.backbones=[vit_micro]",
            'grid.backbones was ["mobilenetv2_micro", "convnext_micro"], is ["vit_micro"]',
        ),
        ("grid.seeds=[0,1]", "grid.seeds was [0], is [0, 1]"),
        ("statistics.confidence=0.9", "statistics.confidence was 0.95, is 0.9"),
        ("statistics.resamples=200", "statistics.resamples was 100, is 200"),
        ("methods.ldam.label=L", "methods.ldam.label was LDAM, is L"),
        ("methods.ldam.paper=L", "methods.ldam.paper was "),
        (
            "backbones.convnext_micro.label=C",
            "backbones.convnext_micro.label was ConvNeXt (micro), is C",
        ),
        ("datasets.digits.label=D", "datasets.digits.label was Digits, is D"),
        ("datasets.digits.published=thesis", "datasets.digits.published was null, is thesis"),
        (
            "datasets.digits.imbalance.profile.imbalance_factor=2",
            "datasets.digits.imbalance.profile.imbalance_factor was 20.0, is 2.0",
        ),
        ("recipe.epochs=2", "recipe.epochs was 1, is 2"),
    ],
)
def test_all_that_a_report_shows_is_compared(given: str, phrase: str) -> None:
    [change] = changes(recorded(), given)
    assert change.startswith(phrase)
    assert changes(recorded(given), given) == []
    assert changes(recorded(), given, meant=(given,)) == []


@pytest.mark.parametrize(
    "given", ["methods.focal.label=F", "compute.workers=3", "predict.gallery=2", "data=/tmp"]
)
def test_what_it_does_not_show_is_not(given: str) -> None:
    assert changes(recorded(), given) == []


def test_keys_that_other_code_did_not_have_are_their_defaults() -> None:
    before = recorded()
    del before["datasets"]["digits"]["published"]
    assert changes(before) == []
    given = "datasets.digits.published=thesis"
    assert changes(before, given) == ["datasets.digits.published was null, is thesis"]


def test_other_code_whose_keys_are_gone_is_said_to_be_needed() -> None:
    before = recorded()
    before["recipe"]["gone"] = 1
    with pytest.raises(DataError, match=rf"{RUN} was made by other code(.|\n)*recipe(.|\n)*gone"):
        changes(before)
