"""Tracking in MLflow."""

from __future__ import annotations

import io
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from longtail.catalog import LongtailCatalog
from longtail.errors import RunInterruptedError
from longtail.imbalance.group_sizes import groups_differ
from longtail.parameters import TrainSet, Trial
from longtail.parameters.nesting import flatten
from longtail.reporting.tables.layouts import tail_test_set
from longtail.runs import tracking, tracking_errors
from longtail.runs.mlflow_records import (
    HISTORY_METRICS,
    dataset_input,
    description,
    final_metrics,
    git_tags,
    hardware,
    headlines,
    run_tags,
    trial_title,
)
from longtail.runs.model_registry import register_exported
from longtail.runs.run_files import is_step, made, path_of, published_tables
from longtail.runs.run_trainings import trainings_of_run
from longtail.runs.tracked_runs import (
    PARAMETERS_FILE,
    tags_of_tables,
    tags_of_versions,
    versions_of_tags,
)
from longtail.storage.spreadsheet import write_csv
from longtail.trials.tags import TRIAL_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

ARTIFACTS = (
    *("model", "history", "card", "predictions", "logits", "evaluation"),
    *("results", "confusions", "reliability", "answers", "class_confusions", "examples"),
)
# What MLflow takes in one call.
BATCHES = {"metrics": 1000, "params": 100, "tags": 100}


def _while_tracked(method: Callable[..., None]) -> Callable[..., None]:
    """Continue the run if MLflow fails during it, and log that once.

    Trainings are worth more than their records.
    """

    @wraps(method)
    def guarded(self: MlflowHook, *args: Any, **kwargs: Any) -> None:
        if self._lost:
            return
        try:
            method(self, *args, **kwargs)
        except tracking_errors.failures() as error:
            self._lost = True
            log.error(tracking_errors.lost(error))

    return guarded


class MlflowHook:
    """One MLflow run per ``kedro run``, and one nested run per trial.

    Runs are found by their tags, so the hook works in any process and on any machine that runs a
    trial.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        """Start afresh: Kedro has one hook per process, whose sessions can have other databases."""
        self._lost = False
        self._client: MlflowClient | None = None
        self._experiment_id: str | None = None
        self._runs: dict[tuple[str, str], str] = {}
        # By data set: it is the same for all trials of a run, and takes the class profile.
        self._has_tail: dict[str, bool] = {}
        self._began = time.time()

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Start the parent run, and end runs of this machine whose process was killed.

        Raises:
            DataError: if MLflow cannot be reached.
        """
        self._forget()
        try:
            self._open(run_params, pipeline, catalog)
        except tracking_errors.failures() as error:
            raise tracking_errors.unreachable(error) from None

    def _open(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        self._close_orphans()
        tags = {
            **git_tags(Path(run_params["project_path"])),
            "host": socket.gethostname(),
            "pid": str(os.getpid()),
            "hardware": hardware(),
            **run_tags(run_params, catalog.load("params:conf_source")),
            "nodes": str(len(pipeline.nodes)),
            "version": catalog.run_version or run_params["run_id"],
            **tags_of_versions(catalog.versions(pipeline.inputs())),
            **tags_of_tables(published_tables(pipeline, catalog)),
        }
        chosen = "" if tags["slice"] == "all" else f" {tags['slice']}"
        name = f"{tags['pipeline']} ({tags['environment']}){chosen} {run_params['run_id'][:16]}"
        self._began = time.time()
        run = self._create(run_params["run_id"], "", name, tags)
        # The values of its environment too: its files can be edited after the run.
        parameters = catalog.parameters().model_dump(mode="json")
        self._mlflow().log_dict(run, parameters, PARAMETERS_FILE)

    @hook_impl
    @_while_tracked
    def before_node_run(self, node: Node, inputs: dict[str, Any], run_id: str) -> None:
        """Start a trial's run with all its parameters, or resume that of a killed process."""
        if not is_step(node, "fit"):
            return
        trial: Trial = inputs[f"params:{node.namespace}.trial"]
        tags = {"dataset": trial.dataset, "train_set": trial.train_set}
        run = self._find(run_id, trial.name)
        if run is None:
            run = self._create(run_id, trial.name, trial_title(trial.name), tags)
            data = (inputs[f"{trial.dataset}_{part}"] for part in ("index", "subsets", "source"))
            self._mlflow().log_inputs(run, [dataset_input(trial, *data)])
        from mlflow.entities import Param

        leaves = flatten(trial.model_dump(mode="json"))
        params = [Param(".".join(key), str(value)) for key, value in leaves]
        self._log(run, "params", params)

    @hook_impl
    @_while_tracked
    def after_node_run(
        self, node: Node, catalog: LongtailCatalog, outputs: dict[str, Any], run_id: str
    ) -> None:
        """Log a trial's learning curves and environment, then its scores, and end its run."""
        if is_step(node, "fit"):
            outputs = {name.rpartition(".")[2]: value for name, value in outputs.items()}
            self._log_training(self._find(run_id, _trial_name(node)), outputs)
        elif is_step(node, "score"):
            name = _trial_name(node)
            run = self._find(run_id, name)
            if run is None:  # scored again without being fitted in this run
                run = self._create(run_id, name, trial_title(name), {})
            results: pd.DataFrame = outputs[f"{node.namespace}.results"]
            dataset = results["dataset"].iloc[0]
            if dataset not in self._has_tail:
                train_sets = catalog.load("params:grid")["train_sets"]
                self._has_tail[dataset] = _has_tail(catalog, dataset, train_sets)
            self._log_metrics(run, final_metrics(results, has_tail=self._has_tail[dataset]))
            content = io.StringIO()
            write_csv(results, content)
            self._mlflow().log_text(run, content.getvalue(), "results.csv")
            self._log_artifacts(run, node, catalog)
            self._mlflow().set_terminated(run)

    @hook_impl
    @_while_tracked
    def on_node_error(self, error: Exception, node: Node, run_id: str) -> None:
        """End the run of a failed trial, with the reason."""
        run = self._find(run_id, _trial_name(node)) if _is_trial(node) else None
        if run is not None:
            self._mlflow().set_tag(run, "error", f"{type(error).__name__}: {error}"[:5000])
            self._mlflow().set_terminated(run, "FAILED")

    @hook_impl
    @_while_tracked
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: LongtailCatalog
    ) -> None:
        """Log the documents to the parent run, and end it."""
        self._close(run_params["run_id"], pipeline, catalog, "FINISHED")

    @hook_impl
    @_while_tracked
    def on_pipeline_error(
        self,
        error: Exception,
        run_params: dict[str, Any],
        pipeline: Pipeline,
        catalog: LongtailCatalog,
    ) -> None:
        """End the parent run and those of its trials that are still running."""
        status = "KILLED" if isinstance(error, RunInterruptedError) else "FAILED"
        parent = self._find(run_params["run_id"], "")
        if parent is not None:
            self._mlflow().set_tag(parent, "error", f"{type(error).__name__}: {error}"[:5000])
        self._close(run_params["run_id"], pipeline, catalog, status)

    def _close(
        self, run_id: str, pipeline: Pipeline, catalog: LongtailCatalog, status: str
    ) -> None:
        parent = self._find(run_id, "")
        if parent is None:
            return
        for run in self._open_runs(f"tags.kedro_run_id = '{run_id}'"):
            if run.info.run_id != parent:
                self._mlflow().set_terminated(run.info.run_id, "KILLED")
        log.info("Recording the run in MLflow")
        self._log_versions(parent, pipeline, catalog)
        documents = made(pipeline, catalog).values()
        for document in documents:
            self._mlflow().log_artifact(parent, str(document), "report")
        self._log_headlines(parent, pipeline, catalog, [document.name for document in documents])
        register_exported(pipeline, catalog, parent)
        self._mlflow().set_terminated(parent, status)

    def _log_headlines(
        self, parent: str, pipeline: Pipeline, catalog: LongtailCatalog, documents: list[str]
    ) -> None:
        """Log the best accuracies, the duration and the trainings of a run, and describe it."""
        trainings = trainings_of_run(pipeline, catalog, self._began)
        metrics = {"seconds": time.time() - self._began}
        if trainings is not None:
            metrics |= {"trainings_done": trainings.done, "trainings_reused": trainings.reused}
        datasets = {
            _trial_name(node).partition(".")[0] for node in pipeline.nodes if _is_trial(node)
        }
        made_results = catalog.versions(
            {f"{name}_results" for name in datasets} & pipeline.all_outputs()
        )
        for name in made_results:
            results = catalog.load(name)
            dataset = name.removesuffix("_results")
            imbalance = catalog.parameters().datasets[dataset].imbalance
            tail = tail_test_set(imbalance.grouped_by)
            train_sets = results["train_set"].unique()
            tailed = [name for name in train_sets if _has_tail(catalog, dataset, [name])]
            best, tags = headlines(results, tail, tailed)
            suffix = f"_{dataset}" if len(made_results) > 1 else ""
            metrics |= {f"{metric}{suffix}": value for metric, value in best.items()}
            for tag, value in tags.items():
                self._mlflow().set_tag(parent, f"{tag}{suffix}", value)
        self._log_metrics(parent, metrics)
        text = description(
            self._mlflow().get_run(parent).data.tags["command"],
            "" if trainings is None else str(trainings),
            documents,
            f"#/experiments/{self._experiment()}/runs/{parent}",
        )
        self._mlflow().set_tag(parent, "mlflow.note.content", text)

    def _log_versions(self, run: str, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        """Record the versions that a run read, and those that it found equal to what it made."""
        from mlflow.entities import RunTag

        read = versions_of_tags(self._mlflow().get_run(run).data.tags) or {}
        reused = catalog.versions(pipeline.all_outputs())
        own = {name for name, version in reused.items() if version == catalog.run_version}
        tags = tags_of_versions(
            read | {name: version for name, version in reused.items() if name not in own}
        )
        self._log(run, "tags", [RunTag(key, value) for key, value in tags.items()])

    def _log_training(self, run: str | None, outputs: dict[str, Any]) -> None:
        from mlflow.entities import Metric, RunTag

        if run is None:
            return
        history: pd.DataFrame = outputs["history"]
        card: dict[str, Any] = outputs["card"]
        now = int(time.time() * 1000)
        metrics = [Metric("seconds", float(card["seconds"]), now, 0)]
        metrics += [
            Metric(name, float(row[name]), now, int(row["epoch"]))
            for _, row in history.iterrows()
            for name in HISTORY_METRICS
            if pd.notna(row[name])
        ]
        self._log(run, "metrics", metrics)
        described = ("fingerprint", "trained_by", "device", "torch", "model_parameters")
        self._log(run, "tags", [RunTag(key, str(card[key])) for key in described])

    def _log_metrics(self, run: str, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
        self._log(run, "metrics", metrics)

    def _log(self, run: str, kind: str, values: Sequence[Any]) -> None:
        """Log metrics, parameters or tags, as many in each call as MLflow takes."""
        for start in range(0, len(values), BATCHES[kind]):
            batch: dict[str, Any] = {kind: values[start : start + BATCHES[kind]]}
            self._mlflow().log_batch(run, **batch)

    def _log_artifacts(self, run: str, node: Node, catalog: LongtailCatalog) -> None:
        folders = [str(path_of(catalog, f"{node.namespace}.{name}")) for name in ARTIFACTS]
        self._mlflow().set_tag(run, "artifacts", "\n".join(folders))

    def _create(self, run_id: str, trial: str, name: str, tags: dict[str, str]) -> str:
        own_tags = {"kedro_run_id": run_id, "trial": trial, **tags}
        parent = self._find(run_id, "") if trial else None
        if parent is not None:
            own_tags["mlflow.parentRunId"] = parent
        with self._lock:
            run = self._mlflow().create_run(self._experiment(), run_name=name, tags=own_tags)
            self._runs[run_id, trial] = run.info.run_id
            return str(run.info.run_id)

    def _find(self, run_id: str, trial: str) -> str | None:
        with self._lock:
            if (run_id, trial) not in self._runs:
                where = f"tags.kedro_run_id = '{run_id}' and tags.trial = '{trial}'"
                found = self._mlflow().search_runs([self._experiment()], where, max_results=1)
                if not found:
                    return None
                self._runs[run_id, trial] = found[0].info.run_id
            return self._runs[run_id, trial]

    def _open_runs(self, where: str) -> list[Any]:
        condition = f"attributes.status = 'RUNNING' and {where}"
        return list(self._mlflow().search_runs([self._experiment()], condition))

    def _close_orphans(self) -> None:
        """End the runs of killed processes, which could not do it themselves."""
        for run in self._open_runs(f"tags.host = '{socket.gethostname()}'"):
            if not psutil.pid_exists(int(run.data.tags["pid"])):
                for own in self._open_runs(
                    f"tags.kedro_run_id = '{run.data.tags['kedro_run_id']}'"
                ):
                    self._mlflow().set_terminated(own.info.run_id, "KILLED")

    def _mlflow(self) -> MlflowClient:
        if self._client is None:
            self._client = tracking.client()
        return self._client

    def _experiment(self) -> str:
        if self._experiment_id is None:
            self._experiment_id = tracking.experiment()
        return self._experiment_id


def _trial_name(node: Node) -> str:
    return str(node.namespace or "").removeprefix("train.")


def _has_tail(catalog: LongtailCatalog, dataset: str, train_sets: Iterable[TrainSet]) -> bool:
    """Whether head, middle and tail differ in one of these training sets."""
    return groups_differ(catalog.load(f"{dataset}_class_profile"), train_sets)


def _is_trial(node: Node) -> bool:
    return TRIAL_TAG in node.tags
