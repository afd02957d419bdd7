"""Earlier runs, by the versions of what they have made or used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from longtail.catalog import LongtailCatalog
from longtail.errors import DataError
from longtail.parameters import unknown
from longtail.project import program
from longtail.wording import first_names

SHOWN_RUNS = 5
OTHER_RUNS = (
    "For runs of another environment or data folder, add its --env or --params=data=<folder>"
)


@dataclass(frozen=True)
class EarlierRun:
    """A run by the version of what it made.

    A run stores only what has changed. What it found unchanged has the newest version before it.

    Attributes:
        catalog: catalog of the project.
        version: version of all that the run made.
    """

    catalog: LongtailCatalog
    version: str

    def version_of(self, name: str) -> str | None:
        """The version of a dataset that the run has made or used; None if there was none yet."""
        return self.catalog.version_at(name, self.version)

    def load(self, name: str) -> Any:
        """What the run has made or used.

        Raises:
            DataError: if there is no such version, or if it is damaged.
        """
        version = self.version_of(name)
        if version is None:
            raise DataError(f"there is no version of {name} of {self.version} or before")
        return self.catalog.load(name, version)


def check_run(catalog: LongtailCatalog, version: str, names: Iterable[str]) -> None:
    """Refuse a version that no run has saved.

    Raises:
        DataError: naming the newest runs.
    """
    found = _saved_in(catalog, names)
    if version not in found:
        newest = list(first_names(found, SHOWN_RUNS))
        data = catalog.load("params:data")
        none = [f"none of this environment is in the data folder '{data}'"]
        message = unknown(version, newest or none, "run")
        raise DataError(f"{message.rstrip('.')}. {OTHER_RUNS}")


def check_has_results(catalog: LongtailCatalog, version: str, results: Iterable[str]) -> None:
    """Refuse a run that has saved no results, such as one of `--pipelines=ingest`.

    Raises:
        DataError: naming the newest runs with results.
    """
    found = _saved_in(catalog, results)
    if version not in found:
        others = f"Runs with results: {', '.join(first_names(found, SHOWN_RUNS))}"
        raise DataError(
            f"the run {version} has made no results, so there is no report of it. "
            f"{others if found else f'To make some: {program()} run --pipelines=full'}"
        )


def _saved_in(catalog: LongtailCatalog, names: Iterable[str]) -> list[str]:
    """The versions of the runs that have saved any of some datasets, the newest first."""
    return sorted({v for name in names for v in catalog.stored_versions(name)}, reverse=True)
