"""One entry for all sources."""

from __future__ import annotations

from pathlib import Path

from longtail.parameters import Cifar100Source, DigitsSource, Source
from longtail.sources.cifar100 import read_cifar100
from longtail.sources.digits import read_digits
from longtail.sources.folder import read_folder
from longtail.sources.images import Images


def read(source: Source, dataset: str, downloads: Path) -> Images:
    """Read a source.

    Args:
        source: which source, and where it is.
        dataset: the data set's name in the parameters, for messages.
        downloads: the folder in which downloaded archives are kept.

    Raises:
        DataError: if the source is missing or unusable; the message says what to do.
    """
    if isinstance(source, DigitsSource):
        return read_digits(source.image_size)
    if isinstance(source, Cifar100Source):
        return read_cifar100(source, dataset, downloads)
    return read_folder(source, dataset)
