"""Small photographs that no two of look alike, and folders of them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from longtail.arrays import UInt8Array
from longtail.parameters import (
    Dataset,
    FolderSource,
    Imbalance,
    OfficialTestHoldout,
    RankGroups,
    StepProfile,
    UnknownClasses,
)
from longtail.sources.confirmed_photographs import ConfirmedStore
from longtail.sources.decoding.decode import (
    DEFAULT_LIMITS,
    DecodeLimits,
    decode,
    decode_together,
)
from longtail.sources.files import ImageFileRef
from longtail.sources.folder import read_folder
from longtail.sources.images import Images
from longtail.sources.time_and_place import CaptureReader


def photograph(number: int, size: tuple[int, int] = (24, 24)) -> Image.Image:
    """Noise in large patches, other for each number."""
    patches = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def save(root: Path, name: str, image: Image.Image, **options: Any) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **options)
    return file


def folder_of(root: Path, sizes: dict[str, int], first: int = 0) -> Path:
    """A folder with so many different photographs of each species."""
    number = first
    for species, count in sizes.items():
        for image in range(count):
            save(root, f"{species}/{image:03d}.png", photograph(number))
            number += 1
    return root


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def png(colour: tuple[int, int, int] = (9, 8, 7)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, format="PNG")
    return file.getvalue()


def pixels_of(
    file: ImageFileRef, image_size: int | None, limits: DecodeLimits = DEFAULT_LIMITS
) -> UInt8Array:
    """The pixels of one file; without ``image_size`` of the whole photograph."""
    if image_size is None:
        with file.opened() as content:
            return decode(content, None, limits)[0]
    [(pixels, _)] = decode_together([file], image_size, limits)
    return pixels


def source(path: Path | None, **changes: Any) -> FolderSource:
    text = None if path is None else str(path)
    return FolderSource(kind="folder", path=text, **{"image_size": 24, **changes})


class AnyDataset(Dataset):
    """A data set that may have fewer classes, images and groups than one that is trained on."""

    classes: int
    images: int
    groups_of_class: int

    @property
    def fewest_classes(self) -> int:
        return self.classes

    @property
    def smallest_class(self) -> int:
        return self.images

    @property
    def fewest_groups(self) -> int:
        return self.groups_of_class


def read(
    path: Path,
    decoded: Path,
    smallest: int = 1,
    fewest_groups: int = 1,
    unknown: tuple[str, ...] = (),
    fewest: int = 2,
    confirmed: ConfirmedStore | None = None,
    read_captures: CaptureReader | None = None,
    **changes: Any,
) -> Images:
    given = source(path, **changes)
    dataset = AnyDataset(
        name="moths",
        label="Moths",
        source=given,
        imbalance=Imbalance(
            holdout=OfficialTestHoldout(kind="official_test"),
            profile=StepProfile(kind="step", imbalance_factor=2.0),
            class_order="index",
            groups=RankGroups(kind="thirds"),
            seed=0,
        ),
        unknown=UnknownClasses(classes=unknown) if unknown else None,
        classes=fewest,
        images=smallest,
        groups_of_class=fewest_groups,
    )
    return read_folder(dataset, given, decoded, confirmed, 0.1, read_captures)


def groups(images: Images) -> list[list[str]]:
    """The files of each group of more than one image."""
    by_group = images.index.groupby("group")["file"].apply(list)
    return [files for files in by_group if len(files) > 1]
