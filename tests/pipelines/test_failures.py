"""Runs that do not end well: a trial fails, the process is killed, the user interrupts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from longtail.errors import TrialsFailedError
from tests.pipelines.support import PROJECT, TEST_SETS, Run, dotted, run

DEADLINE_S = 300
FAILING = "digits.long_tailed.convnext_micro.ldam.seed0"
OTHERS = [
    "digits.balanced.convnext_micro.softmax.seed0",
    "digits.balanced.convnext_micro.ldam.seed0",
    "digits.long_tailed.convnext_micro.softmax.seed0",
]
SMALL = ("grid.backbones=[convnext_micro]", "grid.methods=[softmax,ldam]")


def tracked(tracking: MlflowClient, condition: str) -> list[MlflowRun]:
    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    return list(tracking.search_runs([experiment.experiment_id], condition))


@pytest.fixture(scope="module")
def failed(full: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in two processes in which one trial's loss is not finite."""
    data = tmp_path_factory.mktemp("failed")
    store = "06_models/store"  # what is not to fail need not be trained again
    shutil.copytree(full.data / store, data / store)
    absurd = f"train.{FAILING}.trial.recipe.learning_rate=1e6"
    return run(data, dotted(*SMALL, absurd), workers=2)


def test_the_error_names_the_trial_the_reason_and_the_retry(failed: Run) -> None:
    assert isinstance(failed.error, TrialsFailedError)
    message = str(failed.error)
    assert "1 trial failed" in message
    assert f"train.{FAILING}" in message
    assert "loss is" in message
    assert "recipe.learning_rate" in message
    retry = f"kedro run --pipelines=full --namespaces=train.{FAILING}"
    assert f"\n    After that, to retry only this trial: {retry}\n" in message
    assert not any(other in message for other in OTHERS)


def test_the_results_have_the_other_trials(failed: Run) -> None:
    results = failed.load("digits_results")
    cells = set(results[["train_set", "method"]].itertuples(index=False, name=None))
    assert cells == {(o.split(".")[1], o.split(".")[3]) for o in OTHERS}
    assert not failed.file(f"train.{FAILING}.results").exists()
    assert not failed.file(f"train.{FAILING}.model").exists()


def test_methods_are_compared_where_both_were_trained(failed: Run) -> None:
    comparisons = failed.load("digits_comparisons")
    assert set(comparisons["train_set"]) == {"balanced"}
    alone = failed.load("train.digits.long_tailed.convnext_micro.comparisons")
    assert list(alone.columns) == list(comparisons.columns)
    assert alone.empty


def test_the_tables_have_a_gap(failed: Run) -> None:
    gap = failed.load("report.digits.convnext_micro.long_tailed.acc1_table")
    assert "LDAM & -- & -- & -- & -- & --" in gap
    [softmax] = [line for line in gap.splitlines() if line.startswith("Softmax")]
    assert "--" not in softmax
    whole = failed.load("report.digits.convnext_micro.balanced.acc1_table")
    assert "--" not in whole.replace("long-tailed", "")
    assert "<td>--</td>" in failed.load("digits_report")
    assert gap in failed.load("digits_appendix")


def test_the_tables_with_intervals_have_a_gap_and_nothing_to_compare(failed: Run) -> None:
    gap = failed.load("report.digits.convnext_micro.long_tailed.full_intervals_table")
    lines = gap.splitlines()
    ldam = lines.index("LDAM" + " & --" * 15 + r" \\")
    assert lines[ldam + 1] == r"\bottomrule"  # no intervals below it
    # Softmax's, but for figures that no resample changes.
    results = failed.load("digits_results")
    names = {"train_set": "long_tailed", "method": "softmax"}
    softmax = results[results[[*names]].eq(names).all(axis=1) & results["test_set"].isin(TEST_SETS)]
    ends = softmax[["loss_low", "acc1_low", "f1_low"]].notna().to_numpy().sum()
    assert gap.count(r"\scriptsize$\pm$") == ends >= 10
    assert "comparisons" not in gap
    assert "textbf" not in gap
    assert "LDAM: no result; its trial failed or has not been run." in gap
    whole = failed.load("report.digits.convnext_micro.balanced.full_intervals_table")
    assert "for the table's 10 comparisons" in whole
    for document in ("digits_intervals_appendix", "digits_report"):
        assert failed.load(document).count("10 comparisons") == 1


def test_all_figures_are_drawn_of_what_there_is(failed: Run) -> None:
    page = failed.load("digits_report")
    assert page.count("data:image/png;base64,") == 3 + 5
    assert "no trial has results" not in page


def test_mlflow_knows_which_trial_failed_and_why(tracking: MlflowClient, failed: Run) -> None:
    runs = tracked(tracking, f"tags.kedro_run_id = '{failed.run_id}'")
    status = {each.data.tags["trial"]: each.info.status for each in runs}
    assert status == {"": "FAILED", FAILING: "FAILED", **dict.fromkeys(OTHERS, "FINISHED")}
    errors = {each.data.tags["trial"]: each.data.tags.get("error", "") for each in runs}
    assert "TrainingError" in errors[FAILING]
    assert FAILING in errors[""]
    assert {errors[other] for other in OTHERS} == {""}


def test_nothing_is_left_of_the_failed_training(failed: Run) -> None:
    store = failed.data / "06_models/store"
    assert not list(store.glob("*.draft"))


def test_the_next_run_mends_it(failed: Run) -> None:
    before = {other: failed.load(f"train.{other}.card") for other in OTHERS}
    mended = run(failed.data, dotted(*SMALL), stages=["train"])
    assert mended.error is None
    results = mended.load("digits_results")
    assert results["fingerprint"].nunique() == 4
    assert before == {other: mended.load(f"train.{other}.card") for other in OTHERS}


def await_that(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.5)  # to ask MLflow costs time, too


@contextmanager
def endless_run(tracking: MlflowClient, data: Path) -> Iterator[subprocess.Popen[str]]:
    """`kedro run` in a process group of its own, while it trains two trials."""
    wanted = ",".join(("grid.backbones=[vit_micro]", "grid.methods=[ldam]", "recipe.epochs=100000"))
    command = ["run", "--env=test", f"--params=data={data},compute.workers=2,{wanted}"]
    # A shell's background jobs ignore Ctrl-C, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-m", "kedro", *command],
        cwd=PROJECT,
        env=os.environ | {"DO_NOT_TRACK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:

            def training() -> bool:
                return len(of_process(tracking, process)) == 3

            await_that(training, process)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def of_process(tracking: MlflowClient, process: subprocess.Popen[str]) -> list[MlflowRun]:
    parents = tracked(tracking, f"tags.pid = '{process.pid}'")
    return [
        each
        for parent in parents
        for each in tracked(tracking, f"tags.kedro_run_id = '{parent.data.tags['kedro_run_id']}'")
    ]


def test_a_killed_run_is_closed_by_the_next_one(tracking: MlflowClient, tmp_path: Path) -> None:
    with endless_run(tracking, tmp_path / "killed") as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert not alive
    left = of_process(tracking, process)
    assert {each.info.status for each in left} == {"RUNNING"}
    after = run(tmp_path / "next", stages=["ingest"])
    assert after.error is None
    closed = of_process(tracking, process)
    assert {each.info.status for each in closed} == {"KILLED"}
    assert {each.info.run_id for each in closed} == {each.info.run_id for each in left}
    [own] = tracked(tracking, f"tags.kedro_run_id = '{after.run_id}'")
    assert own.info.status == "FINISHED"


def test_an_interrupted_run_says_so_and_closes_itself(
    tracking: MlflowClient, tmp_path: Path
) -> None:
    with endless_run(tracking, tmp_path) as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches the workers too
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert "interrupted. Finished trials are saved" in output
    assert "Traceback" not in output
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert not alive
    assert {each.info.status for each in of_process(tracking, process)} == {"KILLED"}
