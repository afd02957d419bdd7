"""Versions are saved atomically, by any dataset."""

from __future__ import annotations

import hashlib
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, DatasetError, Version, generate_timestamp
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

from longtail.catalog import LongtailCatalog
from longtail.errors import DataError, WriteError
from longtail.kedro_internals import pin
from longtail.storage.files import checksum_file, write_checksum
from tests.damage import flip_bit
from tests.reporting.rows import STATISTICS, make_results

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
    assert f"remove the folder {file.parent}," in str(told.value)


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [file] = files(tmp_path)
    with pytest.raises(DataError) as told:
        catalog(tmp_path).load("card.json", version="first")
    assert str(told.value) == f"unknown version of card.json 'first'. Valid: {file.parent.name}"


def test_the_version_that_is_damaged_is_named(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [old] = files(tmp_path)
    catalog(tmp_path).save("card.json", {"a": 2})
    flip_bit(old)
    with pytest.raises(DataError, match="it is not what was saved") as told:
        catalog(tmp_path).load("card.json", version=old.parent.name)
    assert str(old) in str(told.value)


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [file] = files(tmp_path)
    noted = file.with_name(".card.json.sha256").read_text()
    assert noted == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  card.json\n"
    assert not list(tmp_path.rglob("*.draft"))


@pytest.mark.parametrize("damaged", [None, b"", b"\xff\xfe", b"0" * 64 + b"  card.json\n"])
def test_a_version_with_a_damaged_checksum_or_without_is_refused(
    tmp_path: Path, damaged: bytes | None
) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [note] = tmp_path.rglob(".card.json.sha256")
    note.unlink() if damaged is None else note.write_bytes(damaged)
    with pytest.raises(DataError, match=r"not what was saved \(\.card\.json\.sha256\)"):
        catalog(tmp_path).load("card.json")


@pytest.mark.parametrize("damage", ["file", "checksum"])
@pytest.mark.parametrize("name", TYPES)
def test_a_damaged_version_is_replaced_when_the_same_is_made_again(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    catalog(tmp_path).save(name, LARGE[name])
    [file] = files(tmp_path)
    whole = {path: path.read_bytes() for path in (file, checksum_file(file))}
    flip_bit(file if damage == "file" else checksum_file(file), 20)
    catalog(tmp_path).save(name, LARGE[name])
    assert files(tmp_path) == [file]
    assert {path: path.read_bytes() for path in whole} == whole
    assert caplog.messages == [
        f"{file} was damaged, and is replaced: this run has made the same file"
    ]


def test_a_damaged_version_is_reported_when_another_is_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [file] = files(tmp_path)
    flip_bit(file)
    catalog(tmp_path).save("card.json", {"a": 2})
    [message] = caplog.messages
    assert message == (
        f"{file} is damaged: it is not what was saved. This run has made another file. Remove the "
        f"damaged one: {file.parent}"
    )
    assert catalog(tmp_path).load("card.json") == {"a": 2}
    caplog.clear()
    catalog(tmp_path).save("card.json", {"a": 3})
    assert caplog.messages == []


@pytest.mark.parametrize("name", TYPES)
def test_what_is_equal_to_the_version_before_is_not_stored_again(tmp_path: Path, name: str) -> None:
    catalog(tmp_path).save(name, LARGE[name])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = catalog(tmp_path)
    second.save(name, LARGE[name])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} | {
        tmp_path / name: before[tmp_path / name]
    } == before
    np.testing.assert_equal(np.asarray(second.load(name)), np.asarray(LARGE[name]))


def test_only_the_version_before_is_compared(tmp_path: Path) -> None:
    """Otherwise the newest version would not be what was saved last."""
    for number in (1, 1, 2, 1, 1):
        catalog(tmp_path).save("card.json", {"a": number})
        assert catalog(tmp_path).load("card.json") == {"a": number}
    stored = [json.loads(file.read_text()) for file in sorted(files(tmp_path))]
    assert stored == [{"a": number} for number in (1, 2, 1)]


def test_a_version_without_a_checksum_is_not_used_again(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    [file] = files(tmp_path)
    checksum_file(file).unlink()
    catalog(tmp_path).save("card.json", {"a": 1})
    assert len(files(tmp_path)) == 2
    assert catalog(tmp_path).load("card.json") == {"a": 1}


def test_an_array_that_is_mapped_from_the_version_before_is_that_version(tmp_path: Path) -> None:
    catalog(tmp_path).save("images.npy", LARGE["images.npy"])
    catalog(tmp_path).save("images.npy", catalog(tmp_path).load("images.npy"))
    assert [file.name for file in files(tmp_path)] == ["images.npy"]


# --- a clock that is wrong ---------------------------------------------------------------------


def plant(folder: Path, name: str, version: str, content: str) -> None:
    file = folder / name / version / name
    file.parent.mkdir(parents=True)
    file.write_text(content)


def test_what_a_notebook_saves_is_the_newest_version_whatever_the_clock_says(
    tmp_path: Path,
) -> None:
    plant(tmp_path, "card.json", "2031-01-01T00.00.00.000Z", '{"a": 1}')
    catalog(tmp_path).save("card.json", {"a": 2})
    assert catalog(tmp_path).load("card.json") == {"a": 2}
    assert {file.parent.name for file in files(tmp_path)} == {
        "2031-01-01T00.00.00.000Z",
        "2031-01-01T00.00.00.001Z",
    }


def test_what_a_notebook_has_loaded_is_loaded_again_after_it_is_saved(tmp_path: Path) -> None:
    catalog(tmp_path).save("card.json", {"a": 1})
    notebook = catalog(tmp_path)
    assert notebook.load("card.json") == {"a": 1}
    notebook.save("card.json", {"a": 2})
    assert notebook.load("card.json") == {"a": 2}


def test_a_dataset_that_is_made_as_a_copy_is_as_kedro_makes_it(tmp_path: Path) -> None:
    """The datasets of trials, which differ in their paths only."""
    config = {
        f"train.{{trial}}.{name.replace('.', '_')}": {
            **entry, "filepath": f"{tmp_path}/{{trial}}/{name}", "versioned": True
        }
        for name, entry in TYPES.items()
    }  # fmt: skip
    save_version = generate_timestamp()
    ours = LongtailCatalog.from_config(config, save_version=save_version)
    plain = DataCatalog.from_config(config, save_version=save_version)
    names = [f"train.{trial}.{name.replace('.', '_')}" for trial in "abc" for name in TYPES]
    for name in names:
        made, expected = ours[name], plain[name]
        assert isinstance(made, AbstractVersionedDataset)
        assert type(made) is type(expected)
        assert {**vars(made), **dict.fromkeys(FUNCTIONS)} == {
            **vars(expected), **dict.fromkeys(FUNCTIONS)
        }, name  # fmt: skip
        # A version that is pinned to one is not pinned to those that are made later.
        pin(made, Version("of one", "of one"))


# Bound methods of the file system, which Kedro makes for each dataset.
FUNCTIONS = ("_exists_function", "_glob_function")


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """The tables that are validated, as it happens."""
    tables: list[pd.DataFrame] = []

    def noted(self: pa.DataFrameSchema, table: pd.DataFrame, **options: Any) -> pd.DataFrame:
        tables.append(table)
        return validate(self, table, **options)

    validate = pa.DataFrameSchema.validate
    monkeypatch.setattr(pa.DataFrameSchema, "validate", noted)
    return tables


def test_a_table_is_validated_once_for_all_who_load_it_until_its_file_changes(
    tmp_path: Path, validated: list[pd.DataFrame]
) -> None:
    entry = {
        **TYPES["table.csv"],
        "filepath": str(tmp_path / "rejected.csv"),
        "versioned": True,
        "validator": "longtail.schemas.data.REJECTED",
    }
    reader = LongtailCatalog.from_config({"rejected": entry}, save_version=generate_timestamp())
    saved = pd.DataFrame({"file": ["a.png"], "class_name": ["a"], "reason": ["broken"]})
    reader.save("rejected", saved)
    validated.clear()
    first = reader.load("rejected")
    first.loc[0, "reason"] = "changed by who has loaded it"
    pd.testing.assert_frame_equal(reader.load("rejected"), saved)
    assert len(validated) == 1
    [file] = files(tmp_path)
    flip_bit(file)
    with pytest.raises(DataError, match="it is not what was saved"):
        reader.load("rejected")
    file.write_text("file,class_name,reason\nb.png,b,too small\n")
    write_checksum(file, content=file)
    assert reader.load("rejected")["file"].tolist() == ["b.png"]
    assert len(validated) == 2


def test_a_version_of_older_code_is_refused_with_what_makes_it_again(tmp_path: Path) -> None:
    entry = {**TYPES["table.csv"], "filepath": str(tmp_path / "results.csv"), "versioned": True}
    older, newer = (
        LongtailCatalog.from_config({"results": each}, save_version=generate_timestamp())
        for each in (entry, entry | {"validator": "longtail.schemas.results.RESULTS"})
    )
    results = make_results(("softmax", 0, 0.5)).assign(trained_by="d", tau=1.0)
    older.save("results", results.assign(**STATISTICS.columns).drop(columns="post_hoc"))
    [file] = files(tmp_path)
    with pytest.raises(DataError) as told:
        newer.load("results")
    assert str(told.value) == (
        f"results ({file}) has no column post_hoc. If older code made it, make it again, which "
        "trains nothing: kedro run --pipelines=full with the same --env and --params"
    )


def test_what_a_run_makes_is_read_in_every_form(tmp_path: Path) -> None:
    """Kedro's transcoding: one file with a dataset for each form, here ``page@text``."""

    def run(content: str) -> Any:
        entry = {"filepath": str(tmp_path / "page.html"), "versioned": True}
        types = {"page@text": "TextDataset", "page@bytes": "BytesDataset"}
        config = {
            name: {**entry, "type": f"longtail.datasets.documents.{kind}"}
            for name, kind in types.items()
        }
        made = LongtailCatalog.from_config(config)
        assert isinstance(made, LongtailCatalog)
        nodes = [
            node(lambda: content, None, "page@text", name="write"),
            node(lambda read: read, "page@bytes", "read", name="read"),
        ]
        time.sleep(0.002)
        made.save_as(generate_timestamp(), types, reuse=True)
        made.fix_versions(pipeline(nodes))
        return SequentialRunner().run(pipeline(nodes), made)["read"].load()

    assert [run(content) for content in ("first", "second", "second")] == [
        *(b"first", b"second", b"second")
    ]


def test_an_entry_without_a_type_is_refused_by_its_name() -> None:
    with pytest.raises(DatasetError, match=r"'published_mine':\n'type' is missing"):
        LongtailCatalog.from_config({"published_mine": {"filepath": "x.csv"}})
