"""What is found in a data folder, and how it is removed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from longtail.retention.scan import (
    Content,
    Scan,
    Version,
    remove_drafts,
    remove_stored,
    remove_version,
    scan,
)
from longtail.storage.array_store import ArrayStore
from longtail.storage.store import TrainingStore
from tests.data_folders import (
    CARD,
    RESULTS,
    STORE,
    A,
    B,
    fingerprint,
    save,
    save_checkpoint,
    save_training,
    tree,
    versions,
)


def entry_of(path: str) -> str | None:
    return {RESULTS: "results", CARD: "card"}.get(path)


def found(data: Path) -> Scan:
    return scan(data, STORE, entry_of)


def only_artifact(data: Path) -> list[Version]:
    """The versions of the only artifact."""
    scanned = found(data).versions
    assert len({version.artifact for version in scanned}) == 1
    return scanned


def test_versions_are_found_oldest_first_with_their_files(tmp_path: Path) -> None:
    save(tmp_path, RESULTS, B, "12345")
    file = save(tmp_path, RESULTS, A, "123")
    save(tmp_path, CARD, A)
    card, *results = found(tmp_path).versions
    assert (card.artifact, card.entry) == (CARD, "card")
    assert [(version.artifact, version.name) for version in results] == [(RESULTS, A), (RESULTS, B)]
    assert all(version.own and version.complete for version in results)
    [content] = results[0].contents
    status = file.stat()
    assert content.identity == (status.st_dev, status.st_ino)
    assert (content.links, content.size) == (1, 3)


def test_a_folder_that_no_catalog_knows_is_distinguished(tmp_path: Path) -> None:
    save(tmp_path, f"test/{RESULTS}", A)
    assert only_artifact(tmp_path)[0].entry is None


def test_what_is_no_version_is_not_listed(tmp_path: Path) -> None:
    for name in ("final", "2001-01-01", f"{A}.bak", f"x{A}"):
        save(tmp_path, RESULTS, name)
    (tmp_path / A).write_text("a file")
    assert found(tmp_path).versions == []


def test_a_version_with_other_files_folders_or_links_is_not_the_project_s_own(
    tmp_path: Path,
) -> None:
    save(tmp_path, RESULTS, A).with_name("notes.txt").write_text("mine")
    (save(tmp_path, RESULTS, B).parent / "folder").mkdir()
    linked = tmp_path / RESULTS / "2001-01-03T00.00.00.000Z" / "results.csv"
    linked.parent.mkdir()
    linked.symlink_to(tmp_path / RESULTS / A / "results.csv")
    assert [(v.own, v.complete) for v in only_artifact(tmp_path)] == [(False, False)] * 3


def test_what_a_killed_run_left_is_the_project_s_own_but_no_version_to_load(
    tmp_path: Path,
) -> None:
    (tmp_path / RESULTS / A).mkdir(parents=True)
    draft = tmp_path / RESULTS / B / "results.csv.draft"
    draft.parent.mkdir()
    draft.write_text("half")
    draft.with_name("results.csv.draft.draft").write_text("half")
    draft.with_name(".results.csv.sha256").write_text("half")
    assert [(v.own, v.complete) for v in only_artifact(tmp_path)] == [(True, False)] * 2


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    save(elsewhere, RESULTS, A)
    save(data, RESULTS, B)
    (data / RESULTS / A).symlink_to(elsewhere / RESULTS / A)
    (data / "08_reporting").symlink_to(elsewhere)
    scanned = found(data)
    assert sorted(scanned.links) == [f"{RESULTS}/{A}", "08_reporting"]
    assert [version.name for version in scanned.versions] == [B]


def test_the_data_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    save(tmp_path / "disk", RESULTS, A)
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert only_artifact(tmp_path / "data")[0].artifact == RESULTS
    remove_version(tmp_path / "data" / RESULTS / A)
    assert tree(tmp_path / "disk") == {}


def test_the_store_s_entries_are_distinguished(tmp_path: Path) -> None:
    save_training(tmp_path, "a", size=7)
    save_training(tmp_path, "b", ".draft")
    os.utime(save_checkpoint(tmp_path, "c"), (5, 5))
    (save_training(tmp_path, "d") / "notes.txt").write_text("mine")
    store = tmp_path / STORE
    (store / "locks").mkdir()
    (store / "locks" / f"{fingerprint('a')}.lock").touch()
    (store / "mine").mkdir()
    (store / f"{fingerprint('1')}.checkpoint.draft").write_text("half")
    (store / f"{fingerprint('2')}.draft").write_text("a file")
    (store / fingerprint("e")).write_text("a file")
    (store / f"{fingerprint('f')}.checkpoint").mkdir()
    (store / f"{'A' * 64}").mkdir()
    (store / fingerprint("0")).symlink_to(store / fingerprint("a"))
    scanned = found(tmp_path)
    entries = {entry.fingerprint[0]: entry for entry in scanned.stored}
    assert {key: entry.kind for key, entry in entries.items()} == {
        "a": "training",
        "b": "draft",
        "c": "checkpoint",
        "d": "training",
        "1": "draft",
    }
    assert {key for key, entry in entries.items() if not entry.own} == {"d"}
    assert sum(content.size for content in entries["a"].contents) == 7
    assert entries["c"].modified == 5
    assert entries["b"].name == f"{fingerprint('b')}.draft"
    assert scanned.links == [f"{STORE}/{fingerprint('0')}"]


def test_what_vanishes_while_it_is_looked_at_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run renames its drafts at any moment."""
    save(tmp_path, RESULTS, A)
    save_checkpoint(tmp_path, "c")

    def gone(item: os.DirEntry[str]) -> Content:
        raise FileNotFoundError(item.path)

    monkeypatch.setattr("longtail.retention.scan._content", gone)
    [version] = only_artifact(tmp_path)
    assert version == Version(f"{RESULTS}/{A}", (), False, "results", complete=False)
    assert found(tmp_path).stored == []


def test_what_the_store_writes_is_known_as_its_own(tmp_path: Path) -> None:
    TrainingStore(tmp_path / STORE).add(fingerprint("a"), {}, pd.DataFrame({"epoch": [1]}), {})
    [entry] = found(tmp_path).stored
    assert (entry.kind, entry.own) == ("training", True)


def test_features_are_known_as_the_store_s_and_how_long_they_were_not_used(
    tmp_path: Path,
) -> None:
    store = tmp_path / STORE
    zeros = np.zeros((1, 2, 3), dtype=np.float32)
    ArrayStore(store, "ab").features({"views": 1}, lambda: zeros)
    [place] = store.glob("*.features")
    shutil.copytree(place, store / f"{fingerprint('b')}.features.draft")
    (shutil.copytree(place, store / f"{fingerprint('c')}.features") / "mine").touch()
    os.utime(place, (5, 5))
    entries = {entry.name: entry for entry in found(tmp_path).stored}
    own = entries.pop(place.name)
    assert (own.kind, own.own, own.modified) == ("features", True, 5)
    assert [(e.kind, e.own) for _, e in sorted(entries.items())] == [
        ("draft", True),
        ("features", False),
    ]
    assert np.array_equal(ArrayStore(store, "ab").features({"views": 1}, lambda: zeros[:0]), zeros)
    again = {entry.name: entry for entry in found(tmp_path).stored}[place.name]
    assert time.time() - again.modified < 60
    remove_stored(store, own)
    assert not place.exists()


def test_logits_are_known_as_those_of_their_training(tmp_path: Path) -> None:
    store = tmp_path / STORE
    zeros = np.zeros((2, 3), dtype=np.float32)
    ArrayStore(store, "ab").logits(fingerprint("a"), {"engine": 1}, lambda: zeros)
    [place] = store.glob("*.logits")
    shutil.copytree(place, store / f"{place.name}.draft")
    (store / f"{fingerprint('a')}.12.logits").mkdir()  # none that the store has written
    entries = {entry.name: entry for entry in found(tmp_path).stored}
    assert {name: (e.kind, e.fingerprint, e.own) for name, e in entries.items()} == {
        place.name: ("logits", fingerprint("a"), True),
        f"{place.name}.draft": ("draft", fingerprint("a"), True),
    }


def remove(data: Path, *names: str) -> None:
    scanned = found(data)
    for version in scanned.versions:
        if version.name in names:
            remove_version(data / version.path)
    for entry in scanned.stored:
        if entry.name in names:
            remove_stored(data / STORE, entry)


def test_what_is_removed_is_gone_and_nothing_else(tmp_path: Path) -> None:
    for version in (A, B):
        save(tmp_path, RESULTS, version)
    save_training(tmp_path, "a")
    save_training(tmp_path, "b")
    save_checkpoint(tmp_path, "c")
    before = tree(tmp_path)
    gone = (A, fingerprint("a"), f"{fingerprint('c')}.checkpoint")
    remove(tmp_path, *gone)
    assert tree(tmp_path) == {
        path: contents
        for path, contents in before.items()
        if not any(name in path.split("/") for name in gone)
    }
    assert versions(tmp_path, RESULTS) == [B]


def test_what_a_process_is_using_is_not_removed(tmp_path: Path) -> None:
    save_training(tmp_path, "a")
    save_training(tmp_path, "b", ".draft")
    before = tree(tmp_path)
    store = TrainingStore(tmp_path / STORE)
    with store.claim(fingerprint("a"), "a trial"), store.claim(fingerprint("b"), "a trial"):
        remove(tmp_path, fingerprint("a"))
        remove_drafts(tmp_path / STORE)
    assert tree(tmp_path) == before


def test_what_killed_processes_have_left_in_the_store_is_removed(tmp_path: Path) -> None:
    save_training(tmp_path, "a")
    before = tree(tmp_path)
    save_training(tmp_path, "b", ".draft")
    save_training(tmp_path, "a", ".draft")
    save_checkpoint(tmp_path, "c").rename(tmp_path / STORE / f"{fingerprint('c')}.checkpoint.draft")
    remove_drafts(tmp_path / STORE)
    assert tree(tmp_path) == before
    remove_drafts(tmp_path / "none")


def test_an_interrupted_removal_leaves_whole_versions_and_what_the_next_one_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies as it empties a folder."""

    def dies(folder: Path, ignore_errors: bool = False) -> None:
        if ignore_errors:  # a draft that is not there
            return
        next(folder.iterdir()).unlink()  # half of it is gone
        raise KeyboardInterrupt

    for version in (A, B):
        save(tmp_path, RESULTS, version).with_name(".results.csv.sha256").write_text("x")
    save_training(tmp_path, "a")
    with monkeypatch.context() as patch:
        patch.setattr("longtail.retention.scan.shutil.rmtree", dies)
        for name in (A, fingerprint("a")):
            with pytest.raises(KeyboardInterrupt):
                remove(tmp_path, name)
    scanned = found(tmp_path)
    assert [(v.name, v.complete, v.own) for v in scanned.versions] == [
        (A, False, True),
        (B, True, True),
    ]
    assert [entry.kind for entry in scanned.stored] == ["draft"]
    remove(tmp_path, A, B)
    remove_drafts(tmp_path / STORE)
    assert tree(tmp_path) == {}
