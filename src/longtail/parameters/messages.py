"""Messages on invalid parameters: the key, what is wrong with it, and what is valid."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from longtail.parameters.layers import TAGS
from longtail.parameters.strict import Strict, models_in

# Errors whose message is complete; the others get the value that was found.
COMPLETE = {"value_error", "key_error", "unknown_key"}
REQUIRED = "is required and has no value. Give it in a file of conf, or with --params"


def describe(error: ValidationError, prefix: str = "", left_out: str = "") -> str:
    """One line for each mistake: the dotted key, what is wrong with it, and what is valid.

    Args:
        error: error with the mistakes.
        prefix: prefix of each key.
        left_out: the type of mistakes that are not described.
    """
    return "\n".join(
        line(mistake, prefix)
        for mistake in error.errors()
        # A list of wrong items is too short without them; each of them has a line of its own.
        if not (mistake["type"] == "too_short" and mistake["input"]) and mistake["type"] != left_out
    )


def line(mistake: ErrorDetails, prefix: str = "") -> str:
    """The line of one mistake."""
    context = mistake.get("ctx", {})
    key = [prefix, *_location(mistake["loc"])]
    found = mistake["input"]
    match mistake["type"]:
        case "union_tag_invalid":
            key.append(context["discriminator"].strip("'"))
            valid = context["expected_tags"].replace("'", "")
            message = f"unknown value '{context['tag']}'. Valid: {valid}"
        case "union_tag_not_found":
            key.append(context["discriminator"].strip("'"))
            message = REQUIRED
        case "missing":
            message = REQUIRED
        case "too_short":
            message = "give at least one, found none"
        case "string_type" if isinstance(found, int | float) and not isinstance(found, bool):
            message = (
                f'should be text, found {found}. To give a number as text, quote it: "{found}"'
            )
        case "tuple_type":
            message = f"should be a list, such as [{found}], found {found!r}"
        case "model_type" | "model_attributes_type" | "dict_type":
            message = f"should have keys of its own below it, found {found!r}"
        case kind:
            key.append(context.get("key", "") if kind == "key_error" else "")
            message = mistake["msg"].removeprefix("Value error, ")
            message = message if kind in COMPLETE else f"{message}, found {found!r}"
    dotted = ".".join(part for part in key if part)
    return f"{dotted}: {message}" if dotted else message


def _location(location: tuple[int | str, ...]) -> Iterator[str]:
    """The keys of a location, without what pydantic adds: tags of members of unions, ``[key]``."""
    before = ""
    for part in map(str, location):
        if part != "[key]" and (before, part) not in _tagged_unions():
            yield part
        before = part


@cache
def _tagged_unions() -> frozenset[tuple[str, str]]:
    """The fields of all models that hold a union, each with the tags of its members."""
    return frozenset(
        (name, tag)
        for model in _subclasses(Strict)
        for name, field in model.model_fields.items()
        if len(members := list(models_in(field.annotation))) > 1
        for member in members
        for key in TAGS
        if key in member.model_fields
        for tag in get_args(member.model_fields[key].annotation)
    )


def _subclasses(model: type[Strict]) -> Iterator[type[Strict]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
