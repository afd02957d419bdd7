"""The configuration loader, which knows the grid."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.utils import find_kedro_project

from longtail import grid
from longtail.parameters import Parameters, Trial, Trials


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
        super().__init__(*args, **kwargs)
        GridConfigLoader.latest = self

    def __getitem__(self, key: str) -> dict[str, Any]:
        config = super().__getitem__(key)
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

        But for the data folder, which is no part of what is made.
        """
        command = ["kedro", "run", "--pipeline=full"]
        if self.env:
            command.append(f"--env={self.env}")
        given = [
            f"{key}={value}" for key, value in _leaves(self.runtime_params or {}) if key != "data"
        ]
        if given:
            command.append(f"--params={','.join(given)}")
        return shlex.join(command)

    def parameters(self) -> tuple[Parameters, list[Trial]]:
        """The checked parameters and the trials they ask for."""
        return self._checked(super().__getitem__("parameters"))

    def _checked(self, config: dict[str, Any]) -> tuple[Parameters, list[Trial]]:
        parameters = grid.parse(config)
        command_line = (self.runtime_params or {}).get("recipe")
        return parameters, grid.trials(parameters, command_line)


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The dotted keys of nested parameters and their values, as `--params` takes them."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value if isinstance(value, str) else json.dumps(value)


def _trials_of(dataset: str, trials: list[Trial]) -> Trials:
    return Trials(trials=tuple(trial for trial in trials if trial.dataset == dataset))


def current_parameters() -> tuple[Parameters, list[Trial]]:
    """The parameters of the running session, or of the default environment outside one."""
    loader = GridConfigLoader.latest
    if loader is None:
        project = find_kedro_project(Path.cwd())
        if project is None:
            raise RuntimeError("not inside a Kedro project: no pyproject.toml was found")
        source = str(project / settings.CONF_SOURCE)
        loader = GridConfigLoader(source, **settings.CONFIG_LOADER_ARGS)
    return loader.parameters()
