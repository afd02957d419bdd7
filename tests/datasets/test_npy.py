from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError, Version

from longtail.datasets.npy import NpyDataset

ARRAY = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 3), dtype=np.uint8)


def versioned(path: Path, load: str | None = None, save: str | None = None) -> NpyDataset:
    return NpyDataset(filepath=str(path), version=Version(load, save))


@pytest.mark.parametrize("array", [ARRAY, np.arange(5.0), np.zeros((0, 2), dtype=np.int64)])
def test_array_comes_back_with_type_and_shape(array: Any, tmp_path: Path) -> None:
    dataset = NpyDataset(filepath=str(tmp_path / "new" / "images.npy"))
    dataset.save(array)
    loaded = dataset.load()
    assert loaded.dtype == array.dtype
    assert np.array_equal(loaded, array)


def test_array_is_mapped_not_read(tmp_path: Path) -> None:
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(ARRAY)
    loaded = dataset.load()
    assert isinstance(loaded, np.memmap)
    assert not loaded.flags.writeable


def test_versions_are_kept_apart_and_the_newest_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    versioned(path, save="2020-01-01T00.00.00.000Z").save(ARRAY)
    versioned(path, save="2021-01-01T00.00.00.000Z").save(ARRAY + 1)
    assert np.array_equal(versioned(path).load(), ARRAY + 1)
    assert np.array_equal(versioned(path, load="2020-01-01T00.00.00.000Z").load(), ARRAY)
    assert (path / "2020-01-01T00.00.00.000Z" / "images.npy").is_file()


def test_versions_are_found_in_a_folder_whose_name_holds_brackets(tmp_path: Path) -> None:
    path = tmp_path / "data [1]" / "images.npy"
    versioned(path, save="2020-01-01T00.00.00.000Z").save(ARRAY)
    assert np.array_equal(versioned(path).load(), ARRAY)


def test_version_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    dataset = versioned(tmp_path / "images.npy", save="2020-01-01T00.00.00.000Z")
    dataset.save(ARRAY)
    with pytest.raises(DatasetError, match="must not exist"):
        dataset.save(ARRAY + 1)
    assert np.array_equal(versioned(tmp_path / "images.npy").load(), ARRAY)


def test_existence_is_that_of_the_file(tmp_path: Path) -> None:
    dataset = versioned(tmp_path / "images.npy")
    assert not dataset.exists()
    dataset.save(ARRAY)
    assert versioned(tmp_path / "images.npy").exists()


def test_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(ARRAY)

    def half(file: Any, *_: Any, **__: Any) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", half)
        with pytest.raises(DatasetError, match="no space left"):
            dataset.save(ARRAY + 1)
    assert np.array_equal(dataset.load(), ARRAY)
    assert [file.name for file in tmp_path.iterdir()] == ["images.npy"]


def test_loaded_array_outlives_its_replacement(tmp_path: Path) -> None:
    """A node may still read what another run replaces."""
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(ARRAY)
    loaded = dataset.load()
    dataset.save(ARRAY + 1)
    assert np.array_equal(loaded, ARRAY)
    assert np.array_equal(dataset.load(), ARRAY + 1)


def test_objects_are_neither_saved_nor_loaded(tmp_path: Path) -> None:
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(DatasetError, match="Object arrays cannot be saved"):
        dataset.save(objects)
    np.save(tmp_path / "images.npy", objects, allow_pickle=True)
    with pytest.raises(DatasetError):
        dataset.load()


def test_array_of_a_whole_file_is_linked_not_written(tmp_path: Path) -> None:
    np.save(tmp_path / "made.npy", ARRAY)
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(np.load(tmp_path / "made.npy", mmap_mode="r"))
    assert (tmp_path / "images.npy").samefile(tmp_path / "made.npy")
    assert np.array_equal(dataset.load(), ARRAY)


@pytest.mark.parametrize("kind", ["part", "reversed", "other type", "copy on write", "removed"])
def test_other_arrays_of_a_file_are_written(kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "made.npy", ARRAY)
    mapped = np.load(tmp_path / "made.npy", mmap_mode="c" if kind == "copy on write" else "r")
    given = {
        "part": mapped[1:],
        "reversed": mapped[::-1],
        "other type": mapped.view(np.int8),
        "copy on write": mapped,
        "removed": mapped,
    }[kind]
    if kind == "removed":
        (tmp_path / "made.npy").unlink()
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(given)
    assert (tmp_path / "images.npy").stat().st_nlink == 1
    assert np.array_equal(dataset.load(), given)


def test_file_on_a_disk_without_links_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "made.npy", ARRAY)

    def refused(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refused)
    dataset = NpyDataset(filepath=str(tmp_path / "images.npy"))
    dataset.save(np.load(tmp_path / "made.npy", mmap_mode="r"))
    assert not (tmp_path / "images.npy").samefile(tmp_path / "made.npy")
    assert np.array_equal(dataset.load(), ARRAY)
