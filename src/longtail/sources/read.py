"""One entry for all sources."""

from __future__ import annotations

from pathlib import Path

from longtail.errors import DataError
from longtail.parameters import Cifar100Source, Dataset, DigitsSource, FolderSource, Source
from longtail.sources.cifar100 import read_cifar100
from longtail.sources.digits import read_digits
from longtail.sources.folder import read_folder
from longtail.sources.images import Images
from longtail.sources.listing import find_roots
from longtail.sources.metadata import find_metadata


def check(source: Source, dataset: str) -> None:
    """Say at once that a path is not set or that nothing is there.

    Raises:
        DataError: with the parameter to set.
    """
    if isinstance(source, DigitsSource):
        return
    key = f"datasets.{dataset}.source.path"
    if source.path is not None:
        find_roots(source.path, key)
        if isinstance(source, FolderSource) and source.metadata is not None:
            find_metadata(source.metadata, f"datasets.{dataset}.source.metadata")
    elif isinstance(source, FolderSource):
        raise DataError(
            f"{key} is not set. Give a folder (or zip file) that holds a folder of images for "
            f"each class:\n  --params={key}=/path/to/folder"
        )


def read(dataset: Dataset, downloads: Path, decoded: Path) -> Images:
    """Read a data set's source.

    Args:
        dataset: which source, where it is, and what is to be held out of it.
        downloads: the folder in which downloaded archives are kept.
        decoded: the folder in which decoded images are kept.

    Raises:
        DataError: if the source is missing or unusable; the message says what to do.
    """
    source, name = dataset.source, dataset.name
    check(source, name)
    if isinstance(source, DigitsSource):
        return read_digits(source.image_size)
    if isinstance(source, Cifar100Source):
        return read_cifar100(source, name, downloads, decoded)
    return read_folder(source, name, decoded, dataset.smallest_class, dataset.fewest_groups)
