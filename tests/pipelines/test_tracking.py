"""What MLflow knows of a whole run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as MlflowRun

from longtail.tracking import versions_of_tags
from tests.pipelines.conftest import EPOCHS, LONG_TRIAL
from tests.pipelines.support import EVALUATED, FIGURES, PROJECT, TRIALS, Run


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


def test_one_nested_child_a_trial(parent: MlflowRun, children: dict[str, MlflowRun]) -> None:
    assert set(children) == set(TRIALS)
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {
        parent.info.run_id
    }
    assert {name: run.info.run_name for name, run in children.items()} == {t: t for t in TRIALS}


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
    for name in ("learning_rate", "train_loss", "seconds"):
        points = tracking.get_metric_history(children[trial].info.run_id, name)
        logged = {point.step: point.value for point in points}
        assert logged == pytest.approx(history[name].to_dict()), name
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
    full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    """Every figure on every held-out set, and nothing of their intervals."""
    results: pd.DataFrame = full.load(f"train.{trial}.results").set_index("test_set")
    logged = {k: v for k, v in children[trial].data.metrics.items() if "/" in k}
    assert logged == pytest.approx(
        {f"{name}/{figure}": results.at[name, figure] for name in EVALUATED for figure in FIGURES}
    )


@pytest.mark.parametrize("trial", TRIALS)
def test_a_child_leads_to_its_artifacts(
    full: Run, children: dict[str, MlflowRun], trial: str
) -> None:
    tags = children[trial].data.tags
    card = full.load(f"train.{trial}.card")
    assert tags["fingerprint"] == card["fingerprint"]
    assert tags["trained_by"] == card["trained_by"]
    files = tags["artifacts"].splitlines()
    names = ["model", "history", "card", "predictions", "evaluation"]
    names += ["results", "confusions", "reliability", "answers", "class_confusions", "examples"]
    assert files == [str(full.file(f"train.{trial}.{name}").parents[1]) for name in names]


def test_a_repeated_run_is_tracked_by_itself(tracking: MlflowClient, full: Run, again: Run) -> None:
    runs = runs_of(tracking, again)
    assert len(runs) == 1 + len(TRIALS)
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["version"] == again.run_id
    # It names all that it consists of, though it has stored none of it.
    made = {name: file.parent.name for name, file in full.made.items()}
    assert versions_of_tags(parent.data.tags) == made
