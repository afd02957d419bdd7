"""The configuration loader, which knows the grid."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.utils import find_kedro_project
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from longtail import lock
from longtail.errors import ConfigurationError
from longtail.parameters import Parameters, Trial, Trials, reading
from longtail.parameters.layers import merge_resolved, resolve
from longtail.parameters.nesting import flatten
from longtail.trials import grid


class GridConfigLoader(OmegaConfigLoader):
    """Checks the parameters and lays the grid's trials under ``train``.

    Environments and ``--params`` are merged before this class sees the parameters, so both can
    change the grid, and every trial is an ordinary Kedro parameter
    (``params:train.digits.long_tailed.vit_micro.ldam.seed0.trial``).
    """

    # A session makes its loader before it loads the pipelines, which depend on the parameters
    # but are created by functions that receive none.
    latest: ClassVar[GridConfigLoader | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._merged: dict[str, dict[str, Any]] = {}
        super().__init__(*args, **kwargs)
        if self.runtime_params and "data" in self.runtime_params:
            self.runtime_params = self.runtime_params | {
                "data": _folder(self.runtime_params["data"])
            }
        if "data" in self._globals:
            self["globals"] = {**self._globals, "data": _folder(self._globals["data"])}
        GridConfigLoader.latest = self

    def __setitem__(self, key: str, value: Any) -> None:
        self._merged.clear()  # other keys may refer to this one
        super().__setitem__(key, value)

    def __getitem__(self, key: str) -> dict[str, Any]:
        config = self._read(key)
        if key != "parameters":
            return config
        parameters, trials = self._checked(config)
        contents = grid.tables(parameters)
        return {
            **parameters.model_dump(mode="json"),
            "train": grid.nested({f"{trial.name}.trial": trial for trial in trials}),
            "report": {"command": self._command()}
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

    def _command(self) -> str:
        """The command that makes all results with this environment and these parameters.

        But for where things lie on this machine, which is no part of what is made. In one order,
        however they were given, so that a report does not depend on it.
        """
        _, made_of = lock.split_places(self.runtime_params or {})
        return self._full(made_of)

    def command_before(self) -> str:
        """The command that makes what this run needs and does not make itself.

        With the environment and the parameters that were given, but for what is only of `predict`.
        """
        given = {key: of for key, of in (self.runtime_params or {}).items() if key != "predict"}
        return self._full(given)

    def _full(self, parameters: Mapping[str, Any]) -> str:
        command = ["kedro", "run", "--pipeline=full"]
        if self.env:
            command.append(f"--env={self.env}")
        given = sorted(f"{'.'.join(key)}={_text(value)}" for key, value in flatten(parameters))
        if given:
            command.append(f"--params={','.join(given)}")
        return shlex.join(command)

    def parameters(self) -> tuple[Parameters, list[Trial]]:
        """The checked parameters and the trials they ask for."""
        return self._checked(self._read("parameters"))

    def _check_duplicates(self, key: str, config_per_file: dict[Path, Any]) -> None:
        """Check what the files of a folder hold; Kedro takes all of it for keys with values."""
        for file, contents in config_per_file.items():
            if not isinstance(contents, DictConfig):
                raise ConfigurationError(f"{file}: must hold keys (key: value), but holds a list")
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
        config: dict[str, Any] = super()._resolve_from_raw_config(
            key, base_configs, env_configs, base_path, env_path, processed_files
        )
        return config

    def data_folder(self) -> Path:
        """The folder that all data lie in; a relative one is below the project's."""
        return Path((self.runtime_params or {}).get("data") or self._globals["data"])

    def _read(self, key: str) -> dict[str, Any]:
        """The merged configuration of a key, read once: a run asks for it several times."""
        if key not in self._merged:
            self._merged[key] = self._read_files(key)
        return copy.deepcopy(self._merged[key])

    def _read_files(self, key: str) -> dict[str, Any]:
        try:
            return super().__getitem__(key)
        # Broken YAML, an interpolation of nothing, a key that is stated in two files, a file that
        # must not be read.
        except (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError) as error:
            environment = self.env or self.default_run_env
            cause = getattr(error.__cause__, "problem", None)  # Kedro leaves out what is wrong
            reason = f"{error} {cause}" if cause else str(error)
            raise ConfigurationError(
                f"the {key} of the environment '{environment}' cannot be read: {reason}"
            ) from error

    def _checked(self, config: dict[str, Any]) -> tuple[Parameters, list[Trial]]:
        parameters = reading.parse(config)
        given = resolve(self.runtime_params or {}, OmegaConf.create(config))
        return parameters, grid.trials(parameters, given.get("recipe"))


def _text(value: Any) -> str:
    """A value as `--params` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _folder(value: Any) -> Any:
    """The data folder, with its tilde expanded: the shell leaves it in ``--params=data=~/folder``.

    What is no text is for the check of the parameters to refuse.
    """
    if value in (None, ""):
        raise ConfigurationError("data: give a folder, for instance --params=data=/path/to/folder")
    if not str(value).startswith("~"):
        return value
    try:
        return str(Path(value).expanduser())
    except RuntimeError as error:  # nobody's home
        raise ConfigurationError(f"data: '{value}' is no folder: {error}") from None


def _trials_of(dataset: str, trials: list[Trial]) -> Trials:
    return Trials(trials=tuple(trial for trial in trials if trial.dataset == dataset))


def current_parameters() -> tuple[Parameters, list[Trial]]:
    """The parameters of the running session, or of the default environment outside one."""
    return current_configuration().parameters()


def current_configuration() -> GridConfigLoader:
    """The configuration of the running session, or of the default environment outside one."""
    loader = GridConfigLoader.latest
    if loader is None:
        project = find_kedro_project(Path.cwd()) or Path.cwd()
        source = str(project / settings.CONF_SOURCE)
        loader = GridConfigLoader(source, **settings.CONFIG_LOADER_ARGS)
    return loader
