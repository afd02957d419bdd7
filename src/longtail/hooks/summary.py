"""The summary at the end of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.hooks.improvement import log_improvement, record_splits
from longtail.hooks.run_files import DOCUMENTS, EXPORTED, made
from longtail.hooks.run_trainings import trainings_of_run
from longtail.project import shown
from longtail.wording import listed

log = logging.getLogger(__name__)

# How the names of the pages end that a person reads first.
PAGES = ("_report", "_names_page")
# The stages of the pipeline `full`, in order.
STAGES = ("ingest", "imbalance", "train", "report")


@dataclass(frozen=True)
class Observer:
    """The files of a run that another command, such as `kedro lock`, has started.

    Attributes:
        quiet: whether the documents are not to be logged, because they are only compared.
        files: the files that the run has made, by data set, once it has ended.
    """

    quiet: bool
    files: dict[str, Path] = field(default_factory=dict)


_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observed(*, quiet: bool) -> Iterator[dict[str, Path]]:
    """Follow the run in this context: see :class:`Observer`, whose files it yields."""
    observer = Observer(quiet)
    token = _observer.set(observer)
    try:
        yield observer.files
    finally:
        _observer.reset(token)


class SummaryHook:
    """Logs what a run has trained and made, what is older than that, and what comes next."""

    def __init__(self) -> None:
        self._began = time.time()

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Note when the run began: Kedro has one hook per process."""
        self._began = time.time()

    @hook_impl(trylast=True)  # what comes next is said when nothing more is done
    def after_pipeline_run(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        """Log the trainings, the documents, what new images have brought, and what comes next."""
        observer = _observer.get()
        trainings = trainings_of_run(pipeline, catalog, self._began)
        if trainings is not None and observer is None:
            log.info("%s", trainings)
        self._log(pipeline, catalog)
        if observer is None or not observer.quiet:
            log_improvement(pipeline, catalog)
            record_splits(pipeline, catalog)
        if observer is not None:
            return
        if stages := stages_after(pipeline):
            command = catalog.load("params:command")
            log.info(
                "Not made by this run: %s. To bring %s up to date: %s",
                listed(stages),
                "it" if len(stages) == 1 else "them",
                command.replace("--pipelines=full", f"--pipelines={','.join(stages)}", 1),
            )
        elif pages := made(pipeline, catalog, PAGES):
            read = listed(shown(file) for file in pages.values())
            log.info("Next: read %s in a browser; compare runs: kedro mlflow", read)

    @hook_impl
    def on_pipeline_error(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        """Log the documents that were made before the error."""
        self._log(pipeline, catalog)

    def _log(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        if observer := _observer.get():
            observer.files.update(made(pipeline, catalog, ("",)))  # every name ends with ""
            if observer.quiet:
                return
        for file in made(pipeline, catalog, (*DOCUMENTS, EXPORTED)).values():
            unchanged = "" if file.parent.name == catalog.run_version else " (unchanged)"
            log.info("Made %s%s", shown(file), unchanged)


def stages_after(pipeline: Pipeline) -> list[str]:
    """The stages with nodes that a run has left out although it has made their inputs.

    Args:
        pipeline: the pipeline of the run, a part of the registered ones.
    """
    full, ran = pipelines["full"], {node.name for node in pipeline.nodes}
    made_inputs = pipeline.all_outputs() & {name for node in full.nodes for name in node.inputs}
    if len(ran) == len(full.nodes) or not made_inputs:
        return []
    left_out = {node.name for node in full.from_inputs(*made_inputs).nodes} - ran
    return [
        stage for stage in STAGES if any(node.name in left_out for node in pipelines[stage].nodes)
    ]
