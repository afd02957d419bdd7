"""Nodes of the ingest stage."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from longtail import sources
from longtail.arrays import UInt8Array
from longtail.imbalance.duplicates import equal_images_note
from longtail.imbalance.unknown import with_unknown
from longtail.naming.synonyms import read_synonyms
from longtail.nomenclature.display_names import images_of_classes
from longtail.parameters import Dataset, FolderSource, Predict
from longtail.records.source_captures import capture_reader
from longtail.sources.box import BOX_MARGIN
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.duplicates.equal_images import first_equal
from longtail.sources.earlier_splits import keep_earlier_split
from longtail.trials.fingerprint import sha256_of_arrays
from longtail.wording import counted

log = logging.getLogger(__name__)


def read_images(
    dataset: Dataset,
    predict: Predict,
    downloads: Path,
    decoded: Path,
    confirmed: Path,
    earlier_splits: Path,
) -> tuple[UInt8Array, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Read a data set's source.

    Args:
        dataset: parameters of the data set.
        predict: parameters of cutting animals by their boxes, and synonyms of names.
        downloads: the folder of downloaded archives.
        decoded: the folder of decoded images.
        confirmed: the folder of photographs that people have named.
        earlier_splits: the folder of the splits of earlier runs, whose test images test again.

    Returns:
        Pixels, index and rejected files as in :class:`longtail.sources.Images`, and a summary
        with the pixels' checksum, by which a trial knows its data. Labels are those of
        :func:`longtail.imbalance.unknown.with_unknown`, and ``classes`` counts the known ones.
    """
    source, store, read_captures = dataset.source, None, None
    if isinstance(source, FolderSource):
        read_captures = capture_reader(source, f"datasets.{dataset.name}.source")
        if source.corrections is not None:
            store = ConfirmedStore(confirmed, read_synonyms(predict.synonyms))
    images = sources.read_source(
        dataset, downloads, decoded, store, predict.box_margin, read_captures
    )
    index = with_unknown(images.index, dataset)
    index = keep_earlier_split(index, dataset, earlier_splits)
    first = first_equal(images.pixels)
    if (first != index["image"]).any():
        index = index.assign(same_as=first)
        log.info("%s: %s", dataset.name, equal_images_note(index))
    count, height, width, _ = images.pixels.shape
    summary = {
        "dataset": dataset.name,
        "source": dataset.source.model_dump(mode="json"),
        "images": count,
        "rejected": len(images.rejected),
        "height": height,
        "width": width,
        "classes": int(index["label"].max()) + 1,
        "sha256": images.sha256 or sha256_of_arrays(images.pixels),
    }
    words = ("file", "files")
    if dataset.cuts_animals:
        summary[BOX_MARGIN] = predict.box_margin
        words = ("photograph or box", "photographs or boxes")
    rejected = counted(len(images.rejected), *words)
    log.info(
        "%s: %s, %s x %s pixels%s",
        dataset.name,
        images_of_classes(index),
        width,
        height,
        f"; {rejected} rejected, see rejected.csv beside index.csv" if len(images.rejected) else "",
    )
    return images.pixels, index, images.rejected, summary
