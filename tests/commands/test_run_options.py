"""What `kedro run --help` lists, and what the shell completes."""

from __future__ import annotations

import click
import pytest

from longtail.cli import cli
from longtail.commands.run_options import RUNNERS, environments
from tests.projects import PROJECT, kedro


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_help_lists_what_the_project_has_and_not_what_it_refuses(command: str) -> None:
    text = " ".join(kedro(PROJECT, command, "--help").output.split())
    for name in (*environments(), *RUNNERS, "ingest, imbalance, train, report"):
        assert name in text
    for refused in ("ParallelRunner", "ThreadRunner", "--async", "--only-missing-outputs"):
        assert refused not in text
    without_blanks = "".join(text.split())
    assert all("".join(comment.split()) in without_blanks for comment in environments().values())


def test_every_environment_says_what_it_is() -> None:
    found = environments()
    assert {"base", "benchmark", "families", "local", "moths", "record", "thesis"} <= found.keys()
    assert [name for name, comment in found.items() if not comment.endswith(".")] == []


def completed(option: str, incomplete: str, **given: str) -> list[str]:
    command = cli.commands["run"]
    context = click.Context(command)
    context.params = dict(given)
    [param] = [param for param in command.params if param.name == option]
    return [item.value for item in param.shell_complete(context, incomplete)]


def test_names_are_completed() -> None:
    assert completed("env", "be") == ["benchmark"]
    assert completed("pipelines", "ingest,im") == ["ingest,imbalance"]
    assert completed("pipelines", "__") == []
    assert completed("tags", "ld") == ["ldam"]
    assert completed("tags", "ldam,resnet3", env="benchmark") == ["ldam,resnet32"]
    assert completed("runner", "S") == ["SequentialRunner"]
    assert completed("params", "recipe.ep") == ["recipe.epochs="]
    assert completed("params", "recipe.epochs=5,grid.methods=[ld")[:2] == [
        "recipe.epochs=5,grid.methods=[ldam",
        "recipe.epochs=5,grid.methods=[ldam_drw",
    ]
