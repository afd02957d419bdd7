"""The time that a grid of trials still takes, estimated from what was measured in this run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Mean:
    """The mean of durations in seconds."""

    total: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.total, self.count = self.total + seconds, self.count + 1

    def or_else(self, seconds: float) -> float:
        """The mean; the given duration if there is none yet."""
        return self.total / self.count if self.count else seconds


@dataclass
class _Kind:
    """The trials of one data set, training set and backbone, which take about the same time."""

    epoch: Mean = field(default_factory=Mean)
    features: float = 0.0


class TimeLeft:
    """Estimates the time left from the seconds per epoch of trials like those that are left.

    Args:
        epochs: the epochs of each trial that is to run, by the trial's name.
        now: the time of a clock in seconds, as in all methods.
    """

    def __init__(self, epochs: Mapping[str, int], now: float) -> None:
        self._epochs_left = dict(epochs)
        self._start = now
        # When each trial that is running was heard of last, and when it began.
        self._heard: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._kinds: dict[str, _Kind] = defaultdict(_Kind)
        self._any_epoch, self._scoring = Mean(), Mean()
        self._at_once = 1

    def training_started(self, trial: str, now: float, left: int) -> None:
        """A trial, or a stage of it, that was not found in the store begins: ``left`` epochs."""
        self._began[trial], self._epochs_left[trial] = now, left
        self._hear(trial, now)

    def features_done(self, trial: str, done: int, total: int, now: float) -> float:
        """Some features of a frozen backbone are computed; the seconds until all are."""
        began = self._began.setdefault(trial, self._start)
        self._hear(trial, now).features = now - began
        return (now - began) * (total - done) / done

    def epoch_done(self, trial: str, left: int, now: float) -> None:
        """One epoch of a trial is done, and ``left`` are not."""
        seconds = now - self._heard.get(trial, self._start)
        self._hear(trial, now).epoch.add(seconds)
        self._any_epoch.add(seconds)
        self._epochs_left[trial] = left

    def ended(self, trial: str, now: float, *, scored: bool) -> None:
        """A trial is scored, or has failed."""
        heard = self._heard.pop(trial, None)
        if scored and heard is not None:
            self._scoring.add(now - heard)
        self._epochs_left.pop(trial, None)

    def of_trial(self, trial: str, now: float) -> float:
        """The seconds that one trial still takes."""
        kind = self._kinds.get(_kind(trial), _Kind())
        seconds = self._epochs_left[trial] * kind.epoch.or_else(self._any_epoch.or_else(0))
        passed = now - self._heard.get(trial, now)
        return max(0.0, seconds + self._scoring.or_else(0) - passed)

    def seconds(self, now: float) -> float | None:
        """The seconds that all trials still take; None if nothing was measured yet."""
        if not self._any_epoch.count or not self._epochs_left:
            return None
        each = [self.of_trial(trial, now) for trial in self._epochs_left]
        measured = [kind.features for kind in self._kinds.values() if kind.features]
        new = {_kind(trial) for trial in self._epochs_left} - self._kinds.keys()
        features = len(new) * sum(measured) / len(measured) if measured else 0.0
        return max((sum(each) + features) / self._at_once, *each)

    def _hear(self, trial: str, now: float) -> _Kind:
        self._heard[trial] = now
        self._at_once = max(self._at_once, len(self._heard))
        return self._kinds[_kind(trial)]


def _kind(trial: str) -> str:
    """The name without the method and the seed."""
    return ".".join(trial.split(".")[:-2])
