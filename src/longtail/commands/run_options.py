"""The options of `kedro run`, which other commands share: help, and completion in the shell."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.shell_completion import CompletionItem
from kedro.framework.project import settings
from kedro.pipeline import Pipeline

from longtail.commands.options import (
    Command,
    read_run_section,
    split_load_versions,
    split_params,
)
from longtail.config import ConfigurationOptions, GridConfigLoader
from longtail.kedro_internals import Completer, complete
from longtail.parameters import Parameters
from longtail.parameters.datasets import TrainSet
from longtail.project import find_root, program
from longtail.runs.data_layout import Layout

if TYPE_CHECKING:
    from longtail.parameters.reference import Section

RUNNER = "longtail.runner.GridRunner"
RUNNERS = {
    RUNNER: "The default. Trials run in parallel processes of this machine.",
    "longtail.runner.DaskRunner": "Trials run on the workers of a Dask scheduler: "
    "docs/how-to/cluster.md.",
    "SequentialRunner": "Everything runs in one process, one node after the other.",
}
# What the project refuses, with the reason, if it is given all the same.
REFUSED = ("is_async", "only_missing_outputs")
HELP = {
    "runner": "The runner: see below.",
    "runner_params": "Arguments of the runner, such as max_workers=4 or address=tcp://host:8786.",
    "env": "The environment, a folder in conf: see below.",
    "conf_source": "A configuration folder or archive other than conf.",
    "tags": "Run only what has one of these tags, comma-separated: data sets, training sets, "
    "backbones, methods and seeds, such as ldam or seed0.",
    "load_versions": "Load older versions: <data set>:<version>, comma-separated.",
    "pipelines": "The pipelines to run, comma-separated: ingest, imbalance, train, report; full "
    "(the default) is all of these; predict; export.",
    "namespaces": "Run only these parts, comma-separated, such as train.digits.long_tailed.",
    "params": "Parameters, comma-separated: recipe.epochs=5,grid.methods=[softmax,ldam]. "
    f"`{program()} parameters` lists all.",
}
# The environment of a run without --env, which has no file of its own at first.
LOCAL = {"local": "Your own values, which are not committed. The default."}
COMMENT = "#"
# Kedro's names of the options that choose parts of a pipeline.
FILTERS = ("tags", "from_nodes", "to_nodes", "node_names", "from_inputs", "to_outputs")
# The tables whose entries' keys are completed; the methods have too many.
NAMED_TABLES = ("datasets", "backbones")


class RunCommand(Command):
    """A command whose help lists the environments, and the runners if it runs something."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        tables = {"env": ("Environments", environments()), "runner": ("Runners", RUNNERS)}
        for title, rows in (tables[param.name] for param in self.params if param.name in tables):
            with formatter.section(title):
                formatter.write_dl(list(rows.items()))


def run_params(params: Iterable[click.Parameter]) -> list[click.Parameter]:
    """The options of Kedro's `run`, with the project's defaults, parsers, help and alias."""
    changed = [copy.copy(param) for param in params if param.name != "pipeline"]
    completions: dict[str | None, Callable[[click.Context], Iterable[str]]] = {
        "env": lambda ctx: environments(ctx.params.get("conf_source")),
        "pipelines": _pipelines,
        "tags": _tags,
        "runner": lambda _: RUNNERS,
        "params": _keys,
    }
    for param in changed:
        assert isinstance(param, click.Option)  # Kedro's `run` has no arguments
        param.hidden = param.name in REFUSED
        param.help = HELP.get(str(param.name), param.help)
        if param.name == "runner":
            param.default = RUNNER
        if param.name in ("params", "runner_params"):
            param.callback = split_params
        if param.name == "config":
            param.callback = read_run_section
        if param.name == "load_versions":
            param.callback = split_load_versions
        if param.name in completions:
            complete(param, _completer(completions[param.name]))
    alias = click.Option(["--pipeline", "-p"], help="The same as --pipelines, for one pipeline.")
    return [*changed, alias]


def configuration_params(params: Iterable[click.Parameter]) -> list[click.Parameter]:
    """Those of Kedro's `run` that are :class:`longtail.config.ConfigurationOptions`."""
    names = [field.name for field in dataclasses.fields(ConfigurationOptions)]
    chosen = [param for param in run_params(params) if param.name in names]
    for param in chosen:
        if param.name == "env":
            param.envvar = "KEDRO_ENV"  # the session of a run reads it
    return chosen


def selected(registered: Mapping[str, Pipeline], options: Mapping[str, Any]) -> Pipeline:
    """The part of the registered pipelines that the options choose, as Kedro's session does.

    Raises:
        ValueError: if they choose nothing.
    """
    names = options.get("pipelines") or ["__default__"]
    for name in names:
        if name not in registered:
            raise ValueError(f"there is no pipeline '{name}'")
    filters = {name: options.get(name) or None for name in FILTERS}
    chosen = Pipeline([registered[name] for name in names])
    return chosen.filter(**filters, node_namespaces=options.get("namespaces") or None)


def environments(conf_source: str | None = None) -> dict[str, str]:
    """The environments, each with the comment at the start of its file of the grid."""
    folders = sorted(path for path in configuration(conf_source).glob("*") if path.is_dir())
    comments = {folder.name: _first_comment(folder / "parameters/grid.yml") for folder in folders}
    return {name: comment or LOCAL.get(name, "") for name, comment in comments.items()}


def configuration(conf_source: str | None = None) -> Path:
    """The folder of the environments, which has no content if the source is an archive."""
    return Path(conf_source or find_root(Path.cwd()) / str(settings.CONF_SOURCE))


def _first_comment(file: Path) -> str:
    """The first sentence of the comment at the start of a file; empty if there is none."""
    if not file.is_file():
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith(COMMENT), lines)
    text = " ".join(line.removeprefix(COMMENT).strip() for line in comment)
    sentence, end, _ = text.partition(". ")
    return sentence + end.strip()


def _completer(valid: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Completes the last name of a list with commas."""

    def completer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        names = (name for name in valid(ctx) if name.startswith(last))
        return [CompletionItem(f"{before}{comma}{name}") for name in names]

    return completer


def _pipelines(_: click.Context) -> list[str]:
    from longtail.pipeline_registry import register_pipelines

    return [name for name in register_pipelines() if not name.startswith("_")]


def _tags(ctx: click.Context) -> list[str]:
    """The parts of the names of the environment's trials, which are the tags of their nodes."""
    grid = _parameters(ctx).grid
    seeds = [f"seed{seed}" for seed in grid.seeds]
    return [*grid.datasets, *grid.train_sets, *grid.backbones, *grid.methods, *seeds]


def _keys(ctx: click.Context) -> Iterator[str]:
    """``<key>=`` of each parameter, and each name that the lists of the grid can have."""
    from longtail.parameters.reference import sections

    parameters = _parameters(ctx)
    values = parameters.model_dump(mode="json")
    for section in sections(values):
        for path in _paths(section, values):
            yield from (f"{path}.{entry.key}=".lstrip(".") for entry in section.entries)
    for axis, names in (
        ("datasets", parameters.datasets),
        ("train_sets", get_args(TrainSet)),
        ("backbones", parameters.backbones),
        ("methods", parameters.methods),
    ):
        yield from (f"grid.{axis}=[{name}" for name in names)


def _paths(section: Section, values: Mapping[str, Any]) -> list[str]:
    """Where a section is: once for each data set or backbone, as which it is one of its kind."""
    table, named, below = section.path.partition(".<name>")
    if not named:
        return [section.path]
    names = values[table] if table in NAMED_TABLES else ()
    paths = [f"{table}.{name}{below}" for name in names]
    return [path for path in paths if section.kind in _kinds(path, values, section.kind)]


def _kinds(path: str, values: Any, default: str) -> Iterable[Any]:
    """What the parameters at a path say of their kind; the default if there are none yet."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return [*values.values(), ""] if isinstance(values, Mapping) else [default]


def complete_runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The runs with results in the data folder of the environment."""
    loader = _loader(ctx)
    layout = Layout(find_root(Path.cwd()), loader.data_folder(), loader["catalog"])
    names = (f"{dataset}_results" for dataset in loader.parameters()[0].grid.datasets)
    found = {
        version.name
        for path in filter(None, map(layout.path_of, names))
        for version in (layout.data / path).glob("*")
    }
    return [CompletionItem(name) for name in sorted(found) if name.startswith(incomplete)]


def _parameters(ctx: click.Context) -> Parameters:
    return _loader(ctx).parameters()[0]


def _loader(ctx: click.Context) -> GridConfigLoader:
    source = ctx.params.get("conf_source") or str(configuration())
    env = ctx.params.get("env") or os.environ.get("KEDRO_ENV")
    data = {key: value for key, value in (ctx.params.get("params") or {}).items() if key == "data"}
    return GridConfigLoader(source, env, data, **settings.CONFIG_LOADER_ARGS)
