"""The command `kedro prune`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import rich
from kedro.framework.project import settings
from kedro.framework.session import KedroSession

from longtail import tracking
from longtail.commands import references
from longtail.config import GridConfigLoader
from longtail.errors import DataError
from longtail.evaluation.trainings import fingerprints_in
from longtail.layout import CARDS, Layout
from longtail.retention import disk, uses
from longtail.retention.artifacts import Training
from longtail.retention.plan import (
    Decision,
    Plan,
    StoreDecision,
    decide,
    decide_training,
)
from longtail.retention.table import summary, table
from longtail.retention.uses import Use
from longtail.storage.store import TrialStore


@dataclass(frozen=True)
class Task:
    """What is to be pruned, and how.

    Attributes:
        configuration: the folder of the environments, whose locks count.
        layout: where things lie.
        keep: how many of the newest versions of each artifact stay, whatever refers to them.
        ask_mlflow: whether to keep what runs tagged `keep` refer to.
    """

    configuration: Path
    layout: Layout
    keep: int
    ask_mlflow: bool


def prune(
    environment: str | None,
    parameters: Mapping[str, Any],
    keep: int,
    *,
    ask_mlflow: bool,
    agreed: Callable[[str], bool],
) -> None:
    """Show what of the data folder is no longer needed, and remove it if that is agreed to.

    Args:
        environment: whose catalog and data folder.
        parameters: those of the runs; what counts is the data folder.
        keep: see :class:`Task`.
        ask_mlflow: see :class:`Task`.
        agreed: answers a question before anything is removed.

    Raises:
        DataError: if there is no data folder, or it cannot be known what is needed.
        ConfigurationError: if a lock is broken.
    """
    configuration, layout = _opened(environment, parameters)
    task = Task(configuration, layout, keep, ask_mlflow)
    if not layout.data.is_dir():
        raise DataError(
            f"there is no data folder {layout.data}. Name the one of the runs: "
            f"--params=data=/the/folder"
        )
    say = rich.get_console().print
    with _disk_errors_in_one_message():
        with _planned(task) as shown:
            pass
        if shown.is_empty:
            say("\n".join([f"Nothing to remove from {layout.data}", *shown.notes]), markup=False)
            return
        say(table(shown))
        if not agreed(f"Remove {summary(shown)}?"):
            return
        # Minutes may have passed: what has come to be needed meanwhile stays.
        with _planned(task) as now:
            agreed_to = now.only(shown)
            _remove(layout, agreed_to)
    say(f"Removed {summary(agreed_to)}", markup=False)
    if summary(agreed_to) != summary(shown):
        say("The rest has come to be needed meanwhile and stays", markup=False)


def _opened(environment: str | None, parameters: Mapping[str, Any]) -> tuple[Path, Layout]:
    """The folder of the environments, and where things lie."""
    session = KedroSession.create(
        env=environment, runtime_params=dict(parameters), save_on_close=False
    )
    with session:
        context = session.load_context()
        loader = context.config_loader
        assert isinstance(loader, GridConfigLoader)  # the settings name no other kind
        loader.parameters()  # refuses what is misspelt
        project = Path(context.project_path)
        layout = Layout(project, loader.data_folder(), loader["catalog"])
        return project / str(settings.CONF_SOURCE), layout


@contextmanager
def _planned(task: Task) -> Iterator[Plan]:
    """What is to be removed. It holds until the end: no run begins meanwhile."""
    locks = references.read_locks(task.configuration)
    runs = tracking.kept_runs() if task.ask_mlflow else []
    layout = task.layout
    with uses.exclusively(layout.data):
        in_progress = uses.in_progress(layout.data)
        found = disk.scan(layout.data, layout.store, layout.entry_of)
        wanted = references.of_locks(locks, layout)
        wanted += references.of_runs(runs, layout, found.artifacts)
        decisions = [
            decide(artifact, task.keep, wanted, in_progress) for artifact in found.artifacts
        ]
        links = [link for link in found.links if layout.may_hide_cards(link)]
        # Under a run all trainings stay, and a card may be half written.
        named = None if links or in_progress else _named(layout.data, decisions)
        trainings = [
            _decide_training(layout, training, named, running=bool(in_progress))
            for training in found.trainings
        ]
        notes = (*map(_in_progress, in_progress), *map(_not_followed, links))
        yield Plan(decisions, layout.store, trainings, found.leftovers, notes)


def _decide_training(
    layout: Layout, training: Training, named: set[str] | None, *, running: bool
) -> StoreDecision:
    store = TrialStore(layout.data / layout.store)
    with store.claim_if_free(training.fingerprint) as free:
        return decide_training(
            training, named=named, claimed=not free, running=running, now=time.time()
        )


def _named(data: Path, decisions: list[Decision]) -> set[str]:
    """The fingerprints that the cards and tables that stay name."""
    fingerprints: set[str] = set()
    for decision in decisions:
        name = PurePosixPath(decision.artifact.path).name
        if name in CARDS:
            files = [data / decision.artifact.path / version / name for version in decision.kept]
            fingerprints.update(*(fingerprints_in(file) for file in files if file.exists()))
    return fingerprints


def _remove(layout: Layout, plan: Plan) -> None:
    disk.remove(layout.data, plan.versions, plan.leftovers)
    store = TrialStore(layout.data / layout.store)
    for training in plan.removed_trainings:
        with store.claim_if_free(training.fingerprint) as free:
            if free:
                disk.remove(layout.data, [f"{layout.store}/{training.name}"])


def _in_progress(use: Use) -> str:
    return f"Run {use.run_id} is in progress: what it uses stays, and so do all trainings."


def _not_followed(link: str) -> str:
    return f"{link} is a symbolic link, which may hide cards: all finished trainings stay."


@contextmanager
def _disk_errors_in_one_message() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}. What was begun is ended by the next `kedro prune`"
        ) from error
