"""What a recognizer has computed before."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from longtail.naming.named_before import NamedBefore

LOGITS = np.array([[0.1, 1 / 3], [2.0, -1.0]], dtype=np.float32)


def test_logits_come_back_bit_for_bit_for_the_same_recognizer_only(tmp_path: Path) -> None:
    first = NamedBefore(tmp_path, {"fingerprint": "a"})
    first.add(["one", "two"], LOGITS, ["", "train"])
    first.save()
    again = NamedBefore(tmp_path, {"fingerprint": "a"})
    found = again.find("two")
    assert found is not None and found[1] == "train"
    assert found[0].tobytes() == LOGITS[1].tobytes()
    assert again.find("three") is None
    assert NamedBefore(tmp_path, {"fingerprint": "b"}).find("one") is None


def test_what_is_added_joins_what_was_known(tmp_path: Path) -> None:
    for row, name in enumerate(("one", "two")):
        named = NamedBefore(tmp_path, {})
        named.add([name], LOGITS[row : row + 1], [""])
        named.save()
    both = NamedBefore(tmp_path, {})
    for row, name in enumerate(("one", "two")):
        found = both.find(name)
        assert found is not None
        np.testing.assert_array_equal(found[0], LOGITS[row])
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_reported_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = NamedBefore(tmp_path, {})
    named.add(["one"], LOGITS[:1], [""])
    named.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        damaged = NamedBefore(tmp_path, {})
    assert damaged.find("one") is None and "is damaged" in caplog.text
    damaged.save()  # nothing is known: nothing is written
    damaged.add(["one"], LOGITS[:1], [""])
    damaged.save()
    assert NamedBefore(tmp_path, {}).find("one") is not None
