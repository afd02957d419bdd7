"""The values of options on the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import click
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from longtail.parameters import Parameters, unknown

# Where a context keeps the arguments as they were given.
ARGUMENTS_KEY = "longtail.arguments"
# How paths start. They are no YAML: ` #` and `: ` are parts of a path.
PATHS = ("/", "~/", "./", "../")


class Command(click.Command):
    """A command that refuses an option that is given twice; click would use the last one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option in given:
            if isinstance(option, click.Option) and given.count(option) > 1:
                ctx.fail(f"{option.opts[0]} is given twice. Give it once, with all values")
        ctx.meta[ARGUMENTS_KEY] = tuple(args)
        return super().parse_args(ctx, args)


def split_params(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Split ``--params`` at the commas outside brackets and quotes.

    ``grid.methods=[softmax,ldam],recipe.epochs=5`` is two parameters, and ``data="/a,b=c"`` is one.
    Kedro splits at every comma.
    """
    if not isinstance(value, str):
        return value or {}
    name = f"--{str(option.name).replace('_', '-')}"
    try:
        items = list(_split(value))
    except ValueError as error:
        ctx.fail(f"{name}: {error}")
    for before, item in pairwise(["", *items]):
        if problem := _problem(item, before, any_key=name != "--params"):
            ctx.fail(f"{name}: {problem}")
    keys = [item.partition("=")[0].strip() for item in items]
    for position, key in enumerate(keys):
        for other in keys[:position]:
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                both = f"'{key}' is given twice" if key == other else f"'{other}' includes '{key}'"
                ctx.fail(f"{name}: {both}. Give each key once")
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist(list(map(_with_plain_path, items))))
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        ctx.fail(f"{name}: '{value}' cannot be read: {str(error).splitlines()[0]}")


def split_load_versions(ctx: click.Context, _: click.Parameter, value: Any) -> dict[str, str]:
    """Split ``--load-versions`` into data sets and their versions."""
    if not isinstance(value, str):
        return dict(value or {})
    versions: dict[str, str] = {}
    for item in filter(None, map(str.strip, value.split(","))):
        dataset, colon, version = item.partition(":")
        if not dataset or not colon or not version:
            ctx.fail(f"--load-versions: '{item}' must be <data set>:<version>")
        if dataset in versions:
            ctx.fail(f"--load-versions: '{dataset}' is given twice")
        versions[dataset] = version
    return versions


def _problem(item: str, before: str, *, any_key: bool) -> str | None:
    """Why an item is not ``<key>=<value>``, and how to write it if it is a part of another."""
    key, equals, _ = item.partition("=")
    top = key.strip().partition(".")[0]
    owner, is_given, value = before.partition("=")
    as_list, as_text = (
        shlex.quote(f"--params={owner}={form}")
        for form in (f"[{value},{item}]", f'"{value},{item}"')
    )
    if not top or not equals:
        problem, how = (
            f"'{item}' must be <key>=<value>",
            f"{as_list} (a list) or {as_text} (a text)",
        )
    elif not any_key and top not in Parameters.model_fields and value.startswith(PATHS):
        problem, how = unknown(top, Parameters.model_fields, "key"), as_text
    else:
        return None
    return f"{problem}. If it belongs to {owner}, write {how}" if is_given else problem


def _split(text: str) -> Iterator[str]:
    """The parts of a text between the commas that are outside brackets and quotes.

    Raises:
        ValueError: if one of these is not closed.
    """
    item, depth, quote, before = "", 0, "", ","
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and before in "=[{,:":  # elsewhere it is an apostrophe
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0 and not quote:
            if item.strip():
                yield item.strip()
            item = ""
        else:
            item += character
        before = before if character == " " else character
    if depth or quote:
        raise ValueError(
            f"'{item.strip()}' has a bracket or quote without its other half. Put a text with one "
            f"in quotes"
        )
    if item.strip():
        yield item.strip()


def _with_plain_path(item: str) -> str:
    key, _, value = item.partition("=")
    return f"{key}={json.dumps(value.strip())}" if value.strip().startswith(PATHS) else item
