"""Raw parameters, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from longtail.errors import ConfigurationError
from longtail.parameters.run import Parameters
from longtail.parameters.strict import Strict

# Discriminated unions put the chosen member's tag into an error's path; no YAML file has it.
_UNION_FIELDS = {"source", "holdout", "profile", "groups", "loss", "schedule", "post_hoc"}


_UNION_TAGS = {
    tag
    for model in Strict.__subclasses__()
    for key in ("kind", "name")
    if key in model.model_fields
    for tag in get_args(model.model_fields[key].annotation)
}


def parse(config: Mapping[str, Any]) -> Parameters:
    """Check raw parameters.

    Raises:
        ConfigurationError: naming each wrong key, what is wrong with it, and what is valid.
    """
    try:
        return Parameters.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigurationError(describe(error)) from None


def describe(error: ValidationError, prefix: str = "") -> str:
    """One line a mistake: the key, what is wrong with it, and what is valid."""
    lines = []
    for mistake in error.errors():
        if mistake["type"] == "too_short" and mistake["input"]:
            continue  # its items are wrong, each of which has a line, and so left out
        parts: list[str] = [prefix] if prefix else []
        location = [str(part) for part in mistake["loc"]]
        for before, part in zip(["", *location], location, strict=False):
            if not (before in _UNION_FIELDS and part in _UNION_TAGS):
                parts.append(part)
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "union_tag_invalid":
            expected = mistake["ctx"]["expected_tags"].replace("'", "")
            tag = mistake["ctx"]["discriminator"].strip("'")
            parts.append(tag)
            message = f"unknown value '{mistake['ctx']['tag']}'. Valid: {expected}"
        elif mistake["type"] == "too_short":
            message = "give at least one, found none"
        elif mistake["type"] == "tuple_type":
            message = f"should be a list, such as [{mistake['input']}], found {mistake['input']!r}"
        elif mistake["type"] in ("model_type", "dict_type"):
            message = f"should have keys of its own below it, found {mistake['input']!r}"
        elif mistake["type"] not in ("value_error", "missing"):
            message = f"{message}, found {mistake['input']!r}"
        lines.append(f"{'.'.join(parts)}: {message}" if parts else message)
    return "\n".join(lines)
