"""The configuration loader, which expands the grid into trials."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from longtail import report_lock
from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, Trial, Trials, unknown
from longtail.parameters.layers import merge_resolved, resolve
from longtail.parameters.nesting import flatten
from longtail.parameters.run import parse
from longtail.project import program, root
from longtail.trials import grid
from longtail.wording import first_line

# What has a meaning in a list of parameters, in YAML or in OmegaConf.
SPECIAL_CHARACTERS = frozenset(",[]{}\"'$\\")
# Broken YAML, an unknown interpolation, a key in two files, a file without permission.
UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError)


class GridConfigLoader(OmegaConfigLoader):
    """Validates the parameters and adds the grid's trials below ``train``.

    Environments and ``--params`` are merged before, so both can change the grid, and every trial
    is an ordinary Kedro parameter (``params:train.digits.long_tailed.vit_micro.ldam.seed0.trial``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._merged: dict[str, dict[str, Any]] = {}
        super().__init__(*args, **kwargs)
        given = self.runtime_params or {}
        if "data" in given:
            self.runtime_params = given | {"data": _folder(given["data"], "data")}
        elif "data" in self._globals:
            folder = _folder(self._globals["data"], "globals.yml: data")
            self["globals"] = {**self._globals, "data": folder}

    def __setitem__(self, key: str, value: Any) -> None:
        self._merged.clear()  # other keys may refer to this one
        self.__dict__.pop("_parameters_and_trials", None)
        super().__setitem__(key, value)

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key != "parameters":
            return self._read(key)
        parameters, trials = self.parameters()
        contents = grid.tables(parameters)
        return {
            **parameters.model_dump(mode="json"),
            "data": str(self.data_folder()),
            "command": self.command(),
            "conf_source": self._other_source(),
            "train": grid.nested({f"{trial.name}.trial": trial for trial in trials}),
            "report": {"command": self._reproducing_command()}
            | grid.nested(
                {f"{dataset}.contents": of_dataset for dataset, of_dataset in contents.items()}
                | {f"{dataset}.trials": _trials_of(dataset, trials) for dataset in contents}
                | {
                    f"{grid.table_name(table)}.table": table
                    for of_dataset in contents.values()
                    for table in of_dataset.tables
                }
            ),
        }

    def parameters(self) -> tuple[Parameters, list[Trial]]:
        """The checked parameters and the trials of their grid. The files are read once."""
        return self._parameters_and_trials

    def data_folder(self) -> Path:
        """The folder that contains all data; a relative one is below the project's folder."""
        return Path((self.runtime_params or {}).get("data") or self._globals["data"])

    def unread_files(self) -> list[Path]:
        """YAML files of the base and of the environment that Kedro reads for no key."""
        patterns = [pattern for of in self.config_patterns.values() for pattern in of]
        files, read = set[Path](), set[Path]()
        for name in filter(None, (self.base_env, self.env or self.default_run_env)):
            folder = Path(self.conf_source, name)
            files.update(folder.rglob("*.y*ml"))
            read.add(folder / report_lock.LOCK_FILE)  # of `kedro lock` and `kedro regenerate`
            for pattern in patterns:  # of Path.glob, a final "**" finds folders only
                read.update(folder.glob(f"{pattern}/*" if pattern.endswith("**") else pattern))
        return sorted(files - read)

    def command(self) -> str:
        """The command that runs all stages with this environment and these parameters.

        Without those of `predict`, which the stages before it do not read.
        """
        given = {key: of for key, of in (self.runtime_params or {}).items() if key != "predict"}
        return run_command(["full"], self.env, given, {"conf-source": self._other_source()})

    def _other_source(self) -> str | None:
        """Where the configuration is read from, unless it is the project's own."""
        own = root() / str(settings.CONF_SOURCE)
        return None if Path(self.conf_source) == own else str(self.conf_source)

    def _reproducing_command(self) -> str:
        """The command that a report shows: it must not differ between machines or spellings.

        So it has no paths of this machine, and its parameters are sorted. It is the same outside a
        checkout too.
        """
        _, portable = report_lock.split_places(self.runtime_params or {})
        return run_command(["full"], self.env, portable).replace(program(), "kedro", 1)

    @cached_property
    def _parameters_and_trials(self) -> tuple[Parameters, list[Trial]]:
        config = self._read("parameters")
        parameters = parse(config)
        given = resolve(self.runtime_params or {}, config)
        return parameters, grid.trials(parameters, given.get("recipe"))

    def _check_duplicates(self, key: str, config_per_file: dict[Path, Any]) -> None:
        """Refuse a file that is not a mapping; Kedro assumes that all are."""
        for file, contents in config_per_file.items():
            if not isinstance(contents, DictConfig):
                raise ConfigurationError(
                    f"{file}: must contain keys (key: value), but contains a list"
                )
        super()._check_duplicates(key, config_per_file)

    def _resolve_from_raw_config(
        self,
        key: str,
        base_configs: dict[Path, DictConfig],
        env_configs: dict[Path, DictConfig],
        base_path: str,
        env_path: str,
        processed_files: set[Path],
    ) -> dict[str, Any]:
        """Merge parameters with :func:`longtail.parameters.layers.merge` instead of Kedro's way."""
        if key == "parameters" and processed_files:
            files = [*base_configs.values(), *env_configs.values()]
            return merge_resolved([*files, OmegaConf.create(self.runtime_params or {})])
        return super()._resolve_from_raw_config(
            key, base_configs, env_configs, base_path, env_path, processed_files
        )

    def _read(self, key: str) -> dict[str, Any]:
        """The merged configuration of a key, read once: a run asks for it several times."""
        if key not in self._merged:
            self._merged[key] = self._read_files(key)
        return copy.deepcopy(self._merged[key])

    def _read_files(self, key: str) -> dict[str, Any]:
        # OmegaConf has one resolver of each name per process. Kedro renews that of `runtime_params`
        # at each read, but would read `globals` from whichever loader was made last.
        self._register_globals_resolver()
        try:
            return super().__getitem__(key)
        except UNREADABLE as error:
            environment = self.env or self.default_run_env
            file = self._unreadable_file()
            reason = unreadable_reason(error, file)
            where = "" if file is None or str(file) in reason else f" (in {file})"
            raise ConfigurationError(
                f"the {key} of the environment '{environment}' cannot be read: {reason}{where}"
            ) from error

    def _unreadable_file(self) -> Path | None:
        """The first file of the configuration that is unreadable by itself; Kedro may not say."""
        for folder in filter(None, (self.base_env, self.env or self.default_run_env)):
            for file in sorted(Path(self.conf_source, folder).rglob("*.y*ml")):
                try:
                    OmegaConf.load(file)
                except UNREADABLE:
                    return file
        return None


@dataclass(frozen=True)
class ConfigurationOptions:
    """The options of `kedro run` that all commands on runs have.

    Attributes:
        env: a folder of the configuration; None for the default.
        params: the parameters, nested.
        conf_source: the folder or archive of the configuration; None for the project's.
    """

    env: str | None
    params: Mapping[str, Any]
    conf_source: str | None = None

    def __str__(self) -> str:
        """`--env` and `--conf-source` as a command has them, each after a space; for hints."""
        given = {"env": self.env, "conf-source": self.conf_source}
        return "".join(f" {shlex.quote(f'--{n}={value}')}" for n, value in given.items() if value)


def unreadable_reason(error: Exception, file: Path | None) -> str:
    """What is wrong: with the key of an interpolation, or the place in a file."""
    if isinstance(error, OmegaConfBaseException):
        what = first_line(error).replace("Interpolation key", "the key")
        return f"{error.full_key}: {what}" if error.full_key else what
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text. Save it as UTF-8"
    for marked in (error.__cause__, error):  # Kedro leaves out what is wrong, and counts from 0
        if file is not None and isinstance(marked, yaml.MarkedYAMLError) and marked.problem_mark:
            mark = marked.problem_mark
            line = "".join(file.read_text().splitlines()[mark.line : mark.line + 1])
            place = f"{file}, line {mark.line + 1}, column {mark.column + 1}"
            return f"{place}: {marked.problem}{_advice(line)}"
    return str(error)


def _advice(line: str) -> str:
    """What to do about a line that is no YAML, if it is one of the usual mistakes."""
    if "\t" in line:
        return ". Indent with spaces, not with tabs"
    if '"' in line and "\\" in line:
        return ". In double quotes, a backslash has a meaning of its own: write paths with /"
    if "${" in line:
        return ". Put ${...} between quotes"
    if line.count(": ") > 1:
        return ". Put a text with a colon between quotes"
    return ""


def check_environment(environment: str | None, folder: Path) -> None:
    """Refuse an environment that a configuration does not have; Kedro reads archives too.

    Raises:
        ConfigurationError: naming similar and valid ones.
    """
    if not environment or not folder.is_dir():
        return
    known = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if environment not in known:
        raise ConfigurationError(f"--env: {unknown(environment, known, 'environment')}")


def run_command(
    pipelines: Iterable[str],
    env: str | None,
    parameters: Mapping[str, Any],
    others: Mapping[str, str | None] | None = None,
) -> str:
    """A command of the shell that runs pipelines.

    Args:
        pipelines: their names.
        env: the environment, if one is given.
        parameters: those of the command line, nested.
        others: further options by name.
    """
    command = [program(), "run", f"--pipelines={','.join(pipelines)}"]
    if env:
        command.append(f"--env={env}")
    given = sorted(f"{'.'.join(key)}={_text(value)}" for key, value in flatten(parameters))
    if given:
        command.append(f"--params={','.join(given)}")
    command += [f"--{name}={value}" for name, value in (others or {}).items() if value]
    return shlex.join(command)


def _text(value: Any) -> str:
    """A value as `--params` takes it: a text is quoted if it would be read as something else."""
    is_plain = isinstance(value, str) and not SPECIAL_CHARACTERS & set(value) and _is_text(value)
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def _is_text(value: str) -> bool:
    """Whether YAML reads a value as this text, and not as a number, a date or nothing."""
    try:
        return bool(yaml.safe_load(value) == value) and not _is_number(value)
    except yaml.YAMLError:
        return False


def _is_number(value: str) -> bool:
    try:
        float(value)  # OmegaConf takes 1e5 for a number, YAML 1.1 for a text
    except ValueError:
        return False
    return True


def _folder(value: Any, key: str) -> str:
    """Check a data folder, and expand the tilde that the shell leaves in ``--params=data=~/x``.

    The folder itself need not exist, but a run must not create a misspelt path from the root on.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(
            f"{key}: give a folder, found {value!r}. For instance: --params=data=/path/to/folder"
        )
    try:
        folder = Path(value).expanduser()
    except RuntimeError as error:  # the user has no home folder
        raise ConfigurationError(f"{key}: '{value}' is not a folder: {error}") from None
    if folder.is_absolute() and not folder.parent.is_dir():
        raise ConfigurationError(
            f"{key}: there is no folder {folder.parent} to create {folder.name} in. Correct the "
            f"path, or create it: mkdir -p {shlex.quote(str(folder))}"
        )
    if folder.is_absolute() and folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{key}: {folder} is a file. Give a folder")
    return str(folder) if value.startswith("~") else value


def _trials_of(dataset: str, trials: list[Trial]) -> Trials:
    return Trials(trials=tuple(trial for trial in trials if trial.dataset == dataset))
