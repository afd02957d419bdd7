"""How the current parameters differ from those that an earlier run had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longtail.errors import ConfigurationError, DataError
from longtail.parameters import Parameters
from longtail.parameters.nesting import changes, flatten, nest
from longtail.parameters.run import REGISTRIES, parse
from longtail.report_lock import split_places

# Those that a report shows, beside the data sets, backbones and methods of its grid.
SHOWN = ("grid", "recipe", "statistics")


def changes_since_run(
    run: str, recorded: Mapping[str, Any], now: Parameters, given: Mapping[str, Any]
) -> list[str]:
    """The parameters of a report that differ from those of a run, one phrase for each.

    Parameters that the run's grid does not use are left out, and so are paths on a machine.

    Args:
        run: its version.
        recorded: all of its parameters.
        now: the current ones.
        given: nested, those that are meant to differ.

    Raises:
        DataError: if other code recorded parameters that are no longer valid.
    """
    try:
        # Other code may not have known all keys: their defaults are what it did.
        then = parse(recorded)
    except ConfigurationError as error:
        raise DataError(
            f"the run {run} was made by other code, some of whose parameters are no longer valid: "
            f"{error}. Use the code of that run (its commit is in MLflow)"
        ) from None
    paths = [path for path, _ in flatten(given)]
    before, after = (
        nest(
            {
                path: value
                for path, value in flatten(_shown(of.model_dump(mode="json"), then))
                if not any(path[: len(meant)] == meant for meant in paths)
            }
        )
        for of in (then, now)
    )
    return list(changes(before, after))


def _shown(values: Mapping[str, Any], of_run: Parameters) -> dict[str, Any]:
    """What the report of a run shows of some parameters."""
    names = of_run.grid.model_dump(mode="json")
    used = {table: {name: values[table].get(name) for name in names[table]} for table in REGISTRIES}
    return split_places({**{key: values[key] for key in SHOWN}, **used})[1]
