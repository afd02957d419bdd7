"""Every single parameter refuses values that make no sense, with a message that names its key.

The parameters are found by walking the models from their roots, through every member of every
union. A new model needs a valid example here. A new number needs a lower and an upper limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isclass
from math import inf, nan
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import Field, ValidationError, create_model

from longtail.parameters import Contents, Parameters, Strict, Trial, Trials
from longtail.parameters.messages import describe
from longtail.parameters.run import parse
from longtail.trials.grid import tables, trials

from .examples import EXAMPLES, NEEDED

ROOTS: tuple[type[Strict], ...] = (Parameters, Trial, Contents, Trials)

HUGE = 10**30
WRONG_ITEMS: dict[type, list[Any]] = {
    int: [True, False, "3", 1.5, 2.0, inf, -inf, nan, -1, -HUGE, HUGE, 2**63, [], {}],
    float: [True, False, "0.5", inf, -inf, nan, -1, -0.5, -HUGE, HUGE, 1e300, 10**400, [], {}],
    bool: [0, 1, 2, 0.5, "true", "yes", inf, [], {}],
    str: ["", True, 3, -1, 0.5, inf, nan, HUGE, [], {}],
    dict: [True, 3, "a", inf, []],
}


@dataclass(frozen=True)
class Leaf:
    """A field of a model that is not a model itself.

    Attributes:
        path: the keys that lead to it from a root.
        members: the unions on the way, each by its path and the member that was taken.
        annotation: the type of its values.
    """

    path: tuple[str, ...]
    members: tuple[tuple[tuple[str, ...], type[Strict]], ...]
    annotation: Any

    def __str__(self) -> str:
        return "-".join((".".join(self.path), *(model.__name__ for _, model in self.members)))


def alternatives(annotation: Any) -> list[Any]:
    """The types that a value may have, without the metadata."""
    if get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for choice in get_args(annotation) for part in alternatives(choice)]
    return [annotation]


def is_model(annotation: Any) -> bool:
    return isclass(annotation) and issubclass(annotation, Strict)


def leaves(model: type[Strict], path: tuple[str, ...] = (), members: Any = ()) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        models: list[tuple[tuple[str, ...], type[Strict]]] = []
        for choice in alternatives(field.annotation):
            arguments = get_args(choice)
            if is_model(choice):
                models.append((here, choice))
            elif get_origin(choice) is dict and is_model(arguments[1]):
                models.append(((*here, "*"), arguments[1]))
            elif get_origin(choice) is tuple and is_model(arguments[0]):
                models.append(((*here, "0"), arguments[0]))
        for place, below in models:
            taken = ((place, below),) if below.__name__ in EXAMPLES else ()
            yield from leaves(below, place, (*members, *taken))
        if not models:
            yield Leaf(here, members, field.annotation)


LEAVES = {root: list(leaves(root)) for root in ROOTS}
CASES = [
    pytest.param(root, leaf, id=f"{root.__name__}-{leaf}")
    for root in ROOTS
    for leaf in LEAVES[root]
]


def wrong_values(annotation: Any) -> Iterator[Any]:
    """Values that no parameter of this type should accept."""
    choices = alternatives(annotation)
    if NoneType not in choices:
        yield None
    kinds = {choice if isclass(choice) else get_origin(choice) for choice in choices}
    scalars = kinds & {int, float, bool, str}
    assert len(scalars) <= 1, "which values are wrong for a union of these must be stated here"
    for choice in choices:
        if get_origin(choice) is Literal:
            yield from ("no_such_value", True, 0, 1, inf, nan, HUGE, [], {})
        elif get_origin(choice) is dict:
            yield from WRONG_ITEMS[dict]
            of_values = get_args(choice)[1]
            yield from ({"a": value} for value in wrong_values(of_values) if of_values is not Any)
        elif get_origin(choice) is tuple:
            yield from (True, -1, inf, nan, HUGE, "", {})
            for value in wrong_values(get_args(choice)[0]):
                yield [value]
        elif choice in WRONG_ITEMS:
            yield from WRONG_ITEMS[choice]


def with_value(tree: Any, path: tuple[str, ...], value: Any) -> Any:
    """A copy of nested values with one of them replaced; ``*`` stands for the first key."""
    if not path:
        return value
    key, *rest = path
    if isinstance(tree, list):
        return [with_value(tree[0], tuple(rest), value), *tree[1:]]
    key = next(iter(tree)) if key == "*" else key
    return {**tree, key: with_value(tree.get(key, {}), tuple(rest), value)}


@pytest.fixture(scope="module")
def valid(base_files: dict[str, Any]) -> dict[type[Strict], dict[str, Any]]:
    """Valid raw values of each root, into which each example fits. Not to be changed."""
    parameters = parse(base_files | {"recipe": base_files["recipe"] | {"crop_padding": 0}})
    trial = trials(parameters)[0]
    given = {"pretrained": True, "weights": "w.npz"}  # so that the backbone may be frozen
    trial = trial.model_copy(update={"backbone": trial.backbone.model_copy(update=given)})
    roots: dict[type[Strict], Strict] = {
        Parameters: parameters,
        Trial: trial,
        Contents: tables(parameters)["digits"],
        Trials: Trials(trials=(trial,)),
    }
    return {root: checked.model_dump(mode="json") for root, checked in roots.items()}


def message_of(root: type[Strict], values: dict[str, Any]) -> str | None:
    """The message on invalid values, None where they are valid."""
    try:
        root.model_validate(values)
    except ValidationError as error:
        return describe(error)
    return None


def placed(tree: Any, leaf: Leaf) -> Any:
    """Valid values with the members of unions that lead to a leaf."""
    for path, model in leaf.members:
        tree = with_value(tree, path, EXAMPLES[model.__name__])
        for key, value in NEEDED.get(model.__name__, {}).items():
            tree = with_value(tree, (*path[:-1], key), value)
    return tree


def dotted(tree: Any, path: tuple[str, ...]) -> str:
    """A path as messages give it, with the first key for ``*``."""
    parts = []
    for part in path:
        key = next(iter(tree)) if part == "*" else part
        tree = tree[int(key)] if isinstance(tree, list) else tree.get(key, {})
        parts.append(key)
    return ".".join(parts)


@pytest.mark.parametrize(("root", "leaf"), CASES)
def test_wrong_values_are_refused_with_their_key(
    root: type[Strict], leaf: Leaf, valid: dict[type[Strict], dict[str, Any]]
) -> None:
    tree = placed(valid[root], leaf)
    assert message_of(root, tree) is None
    key = dotted(tree, leaf.path)
    accepted, unnamed = [], []
    for value in wrong_values(leaf.annotation):
        message = message_of(root, with_value(tree, leaf.path, value))
        if message is None:
            accepted.append(value)
        elif not any(line.startswith((f"{key}:", f"{key}.")) for line in message.splitlines()):
            unnamed.append((value, message))
    assert (accepted, unnamed) == ([], [])


def at(tree: Any, path: tuple[str, ...]) -> Any:
    """The nested value at a path of :func:`dotted`."""
    for key in filter(None, dotted(tree, path).split(".")):
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree


@pytest.mark.parametrize(("root", "leaf"), CASES)
def test_keys_of_other_models_are_refused(
    root: type[Strict], leaf: Leaf, valid: dict[type[Strict], dict[str, Any]]
) -> None:
    """Those of the other members of the same union, and one that no model has."""
    tree = placed(valid[root], leaf)
    *above, _ = leaf.path
    model = at(tree, tuple(above))
    siblings = {other.path[-1] for other in LEAVES[root] if other.path[:-1] == tuple(above)}
    key = dotted(tree, tuple(above))
    for foreign in (siblings - model.keys()) | {"no_such_key"}:
        message = message_of(root, with_value(tree, (*above, foreign), 1))
        start = f"{key}: unknown key '{foreign}'" if key else f"unknown key '{foreign}'"
        assert message is not None and start in message
        assert f"Valid: {', '.join(list(model)[:1])}" in message


def test_every_union_member_and_optional_model_has_an_example() -> None:
    found = {model for root in ROOTS for leaf in LEAVES[root] for _, model in leaf.members}
    assert {model.__name__ for model in found} == set(EXAMPLES)
    for model in found:
        assert model.model_fields.keys() == EXAMPLES[model.__name__].keys()


@pytest.mark.parametrize("annotation", [int, float, Annotated[int, Field(ge=0)], Literal[1, "a"]])
def test_a_type_without_a_range_would_be_noticed(annotation: Any) -> None:
    model = create_model("Careless", __base__=Strict, value=(annotation, ...))
    assert None in [message_of(model, {"value": value}) for value in wrong_values(annotation)]
