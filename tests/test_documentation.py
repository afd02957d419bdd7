"""What the documentation tells users to write is valid."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.pipelines.support import PROJECT, dotted, loader

PAGES = sorted([PROJECT / "README.md", *PROJECT.glob("docs/**/*.md")])
OF_MOTHS = ("identify-species.md", "transfer.md")
BLOCK = re.compile(r"^```(yaml|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found, text in BLOCK.findall(page.read_text()):
            if found == kind:
                yield page.relative_to(PROJECT), text


def commands() -> Iterator[tuple[str, str]]:
    """The commands that give parameters, with the environment that they name."""
    for _, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] != ["kedro", "run"]:
                continue
            options = dict(word.split("=", 1) for word in words[2:] if "=" in word)
            if "--params" in options:
                yield options.get("--env", "base"), options["--params"]


def parameters_of(text: str) -> list[str]:
    """The parameters, at the commas that are in no brackets."""
    return re.split(r",(?![^\[{]*[\]}])", text)


@pytest.mark.parametrize(("page", "text"), list(blocks("yaml")), ids=lambda value: str(value)[:40])
def test_parameters_in_files_are_valid(page: Path, text: str) -> None:
    environment = "moths" if page.name in OF_MOTHS else "base"
    loader(environment, **yaml.safe_load(text)).parameters()


@pytest.mark.parametrize(("environment", "text"), sorted(set(commands())))
def test_parameters_of_commands_are_valid(environment: str, text: str) -> None:
    loader(environment, **dotted(*parameters_of(text))).parameters()
