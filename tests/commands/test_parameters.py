"""`kedro parameters` prints what the models of the parameters say."""

from __future__ import annotations

import pytest

from longtail.parameters.reference import sections
from tests.projects import PROJECT, kedro


def test_a_parameter_is_printed_with_its_values_and_meaning() -> None:
    result = kedro(PROJECT, "parameters", "recipe.momentum", "--env=test")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "recipe.momentum",
        "    number, ≥ 0, < 1, default 0.9",
        "    momentum of SGD.",
    ]


def test_a_pattern_with_stars_is_one_of_the_whole_key() -> None:
    result = kedro(PROJECT, "parameters", "grid.*s", "--env=test", "--params=grid.seeds=[3,4]")
    keys = [line for line in result.output.splitlines() if not line.startswith(" ")]
    assert keys == [
        f"grid.{axis}" for axis in ("datasets", "train_sets", "backbones", "methods", "seeds")
    ]
    assert "    list of integer, default [3, 4]" in result.output.splitlines()


def test_a_key_that_is_not_there_gets_similar_ones() -> None:
    result = kedro(PROJECT, "parameters", "recipe.epoch_count")
    assert result.exit_code == 1
    assert "no parameter has 'recipe.epoch_count' in its key. Did you mean " in result.output
    assert "recipe.epochs" in result.output


@pytest.mark.parametrize("pattern", [(), ("methods",)])
def test_everything_that_matches_is_printed(pattern: tuple[str, ...]) -> None:
    result = kedro(PROJECT, "parameters", *pattern)
    printed = [line for line in result.output.splitlines() if not line.startswith(" ")]
    keys = [f"{s.path}.{entry.key}".lstrip(".") for s in sections({}) for entry in s.entries]
    wanted = [key for key in keys if not pattern or pattern[0] in key]
    assert [line.partition("  (")[0] for line in printed] == wanted
