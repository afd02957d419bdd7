"""From parameters to trials: the grid expanded, with sparse overrides laid on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from longtail.errors import ConfigurationError
from longtail.parameters import (
    Contents,
    Grid,
    OfficialTestHoldout,
    Parameters,
    Table,
    TrainSet,
    Trial,
    unknown,
)
from longtail.parameters.layers import merge
from longtail.parameters.reading import describe


def trials(
    parameters: Parameters, command_line_recipe: Mapping[str, Any] | None = None
) -> list[Trial]:
    """Expand the grid into its trials, in the order of the tables' rows.

    A trial's recipe is laid in layers: the common one, its backbone's, its method's, what the
    command line says of ``recipe``, and last what ``train.<dataset>.<train set>.<backbone>.
    <method>.seed<seed>.trial`` says of this one trial.

    Raises:
        ConfigurationError: if an override names no cell that could be, or a wrong key, or a trial
            is to validate on a data set that holds out nothing for it.
    """
    _check_override_names(parameters)
    return [_trial(parameters, cell, command_line_recipe or {}) for cell in _cells(parameters.grid)]


def tables(parameters: Parameters) -> dict[str, Contents]:
    """Each data set's tables, numbered as in the thesis' appendix: two a backbone and train set."""
    grid = parameters.grid
    cells = list(product(grid.backbones, grid.train_sets))
    methods = {name: parameters.methods[name].label for name in grid.methods}
    return {
        dataset: Contents(
            tables=tuple(
                Table(
                    dataset=dataset,
                    backbone=backbone,
                    backbone_label=parameters.backbones[backbone].label,
                    train_set=train_set,
                    methods=methods,
                    seeds=grid.seeds,
                    number=1 + 2 * position,
                )
                for position, (backbone, train_set) in enumerate(cells)
            )
        )
        for dataset in grid.datasets
    }


def nested(leaves: Mapping[str, BaseModel]) -> dict[str, Any]:
    """Put models into nested dictionaries by the parts of their dotted names."""
    tree: dict[str, Any] = {}
    for name, model in leaves.items():
        *parents, last = name.split(".")
        branch = tree
        for part in parents:
            branch = branch.setdefault(part, {})
        branch[last] = model.model_dump(mode="json")
    return tree


def table_name(table: Table) -> str:
    """A table's dotted name, which is its namespace below ``report``."""
    return f"{table.dataset}.{table.backbone}.{table.train_set}"


def _cells(grid: Grid) -> Iterator[tuple[str, str, str, str, int]]:
    return product(grid.datasets, grid.train_sets, grid.backbones, grid.methods, grid.seeds)


def _trial(
    parameters: Parameters,
    cell: tuple[str, str, str, str, int],
    command_line_recipe: Mapping[str, Any],
) -> Trial:
    dataset, train_set, backbone_name, method_name, seed = cell
    backbone, method = parameters.backbones[backbone_name], parameters.methods[method_name]
    recipe = merge(
        parameters.recipe.model_dump(), backbone.recipe, method.recipe, command_line_recipe
    )
    values = {
        "dataset": dataset,
        "train_set": train_set,
        "backbone": {**backbone.model_dump(), "recipe": {}},
        "method": {**method.model_dump(), "recipe": {}},
        "seed": seed,
        "recipe": recipe,
        "compute": parameters.compute.model_dump(),
    }
    name = ".".join((*map(str, cell[:-1]), f"seed{seed}"))
    override: Any = parameters.train
    for part in (*name.split("."), "trial"):
        override = override.get(part, {})
    fixed = {"dataset", "train_set", "seed"} & set(override)
    if fixed:
        raise ConfigurationError(f"train.{name}.trial: {sorted(fixed)} are set by the grid")
    try:
        trial = Trial.model_validate(merge(values, override))
    except ValidationError as error:
        raise ConfigurationError(describe(error, prefix=f"train.{name}.trial")) from None
    if trial.name != name:
        raise ConfigurationError(f"train.{name}.trial: an override cannot rename the trial")
    _check_freezing(trial, name)
    holdout = parameters.datasets[dataset].imbalance.holdout
    if trial.recipe.validate_every and isinstance(holdout, OfficialTestHoldout):
        raise ConfigurationError(
            f"train.{name}.trial: recipe.validate_every is {trial.recipe.validate_every}, but "
            f"datasets.{dataset}.imbalance.holdout ({holdout.kind}) leaves no image to validate "
            f"on. Set recipe.validate_every to 0, or the holdout to {{kind: official}}"
        )
    tau = trial.method.post_hoc.tau if trial.method.post_hoc else ()
    if len(tau) > 1 and isinstance(holdout, OfficialTestHoldout):
        raise ConfigurationError(
            f"methods.{method_name}.post_hoc.tau: {list(tau)} are to be chosen from on validation "
            f"images, but datasets.{dataset}.imbalance.holdout ({holdout.kind}) leaves none. Give "
            f"one value, or set the holdout to {{kind: official}}"
        )
    return trial


def _check_freezing(trial: Trial, name: str) -> None:
    """Refuse a frozen network of random weights, and views that are all the same."""
    recipe = trial.recipe
    if recipe.freeze != "none" and not trial.backbone.pretrained:
        raise ConfigurationError(
            f"train.{name}.trial: recipe.freeze is {recipe.freeze}, but the network would start "
            f"from random weights. Set backbones.{trial.backbone.name}.pretrained to true, or "
            f"recipe.freeze to none"
        )
    still = not (recipe.crop_padding or recipe.horizontal_flip)
    if recipe.freeze == "backbone" and recipe.cached_views > 1 and still:
        raise ConfigurationError(
            f"train.{name}.trial: recipe.cached_views is {recipe.cached_views}, but all views "
            f"would be the same. Set recipe.crop_padding or recipe.horizontal_flip, or "
            f"recipe.cached_views to 1"
        )


def _check_override_names(parameters: Parameters) -> None:
    """Refuse overrides that no trial could ever read."""
    axes = {
        "dataset": parameters.datasets,
        "training set": get_args(TrainSet),
        "backbone": parameters.backbones,
        "method": parameters.methods,
    }

    def check(branch: Any, path: str, remaining: list[str]) -> None:
        if not isinstance(branch, Mapping):
            raise ConfigurationError(f"{path}: expected keys below it, found {branch!r}")
        for key, below in branch.items():
            if remaining:
                axis = remaining[0]
                if key not in axes[axis]:
                    raise ConfigurationError(f"{path}: {unknown(key, axes[axis], axis)}")
                check(below, f"{path}.{key}", remaining[1:])
            elif not (key.startswith("seed") and key[4:].isdigit()):
                raise ConfigurationError(f"{path}: expected seed<number>, found '{key}'")
            elif not isinstance(below, Mapping) or set(below) != {"trial"}:
                raise ConfigurationError(f"{path}.{key}: the one valid key here is 'trial'")
            elif not isinstance(below["trial"], Mapping):
                raise ConfigurationError(f"{path}.{key}.trial: expected keys below it")

    check(parameters.train, "train", list(axes))


def unused_overrides(parameters: Parameters) -> list[str]:
    """The overrides of single trials that the grid does not have."""
    used = {".".join((*map(str, c[:-1]), f"seed{c[-1]}")) for c in _cells(parameters.grid)}

    def leaves(branch: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        if len(path) == len(Grid.model_fields):
            yield ".".join(path)
            return
        for key, below in branch.items():
            yield from leaves(below, (*path, key))

    return [name for name in leaves(parameters.train, ()) if name not in used]
