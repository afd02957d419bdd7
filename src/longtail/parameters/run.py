"""All parameters of a run."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from longtail.parameters.backbones import Backbone
from longtail.parameters.datasets import Dataset
from longtail.parameters.grid import Grid
from longtail.parameters.methods import Method
from longtail.parameters.predict import Predict
from longtail.parameters.recipe import Compute, Recipe
from longtail.parameters.statistics import Statistics
from longtail.parameters.strict import Name, Strict, unknown


class Parameters(Strict):
    """All parameters of a run. ``data`` is the folder that the catalog's files lie in."""

    datasets: dict[Name, Dataset]
    grid: Grid
    backbones: dict[Name, Backbone]
    methods: dict[Name, Method]
    recipe: Recipe
    compute: Compute
    statistics: Statistics
    predict: Predict = Predict()
    train: dict[str, Any] = Field(default_factory=dict)
    data: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_the_named(cls, values: Any) -> Any:
        """A data set, a backbone and a method know the key that they stand under."""
        if not isinstance(values, dict):
            return values
        named = dict(values)
        for registry in ("datasets", "backbones", "methods"):
            if isinstance(entries := values.get(registry), dict):
                named[registry] = {
                    key: {**entry, "name": key} if isinstance(entry, dict) else entry
                    for key, entry in entries.items()
                }
        return named

    @model_validator(mode="after")
    def _grid_names_exist(self) -> Self:
        for axis in ("datasets", "backbones", "methods"):
            known = getattr(self, axis)
            for name in getattr(self.grid, axis):
                if name not in known:
                    raise ValueError(f"grid.{axis}: {unknown(name, known, axis[:-1])}")
        named = self.predict.dataset
        if named is not None and named not in self.datasets:
            raise ValueError(f"predict.dataset: {unknown(named, self.datasets, 'dataset')}")
        return self
