"""CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test images of 100 classes."""

from __future__ import annotations

import io
import logging
import pickle
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from longtail.errors import DataError
from longtail.parameters import Cifar100Source
from longtail.project import located
from longtail.sources.download import DownloadError, download, md5_of
from longtail.sources.folder import read_labelled_files
from longtail.sources.images import Images, index_of, rejected_table
from longtail.sources.labels.metadata import Entry
from longtail.sources.listing import list_images
from longtail.storage.write_errors import write_errors_explained

IMAGE_SIZE = Cifar100Source.image_size
SPLITS = ("train", "test")
ARCHIVE = "cifar-100-python.tar.gz"
# The largest file of the official archive has 155 MB.
MAX_ARCHIVE_MEMBER_BYTES = 1 << 30

log = logging.getLogger(__name__)


def read_cifar100(source: Cifar100Source, dataset: str, downloads: Path, decoded: Path) -> Images:
    """Read CIFAR-100 from ``source.path``, or download the official archive.

    Images are sorted by split, class and file name, so that the archive and a folder of the
    same images give the same index, and a seed the same subsets.

    Raises:
        DataError: if it is not there, its checksum is wrong, or it cannot be downloaded.
    """
    key = f"datasets.{dataset}.source"
    if source.path is None:
        return _read_archive(_download(source, dataset, downloads))
    path = located(source.path)
    if path.is_file() and tarfile.is_tarfile(path):
        _verify(path, source.md5, f"{key}.md5")
        return _read_archive(path)
    return _read_tree(source.path, dataset, decoded)


def _read_tree(path: str, dataset: str, decoded: Path) -> Images:
    """Read ``{train,test}/<class>/*`` from a folder or from zip files."""
    key = f"datasets.{dataset}.source.path"
    files = list_images(path, key).files
    wrong = [file.name for file in files if len(file.parts) != 3 or file.parts[0] not in SPLITS]
    missing = [split for split in SPLITS if not any(file.parts[0] == split for file in files)]
    if wrong or missing:
        found = f"'{wrong[0]}' is not of that form" if wrong else f"there is no '{missing[0]}'"
        raise DataError(
            f"{key}: '{path}' must hold {{train,test}}/<class>/<image>, but {found}. "
            f"The official archive, cifar-100-python.tar.gz, will do too."
        )
    # Official order is train before test; the sort of names would put test first.
    files.sort(key=lambda file: (SPLITS.index(file.parts[0]), *file.parts[1:]))
    entries = [Entry(file, species=file.parts[1], split=file.parts[0]) for file in files]
    images = read_labelled_files(entries, IMAGE_SIZE, path, dataset, decoded)
    stems = images.index["file"].map(lambda name: str(PurePosixPath(name).with_suffix("")))
    return Images(images.pixels, images.index.assign(file=stems), images.rejected, images.sha256)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles the archive's dictionaries of arrays, and refuses to run any other code."""

    ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in self.ALLOWED:
            raise ValueError(f"its pickle asks for {module_name}.{global_name}: refused")
        return super().find_class(module_name, global_name)


def _read_archive(path: Path) -> Images:
    """Read the official ``cifar-100-python.tar.gz`` without unpacking it."""
    try:
        with tarfile.open(path) as archive:
            class_names = _texts(_member(archive, "meta")["fine_label_names"])
            parts = {split: _member(archive, split) for split in SPLITS}
        return _images_of(parts, class_names)
    # A damaged archive or pickle raises anything: ReadError, EOFError, zlib.error, MemoryError.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"it lacks {reason}"
        raise DataError(
            f"'{path}' cannot be read as CIFAR-100's official archive: {reason}"
        ) from error


def _images_of(parts: Mapping[str, Mapping[str, Any]], class_names: list[str]) -> Images:
    pixels, files, labels, splits = [], [], [], []
    for split, part in parts.items():
        part_labels = np.asarray(part["fine_labels"])
        stems = [PurePosixPath(name).stem for name in _texts(part["filenames"])]
        planes = np.asarray(part["data"]).reshape(-1, 3, IMAGE_SIZE, IMAGE_SIZE)
        if planes.dtype != np.uint8 or not len(planes) == len(part_labels) == len(stems):
            raise ValueError(f"its '{split}' does not have as many images as labels and names")
        if not set(part_labels) <= set(range(len(class_names))):
            raise ValueError(f"its '{split}' has labels that are not in 'meta'")
        order = sorted(range(len(stems)), key=lambda i: (part_labels[i], stems[i]))
        pixels.append(planes[order].transpose(0, 2, 3, 1))
        labels += [int(part_labels[i]) for i in order]
        files += [f"{split}/{class_names[part_labels[i]]}/{stems[i]}" for i in order]
        splits += [split] * len(order)
    index = index_of(files, labels, class_names, splits)
    return Images(np.ascontiguousarray(np.concatenate(pixels)), index, rejected_table())


def _texts(names: Iterable[bytes | str]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _member(archive: tarfile.TarFile, name: str) -> dict[str, Any]:
    for member in archive.getmembers():
        if member.isfile() and PurePosixPath(member.name).name == name:
            if member.size > MAX_ARCHIVE_MEMBER_BYTES:
                raise ValueError(f"its '{name}' has {member.size:,} bytes")
            content = archive.extractfile(member)
            assert content is not None  # a regular file always has content
            loaded = _ArraysOnly(io.BytesIO(content.read()), encoding="bytes").load()
            # Python 2 wrote the archive: its keys and names come as bytes.
            return {k.decode() if isinstance(k, bytes) else k: v for k, v in loaded.items()}
    raise ValueError(f"it holds no file '{name}'")


def _verify(path: Path, md5: str, key: str) -> None:
    if (actual := md5_of(path)) != md5:
        raise DataError(
            f"'{path}' has the MD5 {actual}, but {key} is {md5}: it is incomplete or another "
            f"file. Delete it and download it again."
        )


def _download(source: Cifar100Source, dataset: str, downloads: Path) -> Path:
    """The archive in ``downloads``; it gets its name only once whole and verified."""
    archive = downloads / ARCHIVE
    key = f"datasets.{dataset}.source"
    if archive.exists():
        _verify(archive, source.md5, f"{key}.md5")
        return archive
    log.info("Downloading %s", source.url)
    try:
        with write_errors_explained(archive):
            downloads.mkdir(parents=True, exist_ok=True)
            download(source.url, archive, source.md5)
    except DownloadError as error:
        raise DataError(
            f"CIFAR-100 could not be downloaded from {source.url}: {error}.\n"
            f"Connect to the network and run again, or give the path of the archive "
            f"{ARCHIVE} or of a folder that holds {{train,test}}/<class>/<image>:\n"
            f"  --params={key}.path=/path/to/it"
        ) from error
    return archive
