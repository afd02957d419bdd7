"""Progress of long work: a bar with an estimate on a terminal, a line in the log elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import rich
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from longtail.wording import duration

log = logging.getLogger(__name__)
T = TypeVar("T")

# On a terminal the log keeps silent about work that took less than this.
WORTH_A_LINE_S = 2.0
# Elsewhere a long training gives a sign of life when nothing was logged for this long.
SILENCE_S = 60.0


class Bar:
    """Counts work from 0 to ``total``; use as a context manager."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._start = title, 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=rich.get_console(),
            transient=True,
            disable=not rich.get_console().is_terminal,
        )
        self._task = self._progress.add_task(title, total=total or None)

    def advance(self, amount: int = 1) -> None:
        """Say that ``amount`` more is done."""
        self._progress.advance(self._task, amount)

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        seconds = time.monotonic() - self._start
        if error is None and seconds > WORTH_A_LINE_S:
            log.info("%s: done in %.0f s", self._title, seconds)


def track(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """Yield from ``items`` and show how many of ``total`` are done."""
    with Bar(title, total) as bar:
        for item in items:
            yield item
            bar.advance()


@dataclass(frozen=True)
class EpochDone:
    """One epoch of one trial is done, ``epoch`` counting from 1."""

    trial: str
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class TrialScored:
    """A trial is trained, evaluated and scored; ``summary`` says how well, in a few words."""

    trial: str
    summary: str


@dataclass(frozen=True)
class FeaturesDone:
    """A frozen backbone has seen ``done`` of ``total`` images, counting each view."""

    trial: str
    done: int
    total: int


Event = EpochDone | TrialScored | FeaturesDone
Sink = Callable[[Event], None]


def _ignore(event: Event) -> None:
    """Nobody watches: for instance a node that is called from a notebook."""


_sink: Sink = _ignore


def watch(sink: Sink) -> None:
    """Send this process' events to ``sink``: the runner's display, or a queue that leads to it."""
    global _sink
    _sink = sink


def tell(event: Event) -> None:
    """Tell whoever watches what has happened."""
    _sink(event)


class GridProgress:
    """How far a grid of trials is: a bar over all epochs, and one for each running trial.

    On a terminal the bars move, elsewhere a line in the log tells of the epoch every minute; a
    line tells of each finished trial in any case.

    Args:
        epochs: the epochs of each trial that is to run, by the trial's name.
    """

    def __init__(self, epochs: dict[str, int]) -> None:
        self._epochs = epochs
        self._done: dict[str, int] = dict.fromkeys(epochs, 0)
        self._finished: set[str] = set()
        self._trained = 0
        self._start = self._told = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=rich.get_console(),
            transient=True,
            disable=not rich.get_console().is_terminal,
        )
        self._all = self._bars.add_task("All trials", total=sum(epochs.values()))
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._start = self._told = time.monotonic()
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, event: Event) -> None:
        """Move the bars as an event says."""
        if event.trial not in self._epochs or event.trial in self._finished:
            return
        if isinstance(event, TrialScored):
            self._finish(event.trial)
            self._tell(f"{event.trial}: {event.summary}")
            return
        if isinstance(event, FeaturesDone):
            self._show_features(event)
            return
        if event.trial not in self._running:
            self._running[event.trial] = self._bars.add_task(event.trial, total=event.epochs)
        self._bars.update(self._running[event.trial], completed=event.epoch)
        self._bars.advance(self._all, event.epoch - self._done[event.trial])
        # One, though a training that goes on from a checkpoint was found with more of them done.
        self._trained += 1
        self._done[event.trial] = event.epoch
        if time.monotonic() - self._told > SILENCE_S and not rich.get_console().is_terminal:
            self._tell(f"{event.trial}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}")

    def _show_features(self, event: FeaturesDone) -> None:
        title = f"{event.trial}: features"
        if title not in self._running:
            self._running[title] = self._bars.add_task(title, total=event.total)
        self._bars.update(self._running[title], completed=event.done)
        if event.done == event.total:
            self._bars.remove_task(self._running.pop(title))
        elif time.monotonic() - self._told > SILENCE_S and not rich.get_console().is_terminal:
            self._tell(f"{title} of {event.done}/{event.total} images")

    def epochs_done(self, trial: str) -> int:
        """The epochs that a trial has done, as far as is known."""
        return self._done.get(trial, 0)

    def lost(self, trial: str) -> None:
        """Take a failed trial out of what is still to come."""
        if trial in self._epochs:
            self._finish(trial)

    def _tell(self, what: str) -> None:
        log.info("%s [%s]", what, self._estimate())
        self._told = time.monotonic()

    def _finish(self, trial: str) -> None:
        self._finished.add(trial)
        if trial in self._running:
            self._bars.remove_task(self._running.pop(trial))
        self._bars.advance(self._all, self._epochs[trial] - self._done[trial])
        self._done[trial] = self._epochs[trial]

    def _estimate(self) -> str:
        count = f"{len(self._finished)}/{len(self._epochs)}"
        left = sum(self._epochs.values()) - sum(self._done.values())
        if left == 0 or self._trained == 0:
            return count
        # Trainings that were found ready took no time, and say nothing about those to come.
        seconds = (time.monotonic() - self._start) * left / self._trained
        return f"{count}, at most {duration(seconds)} left"
