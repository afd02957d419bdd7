"""Nested mappings as flat ones, and back, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
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


def changes(
    before: Any, now: Any, path: str = "", leaving_out: Iterable[str] = ()
) -> Iterator[str]:
    """What differs between two trees of plain values, one phrase for each leaf."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            if key not in leaving_out:
                below = f"{path}.{key}" if path else str(key)
                yield from changes(before.get(key), now.get(key), below, leaving_out)
    elif before != now:
        yield f"{path} was {as_yaml(before)}, is {as_yaml(now)}"


def as_yaml(value: Any) -> str:
    """A value as it is written in YAML."""
    return value if isinstance(value, str) else json.dumps(value)
