"""Nested mappings as flat ones, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def flatten(tree: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values of nested mappings, each with the keys that lead to it.

    An empty mapping is a value.
    """
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, (*above, key))
        else:
            yield (*above, key), value


def nest(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    """The nested dictionary of values by the keys that lead to them."""
    tree: dict[str, Any] = {}
    for (*parents, last), value in leaves.items():
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = value
    return tree
