"""How parameters differ from those that something stored was made with, and what to do then."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

REMEDY = (
    "Make them again: kedro run --pipelines=full with the same --env and --params (what has not "
    "changed is not trained again). Or give the parameters that they were made with."
)
RESCORE = (
    "Compute them again, which trains nothing: kedro run --pipelines=full "
    "with the same --env and --params. Or give the parameters that they were made with."
)


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
