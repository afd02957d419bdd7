"""Fixtures of all tests: the parameters of the project, small trials, and a copy of the project."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import os
import pickle
import re
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pandas as pd
import pytest
import yaml
from kedro.pipeline import Pipeline
from mlflow import MlflowClient
from omegaconf import OmegaConf
from pandera.pandas import DataFrameSchema
from playwright.sync_api import Browser

from longtail.config import GridConfigLoader
from longtail.parameters import (
    Backbone,
    Compute,
    CosineSchedule,
    Method,
    Parameters,
    Recipe,
    Softmax,
    Trial,
)
from longtail.pipeline_registry import create_pipelines
from longtail.sources.digits import read_digits
from tests.browser import chromium
from tests.projects import copy_project

# A slow machine is no failure.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# A second thread makes operations on tensors as small as the tests' slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Copies of the project have no file that refuses Kedro's usage statistics.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "true")

# As in the project's settings, which only some tests load.
gc.set_threshold(100_000, 100)

# Fixtures that tests of several folders read.
pytest_plugins = ("tests.pipelines.runs",)

PROJECT = Path(__file__).parents[1]
NAMED_PARAMETER = re.compile(rb"\$\{runtime_params:(\w+)")


@pytest.fixture(scope="session", autouse=True)
def shallow_stacks() -> Iterator[None]:
    """Let Kedro's settings ask for the file of each frame only, and not for its lines of source.

    They ask four times in each session, and in a process that has imported as much as the tests'
    finding the lines takes half a second.
    """

    def stack() -> list[SimpleNamespace]:
        frames = [frame for frame, _ in traceback.walk_stack(None)]
        return [SimpleNamespace(filename=frame.f_code.co_filename) for frame in frames]

    shallow = SimpleNamespace(**vars(inspect) | {"stack": stack})
    with pytest.MonkeyPatch.context() as patch:
        for module in ("dynaconf.utils.files", "dynaconf.loaders.py_loader"):
            patch.setattr(f"{module}.inspect", shallow)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_git_in_sessions() -> Iterator[None]:
    """Leave out what Kedro asks git in two processes at the start of each session: nobody reads it.

    The commit that a run records is the project's own (`longtail.provenance`).
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kedro.framework.session.session._describe_git", lambda _: {})
        yield


@pytest.fixture(scope="session", autouse=True)
def configuration_read_once() -> Iterator[None]:
    """Read equal files with equal parameters once, which takes most of the time of a session.

    The data folder is inserted afterwards, since almost every test has its own. Of the other
    parameters of the command line, the catalog has only those that its files name.
    """
    elsewhere = "/<the data folder of a test>"
    found: dict[str, dict[str, Any]] = {}
    read = GridConfigLoader._read_files

    @cache
    def named(states: tuple[tuple[str, int, int], ...]) -> set[str]:
        texts = (Path(file).read_bytes() for file, *_ in states if file.endswith("yml"))
        return {name.decode() for text in texts for name in NAMED_PARAMETER.findall(text)}

    def read_once(loader: GridConfigLoader, key: str) -> dict[str, Any]:
        given = dict(loader.runtime_params or {})
        data = given.get("data")
        if data is not None:
            given["data"] = elsewhere
        files = [file for file in Path(loader.conf_source).rglob("*") if file.is_file()]
        states = sorted((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        if key != "parameters":
            asked = named(tuple(states))
            given = {name: value for name, value in given.items() if name in asked}
        globals_read = getattr(loader, "_globals", None)  # the first reading is theirs
        place = repr((key, loader.base_env, loader.env, globals_read, given, states))
        if place not in found:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loader, "runtime_params", given)
                found[place] = read(loader, key)
        return found[place] if data is None else with_text(found[place], elsewhere, str(data))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GridConfigLoader, "_read_files", read_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def yaml_parsed_once() -> Iterator[None]:
    """Parse equal YAML once: sessions of other parameters read the same files."""
    found: dict[str, bytes] = {}  # a copy from bytes takes a quarter of a deep copy's time
    load = OmegaConf.load

    def load_once(file: str | Path | io.StringIO) -> Any:
        if not isinstance(file, io.StringIO):  # Kedro's loader has read the file
            return load(file)
        text = file.read()
        if text not in found:
            found[text] = pickle.dumps(load(io.StringIO(text)))
        return pickle.loads(found[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def tables_validated_once() -> Iterator[None]:
    """Validate equal tables once: most runs save and load the same ones."""
    # With the schema, since the number of one that is gone can become that of another.
    found: dict[tuple[int, bytes], tuple[DataFrameSchema, pd.DataFrame]] = {}
    validate = DataFrameSchema.validate

    def validate_once(schema: DataFrameSchema, table: Any, **options: Any) -> pd.DataFrame:
        place = id(schema), pickle.dumps((table, options))
        if place not in found:
            found[place] = schema, validate(schema, table, **options)
        return found[place][1].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataFrameSchema, "validate", validate_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def digits_made_once() -> Iterator[None]:
    """Read and enlarge scikit-learn's digits once for each size: most runs have them."""
    made = cache(read_digits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("longtail.sources.read.read_digits", lambda size: copy.deepcopy(made(size)))
        yield


@pytest.fixture(scope="session", autouse=True)
def multiply_adds_counted_once() -> Iterator[None]:
    """Count the multiply-adds of equal networks once: each training records them."""
    if "torch" not in sys.modules:  # no test needs it
        yield
        return
    from longtail.learning.backbones.multiply_adds import multiply_adds

    counted: dict[tuple[str, int], int] = {}

    def count_once(model: Any) -> int:
        network = str(model), model.image_size
        if network not in counted:
            counted[network] = multiply_adds(model)
        return counted[network]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("longtail.learning.training.environment.multiply_adds", count_once)
        yield


def with_text(value: Any, before: str, after: str) -> Any:
    """A nested value whose texts contain one text in place of another."""
    match value:
        case dict():
            return {key: with_text(part, before, after) for key, part in value.items()}
        case list():
            return [with_text(part, before, after) for part in value]
        case str():
            return value.replace(before, after)
    return value


@pytest.fixture(scope="session", autouse=True)
def pipelines_created_once() -> Iterator[None]:
    """Create the pipelines of equal parameters once: no session changes them."""
    found: dict[str, dict[str, Pipeline]] = {}

    def create_once(parameters: Parameters, trials: list[Trial]) -> dict[str, Pipeline]:
        place = repr((parameters, trials))
        if place not in found:
            found[place] = create_pipelines(parameters, trials)
        return found[place]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("longtail.context.create_pipelines", create_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def run_status_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave what Kedro-Viz shows of the last run in this project as it is."""
    with pytest.MonkeyPatch.context() as patch:
        elsewhere = tmp_path_factory.mktemp("viz") / "events.json"
        patch.setattr("longtail.hooks.run_status.FILE", elsewhere)
        yield


@pytest.fixture(autouse=True)
def no_root_of_a_session_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test find the project from its working directory, whatever ran before it."""
    monkeypatch.setattr("longtail.project._root", None)


@pytest.fixture(scope="session")
def base_files() -> dict[str, Any]:
    """The raw parameters of the default environment, as in its YAML files. Not to be changed."""
    config: dict[str, Any] = {}
    for file in sorted((PROJECT / "conf/base/parameters").glob("*.yml")):
        config |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return config


@pytest.fixture
def base_config(base_files: dict[str, Any]) -> dict[str, Any]:
    """A copy of the raw parameters of the default environment, which a test may change."""
    return copy.deepcopy(base_files)


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """A small recipe without augmentation; keywords change it."""
    values = {
        "epochs": 1,
        "batch_size": 16,
        "image_size": 16,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "weight_decay": 0.05,
        "schedule": CosineSchedule(kind="cosine"),
        "warmup_epochs": 0,
        "crop_padding": 0,
        "horizontal_flip": False,
        "normalization": "train_set",
        "precision": "float32",
        "validate_every": 1,
    }
    return lambda **changes: Recipe(**{**values, **changes})


@pytest.fixture
def make_trial(make_recipe: Callable[..., Recipe]) -> Callable[..., Trial]:
    """A small trial on a CPU; keywords change it. The weights of a frozen network are given."""
    values = {
        "dataset": "digits",
        "train_set": "balanced",
        "backbone": Backbone(name="vit", label="ViT", architecture="vit_micro"),
        "method": Method(name="softmax", label="Softmax", loss=Softmax(name="softmax")),
        "seed": 0,
        "recipe": make_recipe(),
        "compute": Compute(device="cpu", threads=1, workers=1, compile="never"),
    }

    def make(**changes: Any) -> Trial:
        fields: dict[str, Any] = values | changes
        if fields["recipe"].freeze != "none":
            given = {"pretrained": True, "weights": "w.npz"}
            fields["backbone"] = fields["backbone"].model_copy(update=given)
        return Trial(**fields)

    return make


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that a test may change."""
    # Kedro puts the project's sources in both.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to be copied: creating one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture(scope="session")
def mlflow_uri(empty_mlflow: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The MLflow database of the tests that ask only for runs of their own."""
    file = shutil.copy(empty_mlflow, tmp_path_factory.mktemp("mlflow") / "mlflow.db")
    return f"sqlite:///{file}"


@pytest.fixture
def own_mlflow(empty_mlflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A database in which no other test tracks runs."""
    uri = f"sqlite:///{shutil.copy(empty_mlflow, tmp_path / 'own.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return MlflowClient(uri)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module: in others, its event loop would be in the way."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of large real archives; tests are skipped where it is missing."""
    default = PROJECT.parent / "shared" / "data"
    folder = Path(os.environ.get("LONGTAIL_SHARED", default))
    if not folder.is_dir():
        pytest.skip(
            f"no real archives: set LONGTAIL_SHARED to their folder ({folder} is not a folder)"
        )
    return folder
