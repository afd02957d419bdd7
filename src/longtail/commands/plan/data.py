"""The images, splits and pretrained weights that a run would have. Nothing is written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline

from longtail.catalog import LongtailCatalog
from longtail.parameters import Backbone, Cifar100Source, Dataset, FolderSource, Trial
from longtail.pipelines.imbalance.nodes import cut_subsets
from longtail.pipelines.ingest.nodes import read_images
from longtail.runs.run_files import path_of
from longtail.sources.cache.image_cache import NotDecodedError, only_decoded
from longtail.sources.cache.journal import DamagedJournalError, Journal
from longtail.sources.cifar100 import ARCHIVE, IMAGE_SIZE, SPLITS
from longtail.sources.images import index_of
from longtail.trials.training_job import Split

# What stands for the checksum of images or weights that are not known yet.
UNKNOWN_SHA256 = "unknown"
CIFAR100_CLASSES = 100
CIFAR100_IMAGES_PER_CLASS = {"train": 500, "test": 100}


class NotReadError(Exception):
    """A run would decode images first; the message says how many."""


@dataclass(frozen=True)
class PlannedData:
    """The data of a run's trials.

    Attributes:
        index: one row per image.
        subsets: one row per image and subset.
        source: the summary of the source: classes, height, width, and the checksum of the pixels,
            ``UNKNOWN_SHA256`` if they are not read yet.
    """

    index: pd.DataFrame
    subsets: pd.DataFrame
    source: dict[str, Any]

    def split(self, trial: Trial) -> Split:
        """The images that a trial trains and validates on."""
        labels = self.index["label"].to_numpy()
        return Split.of_trial(trial, labels, self.subsets, self.source["classes"])

    @property
    def is_read(self) -> bool:
        """Whether the pixels are known."""
        return bool(self.source["sha256"] != UNKNOWN_SHA256)


def planned_data(dataset: Dataset, pipeline: Pipeline, catalog: LongtailCatalog) -> PlannedData:
    """The data of a data set's trials: made by the run, or stored by an earlier one.

    Raises:
        NotReadError: if the run would read images that nobody has read yet.
        DataError: if the source cannot be used.
    """
    made, name = pipeline.all_outputs(), dataset.name
    if f"{name}_images" in made:
        index, source = _read(dataset, catalog)
    else:
        index, source = catalog.load(f"{name}_index"), catalog.load(f"{name}_source")
    if f"{name}_subsets" in made:
        subsets, _ = cut_subsets(index, dataset)
    else:
        subsets = catalog.load(f"{name}_subsets")
    return PlannedData(index, subsets, source)


def data_of_last_run(dataset: Dataset, catalog: LongtailCatalog) -> PlannedData | None:
    """What the last run has stored of a data set; None if there was none."""
    names = [f"{dataset.name}_{table}" for table in ("index", "subsets", "source")]
    if set(names) - set(catalog.versions(names)):
        return None
    return PlannedData(*map(catalog.load, names))


def weights_sha256(backbone: Backbone, pipeline: Pipeline, catalog: LongtailCatalog) -> str | None:
    """The checksum of a backbone's pretrained weights; None if it has none.

    ``UNKNOWN_SHA256`` if the run would download them.
    """
    if not backbone.pretrained:
        return None
    if f"{backbone.name}_weights_sha256" not in pipeline.all_outputs():
        return str(catalog.load(f"{backbone.name}_weights_sha256"))
    from longtail.learning.backbones.pretrained import is_local
    from longtail.pipelines.train.nodes import fetch_weights

    return fetch_weights(backbone)[1] if is_local(backbone) else UNKNOWN_SHA256


def _read(dataset: Dataset, catalog: LongtailCatalog) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The index and the summary of a source whose images are decoded already."""
    downloads = path_of(catalog, "downloads")
    source = dataset.source
    is_download = isinstance(source, Cifar100Source) and source.path is None
    if is_download and not (downloads / ARCHIVE).is_file():
        return _unread_cifar100()
    if isinstance(source, FolderSource) and source.corrections is not None:
        raise NotReadError("its corrections would be read first, which stores photographs")
    with _copied_cache(path_of(catalog, "decoded"), dataset.name) as decoded:
        try:
            with only_decoded():
                _, index, _, summary = read_images(
                    *(dataset, catalog.parameters().predict, downloads, decoded),
                    confirmed=decoded,
                    earlier_splits=path_of(catalog, "earlier_splits"),
                )
        except NotDecodedError as error:
            raise NotReadError(f"{error} and would be decoded first") from None
    return index, summary


def _unread_cifar100() -> tuple[pd.DataFrame, dict[str, Any]]:
    """An index like that of CIFAR-100, with as many images of each class."""
    files, labels, splits = [], [], []
    for split in SPLITS:
        for label in range(CIFAR100_CLASSES):
            count = CIFAR100_IMAGES_PER_CLASS[split]
            files += [f"{split}/{label:02}/{number:03}" for number in range(count)]
            labels += [label] * count
            splits += [split] * count
    names = [f"{label:02}" for label in range(CIFAR100_CLASSES)]
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE, "images": len(files)}
    summary = {**size, "classes": CIFAR100_CLASSES, "sha256": UNKNOWN_SHA256}
    return index_of(files, labels, names, splits), summary


@contextmanager
def _copied_cache(decoded: Path, dataset: str) -> Iterator[Path]:
    """A copy of a data set's decoded images, whose pixels are links, since a reader writes."""
    with tempfile.TemporaryDirectory() as folder:
        for cache in sorted(decoded.glob(f"{dataset}-*")):
            copy = Path(folder) / cache.name
            copy.mkdir()
            for file in (cache / "journal.sqlite", cache / "counter", cache / "in-hand"):
                if file.is_file():
                    shutil.copyfile(file, copy / file.name)
            for number, segment in _segments(copy / "journal.sqlite").items():
                file = cache / f"segment-{number}.npy"
                if file.is_file() and segment is None:  # it would be completed
                    shutil.copyfile(file, copy / file.name)
                elif file.is_file():
                    (copy / file.name).symlink_to(file.resolve())
        yield Path(folder)


def _segments(journal: Path) -> dict[int, str | None]:
    """The stamps of the segments in a journal; none if it cannot be used."""
    if not journal.is_file():
        return {}
    try:
        with closing(Journal(journal)) as opened:
            return {number: segment.stamp for number, segment in opened.segments().items()}
    except DamagedJournalError:
        return {}
