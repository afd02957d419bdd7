"""The page of all parameters, from the models that check them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from longtail import parameters
from longtail.parameters import Parameters

BASE = Path(__file__).parents[2] / "conf/base/parameters"
INTRODUCTION = """# All parameters

Generated from the models in `longtail.parameters`, which check the parameters of each run. Set
a parameter in `conf/<environment>/parameters/*.yml` or with `--params=<key>=<value>`. `<name>` is
a name that you choose. Defaults are those of `conf/base`, or else of the model.
"""
COLUMNS = ("key", "type", "default", "range", "meaning")
BOUNDS = {
    "exclusiveMinimum": "> {}",
    "minimum": "≥ {}",
    "exclusiveMaximum": "< {}",
    "maximum": "≤ {}",
}
ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)
ROLE = re.compile(r":\w+:`~?")
DEEPEST = 4
UNBOUNDED = 10**9  # a limit that only guards against overflow says nothing
BAR = r"\|"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    schema = Parameters.model_json_schema()
    base: dict[str, Any] = {}
    for file in sorted(BASE.glob("*.yml")):
        base |= yaml.safe_load(file.read_text(encoding="utf-8"))
    lines = [INTRODUCTION, *model_section("", schema, schema["$defs"], base)]
    files.append(File.generated(config, "reference/parameters.md", content="\n".join(lines)))
    return files


def model_section(
    path: str, schema: dict[str, Any], models: dict[str, Any], base: Any
) -> Iterator[str]:
    """The table of a model's keys, then the sections of the models that its keys hold."""
    base = base if isinstance(base, dict) else {}
    about, meanings = described(schema["title"])
    rows, below = [], []
    for key, field in schema["properties"].items():
        below += [
            (f"{path}.{key}".lstrip(".") + suffix, models[name], {} if suffix else base.get(key))
            for name, suffix in models_in(field)
        ]
        meaning = field.get("description") or meanings.get(key, "")
        default = base.get(key, field.get("default", ""))
        if "const" not in field and (key, path.endswith("<name>")) != ("name", True):
            rows.append((f"`{key}`", type_of(field), shown(default), range_of(field), meaning))
    if path:
        level = min(2 + path.replace(".<name>", "").count("."), DEEPEST)
        kind = next((f["const"] for f in schema["properties"].values() if "const" in f), "")
        yield f"\n{'#' * level} `{path}`" + (f" ({kind})" if kind else "") + "\n"
        yield about + "\n"
        yield from table(rows)
    for lower in below:
        yield from model_section(lower[0], lower[1], models, lower[2])


def table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A table of the columns that are not empty."""
    if not rows:
        return
    columns = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows)]
    for row in (COLUMNS, ("---",) * len(COLUMNS), *rows):
        yield f"| {' | '.join(row[i].replace('|', BAR) for i in columns)} |"
    yield ""


def models_in(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The models that a key holds, and what stands between: a name, in a table of models."""
    for part in (field, *field.get("anyOf", ()), *field.get("oneOf", ())):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2], ""
        if part is not field and "oneOf" in part:
            yield from models_in(part)
        for inner in (
            part.get("additionalProperties"),
            *part.get("patternProperties", {}).values(),
        ):
            if isinstance(inner, dict) and "$ref" in inner:
                yield inner["$ref"].rpartition("/")[2], ".<name>"


def described(model: str) -> tuple[str, dict[str, str]]:
    """A model's docstring without its attributes, and the attributes' meanings."""
    of: type[BaseModel] = getattr(parameters, model, Parameters)
    meanings: dict[str, str] = {}
    for base in reversed(of.__mro__):
        text, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        meanings |= {name: plain(meaning) for name, meaning in ATTRIBUTE.findall(attributes)}
    return plain(text), meanings


def plain(text: str) -> str:
    """Text of a docstring in Markdown: code between single quotes, names without their role."""
    paragraphs = (" ".join(part.split()) for part in ROLE.sub("`", text).split("\n\n"))
    return "\n\n".join(paragraphs).replace("``", "`").strip()


def type_of(field: dict[str, Any]) -> str:
    """The type of a key in words."""
    if parts := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(type_of(part) for part in parts))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return "below"
    kind = {"object": "table", "array": "list", "null": "`null`"}.get(field.get("type", "any"))
    items = field.get("items", {})
    return (kind or field.get("type", "any")) + (f" of {type_of(items)}" if items else "")


def range_of(field: dict[str, Any]) -> str:
    """The range of a number."""
    bounds = [
        words.format(part[bound])
        for part in (field, *field.get("anyOf", ()))
        for bound, words in BOUNDS.items()
        if bound in part and part[bound] < UNBOUNDED
    ]
    return ", ".join(bounds)


def shown(default: Any) -> str:
    """A default as it is written in YAML, if it is short."""
    if default == "" or (isinstance(default, dict) and default):
        return ""
    return f"`{json.dumps(default).strip(chr(34))}`"
