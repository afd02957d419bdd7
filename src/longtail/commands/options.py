"""Commands, and the values of their options on the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.io.core import DatasetError, DatasetNotFoundError
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from longtail.config import UNREADABLE, unreadable_reason
from longtail.errors import LongtailError, RunInterruptedError
from longtail.interruption import EXIT_STATUS, interruptible
from longtail.parameters import Parameters, unknown
from longtail.wording import first_line

# Where a context keeps the arguments as they were given.
ARGUMENTS_KEY = "longtail.arguments"
# How paths start. They are no YAML: ` #` and `: ` are parts of a path.
PATHS = ("/", "~/", "./", "../")


class Command(click.Command):
    """A command that refuses an option that is given twice; click would use the last one.

    It shows errors that the user can fix, and interruptions, without a traceback.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option in given:
            if isinstance(option, click.Option) and given.count(option) > 1:
                ctx.fail(f"{option.opts[0]} is given twice. Give it once, with all values")
        ctx.meta[ARGUMENTS_KEY] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruptible():
                return super().invoke(ctx)
        except RunInterruptedError as error:
            raise _Interruption(str(error)) from None
        except LongtailError as error:
            raise click.ClickException(str(error)) from None
        except DatasetNotFoundError as error:  # Kedro raises it for --load-versions only
            raise click.ClickException(f"--load-versions: {error}") from None
        except DatasetError as error:
            raise click.ClickException(str(error)) from None
        except MissingConfigException as error:
            raise click.ClickException(
                f"{' '.join(str(error).split())}. A --conf-source has the folder base and one for "
                f"each environment; in an archive, all of them are in one folder"
            ) from None


class _Interruption(click.ClickException):
    exit_code = EXIT_STATUS


def split_params(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Split ``--params`` at the commas outside brackets and quotes.

    ``grid.methods=[softmax,ldam],recipe.epochs=5`` is two parameters, and ``data="/a,b=c"`` is one.
    Kedro splits at every comma.
    """
    if isinstance(value, Mapping) or not value:
        return value or {}
    value = str(value)  # in a file, it may be a number
    name = f"--{str(option.name).replace('_', '-')}"
    try:
        parts = list(_split(value))
    except ValueError as error:
        ctx.fail(f"{name}: {error}")
    if problem := _problem(parts, any_key=name != "--params"):
        ctx.fail(f"{name}: {problem}")
    items = [part.strip() for part in parts if part.strip()]
    keys = [item.partition("=")[0].strip() for item in items]
    for position, key in enumerate(keys):
        for other in keys[:position]:
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                both = f"'{key}' is given twice" if key == other else f"'{other}' includes '{key}'"
                ctx.fail(f"{name}: {both}. Give each key once")
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist(list(map(_with_plain_path, items))))
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        ctx.fail(f"{name}: '{value}' cannot be read: {first_line(error)}")


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


def read_run_section(ctx: click.Context, _: click.Parameter, file: str | None) -> str | None:
    """Take options from the section `run` of the file of ``--config``, for `plan` too.

    Kedro looks for a section of the command's own name.
    """
    if not file:
        return None
    try:
        content = OmegaConf.to_container(OmegaConf.load(file))
    except UNREADABLE as error:
        reason = unreadable_reason(error, Path(file))
        ctx.fail(f"--config: {reason}" if file in reason else f"--config: {file}: {reason}")
    section = content.get("run") if isinstance(content, dict) else None
    if not isinstance(section, dict):
        ctx.fail(
            f"--config: {file}: must contain a section run with options of `run`, such as "
            f"run: {{pipelines: train, env: test}}"
        )
    names = [str(param.name) for param in ctx.command.params if param.name != "config"]
    for key in section:
        if key not in names:
            ctx.fail(f"--config: {file}: {unknown(str(key), names, 'option')}")
    listed = {key: value for key, value in section.items() if isinstance(value, list)}
    joined = {key: ",".join(map(str, value)) for key, value in listed.items()}
    ctx.default_map = {**(ctx.default_map or {}), **section, **joined}
    return file


def _problem(parts: Sequence[str], *, any_key: bool) -> str | None:
    """Which part is no ``<key>=<value>``, and how to write it if it belongs to the one before."""
    owner, value = "", ""
    for place, part in enumerate(parts):
        key, _, after = part.partition("=")
        top, forms = _top(part), ["[%s]", '"%s"']
        if not part.strip():
            continue
        if not top:
            problem = f"'{part.strip()}' must be <key>=<value>"
        elif not any_key and top not in Parameters.model_fields and value.startswith(PATHS):
            problem, forms = unknown(top, Parameters.model_fields, "key"), forms[1:]
        else:
            owner, value = key.strip(), after.lstrip()
            continue
        if not owner:
            return problem
        # All up to the next parameter, with blanks: it may be the name of a folder.
        whole = ",".join([value, *_before_next_key(parts[place:], any_key=any_key)]).rstrip()
        written = [shlex.quote(f"--params={owner}={form % whole}") for form in forms]
        how = f"{written[0]} (a list) or {written[1]} (a text)" if written[1:] else written[0]
        return f"{problem}. If it belongs to {owner}, write {how}"
    return None


def _before_next_key(parts: Sequence[str], *, any_key: bool) -> Iterator[str]:
    is_key = bool if any_key else Parameters.model_fields.__contains__
    return takewhile(lambda part: not is_key(_top(part)), parts)


def _top(part: str) -> str:
    """The first word of the key of a parameter; empty without a value."""
    key, equals, _ = part.partition("=")
    return key.strip().partition(".")[0] if equals else ""


def _split(text: str) -> Iterator[str]:
    """The parts of a text between the commas that are outside brackets and quotes, as given.

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
            yield item
            item = ""
        else:
            item += character
        before = before if character == " " else character
    if depth or quote:
        raise ValueError(
            f"'{item.strip()}' has a bracket or quote without its other half. Put a text with one "
            f"in quotes"
        )
    yield item


def _with_plain_path(item: str) -> str:
    key, _, value = item.partition("=")
    return f"{key}={json.dumps(value.strip())}" if value.strip().startswith(PATHS) else item
