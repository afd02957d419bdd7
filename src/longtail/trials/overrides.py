"""What the parameters below ``train`` change of single trials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, TrainSet, Trial, unknown
from longtail.parameters.trial_name import TrialName

# What the grid sets, and the parts of a trial whose names the grid sets.
SET_BY_GRID = ("dataset", "train_set", "seed", "draw_per_seed")
NAMED_PARTS = ("backbone", "method")
# No number has two names, and all have 19 digits at most, as 64 bits have.
SEED_KEY = re.compile(r"seed(0|[1-9]\d{0,18})", re.ASCII)


def overridden_trials(parameters: Parameters) -> list[TrialName]:
    """The names of the trials that are overridden, whether the grid has them or not.

    Raises:
        ConfigurationError: if no grid could have one of them.
    """
    axes = {
        "dataset": parameters.datasets,
        "training set": get_args(TrainSet),
        "backbone": parameters.backbones,
        "method": parameters.methods,
    }

    def found(branch: Any, names: tuple[str, ...]) -> Iterator[TrialName]:
        path = ".".join(("train", *names))
        if not isinstance(branch, Mapping):
            raise ConfigurationError(f"{path}: expected keys below it, found {branch!r}")
        for key, below in branch.items():
            if len(names) < len(axes):
                axis = list(axes)[len(names)]
                if key not in axes[axis]:
                    raise ConfigurationError(f"{path}: {unknown(key, axes[axis], axis)}")
                yield from found(below, (*names, key))
            elif not SEED_KEY.fullmatch(str(key)):
                raise ConfigurationError(f"{path}: expected seed<number>, found '{key}'")
            elif not isinstance(below, Mapping) or set(below) != {"trial"}:
                raise ConfigurationError(f"{path}.{key}: the one valid key here is 'trial'")
            elif not isinstance(below["trial"], Mapping):
                raise ConfigurationError(f"{path}.{key}.trial: expected keys below it")
            else:
                yield TrialName.parse(".".join((*names, key)))

    return list(found(parameters.train, ()))


def override_of(parameters: Parameters, trial: TrialName) -> Mapping[str, Any]:
    """What the parameters change of a trial.

    Raises:
        ConfigurationError: if they change what makes it this trial, or another layer's recipe.
    """
    override: Any = parameters.train
    for part in trial.key.split(".")[1:]:
        override = override.get(part, {})
    fixed = sorted(set(SET_BY_GRID) & set(override))
    if fixed:
        raise ConfigurationError(f"{trial.key}: the grid sets {', '.join(fixed)}")
    for part in NAMED_PARTS:
        values = override.get(part)
        if not isinstance(values, Mapping):
            continue
        name = getattr(trial, part)
        if values.get("name", name) != name:
            raise ConfigurationError(f"{trial.key}: an override cannot rename the trial")
        if values.get("recipe"):
            raise ConfigurationError(
                f"{trial.key}.{part}.recipe: has no effect on a single trial. Valid: "
                f"{trial.key}.recipe"
            )
    return cast("Mapping[str, Any]", override)


def unused_overrides(parameters: Parameters, trials: list[Trial]) -> list[str]:
    """The names of overridden trials that are not among those of the grid."""
    used = {trial.name for trial in trials}
    return [name for name in map(str, overridden_trials(parameters)) if name not in used]
