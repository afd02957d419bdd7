"""Runs of the project that many tests read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.pipelines.support import SMALL, Run, dotted, run

# One trial has several epochs, so that its learning curves have several points.
LONG_TRIAL = "digits.long_tailed.convnext_micro.softmax.seed0"
EPOCHS = 3


@pytest.fixture(scope="session")
def tracking(mlflow_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """The MLflow database in which runs of the tests are tracked."""
    client = MlflowClient(mlflow_uri)
    if client.get_experiment_by_name("longtail") is None:
        artifacts = tmp_path_factory.getbasetemp() / "artifacts"
        client.create_experiment("longtail", artifact_location=str(artifacts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
        patch.setenv("DO_NOT_TRACK", "1")
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        yield client


@pytest.fixture(scope="session")
def full(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    """The whole project, with trials in two parallel processes."""
    longer = dotted(f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}")
    return run(tmp_path_factory.mktemp("full"), longer, workers=2, drawn=True)


@pytest.fixture(scope="session")
def small(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    """A run of two trials. Tests copy its data folder before they change it."""
    ended = run(tmp_path_factory.mktemp("small"), dotted(*SMALL))
    assert ended.error is None
    return ended


@pytest.fixture(scope="session")
def again(full: Run) -> Run:
    """A second run in the data folder of ``full``, in one process."""
    longer = dotted(f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}")
    return run(full.data, longer, workers=1, drawn=True)
