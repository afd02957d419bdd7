from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from longtail.parameters import Compute
from longtail.preflight import slow_settings
from longtail.preflight.slow_settings import report_slow_settings
from longtail.provenance import usable_cores


def compute(device: str = "auto", threads: int = 1, workers: int | None = None) -> Compute:
    return Compute.model_validate(
        {"device": device, "threads": threads, "workers": workers, "compile": "auto"}
    )


@pytest.fixture(autouse=True)
def _four_cores_and_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_settings, "usable_cores", lambda: 4)
    monkeypatch.setattr(slow_settings, "nvidia_gpus", lambda: 0)


@pytest.mark.parametrize(
    ("threads", "workers", "expected"),
    [
        (2, 4, "use 8 threads (compute.workers times compute.threads), 2.0 times"),
        (6, None, "use 6 threads (compute.workers times compute.threads), 1.5 times"),
        (2, 2, None),
        (1, None, None),
    ],
)
def test_more_threads_than_cores_are_reported_with_the_factor(
    threads: int, workers: int | None, expected: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    report_slow_settings(compute(threads=threads, workers=workers))
    assert len(caplog.messages) == (expected is not None)
    for message in caplog.messages:
        assert expected is not None and expected in message


@pytest.mark.parametrize(
    ("usable", "device", "expected"),
    [
        (False, "auto", "torch .* cannot use it, so that trainings run on the processor"),
        (True, "cpu", r"compute\.device is cpu, although"),
        (True, "auto", None),
    ],
)
def test_gpus_that_are_not_used_are_reported(
    usable: bool,
    device: str,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(slow_settings, "nvidia_gpus", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    report_slow_settings(compute(device, workers=2))
    assert len(caplog.messages) == (expected is not None)
    for message in caplog.messages:
        assert expected is not None and re.search(expected, message)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 3), ("250000 100000", 2), ("50000 100000", 1), (None, 3)]
)
def test_cores_are_at_most_what_a_container_may_use(
    quota: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores(tmp_path / "cpu.max") == cores
