"""The command `kedro parameters`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase

import click

from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.errors import ConfigurationError
from longtail.parameters.reference import ParameterEntry, Section, sections

WIDTH = 100
INDENT = "    "
NEAR_KEYS = 3


def print_parameters(pattern: str | None, options: ConfigurationOptions) -> None:
    """Print the parameters whose key matches a pattern, with type, default, range and meaning.

    Args:
        pattern: a part of the key, or a pattern of the whole key with ``*``; None for all.
        options: the environment and the parameters whose values are the defaults.

    Raises:
        ConfigurationError: if no key matches.
    """
    with open_project(options) as (_, context):
        values = context.loader.parameters()[0].model_dump(mode="json")
    entries = [
        (f"{section.path}.{entry.key}".lstrip("."), section, entry)
        for section in sections(values)
        for entry in section.entries
    ]
    found = [item for item in entries if _matches(item[0], pattern or "")]
    if not found:
        keys = [key for key, _, _ in entries]
        near = get_close_matches(str(pattern), keys, NEAR_KEYS, cutoff=0.4)
        hint = f". Did you mean {' or '.join(near)}?" if near else ""
        raise ConfigurationError(f"no parameter has '{pattern}' in its key{hint}")
    click.echo("\n".join(line for item in found for line in _lines(*item)))


def _matches(key: str, pattern: str) -> bool:
    return fnmatchcase(key, pattern) if "*" in pattern else pattern in key


def _lines(key: str, section: Section, entry: ParameterEntry) -> Iterator[str]:
    """A parameter as the line of its key, the line of its values, and its meaning."""
    kind = f"  ({section.kind})" if section.kind else ""
    default = f"default {entry.default}" if entry.default else ""
    values = ", ".join(filter(None, (entry.type, entry.range, default)))
    yield click.style(key, bold=True) + kind
    for text in filter(None, (values, entry.meaning)):
        plain = text.replace("`", "").replace("\n\n", " ")
        yield textwrap.fill(plain, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
