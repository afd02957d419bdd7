from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError, Version

from longtail.datasets.file import FileDataset, FolderDataset


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A file that a node has finished writing."""
    path = tmp_path / "store" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


def test_file_is_linked_without_a_second_copy(finished: Path, tmp_path: Path) -> None:
    dataset = FileDataset(filepath=str(tmp_path / "models" / "model.safetensors"))
    dataset.save(finished)
    loaded = dataset.load()
    assert loaded == tmp_path / "models" / "model.safetensors"
    assert loaded.read_bytes() == b"weights"
    assert loaded.samefile(finished)


def test_file_is_copied_where_the_disk_cannot_link(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    dataset = FileDataset(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(finished)
    assert dataset.load().read_bytes() == b"weights"
    assert not dataset.load().samefile(finished)


def test_file_outlives_the_one_that_was_saved(finished: Path, tmp_path: Path) -> None:
    dataset = FileDataset(filepath=str(tmp_path / "model.safetensors"))
    dataset.save(finished)
    finished.unlink()
    assert dataset.load().read_bytes() == b"weights"


def test_same_file_can_be_saved_twice(finished: Path, tmp_path: Path) -> None:
    dataset = FileDataset(filepath=str(tmp_path / "models" / "model.safetensors"))
    dataset.save(finished)
    dataset.save(finished)
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["model.safetensors"]


def test_file_can_be_saved_in_its_own_place(tmp_path: Path) -> None:
    """A node that reads and writes an unversioned file may return what it was given."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    dataset = FileDataset(filepath=str(file))
    dataset.save(dataset.load())
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [
        ("model.safetensors", b"weights")
    ]


def test_each_version_has_its_own_link(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for version, content in (("2020", b"old"), ("2021", b"new")):
        finished.unlink()  # the store never writes into a finished file
        finished.write_bytes(content)
        FileDataset(filepath=str(path), version=Version(None, version)).save(finished)
    found = FileDataset(filepath=str(path), version=Version(None, None)).load()
    assert found == path / "2021" / "model.safetensors"
    assert found.read_bytes() == b"new"
    assert (path / "2020" / "model.safetensors").read_bytes() == b"old"


def test_missing_file_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    dataset = FileDataset(filepath=str(tmp_path / "model.safetensors"))
    with pytest.raises(DatasetError):
        dataset.save(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_folder_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    dataset = FolderDataset(filepath=str(tmp_path / "a" / "b"))
    assert dataset.exists()
    assert dataset.load() == tmp_path / "a" / "b"
    assert dataset.load().is_dir()


def test_folder_is_not_saved(tmp_path: Path) -> None:
    dataset: Any = FolderDataset(filepath=str(tmp_path))
    with pytest.raises(DatasetError, match="folder that nodes write into"):
        dataset.save("content")
