"""Versions are saved atomically, by any dataset."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io.core import DatasetError, generate_timestamp

from longtail.catalog import WORTH_SHARING, LongtailCatalog
from longtail.errors import DataError, WriteError

TYPES: dict[str, dict[str, Any]] = {
    "table.csv": {"type": "pandas.CSVDataset", "save_args": {"index": False}},
    "table.parquet": {"type": "pandas.ParquetDataset"},
    "card.json": {"type": "json.JSONDataset"},
    "page.html": {"type": "longtail.datasets.documents.HtmlDataset"},
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
    time.sleep(0.002)  # versions differ by a millisecond at least
    made = LongtailCatalog.from_config(config, save_version=generate_timestamp())
    assert isinstance(made, LongtailCatalog)
    return made


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond LIMIT: writing fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(folder: Path) -> list[Path]:
    """All but the checksums."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if path.suffix != ".sha256"]


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
    with small_files(), pytest.raises(WriteError, match=r"ulimit -f unlimited") as told:
        catalog(tmp_path).save(name, LARGE[name])
    assert str(told.value).startswith(f"{tmp_path / name}")
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


def cut_off(content: bytes) -> bytes:
    return content[:-101]


def without_a_line(content: bytes) -> bytes:
    return content.replace(b"\n500\n", b"\n")


def with_another_digit(content: bytes) -> bytes:
    return content.replace(b"500", b"501", 1)


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("table.csv", cut_off, "it is not what was saved (.table.csv.sha256)"),
        ("table.csv", without_a_line, "it is not what was saved (.table.csv.sha256)"),
        ("table.csv", with_another_digit, "it is not what was saved (.table.csv.sha256)"),
        ("table.csv", lambda _: b"", "it is not what was saved (.table.csv.sha256)"),
        ("table.parquet", cut_off, "it is not what was saved (.table.parquet.sha256)"),
        ("card.json", with_another_digit, "it is not what was saved (.card.json.sha256)"),
        ("page.html", cut_off, "it is not what was saved (.page.html.sha256)"),
        ("images.npy", cut_off, "cannot be read: "),
    ],
)
def test_a_damaged_version_is_named(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes], reason: str
) -> None:
    catalog(tmp_path).save(name, LARGE[name])
    [file] = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(damaged := damage(whole))
    assert damaged != whole
    with pytest.raises(DataError) as told:
        catalog(tmp_path).load(name)
    assert str(file) in str(told.value)
    assert reason in str(told.value)
    assert f"remove the folder {file.parent}:" in str(told.value)


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [file] = files(tmp_path)
    noted = file.with_name(".card.json.sha256").read_text()
    assert noted == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  card.json\n"
    assert not list(tmp_path.rglob("*.draft"))


def test_a_version_from_before_there_were_checksums_is_read(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [note] = tmp_path.rglob(".card.json.sha256")
    note.unlink()
    assert catalog(tmp_path).load("card.json") == {"a": 1}


@pytest.mark.parametrize("damaged", [b"", b"\xff\xfe", b"0" * 64 + b"  card.json\n"])
def test_a_version_with_a_damaged_checksum_is_refused(tmp_path: Path, damaged: bytes) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [note] = tmp_path.rglob(".card.json.sha256")
    note.write_bytes(damaged)
    with pytest.raises(DataError, match=r"not what was saved \(\.card\.json\.sha256\)"):
        catalog(tmp_path).load("card.json")


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


def test_an_array_that_is_mapped_from_the_version_before_leaves_no_second_name(
    tmp_path: Path,
) -> None:
    """Of two names of one file, renaming one to the other removes neither."""
    catalog(tmp_path).save("images.npy", np.zeros(2 * WORTH_SHARING, dtype=np.uint8))
    catalog(tmp_path).save("images.npy", catalog(tmp_path).load("images.npy"))
    first, second = files(tmp_path)
    assert first.samefile(second)
    assert {first.name, second.name} == {"images.npy"}


def test_small_files_stay_apart(tmp_path: Path) -> None:
    for _ in range(2):
        catalog(tmp_path).save("card.json", {"a": 1})
    assert len({file.stat().st_ino for file in files(tmp_path)}) == 2
