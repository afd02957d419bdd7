from __future__ import annotations

from typing import Any

from longtail.parameters.nesting import flatten, nest

TREE: dict[str, Any] = {"a": {"b": 1, "c": {"d": [2]}}, "e.f": None, "g": {}}
LEAVES = {("a", "b"): 1, ("a", "c", "d"): [2], ("e.f",): None, ("g",): {}}


def test_leaves_are_found_by_the_keys_that_lead_to_them() -> None:
    assert dict(flatten(TREE)) == LEAVES


def test_nesting_reverses_flattening() -> None:
    assert nest(LEAVES) == TREE
    assert nest({}) == {}
