"""What runs inside a worker, with processes that are only imitated."""

from __future__ import annotations

import pickle
from concurrent.futures import BrokenExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from longtail.cluster import on_worker


def processes(monkeypatch: pytest.MonkeyPatch, *exit_codes: int) -> list[int]:
    """Processes that end with these codes before they receive a trial; later ones run it."""
    codes, ended = list(exit_codes), list[int]()

    class Imitated:
        def __init__(self, project: str, site: bytes) -> None:  # noqa: ARG002
            self.connection: Any = SimpleNamespace(
                send_bytes=self._send,
                poll=lambda _: True,
                recv_bytes=lambda: pickle.dumps(("end", b"done")),
            )
            self.idle_since = 0.0
            self._code = codes.pop(0) if codes else None

        def _send(self, content: bytes) -> None:  # noqa: ARG002
            if self._code is not None:
                raise BrokenPipeError

        def end(self) -> int:
            assert self._code is not None
            ended.append(self._code)
            return self._code

    worker = SimpleNamespace(get_current_task=lambda: "trial")
    monkeypatch.setattr(on_worker, "_Process", Imitated)
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    monkeypatch.setattr(on_worker, "_busy", {})
    monkeypatch.setattr(on_worker, "_idle", {})
    return ended


def test_a_process_that_had_ended_idle_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = processes(monkeypatch, on_worker.ENDED_IDLE, on_worker.ENDED_IDLE)
    assert on_worker.run_trial("/project", b"site", b"nodes", "run", "topic") == b"done"
    assert ended == [on_worker.ENDED_IDLE, on_worker.ENDED_IDLE]


@pytest.mark.parametrize(("code", "how"), [(-9, "by signal 9"), (1, "with exit code 1")])
def test_a_process_that_died_ends_its_trial(
    monkeypatch: pytest.MonkeyPatch, code: int, how: str
) -> None:
    processes(monkeypatch, code)
    with pytest.raises(BrokenExecutor, match=f"ended {how}"):
        on_worker.run_trial("/project", b"site", b"nodes", "run", "topic")
