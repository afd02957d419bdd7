"""The check of the published tables that data sets are held against."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from kedro.io.core import DatasetError
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.parameters import Parameters, unknown
from longtail.published.results import validated

ENTRY = "published_"


def check_published(
    parameters: Parameters,
    pipeline: Pipeline,
    catalog: LongtailCatalog,
    entries: Mapping[str, Any],
) -> None:
    """Refuse a published table that there is not or that cannot be used.

    Args:
        parameters: the current ones.
        pipeline: what is to run; only the tables that it reads are read here.
        catalog: of the run.
        entries: the catalog's configuration, in which tables are named.

    Raises:
        ConfigurationError: naming the key, and the tables that there are.
        DataError: naming the key, the file and what is wrong with it.
    """
    known = _names(entries)
    for dataset in parameters.grid.datasets:
        name, key = parameters.datasets[dataset].published, f"datasets.{dataset}.published"
        if name is None:
            continue
        if name not in known:
            raise ConfigurationError(
                f"{key}: {unknown(name, known, 'table of published results')}. Another one needs "
                f"an entry {ENTRY}<name> in the catalog"
            )
        if ENTRY + name in pipeline.inputs():
            _check_table(ENTRY + name, key, catalog)


def _names(entries: Mapping[str, Any]) -> list[str]:
    """The tables that come with the package, and those that the catalog has entries of."""
    folder = resources.files("longtail").joinpath("reference")
    shipped = {file.name.removesuffix(".csv") for file in folder.iterdir()}
    named = {entry.removeprefix(ENTRY) for entry in entries if entry.startswith(ENTRY)}
    return sorted(shipped | {name for name in named if "{" not in name})


def _check_table(entry: str, key: str, catalog: LongtailCatalog) -> None:
    place = getattr(catalog[entry], "_filepath", entry)
    try:
        validated(catalog.load(entry))
    except DatasetError as error:
        reason = str(error).splitlines()[-1]  # the system's own, below Kedro's
        raise DataError(f"{key}: {place} cannot be read: {reason}") from None
    except DataError as error:
        raise DataError(f"{key}: {place}: {error}") from None
