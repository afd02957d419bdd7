"""Reading of any source."""

from __future__ import annotations

from pathlib import Path

from longtail.errors import DataError
from longtail.parameters import Cifar100Source, Dataset, DigitsSource, FolderSource, Source
from longtail.sources.cifar100 import read_cifar100
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.corrections import correction_tables
from longtail.sources.digits import read_digits
from longtail.sources.folder import read_folder
from longtail.sources.images import Images
from longtail.sources.labels.metadata import find_table
from longtail.sources.listing import find_roots
from longtail.sources.time_and_place import CaptureReader


def check_source(source: Source, dataset: str) -> None:
    """Check that the path of a source that needs one is set and exists.

    Raises:
        DataError: naming the parameter to set.
    """
    key = f"datasets.{dataset}.source.path"
    if not isinstance(source, Cifar100Source | FolderSource):
        return
    if source.path is not None:
        find_roots(source.path, key)
        if isinstance(source, FolderSource):
            for name in ("metadata", "class_names"):
                if (path := getattr(source, name)) is not None:
                    find_table(path, f"datasets.{dataset}.source.{name}")
            if source.corrections is not None:
                correction_tables(source.corrections, f"datasets.{dataset}.source.corrections")
    elif isinstance(source, FolderSource):
        raise DataError(
            f"{key} is not set. Give a folder (or zip file) that holds a folder of images for "
            f"each class:\n  --params={key}=/path/to/folder"
        )


def read_source(
    dataset: Dataset,
    downloads: Path,
    decoded: Path,
    confirmed: ConfirmedStore | None,
    box_margin: float,
    read_captures: CaptureReader | None = None,
) -> Images:
    """Read the source of a data set.

    Args:
        dataset: its parameters: the source, and what is held out of it.
        downloads: the folder of downloaded archives.
        decoded: the folder of decoded images.
        confirmed: where photographs of ``source.corrections`` are copied to.
        box_margin: margin around animals that are cut, see :class:`longtail.sources.box.Box`.
        read_captures: when and where images were taken; None if that is not read.

    Raises:
        DataError: if the source is missing or unusable; the message says what to do.
    """
    source, name = dataset.source, dataset.name
    check_source(source, name)
    if isinstance(source, DigitsSource):
        return read_digits(source.image_size)
    if isinstance(source, Cifar100Source):
        return read_cifar100(source, name, downloads, decoded)
    return read_folder(dataset, source, decoded, confirmed, box_margin, read_captures)
