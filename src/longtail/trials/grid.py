"""From parameters to trials: the grid expanded, with overrides of single trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from pydantic import BaseModel, ValidationError

from longtail.errors import ConfigurationError
from longtail.parameters import (
    Contents,
    Dataset,
    Grid,
    Method,
    OfficialTestHoldout,
    Parameters,
    Table,
    Trial,
)
from longtail.parameters.layers import merge
from longtail.parameters.messages import describe
from longtail.parameters.nesting import nest
from longtail.parameters.trial_name import TrialName
from longtail.trials.overrides import overridden_trials, override_of

# How many times larger than it is stored an image may be for a network.
LARGEST_ENLARGEMENT = 32


def trials(
    parameters: Parameters, command_line_recipe: Mapping[str, Any] | None = None
) -> list[Trial]:
    """Expand the grid into its trials, in the order of its lists.

    A trial's recipe is merged from layers: the common recipe, its backbone's, its method's, the
    ``recipe`` of the command line, and the override of this trial at ``train.<dataset>.
    <train set>.<backbone>.<method>.seed<seed>.trial``.

    Raises:
        ConfigurationError: if an override is not of a possible trial or has an invalid key, or if
            a trial's parameters do not fit together or do not fit its data set.
    """
    overridden = overridden_trials(parameters)
    grid, methods = parameters.grid, parameters.methods
    if all(methods[name].external for name in grid.methods):
        raise ConfigurationError(
            "grid.methods: all methods are external predictions. Name a method that is trained"
        )
    names = [name for name in _names(grid) if name.seed in _seeds(methods[name.method], grid)]
    recipe = command_line_recipe or {}
    in_grid = set(names)
    for name in overridden:
        if name not in in_grid:
            _check_left_out(parameters, name, recipe)
    return [_trial(parameters, name, recipe) for name in names]


def tables(parameters: Parameters) -> dict[str, Contents]:
    """Each data set's tables, numbered as in the thesis' appendix: two for each
    backbone and training set.
    """
    grid = parameters.grid
    cells = list(product(grid.backbones, grid.train_sets))
    methods = _by_family([parameters.methods[name] for name in grid.methods])
    families = {method.name: method.family for method in methods if method.family}
    return {
        dataset: Contents(
            label=parameters.datasets[dataset].label,
            grouped_by=parameters.datasets[dataset].imbalance.grouped_by,
            tables=tuple(
                Table(
                    dataset=dataset,
                    backbone=backbone,
                    backbone_label=parameters.backbones[backbone].label,
                    train_set=train_set,
                    methods={method.name: method.row_label for method in methods},
                    families=families if len(set(families.values())) > 1 else {},
                    seeds=grid.seeds,
                    draw_per_seed=grid.draw_per_seed,
                    number=1 + 2 * position,
                )
                for position, (backbone, train_set) in enumerate(cells)
            ),
            methods=tuple(methods),
        )
        for dataset in grid.datasets
    }


def _by_family(methods: Sequence[Method]) -> list[Method]:
    """The methods of each family together: those of none first, then in the order of the grid.

    Methods of a single family stay as they are.
    """
    families = list(dict.fromkeys(method.family for method in methods if method.family))
    if len(families) < 2:
        return list(methods)
    return [method for family in (None, *families) for method in methods if method.family == family]


def nested(models: Mapping[str, BaseModel]) -> dict[str, Any]:
    """Models, nested by the parts of their dotted names. Kedro does not check a model again."""
    return nest({tuple(name.split(".")): model for name, model in models.items()})


def table_name(table: Table) -> str:
    """The dotted name of a table, which is its namespace below ``report``."""
    return f"{table.dataset}.{table.backbone}.{table.train_set}"


def _names(grid: Grid) -> Iterator[TrialName]:
    axes = (grid.datasets, grid.train_sets, grid.backbones, grid.methods, grid.seeds)
    return (TrialName(*values) for values in product(*axes))


def _seeds(method: Method, grid: Grid) -> tuple[int, ...]:
    """The seeds of a method's trials: of external predictions as many as there are files."""
    external = method.external
    return grid.seeds[:1] if external and not external.is_of_each_seed else grid.seeds


def _trial(parameters: Parameters, name: TrialName, recipe: Mapping[str, Any]) -> Trial:
    try:
        trial = Trial.model_validate(_values(parameters, name, recipe))
    except ValidationError as error:
        message = describe(error, prefix=name.key)
        raise ConfigurationError(_with_origin(message, parameters, name, recipe)) from None
    dataset = parameters.datasets[name.dataset]
    _check_sizes(trial, dataset, name.key)
    _check_validation(trial, dataset, name.key)
    return trial


def _check_left_out(parameters: Parameters, name: TrialName, recipe: Mapping[str, Any]) -> None:
    """Refuse wrong keys and values in the override of a trial that the grid leaves out.

    What does not fit other keys is refused where a grid has the trial: its keys may differ.
    """
    try:
        Trial.model_validate(_values(parameters, name, recipe))
    except ValidationError as error:
        if message := describe(error, prefix=name.key, left_out="key_error"):
            raise ConfigurationError(_with_origin(message, parameters, name, recipe)) from None


def _values(
    parameters: Parameters, name: TrialName, command_line_recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """The raw values of a trial, merged from all layers."""
    backbone, method = parameters.backbones[name.backbone], parameters.methods[name.method]
    values = {
        "dataset": name.dataset,
        "train_set": name.train_set,
        "backbone": {**backbone.model_dump(), "recipe": {}},
        "method": {**method.model_dump(), "recipe": {}},
        "seed": name.seed,
        "draw_per_seed": parameters.grid.draw_per_seed,
        "recipe": merge(
            parameters.recipe.model_dump(), backbone.recipe, method.recipe, command_line_recipe
        ),
        "compute": parameters.compute.model_dump(),
    }
    return merge(values, override_of(parameters, name))


def _with_origin(
    message: str, parameters: Parameters, name: TrialName, command_line_recipe: Mapping[str, Any]
) -> str:
    """Name the layer that sets each wrong key of a trial's recipe instead of the trial.

    The lines of the message begin with the key of the trial.
    """
    key, of_trial = name.key, override_of(parameters, name).get("recipe", {})
    layers = {  # the upper ones first
        "recipe": command_line_recipe,
        f"methods.{name.method}.recipe": parameters.methods[name.method].recipe,
        f"backbones.{name.backbone}.recipe": parameters.backbones[name.backbone].recipe,
    }

    def named(line: str) -> str:
        recipe, is_in_recipe, rest = line.partition(f"{key}.recipe.")
        field = rest.partition(": ")[0].partition(".")[0]
        if recipe or not is_in_recipe or field in of_trial:
            return line
        origin = next((name for name, layer in layers.items() if field in layer), "recipe")
        return f"{origin}.{rest} (in {key})"

    return "\n".join(map(named, message.splitlines()))


def _check_sizes(trial: Trial, dataset: Dataset, key: str) -> None:
    """Refuse crops that can miss the whole image, and images that are enlarged many times."""
    padding, side = trial.recipe.crop_padding, dataset.source.image_size
    if padding >= side:
        raise ConfigurationError(
            f"{key}: recipe.crop_padding is {padding}, but the images of datasets.{dataset.name} "
            f"are {side} pixels wide. Valid: less than {side}"
        )
    size, largest = trial.recipe.image_size, LARGEST_ENLARGEMENT * side
    if size > largest:
        raise ConfigurationError(
            f"{key}: recipe.image_size is {size}, but the images of datasets.{dataset.name} are "
            f"{side} pixels wide, and larger ones have no more detail. Valid: at most {largest}"
        )


def _check_validation(trial: Trial, dataset: Dataset, key: str) -> None:
    """Refuse to validate on a data set that has no validation images."""
    holdout = dataset.imbalance.holdout
    if not isinstance(holdout, OfficialTestHoldout):
        return
    without = f"datasets.{dataset.name}.imbalance.holdout ({holdout.kind}) leaves no"
    if trial.recipe.validate_every:
        raise ConfigurationError(
            f"{key}: recipe.validate_every is {trial.recipe.validate_every}, but "
            f"{without} image to validate on. Set recipe.validate_every to 0, or the holdout to "
            f"{{kind: official}}"
        )
    tau = trial.method.post_hoc.tau if trial.method.post_hoc else ()
    if len(tau) > 1:
        raise ConfigurationError(
            f"methods.{trial.method.name}.post_hoc.tau: several values ({list(tau)}) need "
            f"validation images, but {without}ne. Give one value, or set the holdout to "
            f"{{kind: official}}"
        )
