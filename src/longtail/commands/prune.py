"""The command `kedro prune`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

import rich
from kedro.framework.project import settings

from longtail.commands import references
from longtail.config import ConfigurationOptions
from longtail.context import open_project
from longtail.errors import DataError
from longtail.evaluation.trainings import fingerprints_in
from longtail.project import program
from longtail.retention import uses
from longtail.retention.plan import ItemDecision, Needs, RemovalPlan, decide_stored, decide_versions
from longtail.retention.scan import Stored, Version, remove_stored, remove_version, scan
from longtail.retention.table import summary, table
from longtail.runs import tracking
from longtail.runs.data_layout import CARDS, Layout
from longtail.runs.tracked_runs import KEEP, TRACKED_ELSEWHERE, tracked_runs
from longtail.storage.store import TrainingStore
from longtail.version_names import is_in_future


def prune(
    options: ConfigurationOptions,
    keep: int,
    *,
    ask_mlflow: bool,
    agreed: Callable[[str], bool],
) -> None:
    """Show what in the data folder is no longer needed, and remove it after confirmation.

    Args:
        options: the environment whose catalog is used; of the parameters, only the data folder
            matters.
        keep: how many of the newest versions of each artifact are kept in any case.
        ask_mlflow: whether to keep what runs tagged `keep` refer to.
        agreed: asks the user a question before anything is removed.

    Raises:
        DataError: if the data folder is missing or that of no run, or what is needed cannot be
            determined.
        ConfigurationError: if a lock is invalid.
    """
    configurations, layout = _opened(options)
    planned = partial(_planned, configurations, layout, keep, ask_mlflow=ask_mlflow)
    if not layout.holds_artifacts():  # a lock there would be a file among photographs, say
        missing = (
            "no run has saved anything in" if layout.data.is_dir() else "there is no data folder"
        )
        raise DataError(
            f"{missing} {layout.data}. Give the data folder of the runs: "
            f"--params=data=/path/to/folder"
        )
    say = rich.get_console().print
    with _disk_errors_in_one_message():
        with planned() as shown:
            pass
        if not shown.removed:
            say("\n".join([f"Nothing to remove from {layout.data}", *shown.notes]), markup=False)
            return
        say(table(shown))
        if not agreed(f"Remove {summary(shown)}?"):
            return
        # Minutes may have passed: what is needed by now is kept.
        with planned() as now:
            agreed_to = now.only(shown)
            _remove(layout, agreed_to)
    say(f"Removed {summary(agreed_to)}", markup=False)
    if summary(agreed_to) != summary(shown):
        say("The rest has come into use in the meantime and was kept", markup=False)


def _opened(options: ConfigurationOptions) -> tuple[list[Path], Layout]:
    """The folders of environments, whose locks count, and the paths of the artifacts."""
    with open_project(options) as (_, context):
        loader = context.loader
        loader.parameters()  # refuses misspelt parameters
        project = Path(context.project_path)
        layout = Layout(project, loader.data_folder(), loader["catalog"])
        folders = dict.fromkeys((project / str(settings.CONF_SOURCE), Path(loader.conf_source)))
        return [folder for folder in folders if folder.is_dir()], layout


@contextmanager
def _planned(
    configurations: Sequence[Path], layout: Layout, keep: int, *, ask_mlflow: bool
) -> Iterator[RemovalPlan]:
    """What is to be removed. No run starts until the block is left."""
    locks = references.read_locks(configurations)
    runs = tracked_runs() if ask_mlflow else None
    with uses.exclusively(layout.data):
        in_progress = uses.in_progress(layout.data)
        found = scan(layout.data, layout.store, layout.entry_of)
        tracked = None if runs is None else {run.version for run in runs}
        _refuse_foreign_database(layout.data, found.versions, tracked)
        needs = Needs(
            [
                *references.of_locks(locks, layout),
                *references.of_runs(runs or [], layout, found.versions),
            ],
            in_progress,
            tracked,
        )
        versions = decide_versions(found.versions, keep, needs)
        links = [link for link in found.links if layout.may_hide_cards(link)]
        # During a run all trainings are kept, and a card may be half written.
        named = None if links or in_progress else _named(layout.data, versions)
        stored = _decide_all_stored(layout, found.stored, named, running=bool(in_progress))
        notes = (
            *(
                f"Run {use.version} is in progress: what it uses is kept, and so are all trainings."
                for use in in_progress
            ),
            *(
                f"{link} is a symbolic link, which may hide cards: all finished trainings are kept."
                for link in links
            ),
            *_from_the_future(found.versions),
        )
        yield RemovalPlan([*versions, *stored], notes)


def _decide_all_stored(
    layout: Layout, entries: list[Stored], named: set[str] | None, *, running: bool
) -> list[ItemDecision]:
    store, decisions = TrainingStore(layout.data / layout.store), []
    # Ages end with the last work in the store: a clock set to 2031 makes nothing old.
    now = min(time.time(), max((entry.modified for entry in entries), default=0))
    for entry in entries:
        with store.claim_if_free(entry.fingerprint) as free:
            decisions.append(
                decide_stored(entry, named=named, claimed=not free, running=running, now=now)
            )
    return decisions


def _named(data: Path, decisions: list[ItemDecision]) -> set[str]:
    """The fingerprints that the kept cards and tables name."""
    fingerprints: set[str] = set()
    for decision in decisions:
        name = PurePosixPath(decision.item.path).parent.name
        file = data / decision.item.path / name
        if name in CARDS and decision.reasons and file.exists():
            fingerprints.update(fingerprints_in(file))
    return fingerprints


def _remove(layout: Layout, plan: RemovalPlan) -> None:
    for item in plan.removed:
        if isinstance(item, Stored):
            remove_stored(layout.data / layout.store, item)
        else:
            remove_version(layout.data / item.path)


def _refuse_foreign_database(
    data: Path, versions: list[Version], tracked: Collection[str] | None
) -> None:
    """Refuse to remove anything if MLflow knows no run that has saved a version.

    Raises:
        DataError: naming both places.
    """
    saved = {version.name for version in versions if version.complete}
    if tracked is not None and saved and saved.isdisjoint(tracked):
        raise DataError(
            f"no version in {data} was saved by a run in MLflow at {tracking.shown_uri()}, so the "
            f"runs of this folder are tracked elsewhere, with their tags `{KEEP}`. "
            f"{TRACKED_ELSEWHERE}"
        )


def _from_the_future(versions: list[Version]) -> list[str]:
    future = sorted(filter(is_in_future, {version.name for version in versions}))
    if not future:
        return []
    return [
        f"There are versions from the future, up to {future[-1]}: the clock was wrong when they "
        f"were saved, or is wrong now. The newest of the others are kept as well."
    ]


@contextmanager
def _disk_errors_in_one_message() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}. The next `{program()} prune` completes what was "
            f"begun"
        ) from error
