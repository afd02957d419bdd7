"""Progress of long work: a progress bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

from longtail.time_left import TimeLeft, TrialWork
from longtail.wording import duration, first_names

log = logging.getLogger(__name__)

# Work that took less than this is not logged.
WORTH_A_LINE_S = 2.0
# Without a terminal, long work logs its progress when that was not logged for this long.
SILENCE_S = 60.0
# How often it is checked whether a line is due.
LINE_CHECK_S = 5.0
# When a line of progress was last logged, and when a line of any kind. A sign of life puts off no
# progress, or else work whose steps take a minute would never tell how far it is.
_last_progress = _last_line = time.monotonic()


def _on_terminal(*columns: ProgressColumn | str) -> Progress:
    """A display that is shown on a terminal only, and removed when it stops."""
    console = rich.get_console()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[..., None]]:
    """Show how much of ``total`` is done: in a bar or, without a terminal, in a line a minute.

    Yields:
        A function to call with how much more is done, 1 by default. Threads may call it.
    """
    start, done, lock = time.monotonic(), 0, threading.Lock()
    with _on_terminal(
        "{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TimeRemainingColumn()
    ) as progress:
        task = progress.add_task(title, total=total or None)

        def advance(more: int = 1) -> None:
            nonlocal done
            progress.advance(task, more)
            with lock:
                done += more
                if is_due():
                    left = (time.monotonic() - start) * (total - done) / done if total else 0
                    of_all = f"/{total:,}, about {duration(left)} left" if total else ""
                    log_line(f"{title}: {done:,}{of_all}")

        yield advance
    if (seconds := time.monotonic() - start) > WORTH_A_LINE_S:
        log.info("%s: done in %.0f s", title, seconds)


def is_due() -> bool:
    """Whether a line of progress is due: there is no terminal, and the last one was a while ago."""
    return _is_silent_since(_last_progress)


def log_line(text: str) -> None:
    """Log a line of progress; the next one is due a minute later."""
    _begin_silence()
    log.info(text)


def _is_silent_since(last: float) -> bool:
    return time.monotonic() - last > SILENCE_S and not rich.get_console().is_terminal


def _begin_silence() -> None:
    global _last_line, _last_progress
    _last_progress = _last_line = time.monotonic()


class SignsOfLife:
    """Without a terminal, logs once a minute what is running, unless other progress was shown."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="longtail-signs", daemon=True)

    def __enter__(self) -> Self:
        _begin_silence()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def begin(self, name: str) -> None:
        """Note that a node or a trial runs."""
        self._since[name] = time.monotonic()

    def end(self, name: str) -> None:
        """Note that it has ended."""
        self._since.pop(name, None)

    def log_if_due(self) -> None:
        """Log what is running, if nothing was logged for a while."""
        global _last_line
        if _is_silent_since(_last_line) and (running := dict(self._since)):
            _last_line = now = time.monotonic()
            each = [f"{name} ({duration(now - since)})" for name, since in running.items()]
            log.info("Still running: %s", ", ".join(first_names(each)))

    def _watch(self) -> None:
        while not self._ended.wait(LINE_CHECK_S):
            self.log_if_due()


@dataclass(frozen=True)
class TrainingStarted:
    """A trial is trained, because its training is not stored.

    ``epochs_before`` are those of a first stage, which is trained or stored.
    """

    trial: str
    epochs_before: int = 0


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


Event = TrainingStarted | EpochDone | TrialScored | FeaturesDone
Sink = Callable[[Event], None]


def _ignore(event: Event) -> None:
    """The default, for instance in a notebook that calls a node."""


_sink: Sink = _ignore


def watch(sink: Sink) -> None:
    """Send the events of this process to the runner's display, or to a queue that leads to it."""
    global _sink
    _sink = sink


@contextmanager
def watched(sink: Sink) -> Iterator[None]:
    """Send the events of this process elsewhere for a while."""
    before = _sink
    watch(sink)
    try:
        yield
    finally:
        watch(before)


def tell(event: Event) -> None:
    """Send an event to the sink of this process."""
    _sink(event)


class GridProgress:
    """Progress of a grid of trials: a progress bar over all epochs, and one per running trial.

    Finished trials are logged; without a terminal so is the epoch of a running trial, at most
    once a minute.

    Args:
        work: work of each trial that is to run, by the trial's name.
    """

    def __init__(self, work: Mapping[str, TrialWork]) -> None:
        self._work = work
        self._done: dict[str, int] = dict.fromkeys(work, 0)
        self._finished: set[str] = set()
        self._time_left = TimeLeft(work, time.monotonic())
        self._bars = _on_terminal(
            *("{task.description}", BarColumn(bar_width=30), MofNCompleteColumn()),
            *("{task.fields[unit]}", TimeElapsedColumn(), "{task.fields[left]}"),
        )
        total = sum(of.epochs_to_train for of in work.values())
        self._all = self._add("All trials", total, "epochs")
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        _begin_silence()
        self._time_left = TimeLeft(self._work, time.monotonic())
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, event: Event) -> None:
        """Update the progress bars by an event, and log it if it is due."""
        if event.trial not in self._work or event.trial in self._finished:
            return
        match event:
            case TrainingStarted(trial, before):
                done = max(before, self._done[trial])
                left = self._work[trial].epochs - done
                self._time_left.training_started(trial, time.monotonic(), left)
                self._advance(trial, done)
            case FeaturesDone():
                self._show_features(event)
            case EpochDone():
                self._show_epoch(event)
            case TrialScored(trial, summary):
                self._finish(trial, scored=True)
                self._tell(f"{trial}: {summary}")

    def _show_epoch(self, event: EpochDone) -> None:
        trial, now = event.trial, time.monotonic()
        self._time_left.epoch_done(trial, event.epochs - event.epoch, now)
        if trial not in self._running:
            self._running[trial] = self._add(trial, event.epochs, "epochs")
        left = _left(self._time_left.of_trial(trial, now))
        self._bars.update(self._running[trial], completed=event.epoch, left=left)
        self._advance(trial, event.epoch)
        self._bars.update(self._all, left=_left(self._time_left.seconds(now)))
        if is_due():
            self._tell(f"{trial}: epoch {event.epoch}/{event.epochs}, loss {event.loss:.4f}")

    def _show_features(self, event: FeaturesDone) -> None:
        left = _left(
            self._time_left.features_done(event.trial, event.done, event.total, time.monotonic())
        )
        title = f"{event.trial}: features"
        if title not in self._running:
            self._running[title] = self._add(title, event.total, "images")
        self._bars.update(self._running[title], completed=event.done, left=left)
        if event.done == event.total:
            self._bars.remove_task(self._running.pop(title))
        elif is_due():
            self._tell(f"{title} of {event.done:,}/{event.total:,} images, {left}")

    def epochs_done(self, trial: str) -> int:
        """How many epochs of a trial are known to be done."""
        return self._done.get(trial, 0)

    def lost(self, trial: str) -> None:
        """Remove a failed trial from the remaining work."""
        if trial in self._work:
            self._finish(trial, scored=False)

    def _tell(self, what: str) -> None:
        left = _left(self._time_left.seconds(time.monotonic()))
        count = f"{len(self._finished)}/{len(self._work)}"
        log_line(f"{what} [{', '.join(filter(None, (count, left)))}]")

    def _add(self, title: str, total: int, unit: str) -> TaskID:
        return self._bars.add_task(title, total=total, unit=unit, left="")

    def _finish(self, trial: str, *, scored: bool) -> None:
        self._finished.add(trial)
        self._time_left.ended(trial, time.monotonic(), scored=scored)
        for title in (trial, f"{trial}: features"):
            if title in self._running:
                self._bars.remove_task(self._running.pop(title))
        self._advance(trial, self._work[trial].epochs)

    def _advance(self, trial: str, done: int) -> None:
        work = self._work[trial]
        # What comes first is stored, or another trial trains it.
        others = work.epochs - work.epochs_to_train
        more = max(others, done) - max(others, self._done[trial])
        self._bars.advance(self._all, more)
        self._done[trial] = done


def _left(seconds: float | None) -> str:
    return "" if not seconds else f"about {duration(seconds)} left"
