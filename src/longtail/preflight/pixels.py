"""The check of images that earlier runs have ingested."""

from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.errors import DataError
from longtail.kedro_internals import load_path
from longtail.project import program
from longtail.storage.files import matches_checksum
from longtail.trials.fingerprint import sha256_of_arrays


def check_pixels(datasets: Iterable[str], pipeline: Pipeline, catalog: LongtailCatalog) -> None:
    """Refuse images whose checksum has changed since they were ingested.

    A training would use other images than its fingerprint says. Images that the run makes itself
    are not checked.

    Raises:
        DataError: naming the file and what to do.
    """
    read = pipeline.inputs()
    for name in datasets:
        images, source = f"{name}_images", f"{name}_source"
        if images not in read or not (catalog.exists(images) and catalog.exists(source)):
            continue
        if not _are_whole(images, source, catalog):
            version = catalog.versions([images])[images]
            raise DataError(
                f"{images} (version {version}) has changed since it was ingested: its checksum is "
                f"not the one in {source}. Make it again: {program()} run --pipelines=ingest, "
                f"with the same --env and --params"
            )


def _are_whole(images: str, source: str, catalog: LongtailCatalog) -> bool:
    """Whether images are as they were saved, and those of their source."""
    versions = catalog.versions([images, source])
    file = load_path(catalog.versioned([images])[images])
    if not matches_checksum(file):
        return False
    # What one run has saved belongs together: the pixels need not be read a second time.
    if versions[images] == versions[source]:
        return True
    return bool(sha256_of_arrays(catalog.load(images)) == catalog.load(source)["sha256"])
