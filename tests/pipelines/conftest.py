"""The project is run once, and looked at by many tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mlflow import MlflowClient

from tests.pipelines.support import Run, dotted, run

# One trial has more epochs than the others, so that its curves are curves.
LONG_TRIAL = "digits.long_tailed.convnext_micro.softmax.seed0"
EPOCHS = 3


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """MLflow in a database that all tests share, since making one takes seconds."""
    folder = tmp_path_factory.getbasetemp()
    uri = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    if client.get_experiment_by_name("longtail") is None:
        client.create_experiment("longtail", artifact_location=str(folder / "artifacts"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.setenv("DO_NOT_TRACK", "1")
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        yield client


@pytest.fixture(scope="session")
def full(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Run:  # noqa: ARG001
    """The whole project, with trials in two parallel processes."""
    longer = dotted(f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}")
    return run(tmp_path_factory.mktemp("full"), longer, workers=2)


@pytest.fixture(scope="session")
def again(full: Run) -> Run:
    """The same a second time, in one process and in the same folder."""
    longer = dotted(f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}")
    return run(full.data, longer, workers=1)
