"""What a run with the same options would do."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import click
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.commands.plan.data import (
    UNKNOWN_SHA256,
    NotReadError,
    PlannedData,
    data_of_last_run,
    planned_data,
    weights_sha256,
)
from longtail.commands.plan.estimate import by_earlier_trainings, estimate
from longtail.commands.plan.text import Plan, lines_of
from longtail.commands.plan.trainings import planned_trainings
from longtail.commands.run_options import selected
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.parameters import Trial
from longtail.pipelines.predict.pipeline import dataset_of
from longtail.pipelines.train.nodes import read_external
from longtail.preflight.inputs import check_predictions, external_trials, refuse_missing
from longtail.preflight.load_versions import check_load_versions
from longtail.preflight.networks import check_networks
from longtail.preflight.photographs import check_trial
from longtail.preflight.sources import check_sources
from longtail.project import located
from longtail.runner import GridRunner
from longtail.runs.data_layout import STORE
from longtail.runs.run_files import is_step, path_of
from longtail.runs.stages import stages_after
from longtail.storage.store import TrainingStore
from longtail.trials.tags import TRIAL_TAG
from longtail.trials.verification import stale_results, verified_results


def plan(options: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Print what `kedro run` would do. Nothing is started, and nothing is written.

    Args:
        options: those of `kedro run`, by Kedro's names.
        arguments: the same as they were given.

    Raises:
        ConfigurationError: as the run would.
        DataError: as the run would.
    """
    found = planned(options)
    folder = next(path for path in (found.data, *found.data.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    click.echo("\n".join(lines_of(found, free, arguments)))


def planned(options: Mapping[str, Any]) -> Plan:
    """What a run with these options would do: see :func:`plan`."""
    configured = ConfigurationOptions(
        options.get("env"), options.get("params") or {}, options.get("conf_source")
    )
    with open_project(configured) as (_, context):
        pipeline = selected(pipelines, options)
        versions = dict(options.get("load_versions") or {})
        catalog = context.catalog_of(versions)
        check_load_versions(versions, pipeline, catalog)
        fits = {node.namespace for node in pipeline.nodes if is_step(node, "fit")}
        trials = [
            trial for trial in context.loader.parameters()[1] if f"train.{trial.name}" in fits
        ]
        return _of_run(pipeline, catalog, trials)


def _of_run(pipeline: Pipeline, catalog: LongtailCatalog, trials: list[Trial]) -> Plan:
    parameters, made = catalog.parameters(), pipeline.all_outputs()
    refuse_missing(pipeline, catalog)
    check_sources(parameters, made)
    check_trial(pipeline, catalog)
    check_predictions(pipeline, catalog)
    check_networks(trials, made)
    _check_results(pipeline, catalog)
    data: dict[str, PlannedData] = {}
    unread: dict[str, str] = {}
    external = external_trials(pipeline, catalog)
    for name in dict.fromkeys(trial.dataset for trial in [*trials, *external]):
        try:
            data[name] = planned_data(parameters.datasets[name], pipeline, catalog)
        except NotReadError as error:
            unread[name] = str(error)
    unchecked = _check_external(external, data)
    used = {trial.backbone.name: trial.backbone for trial in trials}
    weights = {name: weights_sha256(used[name], pipeline, catalog) for name in used}
    known = [trial for trial in trials if trial.dataset in data]
    store = TrainingStore(path_of(catalog, STORE))
    trainings = planned_trainings(known, data, weights, store, catalog)
    of_trials = [node for node in pipeline.nodes if TRIAL_TAG in node.tags]
    workers = GridRunner().worker_count(of_trials, catalog)
    times = {}
    for name in unread:
        if stored := data_of_last_run(parameters.datasets[name], catalog):
            own = [trial for trial in trials if trial.dataset == name]
            like = planned_trainings(own, {name: stored}, weights, store, catalog)
            times[name] = by_earlier_trainings(like, store, workers)
    recognizer = f"{dataset_of(parameters)}_recognizer"
    cross_fits = recognizer in made and parameters.predict.cross_fitting != "never"
    downloads = [f"the images of {name}" for name, of in data.items() if not of.is_read]
    downloads += [f"the weights of {name}" for name, of in weights.items() if of == UNKNOWN_SHA256]
    return Plan(
        trials=tuple(trial.name for trial in trials),
        trainings=tuple(trainings),
        unread=unread,
        times=times,
        downloads=tuple(downloads),
        unchecked=unchecked,
        stale=_stale(known, data, catalog),
        left_out=tuple(stages_after(pipeline)),
        predict=parameters.predict if cross_fits else None,
        estimate=estimate(
            trainings,
            data,
            store,
            [name for name in data if not _is_stored(f"{name}_images", catalog)],
            workers,
        ),
        data=located(catalog.load("params:data")),
    )


def _check_results(pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse stored results as the report would, if the run makes neither them nor their data.

    Raises:
        DataError: if they are not those of the grid, with what to do.
    """
    stored, made = pipeline.inputs(), pipeline.all_outputs()
    for dataset in catalog.parameters().grid.datasets:
        parts = ("results", "trainings", "source", "index", "subsets")
        names = [f"{dataset}_{part}" for part in parts]
        if f"report.{dataset}.results" in made and stored.issuperset(names):
            trials = catalog.load(f"params:report.{dataset}.trials").trials
            results, trainings, source, index, subsets = map(catalog.load, names)
            verified_results(results, trainings, source, index, subsets, trials)


def _check_external(trials: Sequence[Trial], data: Mapping[str, PlannedData]) -> tuple[str, ...]:
    """Refuse external predictions as the run would.

    Returns:
        The methods with some that cannot be checked, since their images are not known yet.

    Raises:
        DataError: naming what is wrong with a file.
    """
    unchecked = []
    for trial in trials:
        of = data.get(trial.dataset)
        if of is not None and of.is_read:
            read_external(of.index, of.source, of.subsets, trial)
        else:
            unchecked.append(trial.method.name)
    return tuple(dict.fromkeys(unchecked))


def _stale(
    trials: Sequence[Trial], data: Mapping[str, PlannedData], catalog: LongtailCatalog
) -> dict[str, list[str]]:
    """The trials whose stored results are not current, by the reason."""
    reasons: dict[str, list[str]] = {}
    for name, of in data.items():
        if not all(_is_stored(f"{name}_{table}", catalog) for table in ("results", "trainings")):
            continue
        results, trainings = (catalog.load(f"{name}_{t}") for t in ("results", "trainings"))
        own = [trial for trial in trials if trial.dataset == name]
        reasons |= stale_results(results, trainings, of.source, of.index, of.subsets, own)
    return reasons


def _is_stored(name: str, catalog: LongtailCatalog) -> bool:
    return name in catalog.versions([name])
