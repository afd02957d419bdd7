"""What `kedro run --help` lists, and what the shell completes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class

from longtail.cli import cli
from longtail.commands.completion import BashCompletion, ZshCompletion
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


def test_commands_on_runs_have_the_options_of_the_configuration() -> None:
    params = {name: {of.name for of in command.params} for name, command in cli.commands.items()}
    of_configuration = {"env", "params", "conf_source"}
    having = {name for name, found in params.items() if of_configuration <= found}
    assert having == set(cli.commands) - {"mlflow"}
    assert not params["mlflow"] & of_configuration


def completed(option: str, incomplete: str, **given: str) -> list[str]:
    command = cli.commands["run"]
    context = click.Context(command)
    context.params = dict(given)
    [param] = [param for param in command.params if param.name == option]
    return [item.value for item in param.shell_complete(context, incomplete)]


def test_names_are_completed() -> None:
    assert completed("env", "be") == ["benchmark"]
    assert completed("env", "ref", conf_source=str(PROJECT / "docs")) == ["reference"]
    assert completed("env", "", conf_source=str(PROJECT / "README.md")) == []
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


def test_keys_of_data_sets_and_backbones_are_completed_by_their_names() -> None:
    assert completed("params", "datasets.moths.source.pa") == ["datasets.moths.source.path="]
    assert completed("params", "datasets.cifar100.source.box") == []  # only folders have boxes
    assert "datasets.moths.source.boxes=" in completed("params", "datasets.moths.source.box")
    assert completed("params", "backbones.vit_micro.w") == ["backbones.vit_micro.weights="]
    assert completed("params", "methods.ldam.") == []


@pytest.mark.parametrize("command", ["report --of", "compare --env test", "compare --env=test x"])
def test_runs_are_completed(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("2026-11-23T19.59.05.123Z", "2026-11-24T08.12.44.009Z"):
        (tmp_path / "07_model_output/digits/results.csv" / version).mkdir(parents=True)
    words = command.split()
    words[1:1] = [f"--params=data={tmp_path}"]
    monkeypatch.setenv("COMP_WORDS", f"kedro {' '.join(words)} 2026-11-24")
    monkeypatch.setenv("COMP_CWORD", str(len(words) + 1))
    found = ZshCompletion(cli, {}, "kedro", "_KEDRO_COMPLETE")
    items = found.get_completions(*found.get_completion_args())
    assert [item.value for item in items] == ["2026-11-24T08.12.44.009Z"]


WORDS = [
    # What is typed, what bash makes of it, and what bash and zsh put in place of the last word.
    ("run --env=be", "run --env = be", ["benchmark"], ["--env=benchmark"]),
    ("run --env be", "run --env be", ["benchmark"], ["benchmark"]),
    (
        "run --env=test --tags=mobil",
        "run --env = test --tags = mobil",
        ["mobilenetv2_micro"],
        ["--tags=mobilenetv2_micro"],
    ),
    (
        "run --pipelines=ingest,im",
        "run --pipelines = ingest,im",
        ["ingest,imbalance"],
        ["--pipelines=ingest,imbalance"],
    ),
    (
        "plan --params=recipe.epochs=5,recipe.bat",
        "plan --params = recipe.epochs = 5,recipe.bat",
        ["5,recipe.batch_size="],
        ["--params=recipe.epochs=5,recipe.batch_size="],
    ),
    ("plan --param", "plan --param", ["--params"], ["--params"]),
]


@pytest.mark.parametrize(("typed", "words", "bash", "zsh"), WORDS)
def test_values_are_completed_after_an_equals_sign(
    typed: str,
    words: str,
    bash: list[str],
    zsh: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def values(shell: type[BashCompletion | ZshCompletion], line: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", f"kedro {line}")
        monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
        found = shell(cli, {}, "kedro", "_KEDRO_COMPLETE")
        return [str(item.value) for item in found.get_completions(*found.get_completion_args())]

    assert values(BashCompletion, words) == bash
    assert values(ZshCompletion, typed) == zsh


def test_all_values_are_offered_right_after_the_equals_sign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMP_WORDS", "kedro run --env =")
    monkeypatch.setenv("COMP_CWORD", "3")
    found = BashCompletion(cli, {}, "kedro", "_KEDRO_COMPLETE")
    items = found.get_completions(*found.get_completion_args())
    assert [item.value for item in items] == list(environments())


def test_the_shells_use_these_completions() -> None:
    assert get_completion_class("bash") is BashCompletion
    assert get_completion_class("zsh") is ZshCompletion
