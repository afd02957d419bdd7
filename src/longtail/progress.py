"""Progress of long work: a progress bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self

import rich
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from longtail.wording import duration

log = logging.getLogger(__name__)

# Work that took less than this is not logged.
WORTH_A_LINE_S = 2.0
# Without a terminal a training logs its epoch when nothing was logged for this long.
SILENCE_S = 60.0


def _on_terminal(*columns: ProgressColumn | str) -> Progress:
    """A display that is shown on a terminal only, and removed when it stops."""
    console = rich.get_console()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[..., None]]:
    """Show how much of ``total`` is done.

    Yields:
        A function to call with how much more is done, 1 by default.
    """
    start = time.monotonic()
    with _on_terminal(
        "{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TimeRemainingColumn()
    ) as progress:
        yield partial(progress.advance, progress.add_task(title, total=total or None))
    if (seconds := time.monotonic() - start) > WORTH_A_LINE_S:
        log.info("%s: done in %.0f s", title, seconds)


@dataclass(frozen=True)
class EpochDone:
    """One epoch of one trial is done, ``epoch`` counting from 1."""

    trial: str
    epoch: int
    epochs: int
    loss: float


@dataclass(frozen=True)
class TrialScored:
    """A trial is trained, evaluated and scored; ``summary`` gives its main results."""

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
    """The default, for instance in a notebook that calls a node."""


_sink: Sink = _ignore


def watch(sink: Sink) -> None:
    """Send the events of this process to the runner's display, or to a queue that leads to it."""
    global _sink
    _sink = sink


def tell(event: Event) -> None:
    """Send an event to the sink of this process."""
    _sink(event)


class GridProgress:
    """Progress of a grid of trials: a progress bar over all epochs, and one per running trial.

    Finished trials are logged; without a terminal so is the epoch of a running trial, at most
    once a minute.

    Args:
        epochs: the epochs of each trial that is to run, by the trial's name.
    """

    def __init__(self, epochs: dict[str, int]) -> None:
        self._epochs = epochs
        self._done: dict[str, int] = dict.fromkeys(epochs, 0)
        self._finished: set[str] = set()
        self._trained = 0
        self._start = self._told = time.monotonic()
        self._bars = _on_terminal(
            *("{task.description}", BarColumn(bar_width=30), MofNCompleteColumn(), "epochs"),
            *(TimeElapsedColumn(), "left", TimeRemainingColumn()),
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
        """Update the progress bars by an event, and log it if it is due."""
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
        # One epoch, even if a resumed training has done more before.
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
        """How many epochs of a trial are known to be done."""
        return self._done.get(trial, 0)

    def lost(self, trial: str) -> None:
        """Remove a failed trial from the remaining work."""
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
        # Trainings found in the store took no time, and do not count in the estimate.
        seconds = (time.monotonic() - self._start) * left / self._trained
        return f"{count}, at most {duration(seconds)} left"
