"""The command line: Kedro's, with a `run` for grids, and the commands of `longtail.commands`."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
import rich
from kedro.framework.cli import project as kedro_project
from kedro.framework.cli.utils import CONTEXT_SETTINGS
from kedro.framework.project import settings
from kedro.io.core import DatasetNotFoundError
from kedro.pipeline import Pipeline
from kedro.utils import load_obj

from longtail.commands.completion import complete_values_after_equals
from longtail.commands.options import ARGUMENTS_KEY, Command
from longtail.commands.run_options import (
    RUNNERS,
    RunCommand,
    complete_runs,
    configuration,
    configuration_params,
    run_params,
    selected,
)
from longtail.config import ConfigurationOptions, GridConfigLoader, check_environment
from longtail.errors import ConfigurationError
from longtail.parameters import unknown
from longtail.parameters.layers import merge
from longtail.project import program, shown
from longtail.report_lock import LOCK_FILE
from longtail.runs.tracked_runs import record_of
from longtail.version_names import time_of

WIDTH_OFF_TERMINALS = 180
RUN_HELP = f"""Train, evaluate and report: run pipelines.

`{program()} plan` with the same options says before what would be trained. `{program()} parameters`
lists the parameters.
"""


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__)
def cli() -> None:
    """Commands of the project."""


def _run_command() -> click.Command:
    """Kedro's `run` with the grid's runner, lists in ``--params``, and one-line errors."""
    original = kedro_project.run.callback
    assert original is not None
    # Kedro has announced that it removes its own `--pipeline`.
    has_option = any(param.name == "pipeline" for param in kedro_project.run.params)
    unused = {"pipeline": None} if has_option else {}

    def run(**given: Any) -> Any:
        _check_selection(given)
        if given.get("is_async"):  # deprecated by Kedro, which passes it to the runner like this
            given["is_async"] = False
            given["runner_params"] = {**given["runner_params"], "is_async": True}
        with _mistakes_explained(given):
            return original(**given, **unused)

    kept = ("name", "context_settings", "epilog", "short_help")
    options = {name: getattr(kedro_project.run, name) for name in kept}
    params = run_params(kedro_project.run.params)
    return RunCommand(callback=run, params=params, help=RUN_HELP, **options)


@cli.command(cls=RunCommand, params=run_params(kedro_project.run.params))
@click.pass_context
def plan(context: click.Context, /, **given: Any) -> None:
    """Say what a run with the same options would train, reuse and need. Starts nothing."""
    _check_selection(given)
    from longtail.commands.plan import plan as print_plan

    with _mistakes_explained(given):
        print_plan(given, context.meta[ARGUMENTS_KEY])


def _check_selection(given: dict[str, Any]) -> None:
    """Refuse two spellings of the pipelines and unknown environments; take over `--pipeline`."""
    pipeline = given.pop("pipeline")
    if pipeline and given["pipelines"]:
        raise click.UsageError("give --pipeline or --pipelines, not both")
    if pipeline:
        given["pipelines"] = [pipeline]
    _check_environment(given["env"], given["conf_source"])
    _check_runner(given["runner"], given["runner_params"])


def _check_runner(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse a runner that does not exist, and arguments that it does not have."""
    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as error:
        text = unknown(name, RUNNERS, "runner", f" ({error})")
        raise click.ClickException(f"--runner: {text}") from None
    parameters = inspect.signature(runner).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return  # it checks them itself
    for key in arguments:
        if key not in parameters:
            text = unknown(key, parameters, f"argument of {name}")
            raise click.ClickException(f"--runner-params: {text}")


@contextmanager
def _mistakes_explained(given: Mapping[str, Any]) -> Iterator[None]:
    """Say which options select nothing, where Kedro only says that there is no such thing."""
    try:
        yield
    except (ValueError, DatasetNotFoundError):
        mistakes = _selection_mistakes(given)
        if mistakes:
            raise click.ClickException("\n".join(mistakes)) from None
        raise


def _selection_mistakes(given: Mapping[str, Any]) -> list[str]:
    """Why the options select no part of a pipeline; nothing if they do."""
    from longtail.pipeline_registry import create_pipelines

    source = given["conf_source"] or str(configuration())
    loader = GridConfigLoader(source, given["env"], given["params"], **settings.CONFIG_LOADER_ARGS)
    registered = create_pipelines(*loader.parameters())
    if misspelt := list(_misspelt(given, registered)):
        return misspelt
    try:
        selected(registered, given)
    except ValueError as error:
        return [str(error)]
    return []


def _misspelt(given: Mapping[str, Any], registered: Mapping[str, Pipeline]) -> Iterator[str]:
    """The names that the project does not have, each with similar ones."""
    full, every = registered["full"], list(registered.values())
    datasets = {name for pipeline in every for name in pipeline.datasets()}
    nodes = {node.name for pipeline in every for node in pipeline.nodes}
    namespaces = {node.namespace for node in full.nodes if node.namespace}
    known = {
        "pipelines": set(registered),
        "tags": {tag for node in full.nodes for tag in node.tags},
        "namespaces": {
            ".".join(parts[: depth + 1])
            for parts in (namespace.split(".") for namespace in namespaces)
            for depth in range(len(parts))
        },
        "load_versions": {name for name in datasets if not name.startswith("params:")},
        **dict.fromkeys(("node_names", "from_nodes", "to_nodes"), nodes),
        **dict.fromkeys(("from_inputs", "to_outputs"), datasets),
    }
    for option, names in known.items():
        for name in given[option] or ():
            if name not in names:
                near = get_close_matches(name, sorted(names), n=3)
                hint = f"Did you mean {' or '.join(near)}?" if near else "No name is similar."
                valid = (
                    f" Valid: {', '.join(sorted(names))}" if option in ("pipelines", "tags") else ""
                )
                flag = "nodes" if option == "node_names" else option.replace("_", "-")
                yield f"--{flag}: there is no '{name}'. {hint}{valid}"


def _with_configuration() -> dict[str, Any]:
    """The arguments of a command that has the options of `run` that choose a configuration."""
    return {"cls": RunCommand, "params": configuration_params(kedro_project.run.params)}


_lock_option = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The lock; by default lock.yml in the environment's folder.",
)


@cli.command(**_with_configuration())
@_lock_option
def lock(file: Path | None, **given: Any) -> None:
    """Record the files that the newest report was made of, and its checksums."""
    options = _checked(**given)
    from longtail.commands.lock import make_lock

    make_lock(options, file or _lock_file(options))


@cli.command(**_with_configuration())
@_lock_option
def regenerate(file: Path | None, **given: Any) -> None:
    """Make the report of a lock again and compare it byte by byte.

    --params only has to give the paths of this machine: the lock has the other parameters.
    """
    options = _checked(**given)
    from longtail.commands.lock import regenerate as make_again

    make_again(options, file or _lock_file(options))


@cli.command(**_with_configuration())
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many of the newest versions of each artifact are always kept.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before removing.")
@click.option("--no-mlflow", is_flag=True, help="Ignore the tag `keep` of runs in MLflow.")
def prune(keep: int, dry_run: bool, yes: bool, no_mlflow: bool, **given: Any) -> None:
    """Remove old versions and trainings that nothing refers to.

    Besides the newest versions, it keeps what a lock in conf/*/lock.yml refers to, what a run that
    is tagged `keep` in MLflow wrote and read, and what a run in progress uses.
    """
    if dry_run and yes:
        raise click.UsageError("give --dry-run or --yes, not both")
    options = _checked(**given)
    from longtail.commands.prune import prune as free_space

    def agreed(question: str) -> bool:
        if dry_run or yes:
            return yes
        if not sys.stdin.isatty():
            click.echo(f"{question} Nothing was removed: give --yes to remove it")
            return False
        return click.confirm(question)

    free_space(options, keep, ask_mlflow=not no_mlflow, agreed=agreed)


@cli.command(**_with_configuration())
@click.option(
    "--of",
    "run",
    metavar="RUN",
    required=True,
    shell_complete=complete_runs,
    help="The version of what the run made.",
)
def report(run: str, **given: Any) -> None:
    """Make the report of an earlier run again, as a new version.

    RUN is a version such as 2026-11-23T19.59.05.123Z. The run's --env, --params and --conf-source
    come from MLflow. Those that are given replace them. Parameters in files must be those of the
    run.
    """
    from longtail.commands.report import report_again

    record = record_of(run) if time_of(run) else None
    of_run = _options_of(record.command, run, given["conf_source"]) if record else given
    options = _checked(
        env=given["env"] or of_run["env"],
        params=merge(of_run["params"], given["params"]),
        conf_source=given["conf_source"] or of_run["conf_source"],
    )
    report_again(run, options, given=given["params"], record=record)


def _options_of(command: str, run: str, conf_source: str | None) -> dict[str, Any]:
    """The values of the options of the command ``kedro run ...`` that a run was started with.

    With another configuration, that of the run is not looked for.
    """
    _, name, *arguments = shlex.split(command)
    if conf_source:
        arguments = [one for one in arguments if not one.startswith("--conf-source=")]
    try:
        with cli.commands[name].make_context(name, arguments) as context:
            return context.params
    except click.BadParameter as error:  # a configuration that is no longer there
        raise ConfigurationError(
            f"the run {run} was started with `{command}`: {error.format_message()} Bring it back "
            f"to make this report again"
        ) from None


@cli.command(**_with_configuration())
@click.argument("before", required=False, shell_complete=complete_runs)
@click.argument("after", required=False, shell_complete=complete_runs)
def compare(before: str | None, after: str | None, **given: Any) -> None:
    """Write a page of what differs between two runs: parameters, data, accuracies, answers.

    BEFORE and AFTER are versions such as 2026-11-23T19.59.05.123Z; by default the two newest runs
    with different results.
    """
    options = _checked(**given)
    from longtail.commands.compare import compare_runs

    compare_runs(before, after, options)


@cli.command("parameters", **_with_configuration())
@click.argument("pattern", required=False)
def print_parameters(pattern: str | None, **given: Any) -> None:
    """Print every parameter with its type, default, range and meaning.

    PATTERN is a part of the key, such as `schedule`, or a whole key with stars: `'recipe.*'`.
    """
    options = _checked(**given)
    from longtail.commands.parameters import print_parameters as print_matching

    print_matching(pattern, options)


@cli.command("mlflow", cls=Command)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
def show_runs(port: int) -> None:
    """Show the runs in MLflow: start its pages and print the address of the table."""
    from longtail.commands.mlflow_pages import open_runs

    open_runs(port)


def _lock_file(options: ConfigurationOptions) -> Path:
    return Path(shown(configuration(options.conf_source) / (options.env or "base") / LOCK_FILE))


def _checked(**given: Any) -> ConfigurationOptions:
    """The options of a command, with an environment that there is."""
    options = ConfigurationOptions(**given)
    _check_environment(options.env, options.conf_source)
    return options


def _check_environment(env: str | None, conf_source: str | None) -> None:
    check_environment(env or os.environ.get("KEDRO_ENV"), configuration(conf_source))


complete_values_after_equals()

if not sys.stdout.isatty():
    # rich would wrap at 80 columns in files and pipes.
    rich.get_console().width = WIDTH_OFF_TERMINALS

cli.add_command(_run_command())
