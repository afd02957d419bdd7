"""The time that a grid of trials still takes, estimated from what was measured in this run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass
class Mean:
    """The mean of durations in seconds."""

    total: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.total, self.count = self.total + seconds, self.count + 1

    @property
    def seconds(self) -> float:
        """The mean; 0 if there is no duration yet."""
        return self.total / self.count if self.count else 0.0


@dataclass(frozen=True)
class StageWork:
    """A training of a trial.

    Attributes:
        epochs: epochs of this training alone.
        images: number of images in an epoch.
        kinds: what its speed depends on: most of it first, then less.
    """

    epochs: int
    images: int = 1
    kinds: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class TrialWork:
    """The trainings of a trial.

    Attributes:
        stages: stages in order.
        epochs_to_train: epochs of these that are to train, without trainings that are stored or
            that another trial does.
    """

    stages: tuple[StageWork, ...]
    epochs_to_train: int

    @property
    def epochs(self) -> int:
        """The epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)


class TimeLeft:
    """Estimates the time left from the seconds per image of trainings like those that are left.

    Args:
        work: work of each trial that is to run, by the trial's name.
        now: the time of a clock in seconds, as in all methods.
    """

    def __init__(self, work: Mapping[str, TrialWork], now: float) -> None:
        self._stages = {trial: of.stages for trial, of in work.items()}
        self._epochs_left = {trial: of.epochs_to_train for trial, of in work.items()}
        self._start = now
        # When each trial that is running was heard of last, and when it began.
        self._heard: dict[str, float] = {}
        self._began: dict[str, float] = {}
        # The seconds per image, by what they depend on; () is everything.
        self._rates: dict[tuple[str, ...], Mean] = defaultdict(Mean)
        # The seconds of features, by data set, training set and backbone.
        self._features: dict[str, float] = {}
        self._scoring = Mean()
        self._at_once = 1

    def training_started(self, trial: str, now: float, left: int) -> None:
        """A trial, or a stage of it, that was not found in the store begins: ``left`` epochs."""
        self._began[trial], self._epochs_left[trial] = now, left
        self._hear(trial, now)

    def features_done(self, trial: str, done: int, total: int, now: float) -> float:
        """Some features of a frozen backbone are computed; the seconds until all are."""
        began = self._began.setdefault(trial, self._start)
        self._hear(trial, now)
        self._features[_features_of(trial)] = now - began
        return (now - began) * (total - done) / done

    def epoch_done(self, trial: str, left: int, now: float) -> None:
        """One epoch of a trial is done, and ``left`` are not."""
        seconds = now - self._heard.get(trial, self._start)
        self._hear(trial, now)
        stage = next(stage for stage, epochs in self._last_epochs(trial, left + 1) if epochs)
        for kind in (*stage.kinds, ()):
            self._rates[kind].add(seconds / stage.images)
        self._epochs_left[trial] = left

    def ended(self, trial: str, now: float, *, scored: bool) -> None:
        """A trial is scored, or has failed."""
        heard = self._heard.pop(trial, None)
        if scored and heard is not None:
            self._scoring.add(now - heard)
        self._epochs_left.pop(trial, None)

    def of_trial(self, trial: str, now: float) -> float:
        """The seconds that one trial still takes."""
        seconds = sum(
            epochs * stage.images * self._rate(stage)
            for stage, epochs in self._last_epochs(trial, self._epochs_left[trial])
        )
        passed = now - self._heard.get(trial, now)
        return max(0.0, seconds + self._scoring.seconds - passed)

    def seconds(self, now: float) -> float | None:
        """The seconds that all trials still take; None if nothing was measured yet."""
        if not self._rates or not self._epochs_left:
            return None
        each = [self.of_trial(trial, now) for trial in self._epochs_left]
        new = {_features_of(t) for t, epochs in self._epochs_left.items() if epochs}
        new -= {_features_of(trial) for trial in self._began}
        measured = self._features.values()
        features = len(new) * sum(measured) / len(measured) if measured else 0.0
        return max((sum(each) + features) / self._at_once, *each)

    def _last_epochs(self, trial: str, count: int) -> list[tuple[StageWork, int]]:
        """The stages of a trial, each with how many of its last epochs it has."""
        found: list[tuple[StageWork, int]] = []
        for stage in reversed(self._stages[trial]):
            epochs = min(count, stage.epochs)
            found.insert(0, (stage, epochs))
            count -= epochs
        return found

    def _rate(self, stage: StageWork) -> float:
        """The seconds per image of trainings that are most like a stage."""
        return next(
            (self._rates[kind].seconds for kind in (*stage.kinds, ()) if kind in self._rates), 0.0
        )

    def _hear(self, trial: str, now: float) -> None:
        self._heard[trial] = now
        self._at_once = max(self._at_once, len(self._heard))


def _features_of(trial: str) -> str:
    """What the features of a frozen backbone depend on: the name without method and seed."""
    return ".".join(trial.split(".")[:-2])
