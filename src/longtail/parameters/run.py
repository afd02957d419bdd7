"""All parameters of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import Field, ValidationError, model_validator

from longtail.errors import ConfigurationError
from longtail.parameters.backbones import Backbone
from longtail.parameters.datasets import Dataset
from longtail.parameters.families import FAMILIES, with_members
from longtail.parameters.grid import Grid
from longtail.parameters.layers import merge
from longtail.parameters.messages import describe, line
from longtail.parameters.methods import Method
from longtail.parameters.predict import Predict
from longtail.parameters.recipe import Compute, Recipe
from longtail.parameters.serving import Serving
from longtail.parameters.statistics import Statistics
from longtail.parameters.strict import Contradictions, Strict, key_error, unknown
from longtail.parameters.types import NAME_PATTERN, MachinePath, Name

# The parameters whose entries have names, which the grid lists.
REGISTRIES = ("datasets", "backbones", "methods")


class Parameters(Strict):
    """All parameters of a run.

    Attributes:
        datasets: data sets by name.
        grid: trials to run.
        backbones: backbones by name.
        methods: methods by name.
        recipe: the training hyperparameters that all trials share.
        compute: the device and how it is used.
        statistics: confidence intervals and resampling.
        predict: photographs to identify, and the model that does it.
        serving: limits of requests to an exported model.
        train: overrides for single trials:
            ``train.<data set>.<training set>.<backbone>.<method>.seed<n>.trial.<key>``.
        data: the folder of all files of the catalog.
    """

    datasets: dict[Name, Dataset]
    grid: Grid
    backbones: dict[Name, Backbone]
    methods: dict[Name, Method]
    recipe: Recipe
    compute: Compute
    statistics: Statistics
    predict: Predict = Predict()
    serving: Serving = Serving()
    train: dict[str, Any] = Field(default_factory=dict)
    data: MachinePath | None = None

    @model_validator(mode="before")
    @classmethod
    def _add_names(cls, values: Any) -> Any:
        """Give data sets, backbones and methods their keys as names, and the grid its methods."""
        if not isinstance(values, dict):
            return values
        if mistakes := list(_wrong_names(values)):
            raise ValueError("\n".join(mistakes))
        named = dict(values)
        for registry in REGISTRIES:
            if isinstance(entries := values.get(registry), dict):
                named[registry] = {
                    key: {"name": key, **entry} if isinstance(entry, dict) else entry
                    for key, entry in entries.items()
                }
        grid, methods = named.get("grid"), named.get("methods")
        if isinstance(grid, dict) and isinstance(methods, dict):
            listed = grid.get("methods")
            if isinstance(listed, list | tuple):
                named["grid"] = {**grid, "methods": with_members(listed, methods)}
        return named

    def _contradictions(self) -> Contradictions:
        for registry in REGISTRIES:
            for key, entry in getattr(self, registry).items():
                if entry.name != key:
                    yield key_error(
                        f"{registry}.{key}.name",
                        f"the name is the key, '{key}'; leave name out, found '{entry.name}'",
                    )
        yield from self._equal_labels()
        # What backbones and methods change of the recipe, whether the grid has them or not. What
        # depends on other layers is checked in each trial.
        recipe = self.recipe.model_dump()
        mistakes: list[str] = []
        for registry in ("backbones", "methods"):
            for key, entry in getattr(self, registry).items():
                mistakes += _mistakes(merge(recipe, entry.recipe), f"{registry}.{key}.recipe")
        if mistakes:
            yield key_error("", "\n".join(mistakes))
        for axis in REGISTRIES:
            known = getattr(self, axis)
            for name in getattr(self.grid, axis):
                if name not in known:
                    valid = [*known, *(FAMILIES if axis == "methods" else ())]
                    yield key_error(f"grid.{axis}", unknown(name, valid, axis[:-1]))
        named = self.predict.dataset
        if named is not None and named not in self.datasets:
            yield key_error("predict.dataset", unknown(named, self.datasets, "dataset"))

    def _equal_labels(self) -> Contradictions:
        """The errors of equal labels: rows of a table could not be told apart."""
        for registry in REGISTRIES:
            named: dict[str, str] = {}
            for key in getattr(self.grid, registry):
                entry = getattr(self, registry).get(key)
                if entry is None:
                    continue  # refused later
                if (other := named.setdefault(entry.label, key)) != key:
                    yield key_error(
                        f"{registry}.{key}.label",
                        f"'{entry.label}' is the label of {registry}.{other} too. Give each one "
                        f"in the grid a label of its own",
                    )


def parse(config: Mapping[str, Any]) -> Parameters:
    """Check raw parameters.

    Raises:
        ConfigurationError: naming each wrong key, what is wrong with it, and what is valid.
    """
    try:
        return Parameters.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigurationError(describe(error)) from None


def _wrong_names(values: Mapping[str, Any]) -> Iterator[str]:
    """A line for each name that cannot be part of file names and namespaces, or is misspelt.

    An entry without a label, which every entry has, and of a similar name is misspelt.
    """
    for registry in REGISTRIES:
        entries = values.get(registry)
        if not isinstance(entries, dict):
            continue
        labelled = [k for k, of in entries.items() if isinstance(of, dict) and "label" in of]
        for key, entry in entries.items():
            if isinstance(key, str) and not re.fullmatch(NAME_PATTERN, key):
                is_family = registry == "methods" and key in FAMILIES
                yield f"{registry}.{key}: " + (
                    "this is the name of a family; give the method another one"
                    if is_family
                    else "a name has lower-case letters, digits and _, and no _ in front"
                )
            if not isinstance(entry, dict) or "label" in entry:
                continue
            if near := get_close_matches(str(key), map(str, labelled), n=1):
                yield (
                    f"{registry}.{key}: there is no '{key}'. Did you mean '{near[0]}'? If it is a "
                    f"new one, give it a label"
                )


def _mistakes(recipe: dict[str, Any], key: str) -> list[str]:
    """The mistakes in a merged recipe that no further layer can correct."""
    try:
        Recipe.model_validate(recipe)
    except ValidationError as error:
        return [
            line(mistake, key)
            for mistake in error.errors()
            if mistake["type"] not in ("key_error", "missing")
            and not (mistake["type"] == "unknown_key" and mistake["loc"])
        ]
    return []
