"""What a recognizer has computed before."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longtail.naming.named_before import Named, NamedBefore

LOGITS = np.array([[0.1, 1 / 3], [2.0, -1.0]], dtype=np.float32)
FOUND = [Named(LOGITS[0], "", "small"), Named(LOGITS[1], "train", "")]


def test_logits_come_back_bit_for_bit_for_the_same_recognizer_only(tmp_path: Path) -> None:
    first = NamedBefore(tmp_path, {"fingerprint": "a"})
    first.add(["one", "two"], FOUND)
    first.save()
    again = NamedBefore(tmp_path, {"fingerprint": "a"})
    found = again.find("two")
    assert found is not None and found.part == "train" and found.note == ""
    assert found.logits.tobytes() == LOGITS[1].tobytes()
    noted = again.find("one")
    assert noted is not None and noted.part == "" and noted.note == "small"
    assert again.find("three") is None
    assert NamedBefore(tmp_path, {"fingerprint": "b"}).find("one") is None


def test_what_is_added_joins_what_was_known(tmp_path: Path) -> None:
    for row, name in enumerate(("one", "two")):
        named = NamedBefore(tmp_path, {})
        named.add([name], FOUND[row : row + 1])
        named.save()
    both = NamedBefore(tmp_path, {})
    for row, name in enumerate(("one", "two")):
        found = both.find(name)
        assert found is not None
        np.testing.assert_array_equal(found.logits, LOGITS[row])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_reported_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = NamedBefore(tmp_path, {})
    named.add(["one"], FOUND[:1])
    named.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        damaged = NamedBefore(tmp_path, {})
    assert damaged.find("one") is None and "is damaged" in caplog.text
    damaged.save()  # nothing is known: nothing is written
    damaged.add(["one"], FOUND[:1])
    damaged.save()
    assert NamedBefore(tmp_path, {}).find("one") is not None
