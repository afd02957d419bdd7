from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.timing import ratio, seconds_of
from benchmarks.usual import UsualImages, usual_batches, usual_epoch


def test_contenders_take_turns_and_the_first_round_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, order = [0.0], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def contender(name: str, seconds: list[float]) -> Any:
        def work() -> None:
            order.append(name)
            now[0] += seconds.pop(0)

        return work

    contenders = {"a": contender("a", [9, 1, 2]), "b": contender("b", [9, 4, 4])}
    times = seconds_of(contenders, 2, torch.device("cpu"), "Timing")
    assert order == ["a", "b"] * 3
    assert times == {"a": [1, 2], "b": [4, 4]}
    assert ratio(times["b"], times["a"]) == 3  # of 4 and 2


def test_usual_loop_sees_every_image_once_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    # Processes that are forked from one that has threads, as that of all tests, may never end.
    monkeypatch.setattr("benchmarks.usual.LOADER_PROCESSES", 0)
    labels = np.arange(40) % 2
    pixels = np.full((40, 32, 32, 3), 200, dtype=np.uint8) * labels[:, None, None, None].astype(
        "u1"
    )
    images = UsualImages(pixels, labels)
    device = torch.device("cpu")
    seen = [batch for _, batch in usual_batches(images, 16, device)]
    assert [len(batch) for batch in seen] == [16, 16, 8]
    assert sorted(torch.cat(seen).tolist()) == [0] * 20 + [1] * 20
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    first = usual_epoch(model, optimizer, usual_batches(images, 16, device))
    last = usual_epoch(model, optimizer, usual_batches(images, 16, device))
    assert last[0] < first[0]
    assert last[1] == 1


def test_bench_prints_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.usual.LOADER_PROCESSES", 0)  # for the same reason
    monkeypatch.setattr("sys.argv", ["bench", "--images=24", "--rounds=1", "--threads=1"])
    main()
    output = capsys.readouterr().out
    for row in (
        *("usual data", "our data", "our data (streamed)", "our data (RandAugment)"),
        *("usual epoch", "our epoch", "our epoch (streamed)", "our epoch (bf16)"),
    ):
        assert f"│ {row} " in output
    assert "24 images, 1 rounds" in " ".join(output.split())
