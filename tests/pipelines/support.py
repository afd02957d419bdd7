"""Runs of the project in temporary data folders, and access to what they saved."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner
from omegaconf import OmegaConf

from longtail.arrays import Float32Array
from longtail.catalog import LongtailCatalog
from longtail.config import GridConfigLoader
from longtail.errors import LongtailError
from longtail.parameters import Trials
from longtail.pipeline_registry import create_pipelines
from longtail.pipelines import report
from longtail.runner import GridRunner
from longtail.runs.observer import observed
from longtail.trials.grid import table_name, tables
from tests.sketches import sketched

PROJECT = Path(__file__).parents[2]

# The grid of conf/test, repeated so that a change there fails a test.
TRAIN_SETS = ("balanced", "long_tailed")
BACKBONES = ("mobilenetv2_micro", "convnext_micro")
METHODS = ("softmax", "balanced_softmax", "ldam")
TEST_SETS = ("balanced", "long_tailed", "head", "middle", "tail")
GROUPS = ("balanced_head", "balanced_middle", "balanced_tail")
SHOTS = ("many", "medium", "few")
TESTED = (*TEST_SETS, *GROUPS, *SHOTS)
EVALUATED = (*TESTED, "validation")
FIGURES = (
    *("loss", "acc1", "f1", "nll", "macro_f1", "balanced_accuracy"),
    *("top5", "worst_class", "calibration_error"),
)
CELLS = tuple(product(TRAIN_SETS, BACKBONES, METHODS))
TRIALS = tuple(f"digits.{'.'.join(cell)}.seed0" for cell in CELLS)

# The stages that make all but the report.
TRAINING = ("ingest", "imbalance", "train")
# A grid of two trials, as parameters.
SMALL = (
    "grid.train_sets=[long_tailed]",
    "grid.backbones=[convnext_micro]",
    "grid.methods=[softmax,ldam]",
)
SMALL_TRIALS = tuple(f"digits.long_tailed.convnext_micro.{m}.seed0" for m in ("softmax", "ldam"))


def dotted(*items: str) -> dict[str, Any]:
    """Nested parameters from items such as ``recipe.epochs=5``."""
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.from_dotlist(list(items))))


def loader(env: str, **parameters: Any) -> GridConfigLoader:
    """The configuration of an environment, overridden by parameters."""
    bootstrap_project(PROJECT)
    return GridConfigLoader(
        str(PROJECT / "conf"), env=env, runtime_params=parameters, **settings.CONFIG_LOADER_ARGS
    )


def pipelines(env: str, **parameters: Any) -> dict[str, Pipeline]:
    """The registered pipelines of an environment."""
    return _registered(env, json.dumps(parameters, sort_keys=True))


@cache
def _registered(env: str, parameters: str) -> dict[str, Pipeline]:
    return create_pipelines(*loader(env, **json.loads(parameters)).parameters())


def catalog(env: str, **parameters: Any) -> LongtailCatalog:
    """The catalog that a run in an environment gets."""
    bootstrap_project(PROJECT)
    session = KedroSession.create(PROJECT, save_on_close=False, env=env, runtime_params=parameters)
    made = session.load_context()._get_catalog(LongtailCatalog)
    assert isinstance(made, LongtailCatalog)
    return made


@dataclass(frozen=True)
class Run:
    """A run that has ended, with the error that ended it, if any.

    Attributes:
        made: the files of the versions that it has saved, or found equal to what it made.
    """

    data: Path
    run_id: str
    error: LongtailError | None = None
    made: Mapping[str, Path] = field(default_factory=dict)

    def load(self, name: str) -> Any:
        """Load the version of a dataset that this run made; fail if it made none."""
        return self._catalog.load(name)

    def file(self, name: str) -> Path:
        """The file of the version that this run made."""
        if name in self.made:
            return self.made[name]
        dataset = self._catalog[name]
        assert isinstance(dataset, AbstractVersionedDataset), name
        path = Path(str(dataset._filepath))
        return path / self.run_id / path.name

    @cached_property
    def _catalog(self) -> LongtailCatalog:
        names = pipelines("test")["full"].all_outputs()
        catalog = LongtailCatalog.from_config(
            loader("test", data=str(self.data))["catalog"],
            load_versions=dict.fromkeys(names, self.run_id)
            | {name: file.parent.name for name, file in self.made.items()},
        )
        assert isinstance(catalog, LongtailCatalog)
        return catalog


def copy_of(run: Run, data: Path) -> Run:
    """Copy the versions of a run, without those of later runs, for a test that changes them."""
    shutil.copytree(run.data, data)
    for folder in [path for path in data.rglob("20*Z") if path.is_dir()]:
        if folder.name != run.run_id:
            shutil.rmtree(folder)
    return Run(data, run.run_id)


def with_logits(predictions: pd.DataFrame, logits: Float32Array) -> pd.DataFrame:
    """A trial's held-out images with their logits, in a column for each label."""
    columns = [str(label) for label in range(logits.shape[1])]
    return predictions.join(pd.DataFrame(np.array(logits), columns=columns))


def predictions_of(run: Run, trial: str) -> pd.DataFrame:
    """The held-out images of a trial, given by its dotted name, with their logits."""
    return with_logits(*(run.load(f"train.{trial}.{part}") for part in ("predictions", "logits")))


def report_stage(run: Run, *changes: str) -> tuple[Pipeline, dict[str, Any]]:
    """The report stage with changed parameters, and its inputs as saved by a run."""
    config = loader("test", **dotted(*changes))
    parameters, trials = config.parameters()
    contents = tables(parameters)["digits"]
    pipeline = report.create_pipeline(parameters)
    stored = [name for name in pipeline.inputs() if name.startswith("digits_")]
    return pipeline, {
        **{name: run.load(name) for name in stored},
        "params:datasets.digits": parameters.datasets["digits"],
        "params:statistics": parameters.statistics,
        "params:report.command": config["parameters"]["report"]["command"],
        "params:report.digits.contents": contents,
        "params:report.digits.trials": Trials(trials=tuple(trials)),
        **{f"params:report.{table_name(table)}.table": table for table in contents.tables},
    }


def run(
    data: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    stages: Iterable[str] = ("full",),
    workers: int = 1,
    runner: AbstractRunner | None = None,
    drawn: bool = False,
    **filters: Any,
) -> Run:
    """Run pipelines in the test environment, with ``data`` as the data folder.

    Figures are not drawn, unless a test reads them.
    """
    bootstrap_project(PROJECT)
    given = {"data": str(data), **(parameters or {})}
    session = KedroSession.create(PROJECT, save_on_close=False, env="test", runtime_params=given)
    runner = runner or GridRunner(max_workers=workers)
    with (
        contextlib.chdir(PROJECT),
        session,
        observed(quiet=False) as made,
        contextlib.nullcontext() if drawn else sketched(),
    ):
        try:
            session.run(pipeline_names=list(stages), runner=runner, **filters)
        except LongtailError as error:
            return Run(data, session.session_id, error, made)
    return Run(data, session.session_id, None, made)
