"""What MLflow knows of a whole run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from longtail.runs.mlflow_records import FINAL_METRICS
from longtail.runs.tracked_runs import record_of, versions_of_tags
from tests.pipelines.runs import EPOCHS, LONG_TRIAL
from tests.pipelines.support import BACKBONES, PROJECT, TRIALS, Run


def runs_of(tracking: MlflowClient, run: Run) -> list[MlflowRun]:
    experiment = tracking.get_experiment_by_name("longtail")
    assert experiment is not None
    where = f"tags.kedro_run_id = '{run.run_id}'"
    return list(tracking.search_runs([experiment.experiment_id], where))


@pytest.fixture(scope="module")
def parent(tracking: MlflowClient, full: Run) -> MlflowRun:
    [parent] = [r for r in runs_of(tracking, full) if "mlflow.parentRunId" not in r.data.tags]
    return parent


@pytest.fixture(scope="module")
def children(tracking: MlflowClient, full: Run) -> dict[str, MlflowRun]:
    found = [r for r in runs_of(tracking, full) if "mlflow.parentRunId" in r.data.tags]
    named = {run.data.tags["trial"]: run for run in found}
    assert len(named) == len(found)
    return named


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def test_all_parameters_of_a_run_are_recorded(parent: MlflowRun, full: Run) -> None:
    record = record_of(full.run_id)
    assert record is not None
    assert record.command == parent.data.tags["command"]
    assert record.parameters is not None
    assert record.parameters["grid"]["backbones"] == list(BACKBONES)
    assert record.parameters["datasets"]["digits"]["imbalance"]["profile"]["imbalance_factor"] == 20
    assert record.parameters["methods"]["ldam"]["label"] == "LDAM"


def test_one_nested_child_a_trial(parent: MlflowRun, children: dict[str, MlflowRun]) -> None:
    assert set(children) == set(TRIALS)
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {
        parent.info.run_id
    }
    titles = {name: run.info.run_name for name, run in children.items()}
    assert titles["digits.long_tailed.convnext_micro.ldam.seed0"] == (
        "ldam · convnext_micro · long-tailed · 0"
    )
    assert len(set(titles.values())) == len(TRIALS)


def test_all_are_finished(parent: MlflowRun, children: dict[str, MlflowRun]) -> None:
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in children.values()} == {"FINISHED"}
    assert all(run.info.end_time >= run.info.start_time for run in children.values())


def test_the_parent_knows_the_commit(parent: MlflowRun) -> None:
    command = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
    git = subprocess.run(command, capture_output=True, text=True, check=False)
    if git.returncode:
        assert "mlflow.source.git.commit" not in parent.data.tags
    else:
        assert len(parent.data.tags["mlflow.source.git.commit"]) == 40
        assert parent.data.tags["git_changed"] in ("true", "false")


def test_the_parent_is_named_after_pipeline_and_environment(parent: MlflowRun, full: Run) -> None:
    name = parent.info.run_name
    assert name is not None
    assert name.startswith("full (test)")
    assert full.run_id[:16] in name


def test_the_parent_says_what_was_run_and_what_was_best(parent: MlflowRun, full: Run) -> None:
    tags, metrics = parent.data.tags, parent.data.metrics
    assert (tags["pipeline"], tags["environment"], tags["slice"]) == ("full", "test", "all")
    assert tags["command"].startswith("kedro run --pipelines=full --env=test ")
    results: pd.DataFrame = full.load("digits_results")
    of_tail = results[results["train_set"] == "long_tailed"]
    for name, rows, test_set in (
        ("best_tail", of_tail, "balanced_tail"),
        ("best_overall", results, "balanced"),
    ):
        of_set = rows[rows["test_set"] == test_set].reset_index()
        best = of_set.sort_values("acc1", ascending=False, kind="stable").iloc[0]
        assert metrics[name] == pytest.approx(best["acc1"])
        title = f"{best['method']} · {best['backbone']} · {best['train_set'].replace('_', '-')}"
        assert tags[name] == f"{title} ({test_set})"
    assert (metrics["trainings_done"], metrics["trainings_reused"]) == (10, 0)
    assert metrics["seconds"] > 0
    note = tags["mlflow.note.content"]
    assert note.startswith(f"`{tags['command']}`\n\nTrained 10 of 10 trainings for 12 trials")
    first = next(line for line in note.splitlines() if line.startswith("- "))
    assert first.endswith(f"/runs/{parent.info.run_id}/artifacts/report/report.html)")


def test_the_training_images_are_an_input(full: Run, children: dict[str, MlflowRun]) -> None:
    inputs = children["digits.long_tailed.convnext_micro.ldam.seed0"].inputs
    assert inputs is not None
    [logged] = inputs.dataset_inputs
    assert logged.dataset.name == "digits long-tailed"
    assert full.load("digits_source")["sha256"].startswith(logged.dataset.digest)
    assert json.loads(str(logged.dataset.profile)) == {
        "images": 369,
        "classes": 10,
        "largest_class": 110,
        "smallest_class": 5,
    }
    assert [(tag.key, tag.value) for tag in logged.tags] == [("mlflow.data.context", "training")]


def test_the_parent_keeps_the_documents(tracking: MlflowClient, parent: MlflowRun) -> None:
    kept = [item.path for item in tracking.list_artifacts(parent.info.run_id, "report")]
    documents = ("appendix.tex", "appendix_intervals.tex", "chapter.tex", "report.html")
    assert sorted(kept) == [f"report/{name}" for name in documents]


@pytest.mark.parametrize("trial", TRIALS)
def test_a_child_has_all_parameters_of_its_trial(
    full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    logged = children[trial].data.params
    card = full.load(f"train.{trial}.card")
    trained_by_itself = card["trained_by"] == trial
    if trained_by_itself:
        assert logged == dict(flat(card["parameters"]))
    _, train_set, backbone, method, _ = trial.split(".")
    assert logged["train_set"] == train_set
    assert logged["backbone.name"] == backbone
    assert logged["method.loss.name"] == method
    assert logged["seed"] == "0"
    assert logged["recipe.epochs"] == str(EPOCHS if trial == LONG_TRIAL else 1)
    assert logged["recipe.learning_rate"] == ("0.008" if "mobilenet" in backbone else "0.004")


@pytest.mark.parametrize("trial", TRIALS)
def test_a_child_has_a_point_an_epoch(
    tracking: MlflowClient, full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    history: pd.DataFrame = full.load(f"train.{trial}.history").set_index("epoch")
    points = tracking.get_metric_history(children[trial].info.run_id, "train_loss")
    logged = {point.step: point.value for point in points}
    assert logged == pytest.approx(history["train_loss"].to_dict())
    assert len(history) == (EPOCHS if trial == LONG_TRIAL else 1)


@pytest.mark.parametrize("name", ["validation_loss", "validation_acc1"])
def test_validation_curves_have_the_validated_epochs_only(
    tracking: MlflowClient, full: Run, children: dict[str, MlflowRun], name: str
) -> None:
    for trial in TRIALS:
        history: pd.DataFrame = full.load(f"train.{trial}.history").set_index("epoch")
        points = tracking.get_metric_history(children[trial].info.run_id, name)
        assert sorted(point.step for point in points) == [EPOCHS if trial == LONG_TRIAL else 1]
        assert points[0].value == pytest.approx(history[name].iloc[-1])


@pytest.mark.parametrize("trial", TRIALS)
def test_a_child_has_its_final_figures(
    tracking: MlflowClient, full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    """A few that trials are compared by; an artifact has all of them."""
    results: pd.DataFrame = full.load(f"train.{trial}.results").set_index("test_set")
    run = children[trial]
    whole = [(name, figure) for name in ("balanced", "long_tailed") for figure in FINAL_METRICS]
    chosen = [*whole, *((group, "acc1") for group in ("head", "middle", "tail"))]
    curves = {"train_loss", "validation_loss", "validation_acc1"}
    assert run.data.metrics.keys() == curves | {"seconds"} | {f"{n}/{f}" for n, f in chosen}
    for name, figure in chosen:
        assert run.data.metrics[f"{name}/{figure}"] == pytest.approx(results.at[name, figure])
    assert run.data.metrics["seconds"] == full.load(f"train.{trial}.card")["seconds"]
    [artifact] = tracking.list_artifacts(run.info.run_id)
    assert artifact.path == "results.csv"


@pytest.mark.parametrize("trial", TRIALS)
def test_a_child_leads_to_its_artifacts(
    full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    tags = children[trial].data.tags
    card = full.load(f"train.{trial}.card")
    assert tags["fingerprint"] == card["fingerprint"]
    assert tags["trained_by"] == card["trained_by"]
    files = tags["artifacts"].splitlines()
    names = ["model", "history", "card", "predictions", "logits", "evaluation"]
    names += ["results", "confusions", "reliability", "answers", "class_confusions", "examples"]
    assert files == [str(full.file(f"train.{trial}.{name}").parents[1]) for name in names]


def test_a_repeated_run_is_tracked_by_itself(tracking: MlflowClient, full: Run, again: Run) -> None:
    runs = runs_of(tracking, again)
    assert len(runs) == 1 + len(TRIALS)
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    metrics = parent.data.metrics
    assert (metrics["trainings_done"], metrics["trainings_reused"]) == (0, 10)
    assert "Nothing was trained: 10 trainings" in parent.data.tags["mlflow.note.content"]
    assert parent.data.tags["version"] == again.run_id
    # It names all that it consists of, though it has stored none of it.
    made = {name: file.parent.name for name, file in full.made.items()}
    assert versions_of_tags(parent.data.tags) == made
