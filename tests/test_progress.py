from __future__ import annotations

import io
import logging
import time

import pytest
from rich.console import Console

from longtail import progress
from longtail.progress import (
    EpochDone,
    FeaturesDone,
    GridProgress,
    SignsOfLife,
    TrialScored,
    progress_bar,
    tell,
    watched,
)
from longtail.time_left import StageWork, TrialWork


def work_of(epochs: dict[str, int]) -> dict[str, TrialWork]:
    return {trial: TrialWork((StageWork(count),), count) for trial, count in epochs.items()}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_last_line", now[0])
    monkeypatch.setattr(progress, "_last_progress", now[0])
    return now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("done", "shown"), [((), "0%"), ((1,), "50%"), ((1, 1), "100%")])
def test_bar_shows_the_share_that_is_done_on_a_terminal(
    done: tuple[int, ...], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=80)
    monkeypatch.setattr("rich.get_console", lambda: console)
    with progress_bar("Reading", 2) as advance:
        for amount in done:
            advance(amount)
    assert f" {shown}" in terminal.getvalue().rsplit("Reading", 1)[1]


def test_bar_is_not_shown_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    monkeypatch.setattr("rich.get_console", lambda: console)
    with progress_bar("nothing", 0) as advance:
        advance()
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize(("seconds", "lines"), [(1, 0), (61, 1)])
def test_only_long_work_is_worth_a_line(
    seconds: int, lines: int, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), progress_bar("Reading", 1):
        clock[0] += seconds
    assert [record.message for record in caplog.records] == ["Reading: done in 61 s"] * lines


def test_work_that_fails_is_not_called_done(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ValueError, match="no more"),
        progress_bar("Reading", 2),
    ):
        clock[0] += 60
        raise ValueError("no more")
    assert not caplog.records


def test_events_reach_whoever_watches() -> None:
    seen: list[object] = []
    first, second = EpochDone("a", 1, 2, 0.5), TrialScored("a", "good")
    tell(first)  # nobody watches yet, and nothing fails
    with watched(seen.append):
        tell(first)
        tell(second)
    tell(first)
    assert seen == [first, second]


def test_finished_trials_are_reported_with_what_is_left(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), GridProgress(work_of({"a": 4, "b": 4, "c": 2})) as grid:
        for epoch in (1, 2, 3, 4):
            clock[0] += 10
            grid.show(EpochDone("a", epoch, 4, 0.1))
        grid.show(TrialScored("a", "Acc1 0.9"))
        grid.show(TrialScored("b", "as a"))  # found ready: no epoch of it was trained
        clock[0] += 20
        grid.show(EpochDone("c", 2, 2, 0.1))
        grid.show(TrialScored("c", "Acc1 0.8"))
    assert [record.message for record in caplog.records] == [
        "a: Acc1 0.9 [1/3, about 60 s left]",  # 6 epochs at 10 s
        "b: as a [2/3, about 20 s left]",
        "c: Acc1 0.8 [3/3]",
    ]


def test_features_give_a_sign_of_life_every_minute_and_count_as_no_epoch(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), GridProgress(work_of({"a": 2})) as grid:
        for done in (64, 128, 192, 200):
            clock[0] += 40
            grid.show(FeaturesDone("a", done, 200))
        grid.show(EpochDone("a", 2, 2, 0.1))
        grid.show(TrialScored("a", "good"))
    assert caplog.messages == [
        "a: features of 128/200 images, about 45 s left [0/1]",
        "a: epoch 2/2, loss 0.1000 [0/1]",
        "a: good [1/1]",
    ]


def test_no_estimate_is_made_from_trials_that_were_found(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO), GridProgress(work_of({"a": 4, "b": 4})) as grid:
        grid.show(TrialScored("a", "found"))
    assert caplog.messages == ["a: found [1/2]"]


def test_failed_trial_is_no_longer_to_come(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), GridProgress(work_of({"a": 2, "b": 90})) as grid:
        grid.show(EpochDone("b", 1, 90, 0.1))
        grid.lost("b")
        grid.lost("unknown")
        grid.show(EpochDone("b", 2, 90, 0.1))  # came late from its process
        clock[0] += 5
        grid.show(EpochDone("a", 1, 2, 0.1))
        grid.show(TrialScored("unknown", "of another run"))
        grid.show(TrialScored("a", "good"))
    assert caplog.messages == ["a: good [2/2]"]


def test_long_training_gives_a_sign_of_life_every_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), GridProgress(work_of({"a": 200})) as grid:
        for epoch in (57, 58, 59, 60):  # it went on from a checkpoint after epoch 56
            clock[0] += 35
            grid.show(EpochDone("a", epoch, 200, 1.25))
    assert caplog.messages == [
        "a: epoch 58/200, loss 1.2500 [0/1, about 83 min left]",  # 142 epochs at 35 s
        "a: epoch 60/200, loss 1.2500 [0/1, about 82 min left]",
    ]


def test_epochs_longer_than_a_minute_are_reported_beside_signs_of_life(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    signs = SignsOfLife()
    with caplog.at_level(logging.INFO), signs, GridProgress(work_of({"a": 3})) as grid:
        signs.begin("train.a")
        for epoch in (1, 2):
            clock[0] += 61
            signs.log_if_due()
            clock[0] += 5
            grid.show(EpochDone("a", epoch, 3, 1.25))
        signs.end("train.a")
    assert caplog.messages == [
        "Still running: train.a (61 s)",
        "a: epoch 1/3, loss 1.2500 [0/1, about 2 min left]",
        "Still running: train.a (2 min)",
        "a: epoch 2/3, loss 1.2500 [0/1, about 66 s left]",
    ]


def test_a_bar_gives_a_sign_of_life_every_minute_without_a_terminal(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        with progress_bar("Decoding moths", 1000) as advance:
            for _ in range(10):
                clock[0] += 25
                advance(100)
        with progress_bar("Downloading", 0) as advance:
            clock[0] += 61
            advance(1 << 20)
    assert caplog.messages == [
        "Decoding moths: 300/1,000, about 3 min left",
        "Decoding moths: 600/1,000, about 2 min left",
        "Decoding moths: 900/1,000, about 25 s left",
        "Decoding moths: done in 250 s",
        "Downloading: 1,048,576",
        "Downloading: done in 61 s",
    ]


def test_work_without_progress_of_its_own_gives_a_sign_of_life(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    signs = SignsOfLife()
    with caplog.at_level(logging.INFO), signs:
        signs.begin("report.digits.page")
        clock[0] += 50
        signs.log_if_due()
        signs.begin("train.a")
        clock[0] += 50
        signs.log_if_due()
        signs.log_if_due()
        with progress_bar("Reading", 100) as advance:
            clock[0] += 61
            advance(50)
            signs.log_if_due()  # the bar has just told
        signs.end("train.a")
        signs.end("report.digits.page")
        clock[0] += 100
        signs.log_if_due()
    assert caplog.messages == [
        "Still running: report.digits.page (2 min), train.a (50 s)",
        "Reading: 50/100, about 61 s left",
        "Reading: done in 61 s",
    ]
