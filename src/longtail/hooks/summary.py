"""The summary at the end of a run."""

from __future__ import annotations

import logging
import time

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.project import program, shown
from longtail.runs.improvement import log_improvement, record_splits
from longtail.runs.observer import current_observer
from longtail.runs.run_files import DOCUMENTS, EXPORTED, made
from longtail.runs.run_trainings import trainings_of_run
from longtail.runs.stages import read_after, stages_after
from longtail.wording import listed

log = logging.getLogger(__name__)

# How the names of the pages end that a person reads first.
PAGES = ("_report", "_names_page")


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
        observer = current_observer.get()
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
            self._log_next(stages, pipeline, catalog)
        elif pages := made(pipeline, catalog, PAGES):
            read = listed(shown(file) for file in pages.values())
            log.info("Next: read %s in a browser; compare runs: %s mlflow", read, program())

    def _log_next(self, stages: list[str], pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        read = read_after(pipeline)
        versions = catalog.versions(read)
        changed = any(versions.get(name) in (None, catalog.run_version) for name in read)
        one = len(stages) == 1
        if changed:
            advice = f"To bring {'it' if one else 'them'} up to date"
        else:
            advice = (
                f"Nothing that {'it reads' if one else 'they read'} has changed in this run. To "
                f"make {'it' if one else 'them'} again"
            )
        command = catalog.load("params:command")
        command = command.replace("--pipelines=full", f"--pipelines={','.join(stages)}", 1)
        log.info("Not made by this run: %s. %s: %s", listed(stages), advice, command)

    @hook_impl
    def on_pipeline_error(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        """Log the documents that were made before the error."""
        self._log(pipeline, catalog)

    def _log(self, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
        if observer := current_observer.get():
            observer.files.update(made(pipeline, catalog, ("",)))  # every name ends with ""
            if observer.quiet:
                return
        for file in made(pipeline, catalog, (*DOCUMENTS, EXPORTED)).values():
            unchanged = "" if file.parent.name == catalog.run_version else " (unchanged)"
            log.info("Made %s%s", shown(file), unchanged)
