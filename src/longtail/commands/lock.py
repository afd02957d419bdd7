"""The commands `kedro lock` and `kedro regenerate`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from longtail import report_lock
from longtail.catalog import LongtailCatalog
from longtail.commands.recorded_parameters import changes_since_run
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.errors import DataError
from longtail.evaluation.trainings import trial_names
from longtail.kedro_internals import VersionedDataset, path_of, version_path
from longtail.parameters import Parameters, Trial
from longtail.project import program
from longtail.report_lock import File, Lock
from longtail.retention.scan import remove_version
from longtail.runner import GridRunner
from longtail.runs.observer import observed
from longtail.runs.tracked_runs import record_of
from longtail.storage.files import verified
from longtail.trials.tags import GATHER_TAG
from longtail.wording import counted

log = logging.getLogger(__name__)

Datasets = dict[str, VersionedDataset]


@dataclass(frozen=True)
class Project:
    """The project in one environment, with some parameters.

    Attributes:
        datasets: the outputs of the stages before the report, by name.
        documents: the outputs of the report stage, by name.
        report_inputs: the names of the inputs of the report stage.
        tables: the files of those of them that have no versions, by name.
        optional: the names of gathered tables, which are missing if all of their trials failed.
    """

    session: KedroSession
    parameters: Parameters
    trials: list[Trial]
    catalog: LongtailCatalog
    datasets: Datasets
    documents: Datasets
    report_inputs: list[str]
    tables: dict[str, Path]
    optional: set[str]


def make_lock(options: ConfigurationOptions, file: Path) -> None:
    """Record the inputs of the newest report, and its checksums.

    The report is made once more to check that it is reproducible; this copy is removed.

    Raises:
        DataError: if something is missing, if the results are of other parameters, or if the second
            report differs, as it does if the report is older than its inputs.
        ConfigurationError: if the lock cannot be written.
    """
    report_lock.check_place(file)
    with _opened(options) as project:
        left_out = _trials_left_out(project)
        of_left_out = tuple(f"train.{name}." for name in left_out)
        datasets = {n: d for n, d in project.datasets.items() if not n.startswith(of_left_out)}
        required = {n: d for n, d in datasets.items() if n not in project.optional}
        _check_made(required | project.documents, options)
        lock = Lock(
            environment=options.env,
            parameters=report_lock.split_places(options.params)[1],
            grid=project.parameters.grid,
            made_with=report_lock.made_with(),
            datasets=_newest(project.catalog, datasets),
            documents=_newest(project.catalog, project.documents),
            tables=report_lock.checksums(project.tables),
        )
        reports = {n: _path(d, lock.documents[n].version) for n, d in project.documents.items()}
    different = _make_again(lock, options, file, keep=False)
    if different:
        lines = "\n".join(str(reports[name]) for name in different)
        raise DataError(
            f"{lines}\n{len(different)} of {len(reports)} documents differ when made again with "
            f"these parameters and this code, so they cannot be locked: the report was made with "
            f"others. {_of_the_report(lock, project.parameters)}Make it again: {program()} run "
            f"--pipelines=report{options} (with the same --params)"
        )
    report_lock.write(lock, file)
    if left_out:
        log.warning(
            "%s failed, were not run, or were run with other parameters since; not locked: %s",
            counted(len(left_out), "trial"),
            ", ".join(left_out),
        )
    log.info(
        "Locked %s and %s in %s. The documents were made once more to check them, and are "
        "identical",
        counted(len(lock.datasets), "data set"),
        counted(len(lock.documents), "document"),
        os.path.relpath(file),
    )


def regenerate(options: ConfigurationOptions, file: Path) -> None:
    """Make the report of a lock again from the locked files, and compare it.

    Args:
        options: the environment of the lock, and the paths on this machine; all other parameters
            come from the lock.
        file: the lock.

    Raises:
        ConfigurationError: if the lock is of another environment, grid or version of the project.
        DataError: if a locked file is missing or has changed, or if the report differs.
    """
    lock = report_lock.read(file)
    different = _make_again(lock, options, file, keep=True)
    if different:
        lines = "\n".join(different.values())
        reasons = report_lock.other_writers(lock) or ["labels or the project's code have changed"]
        raise DataError(
            f"{lines}\n{len(different)} of {len(lock.documents)} documents differ from {file}. "
            f"Possible reasons: {'; '.join(reasons)}"
        )
    log.info(
        "All %s documents are identical to those locked in %s",
        len(lock.documents),
        os.path.relpath(file),
    )


def _of_the_report(lock: Lock, now: Parameters) -> str:
    """How the newest report was made, and how its parameters differ, as far as MLflow knows."""
    run = max(document.version for document in lock.documents.values())
    record = record_of(run)
    if record is None:
        return f"MLflow has no record of its run {run}. "
    recorded = record.parameters
    changes = changes_since_run(run, recorded, now, {}) if recorded is not None else []
    differing = f"Of its parameters, {'; '.join(changes)}. " if changes else ""
    for name, sha256 in lock.tables.items():
        if record.tables.get(name, sha256) != sha256:
            differing += f"Since then {name} has changed. "
    return (
        f"{differing}To lock it as it is, give `{program()} lock` the --params of its run, "
        f"`{record.command}`. "
    )


def _make_again(
    lock: Lock, options: ConfigurationOptions, file: Path, *, keep: bool
) -> dict[str, str]:
    """Run the report stage on locked files and compare: one phrase per document that differs."""
    here = report_lock.parameters_here(lock, options.env, options.params, file)
    with _opened(replace(options, params=here)) as project:
        report_lock.check_fits(
            lock,
            project.parameters.grid,
            project.report_inputs,
            project.documents,
            project.tables,
            file,
        )
        versions = {name: lock.datasets[name].version for name in project.report_inputs}
        inputs = {name: _path(project.datasets[name], versions[name]) for name in versions}
        wrong = report_lock.deviations(lock.checksums, inputs | project.tables)
        if wrong:
            lines = "\n".join(wrong.values())
            raise DataError(
                f"{lines}\nThe report of {file} needs the locked files. Restore them; or give "
                f"their folder: --params=data=/path/to/folder; or make everything again: "
                f"{program()} run --pipelines=full{options}, then {program()} lock{options}"
            )
        before = {n: d.list_versions(full_path=False) for n, d in project.documents.items()}
        with observed(quiet=not keep) as made:
            try:
                project.session.run(
                    pipeline_names=["report"], runner=GridRunner(), load_versions=versions
                )
                again = {n: _relative(made[n]) for n in project.documents}
                return report_lock.deviations(lock.checksums, again)
            finally:
                for name, document in made.items():
                    if not keep and document.parent.name not in before[name]:
                        remove_version(document.parent)


@contextmanager
def _opened(options: ConfigurationOptions) -> Iterator[Project]:
    with open_project(options) as (session, context):
        catalog = context.catalog
        checked, trials = context.loader.parameters()
        report = pipelines["report"]
        documents = catalog.versioned(report.all_outputs())
        before = catalog.versioned(pipelines["full"].datasets() - set(documents))
        inputs = sorted(report.inputs() & set(before))
        others = {name for name in report.inputs() - set(before) if not name.startswith("params:")}
        tables = {name: _relative(path_of(catalog.get(name))) for name in sorted(others)}
        gathered = pipelines["full"].only_nodes_with_tags(GATHER_TAG).all_outputs()
        optional = gathered - set(inputs)
        yield Project(
            session, checked, trials, catalog, before, documents, inputs, tables, optional
        )


def _trials_left_out(project: Project) -> list[str]:
    """The grid's trials that are not in the results: failed, not run, or run again since."""
    shown: dict[str, str] = {}
    for dataset in project.parameters.grid.datasets:
        if project.datasets[f"{dataset}_trainings"].exists():
            trainings = project.catalog.load(f"{dataset}_trainings")
            shown |= dict(zip(trial_names(trainings), trainings["fingerprint"], strict=True))
    return [trial.name for trial in project.trials if not _is_shown(project, trial.name, shown)]


def _is_shown(project: Project, trial: str, shown: Mapping[str, str]) -> bool:
    card = f"train.{trial}.card"
    if trial not in shown or not project.datasets[card].exists():
        return False
    return bool(project.catalog.load(card)["fingerprint"] == shown[trial])


def _check_made(datasets: Datasets, options: ConfigurationOptions) -> None:
    missing = [name for name, dataset in datasets.items() if not dataset.exists()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"there is no {missing[0]}{others} yet. Make it first: {program()} run "
            f"--pipelines=full{options} (with the same --params)"
        )


def _newest(catalog: LongtailCatalog, datasets: Datasets) -> dict[str, File]:
    """The newest version of each dataset that has one, with its checksum."""
    versions = catalog.versions(datasets)
    files = {n: _path(datasets[n], version) for n, version in versions.items()}
    sums = report_lock.checksums(files)
    for file in files.values():
        verified(file)  # its checksum is known by now
    return {n: File(version=version, sha256=sums[n]) for n, version in versions.items()}


def _path(dataset: VersionedDataset, version: str) -> Path:
    """The file of a version, relative to the current folder."""
    return _relative(version_path(dataset, version))


def _relative(path: Path) -> Path:
    return Path(os.path.relpath(path))
