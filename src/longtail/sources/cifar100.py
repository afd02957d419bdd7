"""CIFAR-100 (Krizhevsky 2009): 50,000 training and 10,000 test images of 100 classes."""

from __future__ import annotations

import hashlib
import http.client
import io
import logging
import os
import pickle
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from longtail.errors import DataError
from longtail.parameters import Cifar100Source
from longtail.progress import progress_bar
from longtail.sources.folder import read_labelled_files
from longtail.sources.images import Images, index_of, rejected_table
from longtail.sources.listing import find_image_files

IMAGE_SIZE = Cifar100Source.image_size
SPLITS = ("train", "test")
TIMEOUT_S = 60
CHUNK_BYTES = 1 << 20

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
    path = Path(source.path).expanduser()
    if path.is_file() and tarfile.is_tarfile(path):
        _verify(path, source.md5, f"{key}.md5")
        return _read_archive(path)
    return _read_tree(source.path, dataset, decoded)


def _read_tree(path: str, dataset: str, decoded: Path) -> Images:
    """Read ``{train,test}/<class>/*`` from a folder or from zip files."""
    key = f"datasets.{dataset}.source.path"
    files = find_image_files(path, key)
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
    classes, splits = [file.parts[1] for file in files], [file.parts[0] for file in files]
    images = read_labelled_files(files, classes, splits, IMAGE_SIZE, path, dataset, decoded)
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
            raise DataError(f"the archive's pickle asks for {module_name}.{global_name}: refused")
        return super().find_class(module_name, global_name)


def _read_archive(path: Path) -> Images:
    """Read the official ``cifar-100-python.tar.gz`` without unpacking it."""
    with tarfile.open(path) as archive:
        meta = _member(archive, "meta", path)
        parts = {split: _member(archive, split, path) for split in SPLITS}
    class_names = _texts(meta["fine_label_names"])
    pixels, files, labels, splits = [], [], [], []
    for split, part in parts.items():
        part_labels = np.asarray(part["fine_labels"])
        stems = [PurePosixPath(name).stem for name in _texts(part["filenames"])]
        order = sorted(range(len(stems)), key=lambda i: (part_labels[i], stems[i]))
        planes = part["data"].reshape(-1, 3, IMAGE_SIZE, IMAGE_SIZE)
        pixels.append(planes[order].transpose(0, 2, 3, 1))
        labels += [int(part_labels[i]) for i in order]
        files += [f"{split}/{class_names[part_labels[i]]}/{stems[i]}" for i in order]
        splits += [split] * len(order)
    index = index_of(files, labels, class_names, splits)
    return Images(np.ascontiguousarray(np.concatenate(pixels)), index, rejected_table())


def _texts(names: list[bytes | str]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _member(archive: tarfile.TarFile, name: str, path: Path) -> dict[str, Any]:
    for member in archive.getmembers():
        if member.isfile() and PurePosixPath(member.name).name == name:
            content = archive.extractfile(member)
            assert content is not None  # a regular file always has content
            loaded = _ArraysOnly(io.BytesIO(content.read()), encoding="bytes").load()
            # Python 2 wrote the archive: its keys and names come as bytes.
            return {k.decode() if isinstance(k, bytes) else k: v for k, v in loaded.items()}
    raise DataError(f"'{path}' holds no file '{name}': it is not CIFAR-100's official archive")


def _verify(path: Path, md5: str, key: str) -> None:
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if actual != md5:
        raise DataError(
            f"'{path}' has the MD5 {actual}, but {key} is {md5}: it is incomplete or another "
            f"file. Delete it and download it again."
        )


def _download(source: Cifar100Source, dataset: str, downloads: Path) -> Path:
    """The archive in ``downloads``; it gets its name only once whole and verified."""
    archive = downloads / PurePosixPath(source.url).name
    if archive.exists():
        _verify(archive, source.md5, f"datasets.{dataset}.source.md5")
        return archive
    downloads.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f"{archive.name}.{os.getpid()}.part")
    log.info("Downloading %s", source.url)
    try:
        with urllib.request.urlopen(source.url, timeout=TIMEOUT_S) as response:
            size = int(response.headers.get("Content-Length") or 0)
            bar = progress_bar(f"Downloading {archive.name}", size)
            with partial.open("wb") as file, bar as advance:
                while chunk := response.read(CHUNK_BYTES):
                    file.write(chunk)
                    advance(len(chunk))
        _verify(partial, source.md5, f"datasets.{dataset}.source.md5")
        shutil.move(partial, archive)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"CIFAR-100 could not be downloaded from {source.url} ({reason}).\n"
            f"Connect to the network and run again, or give the path of the archive "
            f"{archive.name} or of a folder that holds {{train,test}}/<class>/<image>:\n"
            f"  --params=datasets.{dataset}.source.path=/path/to/it"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return archive
