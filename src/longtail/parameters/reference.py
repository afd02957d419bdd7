"""The reference of all parameters, from the models that check them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel

from longtail import parameters

BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": "≥ {}",
    "exclusiveMaximum": "< {}",
    "maximum": "≤ {}",
}
ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)
ROLE = re.compile(r":\w+:`~?")
PATH = "path"  # the type of a file or a folder on one machine
UNBOUNDED = 10**9  # a limit that only guards against overflow says nothing


class ParameterEntry(NamedTuple):
    """One parameter, in words. Code is between backquotes, as in Markdown."""

    key: str
    type: str
    default: str
    range: str
    meaning: str


class Section(NamedTuple):
    """The parameters of one model.

    Attributes:
        path: the key that holds the model; ``<name>`` is a name that users choose. Empty for the
            top level.
        kind: one of several models, such as the name of a loss; empty if there is one.
        about: what the model is.
        entries: its parameters.
    """

    path: str
    kind: str
    about: str
    entries: tuple[ParameterEntry, ...]


def sections(values: Mapping[str, Any]) -> list[Section]:
    """All parameters, those of a model before those of the models that it holds.

    Args:
        values: the parameters of an environment as plain values, which are the defaults.
    """
    schema = parameters.Parameters.model_json_schema()
    return list(_sections("", schema, schema["$defs"], values))


@cache
def machine_paths() -> tuple[tuple[str, ...], ...]:
    """The keys of files and folders on one machine, in parts; a star stands for any name."""
    keys = {
        f"{section.path}.{entry.key}".lstrip(".").replace("<name>", "*")
        for section in sections({})
        for entry in section.entries
        if PATH in entry.type.split(" or ")
    }
    return tuple(tuple(key.split(".")) for key in sorted(keys))


def _sections(
    path: str, schema: dict[str, Any], models: dict[str, Any], values: Any
) -> Iterator[Section]:
    values = values if isinstance(values, Mapping) else {}
    about, meanings = _described(schema["title"])
    entries, below = [], []
    for key, field in schema["properties"].items():
        below += [
            (f"{path}.{key}".lstrip(".") + suffix, models[name], {} if suffix else values.get(key))
            for name, suffix in _models_in(field)
        ]
        meaning = field.get("description") or meanings.get(key, "")
        default = values.get(key, field.get("default", ""))
        if "const" not in field and (key, path.endswith("<name>")) != ("name", True):
            entries.append(
                ParameterEntry(key, _type_of(field), _shown(default), _range_of(field), meaning)
            )
    kind = next((f["const"] for f in schema["properties"].values() if "const" in f), "")
    yield Section(path, kind, about, tuple(entries))
    for lower in below:
        yield from _sections(lower[0], lower[1], models, lower[2])


def _models_in(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The models that a key has, and what stands between: a name, in a table of models."""
    for part in (field, *field.get("anyOf", ()), *field.get("oneOf", ())):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2], ""
        if part is not field and "oneOf" in part:
            yield from _models_in(part)
        for inner in (
            part.get("additionalProperties"),
            *part.get("patternProperties", {}).values(),
        ):
            if isinstance(inner, dict) and "$ref" in inner:
                yield inner["$ref"].rpartition("/")[2], ".<name>"


def _described(model: str) -> tuple[str, dict[str, str]]:
    """A model's docstring without its attributes, and the attributes' meanings."""
    of: type[BaseModel] = getattr(parameters, model, parameters.Parameters)
    meanings: dict[str, str] = {}
    for base in reversed(of.__mro__):
        text, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        meanings |= {name: _plain(meaning) for name, meaning in ATTRIBUTE.findall(attributes)}
    return _plain(text), meanings


def _plain(text: str) -> str:
    """Text of a docstring in Markdown: code between single quotes, names without their role."""
    paragraphs = (" ".join(part.split()) for part in ROLE.sub("`", text).split("\n\n"))
    return "\n\n".join(paragraphs).replace("``", "`").strip()


def _type_of(field: dict[str, Any]) -> str:
    if parts := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_type_of(part) for part in parts))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return "below"
    if field.get("format") == PATH:
        return PATH
    kind = {"object": "table", "array": "list", "null": "`null`"}.get(field.get("type", "any"))
    items = field.get("items", {})
    return (kind or field.get("type", "any")) + (f" of {_type_of(items)}" if items else "")


def _range_of(field: dict[str, Any]) -> str:
    bounds = [
        words.format(part[bound])
        for part in (field, *field.get("anyOf", ()))
        for bound, words in BOUNDS.items()
        if bound in part and part[bound] < UNBOUNDED
    ]
    return ", ".join(bounds)


def _shown(default: Any) -> str:
    """A default as it is written in YAML, if it is short."""
    if default == "" or (isinstance(default, dict) and default):
        return ""
    return f"`{json.dumps(default).strip(chr(34))}`"
