"""The whole project on a cluster, of which a part is lost in the middle."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
from mlflow import MlflowClient

from longtail.runner import DaskRunner
from tests.cluster.support import Cluster, trial_processes, until
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import TRAINING, Run, copy_of, dotted, run

SMALL = (
    "grid.backbones=[convnext_micro]",
    "grid.methods=[softmax,ldam]",
    f"train.{LONG_TRIAL}.trial.recipe.epochs={EPOCHS}",
)
TRIALS = [
    f"digits.{train_set}.convnext_micro.{method}.seed0"
    for train_set in ("balanced", "long_tailed")
    for method in ("softmax", "ldam")
]
TABLES = ("digits_results", "digits_confusions", "digits_reliability", "digits_comparisons")


def test_a_lost_worker_changes_nothing(
    cluster: Cluster, full: Run, tracking: MlflowClient, tmp_path: Path
) -> None:
    # Here the trainings are there already.
    local = run(copy_of(full, tmp_path / "local").data, dotted(*SMALL), stages=TRAINING)
    assert local.error is None
    workers = [cluster.worker("--nthreads=1") for _ in range(2)]
    data, processes = tmp_path / "cluster_data", list[psutil.Process]()

    def kill_one() -> None:
        until(lambda: bool(list(data.glob("06_models/store/*/model.safetensors"))), 300)
        processes.extend(trial_processes(workers[0]))
        workers[0].kill()

    threading.Thread(target=kill_one, daemon=True).start()
    on_cluster = run(data, dotted(*SMALL), runner=DaskRunner(cluster.address))
    assert on_cluster.error is None
    assert processes
    assert not any(process.is_running() for process in processes)
    assert workers[0].poll() is not None
    assert workers[1].poll() is None
    for table in TABLES:
        assert on_cluster.file(table).read_bytes() == local.file(table).read_bytes(), table
    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    condition = f"tags.kedro_run_id = '{on_cluster.run_id}'"
    found = tracking.search_runs([experiment.experiment_id], condition)
    assert sorted(each.data.tags["trial"] for each in found) == sorted(["", *TRIALS])
    assert {each.info.status for each in found} == {"FINISHED"}
    [parent] = [each.info.run_id for each in found if not each.data.tags["trial"]]
    parents = {each.data.tags.get("mlflow.parentRunId") for each in found}
    assert parents == {None, parent}
