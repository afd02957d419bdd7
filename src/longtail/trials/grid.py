"""From parameters to trials: the grid expanded, with overrides of single trials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, cast, get_args

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
    TrainSet,
    Trial,
    unknown,
)
from longtail.parameters.layers import merge
from longtail.parameters.messages import describe
from longtail.parameters.nesting import nest


class Cell(NamedTuple):
    """A combination of the grid's axes."""

    dataset: str
    train_set: str
    backbone: str
    method: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its trial."""
        return ".".join((*self[:-1], f"seed{self.seed}"))


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
    _check_override_names(parameters)
    grid, methods = parameters.grid, parameters.methods
    if all(methods[name].external for name in grid.methods):
        raise ConfigurationError(
            "grid.methods: all methods are external predictions. Name a method that is trained"
        )
    return [
        _trial(parameters, cell, command_line_recipe or {})
        for cell in _cells(grid)
        if cell.seed in _seeds(methods[cell.method], grid)
    ]


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
            )
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


def _cells(grid: Grid) -> Iterator[Cell]:
    axes = (grid.datasets, grid.train_sets, grid.backbones, grid.methods, grid.seeds)
    return (Cell(*values) for values in product(*axes))


def _seeds(method: Method, grid: Grid) -> tuple[int, ...]:
    """The seeds of a method's trials: of external predictions as many as there are files."""
    external = method.external
    return grid.seeds[:1] if external and not external.is_of_each_seed else grid.seeds


def _trial(parameters: Parameters, cell: Cell, command_line_recipe: Mapping[str, Any]) -> Trial:
    backbone, method = parameters.backbones[cell.backbone], parameters.methods[cell.method]
    values = {
        "dataset": cell.dataset,
        "train_set": cell.train_set,
        "backbone": {**backbone.model_dump(), "recipe": {}},
        "method": {**method.model_dump(), "recipe": {}},
        "seed": cell.seed,
        "draw_per_seed": parameters.grid.draw_per_seed,
        "recipe": merge(
            parameters.recipe.model_dump(), backbone.recipe, method.recipe, command_line_recipe
        ),
        "compute": parameters.compute.model_dump(),
    }
    key = f"train.{cell.name}.trial"
    try:
        trial = Trial.model_validate(merge(values, _override(parameters, cell, key)))
    except ValidationError as error:
        message = describe(error, prefix=key)
        layers = {
            "recipe": command_line_recipe,
            f"methods.{cell.method}.recipe": method.recipe,
            f"backbones.{cell.backbone}.recipe": backbone.recipe,
        }
        of_trial = _override(parameters, cell, key).get("recipe", {})
        raise ConfigurationError(_with_origin(message, key, of_trial, layers)) from None
    if trial.name != cell.name:
        raise ConfigurationError(f"{key}: an override cannot rename the trial")
    dataset = parameters.datasets[cell.dataset]
    _check_freezing(trial, key)
    _check_crops(trial, dataset, key)
    _check_validation(trial, dataset, key)
    return trial


def _with_origin(
    message: str, key: str, of_trial: Mapping[str, Any], layers: Mapping[str, Mapping[str, Any]]
) -> str:
    """Name the layer that sets each wrong key of a trial's recipe instead of the trial.

    Args:
        message: lines that begin with the key of the trial.
        key: of the trial's parameters.
        of_trial: the recipe in these parameters.
        layers: the other layers of its recipe, by key, the upper ones first.
    """

    def named(line: str) -> str:
        recipe, is_in_recipe, rest = line.partition(f"{key}.recipe.")
        field = rest.partition(": ")[0].partition(".")[0]
        if recipe or not is_in_recipe or field in of_trial:
            return line
        origin = next((name for name, layer in layers.items() if field in layer), "recipe")
        return f"{origin}.{rest} (in {key})"

    return "\n".join(map(named, message.splitlines()))


def _override(parameters: Parameters, cell: Cell, key: str) -> Mapping[str, Any]:
    """What the parameters change of a single trial."""
    override: Any = parameters.train
    for part in (*cell.name.split("."), "trial"):
        override = override.get(part, {})
    fixed = {"dataset", "train_set", "seed", "draw_per_seed"} & set(override)
    if fixed:
        raise ConfigurationError(f"{key}: the grid sets {', '.join(sorted(fixed))}")
    for part in ("backbone", "method"):
        values = override.get(part)
        if isinstance(values, Mapping) and values.get("recipe"):
            raise ConfigurationError(
                f"{key}.{part}.recipe: has no effect on a single trial. Valid: {key}.recipe"
            )
    return cast("Mapping[str, Any]", override)


def _check_freezing(trial: Trial, key: str) -> None:
    """Refuse a frozen network with random weights, and cached views that are all the same."""
    recipe = trial.recipe
    if recipe.freeze != "none" and not trial.backbone.pretrained:
        raise ConfigurationError(
            f"{key}: recipe.freeze is {recipe.freeze}, but the network would start "
            f"from random weights. Set backbones.{trial.backbone.name}.pretrained to true, or "
            f"recipe.freeze to none"
        )
    if not recipe.has_fixed_features:
        return
    optional = (
        *("random_resized_crop", "rotation", "auto_augment"),
        *("rand_augment", "random_erasing", "cutout"),
    )
    chosen = [name for name in optional if getattr(recipe, name) is not None]
    if chosen and recipe.cached_views == 1:
        raise ConfigurationError(
            f"{key}: recipe.{chosen[0]} has no effect with recipe.freeze: backbone and one cached "
            f"view, the image itself. Set recipe.cached_views to 2 or more, or recipe.{chosen[0]} "
            f"to null"
        )
    if recipe.cached_views > 1 and not (recipe.crop_padding or recipe.horizontal_flip or chosen):
        raise ConfigurationError(
            f"{key}: recipe.cached_views is {recipe.cached_views}, but all views "
            f"would be the same. Set recipe.crop_padding or recipe.horizontal_flip, or "
            f"recipe.cached_views to 1"
        )


def _check_crops(trial: Trial, dataset: Dataset, key: str) -> None:
    """Refuse crops that can miss the whole image."""
    padding, side = trial.recipe.crop_padding, dataset.source.image_size
    if padding >= side:
        raise ConfigurationError(
            f"{key}: recipe.crop_padding is {padding}, but the images of datasets.{dataset.name} "
            f"are {side} pixels wide. Valid: less than {side}"
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
            f"methods.{trial.method.name}.post_hoc.tau: {list(tau)} are to be chosen from on "
            f"validation images, but {without}ne. Give one value, or set the holdout to "
            f"{{kind: official}}"
        )


def _check_override_names(parameters: Parameters) -> None:
    """Refuse overrides of trials that no grid can have."""
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
            elif not re.fullmatch(r"seed\d+", str(key), re.ASCII):
                raise ConfigurationError(f"{path}: expected seed<number>, found '{key}'")
            elif not isinstance(below, Mapping) or set(below) != {"trial"}:
                raise ConfigurationError(f"{path}.{key}: the one valid key here is 'trial'")
            elif not isinstance(below["trial"], Mapping):
                raise ConfigurationError(f"{path}.{key}.trial: expected keys below it")

    check(parameters.train, "train", list(axes))


def unused_overrides(parameters: Parameters) -> list[str]:
    """The overrides of single trials that the grid does not have."""
    used = {cell.name for cell in _cells(parameters.grid)}

    def leaves(branch: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        if len(path) == len(Cell._fields):
            yield ".".join(path)
            return
        for key, below in branch.items():
            yield from leaves(below, (*path, key))

    return [name for name in leaves(parameters.train, ()) if name not in used]
