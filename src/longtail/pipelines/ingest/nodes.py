"""Nodes of the ingest stage."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from longtail import sources
from longtail.fingerprint import sha256_of_arrays
from longtail.parameters import Dataset

log = logging.getLogger(__name__)


def read_images(
    dataset: Dataset, downloads: Path, decoded: Path
) -> tuple[npt.NDArray[np.uint8], pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Read a data set's source.

    Returns:
        Pixels, index and rejected files as in :class:`longtail.sources.Images`, and a summary
        with the pixels' checksum, by which a trial knows its data.
    """
    images = sources.read(dataset, downloads, decoded)
    count, height, width, _ = images.pixels.shape
    summary = {
        "dataset": dataset.name,
        "source": dataset.source.model_dump(mode="json"),
        "images": count,
        "rejected": len(images.rejected),
        "height": height,
        "width": width,
        "classes": int(images.index["label"].nunique()),
        "sha256": images.sha256 or sha256_of_arrays(images.pixels),
    }
    log.info(
        "%s: %s images of %s classes, %s x %s pixels%s",
        dataset.name,
        f"{count:,}",
        summary["classes"],
        width,
        height,
        f"; {len(images.rejected):,} files rejected, see rejected.csv beside index.csv"
        if len(images.rejected)
        else "",
    )
    return images.pixels, images.index, images.rejected, summary
