"""Versions appear whole or not at all, whoever's dataset writes them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io.core import DatasetError, generate_timestamp

from longtail.catalog import LongtailCatalog
from longtail.datasets.base import WORTH_SHARING
from longtail.errors import DataError, DiskFullError

TYPES: dict[str, dict[str, Any]] = {
    "table.csv": {"type": "pandas.CSVDataset", "save_args": {"index": False}},
    "table.parquet": {"type": "pandas.ParquetDataset"},
    "card.json": {"type": "json.JSONDataset"},
    "page.html": {"type": "longtail.datasets.text.HtmlDataset"},
    "images.npy": {"type": "longtail.datasets.npy.NpyDataset"},
}
RANDOM = np.random.default_rng(0)
LARGE: dict[str, Any] = {
    "table.csv": pd.DataFrame({"a": range(100_000)}),
    "table.parquet": pd.DataFrame({"a": RANDOM.random(100_000)}),
    "card.json": {"a": list(range(100_000))},
    "page.html": "page" * 100_000,
    "images.npy": RANDOM.integers(0, 255, 400_000, dtype=np.uint8),
}
LIMIT = 1 << 16


def catalog(folder: Path) -> LongtailCatalog:
    config = {
        name: {**entry, "filepath": str(folder / name), "versioned": True}
        for name, entry in TYPES.items()
    }
    made = LongtailCatalog.from_config(config, save_version=generate_timestamp())
    assert isinstance(made, LongtailCatalog)
    return made


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond LIMIT: writing fails in the midst, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", TYPES)
def test_what_is_saved_is_loaded(tmp_path: Path, name: str) -> None:
    saved = catalog(tmp_path)
    saved.save(name, LARGE[name])
    loaded = catalog(tmp_path).load(name)
    if isinstance(loaded, pd.DataFrame):
        pd.testing.assert_frame_equal(loaded, LARGE[name])
    else:
        np.testing.assert_equal(loaded, LARGE[name])
    [file] = files(tmp_path)
    assert file.name == name


@pytest.mark.parametrize("name", TYPES)
def test_a_disk_that_fills_up_leaves_the_version_before_the_newest(
    tmp_path: Path, name: str
) -> None:
    catalog(tmp_path).save(name, small := _small(name))
    [before] = files(tmp_path)
    with small_files(), pytest.raises(DiskFullError) as told:
        catalog(tmp_path).save(name, LARGE[name])
    assert str(told.value).startswith(f"the disk is full: {tmp_path / name}")
    assert files(tmp_path) == [before]
    assert list((tmp_path / name).iterdir()) == [before.parent]  # nor an empty folder
    loaded = catalog(tmp_path).load(name)
    np.testing.assert_equal(np.asarray(loaded), np.asarray(small))


def _small(name: str) -> Any:
    return (
        LARGE[name].head(3)
        if name.startswith("table")
        else {"card.json": {"a": 1}}.get(name, "page" if name == "page.html" else np.zeros(3))
    )


def test_a_version_has_its_name_only_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks meanwhile, or after the process was killed, finds none."""
    seen = []
    write = pd.DataFrame.to_csv

    def watched(table: pd.DataFrame, *args: Any, **kwargs: Any) -> Any:
        seen.append(catalog(tmp_path).exists("table.csv"))
        write(table, *args, **kwargs)
        seen.append(catalog(tmp_path).exists("table.csv"))

    monkeypatch.setattr(pd.DataFrame, "to_csv", watched)
    catalog(tmp_path).save("table.csv", LARGE["table.csv"])
    assert seen == [False, False]
    assert catalog(tmp_path).exists("table.csv")


def test_a_version_is_not_saved_twice(tmp_path: Path) -> None:
    once = catalog(tmp_path)
    once.save("table.csv", LARGE["table.csv"])
    with pytest.raises(DatasetError, match="must not exist"):
        once.save("table.csv", LARGE["table.csv"].head(1))
    assert len(catalog(tmp_path).load("table.csv")) == len(LARGE["table.csv"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("table.csv", "it is cut off"),
        ("table.parquet", "cannot be read: "),
        ("card.json", "cannot be read: "),
        ("images.npy", "cannot be read: "),
    ],
)
def test_a_damaged_version_is_named(tmp_path: Path, name: str, reason: str) -> None:
    catalog(tmp_path).save(name, LARGE[name])
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-101])
    with pytest.raises(DataError) as told:
        catalog(tmp_path).load(name)
    assert str(file) in str(told.value)
    assert reason in str(told.value)
    assert f"remove the folder {file.parent}:" in str(told.value)


def test_an_empty_file_is_damaged(tmp_path: Path) -> None:
    catalog(tmp_path).save("table.csv", LARGE["table.csv"])
    [file] = files(tmp_path)
    file.write_bytes(b"")
    with pytest.raises(DataError, match="it is cut off"):
        catalog(tmp_path).load("table.csv")


@pytest.mark.parametrize("name", ["table.parquet", "images.npy"])
def test_large_files_that_are_the_same_are_one_on_the_disk(tmp_path: Path, name: str) -> None:
    numbers = RANDOM.integers(0, 255, 2 * WORTH_SHARING, dtype=np.uint8)
    large = numbers if name == "images.npy" else pd.DataFrame({"a": numbers})
    other = large + 1
    for content in (large, large, other, large):
        catalog(tmp_path).save(name, content)
    first, second, third, fourth = (file.stat().st_ino for file in sorted(files(tmp_path)))
    # Only the version before is looked at.
    assert first == second
    assert len({first, third, fourth}) == 3
    np.testing.assert_equal(np.asarray(catalog(tmp_path).load(name)), np.asarray(large))


def test_small_files_stay_apart(tmp_path: Path) -> None:
    for _ in range(2):
        catalog(tmp_path).save("card.json", {"a": 1})
    assert len({file.stat().st_ino for file in files(tmp_path)}) == 2
