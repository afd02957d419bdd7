"""The check of the published tables that results are compared with."""

from __future__ import annotations

from importlib import resources

from kedro.io.core import DatasetError
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import ConfigurationError, DataError
from longtail.kedro_internals import path_of
from longtail.parameters import Parameters, unknown
from longtail.published.results import validated
from longtail.runs.run_files import ENTRY


def check_published(parameters: Parameters, pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse a published table that is unknown or invalid.

    Raises:
        ConfigurationError: naming the key and the known tables.
        DataError: naming the key, the file and what is wrong with it.
    """
    known = _names(catalog)
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


def _names(catalog: LongtailCatalog) -> list[str]:
    """The tables that come with the package, and those with entries in the catalog."""
    folder = resources.files("longtail").joinpath("reference")
    shipped = {file.name.removesuffix(".csv") for file in folder.iterdir()}
    entries = catalog.config_resolver.config
    return sorted(shipped | {e.removeprefix(ENTRY) for e in entries if e.startswith(ENTRY)})


def _check_table(entry: str, key: str, catalog: LongtailCatalog) -> None:
    file = path_of(catalog[entry])
    try:
        # An entry of the user's own need not have the schema as its validator.
        validated(catalog.load(entry), str(file))
    except DatasetError as error:
        reason = str(error).splitlines()[-1]  # that of the system, below Kedro's
        where = "" if reason.startswith(str(file)) else f"{file} cannot be read: "
        raise DataError(f"{key}: {where}{reason}") from None
    except DataError as error:
        raise DataError(f"{key}: {error}") from None
