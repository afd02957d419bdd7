"""One entry for all sources."""

from __future__ import annotations

from pathlib import Path

from longtail.errors import DataError
from longtail.parameters import Cifar100Source, DigitsSource, FolderSource, Source
from longtail.sources.cifar100 import read_cifar100
from longtail.sources.digits import read_digits
from longtail.sources.files import find_roots
from longtail.sources.folder import read_folder
from longtail.sources.images import Images


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
    elif isinstance(source, FolderSource):
        raise DataError(
            f"{key} is not set. Give a folder (or zip file) that holds a folder of images for "
            f"each class:\n  --params={key}=/path/to/folder"
        )


def read(source: Source, dataset: str, downloads: Path) -> Images:
    """Read a source.

    Args:
        source: which source, and where it is.
        dataset: the data set's name in the parameters, for messages.
        downloads: the folder in which downloaded archives are kept.

    Raises:
        DataError: if the source is missing or unusable; the message says what to do.
    """
    check(source, dataset)
    if isinstance(source, DigitsSource):
        return read_digits(source.image_size)
    if isinstance(source, Cifar100Source):
        return read_cifar100(source, dataset, downloads)
    return read_folder(source, dataset)
