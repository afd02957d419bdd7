from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file

from longtail.errors import DataError
from longtail.storage.files import write_checksums
from longtail.storage.store import Training, TrainingStore
from tests.damage import with_flipped_bit
from tests.data_folders import tree

WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)}
HISTORY = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.1 + 0.2, 1 / 3], "acc1": [np.nan, 0.5]})
CARD = {"trained_by": "digits.balanced", "seconds": 1.5, "nested": {"list": [1, None]}}


@pytest.fixture
def store(tmp_path: Path) -> TrainingStore:
    return TrainingStore(tmp_path / "store")


def test_unknown_fingerprint_is_not_found_in_a_store_that_does_not_exist(
    store: TrainingStore,
) -> None:
    assert store.find("f1") is None


def test_what_was_added_is_found_by_its_fingerprint_alone(store: TrainingStore) -> None:
    added = store.add("f1", WEIGHTS, HISTORY, CARD)
    found = store.find("f1")
    assert found is not None
    assert store.find("f2") is None
    assert found.card == added.card == CARD
    pd.testing.assert_frame_equal(found.history, added.history, check_exact=True)
    pd.testing.assert_frame_equal(found.history, HISTORY)
    weights = load_file(found.model_file)
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


def test_another_store_of_the_same_folder_finds_it(store: TrainingStore, tmp_path: Path) -> None:
    store.add("f1", WEIGHTS, HISTORY, CARD)
    assert TrainingStore(tmp_path / "store").find("f1") is not None


DAMAGE: list[Callable[[bytes], bytes] | None] = [
    lambda content: content + b"x",
    lambda content: content[:-1] + b"?",
    lambda _: b"",
    None,
]
SMALL = ["history.csv", "card.json", "copies.json", "checksums.json"]


def damage(file: Path, how: Callable[[bytes], bytes] | None) -> None:
    file.unlink() if how is None else file.write_bytes(how(file.read_bytes()))


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_weights_are_reported_and_set_aside(
    how: Callable[[bytes], bytes] | None,
    store: TrainingStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.add("f1", WEIGHTS, HISTORY, CARD)
    store.add("f2", WEIGHTS, HISTORY, CARD)
    file = tmp_path / "store/f1/model.safetensors"
    damage(file, how)
    left = tree(file.parent)
    assert store.find("f1") is None
    aside = tmp_path / "store/f1.damaged1"
    assert caplog.messages == [
        f"{file} is damaged: its training is done again. What is left of it is in {aside}, and can "
        f"be deleted"
    ]
    assert tree(aside) == left
    assert store.find("f2") is not None
    store.add("f1", WEIGHTS, HISTORY, CARD)
    assert store.find("f1") is not None
    damage(file, how)
    assert store.find("f1") is None
    assert tree(tmp_path / "store/f1.damaged2") == tree(aside) == left


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_beside_whole_weights_is_restored(
    how: Callable[[bytes], bytes] | None,
    name: str,
    store: TrainingStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    added = store.add("f1", WEIGHTS, HISTORY, CARD)
    whole = tree(tmp_path / "store")
    file = tmp_path / "store/f1" / name
    damage(file, how)
    found = store.find("f1")
    assert caplog.messages == [f"{file} was damaged, and has been restored from its copy"]
    assert found is not None and found.card == added.card
    pd.testing.assert_frame_equal(found.history, added.history, check_exact=True)
    assert tree(tmp_path / "store") == whole
    caplog.clear()
    assert store.find("f1") is not None
    assert caplog.messages == []


@pytest.mark.parametrize("name", ["model.safetensors", *SMALL])
def test_no_flipped_bit_gives_another_training(
    name: str, store: TrainingStore, tmp_path: Path
) -> None:
    added = store.add("f1", WEIGHTS, HISTORY, CARD)
    file = tmp_path / "store/f1" / name
    content = file.read_bytes()
    for position in range(0, len(content), 3):
        file.write_bytes(with_flipped_bit(content, position, position % 7))
        if name == "model.safetensors":
            with pytest.raises(DataError, match=f"{file} cannot be read: it is not what was saved"):
                store.weights("f1")
            continue
        assert store.weights("f1") == added.model_file
        found = store.find("f1")
        assert found is not None and found.card == added.card
        pd.testing.assert_frame_equal(found.history, added.history, check_exact=True)
        assert file.read_bytes() == content


def test_a_training_without_copies_of_an_older_version_is_found(
    store: TrainingStore, tmp_path: Path
) -> None:
    added = older_training(store, tmp_path)
    assert store.find("f1") is not None
    assert store.weights("f1") == added.model_file


@pytest.mark.parametrize("name", ["history.csv", "card.json"])
def test_whole_weights_of_an_older_version_can_be_used_and_are_set_aside(
    name: str, store: TrainingStore, tmp_path: Path
) -> None:
    added = older_training(store, tmp_path)
    damage(tmp_path / "store/f1" / name, lambda content: content + b"x")
    assert store.weights("f1") == added.model_file
    weights = added.model_file.read_bytes()
    assert store.find("f1") is None
    assert (tmp_path / "store/f1.damaged1/model.safetensors").read_bytes() == weights


def older_training(store: TrainingStore, tmp_path: Path) -> Training:
    added = store.add("f1", WEIGHTS, HISTORY, CARD)
    (tmp_path / "store/f1/copies.json").unlink()
    write_checksums(tmp_path / "store/f1")
    return added


def test_weights_that_are_not_stored_are_not_found(store: TrainingStore, tmp_path: Path) -> None:
    assert store.weights("f1") is None
    assert not (tmp_path / "store").exists()  # a reader makes nothing either


def fail(*_: Any, **__: Any) -> None:
    raise OSError("no space left on device")


@pytest.mark.parametrize(
    "step", ["safetensors.torch.save_file", "pandas.DataFrame.to_csv", "pathlib.Path.write_text",
             "os.fsync", "pathlib.Path.rename"]
)  # fmt: skip
def test_error_at_any_step_leaves_nothing_behind(
    step: str, store: TrainingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(OSError, match="no space left"):
            store.add("f1", WEIGHTS, HISTORY, CARD)
    assert store.find("f1") is None
    assert list((tmp_path / "store").iterdir()) == []
    store.add("f1", WEIGHTS, HISTORY, CARD)  # and nothing stands in the way of another try
    assert store.find("f1") is not None


def test_nothing_is_found_while_it_is_written(
    store: TrainingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    save_file = safetensors.torch.save_file

    def look_then_save(weights: dict[str, torch.Tensor], file: Path) -> None:
        save_file(weights, file)
        seen.append(store.find("f1"))

    monkeypatch.setattr(safetensors.torch, "save_file", look_then_save)
    store.add("f1", WEIGHTS, HISTORY, CARD)
    assert seen == [None]


def test_card_that_is_no_json_leaves_nothing_behind(store: TrainingStore, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        store.add("f1", WEIGHTS, HISTORY, {"bad": object()})
    assert list((tmp_path / "store").iterdir()) == []


def test_draft_of_a_killed_process_is_not_found_and_is_cleaned(
    store: TrainingStore, tmp_path: Path
) -> None:
    draft = tmp_path / "store" / "f1.draft"
    draft.mkdir(parents=True)
    (draft / "model.safetensors").write_bytes(b"half")
    (draft / "stray").write_bytes(b"")
    assert store.find("f1") is None
    store.add("f1", WEIGHTS, HISTORY, CARD)
    files = {file.name for file in (tmp_path / "store" / "f1").iterdir()}
    assert files == {"model.safetensors", *SMALL}
    assert not draft.exists()


def hold(folder: Path, holding: Event, release: Event) -> None:
    with TrainingStore(folder).claim("f1", "a trial"):
        holding.set()
        release.wait(30)


def test_claim_keeps_other_processes_out_until_it_is_released(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    holding, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, holding, release))
    other.start()
    try:
        assert holding.wait(30)
        lock = FileLock(tmp_path / "locks" / "f1.lock")
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
        with TrainingStore(tmp_path).claim("f2", "a trial"):  # another trial is free
            pass
        release.set()
        with TrainingStore(tmp_path).claim("f1", "a trial"):
            pass
    finally:
        release.set()
        other.join()
    assert other.exitcode == 0


def test_a_process_that_waits_says_for_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    context = multiprocessing.get_context("fork")
    holding, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, holding, release))
    other.start()
    assert holding.wait(30)
    Timer(1.5, release.set).start()
    with TrainingStore(tmp_path).claim("f1", "digits.softmax.seed0"):
        other.join()
    with TrainingStore(tmp_path).claim("f1", "digits.focal.seed0"):
        pass
    assert caplog.messages == [
        "digits.softmax.seed0: another process trains or scores the same. Waiting for it"
    ]


def test_claim_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    holding, never = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, holding, never))
    other.start()
    assert holding.wait(30)
    other.kill()
    other.join()
    with FileLock(tmp_path / "locks" / "f1.lock").acquire(timeout=5):
        pass


def test_a_claim_that_does_not_wait_says_whether_it_was_free(
    store: TrainingStore, tmp_path: Path
) -> None:
    lock = FileLock(tmp_path / "store" / "locks" / "f1.lock")
    with store.claim_if_free("f1") as free:
        assert free
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)
        with store.claim_if_free("f1") as again, store.claim_if_free("f2") as other:
            assert (again, other) == (False, True)
    with lock.acquire(timeout=0), store.claim_if_free("f1") as free:
        assert not free


def test_claim_is_released_after_an_error(store: TrainingStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="training"), store.claim("f1", "a trial"):
        raise ValueError("training")
    with FileLock(tmp_path / "store" / "locks" / "f1.lock").acquire(timeout=0):
        pass


def test_the_state_of_a_training_is_what_would_be_found(
    store: TrainingStore, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    assert store.state("f1") == "absent"
    assert not folder.exists()
    store.add("f1", WEIGHTS, HISTORY, CARD)
    store.checkpoint_file("f2").write_bytes(b"")
    assert (store.state("f1"), store.state("f2")) == ("stored", "unfinished")
    assert list(store.cards()) == [CARD]


def test_damaged_cards_are_left_out_even_if_they_can_be_read(
    store: TrainingStore, tmp_path: Path
) -> None:
    store.add("f1", WEIGHTS, HISTORY, CARD)
    store.add("f2", WEIGHTS, HISTORY, CARD | {"seconds": 9.0})
    damage(tmp_path / "store/f1/card.json", lambda content: content.replace(b'"', b'"x', 1))
    assert list(store.cards()) == [CARD | {"seconds": 9.0}]


@pytest.mark.parametrize("name", ["model.safetensors", *SMALL])
@pytest.mark.parametrize("how", DAMAGE)
def test_the_state_of_a_damaged_training_is_known_without_a_change(
    store: TrainingStore, tmp_path: Path, name: str, how: Callable[[bytes], bytes] | None
) -> None:
    store.add("f1", WEIGHTS, HISTORY, CARD)
    damage(tmp_path / "store/f1" / name, how)
    before = tree(tmp_path)
    state = store.state("f1")
    assert tree(tmp_path) == before
    assert state == ("damaged" if name == "model.safetensors" else "stored")
    assert (store.find("f1") is not None) == (state == "stored")
