"""Folders of images, one folder a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from longtail.errors import DataError
from longtail.parameters import FolderSource
from longtail.sources.files import ImageFileRef, decode_all, find_image_files
from longtail.sources.images import REJECTED_COLUMNS, Images, index_of


def read_folder(source: FolderSource, dataset: str) -> Images:
    """Read ``<class>/**/<file>`` below ``source.path``; the classes are sorted by name.

    Raises:
        DataError: if no path is given, nothing is there, or a class has no usable image.
    """
    key = f"datasets.{dataset}.source.path"
    assert source.path is not None  # checked by `sources.check`
    files = find_image_files(source.path, key)
    loose = [file.name for file in files if len(file.parts) < 2]
    if loose:
        raise DataError(
            f"{key}: '{source.path}' must hold a folder a class, but '{loose[0]}' "
            f"({len(loose)} such) lies in no class folder"
        )
    classes = [file.parts[0] for file in files]
    return assemble(files, classes, [""] * len(files), source.image_size, source.path, key)


def assemble(
    files: Sequence[ImageFileRef],
    classes: Sequence[str],
    splits: Sequence[str],
    image_size: int,
    path: str,
    key: str,
) -> Images:
    """Decode files of known class and split into one array and its index.

    Files that cannot be used are listed in ``rejected`` with the reason.

    Raises:
        DataError: if there are fewer than two classes, or a class has no usable image.
    """
    class_names = sorted(set(classes))
    if len(class_names) < 2:
        raise DataError(f"{key}: '{path}' holds one class only, '{class_names[0]}'")
    label_of = {name: label for label, name in enumerate(class_names)}
    pixels = np.empty((len(files), image_size, image_size, 3), dtype=np.uint8)
    kept: list[int] = []
    rejected: list[tuple[str, str]] = []
    decoded = decode_all(list(files), image_size, f"Reading {path}")
    for position, (file, result) in enumerate(decoded):
        if isinstance(result, str):
            rejected.append((file.name, result))
        else:
            pixels[len(kept)] = result
            kept.append(position)
    index = index_of(
        [files[k].name for k in kept],
        [label_of[classes[k]] for k in kept],
        class_names,
        [splits[k] for k in kept],
    )
    empty = sorted(set(class_names) - set(index["class_name"]))
    if empty:
        reasons = pd.DataFrame(rejected, columns=REJECTED_COLUMNS)
        example = reasons.iloc[0]
        raise DataError(
            f"{key}: no usable image is left of {len(empty)} class(es), such as '{empty[0]}'. "
            f"{len(rejected)} file(s) were rejected, such as {example.file}: {example.reason}"
        )
    return Images(pixels[: len(kept)], index, pd.DataFrame(rejected, columns=REJECTED_COLUMNS))
